"""`telecine finalize OUT`: the dataset of all parts of a conversion. Videos are neither read nor moved."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.conversion.lasting import read_rejected
from telecine.conversion.report import Rejected
from telecine.conversion.shards.adding import bring_videos, change, existing_of, has_relative_stats
from telecine.conversion.shards.borders import check_borders
from telecine.conversion.shards.deliver import fetched
from telecine.conversion.shards.job import JOB, NEW, ShardJob, begin_command
from telecine.conversion.shards.join import JoinedCounts, join, lined_up
from telecine.conversion.shards.manifest import Manifest, final_name, is_video
from telecine.conversion.shards.place import JOB_MARK, JobMark, JobPlace, place_of
from telecine.conversion.shards.survey import PartState, Survey, part_folder, survey
from telecine.core.data.serialize import to_plain
from telecine.core.errors import DatasetError, TelecineError, raised_as
from telecine.core.findings import Finding, Severity, has_errors
from telecine.core.shards import Shard, chunk_of
from telecine.core.text.numbers import counted, counted_of
from telecine.core.text.renamed import rename_error
from telecine.dataset.assembly.videos import link
from telecine.dataset.existing import read_existing
from telecine.dataset.metadata_files import write_json
from telecine.dataset.staging import Asker, Staging
from telecine.lerobot_format.paths import INFO, REPORT_ROWS, file_index_of, until
from telecine.run.executor import Executor


@dataclass(frozen=True, slots=True)
class Finalized:
    """How far a conversion in parts is, or that its dataset is there.

    parts: in order, each with the command that makes it where it is not done. episodes, rows: of the finished parts;
    of a published dataset, of all of it. left: the folder with the parts, of no use once the dataset is there.

    >>> import telecine as tc
    >>> report = tc.convert("recordings", "half", tc.inspect("recordings").plan, shard=(1, 2))
    >>> made = tc.finalize("half", dry_run=True)
    >>> made.published, [part.what for part in made.parts], made.parts[1].command
    (False, ['done', 'missing'], 'telecine convert recordings half --shard 2/2')
    """

    root: str
    published: bool
    shards: int
    parts: tuple[PartState, ...] = ()
    episodes: int = 0
    rows: int = 0
    rejected: tuple[Rejected, ...] = ()
    findings: tuple[Finding, ...] = ()
    left: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing stands in the way of the dataset, or it is there."""
        return not has_errors(self.findings)

    def count(self, what: str) -> int:
        """How many parts are done, failed, missing, incomplete or foreign."""
        return sum(part.what == what for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        counts = {what: self.count(what) for what in ("done", "failed", "missing", "incomplete", "foreign")}
        return {"ok": self.ok, **asdict(self), "counts": counts}


def finalize(root: str | Path, *, dry_run: bool = False, executor: Executor) -> Finalized:
    """Make the dataset of all parts, or say what is missing; nothing, where it was made before.

    Raises: DatasetError where no conversion in parts was begun, the job is damaged, or writing fails; StoreError.
    """
    place = place_of(root)
    job = _open_job(place)
    if job is None:
        return _published(place)
    found = survey(place, job)
    state = _state(place, found, dry_run=dry_run)
    if dry_run or not found.is_complete:
        return state
    manifests = [manifest for manifest in found.manifests if manifest is not None]
    if place.folder is not None:
        joined = _publish(place, job, manifests, executor)
    else:
        try:
            joined = _publish_at(place, job, manifests, executor)
        except DatasetError:
            if place.is_published() and _was_last(place, job):  # another process was faster
                return _published(place)
            raise
    findings = (*state.findings, *_success(place, joined))
    return replace(state, published=True, episodes=joined.episodes, rows=joined.rows, findings=findings)


def _open_job(place: JobPlace) -> ShardJob | None:
    """The job that is not published yet; None when the last one is. Raises: DatasetError without any."""
    base = place.base_now()
    job = place.begun(base)
    if job is not None or (base != NEW and place.last_job() is not None):
        return job
    begin, parts = f"begin with {begin_command(place.name, base)}", place.job(NEW)
    if base == NEW:
        text = f"no conversion in parts was begun here (there is no {parts.address}/{JOB}); {begin}"
    elif parts.head(JOB) is not None:
        text = (
            f"the dataset here is of another command than the parts in {parts.address}. To join these, move the "
            "dataset away and finalize again; when they are of no use, remove their folder"
        )
    else:
        text = f"a dataset, into which no conversion in parts was begun; {begin}"
    raise DatasetError(f"{place.name}: {text}")


def _was_last(place: JobPlace, job: ShardJob) -> bool:
    last = place.last_job()
    return last is not None and last.id == job.id


def _published(place: JobPlace) -> Finalized:
    last = place.last_job()
    assert last is not None
    if place.folder is None:
        from telecine.storage.publish import leave

        leave(place.dataset, last.id)  # of one that was killed when the dataset was there already
    text = f"the dataset is published ({counted(last.episodes, 'episode')}); nothing was changed"
    rejected = _rejected_before(place, last)
    found = (Finding("convert-shard", "info", place.name, text), *_rejected_findings(place, rejected))
    shards = last.request.shards
    parts = tuple(PartState(f"{number}/{shards}", "done") for number in range(1, shards + 1))
    return Finalized(place.name, True, shards, parts, last.episodes, last.rows, rejected, found)


def _rejected_before(place: JobPlace, last: JobMark) -> tuple[Rejected, ...]:
    """The rejected recordings that the dataset names; episodes that were added later have moved that file aside."""
    names = (until(REPORT_ROWS, last.episodes), REPORT_ROWS)
    name = next((name for name in names if place.dataset.head(name) is not None), None)
    if name is None:
        return ()
    causes = (pa.ArrowException, KeyError, TypeError, ValueError)
    with (
        raised_as(DatasetError, f"{place.name}/{name}: cannot be read", *causes),
        pq.ParquetFile(pa.BufferReader(place.dataset.get(name))) as file,
    ):
        return tuple(read_rejected(file))


def _rejected_findings(place: JobPlace, rejected: Sequence[Rejected]) -> list[Finding]:
    if not rejected:
        return []
    number = counted(len(rejected), "recording was", "recordings were")
    text = f"{number} rejected, and {'is' if len(rejected) == 1 else 'are'} in no episode"
    return [Finding("finalize-rejected", "warning", place.name, text, "see `rejected` and report.parquet")]


def _state(place: JobPlace, found: Survey, *, dry_run: bool) -> Finalized:
    manifests = [manifest for manifest in found.manifests if manifest is not None]
    rejected = tuple(entry for manifest in manifests for entry in manifest.rejected)
    findings = []
    waiting = [part for part in found.parts if part.what != "done"]
    if waiting:
        names = ", ".join(f"{part.shard} ({part.what})" for part in waiting[:5])
        more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
        text = f"{counted_of(len(waiting), len(found.parts), 'part', 'is', 'are')} not done: {names}{more}"
        severity: Severity = "info" if dry_run else "error"
        findings.append(Finding("finalize-missing", severity, place.name, text, waiting[0].command))
    findings += _rejected_findings(place, rejected)
    episodes, rows = (sum(getattr(m, name) for m in manifests) for name in ("episodes", "rows"))
    left = place.job(found.job.base).address
    return Finalized(place.name, False, len(found.parts), found.parts, episodes, rows, rejected, tuple(findings), left)


def _publish(place: JobPlace, job: ShardJob, manifests: Sequence[Manifest], executor: Executor) -> JoinedCounts:
    assert place.folder is not None
    root, store = place.folder, place.job(job.base)
    with closing(Staging(root, overwrite=job.base != NEW, asker=Asker())) as stage:
        existing = read_existing(root) if job.base != NEW else None
        if existing is not None and place.base(append=True) != job.base:
            raise DatasetError(f"{place.name}: it was changed meanwhile, so the parts do not fit; make them again")
        shards = [Shard(number, len(manifests)) for number in range(1, len(manifests) + 1)]
        parts = lined_up([(s, part_folder(store, s), m) for s, m in zip(shards, manifests, strict=True)], existing)
        for part in parts:
            for name in (file.name for file in part.manifest.files if is_video(file.name)):
                target = stage.folder / final_name(name, chunk_of(part.shard, job.first_chunk))
                target.parent.mkdir(parents=True, exist_ok=True)
                link(part.root / name, target)
        _write_mark(stage.folder, job, manifests, (existing.episodes, existing.frames) if existing else (0, 0))
        joined = join(job, parts, manifests, stage.folder, existing=existing, executor=executor)
        before = (existing.episodes, existing.frames) if existing else (0, 0)
        check_borders(stage.folder, before, (joined.episodes, joined.rows))
        stage.publish()
    return joined


def _publish_at(place: JobPlace, job: ShardJob, manifests: Sequence[Manifest], executor: Executor) -> JoinedCounts:
    """In a store: rows and metadata are fetched, made here and uploaded; videos are where they will stay."""
    from telecine.storage.publish import join_in
    from telecine.storage.scratch import own_folder

    shards = [Shard(number, len(manifests)) for number in range(1, len(manifests) + 1)]
    videos = {name for name in _final_names(job, manifests) if is_video(name)}
    _require_no_strays(place, job, manifests)
    base = "" if job.base == NEW else job.base
    upload = join_in(place.dataset, last=INFO, own=job.id, by="telecine finalize", base=base)
    rows = bool(job.settled_plan.stats.relative) or has_relative_stats(place)
    with existing_of(place, job.base, rows=rows) as existing, own_folder() as home, _by_address(home, place, job):
        before = (existing.episodes, existing.frames) if existing else (0, 0)
        roots = fetched(place, job, manifests, home / "parts")
        parts = lined_up(list(zip(shards, roots, manifests, strict=True)), existing)
        folder = home / "dataset"
        _write_mark(folder, job, manifests, before)
        joined = join(job, parts, manifests, folder, existing=existing, executor=executor)
        check_borders(folder, before, (joined.episodes, joined.rows), videos)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        stay = set(videos)
        if existing is not None:
            stay |= change(place, job.base, existing, upload, files)
            bring_videos(place, job, manifests)
        upload.finish({name: path for name, path in files.items() if name not in stay}, keep=stay)
    return joined


@contextmanager
def _by_address(home: Path, place: JobPlace, job: ShardJob) -> Iterator[None]:
    """Inside, errors name what is below `home` by where it comes from and goes to."""
    try:
        yield
    except TelecineError as error:
        rename_error(error, {str(home / "parts"): place.job(job.base).address, str(home / "dataset"): place.name})
        raise


def _final_names(job: ShardJob, manifests: Sequence[Manifest]) -> set[str]:
    """Files of rows and frames of all parts, as the dataset calls them."""
    return {
        final_name(file.name, chunk_of(Shard(number, len(manifests)), job.first_chunk))
        for number, manifest in enumerate(manifests, start=1)
        for file in manifest.files
        if file.name.startswith(("data/", "videos/"))
    }


def _require_no_strays(place: JobPlace, job: ShardJob, manifests: Sequence[Manifest]) -> None:
    """LeRobot loads every file of rows below data/, whoever put it there. Raises: DatasetError."""
    ours = _final_names(job, manifests)
    there = (f.key for f in place.dataset.list() if f.key.startswith(("data/", "videos/")) and f.key not in ours)
    found = [key for key in there if (index := file_index_of(key)) is None or index.chunk >= job.first_chunk]
    if found:
        text = f"{counted(len(found), 'file is', 'files are')} no part of this conversion ({found[0]} ...)"
        raise DatasetError(f"{place.name}: {text}; remove them, then finalize again")


def _write_mark(folder: Path, job: ShardJob, manifests: Sequence[Manifest], before: tuple[int, int]) -> None:
    episodes, rows = (sum(getattr(m, name) for m in manifests) for name in ("episodes", "rows"))
    counts = before[0] + episodes, before[1] + rows
    write_json(folder / JOB_MARK, to_plain(JobMark(job.id, job.request, *counts)))


def _success(place: JobPlace, joined: JoinedCounts) -> list[Finding]:
    if not (joined.success_known and joined.success_unknown):
        return []
    total = joined.success_known + joined.success_unknown
    text = (
        f"nothing says whether {joined.success_unknown} of {counted(total, 'episode')} succeeded; next.success "
        "is false there"
    )
    fix = "say it in the column success of --spans CSV"
    return [Finding("success-unknown", "warning", place.name, text, fix)]
