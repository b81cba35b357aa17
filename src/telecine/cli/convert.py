"""`telecine convert`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from telecine.cli.exit_codes import Outcome
from telecine.cli.flags import PlanFlags, check_flags, lacks_fps, plan_of, wants_proposal
from telecine.cli.progress import Bar
from telecine.cli.tables import console, print_json, show_forecast, show_report
from telecine.conversion.discovery import nothing_readable
from telecine.conversion.pipeline import Options, convert
from telecine.conversion.report import Report
from telecine.core.accounting import NO_CHOICES, Choices
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.lerobot_format.paths import PLAN
from telecine.run.executor import Executor
from telecine.run.worker_count import Workers

if TYPE_CHECKING:  # loaded where they are used, since most conversions need neither
    from telecine.core.proposal.features import MissingAction
    from telecine.core.proposal.propose import Proposal
    from telecine.inspection.recordings import Inspection


def run(
    paths: list[str],
    out: Path,
    flags: PlanFlags,
    plan_file: Path | None,
    options: Options,
    *,
    missing_action: "MissingAction",
    dry_run: bool,
    json: bool,
) -> Outcome:
    """Done when nothing was rejected and the dataset is clean."""
    check_flags(flags)
    seen = None
    # Before the bar starts a thread.
    with Workers(options.workers, max_bytes=options.max_memory_bytes, timeout_s=options.timeout_s) as workers:
        if wants_proposal(flags, plan_file) or lacks_fps(flags, plan_file):
            seen = _inspected(paths, options, flags, missing_action, workers)
        plan = plan_of(flags, plan_file, None if seen is None else seen.proposal)
        proposal = None if seen is None or plan_file is not None else seen.proposal
        choices = NO_CHOICES if proposal is None else proposal.choices
        if dry_run:
            return _forecast(paths, plan, options, workers, choices, json=json)
        with Bar(quiet=json) as bar:
            report = convert(paths, out, plan, options, executor=workers, progress=bar, choices=choices)
    if seen is not None and proposal is not None:
        report = replace(report, findings=(*_proposal_findings(seen, proposal, report), *report.findings))
    if json:
        print_json(report.to_dict())
    else:
        show_report(console(), report)
    return Outcome(report.ok, report.all_findings)


def _forecast(
    paths: list[str], plan: Plan, options: Options, executor: Executor, choices: Choices, *, json: bool
) -> Outcome:
    from telecine.conversion.dry_run import dry_run

    made = dry_run(paths, plan, options, executor=executor, choices=choices)
    if json:
        print_json(made.to_dict())
    else:
        show_forecast(console(), made)
    return Outcome(made.ok, made.all_findings)


def _inspected(
    paths: list[str], options: Options, flags: PlanFlags, missing_action: "MissingAction", executor: Executor
) -> "Inspection":
    """What the recordings hold. Raises: SourceError with every reason when not one can be read."""
    from telecine.core.proposal.propose import propose
    from telecine.inspection.recordings import inspect_many

    proposing = partial(
        propose, task_text=flags.task_text, fps=flags.fps, rate=flags.rate, missing_action=missing_action
    )
    seen = inspect_many(paths, **options.access, executor=executor, proposing=proposing)
    if not seen.recordings:
        raise nothing_readable(paths, seen.findings)
    return seen


def _proposal_findings(seen: "Inspection", proposal: "Proposal", report: Report) -> Iterator[Finding]:
    """What was decided without being asked for, and what that left out because it cannot be read."""
    where = f"{report.root}/{PLAN}"
    yield Finding("plan-proposed", "info", where, "no plan was given, so it follows from the recordings")
    for guess in proposal.guesses:
        yield Finding("plan-proposed", "warning", where, guess)
    named = {r.recording for r in report.rejected}
    for finding in seen.findings:
        if finding.severity == "error" and not any(finding.where.startswith(label) for label in named):
            yield finding
