"""What the console commands of others have in common: convert a folder by a plan, say what happened."""

import argparse
import sys
from collections.abc import Callable, Sequence

from telecine.conversion.pipeline import convert
from telecine.conversion.report import Report
from telecine.core.errors import PlanError, TelecineError
from telecine.core.plan.model import IMAGES, Plan


def converted(
    parser: argparse.ArgumentParser, flags: argparse.Namespace, plan: Callable[[argparse.Namespace], Plan]
) -> int:
    """Convert `flags.rrd_dir` to `flags.output` by the plan that the flags mean, and print a summary.

    The exit code: 0 all well, 1 something was rejected; a wrong command line ends the program with 2.
    """
    if not flags.rrd_dir.is_dir():
        parser.error(f"--rrd-dir {flags.rrd_dir} is not a folder")
    try:
        report = convert([flags.rrd_dir], flags.output, plan(flags))
    except PlanError as error:
        parser.error(str(error))
    except TelecineError as error:
        _say([f"error: {error}", *(f"  {note}" for note in getattr(error, "__notes__", ()))])
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write("\n".join(_summary(flags.dataset_name, report)) + "\n")
    return 0 if report.ok else 1


def _summary(name: str, report: Report) -> list[str]:
    """What people want to know at the end, a line each."""
    lines = [
        f"{name}: {len(report.episodes)} episodes, {report.rows} rows at {report.fps} fps -> {report.root} "
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
