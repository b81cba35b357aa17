"""What computed columns cost beside numpy's own time for the same formula, and how much memory a file of rows takes."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import Cost, best, run
from report import Row
from topics import Place, telecine

ROWS, WIDTH, FPS = 1_000_000, 14, 30
EPISODE_ROWS = 1000
TURNS = 7
FEW = 250_000
GOAL, MOST_BYTES = 3.0, 500e6


def numpy_difference(x: Any, _state: Any, starts: Any) -> Any:
    """How far the row before is; 0 in the first one of each episode."""
    made = np.diff(x, axis=0, prepend=x[:1])
    made[starts] = 0
    return made


def numpy_velocity(x: Any, _state: Any, starts: Any) -> Any:
    """`numpy.gradient` of each episode."""
    stops = np.append(starts[1:], len(x))
    return np.concatenate([np.gradient(x[a:b], axis=0) * FPS for a, b in zip(starts, stops, strict=True)])


FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "action - observation.state": lambda x, state, _: x - state,
    "clip(relative(action, observation.state) / 0.5, -1, 1)": lambda x, state, _: np.clip((x - state) / 0.5, -1, 1),
    "where(abs(action) > 1, 0, action)": lambda x, _state, _starts: np.where(np.abs(x) > 1, 0, x),
    "norm(action)": lambda x, _state, _starts: np.linalg.norm(x, axis=1, keepdims=True),
    "difference(action)": numpy_difference,
    "velocity(action)": numpy_velocity,
}


def deriving(place: Place) -> list[Row]:
    """A million rows computed, and whole commands over two sizes of dataset."""
    cost = json.loads(run([sys.executable, __file__, "compute"], place.fresh("derive")).output)
    rows = []
    for text, (ours, numpy_s) in cost.items():
        what = f"`{text}`, {ROWS:,} rows of {WIDTH} float32, in memory"
        ratio = ours / numpy_s
        times = (f"{1000 * ours:.0f} ms CPU", f"{1000 * numpy_s:.0f} ms CPU (numpy)")
        rows.append(Row("derive", what, *times, f"{ratio:.1f}x", f"at most {GOAL:.0f}x", ratio <= GOAL))
    few, all_rows = (_edited(place, count) for count in (FEW, ROWS))
    what = f"`telecine edit` with two `--add`, {ROWS:,} rows, against {FEW:,}, peak memory"
    sizes = (f"{all_rows.peak_bytes / 1e6:.0f} MB ({all_rows.cpu_s:.1f} CPU-s)", f"{few.peak_bytes / 1e6:.0f} MB")
    growth = f"{all_rows.peak_bytes / few.peak_bytes:.2f}x"
    return [*rows, Row("derive", what, *sizes, growth, "under 500 MB", all_rows.peak_bytes < MOST_BYTES)]


def _edited(place: Place, count: int) -> Cost:
    source = place.inputs / f"derive-{count}"
    if not source.exists():
        run([sys.executable, __file__, "write", source, str(count)], place.fresh("derive-set"))
    given = ["--add", "speed=norm(velocity(action))", "--add", "step=relative(action, observation.state)"]
    outs = [place.fresh("derived") for _ in range(place.repeat)]
    return best([run([telecine(), "edit", source, out, *given], place.fresh("log")) for out in outs])


def _arrays(count: int) -> tuple[Any, Any, Any]:
    """(actions, states, first rows of episodes)."""
    random = np.random.default_rng(0)
    one, other = (random.standard_normal((count, WIDTH)).astype(np.float32) for _ in range(2))
    return one, other, np.arange(0, count, EPISODE_ROWS)


def _compute() -> None:
    """Prints {formula: [CPU s of ours, of numpy]}, the least of several turns each."""
    from telecine.core.derive.derived import compute
    from telecine.core.derive.functions import NO_TOOLS, RowBlock
    from telecine.core.plan.derived import Derived

    action, state, starts = _arrays(ROWS)
    columns = {"action": action, "observation.state": state}
    found: dict[str, list[float]] = {}
    for text, formula in FORMULAS.items():
        one, rows = Derived(key="made", value=text), RowBlock(starts, ROWS, float(FPS))

        def ours(one: Any = one, rows: Any = rows) -> Any:
            return compute([one], columns, rows, NO_TOOLS)["made"]

        def theirs(formula: Any = formula) -> Any:
            return formula(action, state, starts)

        assert np.allclose(ours(), theirs().reshape(ROWS, -1), atol=1e-5), text
        turns = [(_cpu_s(ours), _cpu_s(theirs)) for _ in range(TURNS)]
        found[text] = [min(turn[0] for turn in turns), min(turn[1] for turn in turns)]
    print(json.dumps(found))


def _cpu_s(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _write(root: Path, count: int) -> None:
    """A dataset of so many rows, of two columns."""
    from fractions import Fraction

    from telecine.core.episode import Episode, FeatureColumn
    from telecine.core.grid import Grid
    from telecine.core.recording import Ref
    from telecine.dataset.writer import DatasetWriter

    action, state, starts = _arrays(count)
    columns = tuple(FeatureColumn(key, "float32", (WIDTH,)) for key in ("action", "observation.state"))
    stamps = (np.arange(EPISODE_ROWS) / FPS).astype(np.float32)
    with DatasetWriter.create(root, fps=FPS, robot_type="arm") as writer:
        for number, start in enumerate(starts.tolist()):
            own = (values[start : start + EPISODE_ROWS].reshape(-1) for values in (action, state))
            parts = [pa.FixedSizeListArray.from_arrays(pa.array(values), WIDTH) for values in own]
            names = [*(column.key for column in columns), "timestamp", "task"]
            rows = pa.table([*parts, pa.array(stamps), pa.array(["move"] * EPISODE_ROWS)], names=names)
            grid = Grid(0, EPISODE_ROWS, Fraction(FPS))
            writer.add(Episode(Ref("bench", f"episode-{number}", ""), grid, rows, columns, ()))
        writer.commit()


if __name__ == "__main__":
    _compute() if sys.argv[1] == "compute" else _write(Path(sys.argv[2]), int(sys.argv[3]))
