"""Turns robot recordings into training-ready LeRobot datasets: every row with the right frame.

Everything that the command line does is a function here, with the command's name and words:

    import telecine as tc

    tc.inspect("recordings/")                  # what they hold, and a plan
    tc.convert("recordings/", "out")           # a LeRobot v3.0 dataset
    tc.verify("out", against="recordings/")
    tc.open_dataset("out")[3].frames("observation.images.front")

https://telecine-robotics.github.io/telecine/api/ lists all names. They are loaded when first used, so that `import
telecine` costs nothing. Authors of formats also use `telecine.testing`.
"""

from importlib import import_module

from telecine._version import __version__

TYPE_CHECKING = False  # type checkers take it for true; importing it takes longer than all the rest
if TYPE_CHECKING:
    from telecine.commands.convert import convert, dry_run
    from telecine.commands.demo import demo, record_sim
    from telecine.commands.edit import edit, merge
    from telecine.commands.inspect import inspect
    from telecine.commands.open_dataset import DatasetEpisode, OpenDataset, open_dataset
    from telecine.commands.push import Push, push
    from telecine.commands.repair import repair
    from telecine.commands.schema import schema
    from telecine.commands.shards import finalize
    from telecine.commands.verify import diff, verify
    from telecine.commands.view import View, view
    from telecine.conversion.dry_run import DryRun
    from telecine.conversion.pipeline import Options
    from telecine.conversion.report import Report
    from telecine.conversion.shards.finalize import Finalized
    from telecine.core.errors import AlignError, DatasetError, PlanError, SourceError, TelecineError, VideoError
    from telecine.core.findings import Finding, Findings
    from telecine.core.plan.model import Plan, make_plan, parse_plan
    from telecine.core.proposal.propose import Proposal
    from telecine.core.recording import Recording, Ref
    from telecine.editing.diff import DatasetDiff
    from telecine.editing.edit import EditReport
    from telecine.inspection.compare import compare
    from telecine.inspection.dataset_summary import DatasetSummary
    from telecine.inspection.recordings import Inspection, inspect_many
    from telecine.recorder.recorder import Recorder
    from telecine.recovery.repair import Repair

__all__ = [
    "AlignError",
    "DatasetDiff",
    "DatasetEpisode",
    "DatasetError",
    "DatasetSummary",
    "DryRun",
    "EditReport",
    "Finalized",
    "Finding",
    "Findings",
    "Inspection",
    "OpenDataset",
    "Options",
    "Plan",
    "PlanError",
    "Proposal",
    "Push",
    "Recorder",
    "Recording",
    "Ref",
    "Repair",
    "Report",
    "SourceError",
    "TelecineError",
    "VideoError",
    "View",
    "__version__",
    "compare",
    "convert",
    "demo",
    "diff",
    "dry_run",
    "edit",
    "finalize",
    "inspect",
    "inspect_many",
    "make_plan",
    "merge",
    "open_dataset",
    "parse_plan",
    "push",
    "record_sim",
    "repair",
    "schema",
    "verify",
    "view",
]

_HOMES = {
    "AlignError": "core.errors",
    "DatasetDiff": "editing.diff",
    "DatasetEpisode": "commands.open_dataset",
    "DatasetError": "core.errors",
    "DatasetSummary": "inspection.dataset_summary",
    "DryRun": "conversion.dry_run",
    "EditReport": "editing.edit",
    "Finalized": "conversion.shards.finalize",
    "Finding": "core.findings",
    "Findings": "core.findings",
    "Inspection": "inspection.recordings",
    "OpenDataset": "commands.open_dataset",
    "Options": "conversion.pipeline",
    "Plan": "core.plan.model",
    "PlanError": "core.errors",
    "Proposal": "core.proposal.propose",
    "Push": "commands.push",
    "Recorder": "recorder.recorder",
    "Recording": "core.recording",
    "Ref": "core.recording",
    "Repair": "recovery.repair",
    "Report": "conversion.report",
    "SourceError": "core.errors",
    "TelecineError": "core.errors",
    "VideoError": "core.errors",
    "View": "commands.view",
    "compare": "inspection.compare",
    "convert": "commands.convert",
    "demo": "commands.demo",
    "diff": "commands.verify",
    "dry_run": "commands.convert",
    "edit": "commands.edit",
    "finalize": "commands.shards",
    "inspect": "commands.inspect",
    "inspect_many": "inspection.recordings",
    "merge": "commands.edit",
    "make_plan": "core.plan.model",
    "open_dataset": "commands.open_dataset",
    "parse_plan": "core.plan.model",
    "push": "commands.push",
    "record_sim": "commands.demo",
    "repair": "commands.repair",
    "schema": "commands.schema",
    "verify": "commands.verify",
    "view": "commands.view",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    found.__module__ = __name__
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
