"""Hostile inputs by structure, each read whole in another process with limits of time and memory; one command.

    python tests/fuzz                          1,000 inputs of every source
    python tests/fuzz rrd mcap --count 100     some
    python tests/fuzz hdf5 --only 123          one again, its error shown
    python tests/fuzz --corpus FOLDER          keep inputs that end badly; those in it, and in corpus/, are tried first

The exit code is 0 when nothing was executed, nothing outside was read or written, and nothing took over 20 s or 1 GB,
ended its process, or raised anything but an error of telecine's that names the file. `structures.py` makes the inputs.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`

from fuzz.kept import kept_numbers
from support import mutants

SOURCES = (
    *("rrd", "mcap", "rosbag", "rosbag2", "hdf5", "zarr", "robosandbox", "lerobot"),
    *("rlds", "unitree", "bridge_raw", "gello", "hdf5_layouts", "calvin", "minari"),
)
MOST_MB = 1024


def run(source: str, count: int, first: int, corpus: Path | None) -> bool:
    """Print a line of the table, and what ended badly on standard error; True when nothing did."""
    known = sorted({*kept_numbers(source), *(kept_numbers(source, corpus) if corpus is not None else ())})
    numbers = [*known, *(n for n in range(first, first + count) if n not in known)]
    tally = mutants.try_mutants(source + mutants.STRUCTURE, numbers)
    names = ("complete", "named", "unexpected", "crash", "hang", "executed", "outside")
    print(
        f"| {source} | {len(numbers)} | {' | '.join(str(tally.outcomes[n]) for n in names)} | {tally.peak_mb} MB |",
        flush=True,
    )
    for number, detail in tally.bad:
        print(f"  {source} {number}: {detail}", file=sys.stderr, flush=True)
        if corpus is not None:
            corpus.mkdir(parents=True, exist_ok=True)
            (corpus / f"{source}-{number}.txt").write_text(detail, encoding="utf-8", errors="backslashreplace")
    return not tally.bad and tally.peak_mb <= MOST_MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", default=list(SOURCES), help="default: all")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, help="one input, in this process, its error as it comes")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    if given.only is not None:
        mutants.show_one(given.sources[0] + mutants.STRUCTURE, given.only)
        return 0
    print(
        "| source | tried | complete | named error | traceback | crash | over 20 s | executed | outside | peak memory |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    ended_well = [run(source, given.count, given.first, given.corpus) for source in given.sources]
    return int(not all(ended_well))


if __name__ == "__main__":
    sys.exit(main())
