"""What `telecine inspect DATASET --json` costs of very many episodes, and opening one of them.

    python bench/many_episodes.py [--episodes 50000]

Random walks of 14 joints and 14 actions, 20 rows an episode, no cameras, written with pyarrow: a row group an episode,
200 of them in a file, and statistics of every episode, as LeRobot's own writer leaves them. Once sound, once with two
findings for every episode: its action is its state, and its numbers are those of the first one.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from measure import run

FPS, ROWS, JOINTS, GROUPS, AT_ONCE = 20, 20, 14, 200, 1000
VECTORS = ("observation.state", "action")
COUNTED = ("frame_index", "episode_index", "index", "task_index")
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
OPENED = 200


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=50_000)
    count = parser.parse_args().episodes
    with tempfile.TemporaryDirectory(prefix="telecine-many-") as folder:
        for name, spoiled in (("sound", False), ("two findings each", True)):
            root = Path(folder) / name.replace(" ", "-")
            write(root, count, spoiled)
            given = {"XDG_CACHE_HOME": str(Path(folder) / "cache")}
            cost = run([sys.executable, "-m", "telecine", "inspect", root, "--json"], Path(folder) / "log", given)
            found = dict(Counter(finding["code"] for finding in json.loads(cost.output)["findings"]))
            print(f"{count} episodes of {ROWS} rows, {name}, load {os.getloadavg()[0]:.0f}: {cost}; findings {found}")
        print(f"an episode opened: {opened(root, count) * 1000:.1f} CPU-ms at the median of {OPENED}")
    return 0


def write(root: Path, count: int, spoiled: bool) -> None:
    """A dataset of that many episodes in the layout of LeRobot v3. count: a multiple of 1,000."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[np.ndarray]] = {key: [] for key in (*VECTORS, "timestamp", *COUNTED)}
    lines: list[pa.Table] = []
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    (root / "data/chunk-000").mkdir(parents=True)
    for first in range(0, count, AT_ONCE):
        values = block(rng, first, spoiled)
        lines.append(episodes(values, first))
        for file in range(AT_ONCE // GROUPS):
            write_rows(root, first // GROUPS + file, values, file)
        for key, value in values.items():
            rows[key].append(value.reshape(-1, value.shape[-1]))
    pq.write_table(pa.concat_tables(lines), root / "meta/episodes/chunk-000/file-000.parquet", row_group_size=100)
    pd.DataFrame({"task_index": [0]}, index=pd.Index(["go"], name="task")).to_parquet(root / "meta/tasks.parquet")
    pooled = {key: dict(stats(np.concatenate(parts)[None])) for key, parts in rows.items()}
    told = {key: {name: value[0].tolist() for name, value in own.items()} for key, own in pooled.items()}
    (root / "meta/stats.json").write_text(json.dumps(told))
    (root / "meta/info.json").write_text(json.dumps(info(count)))


def block(rng: np.random.Generator, first: int, spoiled: bool) -> dict[str, np.ndarray]:
    """Name -> (episode, row, element) of 1,000 episodes."""
    shape = (AT_ONCE, ROWS, JOINTS)
    state = (rng.normal(0, 1, (AT_ONCE, 1, JOINTS)) + rng.normal(0, 0.02, shape).cumsum(1)).astype(np.float32)
    ahead = np.concatenate([state[:, 2:], state[:, -1:], state[:, -1:]], 1) + rng.normal(0, 0.005, shape)
    if spoiled:
        state = np.broadcast_to(np.linspace(0, 1, ROWS, dtype=np.float32)[None, :, None], shape)
    number = np.broadcast_to(np.arange(ROWS)[None, :, None], (AT_ONCE, ROWS, 1))
    episode = np.broadcast_to(np.arange(first, first + AT_ONCE)[:, None, None], number.shape)
    return {
        "observation.state": state,
        "action": state if spoiled else ahead.astype(np.float32),
        "timestamp": (number / FPS).astype(np.float32),
        "frame_index": number,
        "episode_index": episode,
        "index": episode * ROWS + number,
        "task_index": np.zeros_like(number),
    }


def write_rows(root: Path, number: int, values: dict[str, np.ndarray], file: int) -> None:
    own = slice(file * GROUPS, (file + 1) * GROUPS)
    columns = {key: column(value[own].reshape(-1, value.shape[-1])) for key, value in values.items()}
    pq.write_table(
        pa.table(columns),
        root / f"data/chunk-{number // 1000:03d}/file-{number % 1000:03d}.parquet",
        row_group_size=ROWS,
    )


def column(values: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def stats(values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Name -> (episode, element), as LeRobot's statistics have them. values: (episode, row, element)."""
    numbers = values.astype(np.float64)
    for name in ("min", "max", "mean", "std"):
        yield name, getattr(numbers, name)(1)
    yield "count", np.full((len(values), 1), values.shape[1])
    for name, share in QUANTILES.items():
        yield name, np.quantile(numbers, share, axis=1)


def episodes(values: dict[str, np.ndarray], first: int) -> pa.Table:
    """Lines of meta/episodes of 1,000 episodes."""
    numbers = np.arange(first, first + AT_ONCE)
    zeros = np.zeros_like(numbers)
    columns: dict[str, object] = {
        "episode_index": numbers,
        "tasks": [["go"]] * AT_ONCE,
        "length": zeros + ROWS,
        "data/chunk_index": zeros,
        "data/file_index": numbers // GROUPS,
        "dataset_from_index": numbers * ROWS,
        "dataset_to_index": (numbers + 1) * ROWS,
        "meta/episodes/chunk_index": zeros,
        "meta/episodes/file_index": zeros,
    }
    for key, value in values.items():
        columns |= {f"stats/{key}/{name}": found.tolist() for name, found in stats(value)}
    return pa.table(columns)


def info(count: int) -> dict[str, object]:
    features: dict[str, object] = {key: {"dtype": "float32", "shape": [JOINTS], "names": None} for key in VECTORS}
    features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    features |= {key: {"dtype": "int64", "shape": [1], "names": None} for key in COUNTED}
    return {
        "codebase_version": "v3.0",
        "robot_type": "bench",
        "total_episodes": count,
        "total_frames": count * ROWS,
        "total_tasks": 1,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": FPS,
        "splits": {"train": f"0:{count}"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": None,
        "features": features,
    }


def opened(root: Path, count: int) -> float:
    """CPU seconds, at the median, of opening an episode whose file was not read before."""
    import telecine as tc

    dataset, taken = tc.open_dataset(root), []
    for number in np.random.default_rng(1).permutation(count)[:OPENED].tolist():
        before = time.process_time()
        assert len(dataset[number].rows["action"]) == ROWS
        taken.append(time.process_time() - before)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
