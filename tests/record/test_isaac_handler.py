"""The handler by itself: every form of call, every refusal, and what is in the dataset afterwards."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from support.isaac import Episode, episode
from telecine.core.errors import DatasetError, VideoError
from telecine.core.findings import has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recorder.background_queue import WAITING
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler, quaternion_order, words_of
from telecine.recorder.recorder import Recorder
from telecine.video.mp4_reader import decode_at

SIM = {"sim_args": {"dt": 0.01, "decimation": 5}}


def handler(path, env_args=SIM, **settings):
    made = LeRobotDatasetFileHandler.configured(**settings)()
    made.create(str(path), env_name="Isaac-Stack-Cube-v0")
    made.add_env_args(env_args)
    return made


def column(dataset, key, index=0):
    return np.array(dataset.rows(index, [key]).column(key).to_pylist())


def test_what_was_written_is_in_the_dataset(tmp_path):
    writing = handler(tmp_path / "x")
    writing.write_episode(episode())
    writing.write_episode(episode(start=5), None)
    writing.write_episode(episode(start=9), 7, True)
    writing.flush()
    writing.close()
    dataset = Dataset(tmp_path / "x.lerobot")
    assert not has_errors(verify(dataset.root))
    assert (len(dataset.episodes), dataset.fps) == (3, 20)
    assert list(dataset.tasks) == ["Stack Cube"]
    data = episode(start=5).data
    state = np.concatenate([data["obs"]["joint_pos"], data["obs"]["eef_quat"], data["obs"]["grasped"][:, None]], 1)
    assert np.array_equal(column(dataset, "observation.state", 1).astype("f4"), state)
    assert np.array_equal(column(dataset, "action", 1).astype("f4"), data["actions"])
    assert column(dataset, "next.done", 1).tolist() == [False] * 5 + [True]
    path, frame = dataset.frame("observation.images.table", 1, 4)
    ((_, rgb),) = decode_at(str(path), [frame])
    assert abs(float(rgb.mean()) - 80) < 2


def test_the_dataset_loads_after_every_episode_and_is_checked_whole(tmp_path):
    writing = handler(tmp_path / "x")
    for number in range(3):
        writing.write_episode(episode(start=number))
        writing.flush()
        assert not has_errors(verify(tmp_path / "x.lerobot"))
        assert len(Dataset(tmp_path / "x.lerobot").episodes) == number + 1
    writing.close()
    assert [p.name for p in tmp_path.iterdir()] == ["x.lerobot"]


@pytest.fixture
def held(monkeypatch):
    """Recorders that write once released: `held.set()`; `held.fails` are the numbers of writes that fail."""
    release, real = threading.Event(), Recorder.save_episode
    release.fails, release.calls = set(), 0

    def write(self, live, success=None):
        assert release.wait(60)
        release.calls += 1
        if release.calls in release.fails:
            live.abandon()
            raise VideoError("the encoder failed")
        return real(self, live, success)

    monkeypatch.setattr(Recorder, "save_episode", write)
    yield release
    release.set()


def test_writing_does_not_keep_the_simulation_waiting(tmp_path, held):
    before = set(threading.enumerate())
    writing = handler(tmp_path / "x")
    for number in range(3):
        mine = episode(start=number)
        writing.write_episode(mine)
        for values in (mine.data["actions"], *mine.data["obs"].values()):
            values[:] = 0  # as a simulation may, whose buffers these are
    assert not (tmp_path / "x.lerobot").exists()
    assert writing.get_num_episodes() == 3
    held.set()
    writing.flush()
    dataset = Dataset(tmp_path / "x.lerobot")
    for number in range(3):
        actions = column(dataset, "action", number).astype("f4")
        assert np.array_equal(actions, episode(start=number).data["actions"])
    assert not has_errors(verify(dataset.root))
    writing.close()
    assert set(threading.enumerate()) <= before


def test_a_flush_tells_which_episodes_were_not_written(tmp_path, held):
    held.fails = {2, 3}
    writing = handler(tmp_path / "x")
    for number in range(4):
        writing.write_episode(episode(start=number), number + 10)
    held.set()
    with pytest.raises(DatasetError, match=r"demo_11 was not written: the encoder failed") as failed:
        writing.flush()
    assert "demo_12" in failed.value.__notes__[0]
    assert list(writing.get_episode_names()) == ["demo_10", "demo_13"]
    writing.flush()
    writing.write_episode(episode(start=8), 11)
    writing.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["x.lerobot"]


def test_the_name_of_an_episode_that_failed_does_not_stand_in_the_way_of_later_ones(tmp_path, held):
    held.fails = {1}
    writing = handler(tmp_path / "x")
    for number in range(2):
        writing.write_episode(episode(start=number))
    held.set()
    with pytest.raises(DatasetError, match="demo_0 was not written"):
        writing.flush()
    for number in range(2):
        writing.write_episode(episode(start=number))
    writing.close()
    assert list(writing._names) == ["demo_1", "demo_2", "demo_3"]
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 3


def test_an_episode_is_not_taken_after_one_that_failed_until_that_was_told(tmp_path, held):
    held.fails = {1}
    held.set()
    writing = handler(tmp_path / "x")
    writing.write_episode(episode())
    while not writing._queue._jobs[0].done():
        time.sleep(0.01)
    with pytest.raises(DatasetError, match="demo_0 was not written"):
        writing.write_episode(episode(start=5))
    writing.write_episode(episode(start=6))
    writing.close()
    dataset = Dataset(tmp_path / "x.lerobot")
    assert len(dataset.episodes) == 1
    assert np.array_equal(column(dataset, "action").astype("f4"), episode(start=6).data["actions"])


def test_few_episodes_wait_in_memory(tmp_path, held):
    writing = handler(tmp_path / "x")
    taken = []

    def record():
        for number in range(WAITING + 3):
            writing.write_episode(episode(camera=False, start=number))
            taken.append(number)

    thread = threading.Thread(target=record)
    thread.start()
    thread.join(1)
    assert thread.is_alive()
    assert len(taken) == WAITING + 1  # one is being written
    held.set()
    thread.join(60)
    writing.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == WAITING + 3


def test_a_script_that_ends_without_closing_loses_nothing(tmp_path):
    tests = Path(__file__).parents[1]
    script = SCRIPT.partition("while True")[0].replace("    handler.flush()\n", "")
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "x"), str(tests)], check=True, capture_output=True)
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["x.lerobot"]


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[2])
from support.isaac import episode
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler
handler = LeRobotDatasetFileHandler.configured(fps=20, task="t")()
handler.create(sys.argv[1])
for number in range(2):
    handler.write_episode(episode(start=number))
    handler.flush()
print("flushed", flush=True)
while True:
    handler.write_episode(episode(steps=40))
"""


def test_a_process_that_is_killed_after_a_flush_leaves_a_dataset_that_loads(tmp_path):
    tests = Path(__file__).parents[1]
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path / "x"), str(tests)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "flushed\n"
        process.kill()
    dataset = Dataset(tmp_path / "x.lerobot")
    assert len(dataset.episodes) >= 2
    assert not has_errors(verify(dataset.root))


def test_lists_that_were_not_stacked_are_taken(tmp_path):
    plain = episode()
    plain.data["actions"] = list(plain.data["actions"])
    plain.data["obs"] = {key: list(value) for key, value in plain.data["obs"].items()}
    writing = handler(tmp_path / "x")
    writing.write_episode(plain)
    writing.close()
    assert np.array_equal(column(Dataset(tmp_path / "x.lerobot"), "action").astype("f4"), episode().data["actions"])


def test_configured_observations_become_features_of_their_own(tmp_path):
    writing = handler(
        tmp_path / "x",
        observation_keys=("policy/table_cam", ("policy", "eef_quat"), "policy/grasped"),
        state_keys=("policy/joint_pos",),
        task="Stack the red cube",
    )
    writing.write_episode(episode())
    writing.close()
    dataset = Dataset(tmp_path / "x.lerobot")
    features = {f.key: f for f in dataset.features}
    assert {"observation.images.table", "observation.eef_quat", "observation.grasped", "observation.state"} <= set(
        features
    )
    assert features["observation.state"].names == tuple(f"joint_pos_{i}" for i in range(4))
    assert list(dataset.tasks) == ["Stack the red cube"]


def test_no_state_at_all_is_allowed_when_something_is_observed(tmp_path):
    writing = handler(tmp_path / "x", observation_keys=("policy/joint_pos",), state_keys=())
    writing.write_episode(episode())
    writing.close()
    keys = {f.key for f in Dataset(tmp_path / "x.lerobot").features}
    assert "observation.joint_pos" in keys
    assert "observation.state" not in keys


def test_groups_may_be_nested_or_left_out(tmp_path):
    grouped = episode(camera=False)
    grouped.data["obs"] = {"policy": {"joint_pos": grouped.data["obs"]["joint_pos"]}, "critic": grouped.data["obs"]}
    writing = handler(tmp_path / "x", observation_keys=("critic/eef_quat",), state_keys=("policy/joint_pos",))
    writing.write_episode(grouped)
    writing.close()
    assert "observation.critic.eef_quat" in {f.key for f in Dataset(tmp_path / "x.lerobot").features}


def test_nothing_to_record_is_refused_in_the_guides_words(tmp_path):
    with pytest.raises(ValueError, match="must have at least one observation configured"):
        LeRobotDatasetFileHandler.configured(observation_keys=(), state_keys=())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": {"cam": np.zeros((6, 48, 64, 3), np.float32)}}, "normalize=False"),
        ({"actions": np.zeros((5, 3), np.float32)}, "different numbers of steps"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_is_written(tmp_path, change, message):
    writing = handler(tmp_path / "x")
    with pytest.raises(DatasetError, match=message):
        writing.write_episode(episode(data=change))
    assert not (tmp_path / "x.lerobot").exists()
    writing.write_episode(episode())  # the next one is not affected
    writing.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 1


def test_an_observation_that_is_not_there_is_named_with_those_that_are(tmp_path):
    writing = handler(tmp_path / "x", state_keys=("policy/joints",))
    with pytest.raises(DatasetError, match=r"'policy/joints'; it has: joint_pos, eef_quat"):
        writing.write_episode(episode())
    writing.close()


def test_episodes_without_steps_are_left_out_and_counted(tmp_path, caplog):
    writing = handler(tmp_path / "x")
    writing.write_episode(Episode({"initial_state": {"root_pose": np.ones((1, 7))}}))
    assert writing.get_num_episodes() == 0
    assert "without steps" in caplog.text
    writing.close()
    assert not (tmp_path / "x.lerobot").exists()


def test_a_name_is_given_once(tmp_path):
    writing = handler(tmp_path / "x")
    writing.write_episode(episode(), 3)
    with pytest.raises(ValueError, match="'demo_3' already exists"):
        writing.write_episode(episode(), 3)
    writing.close()


@pytest.mark.parametrize(
    ("dt", "decimation", "fps"), [(1 / 60, 2, 30), (0.005, 4, 50), (0.01, 5, 20), (1 / 120, 4, 30)]
)
def test_the_rate_is_that_of_the_control_step(tmp_path, dt, decimation, fps):
    writing = handler(tmp_path / "x", {"sim_args": {"dt": dt, "decimation": decimation}})
    writing.write_episode(episode(camera=False))
    writing.close()
    assert Dataset(tmp_path / "x.lerobot").fps == fps


def test_a_rate_that_is_no_whole_number_has_to_be_given(tmp_path):
    odd = {"sim_args": {"dt": 0.013, "decimation": 3}}
    writing = handler(tmp_path / "x", odd)
    with pytest.raises(DatasetError, match="no whole number a second"):
        writing.write_episode(episode(camera=False))
    writing.close()
    writing = handler(tmp_path / "y", odd, fps=25)
    writing.write_episode(episode(camera=False))
    writing.close()
    assert Dataset(tmp_path / "y.lerobot").fps == 25


def test_without_any_rate_a_warning_says_what_was_taken(tmp_path):
    writing = handler(tmp_path / "x", {})
    with pytest.warns(UserWarning, match="so 30 was taken"):
        writing.write_episode(episode(camera=False))
    writing.close()


def test_what_exists_is_kept_unless_told_otherwise(tmp_path):
    first = handler(tmp_path / "x")
    first.write_episode(episode())
    first.close()
    with pytest.raises(
        DatasetError, match='add to it with existing="append", or replace it with existing="overwrite"$'
    ):
        handler(tmp_path / "x")
    more = handler(tmp_path / "x", existing="append")
    more.write_episode(episode(), 9)
    more.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 2
    anew = handler(tmp_path / "x", existing="overwrite")
    anew.write_episode(episode())
    anew.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 1


def test_closing_is_harmless_twice_before_and_after_failure(tmp_path):
    writing = LeRobotDatasetFileHandler()
    writing.close()
    writing.create(str(tmp_path / "x"))
    with pytest.raises(RuntimeError, match="already in use"):
        writing.create(str(tmp_path / "y"))
    writing.close()
    writing.close()
    with pytest.raises(RuntimeError, match="not initialized"):
        writing.write_episode(episode())


def test_a_dataset_can_be_opened_for_reading_and_for_more(tmp_path):
    writing = handler(tmp_path / "x")
    for number in range(11):
        writing.write_episode(episode(steps=2, camera=False, start=number))
    writing.close()
    reading = LeRobotDatasetFileHandler()
    reading.open(str(tmp_path / "x.lerobot"))
    assert reading.get_env_name() == "Isaac-Stack-Cube-v0"
    assert reading.get_num_episodes() == reading.demo_count == 11
    assert list(reading.get_episode_names())[-2:] == ["demo_9", "demo_10"]
    with pytest.raises(RuntimeError, match="open for reading"):
        reading.write_episode(episode())
    assert reading.load_episode("demo_77", "cpu") is None
    reading.close()
    adding = LeRobotDatasetFileHandler()
    adding.open(str(tmp_path / "x.lerobot"), mode="r+")
    adding.write_episode(episode(steps=2, camera=False))
    adding.close()
    assert len(Dataset(tmp_path / "x.lerobot").episodes) == 12
    with pytest.raises(DatasetError, match="no LeRobot dataset"):
        LeRobotDatasetFileHandler().open(str(tmp_path / "nowhere"))


def test_env_args_are_kept_with_the_dataset(tmp_path):
    writing = handler(tmp_path / "x")
    writing.write_episode(episode(camera=False))
    writing.set_env_name("Other-v1")
    writing.close()
    env = json.loads((tmp_path / "x.lerobot/meta/isaaclab/env.json").read_text())
    assert env == {"env_name": "Other-v1", "type": 2, **SIM}


def test_classes_made_by_configured_can_be_found_again_by_name():
    made = LeRobotDatasetFileHandler.configured(fps=10)
    assert (made.__module__, made.__name__) == ("telecine.record.isaaclab", "LeRobotDatasetFileHandler")
    with pytest.raises(TypeError):
        LeRobotDatasetFileHandler.configured(fsp=10)


def test_an_environments_name_becomes_words():
    assert words_of("Isaac-Stack-Cube-Franka-IK-Rel-v0") == "Stack Cube Franka IK Rel"
    assert words_of("v0") == "unnamed task"


def test_quaternions_are_named_as_the_isaac_lab_that_runs_has_them(monkeypatch):
    name = "isaaclab.utils.datasets.hdf5_dataset_file_handler"
    monkeypatch.setitem(sys.modules, name, type("M", (), {"DATASET_FORMAT_VERSION": 1}))
    assert quaternion_order() == "xyzw"
    monkeypatch.setitem(sys.modules, name, type("M", (), {}))
    assert quaternion_order() == "wxyz"
