"""What is done for one recording, in whatever process: an episode on disk, or the reason why not.

Imports no writer and no verification, so that a worker process is soon ready.
"""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from telecine.conversion import checkpoint
from telecine.conversion.cameras import code, prepare
from telecine.conversion.report import Rejected, rejection
from telecine.core.copying.splice import Splice
from telecine.core.episode import Episode
from telecine.core.errors import DatasetError, TelecineError
from telecine.core.findings import Finding
from telecine.core.plan.bind import find_stream
from telecine.core.plan.model import Plan
from telecine.core.recording import Recording, Ref
from telecine.run.executor import Tell
from telecine.sources.shared import fingerprint
from telecine.sources.shared.part_cache import opened


@dataclass(frozen=True, slots=True)
class Made:
    """A finished episode at `place`; `taken_up` when an earlier run had made it."""

    ref: Ref
    place: Path
    taken_up: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A recording that is in the dataset already."""

    ref: Ref


Outcome = Made | Known | Rejected
Origin = tuple[str, str, int]
"""(digest of the files, recording id, first tick in ns): where an episode came from."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Where a worker works: unfinished episodes in `scratch`, finished ones on `shelf` (see kept.py)."""

    scratch: Path
    shelf: Path
    sync: bool = True
    """Wait for the disk after each episode, so that it survives a power cut."""
    known: frozenset[Origin] = frozenset()
    """The episodes of the dataset that others are added to."""


def build(ref: Ref, tell: Tell, *, plan: Plan, bench: WorkerContext) -> Outcome:
    """One recording as a finished episode, made now or by an earlier run; or the reason why not.

    The border of a worker: no exception leaves it but those that stop the whole program.
    """
    told = 0

    def coded(part: int) -> None:
        nonlocal told
        told += part
        tell(part, ref.label)

    try:
        return _made(ref, plan, bench, coded)
    except TelecineError as error:
        problem = _disk_problem(error, bench.scratch)
        if problem:
            raise DatasetError(f"{problem}: {bench.scratch} cannot take the episode of {ref.label}: {error}") from error
        return rejection(error, ref)
    except Exception as error:  # noqa: BLE001  the border: an unknown failure costs one recording, with its name
        text = f"{type(error).__name__}: {error}"
        return Rejected(ref.label, Finding("convert-failed", "error", ref.label, text, "please report this as a bug"))
    finally:
        tell(ref.size_bytes - told, ref.label)


def _made(ref: Ref, plan: Plan, bench: WorkerContext, coded: Callable[[int], None]) -> Made | Known:
    before = fingerprint.stamp(ref.path)
    digest = None if before is None else fingerprint.digest(before)
    place = None if digest is None else checkpoint.path_of(ref, digest, bench.shelf)
    if ref.part is None and (digest, ref.id) in {origin[:2] for origin in bench.known}:
        if place is not None:  # of a run that was killed just after it had published it
            shutil.rmtree(place, ignore_errors=True)
        return Known(ref)
    if place is not None and checkpoint.is_there(place):
        return Made(ref, place, taken_up=True)
    with checkpoint.unfinished(bench.scratch) as folder:
        with opened(ref) as recording:
            prepared = prepare(recording, plan)
            if (digest, ref.id, prepared.placed.grid.start_ns) in bench.known:
                folder.rmdir()
                return Known(ref)
            part = ref.size_bytes // (len(prepared.cameras) + 1)
            episode = code(prepared, plan, folder, lambda: coded(part))
        episode = replace(episode, plan_digest=plan.digest())
        if fingerprint.stamp(ref.path) == before:
            episode = replace(episode, source_digest=digest)
        else:
            episode, place = _of_a_moving_source(episode), None
        return Made(ref, checkpoint.save(episode, folder, place, sync=bench.sync))


def _of_a_moving_source(episode: Episode) -> Episode:
    """The episode, not to be known again, because nobody knows what the files held when they were read."""
    text = "the file changed while it was read; what was read is in the dataset"
    note = Finding("source-changed", "warning", episode.ref.label, text, "convert it again when its recorder is done")
    return replace(episode, findings=(*episode.findings, note))


def _disk_problem(error: BaseException, scratch: Path) -> str:
    """What is wrong with the disk below `scratch`, if that is behind the error: every further recording would fail."""
    ours = str(scratch) in str(error)  # a disk can fail under a recording as well, and that costs one recording
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT):
            return "no space left"
        if ours and isinstance(cause, OSError):
            return "writing failed"
        cause = cause.__cause__
    return ""


def choose_codecs(ref: Ref, tell: Tell, *, plan: Plan) -> Plan | None:
    """The plan with the codecs of this recording's cameras where they can be copied; None when it is not usable."""
    del tell
    try:
        with opened(ref) as recording:
            open_plan = _with_source_codecs(plan, recording)
            if open_plan == plan:
                return plan
            cameras = prepare(recording, open_plan).cameras
    except TelecineError:
        return None  # `build` meets it again and reports it
    copied = {c.pick.feature.key for c in cameras if isinstance(c.decision, Splice)}
    found = {f.key: f for f in open_plan.features if f.key in copied}
    return plan.model_copy(update={"features": tuple(found.get(f.key, f) for f in plan.features)})


def _with_source_codecs(plan: Plan, recording: Recording) -> Plan:
    """The plan as if every video stream could be copied: presets that name no codec of their own take the source's."""
    features = []
    for f in plan.features:
        video, stream = plan.video_of(f), find_stream(f.sources[0].stream, recording.streams)
        is_open = video.codec is None and video.preset == "train" and video.copy_policy != "never"
        # Only planned cameras are asked: a schema can mean reading the stream.
        if is_open and not isinstance(stream, str) and stream.kind == "video" and stream.schema.encoding != "h264":
            f = f.model_copy(update={"video": video.model_copy(update={"codec": stream.schema.encoding})})
        features.append(f)
    return plan.model_copy(update={"features": tuple(features)})
