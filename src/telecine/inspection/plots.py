"""PNG files of a dataset for people: a contact sheet and the curves of state and action for each episode.

The sheet needs nothing; curves need matplotlib (extra `plot`).
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from telecine.core.findings import Finding
from telecine.dataset.camera_frames import frames_of
from telecine.dataset.reader import Dataset, open_dataset
from telecine.inspection.curves import draw_curves, require_curves
from telecine.inspection.dataset_frames import spread_rows
from telecine.video.frames.png import Cell, sheet, write_png


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
        if draw_curves(dataset, number, path, _title(dataset, number), [f for f in findings if f.episode == number]):
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
