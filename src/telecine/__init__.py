"""Turns robot recordings into training-ready LeRobot datasets: every row with the right frame.

The names below are the whole public interface of the package itself; they are loaded when first used, so that
`import telecine` costs nothing. Authors of formats also use `telecine.testing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from telecine._version import __version__

if TYPE_CHECKING:
    from telecine.conversion.pipeline import Options, convert
    from telecine.conversion.report import Report
    from telecine.core.errors import TelecineError
    from telecine.core.findings import Finding
    from telecine.core.plan.model import Plan, make_plan, parse_plan
    from telecine.core.recording import Recording, Ref
    from telecine.dataset.verify.verify import verify
    from telecine.inspection.compare import compare
    from telecine.inspection.recordings import inspect_many
    from telecine.recorder.recorder import Recorder

__all__ = [
    "Finding",
    "Options",
    "Plan",
    "Recorder",
    "Recording",
    "Ref",
    "Report",
    "TelecineError",
    "__version__",
    "compare",
    "convert",
    "inspect_many",
    "make_plan",
    "parse_plan",
    "verify",
]

_HOMES = {
    "Finding": "core.findings",
    "Options": "conversion.pipeline",
    "Plan": "core.plan.model",
    "Recorder": "recorder.recorder",
    "Recording": "core.recording",
    "Ref": "core.recording",
    "Report": "conversion.report",
    "TelecineError": "core.errors",
    "compare": "inspection.compare",
    "convert": "conversion.pipeline",
    "inspect_many": "inspection.recordings",
    "make_plan": "core.plan.model",
    "parse_plan": "core.plan.model",
    "verify": "dataset.verify.verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
