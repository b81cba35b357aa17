"""HDF5 trees of no known layout: their episodes, their stamps and their outcomes."""

import json

import numpy as np
import pytest

from support import hdf5 as make
from support.cli import telecine
from support.hdf5 import patch_colours
from telecine import convert
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many
from telecine.sources import registry
from telecine.video.mp4_reader import decode_at


def ids(path):
    return [ref.id for ref in registry.find([path]).refs]


def opened(path, number=0):
    return registry.open(registry.find([path]).refs[number])


def numbers(dataset, episode, key):
    return np.array(dataset.rows(episode, [key]).column(key).to_pylist())


def episode_group(file, name, start=0, steps=6):
    file[f"{name}/action"], file[f"{name}/qpos"] = make.ramp(steps, 3, start), make.ramp(steps, 4, start)


# --- episodes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "beside", "found"),
    [
        (("d/ep_0", "d/ep_2", "d/ep_10"), ("mask/train", "meta/lengths"), ["/d/ep_0", "/d/ep_2", "/d/ep_10"]),
        (("traj_1", "traj_0"), ("statistics",), ["/traj_0", "/traj_1"]),
        (("0", "1", "2"), ("info",), ["/0", "/1", "/2"]),
        (("train/demo_0", "valid/demo_0"), ("mask/x",), ["/train/demo_0", "/valid/demo_0"]),
        (("set/demo_3",), ("mask/x", "set/mean"), ["/set/demo_3"]),
        (("a/b/c/run_1", "a/b/c/run_2"), ("a/b/notes",), ["/a/b/c/run_1", "/a/b/c/run_2"]),
        (("robot_0", "robot_1"), ("action",), [""]),
        (("arm_1", "arm_2"), (), [""]),
    ],
)  # fmt: skip
def test_numbered_siblings_are_episodes_whatever_stands_beside_them(h5py, tmp_path, groups, beside, found):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for group in groups:
            episode_group(file, group)
        for name in beside:
            file[name] = np.arange(9.0)
    assert ids(path) == found


def test_cameras_within_an_episode_are_no_episodes(h5py, tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for episode in (0, 1):
            episode_group(file, f"demo_{episode}")
            file[f"demo_{episode}/images/cam_0/rgb"] = make.film(6)
    assert ids(path) == ["/demo_0", "/demo_1"]


def flat(h5py, path, *, rows=30, **flags):
    """One array for all episodes, as replay buffers and D4RL keep them."""
    with h5py.File(path, "w") as file:
        file["observations"], file["actions"] = make.ramp(rows, 5), make.ramp(rows, 2, 7)
        file["rewards"] = np.zeros(rows, "f4")
        for name, marked in flags.items():
            file[name] = np.isin(np.arange(rows), marked)
    return path


@pytest.mark.parametrize(
    ("flags", "lengths"),
    [
        ({"terminals": [9], "timeouts": [19, 29]}, [10, 10, 10]),
        ({"terminals": [29]}, [30]),
        ({"is_first": [0, 12]}, [12, 18]),
        ({"is_last": [11, 29]}, [12, 18]),
        ({"is_first": [0, 12], "is_last": [11, 29]}, [12, 18]),
    ],
)
def test_flags_of_rows_cut_episodes(h5py, tmp_path, flags, lengths):
    path = flat(h5py, tmp_path / "x.hdf5", **flags)
    assert ids(path) == [f"/episode_{i}" for i in range(len(lengths))]
    report = convert(path, tmp_path / "out", rate=20, task="hop")
    assert report.ok
    assert [e.rows for e in report.episodes] == lengths
    dataset, start = Dataset(tmp_path / "out"), 0
    for episode, length in enumerate(lengths):
        assert np.array_equal(numbers(dataset, episode, "action"), make.ramp(30, 2, 7)[start : start + length])
        start += length


def test_d4rls_rows_behind_the_last_end_are_an_interrupted_episode(h5py, tmp_path):
    path = flat(h5py, tmp_path / "x.hdf5", terminals=[9], timeouts=[19])
    with opened(path, 2) as recording:
        assert recording.attrs["layout"] == "d4rl"
        assert recording.attrs["interrupted"] == "true"
        assert any("rows 20 to 29" in text for _, text in recording.notes)
    report = convert(path, tmp_path / "out", rate=20, task="hop")
    assert report.ok
    assert {f.key: f.dtype for f in Dataset(tmp_path / "out").features}["next.done"] == "bool"


@pytest.mark.parametrize("place", ["episode_ends", "meta/episode_ends"])
def test_episode_ends_cut_episodes_with_their_frames(h5py, tmp_path, place):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["data/state"], file["data/action"], file["data/img"] = make.ramp(12, 5), make.ramp(12, 2), make.film(12)
        file[place] = [5, 12]
    report = convert(path, tmp_path / "out", rate=20, task="push")
    assert report.ok
    dataset = Dataset(tmp_path / "out")
    assert np.array_equal(numbers(dataset, 1, "observation.state"), make.ramp(12, 5)[5:])
    shown, frame = dataset.frame("observation.images.img", 1, 2)
    ((_, rgb),) = decode_at(str(shown), [frame])
    assert patch_colours(rgb) == [0, 1, 2]
    assert rgb[2].min(axis=1).argmax() == 7


@pytest.mark.parametrize(("ends", "why"), [([5, 5, 12], "does not go up"), ([5, 13], "no array has so many")])
def test_ends_that_make_no_sense_are_refused_by_name(h5py, tmp_path, ends, why):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["action"], file["state"], file["episode_ends"] = make.ramp(12, 2), make.ramp(12, 3), ends
    with pytest.raises(SourceError, match=why):
        registry.open(Ref("hdf5", str(path), "/episode_1"))


@pytest.mark.parametrize("name", ["episode_ends", "terminals", "timestamp"])
def test_an_array_that_says_it_has_endless_rows_costs_no_memory(h5py, tmp_path, name):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["action"], file["state"] = make.ramp(12, 2), make.ramp(12, 3)
        file.create_dataset(name, (10**9,), "i8", chunks=(1 << 16,), compression="gzip")
    found = registry.find([path])
    said = "; ".join(f.message for f in found.findings)
    for ref in found.refs:
        with pytest.raises(SourceError) as error, registry.open(ref):
            pass
        said += str(error.value)
    assert "rows" in said or "is stored" in said


def test_an_episode_that_is_not_there_is_refused(h5py, tmp_path):
    path = flat(h5py, tmp_path / "x.hdf5", terminals=[9, 29])
    with pytest.raises(SourceError, match="holds no episode '/episode_7', only 0 to 1"):
        registry.open(Ref("hdf5", str(path), "/episode_7"))


# --- stamps ----------------------------------------------------------------------------------------------------------

EPOCH = 1.7e9


def stamped(h5py, path, *, first=EPOCH):
    """Joints at 100 Hz, actions at 50 Hz, a camera at 30 Hz, each with its own stamps; values are times in seconds."""
    with h5py.File(path, "w") as file:
        for name, hz in (("joint", 100), ("action", 50)):
            times = np.arange(hz * 2) / hz
            file[f"{name}/timestamp"], file[f"{name}/position"] = first + times, np.stack([times, -times], 1)
        file["camera/timestamp"], file["camera/rgb"] = first + np.arange(60) / 30, make.film(60)
    return path


@pytest.mark.parametrize("first", [EPOCH, 0.0])
def test_streams_are_placed_by_their_own_stamps(h5py, tmp_path, first):
    path = stamped(h5py, tmp_path / "x.h5", first=first)
    report = convert(path, tmp_path / "out", task="go")
    assert report.ok
    assert report.fps == 30
    dataset = Dataset(tmp_path / "out")
    assert {f.key: f.shape for f in dataset.features}["observation.state"] == (2,)
    ticks = np.arange(report.rows) / 30
    state, action = (numbers(dataset, 0, key)[:, 0] for key in ("observation.state", "action"))
    assert np.all((ticks - state < 0.0101) & (state < ticks + 1e-3))
    assert np.all((ticks - action < 0.0201) & (action < ticks + 1e-3))
    assert not [f for f in report.episodes[0].findings if "rows of equal number" in f.message]


def test_one_array_of_stamps_places_all_that_lies_below(h5py, tmp_path):
    path = tmp_path / "x.h5"
    times = np.cumsum(np.tile([20, 45], 10)) * 1_000_000
    with h5py.File(path, "w") as file:
        file["timestamp"] = 1_700_000_000_000_000_000 + times
        file["robot/qpos"], file["robot/action"] = make.ramp(20, 3), make.ramp(20, 3)
    with opened(path) as recording:
        assert np.array_equal(recording.streams["/robot/qpos"].times("timestamp") - 1_700_000_000_000_000_000, times)
        assert [item.why[:10] for item in recording.left_out if item.stream == "/timestamp"] == ["timestamps"]


@pytest.mark.parametrize("name", ["camera_timestamps", "timestamps/camera", "camera/time_ns"])
def test_stamps_are_found_by_whose_they_are(h5py, tmp_path, name):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["camera/rgb"], file[name] = make.film(8), np.arange(8) * 50_000_000
        file["joint/qpos"], file["joint/t"] = make.ramp(8, 3), np.arange(8) * 0.1
    with opened(path) as recording:
        assert np.diff(recording.streams["/camera/rgb"].times("elapsed")).tolist() == [50_000_000] * 7
        assert np.diff(recording.streams["/joint/qpos"].times("elapsed")).tolist() == [100_000_000] * 7


def test_stamps_that_start_anew_in_each_episode_place_each(h5py, tmp_path):
    path = flat(h5py, tmp_path / "x.hdf5", terminals=[9, 29])
    with h5py.File(path, "a") as file:
        file["timestamp"] = np.concatenate([np.arange(10), np.arange(20)]) / 10
    with opened(path, 1) as recording:
        assert recording.streams["/actions"].times("elapsed").tolist() == [i * 100_000_000 for i in range(20)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.r_[0:5, 3:6] / 10.0, "go back at row 5"),
        (np.full(8, 3.0), "stands still"),
        (np.r_[np.nan, 0:7], "no numbers"),
        (np.arange(8), "counts rows"),
    ],
)
def test_stamps_that_place_nothing_are_told_and_are_no_state(h5py, tmp_path, values, why):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["action"], file["state"], file["timestamp"] = make.ramp(8, 2), make.ramp(8, 3), values
    with opened(path) as recording:
        assert any(why in text for code, text in recording.notes if code == "source-timestamps")
        assert any("rows of equal number" in text for _, text in recording.notes)
    report = convert(path, tmp_path / "out", rate=10, task="go")
    assert report.ok
    assert {f.key: f.shape for f in Dataset(tmp_path / "out").features}["observation.state"] == (3,)


def test_a_known_layout_is_placed_by_its_stamps_where_its_rate_is_only_usual(h5py, tmp_path):
    path = make.aloha(h5py, tmp_path / "x.hdf5", steps=12, how="raw")
    with h5py.File(path, "a") as file:
        file["timestamp"] = EPOCH + np.arange(12) / 25
    inspected = inspect_many([path])
    assert not [f for f in inspected.findings if f.code == "source-assumed"]
    report = convert(path, tmp_path / "out", task="go")
    assert (report.ok, report.fps, report.rows) == (True, 25, 12)


def test_a_rate_that_the_file_states_is_taken(h5py, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs["fps"] = 12
        file["action"], file["state"], file["front"] = make.ramp(8, 2), make.ramp(8, 3), make.film(8)
    report = convert(path, tmp_path / "out", task="go")
    assert (report.ok, report.fps) == (True, 12)


@pytest.mark.parametrize("hz", [28.6, 29.4])
def test_the_rate_that_a_recorder_was_asked_for_is_proposed_and_rows_follow_stamps(h5py, tmp_path, hz):
    path = tmp_path / "x.h5"
    times = np.arange(60) / hz
    with h5py.File(path, "w") as file:
        file.attrs["fps"] = 30
        file["action"], file["state"], file["front"] = make.ramp(60, 2), np.stack([times, times], 1), make.film(60)
        file["timestamp"] = EPOCH + times
    report = convert(path, tmp_path / "out", task="go")
    assert (report.ok, report.fps) == (True, 30)
    assert {round(use.rate_hz, 1) for use in report.episodes[0].uses} == {hz}
    state = numbers(Dataset(tmp_path / "out"), 0, "observation.state")[:, 0]
    assert len(state) == pytest.approx(60 / hz * 30, abs=1.5)
    assert np.all(np.abs(np.arange(len(state)) / 30 - state) < 1 / hz + 1e-3)


@pytest.mark.parametrize("camera", [False, True])
def test_a_rate_and_a_task_are_enough_for_any_tree(h5py, tmp_path, camera):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for number in (0, 1):
            episode_group(file, f"traj_{number}")
            if camera:
                file[f"traj_{number}/front_rgb"] = make.film(6)
    code, said, _ = telecine("convert", path, tmp_path / "out", "--rate", "20", "--task-text", "hi", "--json")
    report = json.loads(said)
    assert (code, report["fps"], [e["rows"] for e in report["episodes"]]) == (0, 20, [6, 6])


# --- what became of episodes -----------------------------------------------------------------------------------------


def test_attributes_and_filters_of_an_episode_are_its_facts(h5py, tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for number in range(3):
            episode_group(file, f"data/demo_{number}")
        file["data/demo_0"].attrs["success"] = True
        file["data/demo_1"].attrs.update({"failure": True, "failure_reason": "dropped"})
        file["mask/train"], file["mask/good"] = np.array([b"demo_0", b"demo_1"]), np.array([b"demo_0"])
    report = convert(path, tmp_path / "out", rate=10, task="go")
    assert report.ok
    assert [e.success for e in report.episodes] == [True, False, None]
    facts = Dataset(tmp_path / "out").provenance
    assert [f["tags"] for f in facts] == [["good", "train"], ["train"], []]
    assert facts[1]["error_cause"] == "dropped"


# --- what siblings of known trees look like --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        (("episodes/3fa8c1", "episodes/c0ffee"), ["/episodes/3fa8c1", "/episodes/c0ffee"]),
        (("9b77de12", "c0ffee34"), ["/9b77de12", "/c0ffee34"]),
        (("2024-03-01_10-00-07", "2024-03-01_11-20-00"), ["/2024-03-01_10-00-07", "/2024-03-01_11-20-00"]),
        (("demos/first try", "demos/second try"), ["/demos/first try", "/demos/second try"]),
        (("session_1/episode_0", "session_1/episode_1", "session_2/episode_0"),
         ["/session_1/episode_0", "/session_1/episode_1", "/session_2/episode_0"]),
        (("run_2024/take_1", "run_2024/take_2"), ["/run_2024/take_1", "/run_2024/take_2"]),
        (("left", "right"), [""]),
        (("robots/left", "robots/right"), [""]),
    ],
)  # fmt: skip
def test_episodes_by_date_id_container_and_within_sessions(h5py, tmp_path, groups, found):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for number, group in enumerate(groups):
            episode_group(file, group, number)
        file["normalization/action/mean"] = np.zeros(3)
    assert ids(path) == found


@pytest.mark.parametrize(("marked", "lengths"), [([9, 19, 29], [10, 10, 10]), ([8, 9, 19, 29], [30])])
def test_dones_cut_episodes_unless_they_last(h5py, tmp_path, marked, lengths):
    path = flat(h5py, tmp_path / "x.hdf5", dones=marked)
    report = convert(path, tmp_path / "out", rate=20, task="hop")
    assert [e.rows for e in report.episodes] == lengths


def test_values_in_the_group_say_what_became_of_an_episode(h5py, tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        for number, (name, value) in enumerate(
            [("success", np.bool_(True)), ("failure", np.array([1])), ("outcome", "aborted"), ("tags", ["a", "b"])]
        ):
            episode_group(file, f"demo_{number}", number)
            file[f"demo_{number}/{name}"] = value
    report = convert(path, tmp_path / "out", rate=20, task="hop")
    assert [e.success for e in report.episodes] == [True, False, None, None]
    facts = Dataset(tmp_path / "out").provenance
    assert (facts[2]["outcome"], facts[3]["tags"]) == ("aborted", ["a", "b"])


def test_demos_without_steps_are_no_episodes_and_said(h5py, tmp_path):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0, 1), steps=6)
    with h5py.File(path, "a") as file:
        for number in (2, 3):
            empty = file.create_group(f"data/demo_{number}")
            empty.attrs["num_samples"] = 0
            empty["initial_state/articulation/robot/root_pose"] = make.ramp(1, 7)
    code, output, errors = telecine("convert", path, tmp_path / "out", "--task-text", "x")
    assert code == 0
    assert "/data/demo_2 and 1 more: no steps were recorded" in " ".join((output + errors).split())
    assert len(Dataset(tmp_path / "out").episodes) == 2


def test_alohas_depth_is_no_camera_of_a_proposal(h5py, tmp_path):
    path = make.aloha(h5py, tmp_path / "x.hdf5", how="raw")
    with h5py.File(path, "a") as file:
        file["observations/images/cam_depth"] = np.full((6, 48, 64), 700, np.uint16)
    report = convert(path, tmp_path / "out", task="x")
    assert report.ok
    assert any(e.item.stream.endswith("cam_depth") and e.item.training for e in report.left_out)
