"""One episode's cameras beside those of the others: copies, a first frame of another episode, cameras exchanged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from telecine.core.findings import Finding
from telecine.core.quality.camera_checks import DIM_FROM, SAME
from telecine.core.quality.frame_facts import FrameFacts, difference, printed
from telecine.core.stats import Floats
from telecine.core.text.numbers import percent_text

Prints = npt.NDArray[np.float32]
FEW = 4
PRINTS = 5
"""Frames of an episode that are compared with those of others, spread from its first row to its last."""
CHANGES = 2.0
"""How much an episode's prints have to differ among themselves before equal ones mean a copy."""
COPY, NEAR_PIXEL, NEAR_FINE = 0.3, 3.0, 5.0
"""How far the prints of one frame, coded twice, are apart: on average, and where they differ most, there and in the
finer images of an episode's ends. Where only a small thing lies elsewhere, only these tell."""
DIM, BLURRED = 0.5, 0.4
TURNED, TURNED_LEAST, TURNED_TIMES = 8.0, 2.0, 4.0
"""How far, of 255, an episode's mean image is from the usual one before it is compared with that one turned; where
others hardly differ from it, so far and so many times as far as they are."""
CLOSER = 0.5
"""How many times nearer an exchanged camera is to the other's usual image than to its own."""


@dataclass(frozen=True, eq=False, slots=True)
class CameraLook:
    """One camera in e episodes. prints: (e, 5, 12, 16). mean: (e, 12, 16). first, second, last: (e, height, width).

    brightness, detail, changes: (e,); changes: how much the prints of one episode differ.
    """

    prints: Prints
    mean: Prints
    first: Prints
    second: Prints
    last: Prints
    brightness: Floats
    detail: Floats
    changes: Floats

    def of(self, positions: Sequence[int]) -> "CameraLook":
        """Of the episodes at these positions."""
        at = np.asarray(positions, np.int64)
        return CameraLook(*(getattr(self, field.name)[at] for field in fields(CameraLook)))


def facts_of_camera(rows: Sequence[int], frames: FrameFacts) -> CameraLook:
    """Of one episode; rows: those of the frames, its first two (or the only one) and its last among them."""
    at = np.linspace(0, rows[-1], PRINTS).round()
    picked = np.abs(np.asarray(rows)[:, None] - at).argmin(axis=0)
    chosen = printed(frames.small[picked])
    mean = printed(frames.small.mean(axis=0, keepdims=True))  # the mean of all prints
    changes = float(difference(chosen, chosen.mean(axis=0)).mean())
    second = min(1, len(rows) - 1)
    fine = printed_fine(frames.small[[0, second, -1]])
    return CameraLook(
        chosen[None], mean, fine[[0]], fine[[1]], fine[[2]],
        np.array([frames.brightness.mean()]), np.array([np.median(frames.detail)]), np.array([changes]),
    )  # fmt: skip


def printed_fine(small: Prints) -> Prints:
    """(k, height, width) at half the size, which is kept of each episode's ends."""
    height, width = (side // 2 * 2 for side in small.shape[1:])
    if min(height, width) < 24:
        return small
    halves = small[:, :height, :width].reshape(len(small), height // 2, 2, width // 2, 2)
    made: Prints = halves.mean(axis=(2, 4))
    return made


def joined_cameras(parts: Sequence[CameraLook]) -> CameraLook | None:
    """The facts of several runs of episodes in one; None without any, or when their frames are not of one size."""
    if len({part.first.shape[1:] for part in parts}) != 1:
        return None
    return CameraLook(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(CameraLook)))


def camera_comparisons(
    cameras: Mapping[str, CameraLook], episodes: Sequence[int], lengths: Sequence[int]
) -> Iterator[Finding]:
    """episodes: the number of each, as the arrays have them. lengths: rows of each."""
    for key, own in cameras.items():
        yield from _first_frames(key, own, episodes)
        yield from _unlike(key, own, episodes, lengths)
    yield from _copies(cameras, episodes, lengths)
    yield from _exchanged(cameras, episodes, lengths)
    for key, own in cameras.items():
        yield from _turned(key, own, episodes, lengths)
        yield from _faded(key, own, episodes, lengths)


def _first_frames(key: str, own: CameraLook, episodes: Sequence[int]) -> Iterator[Finding]:
    same = difference(own.first[1:], own.last[:-1])
    moved = difference(own.second[1:], own.first[1:])
    for at in np.flatnonzero((same < 2 * SAME) & (moved > 1.2) & (moved > 6 * same)).tolist():
        number = episodes[at + 1]
        if number != episodes[at] + 1:
            continue
        text = f"the first frame is the last of episode {number - 1}"
        fix = "the camera was read before it drew the new episode: cut the first row"
        where = f"episode {number} {key}"
        yield Finding("look-first-frame", "warning", where, text, fix, episode=number, key=key, rows=(0, 1))


def _unlike(key: str, own: CameraLook, episodes: Sequence[int], lengths: Sequence[int]) -> Iterator[Finding]:
    """Whole episodes that are much darker or less sharp than the others."""
    if len(episodes) < FEW:
        return
    bright, detail = float(np.median(own.brightness)), float(np.median(own.detail))
    lit = own.brightness > 16
    dim = (own.brightness < DIM * bright) & (bright >= DIM_FROM) & lit
    blurred = (own.detail < BLURRED * detail) & lit & ~dim & (own.brightness < 240)
    for code, which, text in (
        ("look-dim", dim, f"much darker than in most episodes: mean brightness {{0:.0f}}, usually {bright:.0f}"),
        ("look-blurred", blurred, "blurred: {1} of the detail that most episodes have"),
    ):
        if which.mean() > 0.3:
            continue  # two usual kinds of light, or of focus
        for at in np.flatnonzero(which).tolist():
            number = episodes[at]
            said = text.format(own.brightness[at], percent_text(own.detail[at] / max(detail, 1e-9)))
            yield _whole(code, number, key, lengths[at], said, "check exposure, lights and focus")


def _copies(cameras: Mapping[str, CameraLook], episodes: Sequence[int], lengths: Sequence[int]) -> Iterator[Finding]:
    """Episodes of equal length of which each camera's frames are those of another episode."""
    told: set[int] = set()
    for key, own in cameras.items():
        for earlier, later in _alike(own, lengths):
            number = episodes[later]
            if number not in told:
                told.add(number)
                text = f"the frames are those of episode {episodes[earlier]}"
                yield _whole("look-copy", number, key, lengths[later], text, "leave one of the two out")


def _alike(own: CameraLook, lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(earlier, later) positions of episodes of one length with equal prints.

    Only episodes are compared that agree in the pixel that differs most between episodes, found by sorting.
    """
    flat = own.prints.reshape(len(own.prints), -1)
    rows = np.asarray(lengths)
    at = np.flatnonzero(own.changes >= CHANGES)
    pixel = flat[at, int(flat[at].var(axis=0).argmax())] if at.size else np.empty(0)
    order = np.lexsort((pixel, rows[at]))
    at, pixel = at[order], pixel[order]
    for place, one in enumerate(at.tolist()):
        same_length = int(np.searchsorted(rows[at], rows[one], side="right"))
        stop = place + 1 + int(np.searchsorted(pixel[place + 1 : same_length], pixel[place] + NEAR_PIXEL, side="right"))
        near = at[place + 1 : stop]
        if near.size:
            off = np.abs(flat[near] - flat[one])
            equal = (off.mean(axis=1) < COPY) & (off.max(axis=1) < NEAR_PIXEL)
            for ends in (own.first, own.second, own.last):
                equal &= np.abs(ends[near] - ends[one]).max(axis=(1, 2)) < NEAR_FINE
            yield from ((min(one, other), max(one, other)) for other in near[equal].tolist())


def _exchanged(cameras: Mapping[str, CameraLook], episodes: Sequence[int], lengths: Sequence[int]) -> Iterator[Finding]:
    """Episodes in which two cameras each show what the other one usually does."""
    keys = list(cameras)
    if len(episodes) < FEW:
        return
    usual = {key: np.median(own.mean, axis=0) for key, own in cameras.items()}
    for i, one in enumerate(keys):
        for two in keys[i + 1 :]:
            if usual[one].shape != usual[two].shape:
                continue
            a, b = cameras[one].mean, cameras[two].mean
            swapped = (difference(a, usual[two]) < CLOSER * difference(a, usual[one])) & (
                difference(b, usual[one]) < CLOSER * difference(b, usual[two])
            )
            for at in np.flatnonzero(swapped).tolist() if swapped.mean() < 0.5 else ():
                number = episodes[at]
                text = f"{one} and {two} are exchanged: each shows what the other does in most episodes"
                fix = "record which camera is which, or leave the episode out"
                yield _whole("look-cameras", number, one, lengths[at], text, fix)


def _turned(key: str, own: CameraLook, episodes: Sequence[int], lengths: Sequence[int]) -> Iterator[Finding]:
    """Episodes in which a camera shows its usual image rotated 180 degrees or mirrored."""
    if len(episodes) < FEW:
        return
    usual = np.median(own.mean, axis=0)
    ways = ("as usual", "rotated 180 degrees", "mirrored", "flipped top to bottom")
    shown = (usual, usual[::-1, ::-1], usual[:, ::-1], usual[::-1])
    off = np.stack([difference(own.mean, other) for other in shown])
    least = min(TURNED, max(TURNED_LEAST, TURNED_TIMES * float(np.median(off[0]))))
    turned = (off.min(axis=0) < CLOSER * off[0]) & (off[0] > least)
    for at in np.flatnonzero(turned).tolist() if turned.mean() < 0.5 else ():
        number = episodes[at]
        text = f"the camera is {ways[int(off[:, at].argmin())]}, beside most episodes"
        fix = "see how it was mounted or set; `turn` in a plan turns frames, or leave the episode out"
        yield _whole("look-cameras", number, key, lengths[at], text, fix)


def _faded(key: str, own: CameraLook, episodes: Sequence[int], lengths: Sequence[int]) -> Iterator[Finding]:
    """Episodes that slowly become much darker than the others are at that time."""
    bright = own.prints.mean(axis=(2, 3), dtype=np.float64)
    usual = np.median(bright, axis=0)
    dim = (bright < DIM * usual) & (usual >= DIM_FROM)
    fading = (
        dim[:, -1] & ~dim[:, 0] & (np.diff(bright, axis=1) < 0).all(axis=1) & (own.brightness >= DIM * usual.mean())
    )
    for at in np.flatnonzero(fading).tolist() if len(episodes) >= FEW and fading.mean() < 0.3 else ():
        number = episodes[at]
        text = f"fades: mean brightness {bright[at, 0]:.0f} in its first row, {bright[at, -1]:.0f} in its last"
        text += f", {usual[-1]:.0f} there in most episodes"
        yield _whole("look-dim", number, key, lengths[at], text, "lock the exposure")


def _whole(code: str, number: int, key: str, length: int, text: str, fix: str) -> Finding:
    """What is told of a camera in all rows of an episode."""
    where = f"episode {number} {key}"
    return Finding(code, "warning", where, text, fix, episode=number, key=key, rows=(0, length))
