"""LeRobot's verbs: add frames, save episodes, finalize; and nothing before that."""

import gc
import logging
import shutil
import subprocess
import sys

import numpy as np
import pytest

from support.pictures import draw_frame_id
from support.video import picture_id
from telecine.compat.rerun_export import LeRobotDataset
from telecine.core.errors import DatasetError, PlanError, TelecineError
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.video.mp4_reader import decode_all

CAM = "observation.images.cam"
FEATURES = {
    "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
    "observation.state": {"dtype": "float32", "shape": [3], "names": {"motors": ["a", "b", "c"]}},
    CAM: {"dtype": "video", "shape": (96, 128, 3), "names": ["height", "width", "channels"]},
    "next.done": {"dtype": "bool", "shape": (1,), "names": None},
    "note": {"dtype": "string", "shape": (1,), "names": None},
    "count": {"dtype": "int64", "shape": (1,), "names": None},
    "timestamp": {"dtype": "float32", "shape": (1,), "names": None},
}


def frame(i, episode=0, **changes):
    return {
        "action": np.array([i, -i], np.float32),
        "observation.state": np.array([i, 2 * i, 3 * i], np.float32),
        CAM: draw_frame_id(i, episode, 0, 128, 96),
        "next.done": np.array([i == 6]),
        "note": f"frame {i}",
        "count": np.array([10**12 + i]),
        "task": "first half" if i < 4 else "second half",
        **changes,
    }


def create(tmp_path, features=FEATURES, **options):
    return LeRobotDataset.create("me/mine", 30, features, tmp_path / "out", **options)


def fill(dataset, lengths=(7, 1, 12)):
    for episode, length in enumerate(lengths):
        for i in range(length):
            dataset.add_frame(frame(i, episode))
        dataset.save_episode()
    return dataset


def everything_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_frames_come_back_as_rows_with_their_pictures(tmp_path):
    dataset = fill(create(tmp_path, robot_type="arm"))
    assert (dataset.num_episodes, dataset.num_frames, len(dataset)) == (3, 20, 20)
    dataset.finalize()
    written = Dataset(tmp_path / "out")
    assert [e.length for e in written.episodes] == [7, 1, 12]
    assert written.robot_type == "arm"
    for episode, length in enumerate((7, 1, 12)):
        rows = written.rows(episode)
        assert rows.column("action").to_pylist() == [[i, -i] for i in range(length)]
        assert rows.column("note").to_pylist() == [f"frame {i}" for i in range(length)]
        assert rows.column("count").to_pylist() == [10**12 + i for i in range(length)]
        assert rows.column("next.done").to_pylist() == [i == 6 for i in range(length)]
        path, first = written.frame(CAM, episode, 0)
        ids = [picture_id(p) for p in list(decode_all(str(path)))[first : first + length]]
        assert ids == [(i, episode) for i in range(length)]
    assert written.episodes[0].tasks == ("first half", "second half")
    assert {c.key: c.names for c in written.features}["observation.state"] == ("a", "b", "c")
    assert verify(tmp_path / "out", decode="all") == []
    assert everything_in(tmp_path)[0] == "out"


def test_a_row_of_the_finished_dataset_can_be_looked_at(tmp_path):
    dataset = fill(create(tmp_path))
    with pytest.raises(DatasetError, match="needs finalize"):
        dataset[0]
    dataset.finalize()
    item = dataset[10]
    assert item["action"].tolist() == [2, -2]
    assert item["task"] == "first half"
    assert (int(item["episode_index"]), int(item["frame_index"])) == (2, 2)
    assert (item[CAM].shape, item[CAM].dtype) == ((3, 96, 128), np.float32)
    assert picture_id(np.moveaxis(np.rint(item[CAM] * 255).astype(np.uint8), 0, -1)) == (2, 2)
    assert dataset[-1]["note"] == dataset[19]["note"] == "frame 11"
    for row in (20, -21):
        with pytest.raises(IndexError, match="20 rows"):
            dataset[row]


def test_pictures_may_have_channels_first_and_floats(tmp_path):
    dataset = create(tmp_path)
    rgb = draw_frame_id(3, 0, 0, 128, 96)
    kinds = [rgb, np.moveaxis(rgb, -1, 0), (rgb / 255).astype(np.float32), np.moveaxis(rgb / 255, -1, 0)]
    for i, picture in enumerate(kinds):
        dataset.add_frame(frame(i, **{CAM: picture}))
    dataset.save_episode()
    dataset.finalize()
    path, _ = Dataset(tmp_path / "out").frame(CAM, 0, 0)
    pictures = list(decode_all(str(path)))
    assert all(picture_id(p) == (3, 0) for p in pictures)


def test_without_videos_pictures_are_kept_exactly(tmp_path):
    dataset = create(tmp_path, use_videos=False)
    fill(dataset, (3,)).finalize()
    assert {c.key: c.dtype for c in Dataset(tmp_path / "out").features}[CAM] == "image"
    shown = np.rint(dataset[2][CAM] * 255).astype(np.uint8)
    assert np.array_equal(np.moveaxis(shown, 0, -1), draw_frame_id(2, 0, 0, 128, 96))


def test_features_with_channels_first_are_understood(tmp_path):
    features = {CAM: {"dtype": "video", "shape": (3, 96, 128), "names": ["channels", "height", "width"]}}
    dataset = create(tmp_path, features)
    dataset.add_frame({CAM: draw_frame_id(0, 0, 0, 128, 96), "task": "t"})
    dataset.save_episode()
    dataset.finalize()
    assert Dataset(tmp_path / "out").features[0].shape == (96, 128, 3)


def test_nothing_is_at_the_target_before_finalize(tmp_path):
    dataset = fill(create(tmp_path))
    assert not (tmp_path / "out").exists()
    dataset.finalize()
    dataset.finalize()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_left_without_finalize_nothing_remains(tmp_path):
    dataset = fill(create(tmp_path))
    dataset.add_frame(frame(0))
    del dataset
    gc.collect()
    assert everything_in(tmp_path) == []


def test_a_program_that_ends_without_finalize_leaves_nothing(tmp_path):
    program = (
        "import sys, numpy as np\n"
        "from telecine.compat.rerun_export import LeRobotDataset\n"
        "features = {'action': {'dtype': 'float32', 'shape': (1,), 'names': None}}\n"
        "dataset = LeRobotDataset.create('a/b', 10, features, sys.argv[1])\n"
        "dataset.add_frame({'action': np.zeros(1, np.float32), 'task': 't'})\n"
        "dataset.save_episode()\n"
        "raise SystemExit(3)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], check=False)
    assert ran.returncode == 3
    assert everything_in(tmp_path) == []


def test_finalize_without_an_episode_is_refused_and_leaves_nothing(tmp_path):
    dataset = create(tmp_path)
    with pytest.raises(DatasetError, match="no episode"):
        dataset.finalize()
    assert everything_in(tmp_path) == []
    with pytest.raises(DatasetError, match="after writing failed"):
        dataset.add_frame(frame(0))


def test_frames_that_were_not_saved_are_left_out_and_said(tmp_path, caplog):
    dataset = fill(create(tmp_path), (2,))
    dataset.add_frame(frame(0))
    assert dataset.has_pending_frames()
    with caplog.at_level(logging.WARNING, "telecine"):
        dataset.finalize()
    assert "1 frame since the last save_episode() left out" in caplog.text
    assert Dataset(tmp_path / "out").frames == 2


def test_the_buffer_can_be_forgotten(tmp_path):
    dataset = create(tmp_path)
    dataset.add_frame(frame(5))
    dataset.clear_episode_buffer()
    assert not dataset.has_pending_frames()
    with pytest.raises(DatasetError, match="no frame was added"):
        dataset.save_episode()
    fill(dataset, (2,)).finalize()
    assert Dataset(tmp_path / "out").rows(0).column("note").to_pylist() == ["frame 0", "frame 1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": np.zeros(2)}, r"action: got float64 \(2,\), expected float32 \(2,\)"),
        ({"action": np.zeros(3, np.float32)}, r"action: got float32 \(3,\)"),
        ({"note": 7}, "note: got int, expected a text"),
        ({"task": None}, "task: got NoneType"),
        ({"more": 1}, "more: no such feature"),
        ({CAM: np.zeros((96, 128), np.uint8)}, r"cam: got \(96, 128\), expected \(96, 128, 3\) or \(3, 96, 128\)"),
        ({CAM: np.zeros((96, 128, 3), np.int32)}, "got int32, expected uint8"),
        ({CAM: np.full((96, 128, 3), 7.0)}, "got floats from 7 to 7"),
        ({CAM: np.full((96, 128, 3), np.nan)}, "got floats from nan"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_and_the_others_stay(tmp_path, changes, message):
    dataset = create(tmp_path)
    dataset.add_frame(frame(0))
    with pytest.raises(DatasetError, match=message):
        dataset.add_frame(frame(1, **changes))
    dataset.add_frame(frame(1))
    assert dataset.save_episode().rows == 2


def test_all_that_is_wrong_with_a_frame_is_reported_at_once(tmp_path):
    given = frame(0, x=1, count=np.zeros(2))
    del given["action"], given["task"]
    dataset = create(tmp_path)
    with pytest.raises(DatasetError, match=r"action: missing; task: missing; x: no such feature; count: got"):
        dataset.add_frame(given)


def test_an_episode_that_cannot_be_stored_is_an_error(tmp_path):
    dataset = create(tmp_path)
    shutil.rmtree(tmp_path / ".out.telecine" / "scratch")
    with pytest.raises(DatasetError, match="frames: cannot be made: No such file"):
        dataset.add_frame(frame(0))


def test_a_value_given_is_copied(tmp_path):
    dataset, action = create(tmp_path), np.zeros(2, np.float32)
    for i in range(2):
        action[:] = i
        dataset.add_frame(frame(i, action=action))
    dataset.save_episode()
    dataset.finalize()
    assert Dataset(tmp_path / "out").rows(0).column("action").to_pylist() == [[0, 0], [1, 1]]


def test_a_frame_that_cannot_be_trained_on_costs_only_itself(tmp_path):
    dataset = create(tmp_path)
    with pytest.raises(TelecineError, match="NaN"):
        dataset.add_frame(frame(0, action=np.array([np.nan, 0], np.float32)))
    assert not dataset.has_pending_frames()
    fill(dataset, (2,)).finalize()
    assert dataset.num_episodes == 1


def feature(key, dtype, shape, names=None):
    return {key: {"dtype": dtype, "shape": shape, "names": names}}


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (feature("observation.image", "video", (96, 128, 3)), "cameras are named observation.images.NAME"),
        (feature(CAM, "video", (96, 128, 1)), "only colour images"),
        (feature(CAM, "image", (96, 128)), "only colour images"),
        ({"action": {"shape": (1,), "names": None}}, "features.action: needs dtype, shape and names"),
        ({"action": {"dtype": "float32", "shape": 3}}, "features.action: needs dtype, shape and names"),
        (feature("a/b", "float32", (1,)), "features.a/b"),
        (feature("action", "bool", (1,)), "crashes LeRobot's training"),
        (feature("speech", "language", (1,)), "language"),
        ({}, "none given"),
    ],
)
def test_features_that_cannot_be_written_are_refused_at_once(tmp_path, features, message):
    with pytest.raises(PlanError, match=message):
        create(tmp_path, features)
    assert everything_in(tmp_path) == []


def test_the_target_and_the_options_are_checked(tmp_path):
    with pytest.raises(DatasetError, match="root="):
        LeRobotDataset.create("a/b", 30, FEATURES)
    with pytest.raises(TypeError, match="no parameter video_backnd"):
        create(tmp_path, video_backnd="pyav")
    (tmp_path / "out").mkdir()
    fill(create(tmp_path, image_writer_threads=4), (1,)).finalize()
    with pytest.raises(DatasetError, match="exists and is not empty"):
        create(tmp_path)


def test_nothing_can_be_added_to_a_finished_dataset(tmp_path):
    dataset = fill(create(tmp_path), (1,))
    dataset.finalize()
    with pytest.raises(DatasetError, match="after finalize"):
        dataset.add_frame(frame(0))
