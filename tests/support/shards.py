"""Recordings for conversions in parts, and what two datasets have to have in common to be equal."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import telecine as tc
from support.robosandbox import write_run
from telecine.core.stats import EPISODE_BINS, QUANTILES

TASKS = ("pick up the red cube", "open the drawer", "wipe")


def write_runs(folder, count=10):
    """Runs of several lengths and tasks; the outcome is known from the sixth on. Three are rejected: an empty
    one, one without a task, and one whose robot is not that of the first usable one.
    """
    for number in range(count):
        result = {"success": [True, False][number % 2]} if number >= 5 else {"success": None}
        write_run(
            folder / f"run-{number:02d}",
            8 + number if number else 0,
            pictures=0,
            dof=5 if number == 4 else 6,
            episode={"episode_id": f"id-{number}", "task": "" if number == 1 else TASKS[number * number % 3]},
            result=result,
        )
    return folder


def convert_all(recordings, out, plan, of, order=None, **flags):
    """Make all parts, in the order given, and finalize."""
    reports = {}
    for number in order or range(1, of + 1):
        reports[number] = tc.convert(recordings, out, plan, shard=(number, of), workers=0, **flags)
    return reports, tc.finalize(out, workers=0)


def rows_of(root):
    """All rows, in the order in which LeRobot loads them."""
    files = sorted((Path(root) / "data").glob("*/*.parquet"))
    return pa.concat_tables([pq.read_table(path) for path in files]).to_pydict()


def episodes_of(root):
    """meta/episodes without what says in which files episodes are."""
    files = sorted((Path(root) / "meta" / "episodes").glob("*/*.parquet"))
    table = pa.concat_tables([pq.read_table(path) for path in files])
    placed = [n for n in table.column_names if n.endswith(("/chunk_index", "/file_index", "_timestamp"))]
    return table.drop_columns(placed)


def assert_equal(one, other):
    """Rows, tasks, facts, provenance and counts are the same; statistics as near as floating point allows.

    Quantiles of `index` within the width of a bin, an episode's rows / 5000: a value on the border of two bins may fall
    into either when all values of the column are moved.
    """
    assert rows_of(one) == rows_of(other)
    for name in ("tasks", "telecine/provenance"):
        assert pq.read_table(Path(one) / f"meta/{name}.parquet") == pq.read_table(Path(other) / f"meta/{name}.parquet")
    ours, theirs = (json.loads((Path(root) / "meta/info.json").read_text()) for root in (one, other))
    assert ours == theirs
    mine, yours = episodes_of(one), episodes_of(other)
    assert mine.column_names == yours.column_names
    for name in mine.column_names:
        if name.startswith("stats/"):
            spread = np.max(_flat(yours, "stats/index/max") - _flat(yours, "stats/index/min"), initial=0.0)
            near = 1e-9 + (spread / EPISODE_BINS if name.startswith("stats/index/q") else 0)
            np.testing.assert_allclose(_flat(mine, name), _flat(yours, name), rtol=1e-9, atol=near, err_msg=name)
        else:
            assert mine.column(name).to_pylist() == yours.column(name).to_pylist(), name
    ours, theirs = (json.loads((Path(root) / "meta/stats.json").read_text()) for root in (one, other))
    assert ours.keys() == theirs.keys()
    for key, entry in ours.items():
        for name, value in entry.items():
            near = 1e-9 + (20 / EPISODE_BINS if key == "index" and name in QUANTILES else 0)
            np.testing.assert_allclose(value, theirs[key][name], rtol=1e-9, atol=near, err_msg=f"{key} {name}")


def contents(root):
    """Relative path -> (bytes, time of the last writing) of every file."""
    files = (path for path in sorted(Path(root).rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def killed_until_done(commands, chance):
    """Run all in any order by processes of which one after the other is killed, ever later; how many were."""
    kills, patience_s, waiting = 0, 0.5, list(commands)
    while waiting:
        words = chance.choice(waiting)
        command = [sys.executable, "-m", "telecine", *map(str, words), "--workers", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _, error = process.communicate(timeout=chance.uniform(0.1, 1.0) * patience_s)
            assert process.returncode in (0, 1), error
            assert "rror" not in error, error
            waiting.remove(words)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills, patience_s = kills + 1, patience_s * 1.4
    return kills


def _flat(table, name):
    return np.array([np.ravel(value) for value in table.column(name).to_pylist()], np.float64)
