"""The examples of docs/record.md run, with imitations of what they need."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine import Recorder
from telecine.core.findings import has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_frames import episode_frames

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
FRONT = "observation.images.front"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES[0].with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(root):
    assert not has_errors(verify(root))
    return Dataset(root)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_short_and_documented(path):
    assert len(path.read_text().splitlines()) < 40
    assert f"examples/{path.name}" in (path.parents[1] / "docs" / "record.md").read_text()


class Clock:
    """The clock of an idle machine: sleeping takes just as long as was asked for."""

    def __init__(self):
        self.now_ns = 10**9

    def monotonic(self):
        return self.now_ns / 1e9

    def monotonic_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)


def test_a_loop_as_of_an_so101(tmp_path, monkeypatch):
    example = load("so101_loop")
    monkeypatch.setattr(example, "time", Clock())
    example.main(str(tmp_path / "set"), seconds=1.0)
    dataset = checked(tmp_path / "set")
    assert dataset.robot_type == "so101"
    assert next(c.names for c in dataset.features if c.key == "action")[0] == "shoulder_pan"
    assert dataset.rows(0).column("next.success")[-1].as_py() is True


class Node:
    """What an rclpy node does with subscriptions."""

    def __init__(self):
        self.callbacks = {}

    def create_subscription(self, kind, topic, callback, depth):
        self.callbacks[topic] = kind, callback

    def publish(self, topic, time_ns, **fields):
        kind, callback = self.callbacks[topic]
        stamp = SimpleNamespace(sec=time_ns // 10**9, nanosec=time_ns % 10**9)
        callback(SimpleNamespace(header=SimpleNamespace(stamp=stamp), kind=kind, **fields))


def test_a_ros_2_node(tmp_path):
    ros2_node, node = load("ros2_node"), Node()
    start = 1_790_000_000 * 10**9
    with Recorder(tmp_path / "set", fps=30) as recorder:
        ros2_node.RecordingNode(node, recorder, "JointState", "Image")
        recorder.start_episode("lift")
        for k in range(100):
            node.publish("joint_states", start + k * 10_000_000, position=[k / 10, -k / 10])
            if k % 3 == 0:
                rows = np.zeros((64, 96 * 3 + 4), np.uint8)  # padded, as drivers may
                rows[:, :-4] = draw_frame_id(k // 3, 0, 0, 96, 64).reshape(64, -1)
                message = {"height": 64, "width": 96, "step": 96 * 3 + 4, "data": rows.tobytes()}
                node.publish("image_raw", start + k * 10_000_000, **message)
        recorder.end_episode()
    dataset = checked(tmp_path / "set")
    rows = dataset.rows(0)
    shown = [read_frame_id(p)[0] for p in episode_frames(dataset, FRONT, 0, rows.num_rows)]
    begins = dataset.provenance[0]["start_ns"] - start
    for row, (state, number) in enumerate(zip(rows.column("observation.state").to_pylist(), shown, strict=True)):
        tick = begins + row * 10**9 // 30 + 1
        assert state[0] == pytest.approx(tick // 10_000_000 / 10, abs=1e-6)
        assert abs(number * 30_000_000 - tick) <= 50_000_000


class Env:
    """A gymnasium environment in which the observation counts steps."""

    render_mode = "rgb_array"

    def reset(self, seed):
        self.step_number = 0
        return np.array([0.0, seed]), {}

    def step(self, action):
        self.step_number += 1
        over = self.step_number == 25
        return np.array([self.step_number, action[0]]), 1.0, over, False, {}

    def render(self):
        return draw_frame_id(self.step_number, 0, 0, 96, 64)


def test_a_gymnasium_environment(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", SimpleNamespace(Env=object))
    load("gymnasium_env").record(Env(), lambda seen: seen[:1] * 2, str(tmp_path / "set"), task="count", fps=20)
    dataset = checked(tmp_path / "set")
    assert [e.length for e in dataset.episodes] == [25, 25, 25]
    rows = dataset.rows(1)
    assert [s[0] for s in rows.column("observation.state").to_pylist()] == list(range(25))
    assert rows.column("action").to_pylist() == [2.0 * n for n in range(25)]
    assert [read_frame_id(p)[0] for p in episode_frames(dataset, "observation.images.scene", 1, 25)] == list(range(25))
    assert rows.column("next.success")[-1].as_py() is True


def test_the_simulated_robot_driven_by_keys(tmp_path, mujoco):
    keys = iter("www  fffx rry")
    load("keyboard_teleop").main(str(tmp_path / "set"), key=lambda: next(keys))
    dataset = checked(tmp_path / "set")
    assert dataset.episodes[0].length == 13
    width = [a[-1] for a in dataset.rows(0).column("action").to_pylist()]
    assert (width[0], width[-1]) == pytest.approx((0.08, 0.0))
    assert dataset.rows(0).column("next.success")[-1].as_py() is True
