"""Idle time at the ends of an episode: where something begins to move and where all has come to rest."""

import numpy as np

from telecine.core.align import Weights
from telecine.core.findings import Finding
from telecine.core.grid import Times
from telecine.core.plan.bind import Binding, Source
from telecine.core.plan.episodes import Trim


def moving(times: Times, values: Weights, still: float) -> tuple[int, int] | None:
    """(start_ns, stop_ns): the last stamp before anything left its first value, and the first with all at rest.

    times: (n,) int64 ns, non-decreasing; values: (n, width). An element is still while it is within `still` of its
    first value, at rest once it stays within `still` of its last. NaN is no motion. None when nothing moves.
    """
    if not len(values):
        return None
    away = np.flatnonzero(np.any(np.abs(values - values[0]) > still, axis=1))
    unsettled = np.flatnonzero(np.any(np.abs(values - values[-1]) > still, axis=1))
    if not away.size or not unsettled.size:
        return None
    start, stop = sorted((int(away[0]) - 1, int(unsettled[-1]) + 1))  # a slow drift is both still and at rest midway
    return int(times[start]), int(times[stop])


def without_idle(binding: Binding, trim: Trim, whole: tuple[int, int], where: str) -> tuple[tuple[int, int], Finding]:
    """The span in `whole` (ns) without idle time at its ends, and the finding about what was left out."""
    spans = [s for source in binding.motion if (s := _moving_in(source, whole, trim.still)) is not None]
    begin, end = whole
    length = (end - begin) / 1e9
    if not spans:
        text = f"nothing moves more than {trim.still:g}, so nothing was trimmed from {length:.3f} s"
        fix = "lower `trim.still`, name other streams in `trim.by`, or reject the recording"
        return whole, Finding("align-idle", "warning", where, text, fix)
    start = max(begin, min(s[0] for s in spans) - trim.margin)
    stop = min(end, max(s[1] for s in spans) + trim.margin)
    text = (
        f"kept {(start - begin) / 1e9:.3f} s to {(stop - begin) / 1e9:.3f} s of {length:.3f} s: "
        f"{(start - begin) / 1e9:.3f} s idle at the start and {(end - stop) / 1e9:.3f} s at the end left out"
    )
    return (start, stop), Finding("align-idle", "info", where, text)


def _moving_in(source: Source, whole: tuple[int, int], still: float) -> tuple[int, int] | None:
    times = source.times()
    rows = np.flatnonzero((times >= whole[0]) & (times <= whole[1]))
    stream = source.stream
    assert stream.kind == "vector"
    values = np.asarray(stream.take(rows, source.clock), np.float64).reshape(rows.size, -1)
    return moving(times[rows], values if source.columns is None else values[:, list(source.columns)], still)
