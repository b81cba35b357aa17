"""Statistics of relative actions: those of `action - observation.state`, whoever changes the dataset afterwards."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.dataset import FPS, PLAIN, episode, write
from telecine.commands.edit import edit
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.stats import QUANTILES, STATISTICS
from telecine.dataset.values import to_arrow
from telecine.dataset.writer import DatasetWriter


def moving(count, index):
    """An episode whose action is a little beside its state."""
    one, rng = episode(count, index), np.random.default_rng(index)
    state = rng.normal(index, 1, (count, 3)).astype(np.float32)
    action = state + rng.normal(0, 0.1, (count, 3)).astype(np.float32)
    rows = one.rows
    for column, values in zip(PLAIN, (action, state), strict=True):
        rows = rows.set_column(rows.column_names.index(column.key), column.key, to_arrow(values, column))
    return replace(one, rows=rows)


def relative(root):
    return json.loads((root / "meta/telecine/relative_stats.json").read_text())["action"]


def check(root):
    """The file against numpy: exact moments, and the outer quantiles of the episodes."""
    rows = pq.read_table(root / "data").to_pydict()
    values = np.array(rows["action"], float) - np.array(rows["observation.state"], float)
    numbers, stats = np.array(rows["episode_index"]), relative(root)
    assert tuple(stats) == STATISTICS
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(stats[name], getattr(np, name)(values, axis=0), rtol=1e-9, atol=1e-12)
    assert stats["count"] == [len(values)]
    for name, share in QUANTILES.items():
        each = [np.quantile(values[numbers == n], share, axis=0, method="inverted_cdf") for n in np.unique(numbers)]
        outer = np.min(each, axis=0) if share <= 0.5 else np.max(each, axis=0)
        np.testing.assert_allclose(stats[name], outer, atol=2 * np.ptp(values, axis=0).max() / 5000)


def test_relative_statistics_are_those_of_numpy_and_follow_every_change(tmp_path):
    root = write(tmp_path / "out", [moving(20, 0), moving(33, 1)], relative=("action",))
    check(root)
    with DatasetWriter.append(root, fps=FPS, robot_type="arm") as writer:
        writer.add(moving(25, 2))
        writer.commit()
    assert relative(root)["count"] == [78]
    check(root)
    edit(root, tmp_path / "less", delete=["1"])
    assert relative(tmp_path / "less")["count"] == [45]
    check(tmp_path / "less")


def test_none_are_made_unless_they_are_asked_for(tmp_path):
    assert not (write(tmp_path / "out", [moving(20, 0)]) / "meta/telecine/relative_stats.json").exists()


def test_an_action_of_another_width_is_refused_before_it_is_written(tmp_path):
    wide = FeatureColumn("action", "float32", (4,))
    with pytest.raises(DatasetError, match=r"action has shape \[4\], observation.state \[3\]"):
        write(tmp_path / "out", [episode(5, columns=(wide, PLAIN[1]))], relative=("action",))


def body(*, keys=("action",), **features):
    there = {"action": "/a", "observation.state": "/s"} | features
    given = {key: value for key, value in there.items() if value}
    return {"fps": 30, "clock": {"timeline": "t"}, "features": given, "task": "x", "stats": {"relative": list(keys)}}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (body(keys=["actoin"]), "did you mean"),
        (body(keys=["observation.state"]), "no feature that something can be subtracted from"),
        (body(action={"from": "/a", "relative_to": "state"}), "relative already"),
        (body(**{"observation.state": None}), "there is no observation.state"),
    ],
)
def test_a_plan_that_asks_for_what_cannot_be_is_refused(asked, words):
    with pytest.raises(PlanError, match=words):
        make_plan(asked)


def test_a_plan_that_asks_for_them_reads_back():
    plan = make_plan(body())
    assert plan.stats.relative == ("action",)
    assert parse_plan(plan.to_yaml()) == plan
