"""What is kept of each episode's numbers, so that episodes can be compared; arrays over many episodes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from telecine.core.quality.episode_rows import ACTION, STATE
from telecine.core.stats import Floats
from telecine.core.video import Flags

Ints = npt.NDArray[np.int64]
LONGEST_LAG_S = 1.0
FEWEST_S = 2.0
"""Shorter episodes say too little about the lag."""
CLEAR = 0.6
"""Correlation of speeds, at the best lag, from which the lag of an episode is known."""
CLEAR_SHARE = 0.3
"""Of the elements that move so many have to be clear by themselves; the others rest, or are moved by something else."""
COURSE = 9
NEARLY = 1.5
"""So many times as much that does not agree as at the best lag is nearly as good."""


@dataclass(frozen=True, eq=False, slots=True)
class KeyFacts:
    """One feature in e episodes, each array (e, width): its ends, means, and the rows of the ends.

    course: (e, COURSE, width) its values at rows spread from the first to the last.
    """

    low: Floats
    high: Floats
    mean: Floats
    low_row: Ints
    high_row: Ints
    course: Floats

    def of(self, which: Flags) -> "KeyFacts":
        """Of some of the episodes; which: (e,)."""
        return KeyFacts(*(getattr(self, field.name)[which] for field in fields(KeyFacts)))


@dataclass(frozen=True, eq=False, slots=True)
class RowFacts:
    """The numbers of e episodes. digests: e texts, "" where nothing moves. lag_rows: (e, 3) of `lag_rows`."""

    episodes: Ints
    """(e,) the number of each."""
    lengths: Ints
    keys: Mapping[str, KeyFacts]
    digests: tuple[str, ...]
    lag_rows: Floats


def facts_of(values: Mapping[str, Floats], episodes: Ints, lengths: Ints, fps: int) -> RowFacts:
    """Of the finite (rows, width) values of episodes, one after the other; each has a row at least."""
    starts = np.cumsum(lengths) - lengths
    kept = {key: values[key] for key in (STATE, ACTION) if key in values}
    keys = {key: _key_facts(v, starts, lengths) for key, v in kept.items()}
    whole = np.ascontiguousarray(np.concatenate(list(kept.values()), axis=1)) if kept else np.zeros((0, 0))
    digests, lags = [], np.full((len(lengths), 3), np.nan)
    for number, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        part = whole[start : start + length]
        moves = part.size > 0 and bool((part != part[0]).any())
        digests.append(hashlib.blake2b(part.tobytes(), digest_size=12).hexdigest() if moves else "")
        if len(kept) == 2 and kept[STATE].shape == kept[ACTION].shape and length >= FEWEST_S * fps and moves:
            state, action = (kept[key][start : start + length] for key in (STATE, ACTION))
            lags[number] = lag_rows(action, state, round(LONGEST_LAG_S * fps))
    return RowFacts(episodes, lengths, keys, tuple(digests), lags)


def _key_facts(values: Floats, starts: Ints, lengths: Ints) -> KeyFacts:
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    mean = np.add.reduceat(values, starts) / lengths[:, None]
    rows = np.arange(len(values)) - np.repeat(starts, lengths)

    def first(ends: Floats) -> Ints:
        at = np.where(values == np.repeat(ends, lengths, axis=0), rows[:, None], len(values))
        return np.asarray(np.minimum.reduceat(at, starts), np.int64)

    at = starts[:, None] + np.round((lengths - 1)[:, None] * np.linspace(0, 1, COURSE)).astype(np.int64)
    return KeyFacts(low, high, mean, first(low), first(high), values[at])


def lag_rows(action: Floats, state: Floats, longest: int) -> tuple[float, float, float]:
    """(lag, low, high) by how many rows the state follows the action, from their speeds; NaN where that is not clear.

    action, state: (n, w) of the same elements. Negative: the action follows the state. From low to high are lags at
    which they agree nearly as well: with joints that hardly move, or that something else moves, that is much.
    """
    unclear = (float("nan"),) * 3
    if len(action) - 1 < 2 * longest:
        return unclear
    before, after = np.diff(action, axis=0), np.diff(state, axis=0)
    moves = (before.std(axis=0) > 0) & (after.std(axis=0) > 0)
    if not moves.any():
        return unclear
    before, after = _standard(before[:, moves]), _standard(after[:, moves])
    count, width = before.shape
    size = 1 << int(2 * count - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(before, size, axis=0)) * np.fft.rfft(after, size, axis=0)
    shifts = np.arange(-longest // 3, longest + 1)
    each = np.fft.irfft(spectrum, size, axis=0)[shifts] / np.maximum(count - np.abs(shifts), 1)[:, None]
    clear = each.max(axis=0) >= CLEAR
    if clear.sum() < width * CLEAR_SHARE:
        return unclear
    match = each[:, clear].mean(axis=1)
    best = int(match.argmax())
    if match[best] < CLEAR or best in (0, len(shifts) - 1):
        return unclear
    nearly = shifts[1 - match <= NEARLY * (1 - match[best])]
    left, middle, right = match[best - 1 : best + 2]
    bend = left - 2 * middle + right
    lag = float(shifts[best] + (0.5 * (left - right) / bend if bend else 0.0))
    return lag, min(lag, float(nearly.min(initial=shifts[best]))), max(lag, float(nearly.max(initial=shifts[best])))


def _standard(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    made: Floats = centred / centred.std(axis=0)
    return made


def joined(parts: Sequence[RowFacts]) -> RowFacts:
    """The facts of several runs of episodes in one; keys of another width than in the first are left out."""
    widths = {key: facts.low.shape[1] for key, facts in parts[0].keys.items()}
    same = [key for key, w in widths.items() if all(key in p.keys and p.keys[key].low.shape[1] == w for p in parts)]
    keys = {
        key: KeyFacts(*(np.concatenate([getattr(p.keys[key], f.name) for p in parts]) for f in fields(KeyFacts)))
        for key in same
    }
    return RowFacts(
        np.concatenate([p.episodes for p in parts]),
        np.concatenate([p.lengths for p in parts]),
        keys,
        tuple(d for p in parts for d in p.digests),
        np.concatenate([p.lag_rows for p in parts]),
    )
