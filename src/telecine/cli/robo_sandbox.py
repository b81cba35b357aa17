"""`telecine-robo-sandbox export-lerobot RUN OUT`: RoboSandbox's command of that name, in its words.

What it makes is a dataset that LeRobot opens, of one run folder or of a folder of them; `docs/robosandbox.md` says what
differs. All that `telecine convert` can be told goes here too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_FILES = ("episode.json", "events.jsonl", "result.json", "video.mp4")


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; its exit code, as that of `telecine convert`."""
    flags, more = _parser().parse_known_args(argv)
    if problem := _problem(flags.run):
        sys.stderr.write(f"error: {problem}\n")
        return 1
    words = ["convert", str(flags.run), str(flags.out), *more]
    words += [] if flags.task is None else ["--task-text", flags.task]
    words += [] if flags.fps is None else ["--fps", str(flags.fps)]
    return _told(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telecine-robo-sandbox", description="RoboSandbox's export to LeRobot, by telecine.", allow_abbrev=False
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    export = commands.add_parser(
        "export-lerobot",
        help="make a LeRobot v3 dataset of a run",
        epilog="Further flags are those of `telecine convert`.",
        allow_abbrev=False,
    )
    export.add_argument("run", type=Path, metavar="RUN", help="run folder, or a folder of them")
    export.add_argument("out", type=Path, metavar="OUT", help="dataset to make; must not exist")
    export.add_argument("--task", metavar="TEXT", help="the task (default: that of episode.json)")
    export.add_argument(
        "--fps", type=int, metavar="N", help="rows per second (default: what the recorder was asked for)"
    )
    return parser


def _problem(run: Path) -> str:
    """Why nothing can be a run there, "" where something can."""
    if not run.exists():
        return f"{run}: there is no such folder"
    if run.is_dir() and not any(next(run.rglob(name), None) for name in _FILES[:3]):
        there = [name for name in _FILES if (run / name).exists()]
        return (
            f"events.jsonl not found in {run}: a run of RoboSandbox's recorder has {', '.join(_FILES)}"
            + (f"; only {', '.join(there)} is there" if there else "; none of them is there")
        )  # fmt: skip
    return ""


def _told(words: list[str]) -> int:
    from telecine.cli.main import app

    try:
        app(words, prog_name="telecine")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
