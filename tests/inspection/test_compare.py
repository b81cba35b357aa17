"""`verify --against`: a dataset is compared with its recordings by plain search, so that a shift shows."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import hdf5 as make_hdf5
from support.robot import Camera, jittered, mode_signal, robot_plan, write_robot
from telecine import compare, convert, make_plan
from telecine.core.errors import DatasetError
from telecine.dataset.reader import Dataset
from telecine.inspection.compare import compared

pytestmark = pytest.mark.usefixtures("rerun")


def made(tmp_path, store="x264", **plan):
    cameras = {"front": Camera(jittered(40), store)}
    extra = mode_signal(2.2)
    write_robot(tmp_path / "recordings" / "a.rrd", cameras, episode=0, stop_s=2.2, extra=extra)
    features = {"phase": "/phase", **plan.pop("features", {})}
    report = convert(
        [tmp_path / "recordings"], tmp_path / "out", make_plan(robot_plan("front", features=features, **plan))
    )
    assert report.ok, report.rejected
    return tmp_path / "out"


def messages(root, tmp_path):
    return [f.message for f in compare(root, [tmp_path / "recordings"]) if f.severity == "error"]


def rewrite_rows(root, change):
    path = root / "data" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table), path)


@pytest.mark.parametrize(
    ("store", "plan"),
    [
        ("x264", {}),
        ("x264-b", {}),
        ("jpeg", {}),
        ("jpeg", {"video": {"preset": "images"}}),
        ("x264", {"fps": 13}),
        ("x264", {"clock": {"follow": "/camera/front", "tolerance": 0.03}}),
        (
            "x264",
            {
                "features": {
                    "action": {"from": {"stream": "/action", "fields": [1]}, "how": "nearest"},
                    "extra": {"from": "/joints", "how": "linear"},
                }
            },
        ),
        (
            "x264",
            {
                "features": {
                    "action": {"from": "/joints", "shift": 2, "scale": 3, "relative_to": "state"},
                    "observation.state": {"from": "/joints", "units": "deg to rad"},
                }
            },
        ),
    ],
)
def test_a_true_conversion_has_no_findings(tmp_path, store, plan):
    assert messages(made(tmp_path, store, **plan), tmp_path) == []


def test_rows_shifted_by_one_tick_are_noticed(tmp_path):
    root = made(tmp_path)

    def shift(table):
        state = table.column("observation.state").to_pylist()
        column = pa.array([state[0], *state[:-1]], table.schema.field("observation.state").type)
        return table.set_column(table.schema.get_field_index("observation.state"), "observation.state", column)

    rewrite_rows(root, shift)
    (message,) = messages(root, tmp_path)
    assert "observation.state" in message


def test_pictures_shifted_by_one_frame_are_noticed(tmp_path):
    root = made(tmp_path)
    path = root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    table = pq.read_table(path)
    name = "videos/observation.images.front/from_timestamp"
    shifted = pa.array(np.array(table.column(name).to_pylist()) + 1 / 30)
    length = pa.array([table.column("length")[0].as_py()])
    assert length[0].as_py() > 3
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, shifted), path)
    found = messages(root, tmp_path)
    assert any("shows another frame" in m or "cannot be compared" in m for m in found), found


def test_another_task_is_noticed(tmp_path):
    root = made(tmp_path)
    path = root / "meta" / "tasks.parquet"
    table = pq.read_table(path)
    index = table.schema.get_field_index("task")
    pq.write_table(
        table.set_column(index, "task", pa.array(["another"])).replace_schema_metadata(table.schema.metadata), path
    )
    (message,) = messages(root, tmp_path)
    assert "task 'another' instead of 'task 0'" in message


def test_another_text_is_noticed(tmp_path):
    root = made(tmp_path)

    def swap(table):
        index = table.schema.get_field_index("phase")
        return table.set_column(index, "phase", pa.array(["x"] * table.num_rows))

    rewrite_rows(root, swap)
    assert any(m.startswith("phase: ") for m in messages(root, tmp_path))


def test_a_comparison_with_other_recordings_is_an_error(tmp_path):
    root = made(tmp_path)
    write_robot(tmp_path / "others" / "b.rrd", {"front": Camera(jittered(40), "x264")}, episode=1)
    (finding,) = compare(root, [tmp_path / "others"])
    assert finding.severity == "error"
    assert "none of the 1 recording " in finding.message


def test_a_recording_that_is_not_given_is_named(tmp_path):
    write_robot(
        tmp_path / "recordings" / "b.rrd",
        {"front": Camera(jittered(40), "x264")},
        episode=1,
        stop_s=2.2,
        extra=mode_signal(2.2),
    )
    root = made(tmp_path)
    (finding,) = compare(root, [tmp_path / "recordings" / "b.rrd"])
    assert (finding.severity, finding.episode) == ("warning", 0)
    assert (finding.where, finding.recording) == ("episode 0 (a.rrd)", "a.rrd")
    assert compared(Dataset(root), [finding]) == (1, 2)


def test_a_dataset_that_does_not_say_where_it_came_from_is_refused(tmp_path):
    root = made(tmp_path)
    (root / "meta" / "telecine" / "plan.yaml").unlink()
    with pytest.raises(DatasetError, match="was not converted by telecine"):
        compare(root, [tmp_path / "recordings"])


def test_a_recording_that_changed_since_is_an_error(tmp_path):
    root = made(tmp_path)
    (tmp_path / "recordings" / "a.rrd").unlink()
    write_robot(tmp_path / "recordings" / "a.rrd", {}, episode=0, stop_s=2.2)
    (message,) = messages(root, tmp_path)
    assert "nothing was compared" in message
    assert f"a.rrd; {tmp_path / 'recordings' / 'a.rrd'} has its name and holds something else" in message
    info = json.loads((root / "meta" / "info.json").read_text())
    assert info["total_episodes"] == 1


def one_day(h5py, folder, number):
    """A recording that every day has the same name, and the same number within it."""
    folder.mkdir(parents=True)
    path = make_hdf5.robomimic(h5py, folder / "run.hdf5", steps=20)
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["actions"][...] = demo["actions"][...] + np.linspace(0, number, len(demo["actions"]))[:, None]
    return folder


@pytest.fixture
def of_two_days(h5py, tmp_path):
    """A dataset of recordings that have one name, and one id, in two folders."""
    days = [one_day(h5py, tmp_path / "recordings" / day, number) for number, day in enumerate(("monday", "tuesday"))]
    report = convert(days, tmp_path / "out", task="go")
    assert report.ok, report.rejected
    return tmp_path / "out", days


def test_recordings_of_one_name_are_told_apart_by_what_they_hold(of_two_days):
    root, days = of_two_days
    assert compare(root, days) == compare(root, days[::-1]) == []
    count = len(Dataset(root).episodes)
    assert compared(Dataset(root), []) == (count, count)


def test_a_recording_that_only_has_the_name_is_named_as_another(of_two_days):
    root, days = of_two_days
    found = compare(root, days[:1])
    count = len(Dataset(root).episodes)
    assert [(f.severity, f.episode) for f in found] == [("warning", n) for n in range(count // 2, count)]
    for finding in found:
        assert finding.message.endswith(f"; {days[0] / 'run.hdf5'} has its name and holds something else")
    assert compared(Dataset(root), found) == (count // 2, count)


def test_recordings_of_another_folder_with_the_same_names_are_not_those_it_was_made_of(of_two_days, h5py, tmp_path):
    root, _ = of_two_days
    wrong = [one_day(h5py, tmp_path / "wrong" / str(number), number) for number in (5, 6)]
    for given in (wrong[:1], wrong):
        (finding,) = compare(root, given)
        assert finding.severity == "error"
        assert "recordings it was made of is among the given ones" in finding.message
        assert f"{wrong[0] / 'run.hdf5'}" in finding.message
        assert "its name and hold" in finding.message


def test_an_operator_that_was_not_applied_is_a_difference(tmp_path):
    root = made(tmp_path, features={"observation.state": {"from": "/joints", "scale": 2}})
    path = root / "meta" / "telecine" / "plan.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("scale: 2.0", "scale: 3.0"), encoding="utf-8")
    assert any("observation.state" in message for message in messages(root, tmp_path))


@pytest.mark.parametrize("is_shifted", [False, True])
def test_frames_of_noise_are_themselves_and_no_other_noise(h5py, tmp_path, is_shifted):
    path = make_hdf5.robomimic(h5py, tmp_path / "x.hdf5", steps=20)
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    _put_images(h5py, path, noise)
    assert convert(path, tmp_path / "out", task="go").ok
    _put_images(h5py, path, np.roll(noise, 1, axis=0) if is_shifted else noise)
    found = {f.code for f in compare(tmp_path / "out", [path])}
    assert ("verify-against" in found) == is_shifted


def _put_images(h5py, path, frames):
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            del demo["obs/agentview_image"]
            demo["obs/agentview_image"] = frames
