"""The pipeline, in one screen: find, open, place, code, write, verify.

A worker (work.py) turns one reference into a finished episode on disk or into the reason why not; one writer takes
them in order. Finished episodes stay until the dataset is there, so that the next run can take up an interrupted one.
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from telecine.conversion import checkpoint
from telecine.conversion.discovery import crashed, find_all, split_refs
from telecine.conversion.report import EpisodeReport, Rejected, Report, lasting, rejection
from telecine.conversion.worker import Known, Made, Outcome, WorkerContext, build, choose_codecs
from telecine.core.errors import DatasetError, SourceError, VideoError
from telecine.core.findings import Finding, has_errors
from telecine.core.plan.model import Plan
from telecine.core.progress import Progress, Silent
from telecine.core.recording import Ref
from telecine.dataset.existing import ExistingDataset
from telecine.dataset.staging import Staging, workspace
from telecine.dataset.v2_writer import write_v2
from telecine.dataset.verify.verify import verify as verify_dataset
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import PLAN
from telecine.run.executor import Executor, Lost, Marked, serial, silent
from telecine.run.worker_count import is_small, reader_pool, work_pool
from telecine.sources import registry
from telecine.sources.shared.part_cache import none_left_open

Runs = tuple[Executor, Executor | None]
"""What looks into files first, and what the caller wants to have the work done by."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert, as far as it does not change what comes out."""

    overwrite: bool = False
    append: bool = False
    """Add the recordings to the dataset that is there; those it holds already are left out."""
    recover: bool = False
    strict: bool = False
    """Stop at the first recording that is rejected, and write nothing."""
    verify: bool = True
    token: str | None = field(default=None, repr=False)
    workers: int | None = None
    """Processes that read recordings; 0: none but this one; None: as many as cores and memory allow, or none that has
    to be started if the work is small (run/worker_count.py). The dataset is the same, byte for byte."""
    max_memory_bytes: int | None = None
    """What this process and its workers may take together."""
    resume: bool = True
    """Keep finished episodes until the dataset is there and take up those of an interrupted run; else the disk holds
    every episode once instead of twice."""


def convert(
    paths: Sequence[str | Path],
    root: str | Path,
    plan: Plan,
    options: Options = Options(),
    *,
    run: Executor | None = None,
    progress: Progress | None = None,
    reader: Executor | None = None,
) -> Report:
    """Make the dataset `root` of all recordings at `paths`; recordings that cannot be used are in the report.

    The dataset appears complete or not at all. `run` overrides what `options` say of workers. `reader`: of
    `run.choose.reading`, for who has used it before; it goes on with the work.

    Raises: SourceError when there is nothing to read; DatasetError when the target exists or cannot be written.
    """
    given = reader or (serial if run else None)
    with nullcontext(given) if given else reader_pool(options.workers, options.max_memory_bytes) as reader:
        if plan.layout == "v3.0":
            return _convert(paths, root, plan, options, (reader, run), progress or Silent())
        return _by_way_of_v3(paths, root, plan, options, (reader, run), progress or Silent())


@none_left_open()
def _convert(
    paths: Sequence[str | Path], root: str | Path, plan: Plan, options: Options, runs: Runs, progress: Progress
) -> Report:
    began = time.monotonic()
    reader = runs[0]
    found = find(paths, options, reader)
    parted = split_refs(found.refs, plan, reader)
    rejected = [*(Rejected(f.where, f) for f in found.findings if f.severity == "error"), *parted.rejected]
    findings = [*(f for f in found.findings if f.severity != "error"), *parted.findings]
    progress.begin(sum(r.size_bytes for r in parted.refs))
    with _writer(root, plan, options) as writer:
        refs = () if options.strict and rejected else parted.refs
        with _left_behind(writer.scratch), _run(runs, options, refs, writer.scratch, findings) as mapped:
            plan = with_codecs(_with_codecs_there(plan, writer.published), refs, mapped)
            bench, leftover = _bench(
                writer, plan, options, sync=not is_small(len(refs), sum(r.size_bytes for r in refs))
            )
            work = partial(build, plan=plan, bench=bench)
            outcomes = _added(mapped(work, refs, progress.advance), writer, options)
            episodes, known, taken_up = _collected(outcomes, rejected, strict=options.strict)
            findings += _earlier_runs(root, taken_up, leftover, known)
            if not episodes or (options.strict and rejected):
                findings += _nothing_written(root, rejected, len(episodes), strict=options.strict)
                episodes = []
            report = Report(
                str(root), plan.fps, plan.digest(), tuple(episodes), tuple(rejected), tuple(findings), 0, tuple(known)
            )
            if episodes:
                folders = (*_folders(found), str(writer.scratch))
                writer.commit(plan_yaml=plan.to_yaml(), report=lasting(report, folders))
    checked = verify_dataset(root) if episodes and options.verify else []
    return replace(report, findings=(*findings, *checked), seconds=time.monotonic() - began)


def _collected(
    outcomes: Iterable[tuple[EpisodeReport | Known | Rejected, bool]], rejected: list[Rejected], *, strict: bool
) -> tuple[list[EpisodeReport], list[str], int]:
    """(episodes, labels of those that were there before, how many an earlier run had made); adds to `rejected`."""
    episodes: list[EpisodeReport] = []
    known: list[str] = []
    taken_up = 0
    for outcome, was_there in outcomes:
        taken_up += was_there
        if isinstance(outcome, EpisodeReport):
            episodes.append(outcome)
        elif isinstance(outcome, Known):
            known.append(outcome.ref.label)
        else:
            rejected.append(outcome)
            if strict:
                break
    return episodes, known, taken_up


def _folders(found: registry.Found) -> Iterator[str]:
    """The folders that recordings lie in."""
    for path in (*(ref.path for ref in found.refs), *(finding.where for finding in found.findings)):
        if "://" not in path:
            yield str(Path(path).parent)


def _by_way_of_v3(
    paths: Sequence[str | Path], root: str | Path, plan: Plan, options: Options, runs: Runs, progress: Progress
) -> Report:
    """A dataset of an older layout: of the v3.0 dataset that is made and verified beside the target, then goes."""
    if options.append:
        raise DatasetError(f"{root}: episodes are added to v3.0 datasets only; convert all to {plan.layout} again")
    assert plan.layout != "v3.0"
    target = Path(root).resolve()
    with closing(Staging(target, overwrite=options.overwrite)) as stage:
        between = workspace(target) / "v3.0"
        inner = replace(options, overwrite=True)
        report = _convert(paths, between, plan.model_copy(update={"layout": "v3.0"}), inner, runs, progress)
        if report.episodes and not has_errors(report.findings):
            try:
                write_v2(between, stage.folder, plan.layout, scratch=stage.scratch)
                (stage.folder / PLAN).write_text(plan.to_yaml(), encoding="utf-8")
                stage.publish()
            except OSError as error:
                raise DatasetError(f"{target}: cannot be written: {error}") from error
        shutil.rmtree(between, ignore_errors=True)
    return replace(report, root=str(root), plan_digest=plan.digest())


@contextmanager
def _run(
    runs: Runs, options: Options, refs: Sequence[Ref], scratch: Path, findings: list[Finding]
) -> Iterator[Executor]:
    """What maps the work; a finding when the last run died while it read something in its own process."""
    mark = Marked(scratch / checkpoint.READING)
    crashed = mark.found()
    if crashed:
        text = "the last run died while it read this; recordings are now read in processes of their own"
        findings.append(Finding("convert-crashed", "warning", crashed, text))
    reader, run = runs
    if run is not None:
        yield run
        return
    total, safely = sum(r.size_bytes for r in refs), bool(crashed)
    limits = (options.workers, options.max_memory_bytes)
    with work_pool(reader, len(refs), total, workers=limits[0], max_bytes=limits[1], safely=safely) as mapped:
        yield mark if mapped is serial else mapped


@contextmanager
def _left_behind(scratch: Path) -> Iterator[None]:
    """Leaves finished episodes where they are when the work is interrupted, says so, and removes the rest."""
    try:
        yield
    except BaseException as error:
        count, size = checkpoint.count(scratch)
        if count:
            error.add_note(
                f"{count} finished episodes ({size >> 20} MiB) stay in {scratch.parent}; the same command takes them "
                "up, and removing that folder gives up on them"
            )
        else:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    if not checkpoint.count(scratch)[0]:
        shutil.rmtree(scratch, ignore_errors=True)


def _writer(root: str | Path, plan: Plan, options: Options) -> DatasetWriter:
    if not options.append:
        return DatasetWriter.create(root, fps=plan.fps, robot_type=plan.robot_type, overwrite=options.overwrite)
    if options.overwrite:
        raise DatasetError(f"{root}: it can be appended to or overwritten, not both")
    errors = [finding for finding in verify_dataset(root, decode="none") if finding.severity == "error"]
    if errors:
        error = DatasetError(f"{root}: not a sound dataset, so nothing is appended: {errors[0].message}")
        for finding in errors:
            error.add_note(str(finding))
        raise error
    return DatasetWriter.append(root, fps=plan.fps, robot_type=plan.robot_type)


def _with_codecs_there(plan: Plan, published: ExistingDataset | None) -> Plan:
    """The plan with the codecs of the dataset's cameras where it names none."""
    if published is None:
        return plan
    codecs = {camera.key: camera.format.codec for camera in published.features.videos}
    features = []
    for feature in plan.features:
        video = plan.video_of(feature)
        if video.codec is None and feature.key in codecs and video.preset != "images":
            feature = feature.model_copy(update={"video": video.model_copy(update={"codec": codecs[feature.key]})})
        features.append(feature)
    return plan.model_copy(update={"features": tuple(features)})


def _bench(writer: DatasetWriter, plan: Plan, options: Options, *, sync: bool) -> tuple[WorkerContext, int]:
    """Where workers work, and how many finished episodes were there that are of no use."""
    shelf = checkpoint.cache_dir(writer.scratch, plan)
    leftover = checkpoint.clear(writer.scratch, shelf if options.resume else None)
    known = writer.published.origins() if writer.published else frozenset()
    return WorkerContext(writer.scratch, shelf, sync=sync and options.resume, known=known), leftover


def _earlier_runs(root: str | Path, taken_up: int, leftover: int, known: Sequence[str]) -> list[Finding]:
    found = []
    if known:
        text = f"{len(known)} recordings are in the dataset already and were not appended again: {', '.join(known[:5])}"
        found.append(Finding("convert-known", "info", str(root), text + (" ..." if len(known) > 5 else "")))
    if taken_up:
        text = f"{taken_up} finished episodes of an interrupted run were taken up"
        found.append(Finding("convert-resumed", "info", str(root), text))
    if leftover:
        text = f"{leftover} finished episodes of an interrupted run with another plan or other versions were removed"
        found.append(Finding("convert-leftover", "info", str(root), text))
    return found


def find(paths: Sequence[str | Path], options: Options, run: Executor = serial) -> registry.Found:
    """Every recording at `paths`. Raises: SourceError when there is none, with each file's reason as a note."""
    found = find_all([str(p) for p in paths], recover=options.recover, token=options.token, run=run)
    if not found.refs:
        error = SourceError(f"no readable recording in {', '.join(map(str, paths))}")
        for finding in found.findings:
            error.add_note(str(finding))
        raise error
    return found


def with_codecs(plan: Plan, refs: Iterable[Ref], run: Executor = serial) -> Plan:
    """The plan with one codec per camera: the source's where the first usable recording can be copied.

    One dataset has one codec per camera, so it is settled before the first episode is made; all workers then agree.
    """
    if all(plan.video_of(f).codec for f in plan.features):
        return plan
    for ref in refs:
        (found,) = run(partial(choose_codecs, plan=plan), [ref], silent)
        if isinstance(found, Plan):
            return found
    return plan


def _added(
    outcomes: Iterable[Outcome | Lost], writer: DatasetWriter, options: Options
) -> Iterator[tuple[EpisodeReport | Known | Rejected, bool]]:
    """Each outcome after the writer took it, and whether an earlier run had made it."""
    for outcome in outcomes:
        if isinstance(outcome, Made):
            yield _add(outcome, writer, options), outcome.taken_up
        elif isinstance(outcome, Lost):
            yield crashed(outcome), False
        else:
            yield outcome, False


def _add(made: Made, writer: DatasetWriter, options: Options) -> EpisodeReport | Rejected:
    try:
        episode = checkpoint.load(made.place, made.ref)
        index = writer.add(episode)
    except (DatasetError, VideoError) as error:
        if isinstance(error, DatasetError) and not writer.broken:
            return rejection(error, made.ref)
        if made.taken_up:  # in case it is the one that is damaged: the next run makes it again
            shutil.rmtree(made.place, ignore_errors=True)
        raise
    finally:
        if not options.resume:
            shutil.rmtree(made.place, ignore_errors=True)
    return EpisodeReport.of(index, episode)


def _nothing_written(root: str | Path, rejected: Sequence[Rejected], made: int, *, strict: bool) -> list[Finding]:
    """Why there is nothing new; no finding when all recordings were there before. made: episodes that are kept."""
    if not rejected:
        return []
    why = "--strict stops at the first rejected recording" if strict else "no recording was usable"
    later = f"; the {made} finished episodes are kept, and the next run takes them up" if made else ""
    text = f"no dataset was written: {why}{later}"
    return [Finding("convert-nothing", "error", str(root), text, "see the rejected recordings")]
