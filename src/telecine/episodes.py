"""Which recordings hold several episodes: the plan's `split` applied before work is handed out.

Every part is a reference of its own, so that parts of one long recording are worked on, resumed and rejected like
recordings of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from telecine import sources
from telecine.core.errors import AlignError, TelecineError
from telecine.core.findings import Finding
from telecine.core.plan import Plan
from telecine.core.recording import Part, Ref
from telecine.core.split import Cut, split
from telecine.report import Rejected, rejection


@dataclass(frozen=True, slots=True)
class Episodes:
    """The units of work: one reference per episode, and what was said on the way."""

    refs: tuple[Ref, ...]
    findings: tuple[Finding, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def split_refs(refs: Sequence[Ref], plan: Plan) -> Episodes:
    """`refs` with those that `plan.split` divides replaced by their parts; all of them as they are without it."""
    if plan.split is None:
        return Episodes(tuple(refs))
    parts: list[Ref] = []
    findings: list[Finding] = []
    rejected: list[Rejected] = []
    for ref in refs:
        try:
            with sources.open(ref) as recording:
                cut = split(recording, plan)
        except AlignError as error:
            text = str(error).removeprefix(f"{ref.label}: ")
            rejected.append(Rejected(ref.label, Finding("split-none", "error", ref.label, text)))
        except TelecineError as error:
            rejected.append(rejection(error, ref))
        else:
            size = ref.size_bytes // max(len(cut.parts), 1)
            parts += [replace(ref, part=part, size_bytes=size) for part in cut.parts]
            findings += _told(cut, ref)
    return Episodes(tuple(parts), tuple(findings), tuple(rejected))


def _told(cut: Cut, ref: Ref) -> list[Finding]:
    origin = min(p.start_ns for p in (*cut.parts, *cut.short))
    kept = f"{len(cut.parts)} episodes" + (f": {_listed(cut.parts, origin)}" if cut.parts else "")
    found = [Finding("split-parts", "info", ref.label, kept)]
    if cut.short:
        text = f"{len(cut.short)} spans are shorter than `split.shortest` and left out: {_listed(cut.short, origin)}"
        found.append(Finding("split-short", "warning", ref.label, text, "lower `shortest` to keep them"))
    return found


_LISTED = 8


def _listed(parts: Sequence[Part], origin: int) -> str:
    """Spans in seconds from the start of the first."""
    told = [f"{(p.start_ns - origin) / 1e9:.3f} to {(p.stop_ns - origin) / 1e9:.3f} s" for p in parts[:_LISTED]]
    return ", ".join(told) + (f" and {len(parts) - _LISTED} more" if len(parts) > _LISTED else "")
