"""The pipeline, in one screen: find, open, place, code, write, verify.

A worker turns one reference into an episode or into the reason why not; one writer takes them in order.
"""

import errno
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from telecine import sources
from telecine.cameras import code, prepare
from telecine.core.bind import find_stream
from telecine.core.episode import Episode
from telecine.core.errors import DatasetError, SourceError, TelecineError
from telecine.core.findings import Finding
from telecine.core.plan import Plan
from telecine.core.recording import Recording, Ref
from telecine.core.video import Copy
from telecine.dataset.stage import workspace
from telecine.dataset.verify import verify as verify_dataset
from telecine.dataset.writer import DatasetWriter
from telecine.episodes import split_refs
from telecine.report import EpisodeReport, Rejected, Report, rejection
from telecine.run import Run, serial


class Progress(Protocol):
    """What a progress display is told; bytes are those of the sources."""

    def begin(self, total_bytes: int) -> None:
        """Before the first recording."""
        ...

    def advance(self, done_bytes: int, label: str) -> None:
        """After a part of a recording; parts of one recording add up to its size."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, total_bytes: int) -> None:
        """Ignored."""

    def advance(self, done_bytes: int, label: str) -> None:
        """Ignored."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert, as far as it does not change what comes out."""

    overwrite: bool = False
    recover: bool = False
    strict: bool = False
    """Stop at the first recording that is rejected, and write nothing."""
    verify: bool = True
    token: str | None = field(default=None, repr=False)


def convert(
    paths: Sequence[str | Path],
    root: str | Path,
    plan: Plan,
    options: Options = Options(),
    *,
    run: Run = serial,
    progress: Progress | None = None,
) -> Report:
    """Make the dataset `root` of all recordings at `paths`; recordings that cannot be used are in the report.

    The dataset appears complete or not at all.

    Raises: SourceError when there is nothing to read; DatasetError when the target exists or cannot be written.
    """
    began = time.monotonic()
    progress = progress or Silent()
    found = find(paths, options)
    parted = split_refs(found.refs, plan)
    plan = with_codecs(plan, parted.refs)
    rejected = [*(Rejected(f.where, f) for f in found.findings if f.severity == "error"), *parted.rejected]
    episodes: list[EpisodeReport] = []
    progress.begin(sum(r.size_bytes for r in parted.refs))
    with DatasetWriter.create(root, fps=plan.fps, robot_type=plan.robot_type, overwrite=options.overwrite) as writer:
        with _scratch(writer.root) as scratch:
            work = partial(build, plan=plan, scratch=scratch, progress=progress)
            refs = () if options.strict and rejected else parted.refs
            for outcome in _added(run(work, refs), writer):
                if isinstance(outcome, EpisodeReport):
                    episodes.append(outcome)
                    continue
                rejected.append(outcome)
                if options.strict:
                    break
        findings = [*(f for f in found.findings if f.severity != "error"), *parted.findings]
        if not episodes or (options.strict and rejected):
            findings.append(_nothing_written(root, strict=options.strict))
            episodes = []
        else:
            writer.commit(plan_yaml=plan.to_yaml())
    if episodes and options.verify:
        findings += verify_dataset(root)
    seconds = time.monotonic() - began
    digest = plan.digest()
    return Report(str(root), plan.fps, digest, tuple(episodes), tuple(rejected), tuple(findings), seconds)


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder for clips beside the target, on the same file system; what a killed run left there goes first."""
    folder = workspace(root) / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # a writer that gave up left the workspace to us; else it is not empty
            workspace(root).rmdir()


def find(paths: Sequence[str | Path], options: Options) -> sources.Found:
    """Every recording at `paths`. Raises: SourceError when there is none, with each file's reason as a note."""
    found = sources.find([str(p) for p in paths], recover=options.recover, token=options.token)
    if not found.refs:
        error = SourceError(f"no readable recording in {', '.join(map(str, paths))}")
        for finding in found.findings:
            error.add_note(str(finding))
        raise error
    return found


def with_codecs(plan: Plan, refs: Iterable[Ref]) -> Plan:
    """The plan with one codec per camera: the source's where the first usable recording can be copied.

    One dataset has one codec per camera, so it is settled before the first episode is made; all workers then agree.
    """
    if all(plan.video_of(f).codec for f in plan.features):
        return plan
    for ref in refs:
        try:
            with sources.open(ref) as recording:
                open_plan = _with_source_codecs(plan, recording)
                if open_plan == plan:
                    return plan
                cameras = prepare(recording, open_plan).cameras
        except TelecineError:
            continue  # the worker meets it again and reports it
        copied = {c.pick.feature.key for c in cameras if isinstance(c.decision, Copy)}
        kept = {f.key: f for f in open_plan.features if f.key in copied}
        return plan.model_copy(update={"features": tuple(kept.get(f.key, f) for f in plan.features)})
    return plan


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


Outcome = Episode | Rejected


def build(ref: Ref, *, plan: Plan, scratch: Path, progress: Progress) -> Outcome:
    """One recording as an episode, its clips in a folder of its own below `scratch`; or the reason why not.

    The border of a worker: no exception leaves it but those that stop the whole program.
    """
    told = 0

    def coded() -> None:
        nonlocal told
        part = ref.size_bytes // (cameras + 1)
        told += part
        progress.advance(part, ref.label)

    cameras = 0
    try:
        with sources.open(ref) as recording:
            prepared = prepare(recording, plan)
            cameras = len(prepared.cameras)
            folder = Path(tempfile.mkdtemp(dir=scratch))
            return code(prepared, plan, folder, coded)
    except TelecineError as error:
        if _disk_is_full(error):
            raise DatasetError(f"no space left: {scratch} cannot take the clips of {ref.label}") from error
        return rejection(error, ref)
    except Exception as error:  # noqa: BLE001  the border: an unknown failure costs one recording, with its name
        text = f"{type(error).__name__}: {error}"
        return Rejected(ref.label, Finding("convert-failed", "error", ref.label, text, "please report this as a bug"))
    finally:
        progress.advance(ref.size_bytes - told, ref.label)


def _disk_is_full(error: BaseException | None) -> bool:
    """True when a full disk or quota is behind the error: then every further recording would fail as well."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


def _added(outcomes: Iterable[Outcome], writer: DatasetWriter) -> Iterator[EpisodeReport | Rejected]:
    """Each outcome after the writer took it; its clips are gone then."""
    for outcome in outcomes:
        if isinstance(outcome, Rejected):
            yield outcome
            continue
        try:
            index = writer.add(outcome)
        except DatasetError as error:
            if writer.broken:
                raise
            yield rejection(error, outcome.ref)
            continue
        finally:
            for clip in outcome.clips:
                Path(clip.path).unlink(missing_ok=True)
        yield EpisodeReport.of(index, outcome)


def _nothing_written(root: str | Path, *, strict: bool) -> Finding:
    why = "--strict stops at the first rejected recording" if strict else "no recording was usable"
    return Finding(
        "convert-nothing", "error", str(root), f"no dataset was written: {why}", "see the rejected recordings"
    )
