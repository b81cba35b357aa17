"""The curves of state and action of an episode, for people: an axis a name, with what is called alike together.

Needs matplotlib (extra `plot`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import DatasetError
from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import ACTION, STATE
from telecine.core.recording import Array
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.units import units_of
from telecine.dataset.values import to_numpy

MOST_AXES = 16
"""More cannot be distinguished on a page."""
COLOURS = {STATE: "#1f77b4", ACTION: "#ff7f0e"}
"""The same on every page."""
LEAST_SHARE = 0.05
"""Of the largest range of an element: what moves less is drawn as the little that it is."""
LEAST_RANGE = 0.01
"""An axis spans no less, in whatever unit: 0.6 degrees, or a centimetre."""


@dataclass(frozen=True, eq=False, slots=True)
class Axis:
    """One axis: its name, and the curves on it by feature, (rows,) each."""

    name: str
    curves: Mapping[str, Array]


def axes_of(values: Mapping[str, Array], names: Mapping[str, Sequence[str]]) -> list[Axis]:
    """An axis for each element; state and action share one only where the element is called alike in both.

    values: feature -> (rows, elements). names: of those whose elements have names.

    >>> [a.name for a in axes_of({"action": np.zeros((2, 1))}, {"action": ["grip"]})]
    ['grip']
    """
    found: dict[str, dict[str, Array]] = {}
    for key, columns in values.items():
        own = names.get(key) or ()
        short = key.rpartition(".")[2]
        for element in range(columns.shape[1]):
            name = own[element] if element < len(own) else f"{short} {element}"
            found.setdefault(name, {})[key] = columns[:, element]
    return [Axis(name, curves) for name, curves in found.items()]


def limits(axis: Axis, widest: float) -> tuple[float, float] | None:
    """From where to where an axis goes, so that noise does not look like motion; None where there is no number.

    widest: the largest range of an element on the page.
    """
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in axis.curves.values()])
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    half = max(high - low, LEAST_SHARE * widest, LEAST_RANGE) * 0.55
    return (low + high) / 2 - half, (low + high) / 2 + half


def range_of(axis: Axis) -> float:
    """How far its curves reach, 0 without a number."""
    spans = [float(np.ptp(c[np.isfinite(c)])) for c in axis.curves.values() if np.isfinite(c).any()]
    return max(spans, default=0.0)


def draw_curves(dataset: Dataset, number: int, path: Path, title: str, findings: Sequence[Finding]) -> bool:
    """Write the page of an episode, rows of findings in red; False when it has neither state nor action."""
    columns = [c for c in dataset.features if c.key in COLOURS and len(c.shape) == 1]
    if not columns:
        return False
    table = dataset.rows(number, [c.key for c in columns])
    values = {c.key: to_numpy(table.column(c.key), c).reshape(table.num_rows, -1).astype(float) for c in columns}
    axes = axes_of(values, {c.key: c.names or () for c in columns})
    units = units_of(dataset.root)
    figure = figure_of(min(len(axes), MOST_AXES))
    time = np.arange(table.num_rows) / dataset.fps
    widest = max((range_of(axis) for axis in axes), default=0.0)
    lines: dict[str, Any] = {}
    spans = {f.rows for f in findings if f.rows and f.severity != "info" and f.key in (None, *values)}
    for position, axis in enumerate(axes[:MOST_AXES], 1):
        drawn = figure.add_subplot(-(-min(len(axes), MOST_AXES) // 2), 2, position)
        for key, curve in axis.curves.items():
            (lines[key],) = drawn.plot(time, curve, linewidth=1, color=COLOURS[key])
        here = dict.fromkeys(units[key] for key in axis.curves if key in units)
        drawn.set_title(axis.name + (f" [{', '.join(here)}]" if here else ""), fontsize=8)
        drawn.tick_params(labelsize=6)
        if (ends := limits(axis, widest)) is not None:
            drawn.set_ylim(*ends)
        for start, stop in spans:
            drawn.axvspan((start - 0.5) / dataset.fps, (stop - 0.5) / dataset.fps, color="red", alpha=0.15, linewidth=0)
    codes = dict.fromkeys(f.code.removeprefix("look-") for f in findings if f.rows and f.severity != "info")
    parts = [f"{title}; over seconds", *([", ".join(codes)] if codes else [])]
    parts += [] if units else ["no unit is stated"]
    parts += [f"{MOST_AXES} of {counted(len(axes), 'element')}"] if len(axes) > MOST_AXES else []
    figure.suptitle("; ".join(parts), fontsize=10)
    figure.legend(lines.values(), lines, fontsize=7, loc="lower right", ncols=2, frameon=False)
    figure.savefig(path, dpi=100)
    return True


def require_curves() -> None:
    """Nothing, where curves can be drawn. Raises: DatasetError when matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401 - whether it is there
    except ImportError as error:
        raise DatasetError("drawing curves needs: pip install 'telecine[plot]'") from error


def figure_of(width: int) -> Any:
    """A figure for `width` small axes that needs no display and no global state."""
    from matplotlib.figure import Figure

    rows = -(-width // 2)
    # Inches, as the margins are. Matplotlib's own layout takes as long as the drawing.
    height = 1.2 + 1.6 * rows
    figure = Figure(figsize=(10, height))
    figure.subplots_adjust(0.06, 0.5 / height, 0.98, 1 - 0.6 / height, wspace=0.12, hspace=0.4)
    return figure
