"""Which recordings there are, and which of them hold several episodes: what is known before work is handed out.

Files are read where an `Executor` works, so that one on which a library ends its process is a finding. Every
part of a recording is a reference of its own, so that parts are worked on, resumed and rejected like recordings.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from telecine.conversion.report import Rejected, rejection
from telecine.core.dataclass import dataclass
from telecine.core.errors import AlignError, SourceError, TelecineError
from telecine.core.findings import Finding, with_notes
from telecine.core.plan.model import Plan
from telecine.core.recording import Part, Ref
from telecine.core.resample.split import EpisodeSplit, spans_of, split
from telecine.core.text.addresses import is_stored
from telecine.core.text.documents import suggest
from telecine.core.text.numbers import counted, counted_of
from telecine.run.executor import Executor, Lost, Tell, serial, silent
from telecine.run.worker_count import Workers
from telecine.sources import registry
from telecine.sources.part_cache import opened
from telecine.sources.registry import Claim, Found

_MANY = 64
"""Files up to which looking into them is done before another process would be ready."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """The units of work: one reference per episode, and the findings on the way."""

    refs: tuple[Ref, ...]
    findings: tuple[Finding, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    folders: tuple[str, ...] = ()
    """Where recordings lie."""

    @property
    def size_bytes(self) -> int:
        """Of all recordings together."""
        return sum(ref.size_bytes for ref in self.refs)


@dataclass(frozen=True, slots=True)
class ChosenEpisodes:
    """Which of the recordings found are converted; all by default."""

    names: tuple[str, ...] = ()
    """Ids, or names of files."""
    most: int | None = None
    """Only the first so many of them."""

    def of(self, refs: Sequence[Ref]) -> tuple[Ref, ...]:
        """Those of `refs` that are meant, in their order. Raises: SourceError for a name that none of them has."""
        known = {name for ref in refs for name in ref.names}
        unknown = [f"{name!r}{suggest(name, known)}" for name in self.names if name not in known]
        if unknown:
            raise SourceError(f"no recording is called {', '.join(unknown)}; there are {len(refs)}")
        asked = set(self.names)
        return tuple(ref for ref in refs if not asked or asked.intersection(ref.names))[: self.most]


EVERYTHING = ChosenEpisodes()


def discover(
    paths: Sequence[str | Path],
    plan: Plan,
    *,
    recover: bool,
    token: str | None,
    follow_links: bool = False,
    select: ChosenEpisodes = EVERYTHING,
    claims: Sequence[Claim] | None = None,
    executor: Executor = serial,
) -> Episodes:
    """Every episode at `paths` as the plan divides recordings. Raises: SourceError when there is no recording.

    claims: what `registry.claimed` said of these paths, where it was asked before.
    """
    found = find(paths, recover=recover, token=token, follow_links=follow_links, claims=claims, executor=executor)
    misnamed = tuple(_misnamed_spans(found.refs, plan))
    found = replace(found, refs=select.of(found.refs))
    parted = split_refs(found.refs, plan, executor)
    unreadable = tuple(Rejected(f.where, f) for f in found.findings if f.severity == "error")
    noticed = tuple(f for f in found.findings if f.severity != "error")
    return Episodes(
        parted.refs, (*noticed, *misnamed, *parted.findings), (*unreadable, *parted.rejected), tuple(_folders(found))
    )


def _folders(found: Found) -> Iterator[str]:
    for path in (*(ref.path for ref in found.refs), *(finding.where for finding in found.findings)):
        if "://" not in path:
            yield str(Path(path).parent)


def find(
    paths: Sequence[str | Path],
    *,
    recover: bool = False,
    token: str | None = None,
    follow_links: bool = False,
    claims: Sequence[Claim] | None = None,
    executor: Executor = serial,
) -> Found:
    """Every recording at `paths`. Raises: SourceError when there is none, with each file's reason as a note."""
    found = find_all(paths, recover=recover, token=token, follow_links=follow_links, claims=claims, executor=executor)
    if not found.refs:
        raise nothing_readable(paths, found.findings)
    return found


def find_all(
    paths: Sequence[str | Path],
    *,
    recover: bool,
    token: str | None,
    follow_links: bool = False,
    claims: Sequence[Claim] | None = None,
    executor: Executor = serial,
) -> Found:
    """`registry.find`, each file indexed where `executor` works; unreadable files alone are no error here.

    Many files are shared out among as many processes as they deserve.
    """
    work = partial(_indexed, recover=recover, token=token)
    claims = registry.claimed(paths, follow_links=follow_links) if claims is None else claims
    if isinstance(executor, Workers) and len(claims) > _MANY:
        executor.grow(len(claims), sum(claim.size_bytes for claim in claims), safely=False)
    found = registry.joined(paths, map(_found, executor(work, claims, silent)))
    return registry.with_layers(found, map(_joined, executor(_join, registry.layered(found), silent)))


def nothing_readable(paths: Iterable[str | Path], findings: Iterable[Finding]) -> SourceError:
    """The error for paths without one readable recording, each reason a note."""
    return with_notes(SourceError(f"no readable recording in {', '.join(map(str, paths))}"), findings)


def _indexed(claim: Claim, tell: Tell, *, recover: bool, token: str | None) -> Found:
    del tell
    found = registry.index(claim, recover=recover, token=token)
    return _judged(found, claim.path) if claim.format == "lerobot" and not is_stored(claim.path) else found


def _judged(found: Found, path: str) -> Found:
    """What `telecine verify` says of a dataset's metadata, too: an error where that is why nothing can be read."""
    from telecine.dataset.verify.verify import metadata_errors_at  # most recordings are no datasets

    said = [replace(finding, severity="warning", recording=path) for finding in metadata_errors_at(path)]
    if found.refs or not said:
        return replace(found, findings=(*found.findings, *said))
    return Found((), (replace(said[0], severity="error"), *said[1:]))


def _join(refs: Sequence[Ref], tell: Tell) -> Found:
    del tell
    return registry.join(refs)


def _joined(answer: Found | Lost) -> Found:
    return Found((), (registry.unreadable(answer.item[0].path, answer.why),)) if isinstance(answer, Lost) else answer


def _found(answer: Found | Lost) -> Found:
    return Found((), (registry.unreadable(answer.item.path, answer.why),)) if isinstance(answer, Lost) else answer


def crashed(lost: Lost) -> Rejected:
    """A recording on which a process died, twice."""
    label = lost.item.label
    fix = "check the file; if other programs read it, please report this as a bug"
    return Rejected(label, Finding("convert-crashed", "error", label, lost.why, fix, recording=label))


def split_refs(refs: Iterable[Ref], plan: Plan, executor: Executor = serial) -> Episodes:
    """`refs` with those that `plan.split` divides replaced by their parts; all of them as they are without it."""
    if plan.split is None:
        return Episodes(tuple(refs))
    refs, spanless = _spanned(refs, plan)
    answers = [
        Episodes((), rejected=(crashed(answer),)) if isinstance(answer, Lost) else answer
        for answer in executor(partial(_split, plan=plan), refs, silent)
    ]
    return Episodes(
        tuple(ref for a in answers for ref in a.refs),
        (*spanless, *(finding for a in answers for finding in a.findings)),
        tuple(rejected for a in answers for rejected in a.rejected),
    )


def _spanned(refs: Iterable[Ref], plan: Plan) -> tuple[tuple[Ref, ...], tuple[Finding, ...]]:
    """The recordings that are to be split, and a word on those that have no span: they are left out on purpose."""
    refs = tuple(refs)
    spans = plan.split.spans if plan.split else None
    if spans is None:
        return refs, ()
    staying = tuple(ref for ref in refs if spans_of(spans, ref))
    names = [ref.label.rpartition("/")[2] for ref in refs if not spans_of(spans, ref)]
    if not names:
        return refs, ()
    few = ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
    text = f"{counted_of(len(names), len(refs), 'recording', 'has', 'have')} no span, left out: {few}"
    fix = "give it a line in the table of spans, if it belongs into the dataset"
    return staying, (Finding("split-none", "info" if staying else "error", "plan", text, fix),)


def _misnamed_spans(refs: Sequence[Ref], plan: Plan) -> Iterator[Finding]:
    """Spans of a recording that is not there."""
    known = {name for ref in refs for name in ref.names}
    asked = dict.fromkeys(span.recording for span in (plan.split and plan.split.spans) or ())
    for name in asked:
        if name is not None and name not in known:
            text = f"a span names the recording {name!r}, which is not there{suggest(name, known)}"
            yield Finding("split-none", "error", "plan", text, "correct its name, or add the recording")


def _split(ref: Ref, tell: Tell, *, plan: Plan) -> Episodes:
    del tell
    try:
        with opened(ref, parts=True) as recording:
            cut = split(recording, plan)
    except AlignError as error:
        text = str(error).removeprefix(f"{ref.label}: ")
        reason = Finding("split-none", "error", ref.label, text, recording=ref.label)
        return Episodes((), rejected=(Rejected(ref.label, reason),))
    except TelecineError as error:
        return Episodes((), rejected=(rejection(error, ref),))
    size = ref.size_bytes // max(len(cut.parts), 1)
    parts = tuple(replace(ref, part=part, size_bytes=size) for part in cut.parts)
    return Episodes(parts, tuple(_split_findings(cut, ref)))


def _split_findings(cut: EpisodeSplit, ref: Ref) -> list[Finding]:
    origin = min(p.start_ns for p in (*cut.parts, *cut.short))
    made = f"{counted(len(cut.parts), 'episode')}" + (f": {_listed(cut.parts, origin)}" if cut.parts else "")
    found = [Finding("split-parts", "info", ref.label, made, recording=ref.label)]
    if cut.short:
        text = (
            f"{counted(len(cut.short), 'span is', 'spans are')} shorter than `split.shortest` and left out: "
            f"{_listed(cut.short, origin)}"
        )
        fix = "lower `shortest` to include them"
        found.append(Finding("split-short", "warning", ref.label, text, fix, recording=ref.label))
    return found


_LISTED = 8


def _listed(parts: Sequence[Part], origin: int) -> str:
    """Spans in seconds from the start of the first."""
    spans = [f"{(p.start_ns - origin) / 1e9:.3f} to {(p.stop_ns - origin) / 1e9:.3f} s" for p in parts[:_LISTED]]
    return ", ".join(spans) + (f" and {len(parts) - _LISTED} more" if len(parts) > _LISTED else "")
