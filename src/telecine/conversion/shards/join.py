"""Joins the parts of a conversion into one dataset in a folder: rows renumbered, metadata made, videos not touched."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from telecine.conversion.lasting import rejected_table
from telecine.conversion.shards.job import NEW, ShardJob
from telecine.conversion.shards.manifest import Manifest, final_name
from telecine.conversion.shards.summary import joined_accounts, joined_report
from telecine.core.data import arrow
from telecine.core.errors import DatasetError, raised_as
from telecine.core.findings import Finding
from telecine.core.shards import Shard, chunk_of
from telecine.core.stats import Stats, constant
from telecine.core.text.numbers import counted
from telecine.dataset.assembly.episode_table import pooled
from telecine.dataset.assembly.shard_episodes import EpisodeTables, ShardEpisodes, moved
from telecine.dataset.assembly.shard_rows import LATE_COLUMNS, Numbers, RenumberedRows, ShardRows, renumber
from telecine.dataset.assembly.videos import link
from telecine.dataset.camera_sheet import no_sheet
from telecine.dataset.existing import ExistingDataset, features_of, stats_of
from telecine.dataset.finish import WholeDataset, write_finish
from telecine.dataset.metadata_files import write_json
from telecine.dataset.reader import Dataset
from telecine.dataset.relative_stats import relative_keys
from telecine.dataset.rolling_files import TableFile
from telecine.dataset.running_stats import RunningStats
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.calibrations import Calibrations, read_calibrations
from telecine.lerobot_format.paths import FileIndex, Limits
from telecine.lerobot_format.schema import Features
from telecine.run.executor import Executor, Lost, Tell, silent

_BATCH = 1000


@dataclass(frozen=True, eq=False, slots=True)
class JoinedPart:
    """A part that has episodes, as a folder here; its first episode and row in the whole."""

    shard: Shard
    root: Path
    manifest: Manifest
    first_episode: int
    first_row: int


@dataclass(frozen=True, slots=True)
class JoinedCounts:
    """What the dataset holds then, those that were there before included; and how many of the new ones went well."""

    episodes: int
    rows: int
    success_unknown: int
    success_known: int


def lined_up(parts: Sequence[tuple[Shard, Path, Manifest]], existing: ExistingDataset | None) -> list[JoinedPart]:
    """The parts that have episodes, each with the numbers of its first episode and row."""
    found = []
    episodes, rows = (existing.episodes, existing.frames) if existing else (0, 0)
    for shard, root, manifest in parts:
        if manifest.episodes:
            found.append(JoinedPart(shard, root, manifest, episodes, rows))
            episodes, rows = episodes + manifest.episodes, rows + manifest.rows
    return found


def join(
    job: ShardJob,
    parts: Sequence[JoinedPart],
    manifests: Sequence[Manifest],
    folder: Path,
    *,
    existing: ExistingDataset | None,
    executor: Executor,
) -> JoinedCounts:
    """Everything of the dataset but videos below `folder`. Raises: DatasetError for a part that is not whole; OSError.

    manifests: of all parts, those without an episode too.
    """
    limits, plan = existing.limits if existing else Limits(), job.settled_plan
    features = _features(job, parts)
    kinds = (schema.data_schema(features), schema.episodes_schema(features))
    if existing:
        kinds = (existing.data_schema, existing.episodes_schema)
    tasks, numbers = _tasks(parts, existing)
    of_several = _write_rows(job, parts, numbers, kinds[0], folder, executor)
    totals, calibrations = _totals(parts, existing)
    files = EpisodeTables(folder, limits, existing.next_episodes if existing else FileIndex())
    counted = _write_episodes(job, parts, (numbers, of_several), kinds[1], files, totals)
    for part in parts:
        for key, own in read_calibrations(part.root).items():
            calibrations.setdefault(key, {}).update(own)
    _write_lasting(job, parts, manifests, folder, existing)
    episodes = (existing.episodes if existing else 0) + sum(part.manifest.episodes for part in parts)
    rows = (existing.frames if existing else 0) + sum(part.manifest.rows for part in parts)
    relative = dict.fromkeys([*plan.stats.relative, *(relative_keys(existing.root) if existing else ())])
    whole = WholeDataset(
        features, schema.Counts(episodes, rows, len(tasks)), tasks, totals, plan.fps, plan.robot_type, limits,
        calibrations, tuple(relative), plan.to_yaml(), existing,
    )  # fmt: skip
    write_finish(folder, whole, lambda folder: _linked_sheet(parts, folder))
    return JoinedCounts(episodes, rows, *counted)


def _linked_sheet(parts: Sequence[JoinedPart], folder: Path) -> list[Finding]:
    """The first part has the first episode, so its picture of the cameras is that of the whole."""
    if (parts[0].root / paths.SHEET).is_file():
        link(parts[0].root / paths.SHEET, folder / paths.SHEET)
        return []
    return [no_sheet("the first part lacks it")]


def _features(job: ShardJob, parts: Sequence[JoinedPart]) -> Features:
    """Of the whole: those that were settled, and what only some parts found out.

    That is columns of labels and of how episodes went, and whether a camera's episodes were all encoded alike.
    """
    features = job.features
    if features is None or not parts:
        raise DatasetError("no recording was usable, so there is no dataset to write; see the rejected recordings")
    own = [features_of(Dataset(part.root)) for part in parts]
    if job.base == NEW:  # a dataset that was there keeps its columns
        columns = {column.key: column for found in (features, *own) for column in found.columns}
        features = replace(features, columns=tuple(columns.values()))
    encoders = [{camera.key: dict(camera.encoder) for camera in found.cameras} for found in own]
    cameras = tuple(
        camera if all(found[camera.key] == dict(camera.encoder) for found in encoders) else replace(camera, encoder={})
        for camera in features.cameras
    )
    return replace(features, cameras=cameras)


def _tasks(parts: Sequence[JoinedPart], existing: ExistingDataset | None) -> tuple[list[str], list[Numbers]]:
    """(task texts of the whole by first use, the task_index there of each task_index of each part)."""
    known = {text: number for number, text in enumerate(existing.tasks if existing else ())}
    numbers = [
        np.array([known.setdefault(text, len(known)) for text in Dataset(part.root).tasks], np.int64) for part in parts
    ]
    return list(known), numbers


def _write_rows(
    job: ShardJob,
    parts: Sequence[JoinedPart],
    tasks: Sequence[Numbers],
    kind: pa.Schema,
    folder: Path,
    executor: Executor,
) -> list[dict[int, Stats]]:
    """Statistics of task_index of episodes with several tasks, by part and index in the whole."""
    items, owners = [], []
    for number, part in enumerate(parts):
        for name in (file.name for file in part.manifest.files if file.name.startswith("data/")):
            target = folder / final_name(name, chunk_of(part.shard, job.first_chunk))
            source = part.root / name
            items.append(ShardRows(str(source), str(target), kind, tasks[number], part.first_episode, part.first_row))
            owners.append(number)
    found: list[dict[int, Stats]] = [{} for _ in parts]
    rows = [0] * len(parts)
    for owner, answer in zip(owners, executor(_renumber, items, silent), strict=True):
        if isinstance(answer, Lost):
            raise DatasetError(f"{answer.item.source}: cannot be read: {answer.why}")
        found[owner] |= answer.task_stats
        rows[owner] += answer.rows
    for part, written in zip(parts, rows, strict=True):
        if written != part.manifest.rows:
            text = f"part {part.shard} has {counted(written, 'row')}, its manifest says {part.manifest.rows}"
            raise DatasetError(f"{part.root}: {text}; make it again: {job.command('OUT', part.shard)}")
    return found


def _renumber(item: ShardRows, tell: Tell) -> RenumberedRows:
    del tell
    return renumber(item)


def _totals(parts: Sequence[JoinedPart], existing: ExistingDataset | None) -> tuple[RunningStats, Calibrations]:
    """Statistics of all that is not numbered anew, and the calibrations that were there."""
    totals = existing.totals if existing else RunningStats()
    for part in parts:
        stored = Dataset(part.root).json(paths.STATS)
        own = {key: stats_of(entry) for key, entry in stored.items() if key != "task_index"}
        for key, step in (("index", part.first_row), ("episode_index", part.first_episode)):
            own[key] = own[key].plus(step)
        for key in LATE_COLUMNS:
            own.setdefault(key, constant(0.0, part.manifest.rows))
        totals.pool(own)
    return totals, read_calibrations(existing.root) if existing else {}


def _write_episodes(
    job: ShardJob,
    parts: Sequence[JoinedPart],
    numbered: tuple[Sequence[Numbers], Sequence[Mapping[int, Stats]]],
    kind: pa.Schema,
    files: EpisodeTables,
    totals: RunningStats,
) -> tuple[int, int]:
    """meta/episodes of all parts, counted into `totals`; how many episodes are of (unknown, known) success."""
    unknown = known = 0
    try:
        for part, tasks, stats in zip(parts, *numbered, strict=True):
            chunk, count = chunk_of(part.shard, job.first_chunk), 0
            own = ShardEpisodes(part.root, chunk, part.first_episode, part.first_row, tasks, stats)
            with raised_as(DatasetError, f"{part.root}: meta/episodes cannot be read", pa.ArrowException, KeyError):
                for table in moved(own, kind):
                    files.write(table, kind)
                    count += table.num_rows
                    found = pooled(table, "task_index")
                    assert found is not None
                    totals.pool({"task_index": found})
                    if "success" in table.column_names:
                        nulls = table.column("success").null_count
                        unknown, known = unknown + nulls, known + table.num_rows - nulls
            if count != part.manifest.episodes:
                text = f"part {part.shard} has {counted(count, 'episode')}, its manifest says {part.manifest.episodes}"
                raise DatasetError(f"{part.root}: {text}")
    finally:
        files.close()
    return unknown, known


def _write_lasting(
    job: ShardJob,
    parts: Sequence[JoinedPart],
    manifests: Sequence[Manifest],
    folder: Path,
    existing: ExistingDataset | None,
) -> None:
    """What the dataset keeps of the conversion, in meta/telecine."""
    home = (folder / paths.PLAN).parent
    home.mkdir(parents=True, exist_ok=True)
    (folder / paths.PLAN).write_text(job.settled_plan.to_yaml(), encoding="utf-8")
    if parts and (derived := parts[0].root / paths.DERIVED).is_file():
        shutil.copyfile(derived, folder / paths.DERIVED)
    write_json(folder / paths.REPORT, joined_report([manifest.report for manifest in manifests]))
    write_json(folder / paths.LEFT_OUT, joined_accounts([manifest.left_out for manifest in manifests]))
    by_shard = {str(part.shard): part for part in parts}
    with (
        closing(_GrowingTable(folder / paths.REPORT_ROWS)) as report,
        closing(_GrowingTable(folder / paths.PROVENANCE)) as provenance,
    ):
        before, names = existing.provenance if existing else (), schema.PROVENANCE_SCHEMA.names
        for start in range(0, len(before), _BATCH):
            rows = [{name: row.get(name) for name in names} for row in before[start : start + _BATCH]]
            provenance.write(arrow.table(rows, schema.PROVENANCE_SCHEMA))
        for manifest in manifests:
            part = by_shard.get(manifest.shard)
            if part is not None:
                provenance.copy(part.root / paths.PROVENANCE, part.first_episode)
                report.copy(part.root / paths.REPORT_ROWS, part.first_episode)
            elif manifest.rejected:
                report.write(rejected_table(manifest.rejected))


class _GrowingTable:
    """A Parquet file of tables that come one after the other; none without tables."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TableFile | None = None

    def write(self, table: pa.Table) -> None:
        self._file = self._file or TableFile(self._path, table.schema)
        self._file.write(table)

    def copy(self, path: Path, first_episode: int) -> None:
        """Add the rows of a part's file, whose episodes begin with `first_episode` here."""
        with (
            raised_as(DatasetError, f"{path}: cannot be read", OSError, pa.ArrowException),
            pq.ParquetFile(path) as file,
        ):
            for batch in file.iter_batches(_BATCH, use_threads=False):
                table = pa.Table.from_batches([batch])
                where = table.schema.get_field_index("episode_index")
                numbers = compute.add(table.column(where), first_episode)
                self.write(table.set_column(where, table.schema.field(where), numbers))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
