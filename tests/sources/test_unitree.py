"""Episodes as xr_teleoperate's EpisodeWriter writes them."""

import json
from pathlib import Path

import numpy as np
import pytest

from support.hdf5 import jpeg, patch_colours, patches, ramp
from support.proposed import convert_proposed, shown_frame
from support.robot_folders import STEPS
from support.robot_folders import unitree as write
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.shared.confinement import links_followed
from telecine.sources.unitree import source as unitree
from telecine.testing import SourceContract


def steps_of(folder, change):
    """The file with every step changed."""
    body = json.loads((folder / "data.json").read_text())
    for number, step in enumerate(body["data"]):
        change(number, step)
    (folder / "data.json").write_text(json.dumps(body))


@pytest.fixture
def episodes(tmp_path):
    write(tmp_path / "task", 9)
    write(tmp_path / "task", 10, steps=4)
    return tmp_path / "task"


def opened(place, number=0):
    return registry.open(registry.find([place]).refs[number])


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, episodes):
        return [str(episodes)]


def test_each_folder_is_an_episode_with_arms_hands_cameras_and_the_goal(episodes):
    with opened(episodes) as recording:
        arm = recording.streams["/states/right_arm/qpos"]
        assert np.array_equal(arm.take(np.arange(STEPS), "step"), ramp(STEPS, 2, 10))
        assert arm.schema.names == ("kRightElbow", "kRightWrist")
        assert recording.streams["/states/left_ee/qpos"].schema.names == ("left_ee",)
        assert arm.times("time").tolist() == [0, 33333333, 66666667, 100000000, 133333333, 166666667]
        assert list(recording.streams["/task"].take(np.array([0]), "")) == ["Pick up the red cup."]
        assert recording.attrs["success"] == "true"
        assert ["JPEG" in item.why for item in recording.left_out if item.stream == "/depths/depth_0"] == [True]


def test_the_unedited_way_gives_rows_frames_and_task(episodes, tmp_path):
    plan, dataset = convert_proposed(episodes, tmp_path / "out")
    assert plan.fps == 30
    assert [(e.length, e.tasks) for e in dataset.episodes] == [(n, ("Pick up the red cup.",)) for n in (6, 4)]
    rows = np.stack(dataset.rows(0, ["action"])["action"].to_pylist())
    assert np.allclose(rows, np.hstack([ramp(6, 2, 9), ramp(6, 2, 10), np.arange(6)[:, None] / 10]))
    shown = shown_frame(dataset, "observation.images.color_1", 3)
    assert patch_colours(shown) == [0, 1, 2]
    assert np.abs(shown.astype(int) - patches(13)).mean() < 12


@pytest.mark.parametrize("cut", [0, 30])
def test_an_episode_that_was_never_saved_is_named_and_read_when_asked(tmp_path, cut):
    folder = write(tmp_path, closed=False)
    text = (folder / "data.json").read_text()
    (folder / "data.json").write_text(text[: len(text) - cut])
    found = registry.find([tmp_path])
    assert found.refs == ()
    assert f"{STEPS - bool(cut)} steps are whole" in found.findings[0].message
    with registry.open(registry.find([tmp_path], recover=True).refs[0]) as recording:
        assert len(recording.streams["/states/left_arm/qpos"].times("step")) == STEPS - bool(cut)
        assert [code for code, _ in recording.notes] == ["source-recovered"]


def _change(folder: Path, change) -> None:
    body = json.loads((folder / "data.json").read_text())
    change(body)
    (folder / "data.json").write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("change", "stream", "why"),
    [
        (lambda b: b["data"][2]["states"]["left_arm"]["qpos"].pop(), "/states/left_arm/qpos", "not the same count"),
        (lambda b: b["data"][2]["states"].pop("left_arm"), "/states/left_arm/qpos", "1 of 6 steps does not have it"),
        (
            lambda b: b["data"][2]["actions"]["left_ee"].update(qpos=["x"]),
            "/actions/left_ee/qpos",
            "not the same count",
        ),
    ],
)
def test_a_part_that_changes_is_named_and_hides_nothing(tmp_path, change, stream, why):
    folder = write(tmp_path)
    _change(folder, change)
    with opened(tmp_path) as recording:
        assert [why in item.why for item in recording.left_out if item.stream == stream] == [True]
        assert "/colors/color_0" in recording.streams


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd"])
def test_a_frame_elsewhere_is_refused(tmp_path, name):
    folder = write(tmp_path)
    (tmp_path / "secret.jpg").write_bytes(jpeg(patches(0)))
    _change(folder, lambda b: b["data"][1]["colors"].update(color_0=name))
    with opened(tmp_path) as recording, pytest.raises(SourceError):
        list(recording.streams["/colors/color_0"].take(np.arange(STEPS), "step"))


@pytest.mark.parametrize("name", [None, "colors/gone.jpg", 7, "x" * 5000])
def test_a_step_without_a_frame_is_said_and_moves_no_other(tmp_path, name):
    folder = write(tmp_path)
    _change(folder, lambda b: b["data"][2]["colors"].update(color_0=name))
    with opened(tmp_path) as recording:
        camera = recording.streams["/colors/color_0"]
        assert camera.times("step").tolist() == [0, 1, 3, 4, 5]
        last = list(camera.take(np.arange(5), "step"))[-1]
        assert last.data == (folder / f"colors/{STEPS - 1:06d}_color_0.jpg").read_bytes()
        assert [text for _, text in recording.notes if "1 of 6 steps has no frame (2)" in text]


def test_depth_of_an_early_version_is_not_called_jpeg(tmp_path):
    folder = write(tmp_path)
    steps_of(folder, lambda number, step: step["depths"].update(depth_0=f"depths/{number:06d}_depth_0.png"))
    with opened(tmp_path) as recording:
        (why,) = [item.why for item in recording.left_out if item.stream == "/depths/depth_0"]
        assert why == "depth in PNG, of which nothing says the unit"


def test_a_camera_without_any_frame_is_named(tmp_path):
    folder = write(tmp_path)
    steps_of(folder, lambda _, step: step["colors"].update(color_1="colors/gone.jpg"))
    with opened(tmp_path) as recording:
        assert "/colors/color_0" in recording.streams
        assert [item.why for item in recording.left_out if item.stream == "/colors/color_1"] == [
            "none of its 6 steps has a frame"
        ]


def test_what_is_no_episode_inside_is_named(tmp_path):
    folder = write(tmp_path)
    (folder / "data.json").write_text('{"info": {"joint_names": 1}, "data": 7}')
    found = registry.find([tmp_path])
    assert found.refs == ()
    assert "no list `data`" in found.findings[0].message
    (folder / "data.json").write_text('{"info": {"joint_names": 1}, "data": [7]}')
    with pytest.raises(SourceError, match="1 of 1 step is no object"):
        opened(tmp_path)


def test_a_number_that_no_float_holds_costs_its_own_stream(tmp_path):
    folder = write(tmp_path)
    steps_of(folder, lambda _, step: step["states"]["left_ee"].update(qpos=[10**400]))
    with opened(folder) as recording:
        assert "/states/left_arm/qpos" in recording.streams
        assert ["too large" in item.why for item in recording.left_out if item.stream == "/states/left_ee/qpos"] == [
            True
        ]


@pytest.mark.parametrize(("group", "count", "why"), [("states", 4000, "20000 states"), ("colors", 50, "more than 256")])
def test_names_without_end_are_taken_for_damage(tmp_path, group, count, why):
    folder = write(tmp_path)
    steps_of(folder, lambda number, step: step.update({group: {f"{number}_{i}": [1.0] for i in range(count)}}))
    with pytest.raises(SourceError, match=why):
        opened(folder)


def test_a_link_in_the_place_of_the_steps_is_not_even_opened(tmp_path):
    folder = write(tmp_path / "in")
    (folder / "data.json").rename(tmp_path / "data.json")
    (folder / "data.json").symlink_to(tmp_path / "data.json")
    assert not unitree.claims(str(folder))
    with links_followed(follow=True):
        assert unitree.claims(str(folder))
