"""What is done for one recording, in whatever process: an episode on disk, or the reason why not.

Imports no writer and no verification, so that a worker process is soon ready.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from telecine.conversion import checkpoint
from telecine.conversion.cameras import code, prepare
from telecine.conversion.frame_check import check_frames
from telecine.conversion.report import Rejected, rejection
from telecine.core.accounting import account
from telecine.core.dataclass import dataclass
from telecine.core.episode import Episode, recording_name
from telecine.core.episode_filter import why_not, why_not_before
from telecine.core.errors import DatasetError, TelecineError, disk_problem
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.core.recording import Recording, Ref
from telecine.run.executor import Tell
from telecine.sources.part_cache import hold, opened
from telecine.sources.shared import fingerprint


@dataclass(frozen=True, slots=True)
class Made:
    """A finished episode in `folder`; `taken_up` when an earlier run had made it."""

    ref: Ref
    folder: Path
    taken_up: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A recording that is in the dataset already."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class NotWanted:
    """A recording that `--where` leaves out, and why."""

    ref: Ref
    why: str


Outcome = Made | Known | NotWanted | Rejected
Origin = tuple[str, str, int]
"""(digest of the files, recording id, first tick in ns): where an episode came from."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Where a worker works: unfinished episodes in `scratch`, finished ones in `cache_dir` (see checkpoint.py)."""

    scratch: Path
    cache_dir: Path
    sync: bool = True
    """Wait for the disk after each episode, so that it survives a power cut."""
    known: frozenset[Origin] = frozenset()
    """The episodes of the dataset that others are added to."""
    where: str | None = None
    """What has to hold for an episode (core/episode_filter.py)."""


def build(ref: Ref, tell: Tell, *, plan: Plan, context: WorkerContext) -> Outcome:
    """One recording as a finished episode, made now or by an earlier run; or the reason why not.

    The border of a worker: no exception leaves it but those that stop the whole program.
    """
    reported = 0

    def coded(part: int) -> None:
        nonlocal reported
        reported += part
        tell(part, ref.label)

    try:
        return _made(ref, plan, context, coded)
    except Exception as error:
        problem = disk_problem(error, str(context.scratch))
        if problem:
            raise DatasetError(
                f"{problem}: {context.scratch} cannot take the episode of {ref.label}: {error}"
            ) from error
        if isinstance(error, TelecineError):
            return rejection(error, ref)
        text = f"{type(error).__name__}: {error}"
        fix = "please report this as a bug"
        return Rejected(ref.label, Finding("convert-failed", "error", ref.label, text, fix, recording=ref.label))
    finally:
        tell(ref.size_bytes - reported, ref.label)


def _made(ref: Ref, plan: Plan, context: WorkerContext, coded: Callable[[int], None]) -> Made | Known | NotWanted:
    hold(ref)
    before = fingerprint.stamp_of(ref)
    digest = None if before is None else fingerprint.digest(before)
    target = None if digest is None else checkpoint.path_of(ref, digest, context.cache_dir)
    is_held = (digest, ref.id) in _files_and_ids(context.known)
    if ref.part is None and is_held:
        if target is not None:  # of a run that was killed just after it had published it
            shutil.rmtree(target, ignore_errors=True)
        return Known(ref)
    if target is not None and checkpoint.is_there(target):
        return Made(ref, target, taken_up=True)
    with checkpoint.unfinished(context.scratch) as folder:
        with opened(ref) as recording:
            if not is_held and (why := not_wanted_before(context.where, recording)):
                folder.rmdir()
                return NotWanted(ref, why)
            prepared = prepare(recording, plan)
            if (digest, ref.id, prepared.resampled.grid.start_ns) in context.known:
                folder.rmdir()
                return Known(ref)
            if why := not_wanted(context.where, prepared.resampled.with_clips((), ()), ref):
                folder.rmdir()
                return NotWanted(ref, why)
            part = ref.size_bytes * 19 // (20 * max(len(prepared.cameras), 1))  # what is left is told at the end
            episode = code(prepared, plan, folder, lambda share: coded(int(part * share)))
            check_frames(recording, prepared.cameras, episode.clips)
            left_out = account(recording, plan).left_out
        episode = replace(episode, plan_digest=plan.digest(), left_out=left_out)
        if fingerprint.stamp_of(ref) == before:
            episode = replace(episode, source_digest=digest)
        else:
            episode, target = _of_a_changing_source(episode), None
        return Made(ref, checkpoint.save(episode, folder, target, sync=context.sync))


@lru_cache(maxsize=1)
def _files_and_ids(known: frozenset[Origin]) -> frozenset[tuple[str, str]]:
    """The first two of each origin, made once for all recordings of a run."""
    return frozenset(origin[:2] for origin in known)


def not_wanted(where: str | None, episode: Episode, ref: Ref) -> str | None:
    """Why `where` does not hold for the episode of `ref`, None where it does or nothing is asked. Raises: PlanError."""
    return None if where is None else why_not(where, episode, recording_name(ref))


def not_wanted_before(where: str | None, recording: Recording) -> str | None:
    """As `not_wanted`, before alignment; None where it cannot be said yet. Raises: PlanError."""
    return None if where is None else why_not_before(where, recording)


def _of_a_changing_source(episode: Episode) -> Episode:
    """The episode, not to be known again, because nobody knows what the files held when they were read."""
    text = "the file changed while it was read; what was read is in the dataset"
    note = Finding("source-changed", "warning", episode.ref.label, text, "convert it again when its recorder is done")
    return replace(episode, findings=(*episode.findings, note))
