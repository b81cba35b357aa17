"""What the console commands of others have in common: convert recordings by a plan, and print what happened."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from telecine.conversion.discovery import ChosenEpisodes
from telecine.conversion.pipeline import Options, convert
from telecine.conversion.report import Report
from telecine.core.errors import PlanError, TelecineError
from telecine.core.plan.model import IMAGES, Plan
from telecine.core.text.numbers import counted

DEFAULT_NAME = "rrd_dataset"
DEFAULT_INDEX = "real_time"


@dataclass(frozen=True, slots=True)
class RecordingsInput:
    """A folder of recordings, or a dataset on a catalog server."""

    path: str | Path
    token: str | None = None


def folder_of(parser: argparse.ArgumentParser, folder: Path) -> RecordingsInput:
    """The folder, once it is known that it is one; else the program ends with 2."""
    if not folder.is_dir():
        parser.error(f"--rrd-dir {folder} is not a folder")
    return RecordingsInput(folder)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The flags by which all commands name recordings and the dataset."""
    add = parser.add_argument
    add("--dataset-name", metavar="NAME", help="what the summary calls the dataset (default: rrd_dataset)")
    add("--repo-id", metavar="OWNER/NAME", help="what the dataset is called on the Hub (default: the dataset name)")
    add("--segments", nargs="*", default=[], metavar="ID", help="recordings to convert, by id or file (default: all)")
    add("--max-segments", type=_positive, metavar="N", help="convert only the first N recordings")


def export_parser(prog: str, recordings: str, epilog: str) -> argparse.ArgumentParser:
    """The flags that the commands of Rerun's two examples share. recordings: what --rrd-dir may hold."""
    parser = argparse.ArgumentParser(
        prog=prog, description=f"Convert a folder of {recordings} to a LeRobot v3 dataset.", epilog=epilog,
        allow_abbrev=False,
    )  # fmt: skip
    add = parser.add_argument
    add("--rrd-dir", type=Path, required=True, metavar="DIR", help=f"folder with {recordings}")
    add("--output", type=Path, required=True, metavar="DIR", help="dataset to make; must not exist")
    add_selection(parser)
    add("--fps", type=int, required=True, help="rows per second")
    add("--index", default=DEFAULT_INDEX, metavar="TIMELINE", help="timeline to align on (default: real_time)")
    add_rate(parser)
    add("--action-names", type=names, metavar="A,B,...", help="names of the action's elements")
    add("--state-names", type=names, metavar="A,B,...", help="names of the state's elements")
    return parser


def add_rate(parser: argparse.ArgumentParser) -> None:
    """The flag that makes time of a timeline that counts."""
    parser.add_argument("--rate", metavar="R", help="counts per second, when --index counts steps instead of time")


def clock_of(timeline: str, rate: str | None) -> dict[str, str]:
    """The plan's clock."""
    return {"timeline": timeline} | ({} if rate is None else {"rate": rate})


def names(text: str) -> list[str]:
    """The elements of a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def name_of(flags: argparse.Namespace) -> str:
    """What the dataset is called."""
    return str(flags.repo_id or flags.dataset_name or DEFAULT_NAME)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def converted(
    parser: argparse.ArgumentParser,
    flags: argparse.Namespace,
    plan: Callable[[argparse.Namespace], Plan],
    source: RecordingsInput | None = None,
) -> int:
    """Convert `source`, by default `flags.rrd_dir`, to `flags.output` by the plan that the flags mean.

    Prints a summary. The exit code: 0 all well, 1 something was rejected; a wrong command line ends the program with 2.
    """
    if source is None:
        source = folder_of(parser, flags.rrd_dir)
    select = ChosenEpisodes(tuple(flags.segments), flags.max_segments)
    try:
        report = convert([source.path], flags.output, plan(flags), Options(token=source.token, select=select))
    except PlanError as error:
        parser.error(str(error))
    except TelecineError as error:
        _say([f"error: {error}", *(f"  {note}" for note in getattr(error, "__notes__", ()))])
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write("\n".join(_summary(name_of(flags), report)) + "\n")
    return 0 if report.ok else 1


def _summary(name: str, report: Report) -> list[str]:
    """What people want to know at the end, a line each."""
    lines = [
        f"{name}: {counted(len(report.episodes), 'episode')}, {counted(report.rows, 'row')} at {report.fps} "
        f"fps -> {report.root} "
        f"({report.seconds:.1f} s)"
    ]
    cameras: dict[str, list[str]] = {}
    for episode in report.episodes:
        for clip in episode.clips:
            what = "copied" if clip.copied else f"encoded ({clip.why})"
            cameras.setdefault(clip.key.removeprefix(IMAGES), []).append(f"{clip.codec} {what}")
    for key, done in cameras.items():
        kinds = ", ".join(f"{done.count(kind)} {kind}" for kind in dict.fromkeys(done))
        lines.append(f"  {key}: {kinds}")
    found = [f for e in report.episodes for f in e.findings] + list(report.findings)
    lines += [f"  {finding}" for finding in found if finding.severity != "info"]
    lines += [f"rejected {item.recording}: {item.reason.message}" for item in report.rejected]
    return lines


def _say(lines: Sequence[str]) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
