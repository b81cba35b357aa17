"""Small files of a dataset's metadata, each written in one go."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from telecine.dataset.rolling_files import TableFile


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON object with 4 spaces of indentation, as LeRobot writes it. Raises: OSError, ValueError for NaN."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """One Parquet file of all these tables; none without tables. Raises: OSError."""
    file: TableFile | None = None
    try:
        for table in tables:
            file = file or TableFile(path, table.schema)
            file.write(table)
    finally:
        if file is not None:
            file.close()
