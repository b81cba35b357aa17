"""PNG files of a dataset for people: a contact sheet and the curves of state and action for each episode.

The sheet needs nothing; curves need matplotlib (extra `plot`).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.errors import DatasetError
from telecine.core.findings import Finding
from telecine.core.quality.episode_rows import ACTION, STATE
from telecine.dataset.reader import Dataset, open_dataset
from telecine.dataset.values import to_numpy
from telecine.inspection.dataset_frames import frames_of, spread_rows
from telecine.video.frames.png import Cell, sheet, write_png

MOST_ELEMENTS = 16
"""Elements drawn; more cannot be distinguished on a page."""


def write_pngs(root: str | Path, folder: Path, findings: Sequence[Finding] = ()) -> Iterator[Path]:
    """Write `episode_N_pictures.png` and `episode_N_curves.png` of each episode into `folder`; each when it is there.

    Raises: DatasetError when matplotlib is not installed; nothing is written then.
    """
    require_curves()
    dataset = open_dataset(root)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(dataset.episodes)):
        if dataset.cameras:
            path = folder / f"episode_{number:06d}_pictures.png"
            rows = [_cells(dataset, key, number, of_camera(findings, number, key)) for key in dataset.cameras]
            write_png(path, sheet(rows, title=_title(dataset, number)))
            yield path
    for number in range(len(dataset.episodes)):
        path = folder / f"episode_{number:06d}_curves.png"
        if _draw(dataset, number, path, [f for f in findings if f.episode == number]):
            yield path


def of_camera(findings: Iterable[Finding], number: int, key: str) -> list[Finding]:
    """The warnings and errors about one camera of an episode that have rows."""
    return [f for f in findings if f.episode == number and f.key == key and f.rows and f.severity != "info"]


def _title(dataset: Dataset, number: int) -> str:
    return f"episode {number}: {', '.join(dataset.episodes[number].tasks)}"


def _cells(dataset: Dataset, key: str, number: int, findings: Sequence[Finding]) -> list[Cell]:
    """Frames spread over the episode, and one of each finding that none of them shows; those of findings are marked."""
    rows = set(spread_rows(dataset.episodes[number].length))
    for finding in findings:
        assert finding.rows is not None
        start, stop = finding.rows
        if not any(start <= row < stop for row in rows):
            rows.add((start + stop) // 2)
    listed, name = sorted(rows), key.rpartition(".")[2]
    cells = []
    for row, rgb in zip(listed, frames_of(dataset, key, number, listed), strict=True):
        codes = [f.code.removeprefix("look-") for f in findings if f.rows and f.rows[0] <= row < f.rows[1]]
        text = " ".join([f"{name} {row / dataset.fps:.2f} s", *codes])
        cells.append(Cell(rgb, text, bool(codes)))
    return cells


def _draw(dataset: Dataset, number: int, path: Path, findings: Sequence[Finding]) -> bool:
    """One axis an element, state and action together, rows of findings in red; False when there is neither."""
    columns = [c for c in dataset.features if c.key in (STATE, ACTION) and len(c.shape) == 1]
    if not columns:
        return False
    table = dataset.rows(number, [c.key for c in columns])
    curves = {c.key: to_numpy(table.column(c.key), c).reshape(table.num_rows, -1) for c in columns}
    names = max((c.names or () for c in columns), key=len)
    width = min(max(v.shape[1] for v in curves.values()), MOST_ELEMENTS)
    figure = figure_of(width)
    time = np.arange(table.num_rows) / dataset.fps
    for element in range(width):
        axis = figure.add_subplot(-(-width // 2), 2, element + 1)
        for key, values in curves.items():
            if element < values.shape[1]:
                axis.plot(time, values[:, element], label=key, linewidth=1)
        axis.set_title(names[element] if element < len(names) else f"element {element}", fontsize=8)
        axis.tick_params(labelsize=6)
        for start, stop in {f.rows for f in findings if f.rows and f.severity != "info" and f.key in (None, *curves)}:
            axis.axvspan((start - 0.5) / dataset.fps, (stop - 0.5) / dataset.fps, color="red", alpha=0.15, linewidth=0)
        if element == 0:
            axis.legend(fontsize=6)
    codes = dict.fromkeys(f.code.removeprefix("look-") for f in findings if f.rows and f.severity != "info")
    told = f"; {', '.join(codes)}" if codes else ""
    figure.suptitle(f"{_title(dataset, number)}; over seconds{told}", fontsize=10)
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
    height = 1 + 1.6 * rows  # inches; margins are in inches too. Matplotlib's own layout takes as long as the drawing.
    figure = Figure(figsize=(10, height))
    figure.subplots_adjust(0.06, 0.3 / height, 0.98, 1 - 0.6 / height, wspace=0.12, hspace=0.4)
    return figure
