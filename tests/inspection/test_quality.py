"""Nine planted defects, each found in its episode, feature and rows; and none anywhere else."""

import json
import os

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.test_quality_frames import film
from core.test_quality_rows import motion
from support.dataset import episode, with_column, write
from telecine.cli.main import app
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError
from telecine.dataset.values import to_arrow
from telecine.inspection import dataset_summary, quality, quality_cache, quality_rows
from telecine.inspection.dataset_summary import summarize
from telecine.inspection.quality import check_dataset, known_findings
from telecine.run.executor import Lost
from telecine.video.encode import encode
from telecine.video.presets import video_settings

CAMERA, STATE = "observation.images.top", "observation.state"
JOINTS = tuple(f"j{i}" for i in range(6))
COLUMNS = (FeatureColumn("action", "float32", (6,), JOINTS), FeatureColumn(STATE, "float32", (6,), JOINTS))
COUNT = 75


def clip(folder, number, frames):
    """The frames as one episode's clip."""
    grey = (av.VideoFrame.from_ndarray(np.repeat(f[..., None], 3, axis=2), format="rgb24") for f in frames)
    path = str(folder / f"{number}.clip")
    return encode(grey, video_settings("train"), 30, count=len(frames), key=CAMERA, path=path, why="made for a test")


def planted(folder, spoil=None, count=10):
    """Episodes of smooth motion with a camera; spoil(number, state, action, frames) changes one in place."""
    episodes = []
    for number in range(count):
        state, action = (v.astype(np.float32) for v in motion(COUNT, 6, seed=number))
        frames = film(number, COUNT)
        again = spoil(number, state, action, frames) if spoil else None
        if again is not None:
            state, action = (v.astype(np.float32) for v in motion(COUNT, 6, seed=again))
            frames = film(again, COUNT)
        made = episode(COUNT, number, columns=COLUMNS, clips=[clip(folder, number, frames)])
        made = with_column(made, STATE, to_arrow(state, COLUMNS[1]))
        episodes.append(with_column(made, "action", to_arrow(action, COLUMNS[0])))
    return write(folder / "set", episodes)


def nine(number, state, action, frames):
    match number:
        case 1:
            return 0
        case 2:
            state[25:60], action[25:60] = state[25], action[25]
        case 3:
            state[:] = state[np.maximum(np.arange(COUNT) - 15, 0)]
        case 4:
            state[40, 2] += 8
            action[30, 1] += 8
        case 5:
            frames[25:60] = 0
        case 6:
            state[:, 3] = state[0, 3]
        case 7:
            frames[13:63] = frames[13]
        case 8:
            frames[:] = 255
    return None


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    root = planted(tmp_path_factory.mktemp("case"), nine)
    path = root / "meta" / "tasks.parquet"
    tasks = pq.read_table(path)
    (name,) = [n for n in tasks.column_names if n != "task_index"]
    both = {name: [*tasks.column(name).to_pylist(), ""], "task_index": [0, 1]}
    pq.write_table(pa.table(both, schema=tasks.schema), path)
    (path,) = (root / "meta" / "episodes").rglob("*.parquet")
    rows = pq.read_table(path)
    texts = [*rows.column("tasks").to_pylist()[:-1], [""]]
    position = rows.column_names.index("tasks")
    pq.write_table(
        rows.set_column(position, rows.schema.field("tasks"), pa.array(texts, rows.schema.field("tasks").type)), path
    )
    (path,) = (root / "data").rglob("*.parquet")
    rows = pq.read_table(path)
    index = np.where(np.array(rows.column("episode_index")) == 9, 1, 0)
    position = rows.column_names.index("task_index")
    pq.write_table(rows.set_column(position, rows.schema.field("task_index"), pa.array(index)), path)
    return root


NINE = [
    ("look-copy", 1, None, (0, COUNT)),
    ("look-stuck", 2, STATE, (25, 60)),
    ("look-lag", 3, STATE, (0, COUNT)),
    ("look-spikes", 4, STATE, (40, 41)),
    ("look-spikes", 4, "action", (30, 31)),
    ("look-dark", 5, CAMERA, (25, 60)),
    ("look-dead", 6, STATE, (0, COUNT)),
    ("look-frozen", 7, CAMERA, (13, 63)),
    ("look-white", 8, CAMERA, (0, COUNT)),
    ("look-task", 9, "task", (0, COUNT)),
]


def places(findings):
    return [(f.code, f.episode, f.key, f.rows) for f in findings]


def inspect(*arguments):
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output


def test_nine_planted_defects_are_found_and_nothing_else(case):
    assert places(check_dataset(case, remember=False)) == NINE


def test_sound_episodes_have_no_findings(tmp_path):
    assert check_dataset(planted(tmp_path, count=6), remember=False) == ()


def test_places_stand_in_json_and_text_and_pipelines_can_fail_on_them(case):
    _, out = inspect(case, "--json")
    told = [f for f in json.loads(out)["findings"] if f["code"].startswith("look-") and f["severity"] == "warning"]
    assert [(f["code"], f["episode"], f["key"], f["rows"]) for f in told] == [(c, e, k, list(r)) for c, e, k, r in NINE]
    code, out = inspect(case, "--fail-on", "look-frozen")
    assert code == 1
    assert "look-frozen episode 7 observation.images.top, rows 13 to 62: frozen" in out
    assert "look-frozen" not in inspect(case, "--checks", "rows,tasks")[1]
    assert "look-frozen" in inspect(case, "--checks", "frames")[1]
    assert inspect(case, "--checks", "frozne")[0] == 2


def test_a_second_look_is_at_once_until_a_file_changes(case, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert known_findings(case) is None
    first = check_dataset(case)
    monkeypatch.setattr(quality, "_checked", lambda *_: pytest.fail("looked again"))
    assert check_dataset(case) == first == known_findings(case)
    assert {f.episode for f in check_dataset(case, episodes=[4, 7])} == {4, 7}
    (case / "meta" / "stats.json").touch()
    assert known_findings(case) is None
    assert not list(case.rglob("*quality*"))


def test_a_second_page_verifies_nothing_until_a_file_changes(case, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = summarize(case)
    with monkeypatch.context() as patch:
        patch.setattr(dataset_summary, "verify", lambda *_, **__: pytest.fail("verified again"))
        assert summarize(case) == first
    info = case / "meta" / "info.json"
    whole = info.read_text()
    info.write_text(json.dumps(json.loads(whole) | {"total_episodes": 11}))
    assert any(f.code.startswith("verify-") for f in summarize(case).findings)
    info.write_text(whole)


def test_a_cache_that_cannot_be_kept_or_read_costs_only_time(case, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(quality_cache, "MOST_ENTRIES", 1)
    first = check_dataset(case, checks=["tasks"])
    check_dataset(case, checks=["look-task"])
    (kept,) = (tmp_path / "telecine" / "quality").iterdir()
    kept.write_text("[{")
    assert check_dataset(case, checks=["tasks"]) == first
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert check_dataset(case, checks=["tasks"]) == first


def test_a_process_that_dies_is_told_with_its_episodes(case):
    def dying(fn, items, tell):
        return (Lost(item, "it died") for item in items)

    (said,) = [f for f in check_dataset(case, executor=dying, remember=False) if f.code == "look-counts"]
    assert (said.where, said.severity) == ("episodes 0 to 9", "error")


def test_a_video_that_is_missing_costs_no_other_check(tmp_path):
    root = planted(tmp_path, nine, count=5)
    (video,) = (root / "videos").rglob("*.mp4")
    os.truncate(video, 10)
    found = check_dataset(root, remember=False)
    assert [f.episode for f in found if f.code == "look-counts" and f.key == CAMERA] == list(range(5))
    assert ("look-stuck", 2, STATE, (25, 60)) in places(found)


def test_what_cannot_be_checked_is_refused(tmp_path, case):
    with pytest.raises(DatasetError):
        check_dataset(tmp_path)
    with pytest.raises(PlanError, match="did you mean"):
        check_dataset(case, checks=["look-frozn"])


def test_names_of_elements_cost_nothing_until_they_are_asked_for():
    names = quality_rows._Numbered(2**62)
    assert (names[2**61], names[1:3]) == (f"element {2**61}", ["element 1", "element 2"])
    with pytest.raises(IndexError):
        quality_rows._Numbered(3)[3]
