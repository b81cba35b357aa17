"""Rates of the inputs of one dataset: where they differ, and where stored times are off the grid of their rate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.episode import Use
from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.grid import ON_GRID_NS, SECOND, Rows, off_rows_s
from telecine.core.recording import Recording
from telecine.core.text.numbers import counted, counted_of, percent_text

SAME = 0.02
"""Rates this close are one rate."""
SHOWN = 3
"""Rows, or inputs, that a message lists."""


@dataclass(frozen=True, slots=True)
class InputRate:
    """Samples per second of one feature in one input: a file, or all episodes of a dataset."""

    name: str
    episodes: int
    hz: float


def distinct_rates(rates: Iterable[float]) -> list[float]:
    """One of each group of rates within 2 % of each other, slowest first; 0 (a single sample) is no rate.

    >>> distinct_rates([30.0, 15.0, 29.97, 0.0])
    [15.0, 29.97]
    """
    found: list[float] = []
    for hz in sorted(hz for hz in rates if hz > 0):
        if not found or hz > found[-1] * (1 + SAME):
            found.append(hz)
    return found


def input_rates(uses: Iterable[tuple[str, Sequence[Use]]], cameras: frozenset[str]) -> list[InputRate]:
    """The rate of the feature in which inputs differ most; [] where none differs.

    uses: (input, how the streams of one of its episodes served). cameras: keys of the features that are compared;
    others only where a dataset has no camera and their rates are whole numbers, since a topic that is sent when
    something changes has no rate.
    """
    rates: dict[str, dict[str, list[float]]] = {}
    for name, episode in uses:
        for use in episode:
            if use.rate_hz > 0 and (use.key in cameras or (not cameras and _is_whole(use.rate_hz))):
                rates.setdefault(use.key, {}).setdefault(name, []).append(use.rate_hz)
    spread = {key: _spread(of_inputs) for key, of_inputs in rates.items()}
    key = max(spread, key=lambda key: spread[key], default=None)
    if key is None or spread[key] <= 1 + SAME:
        return []
    return [InputRate(name, len(found), median(found)) for name, found in rates[key].items()]


def _spread(rates: Mapping[str, Sequence[float]]) -> float:
    typical = [median(found) for found in rates.values()]
    return max(typical) / min(typical)


def _is_whole(hz: float) -> bool:
    return abs(hz - round(hz)) < 1e-3 * hz


def rate_findings(inputs: Sequence[InputRate], fps: int, where: str) -> list[Finding]:
    """One warning that has the rate of each input, and which of its rows repeat or which samples are left out."""
    if not inputs:
        return []
    rates = distinct_rates(i.hz for i in inputs)
    parts = []
    for hz, above in zip(rates, [*rates[1:], float("inf")], strict=True):
        names = [f"{i.name} ({counted(i.episodes, 'episode')})" for i in inputs if hz <= i.hz < above]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        parts.append(f"{', '.join(names[:SHOWN])}{more}: {hz:.4g} Hz{_effect(hz, fps)}")
    text = f"the inputs have different rates, the dataset has {counted(fps, 'row')} per second. " + "; ".join(parts)
    fix = (
        f"set `fps` to {round(rates[0])} and no row repeats"
        if round(rates[0]) < fps and rates[0] * (1 + SAME) < fps
        else ""
    )
    return [Finding("align-rates", "warning", where, text, fix)]


def _effect(hz: float, fps: int) -> str:
    """What happens to samples at `hz` on rows at `fps`."""
    ratio = fps / hz
    if ratio > 1 + SAME:
        whole = abs(ratio - round(ratio)) < SAME
        each = "" if whole else f"{int(ratio)} or "
        each += counted(round(ratio) if whole else int(ratio) + 1, "row")
        samples = np.floor(np.arange(20 * (int(ratio) + 1)) / ratio + 1e-9).astype(np.int64)
        rows = repeated_rows(samples, last=False)
        return f", so each sample fills {each}, and rows {rows} and so on repeat the row before"
    return f", so {percent_text(1 - ratio)} of its samples are in no row" if ratio < 1 - SAME else ""


def repeated_rows(rows: Rows, *, last: bool = True) -> str:
    """Numbers of the rows that show the sample of the row before, as a list. rows: (m,) int64, non-decreasing.

    >>> repeated_rows(np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    '1, 3, 5 ... 7'
    """
    repeated = (np.flatnonzero(np.diff(rows) == 0) + 1).tolist()
    more = f" ... {repeated[-1]}" if last and len(repeated) > SHOWN else ""
    return ", ".join(map(str, repeated[:SHOWN])) + more


def time_findings(recording: Recording) -> Iterator[Finding]:
    """Rows whose stored time is not that of their grid, as LeRobot compares them: as float32, within 0.1 ms."""
    if recording.rows is None or recording.stored_times is None:
        return
    where, fps = recording.ref.label, recording.rows.fps
    try:
        stored = recording.stored_times()
    except SourceError as error:  # nothing else is read of them, so the rows stay usable
        yield Finding("source-timestamps", "warning", where, f"they cannot be compared: {error}", key="timestamp")
        return
    off = off_rows_s(stored, float(fps))
    wrong = np.flatnonzero(~(off < ON_GRID_NS / SECOND))
    if wrong.size:
        text = (
            f"{counted_of(wrong.size, stored.size, 'timestamp', 'is', 'are')} off the grid of {fps} fps, by up to "
            f"{off.max() * 1e3:.1f} ms, first in row {int(wrong[0])}; row i is taken as of i / {fps} s, as LeRobot does"
        )
        fix = "convert the original recordings, whose own times are resampled"
        yield Finding("source-timestamps", "warning", where, text, fix, key="timestamp")
