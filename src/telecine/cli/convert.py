"""`telecine convert`."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.next_steps import after_dataset, command, installing, recovering, show_steps, without_dry_run
from telecine.cli.screen.progress import Bar
from telecine.cli.screen.tables import console, print_json, show_forecast, show_report
from telecine.commands.convert import convert, cpu_seconds, dry_run
from telecine.core.errors import PlanError, SourceError
from telecine.core.text.numbers import counted
from telecine.lerobot_format.paths import INFO
from telecine.sources.registry import claimed

if TYPE_CHECKING:
    from rich.console import Console

    from telecine.conversion.dry_run import DryRun
    from telecine.conversion.report import Report


def _require_target(paths: list[str], out: Path, flags: dict[str, Any]) -> None:
    """Refuse recordings as the last argument: the dataset to make was forgotten. Raises: PlanError."""
    if not out.exists() or flags["overwrite"] or (out / INFO).is_file():
        return
    with suppress(SourceError):  # nothing in it is a recording
        if not any(not claim.problem for claim in claimed([out])):
            return
        words = command("telecine", "convert", *paths, out, "OUT")
        raise PlanError(f"{out} holds recordings, and the last argument is the dataset to make: {words}")


def run(
    paths: list[str], out: Path, *, plan: Path | None, forecast: bool, json: bool, flags: dict[str, Any]
) -> Outcome:
    """Done when nothing was rejected and the dataset is clean."""
    _require_target(paths, out, flags)
    if flags["task"] is not None:
        flags["task"] = {"from": flags["task"]}  # on the command line always a stream, whatever its name
    if forecast:
        made = replace(dry_run(paths, plan, **flags), looked_s=cpu_seconds())  # with starting up
        if json:
            print_json(made.to_dict())
        else:
            show_forecast(console(), made)
            _show_fits_none(console(), made, paths)
            if made.recordings:
                show_steps(console(), [*recovering(r.reason for r in made.rejected), *without_dry_run()])
        return Outcome(made.ok, made.all_findings, wrong=made.plan_is_wrong)
    if flags.get("engine"):
        return _by_engine(paths, out, plan, flags, json=json)
    with Bar(quiet=json) as bar:
        report = convert(paths, out, plan, progress=bar, **flags)
    if json:
        print_json(report.to_dict())
    else:
        text = console()
        show_report(text, report)
        reasons = [rejected.reason for rejected in report.rejected]
        steps = [*installing(reasons), *recovering(reasons, *(["--overwrite"] if report.episodes else []))]
        if flags.get("shard"):  # one part is no dataset yet
            steps.append(("which parts are missing", command("telecine", "finalize", out, "--dry-run")))
        elif report.episodes:
            steps += after_dataset(out, paths, recover=flags["recover"])
        show_steps(text, steps)
        _show_fits_none(text, report, paths)
    return Outcome(report.ok, report.all_findings, wrong=report.plan_is_wrong)


def _show_fits_none(out: "Console", made: "Report | DryRun", paths: list[str]) -> None:
    """What to do where no recording has what the plan asks for; nothing otherwise."""
    if made.plan_is_wrong:
        recordings = counted(len(made.rejected), "recording")
        out.print(f"\n[bold red]the plan fits none of {recordings}[/bold red]; nothing was written")
        show_steps(out, [("what they hold, and a plan that fits", command("telecine", "inspect", *paths))])


def _by_engine(paths: list[str], out: Path, plan: Path | None, flags: dict[str, Any], *, json: bool) -> Outcome:
    from telecine.cli.finalize import show_finalized  # it joins parts: modules that no other conversion needs

    with Bar(quiet=json, notes=True) as bar:
        made = convert(paths, out, plan, progress=bar, **flags)
    if json:
        print_json(made.to_dict())
    else:
        text = console()
        show_finalized(text, made, dry_run=False)
        if made.published:
            show_steps(text, after_dataset(out, paths))
    return Outcome(made.ok and not made.rejected, made.findings)
