"""Minari's datasets in all of its data formats."""

import json

import numpy as np
import pytest

from support import minari as make
from support.hdf5 import patch_colours, ramp
from support.proposed import convert_proposed, shown_frame
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.testing import SourceContract


@pytest.fixture(params=["arrow", "parquet", "hdf5"])
def data(request, tmp_path):
    if request.param == "hdf5":
        return make.write_hdf5(request.getfixturevalue("h5py"), tmp_path / "fetch/reach-v0/data")
    return make.write(tmp_path / "fetch/reach-v0/data", request.param)


def opened(place, number=0):
    return registry.open(registry.find([place]).refs[number])


def test_every_data_format_gives_the_same_episodes(data, tmp_path):
    plan, dataset = convert_proposed(tmp_path / "fetch", tmp_path / "out", task_text="reach", fps=25, rate=25)
    assert plan.fps == 25
    assert [e.length for e in dataset.episodes] == list(make.STEPS)
    for episode, steps in enumerate(make.STEPS):
        rows = dataset.rows(episode)
        assert np.array_equal(np.stack(rows["observation.state"].to_pylist()).astype("f4")[:, :5],
                              ramp(steps + 1, 5, episode)[:steps])  # fmt: skip
        assert np.array_equal(np.stack(rows["action"].to_pylist()).astype("f4"), ramp(steps, 4, episode + 1))
        assert np.allclose(rows["next.reward"].to_pylist(), np.arange(steps) / 10)
        assert rows["next.done"].to_pylist() == [False] * (steps - 1) + [True]
    shown = shown_frame(dataset, "observation.images.image", 5, 1)
    assert patch_colours(shown) == [0, 1, 2]
    assert shown[2].min(axis=1).argmax() == 5


def test_spaces_give_shapes_and_the_filling_of_the_last_row_is_no_sample(data):
    with opened(data) as recording:
        assert recording.attrs["layout"] == "minari"
        assert recording.attrs["env_name"] == "FetchReach-v3"
        assert recording.features["observation.state"] == ("/observations/observation",)
        assert [len(recording.streams[n].times("step")) for n in ("/actions", "/observations/observation")] == [6, 7]
        if "/observations/grid" in recording.streams:
            assert recording.streams["/observations/grid"].schema.shape == (2, 3)


def test_what_cannot_be_read_is_named(tmp_path):
    folder = make.write(tmp_path / "data")
    ref = registry.find([folder]).refs[1]
    (file,) = (folder / "1").glob("*.arrow")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read as arrow"):
        registry.open(ref)
    file.unlink()
    with pytest.raises(SourceError, match="holds no arrow file"):
        registry.open(ref)
    with pytest.raises(SourceError, match="holds no episode"):
        registry.open(Ref("minari", str(folder), "/episode_7"))
    with opened(folder) as recording:
        assert "/actions" in recording.streams


def test_steps_that_the_metadata_promises_and_are_not_there_are_said(tmp_path):
    folder = make.write(tmp_path / "data")
    (folder / "0/metadata.json").write_text(json.dumps({"total_steps": 30}))
    with opened(folder) as recording:
        assert any("says 30 steps, and it has 6" in text for _, text in recording.notes)


def test_a_dataset_without_episodes_and_a_link_out_of_it_are_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/metadata.json").write_text(json.dumps(make.metadata("arrow")))
    assert "holds no episodes" in registry.find([tmp_path / "data"]).findings[0].message
    folder = make.write(tmp_path / "other")
    (file,) = (folder / "0").glob("*.arrow")
    file.rename(tmp_path / "away.arrow")
    file.symlink_to(tmp_path / "away.arrow")
    with pytest.raises(SourceError, match="outside"):
        opened(folder)


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, tmp_path):
        return [str(make.write(tmp_path / "a")), str(make.write(tmp_path / "b", "parquet"))]
