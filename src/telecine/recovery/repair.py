"""Repair: what can be read of a broken dataset, written again by the same writer as any conversion.

Indices, timestamps, offsets, statistics, metadata and file sizes are derived from the rows. Rows and frames are taken
as they are. Nothing is guessed: an episode whose frames cannot be assigned is left out and named.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import pyarrow as pa

from telecine.core.data.arrow import array, numbers
from telecine.core.episode import Episode
from telecine.core.errors import DatasetError, MetadataError, VideoError, disk_errors_named, disk_problem
from telecine.core.findings import Finding, has_errors, with_notes
from telecine.core.grid import Grid
from telecine.core.label import LANGUAGE
from telecine.core.text.numbers import counted
from telecine.core.video import Clip
from telecine.dataset.episode_check import check_planned
from telecine.dataset.relative_stats import relative_keys
from telecine.dataset.staging import workspace
from telecine.dataset.verify.verify import verify
from telecine.dataset.writer import DatasetWriter
from telecine.lerobot_format.calibrations import read_calibrations
from telecine.lerobot_format.metadata import DatasetMeta
from telecine.lerobot_format.paths import CAMERAS, Limits
from telecine.lerobot_format.schema import Features
from telecine.recovery.clips import ClipCutter, PlannedClip
from telecine.recovery.columns import as_stored
from telecine.recovery.conflicts import Conflict, Trust, answers
from telecine.recovery.lenient_metadata import read_metadata
from telecine.recovery.rates import with_rate
from telecine.recovery.repair_log import RepairLog
from telecine.recovery.side_files import side_files
from telecine.recovery.survey import Content, Piece, survey


@dataclass(frozen=True, slots=True)
class Repair:
    """What is wrong with a dataset, and what a repaired copy holds, or would hold.

    wrong: what verification finds in the original. found: what was recovered, changed and lost on the way.
    after: what verification finds in the copy; empty when none was written.

    >>> import telecine as tc
    >>> tc.repair("dataset").lost
    ()
    """

    root: str
    out: str | None
    episodes: int
    rows: int
    wrong: tuple[Finding, ...]
    found: tuple[Finding, ...]
    after: tuple[Finding, ...]
    answers: tuple[tuple[Trust, ...], ...] = ()
    """Where the user has to decide: what `trust` can be so that all conflicts are decided."""

    @property
    def lost(self) -> tuple[Finding, ...]:
        """What is not in the copy."""
        return tuple(f for f in self.found if f.code == "repair-lost")

    @property
    def ok(self) -> bool:
        """True when nothing was to be repaired or lost, or a copy was written that lacks nothing and verifies clean.

        Never where witnesses disagree.
        """
        if self.conflicts:
            return False
        if self.out is None:
            return not self.lost and not has_errors(self.wrong)
        return not self.lost and not has_errors(self.after)

    @property
    def conflicts(self) -> tuple[Finding, ...]:
        """Where two witnesses disagree, and whom the repair believed, where it could decide."""
        return tuple(f for f in self.found if f.code == "repair-conflict")


def repair(
    root: str | Path,
    out: str | Path | None = None,
    *,
    task: str | None = None,
    without: Sequence[str] = (),
    trust: Trust | Sequence[Trust] | None = None,
) -> Repair:
    """Say what is wrong with the dataset at `root`; with `out`, write a repaired copy there. `root` stays as it is.

    Without `out` all values are read, and frames decoded only of videos with damaged headers: damaged frames of
    others may cost more episodes when written.

    trust: whom to believe where the rows, the metadata and the videos disagree; without it nothing is written where
        that changes what comes out. Of several the first that a conflict is about decides it.
    task: the text for rows whose own cannot be found any more. without: features to leave out, e.g. a lost camera.

    Without an info.json that says how often rows are and what they hold, nothing can be saved, which is `lost`.

    Raises: DatasetError when no episode can be recovered, or `out` exists or cannot be written: a full disk is never
        taken for damage, and leaves nothing at `out`.
    """
    folder, log = Path(root), RepairLog()
    wrong, trusted = tuple(verify(folder)), _trusted(trust)
    target = None if out is None else _target(folder, out)
    try:
        metadata, rates = with_rate(read_metadata(folder, log), trusted)
    except MetadataError as error:
        log.lost(error.path, f"nothing can be saved: {error.problem}")
        return Repair(str(root), None, 0, 0, wrong, tuple(log.all()), ())

    job = _Job(folder, metadata, rates, log, without, trusted, task)
    made = job.foreseen() if target is None else job.copied(target)
    copy = target if made.is_written else None
    after = () if copy is None else tuple(verify(copy))
    return Repair(
        root=str(root),
        out=None if copy is None else str(out),
        episodes=made.episodes,
        rows=made.rows,
        wrong=wrong,
        found=tuple(log.all()),
        after=after,
        answers=made.answers,
    )


def _trusted(trust: Trust | Sequence[Trust] | None) -> tuple[Trust, ...]:
    """Raises: ValueError for what nobody can trust."""
    named = () if trust is None else (trust,) if isinstance(trust, str) else tuple(trust)
    unknown = [one for one in named if one not in get_args(Trust)]
    if unknown:
        raise ValueError(f"trust: {unknown[0]!r} is none of {', '.join(map(repr, get_args(Trust)))}")
    return named


class _Made(NamedTuple):
    """How many episodes and rows are in the copy, or would be. answers: as in `Repair`."""

    episodes: int
    rows: int
    is_written: bool
    answers: tuple[tuple[Trust, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    """A dataset whose metadata could be read, and how it is to be repaired."""

    folder: Path
    metadata: DatasetMeta
    rates: Sequence[Conflict]
    log: RepairLog
    without: Sequence[str]
    trust: Sequence[Trust]
    task: str | None

    def foreseen(self) -> _Made:
        """What a copy would hold."""
        with (
            disk_errors_named(tempfile.gettempdir()),
            tempfile.TemporaryDirectory(prefix="telecine-repair-") as temporary,
        ):
            return self._planned(self._surveyed(Path(temporary)), Path(temporary))

    def copied(self, target: Path) -> _Made:
        """What the copy at `target` holds; none is written where witnesses disagree and nobody said whom to trust.

        Raises: DatasetError when no episode can be recovered, or `target` exists or cannot be written.
        """
        fps, robot_type, relative = self.metadata.fps, self.metadata.robot_type, relative_keys(self.folder)
        with (
            disk_errors_named(str(target.parent)),
            DatasetWriter.create(target, fps=fps, robot_type=robot_type, relative=relative, any_coding=True) as writer,
            _scratch(target) as scratch,
        ):
            content = self._surveyed(scratch)
            try:
                writer.calibrations = read_calibrations(self.folder)
            except DatasetError as damage:
                self.log.lost(CAMERAS, str(damage))
            if content.is_undecided:
                return self._planned(content, scratch)
            _write(content, writer, scratch, self.log, self.task)
            if not writer.episodes:
                text = f"{self.folder}: no episode can be recovered, so nothing was written"
                raise with_notes(DatasetError(text), self.log.all())
            kept = {column.key for column in writer.features.columns} if writer.features else set()
            writer.commit(others=side_files(self.folder, kept, self.log))
            return _Made(writer.episodes, writer.frames, is_written=True)

    def _surveyed(self, scratch: Path) -> Content:
        return survey(self.metadata, scratch, self.log, self.without, trust=self.trust, known=self.rates)

    def _planned(self, content: Content, scratch: Path) -> _Made:
        counts = _planned(content, scratch, self.log, self.task)
        open_to = answers([conflict for conflict, _ in content.conflicts], self.trust)
        return _Made(len(counts), sum(counts), is_written=False, answers=open_to)


def _target(folder: Path, out: str | Path) -> Path:
    target = Path(out).resolve()
    if target == folder.resolve() or folder.resolve() in target.parents:
        raise DatasetError(f"{out}: the copy cannot be inside the dataset; name another folder")
    return target


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A folder for clips beside the target, on the same file system."""
    folder = workspace(root) / "repair"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # the writer's own files are in it
            folder.parent.rmdir()


def _write(content: Content, writer: DatasetWriter, scratch: Path, log: RepairLog, task: str | None) -> None:
    """Add every episode that can be made. A disk that refuses is no fault of an episode: it ends the repair."""
    cutter = ClipCutter(scratch, content.metadata.fps, log)
    for piece in content.pieces(log, task):
        try:
            table = _table(content, piece, log)
            clips = tuple(clip.make() for clip in _clips(content, piece, table, cutter))
            writer.add(_episode(content, piece, table, clips))
        except (DatasetError, VideoError, ValueError) as error:
            if writer.broken or disk_problem(error, str(scratch)):
                raise
            _lose(piece, error, log)
        finally:
            cutter.clear()


def _planned(content: Content, scratch: Path, log: RepairLog, task: str | None) -> list[int]:
    """How many rows each episode has that would be written, by the same checks as when it is; others are named as lost.

    No frame is decoded but of videos with damaged headers.
    """
    cutter, features, counts = ClipCutter(scratch, content.metadata.fps, log), None, list[int]()
    for piece in content.pieces(log, task):
        try:
            table = _table(content, piece, log)
            features = _checked(content, piece, table, cutter, features)
        except (DatasetError, VideoError, ValueError) as error:
            _lose(piece, error, log)
        else:
            counts.append(piece.count)
    return counts


def _checked(
    content: Content, piece: Piece, table: pa.Table, cutter: ClipCutter, features: Features | None
) -> Features:
    """What all episodes must have, as the first one sets it. Raises: as `_clips`; DatasetError when it does not fit."""
    clips, episode = list(_clips(content, piece, table, cutter)), _episode(content, piece, table, ())
    return check_planned(episode, clips, features, fps=content.metadata.fps, limits=Limits())


def _lose(piece: Piece, error: Exception, log: RepairLog) -> None:
    log.lost(f"episode {piece.run.episode}", f"{counted(piece.count, 'row')}: {error}")


def _clips(content: Content, piece: Piece, table: pa.Table, cutter: ClipCutter) -> Iterator[PlannedClip]:
    """What becomes of the episode's frames. Raises: DatasetError, VideoError, ValueError naming what is damaged."""
    for camera in content.videos:
        yield cutter.plan(camera, piece.ranges[camera.key], piece.count)
    depths = {key for key, feature in content.metadata.features.items() if feature.is_depth}
    for key in content.images:
        yield (cutter.depth_images if key in depths else cutter.images)(key, table.column(key))


def _table(content: Content, piece: Piece, log: RepairLog) -> pa.Table:
    """The rows of the episode as they are stored."""
    keys = [*(c.key for c in content.columns), *content.images]
    table = content.reader.table(piece.run, keys).slice(0, piece.count)
    for key in set(LANGUAGE) & set(keys):
        if nulls := table.column(key).null_count:
            text = f"{counted(nulls, 'row')} with null in place of a list of labels: without labels in the copy"
            log.changed(f"episode {piece.run.episode} {key}", text)
    return table


def _episode(content: Content, piece: Piece, table: pa.Table, clips: Sequence[Clip]) -> Episode:
    count, metadata = piece.count, content.metadata
    rows = as_stored(table, content.columns) if content.columns else None
    arrays = {column.key: rows.column(column.key) for column in content.columns} if rows is not None else {}
    arrays["timestamp"] = numbers((np.arange(count) / metadata.fps).astype(np.float32))
    arrays["task"] = _texts(piece.tasks)
    grid = Grid(content.start_ns(piece.run.episode), count, Fraction(metadata.fps))
    number = piece.run.episode
    return Episode(
        content.ref(number), grid, pa.table(arrays), content.columns, tuple(clips), facts=content.facts(number)
    )


def _texts(rows: Sequence[str]) -> pa.Array:
    """The text of each row, (n,), every different one encoded once: its own bytes cost a row some 77."""
    places = {text: place for place, text in enumerate(dict.fromkeys(rows))}
    return array(list(places), pa.string()).take(
        numbers(np.fromiter((places[text] for text in rows), np.int32, len(rows)))
    )
