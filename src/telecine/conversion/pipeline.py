"""The pipeline, top to bottom: discover, settle codecs, build, write, verify.

A worker (worker.py) turns one reference into a finished episode on disk or into the reason why not; one writer takes
them in order. Finished episodes stay until the dataset is there, so that the next run can take up an interrupted one.
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import TypedDict

from telecine.conversion import checkpoint
from telecine.conversion.camera_sheet import draw_by
from telecine.conversion.codec_choice import existing_codecs, settle_codecs
from telecine.conversion.derived import check_plan, computed, derivations
from telecine.conversion.discovery import EVERYTHING, ChosenEpisodes, Episodes, crashed, discover
from telecine.conversion.lasting import lasting_accounts, lasting_summary, lasting_tables
from telecine.conversion.report import EpisodeReport, Rejected, Report, earlier_runs, nothing_written, rejection
from telecine.conversion.worker import Known, Made, NotWanted, Origin, Outcome, WorkerContext, build, not_wanted
from telecine.core.accounting import (
    NO_CHOICES,
    Choices,
    LeftOutEverywhere,
    Tally,
    add,
    merge,
    training_findings,
    unreadable_findings,
)
from telecine.core.dataclass import dataclass
from telecine.core.derive.functions import NO_TOOLS, Toolbox
from telecine.core.episode import recording_name
from telecine.core.errors import DatasetError, VideoError, raised_as
from telecine.core.findings import Finding, has_errors, with_notes
from telecine.core.outcome import decided
from telecine.core.plan.model import Plan
from telecine.core.progress import CONVERTING, Progress, Silent
from telecine.core.recording import Ref
from telecine.core.resample.rates import input_rates, rate_findings
from telecine.core.text.numbers import bytes_text, counted
from telecine.dataset.staging import Asker, Staging, workspace
from telecine.dataset.verify.verify import verify as verify_dataset
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.paths import PLAN
from telecine.lerobot_format.schema import Features
from telecine.run.executor import Executor, Lost, Marked
from telecine.run.worker_count import Workers, is_small
from telecine.sources.part_cache import none_left_open


class Access(TypedDict):
    """How recordings are read."""

    recover: bool
    token: str | None
    follow_links: bool


@dataclass(frozen=True, slots=True)
class Options:
    """How to convert, as far as it does not change what comes out.

    >>> Options(workers=0, overwrite=True).resume
    True
    """

    overwrite: bool = False
    append: bool = False
    """Add the recordings to the dataset that is there; those it holds already are left out."""
    recover: bool = False
    strict: bool = False
    """Stop at the first recording that is rejected, and write nothing."""
    verify: bool = True
    token: str | None = field(default=None, repr=False)
    follow_links: bool = False
    """Read files that links, or names in recordings, lead to outside of what was given."""
    workers: int | None = None
    """Processes that read recordings; 0: none but this one; None: as many as cores and memory allow, or none that has
    to be started if the work is small (run/worker_count.py). The dataset is the same, byte for byte."""
    max_memory_bytes: int | None = None
    """What this process and its workers may take together."""
    timeout_s: float | None = None
    """How long a worker may work on a recording without progress; None: by its size (run/pool.py)."""
    resume: bool = True
    """Keep finished episodes until the dataset is there and take up those of an interrupted run; else the disk holds
    every episode once instead of twice."""
    select: ChosenEpisodes = EVERYTHING
    """Which of the recordings at the paths to convert."""
    where: str | None = None
    """An expression that has to hold for an episode, such as `success == true` (core/episode_filter.py)."""

    tools: Toolbox = NO_TOOLS
    """What the expressions of derived columns may use."""

    @property
    def access(self) -> Access:
        """How recordings are read, as arguments of `discover`, `find` and `inspect_many`."""
        return {"recover": self.recover, "token": self.token, "follow_links": self.follow_links}


def convert(
    paths: Sequence[str | Path],
    root: str | Path,
    plan: Plan,
    options: Options = Options(),
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    choices: Choices = NO_CHOICES,
) -> Report:
    """Make the dataset `root` of all recordings at `paths`; recordings that cannot be used are in the report.

    The dataset appears complete or not at all. executor: who works; None: `Workers`, as `options` say.
    choices: those of the proposal, where `plan` is one.

    Raises: SourceError when there is nothing to read; DatasetError when the target exists or cannot be written.
    """
    if executor is None:
        with Workers(options.workers, max_bytes=options.max_memory_bytes, timeout_s=options.timeout_s) as workers:
            return convert(paths, root, plan, options, executor=workers, progress=progress, choices=choices)
    job = _Job(tuple(paths), Path(root), plan, options, executor, progress or Silent(), choices)
    return _convert(job) if plan.layout == "v3.0" else _convert_by_v3(job)


@dataclass(frozen=True, eq=False, slots=True)
class Settled:
    """What is settled before a part of a conversion is made (conversion/shards/job.py), so that all parts agree on it.

    features: what every episode has; None where no recording is usable. origins: of the dataset that the episodes are
    added to. The plan that goes with it has the codecs of the cameras.
    """

    episodes: Episodes
    features: Features | None
    origins: frozenset[Origin] = frozenset()


@dataclass(frozen=True, slots=True)
class _Job:
    """What one call of `convert` was asked for."""

    paths: tuple[str | Path, ...]
    root: Path
    plan: Plan
    options: Options
    executor: Executor
    progress: Progress
    choices: Choices
    settled: Settled | None = None


def convert_part(
    root: Path, plan: Plan, settled: Settled, options: Options, *, executor: Executor, progress: Progress | None = None
) -> Report:
    """The dataset `root` of the episodes of one part; none, and no finding, where the part has no episode.

    Finished episodes go as soon as they are written, so that the disk holds the part once.
    """
    return _convert(_Job((), root, plan, options, executor, progress or Silent(), NO_CHOICES, settled))


@none_left_open()
def _convert(job: _Job) -> Report:
    began, plan, options, settled = time.monotonic(), job.plan, job.options, job.settled
    check_plan(plan, options.tools)
    if settled is None:
        episodes = discover(job.paths, plan, **options.access, select=options.select, executor=job.executor)
    else:
        episodes = settled.episodes
    job.progress.begin(episodes.size_bytes, CONVERTING, len(episodes.refs))
    with _writer(job) as writer:
        refs = () if options.strict and episodes.rejected else episodes.refs
        with _finished_stay(writer), _who_works(job, refs, writer.scratch) as (executor, crash):
            if settled is None:
                plan = settle_codecs(plan, refs, executor, existing=existing_codecs(writer.published))
            context, leftover = _worker_context(writer, plan, job, refs)
            outcomes = executor(partial(build, plan=plan, context=context), refs, job.progress.advance)
            written = _write(outcomes, writer, job)
            findings = (*crash, *earlier_runs(job.root, written.known, written.taken_up, leftover), *writer.findings)
            report = _report(job, plan, episodes, written, findings)
            if report.episodes:
                writer.draw = partial(draw_by, executor)
                folders = (*episodes.folders, str(writer.scratch))
                writer.commit(
                    plan_yaml=plan.to_yaml(),
                    report=lasting_summary(report, folders),
                    report_tables=lasting_tables(report, folders),
                    left_out=lasting_accounts(report, folders),
                    derived=derivations(writer, plan, options.tools),
                )
    checked = verify_dataset(job.root, progress=job.progress) if report.episodes and options.verify else []
    return replace(report, findings=(*report.findings, *writer.drawn, *checked), seconds=time.monotonic() - began)


def _convert_by_v3(job: _Job) -> Report:
    """A dataset of an older layout: of the v3.0 dataset that is made and verified beside the target, then goes."""
    from telecine.dataset.v2_writer import write_v2

    plan, target = job.plan, job.root.resolve()
    if job.options.append:
        raise DatasetError(f"{job.root}: episodes are added to v3.0 datasets only; convert all to {plan.layout} again")
    assert plan.layout != "v3.0"
    with closing(Staging(target, overwrite=job.options.overwrite, asker=Asker("--overwrite"))) as stage:
        between = workspace(target) / "v3.0"
        inner = plan.model_copy(update={"layout": "v3.0"})
        report = _convert(replace(job, root=between, plan=inner, options=replace(job.options, overwrite=True)))
        if report.episodes and not has_errors(report.findings):
            with raised_as(DatasetError, f"{target}: cannot be written", OSError):
                lost = write_v2(between, stage.folder, plan.layout, scratch=stage.scratch)
                (stage.folder / PLAN).write_text(plan.to_yaml(), encoding="utf-8")
                stage.publish()
            lost = [replace(finding, where=str(job.root)) for finding in lost]
            report = replace(report, findings=(*report.findings, *lost))
        shutil.rmtree(between, ignore_errors=True)
    return replace(report, root=str(job.root), plan_digest=plan.digest())


def _writer(job: _Job) -> DatasetWriter:
    root, plan = job.root, job.plan
    if not job.options.append:
        return DatasetWriter.create(
            root,
            fps=plan.fps,
            robot_type=plan.robot_type,
            overwrite=job.options.overwrite,
            relative=plan.stats.relative,
            features=job.settled.features if job.settled else None,
            asker=Asker("--overwrite", "--append"),
        )
    if job.options.overwrite:
        raise DatasetError(f"{root}: it can be appended to or overwritten, not both")
    require_sound(root)
    return DatasetWriter.append(root, fps=plan.fps, robot_type=plan.robot_type, relative=plan.stats.relative)


def require_sound(root: Path) -> None:
    """Nothing, for a dataset that episodes can be added to. Raises: DatasetError."""
    errors = [finding for finding in verify_dataset(root, decode="none") if finding.severity == "error"]
    if errors:
        text = f"{root}: not a sound dataset, so nothing is appended: {errors[0].message}"
        raise with_notes(DatasetError(text), errors)


@contextmanager
def _finished_stay(writer: DatasetWriter) -> Iterator[None]:
    """Leaves finished episodes where they are when the work is interrupted, with a note, and removes the rest."""
    scratch = writer.scratch
    try:
        yield
    except BaseException as error:
        count, size = checkpoint.count(scratch)
        if count:
            error.add_note(
                f"{counted(count, 'finished episode')} ({bytes_text(size)}) left in {scratch.parent}; the same command "
                "takes that up, and removing that folder gives up on it"
            )
        else:
            writer.clear_scratch()
        raise
    if not checkpoint.count(scratch)[0]:
        writer.clear_scratch()


@contextmanager
def _who_works(job: _Job, refs: Sequence[Ref], scratch: Path) -> Iterator[tuple[Executor, list[Finding]]]:
    """Who works on so many recordings; a finding when the last run died while it read one in its own process."""
    mark, crash = Marked(scratch / checkpoint.READING), []
    if crashed_on := mark.found():
        text = "the last run was terminated while it read this; recordings are now read in processes of their own"
        crash.append(Finding("convert-crashed", "warning", crashed_on, text))
    executor = job.executor
    if isinstance(executor, Workers):
        executor.grow(len(refs), _size_bytes(refs), safely=bool(crash))
        executor = mark if executor.in_this_process else executor
    yield executor, crash


def _worker_context(writer: DatasetWriter, plan: Plan, job: _Job, refs: Sequence[Ref]) -> tuple[WorkerContext, int]:
    """Where workers work, and how many finished episodes were there that are of no use."""
    options = job.options
    cache_dir = checkpoint.cache_dir(writer.scratch, plan)
    leftover = checkpoint.clear(writer.scratch, cache_dir if options.resume else None)
    known = writer.published.origins() if writer.published else job.settled.origins if job.settled else frozenset()
    sync = options.resume and not is_small(len(refs), _size_bytes(refs))
    return WorkerContext(writer.scratch, cache_dir, sync=sync, known=known, where=options.where), leftover


def _size_bytes(refs: Iterable[Ref]) -> int:
    return sum(ref.size_bytes for ref in refs)


@dataclass(frozen=True, slots=True)
class _Written:
    """What the writer took, and what became of the other recordings."""

    episodes: tuple[EpisodeReport, ...]
    rejected: tuple[Rejected, ...]
    known: tuple[str, ...]
    """Labels of recordings that were in the dataset before."""
    taken_up: int
    """Episodes that an earlier run had made."""
    not_wanted: tuple[NotWanted, ...]
    left_out: tuple[LeftOutEverywhere, ...]


def _write(outcomes: Iterable[Outcome | Lost], writer: DatasetWriter, job: _Job) -> _Written:
    """Each finished episode into the dataset, in order; ends at the first rejection when that is `strict`."""
    episodes: list[EpisodeReport] = []
    rejected: list[Rejected] = []
    known: list[str] = []
    unwanted: list[NotWanted] = []
    taken_up = 0
    tally: Tally = {}
    for outcome in outcomes:
        result = _result(outcome, writer, job, tally)
        taken_up += isinstance(outcome, Made) and outcome.taken_up
        job.progress.finish()
        match result:
            case EpisodeReport():
                episodes.append(result)
            case Known():
                known.append(result.ref.label)
            case NotWanted():
                unwanted.append(result)
            case Rejected():
                rejected.append(result)
                if job.options.strict:
                    break
    return _Written(tuple(episodes), tuple(rejected), tuple(known), taken_up, tuple(unwanted), merge(tally))


def _result(
    outcome: Outcome | Lost, writer: DatasetWriter, job: _Job, tally: Tally
) -> EpisodeReport | Known | NotWanted | Rejected:
    if isinstance(outcome, Lost):
        return crashed(outcome)
    return _add(outcome, writer, job, tally) if isinstance(outcome, Made) else outcome


def _add(made: Made, writer: DatasetWriter, job: _Job, tally: Tally) -> EpisodeReport | NotWanted | Rejected:
    try:
        episode = decided(checkpoint.load(made.folder, made.ref))
        if made.taken_up and (why := not_wanted(job.options.where, episode, made.ref)):
            return NotWanted(made.ref, why)
        index = writer.add(computed(episode, job.plan, job.options.tools))
    except (DatasetError, VideoError) as error:
        if isinstance(error, DatasetError) and not writer.broken:
            return rejection(error, made.ref)
        if made.taken_up:  # in case it is the one that is damaged: the next run makes it again
            shutil.rmtree(made.folder, ignore_errors=True)
        raise
    finally:
        if job.settled is not None or not job.options.resume:
            shutil.rmtree(made.folder, ignore_errors=True)
    add(tally, made.ref.recording_label, episode.left_out, job.choices)
    return EpisodeReport.of(index, episode)


def _report(job: _Job, plan: Plan, found: Episodes, written: _Written, about_run: Iterable[Finding]) -> Report:
    """The report, without episodes where nothing is to be written."""
    rejected = (*found.rejected, *written.rejected)
    findings, episodes = [*found.findings, *about_run, *_not_wanted(job, written)], written.episodes
    if (not episodes and job.settled is None) or (job.options.strict and rejected):
        findings += nothing_written(job.root, rejected, len(episodes), strict=job.options.strict)
        episodes = ()
    findings += [*unreadable_findings(written.left_out), *training_findings(written.left_out, "dataset")]
    cameras = frozenset(clip.key for episode in episodes for clip in episode.clips)
    inputs = input_rates(((e.recording.partition("#")[0], e.uses) for e in episodes), cameras)
    findings += rate_findings(inputs, plan.fps, "dataset")
    return Report(
        *(str(job.root), plan.fps, plan.digest(), episodes, rejected, tuple(findings), 0, written.known),
        *(written.left_out, job.choices.guesses, tuple(skipped.ref.label for skipped in written.not_wanted)),
        stopped=job.options.strict and bool(rejected),
    )


def _not_wanted(job: _Job, written: _Written) -> list[Finding]:
    """What `--where` left out, by name and reason; an error where that is everything."""
    skipped, root = written.not_wanted, str(job.root)
    if not skipped:
        return []
    named = "; ".join(f"{recording_name(s.ref)}: {s.why}" for s in skipped[:_NAMED])
    more = f"; and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
    text = f"--where {job.options.where!r} leaves out {counted(len(skipped), 'recording')}: {named}{more}"
    found = [Finding("convert-where", "info", root, text)]
    if job.settled is None and not (written.episodes or written.rejected or written.known):
        why = (
            f"no dataset was written: --where {job.options.where!r} leaves out all {counted(len(skipped), 'recording')}"
        )
        found.append(Finding("convert-nothing", "error", root, why, "ask for less; `outcomes` says what is known"))
    return found


_NAMED = 20
"""Recordings that one finding names; the report has all."""
