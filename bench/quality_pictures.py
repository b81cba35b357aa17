"""The pictures of docs/quality.md: each defect as `record sim --spoil` makes it and `inspect` finds it.

    python bench/quality_pictures.py [FOLDER]      # needs matplotlib; makes its sets in FOLDER, as bench/checkers.py

Frames are JPEG, curves PNG, in docs/pictures; together they have to stay well below a megabyte.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from checkers import FIRST, SETS, made
from matplotlib.figure import Figure
from PIL import Image

from telecine.core.findings import Finding
from telecine.dataset.camera_frames import frames_of
from telecine.dataset.reader import Dataset, open_dataset
from telecine.inspection.dataset_frames import spread_rows
from telecine.inspection.quality import check_dataset
from telecine.recorder.sim.record import record
from telecine.recorder.sim.spoil import Spoil
from telecine.video.frames.png import Cell, sheet

OUT = Path(__file__).parents[1] / "docs" / "pictures"
FRAMES = 6
JOINT = 1
"""The joint that `--spoil` spoils where it is one."""
ELEMENTS = {"gripper": 5, "inverted": 5}
OTHERS = ("dead", "gripper", "units", "order", "late-state", "range", "short", "long", "copy", "inverted")
"""Shown beside the other episodes: in red among grey."""
STATE, ACTION = "observation.state", "action"


def strip(dataset: Dataset, finding: Finding, path: Path) -> None:
    """Frames of the episode spread from its first row to its last; those of the finding are marked."""
    number, key = finding.episode, finding.key
    assert number is not None
    assert key is not None
    assert finding.rows is not None
    start, stop = finding.rows
    length = dataset.episodes[number].length
    rows = sorted({*spread_rows(length, FRAMES - 1), min((start + stop) // 2, stop - 1)})
    code = finding.code.removeprefix("look-")
    name = key.rpartition(".")[2]
    cells = []
    for row, rgb in zip(rows, frames_of(dataset, key, number, rows), strict=True):
        bad = start <= row < stop
        cells.append(Cell(rgb, f"{name} {row / dataset.fps:.2f} s {code if bad else ''}", bad))
    Image.fromarray(sheet([cells], title=f"episode {number}")).save(path.with_suffix(".jpg"), quality=72, optimize=True)


def vectors(dataset: Dataset, number: int, key: str) -> np.ndarray:
    return np.array(dataset.rows(number, [key]).column(key).to_pylist(), np.float64)


def curves(dataset: Dataset, finding: Finding, kind: str, path: Path) -> None:
    """State and action of one joint over the episode, the finding's rows in red."""
    number = finding.episode
    assert number is not None
    assert finding.rows is not None
    figure = Figure(figsize=(6, 1.7))
    axis = figure.add_axes((0.08, 0.17, 0.9, 0.68))
    state, action = (vectors(dataset, number, key) for key in (STATE, ACTION))
    time = np.arange(len(state)) / dataset.fps
    if kind == "timestamps":
        stored = vectors(dataset, number, "timestamp").reshape(-1)
        axis.plot(time, 1000 * (stored - time), linewidth=1, label="timestamp - row / fps, ms")
    else:
        joint = int(np.ptp(state - np.nan_to_num(action), axis=0).argmax()) if kind == "clipped" else JOINT
        axis.plot(time, action[:, joint], linewidth=1, label="action")
        axis.plot(time, state[:, joint], linewidth=1, label="state")
    start, stop = finding.rows
    axis.axvspan((start - 0.5) / dataset.fps, (stop - 0.5) / dataset.fps, color="red", alpha=0.15, linewidth=0)
    finish(figure, axis, f"episode {number}: {finding.code}, rows {start} to {stop - 1}", path)


def beside(dataset: Dataset, finding: Finding, kind: str, path: Path) -> None:
    """One joint in this episode, red, and in all others, grey."""
    figure = Figure(figsize=(6, 1.7))
    axis = figure.add_axes((0.08, 0.17, 0.9, 0.68))
    joint = ELEMENTS.get(kind, JOINT)
    sound = [n for n in range(len(dataset.episodes)) if n < FIRST or n == len(dataset.episodes) - 1]
    for number in (*sound, finding.episode):
        assert number is not None
        state = vectors(dataset, number, STATE)
        own = number == finding.episode
        colour, width = ("tab:red", 1.5) if own else ("0.6", 0.8)
        time = np.arange(len(state)) / dataset.fps
        axis.plot(time, state[:, joint], color=colour, linewidth=width, label=f"episode {number}" if own else None)
        if own and kind == "late-state":
            axis.plot(time, vectors(dataset, number, ACTION)[:, joint], linewidth=1, label="its action")
    finish(figure, axis, f"episode {finding.episode}: {finding.code}", path)


def finish(figure: Figure, axis, title: str, path: Path) -> None:
    axis.set_title(title, fontsize=8)
    axis.tick_params(labelsize=6)
    axis.legend(fontsize=6, loc="upper right")
    axis.set_xlabel("seconds", fontsize=6, labelpad=1)
    figure.savefig(path.with_suffix(".png"), dpi=80)


def recorded(folder: Path, name: str, **about) -> Path:
    """A set of two short episodes, made where it is not there yet."""
    if not (folder / name).exists():
        record(folder / name, episodes=2, seconds=4.0, fps=10, **about)
    return folder / name


def small_frames(folder: Path) -> None:
    """Frames that are too small to see much, beside others of the same scene."""
    rows = []
    for name, size in (("small", (64, 48)), ("large", (320, 240))):
        dataset = open_dataset(recorded(folder, name, size=size))
        frames = frames_of(dataset, dataset.cameras[0], 0, [0, 14, 20])
        large = [np.kron(rgb, np.ones((240 // size[1], 320 // size[0], 1), np.uint8)) for rgb in frames]
        rows.append([Cell(rgb, f"{size[0]} x {size[1]}", name == "small") for rgb in large])
    Image.fromarray(sheet(rows, title="look-small")).save(OUT / "small.jpg", quality=72, optimize=True)


def constant_element(folder: Path) -> None:
    """A joint whose number is the same in all rows of all episodes, though it moves."""
    dead = [Spoil("dead", number) for number in range(2)]
    dataset = open_dataset(recorded(folder, "constant", size=(96, 72), spoil=dead))
    figure = Figure(figsize=(6, 1.7))
    axis = figure.add_axes((0.08, 0.17, 0.9, 0.68))
    for number in range(2):
        time = np.arange(dataset.episodes[number].length) / dataset.fps
        for key, colour, width in ((ACTION, "0.6", 0.8), (STATE, "tab:red", 1.5)):
            label = None if number else key
            axis.plot(time, vectors(dataset, number, key)[:, JOINT], color=colour, linewidth=width, label=label)
    finish(figure, axis, "two episodes: look-constant, shoulder_lift of the state", OUT / "constant")


def other_width(folder: Path) -> None:
    """Rows of five numbers where info.json says six."""
    dataset = open_dataset(recorded(folder, "small", size=(64, 48)))
    values = vectors(dataset, 0, STATE)[:12]
    figure = Figure(figsize=(6, 1.7))
    for at, (title, shown) in enumerate((("info.json: 6", values), ("the rows: 5", values[:, :5]))):
        axis = figure.add_axes((0.06 + 0.5 * at, 0.17, 0.4, 0.66))
        axis.imshow(shown.T, aspect="auto", cmap="viridis", vmin=values.min(), vmax=values.max())
        axis.set_ylim(5.5, -0.5)
        axis.set_title(f"look-width, observation.state: {title}", fontsize=7)
        axis.set_xlabel("rows", fontsize=6, labelpad=1)
        axis.set_ylabel("elements", fontsize=6, labelpad=1)
        axis.tick_params(labelsize=6)
    axis.axhspan(4.5, 5.5, color="red", alpha=0.3, linewidth=0)
    figure.savefig(OUT / "width.png", dpi=80)


def main(folder: Path) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    small_frames(folder)
    constant_element(folder)
    other_width(folder)
    for root, kinds in zip(made(folder), SETS, strict=True):
        dataset = open_dataset(root)
        found = check_dataset(root, remember=False)
        for at, kind in enumerate(kinds):
            mine = [f for f in found if f.episode == FIRST + at and f.rows]
            if not mine:
                print(f"{kind}: not found", file=sys.stderr)
                continue
            finding, path = mine[0], OUT / kind
            if finding.key in dataset.cameras:
                strip(dataset, finding, path)
            elif kind in OTHERS:
                beside(dataset, finding, kind, path)
            elif finding.key != "task":
                curves(dataset, finding, kind, path)
    print(f"{sum(p.stat().st_size for p in OUT.iterdir()) / 1000:.0f} kB in {OUT}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made_in:
            main(Path(made_in))
