"""Demonstrations of GELLO: a pickle for each step."""

import pickle

import numpy as np
import pytest

from support.hdf5 import patch_colours, patches, ramp
from support.proposed import convert_proposed, shown_frame
from support.robot_folders import STEPS
from support.robot_folders import gello as write
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.pickles import gello
from telecine.sources.pickles.plain_pickle import plain_of
from telecine.testing import SourceContract


@pytest.fixture
def demonstrations(tmp_path):
    write(tmp_path / "gello/0301_100000")
    write(tmp_path / "gello/0301_100100", 5)
    return tmp_path / "gello"


def opened(place):
    return registry.open(registry.find([place]).refs[0])


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, demonstrations):
        return [str(demonstrations)]


def test_the_unedited_way_gives_rows_and_frames_at_the_rate_of_the_names(demonstrations, tmp_path):
    plan, dataset = convert_proposed(demonstrations, tmp_path / "out", task_text="pick up the cup")
    assert plan.fps == 10
    assert [e.length for e in dataset.episodes] == [STEPS, STEPS]
    assert np.allclose(np.stack(dataset.rows(1)["action"].to_pylist()), ramp(STEPS, 7, 6))
    shown = shown_frame(dataset, "observation.images.wrist", 4)
    assert patch_colours(shown) == [0, 1, 2]
    assert np.abs(shown.astype(int) - patches(4)).mean() < 12


@pytest.mark.parametrize(
    ("change", "stream", "why"),
    [
        (lambda i, s: s.pop("control") if i == 2 else None, "/control", "1 of 6 steps does not have it"),
        (lambda i, s: s.update(control=np.zeros(6)) if i == 2 else None, "/control", "not the same count"),
        (lambda i, s: s.update(wrist_rgb=np.zeros((8, 8, 3), "u1")) if i else None, "/wrist_rgb", "change their size"),
        (lambda i, s: s.update(note="a word"), "/note", "not the same count"),
    ],
)
def test_what_changes_within_a_demonstration_is_named_and_hides_nothing(tmp_path, change, stream, why):
    write(tmp_path / "a", change=change)
    with opened(tmp_path) as recording:
        assert [why in item.why for item in recording.left_out if item.stream == stream] == [True]
        assert "/joint_positions" in recording.streams


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_each_pickle_is_unpickled_once_however_many_cameras(tmp_path, monkeypatch, protocol):
    folder = write(tmp_path / "a", change=lambda i, step: step.update(base_rgb=patches(9 + i)))
    for file in folder.iterdir():
        file.write_bytes(pickle.dumps(pickle.loads(file.read_bytes()), protocol))
    read = []
    monkeypatch.setattr(gello, "plain_of", lambda data, path: read.append(path) or plain_of(data, path))
    with opened(tmp_path) as recording:
        assert len(read) == STEPS
        for name, first in (("/wrist_rgb", 0), ("/base_rgb", 9)):
            shown = [np.frombuffer(f.data, "u1") for f in recording.streams[name].take(np.arange(STEPS), "step")]
            assert all(np.array_equal(s, patches(first + i).ravel()) for i, s in enumerate(shown))
    assert (len(read) == STEPS) == (protocol > 2)  # protocol 2 holds bytes as text


def test_a_step_that_cannot_be_read_is_named(tmp_path):
    folder = write(tmp_path / "a")
    file = sorted(folder.iterdir())[3]
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(SourceError, match=file.name):
        opened(tmp_path)


def test_a_name_that_is_no_time_is_named(tmp_path):
    folder = write(tmp_path / "a")
    next(folder.iterdir()).rename(folder / "2024-13-41T10:00:00.pkl")
    assert "is no time" in registry.find([tmp_path]).findings[0].message
