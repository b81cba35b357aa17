"""telecine against a peer, LeRobot's own writer and the physical limit: `python bench/run.py`.

`--quick` measures only how near it is to the limits (limits.py): no peer, two minutes on a quiet machine.

Needs the extras `all` and `reference`. Recordings are generated once per run into a temporary folder (or --work);
every measurement is a whole process (see measure.py). `--write` puts the result into docs/benchmarks.md. What is
compared with what, and what is not, stands there.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import derived
import edits
import limits
import topics
import view
from report import Row, show, write


def main() -> int:
    """Run the topics asked for; exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"one or more of: {', '.join(TOPICS)} (default: all)"
    )
    parser.add_argument("--repeat", type=int, default=2, help="runs of each command; the one with the least CPU counts")
    parser.add_argument("--quick", action="store_true", help="the limits alone, once or twice")
    parser.add_argument("--smoke", action="store_true", help="as --quick, on so little that only running is seen")
    parser.add_argument("--work", type=Path, help="keep recordings here and use those already there")
    parser.add_argument("--write", action="store_true", help="update docs/benchmarks.md")
    given = parser.parse_args()
    unknown = sorted(set(given.topics) - set(TOPICS))
    if unknown:
        parser.error(f"no topic {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix="telecine-bench-") as scratch:
        place = topics.Place(
            given.work or Path(scratch) / "recordings",
            Path(scratch),
            1 if given.quick else given.repeat,
            topics.SMOKE if given.smoke else topics.Sizes(),
        )
        rows: list[Row] = []
        for name in given.topics or (QUICK if given.quick or given.smoke else TOPICS):
            print(f"measuring {name}", file=sys.stderr)
            found = TOPICS[name](place)
            print(show(found), file=sys.stderr)
            rows += found
    print(f"{show(rows)}\nload {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if given.write:
        write(rows)
    return 0 if given.smoke or all(row.met is not False for row in rows) else 1


TOPICS: dict[str, Callable[[topics.Place], list[Row]]] = {
    "copy": topics.copying,
    "splice": topics.splicing,
    "jpeg": topics.jpeg,
    "encode": topics.encoding,
    "reads": topics.reading,
    "messages": topics.messages,
    "edit": edits.editing,
    "derive": derived.deriving,
    "start": topics.starting,
    "view": view.viewing,
    "imports": limits.starting,
    "bare copy": limits.copying,
    "short": limits.short_episodes,
    "bare messages": limits.messages,
}
QUICK = ("imports", "bare copy", "short", "bare messages")

if __name__ == "__main__":
    sys.exit(main())
