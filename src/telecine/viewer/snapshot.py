"""One row of an episode as a still for notebooks: the cameras' frames, and curves with the row marked. No server."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from telecine.core.errors import DatasetError
from telecine.core.text.numbers import counted
from telecine.dataset.reader import Dataset
from telecine.dataset.values import to_numpy
from telecine.viewer.curves import envelope
from telecine.viewer.stills import Still, Stills

ACTION, STATE = "action", "observation.state"
MOST_STRIPS = 24
WIDTH_PX, HEIGHT_PX, CAMERA_PX = 640, 38, 320
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One row of an episode, which notebooks show. html: all of it, with nothing to load."""

    episode: int
    row: int
    html: str

    def _repr_html_(self) -> str:
        return self.html


def snapshot(dataset: Dataset, number: int, row: int) -> Snapshot:
    """The frames of a row and the curves of its episode. Raises: DatasetError, VideoError."""
    length = dataset.episode(number).length
    if not 0 <= row < length:
        raise DatasetError(f"episode {number} has {counted(length, 'row')}, no row {row}")
    stills = Stills(dataset)
    try:
        figures = [_figure(key, stills.still(key, number, row, CAMERA_PX)) for key in dataset.cameras]
    finally:
        stills.close()
    tasks = "; ".join(dataset.episode(number).tasks)
    head = f"episode {number}, row {row} of {length}, {row / dataset.fps:.3f} s: {tasks}"
    strips = "".join(_strip(name, lines, row) for name, lines in list(_curves(dataset, number))[:MOST_STRIPS])
    html = f'<div style="font:13px sans-serif"><p>{escape(head)}</p><div>{"".join(figures)}</div>{strips}</div>'
    return Snapshot(number, row, html)


def _figure(key: str, still: Still) -> str:
    name = escape(key.removeprefix("observation.images."))
    address = f"data:{still.media_type};base64,{b64encode(still.data).decode()}"
    return f'<img src="{address}" alt="{name}" title="{name}" style="max-width:{CAMERA_PX}px;margin:0 6px 6px 0">'


def _curves(dataset: Dataset, number: int) -> Iterator[tuple[str, list[tuple[str, Values]]]]:
    """(name, [(colour, (rows,) values)]) of each element of state and action, those of one place together."""
    columns = {c.key: c for c in dataset.features if c.key in (STATE, ACTION) and len(c.shape) == 1}
    table = dataset.rows(number, list(columns)) if columns else None
    values = {
        key: to_numpy(table.column(key), column).reshape(table.num_rows, -1).astype(np.float64)
        for key, column in columns.items()
        if table is not None
    }
    names = max((column.names or () for column in columns.values()), key=len, default=())
    for element in range(max((v.shape[1] for v in values.values()), default=0)):
        colours = ((STATE, "#1f5fd0"), (ACTION, "#c2410c"))
        lines = [(colour, values[key][:, element]) for key, colour in colours
                 if key in values and element < values[key].shape[1]]  # fmt: skip
        yield (names[element] if element < len(names) else str(element)), lines


def _strip(name: str, lines: list[tuple[str, Values]], row: int) -> str:
    count = len(lines[0][1])
    every = np.concatenate([values[np.isfinite(values)] for _, values in lines])
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 0.0)
    span = high - low or 1.0
    paths = "".join(_path(values, colour, low, span) for colour, values in lines)
    x = (row + 0.5) / count * WIDTH_PX
    now = "  ".join(f"{values[row]:.4g}" for _, values in lines)
    return (
        f'<div style="display:flex;align-items:center"><span style="width:120px">{escape(name)}</span>'
        f'<svg width="{WIDTH_PX}" height="{HEIGHT_PX}" role="img" aria-label="{escape(name)}">{paths}'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT_PX}" stroke="gray"/></svg>'
        f'<span style="margin-left:8px"><b>{now}</b> ({low:.4g} .. {high:.4g})</span></div>'
    )


def _path(values: Values, colour: str, low: float, span: float) -> str:
    made = envelope(values[:, None], 0, len(values), WIDTH_PX)
    count, ends = made.low.shape[1], [made.low[0], *([] if made.high is None else [made.high[0]])]
    points = [
        f"{(i + 0.5) / count * WIDTH_PX:.1f},{2 + (low + span - end[i]) / span * (HEIGHT_PX - 4):.1f}"
        for i in range(count)
        for end in ends
        if np.isfinite(end[i])
    ]
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
