"""Replay buffers of Diffusion Policy and UMI."""

import numpy as np
import pytest

from support import hdf5 as make
from support.hdf5 import patch_colours
from support.samples import sample
from telecine.conversion.pipeline import convert
from telecine.core.errors import SourceError
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many
from telecine.sources import registry
from telecine.testing import SourceContract
from telecine.video.mp4_reader import decode_at


@pytest.fixture
def diffusion(zarr, tmp_path):
    make.replay_buffer(zarr, str(tmp_path / "push.zarr"), timestamps=True)
    return tmp_path / "push.zarr"


@pytest.fixture
def umi(zarr, tmp_path):
    with zarr.storage.ZipStore(tmp_path / "cup.zarr.zip", mode="w") as store:
        make.replay_buffer(zarr, store, umi=True)
    return tmp_path / "cup.zarr.zip"


def test_a_folder_is_one_place_with_an_episode_for_each_end(diffusion):
    found = registry.find([diffusion.parent])
    assert found.findings == ()
    assert [(r.format, r.path, r.id) for r in found.refs] == [
        ("zarr", str(diffusion), "/episode_0"),
        ("zarr", str(diffusion), "/episode_1"),
    ]


def test_episodes_are_their_part_of_the_arrays(diffusion):
    with registry.open(registry.find([diffusion]).refs[1]) as recording:
        action = recording.streams["/action"]
        assert np.array_equal(action.take(np.arange(7), "step"), make.ramp(12, 2, 1)[5:])
        picture = list(recording.streams["/img"].take(np.array([2, 6]), "step"))[1]
        shown = np.frombuffer(picture.data, np.uint8).reshape(make.HEIGHT, make.WIDTH, 3)
        assert np.array_equal(shown, make.patches(11))
        assert patch_colours(shown) == [0, 1, 2]


def test_real_stamps_are_a_clock_from_the_start_of_the_episode(diffusion):
    with registry.open(registry.find([diffusion]).refs[1]) as recording:
        times = recording.streams["/action"].times("timestamp")
        assert np.allclose(times, np.arange(7) * 10**8, atol=1000)  # float64 seconds since 1970 tell 0.2 us
    assert propose(inspect_many([diffusion]).recordings, task_text="push").plan.fps == 10


def test_without_stamps_the_rate_has_to_be_given(umi):
    proposal = propose(inspect_many([umi]).recordings, task_text="lift")
    assert proposal.plan is None
    assert "--rate" in proposal.missing[0]


def test_umis_action_is_where_the_hand_is_next(umi):
    with registry.open(registry.find([umi]).refs[0]) as recording:
        assert recording.attrs["layout"] == "umi"
        assert recording.features["action"][0] == "/next/robot0_eef_pos"
        ahead, now = recording.streams["/next/robot0_eef_pos"], recording.streams["/robot0_eef_pos"]
        assert np.array_equal(ahead.take(np.arange(4), "step"), now.take(np.arange(1, 5), "step"))
        assert ahead.times("step").tolist() == [0, 1, 2, 3]


def test_an_array_that_is_too_short_is_named(zarr, diffusion):
    root = zarr.open_group(str(diffusion), mode="a")
    root["data/state"].resize((9, 5))
    refs = registry.find([diffusion]).refs
    with registry.open(refs[0]) as recording:
        assert "/state" in recording.streams
    with pytest.raises(SourceError, match="state has 9 rows, an episode ends at 12"):
        registry.open(refs[1])


def test_ends_that_go_back_are_refused(zarr, tmp_path):
    make.replay_buffer(zarr, str(tmp_path / "bad.zarr"), ends=(5, 12))
    zarr.open_group(str(tmp_path / "bad.zarr"), mode="a")["meta/episode_ends"][:] = [12, 5]
    found = registry.find([tmp_path / "bad.zarr"])
    assert found.refs == ()
    assert "does not go up" in found.findings[0].message


def test_an_episode_that_is_not_there_is_a_source_error(diffusion):
    ref = registry.find([diffusion]).refs[0]
    with pytest.raises(SourceError, match="only 0 to 1"):
        registry.open(type(ref)("zarr", ref.path, "/episode_7"))


def test_without_zarr_the_extra_is_named(umi, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    (finding,) = registry.find([umi]).findings
    assert "pip install 'telecine[zarr]'" in finding.message


@pytest.mark.parametrize("name", ["diffusion_policy_ReplayBuffer/pusht_style.zarr",
                                  "diffusion_policy_ReplayBuffer/real_style_jpeg2k.zarr",
                                  "umi_ReplayBuffer/dataset.zarr.zip"])  # fmt: skip
def test_every_sample_is_named_once_converts_and_keeps_its_colours(zarr, tmp_path, name):
    place = sample(f"hdf5/{name}")
    assert {ref.format for ref in registry.find([place]).refs} == {"zarr"}
    proposal = propose(inspect_many([place]).recordings)
    body = {"task": "lift it", **proposal.body}
    if body["clock"]["timeline"] == "step":
        body |= {"clock": {"timeline": "step", "rate": "10"}, "fps": 10}
    report = convert([place], tmp_path / "out", make_plan(body))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    dataset = Dataset(tmp_path / "out")
    assert dataset.cameras
    for key in dataset.cameras:
        path, frame = dataset.frame(key, 0, 3)
        ((_, rgb),) = decode_at(str(path), [frame])
        assert patch_colours(rgb) == [0, 1, 2], key


class TestZarr(SourceContract):
    """The contract, on a folder and a zip file."""

    @pytest.fixture
    def places(self, diffusion, umi):
        return [str(diffusion), str(umi)]
