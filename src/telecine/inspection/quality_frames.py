"""One camera of some episodes of a dataset: frames some rows apart, and every frame where something begins or ends."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from telecine.core.errors import DatasetError, VideoError
from telecine.core.findings import Finding
from telecine.core.quality import brief_frames, camera_checks
from telecine.core.quality.camera_checks import CameraSamples, Shown, rows_between, suspects
from telecine.core.quality.compare_cameras import CameraLook, facts_of_camera, joined_cameras
from telecine.core.quality.frame_facts import FrameFacts, Grey, frame_facts
from telecine.core.quality.visible_motion import joint_paths, joint_weights, seen_motion
from telecine.dataset.camera_frames import stored_frame
from telecine.dataset.reader import Dataset
from telecine.dataset.values import coded_frames
from telecine.inspection.quality_rows import VERIFY, Motion
from telecine.video.mp4_reader import grey_at
from telecine.video.packet_sizes import PacketSizes, packet_sizes

Wanted = Mapping[int, Sequence[int]]
"""Episode -> rows of it, increasing."""


@dataclass(frozen=True, eq=False, slots=True)
class CameraSeen:
    """What one camera gave; facts of `episodes`, None without any."""

    findings: list[Finding]
    facts: CameraLook | None
    episodes: list[int]


def sampled_rows(length: int, fps: int) -> list[int]:
    """The rows of an episode whose frames are looked at first: three a second, the first two and the last.

    They are multiples of five, at which `train` has its keyframes, and mostly of two, as LeRobot has.
    """
    every = max(5 * round(fps / 15), 5)
    return sorted({*range(0, length, every), min(1, length - 1), length - 1})


def colour_cameras(dataset: Dataset) -> list[str]:
    """The cameras whose frames are looked at: brightness says nothing of depth."""
    shapes = {c.key: c.shape for c in dataset.features}
    return [key for key in dataset.cameras if shapes[key][-1:] != (1,)]


def camera_findings(dataset: Dataset, key: str, episodes: Iterable[int], motion: Motion) -> CameraSeen:
    """What is wrong in single episodes, and facts for comparing them. motion: of those whose numbers are known."""
    lengths = {number: dataset.episodes[number].length for number in episodes}
    rows = {number: sampled_rows(length, dataset.fps) for number, length in lengths.items() if length}
    findings: list[Finding] = []
    read: dict[int, FrameFacts] = {}
    facts: list[CameraLook] = []
    for number, frames in _frames(dataset, key, rows):
        if isinstance(frames, FrameFacts):
            read[number] = frames
            facts.append(facts_of_camera(rows[number], frames))
        else:
            where = f"episode {number} {key}"
            findings.append(Finding("look-counts", "error", where, str(frames), VERIFY, episode=number, key=key))
    odd = {samples.episode: samples for samples in _samples(key, rows, read, motion) if suspects(samples)}
    findings += _narrowed(dataset, key, odd)
    findings += _brief(dataset, key, read, motion, findings)
    return CameraSeen(findings, joined_cameras(facts) if facts else None, list(read))


def _samples(key: str, rows: Wanted, read: Mapping[int, FrameFacts], motion: Motion) -> Iterator[CameraSamples]:
    """Of each episode that was read, with what the camera shows of the robot's motion in all of them."""
    moved = {n: np.diff(joint_paths(motion[n])[rows[n]], axis=0) for n in read if n in motion}
    shown = None
    if moved:
        changes = {number: camera_checks.changes_of(read[number]) for number in moved}
        seen = {number: camera_checks.seen_pairs(read[number]) for number in moved}
        width = max(values.shape[1] for values in moved.values())
        moved = {number: values for number, values in moved.items() if values.shape[1] == width}
        told = [
            (np.full(seen[n].sum(), n), np.flatnonzero(seen[n]), moved[n][seen[n]], *(c[seen[n]] for c in changes[n]))
            for n in moved
        ]
        episode, pair, joints, change, spot = (np.concatenate(parts) for parts in zip(*told, strict=True))
        weights = joint_weights(change, joints)
        moved = {number: seen_motion(values, weights) for number, values in moved.items()}
        shown = Shown(episode, pair, seen_motion(joints, weights), change, spot)
    for number, frames in read.items():
        yield CameraSamples(number, key, np.array(rows[number], np.int64), frames, moved.get(number), shown)


def _narrowed(dataset: Dataset, key: str, odd: Mapping[int, CameraSamples]) -> Iterator[Finding]:
    """The stretches of episodes that have some, to the row."""
    between = {number: rows_between(samples, suspects(samples)) for number, samples in odd.items()}
    frames = dict(_frames(dataset, key, {number: rows for number, rows in between.items() if rows}))
    for number, samples in odd.items():
        fine = frames.get(number)
        exact = fine if isinstance(fine, FrameFacts) else None
        yield from camera_checks.camera_findings(samples, suspects(samples), between[number], exact)


def _brief(
    dataset: Dataset, key: str, episodes: Collection[int], motion: Motion, told: Sequence[Finding]
) -> list[Finding]:
    """What lies between the samples, where the packets' sizes say that there is something."""
    wanted: dict[int, list[int]] = {}
    paths = {number: joint_paths(motion[number]).sum(axis=1) for number in episodes if number in motion}
    known_sizes: dict[Path, PacketSizes | None] = {}
    for number in episodes:
        sizes = _sizes(dataset, key, number, known_sizes)
        near = brief_frames.places(sizes.sizes, sizes.keys, dataset.fps, paths.get(number)) if sizes else []
        if near:
            wanted[number] = sorted({row for a, b in near for row in range(a, b)})
    found: list[Finding] = []
    for number, frames in _frames(dataset, key, wanted):
        if isinstance(frames, FrameFacts):
            known = [f.rows for f in told if f.episode == number and f.rows]
            found += brief_frames.brief_findings(
                (number, key), wanted[number], frames.small, path=paths.get(number), told=known
            )
    return found


def _sizes(dataset: Dataset, key: str, number: int, files: dict[Path, PacketSizes | None]) -> PacketSizes | None:
    """Of one episode's frames; None of stored images, and of files whose index does not tell. files: read already."""
    length = dataset.episodes[number].length
    if key not in dataset.episodes[number].videos:
        return None
    path, first = dataset.frame(key, number, 0)
    if path not in files:
        files[path] = packet_sizes(path)
    whole = files[path]
    if whole is None or first + length > len(whole.sizes):
        return None
    return PacketSizes(whole.sizes[first : first + length], whole.keys[first : first + length])


def _frames(dataset: Dataset, key: str, rows: Wanted) -> Iterator[tuple[int, FrameFacts | Exception]]:
    """What is kept of the wanted rows' frames, episode by episode, or why they cannot be had."""
    for run in _runs(dataset, key, rows):
        try:
            yield from list(_run_frames(dataset, key, run))
        except (DatasetError, VideoError, ValueError):  # of one of them: the others may be read alone
            for number, wanted in run.items():
                try:
                    yield from list(_run_frames(dataset, key, {number: wanted}))
                except (DatasetError, VideoError, ValueError) as error:
                    yield number, error


def _runs(dataset: Dataset, key: str, rows: Wanted) -> Iterator[dict[int, Sequence[int]]]:
    """Neighbouring episodes whose frames are in one video file; those of stored images alone."""
    run: dict[int, Sequence[int]] = {}
    last = None
    for number, wanted in rows.items():
        span = dataset.episodes[number].videos.get(key)
        index = None if span is None else span.file_index
        if run and (index is None or index != last):
            yield run
            run = {}
        run[number], last = wanted, index
    if run:
        yield run


def _run_frames(dataset: Dataset, key: str, rows: Wanted) -> Iterator[tuple[int, FrameFacts]]:
    """Raises: DatasetError, VideoError; ValueError for frames of several sizes."""
    if key not in dataset.episodes[next(iter(rows))].videos:
        for number, wanted in rows.items():
            cells = dataset.rows(number, [key]).column(key)
            frames = map(stored_frame, coded_frames(cells.take(pa.array(wanted))))
            yield number, frame_facts([rgb.mean(axis=2).astype(np.uint8) for rgb in frames])
        return
    path, _ = dataset.frame(key, next(iter(rows)), 0)
    firsts = {number: dataset.frame(key, number, 0)[1] for number in rows}
    owners = sorted((firsts[number] + row, number) for number, wanted in rows.items() for row in wanted)
    held: dict[int, list[Grey]] = {number: [] for number in rows}
    decoded = grey_at(str(path), [frame for frame, _ in owners])
    for (_, grey), (_, number) in zip(decoded, owners, strict=True):
        held[number].append(grey)
        if len(held[number]) == len(rows[number]):
            yield number, frame_facts(held.pop(number))
