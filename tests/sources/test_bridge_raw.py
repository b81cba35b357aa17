"""BridgeData as its robots wrote it, and pickles that want more than to be read."""

import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pytest

from support.hdf5 import patch_colours, patches, ramp
from support.proposed import convert_proposed, shown_frame
from support.robot_folders import BRIDGE_STEPS as STEPS
from support.robot_folders import bridge as write
from telecine.core.errors import SourceError
from telecine.sources import registry
from telecine.sources.pickles.plain_pickle import load_plain
from telecine.testing import SourceContract


@pytest.fixture
def trajectories(tmp_path):
    group = tmp_path / "2022-05-05_10-00-00/raw/traj_group0"
    write(group / "traj0")
    write(group / "traj1", 3)
    return tmp_path


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, trajectories):
        return [str(trajectories)]


def test_the_unedited_way_gives_rows_frames_and_task(trajectories, tmp_path):
    plan, dataset = convert_proposed(trajectories, tmp_path / "out")
    assert plan.fps == 5
    assert [(e.length, e.tasks) for e in dataset.episodes] == [(STEPS - 1, ("put the pot down",))] * 2
    assert np.allclose(np.stack(dataset.rows(1)["action"].to_pylist()), ramp(STEPS - 1, 7, 53))
    shown = shown_frame(dataset, "observation.images.images1", 4)
    assert patch_colours(shown) == [0, 1, 2]
    assert np.abs(shown.astype(int) - patches(13)).mean() < 12


def test_a_frame_that_is_missing_moves_no_other(tmp_path):
    folder = write(tmp_path / "raw/traj0")
    (folder / "images1/im_3.jpg").unlink()
    (folder / f"images1/im_{STEPS}.jpg").write_bytes(b"of a step that was never saved")
    _, dataset = convert_proposed(tmp_path / "raw", tmp_path / "out")
    shown = [shown_frame(dataset, "observation.images.images1", row) for row in range(2, 6)]
    marks = [int(frame[:8].min(axis=2).mean(axis=0).argmax()) for frame in shown]
    assert marks == [9 + 2, 9 + 2, 9 + 4, 9 + 5]
    with registry.open(registry.find([tmp_path / "raw"]).refs[0]) as recording:
        said = [text for code, text in recording.notes if code == "source-incomplete"]
        assert said == [
            "/images1: 1 frame behind the last of 7 steps left out; "
            "1 of 7 steps has no frame (3): the one before stands in, within its limit"
        ]


def test_early_recordings_say_that_their_frames_are_late(tmp_path):
    write(tmp_path / "2021-06-01_10-00-00/raw/traj_group0/traj0")
    with registry.open(registry.find([tmp_path]).refs[0]) as recording:
        assert ["one step late" in text for _, text in recording.notes] == [True]


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_of_every_protocol_and_type_are_what_they_were(tmp_path, protocol):
    arrays = [np.arange(12).astype(d).reshape(3, 4) for d in ("f8", "f4", "i8", "u1", "i2", "?", ">f8", "f2")]
    value = {"plain": [1, 2.5, "text", None, True, (1, 2)], "number": np.float64(3.5),
             "column": np.asfortranarray(arrays[0]), "empty": np.zeros((0, 3)), "arrays": arrays}  # fmt: skip
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    found = load_plain(tmp_path / "a.pkl")
    assert found["plain"] == [1, 2.5, "text", None, True, [1, 2]]
    assert found["number"] == 3.5
    for ours, theirs in zip([found["column"], found["empty"], *found["arrays"]],
                            [value["column"], value["empty"], *arrays], strict=True):  # fmt: skip
        assert ours.dtype == theirs.dtype.newbyteorder("=")
        assert np.array_equal(ours, theirs)


class Runs:
    """A pickle that calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _objects(tmp_path):
    import os

    mark = str(tmp_path / "was_run")
    return {
        "os.system": Runs(os.system, f"touch {mark}"),
        "eval": Runs(eval, f"open({mark!r}, 'w')"),
        "open": Runs(open, mark, "w"),
        "getattr": Runs(getattr, "a", "upper"),
        "numpy load": Runs(np.load, mark),
        "numpy memmap": Runs(np.memmap, mark, "u1", "w+", 0, (4,)),
        "numpy frompyfunc": Runs(np.frompyfunc, print, 1, 1),
        "object array": np.array([print, {}], dtype=object),
        "class": Path("a"),
        "record": np.zeros(3, dtype=[("a", "f4")]),
        "set": {1, 2},
        "date": np.datetime64("2020-01-01"),
    }


@pytest.mark.parametrize("name", sorted(_objects(Path("a"))))
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_that_a_pickle_names_is_run(tmp_path, name, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([1, _objects(tmp_path)[name]], protocol=protocol))
    with pytest.raises(SourceError):
        load_plain(tmp_path / "a.pkl")
    assert not (tmp_path / "was_run").exists()


BOMBS = {
    "shape": b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86cnumpy\ndtype\nX\x02\x00\x00\x00f8\x89\x88\x87R\x89C\x04abcdtb.",
    "memo": b"\x80\x04Nr\xff\xff\xff\x0f.",
    "bytes": b"\x80\x05\x8e" + (1 << 40).to_bytes(8, "little") + b"a.",
    "bytearray": b"\x80\x05\x96" + (1 << 40).to_bytes(8, "little") + b"a.",
    "number": b"\x80\x04\x8b\xff\xff\xff\x7fa.",
    "deep": b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "tuples": b"\x80\x04)" + b"\x85" * 100_000 + b".",
    "cut": b"\x80\x04]q\x00",
    "text": b"no pickle at all",
    "empty": b"",
    "persistent": b"\x80\x04Va\nQ.",
    "extension": b"\x80\x04\x82\x01.",
    "lists": b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(30)) + b".",
    "keys": b"\x80\x02}K\x01q\x00" + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(40)) + b"K\x01s.",
    "copies": b"\x80\x02X"
    + struct.pack("<I", 1 << 16)
    + b"a" * (1 << 16)
    + b"q\x00c_codecs\nencode\nq\x01("
    + b"h\x01h\x00X\x06\x00\x00\x00latin1\x86R" * 50_000
    + b"l.",
    "dicts": b"\x80\x02ccollections\nOrderedDict\nq\x00}q\x01("
    + b"".join(b"J%sK\x01" % struct.pack("<i", n) for n in range(30_000))
    + b"u0("
    + b"h\x00h\x01\x85R" * 30_000
    + b"l.",
    "big key": b"\x80\x02}\x8b" + struct.pack("<i", 1 << 12) + b"\x01" * (1 << 12) + b"K\x01s.",
    "type of lists": b"\x80\x02cnumpy\ndtype\n]q\x00"
    + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(40))
    + b"\x85R.",
    "class": b"\x80\x02cnumpy\ndtype\nN}X\x04\x00\x00\x00madeK\x01s\x86b.",
    "build": b"\x80\x04]}Va\nK\x01sb.",
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_bomb_is_refused_at_no_cost(tmp_path, name):
    (tmp_path / "a.pkl").write_bytes(BOMBS[name])
    with pytest.raises(SourceError, match=r"a\.pkl"):
        load_plain(tmp_path / "a.pkl")


def test_mutated_pickles_end_in_a_name_or_are_read(tmp_path):
    whole = pickle.dumps({"state": ramp(4, 3), "other": [np.float32(1), {"a": ("b", 2.0)}]}, protocol=4)
    assert len(list(pickletools.genops(whole))) > 40
    random = np.random.default_rng(0)
    read = 0
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(0, len(data))] = random.integers(0, 256)
        (tmp_path / "a.pkl").write_bytes(data)
        try:
            load_plain(tmp_path / "a.pkl")
            read += 1
        except SourceError:
            pass
    assert 0 < read < 500


@pytest.mark.parametrize(
    ("observed", "policy", "why"),
    [
        ([1, 2], None, "expected a dict"),
        (None, [{"actions": [1.0]}, {"actions": [1.0, 2.0]}], "not one count of numbers"),
        (None, [], "no list of actions"),
        ({"state": np.zeros((3, 7))}, None, "3 observations and 6 actions"),
    ],
)
def test_what_is_no_trajectory_inside_is_named(tmp_path, observed, policy, why):
    folder = write(tmp_path / "traj0")
    for name, value in (("obs_dict", observed), ("policy_out", policy)):
        if value is not None:
            (folder / f"{name}.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(SourceError, match=why):
        registry.open(registry.find([tmp_path]).refs[0])
