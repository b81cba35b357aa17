"""What deleting an episode has to do at least: `python bench/edit_limit.py SET OUT` rewrites Parquet, links others."""

import os
import sys
from pathlib import Path

import pyarrow.parquet as pq


def main(source: Path, out: Path) -> None:
    """Every Parquet file read and written by pyarrow, row group by row group; every other file linked."""
    for path in sorted(source.rglob("*")):
        target = out / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file, pq.ParquetWriter(target, file.schema_arrow) as writer:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group))
        elif path.is_file():
            os.link(path, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
