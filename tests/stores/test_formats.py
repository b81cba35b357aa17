"""Recordings of every format give from a bucket the plan and the dataset that they give from a folder."""

import pytest

import telecine as tc
from support import hdf5, rlds, robot_folders
from support.mcap import some_messages, write_bag, write_mcap, write_rosbag2
from support.old_dataset import write_old
from support.robot import Camera, jittered, write_robot
from support.shards import rows_of
from telecine.dataset.reader import Dataset


def _rrd(_module, folder):
    write_robot(folder / "a.rrd", {"front": Camera(jittered(24), "x264")})


def _hdf5(h5py, folder):
    folder.mkdir()
    hdf5.isaaclab(h5py, folder / "demos.hdf5", demos=(0, 1))


def _robomimic(h5py, folder):
    folder.mkdir()
    hdf5.robomimic(h5py, folder / "low.hdf5", control_freq=20)


def _zarr(zarr, folder):
    folder.mkdir()
    hdf5.replay_buffer(zarr, folder / "push.zarr", timestamps=True)


def _rlds(_module, folder):
    rlds.dataset(folder, [[rlds.episode(0), rlds.episode(1)], [rlds.episode(2)]])


def _bag(_module, folder):
    write_bag(folder / "a.bag", some_messages(ros1=True))


def _rosbag2(_module, folder):
    folder.mkdir()
    write_rosbag2(folder / "run", some_messages())


def _mcap(_module, folder):
    write_mcap(folder / "a.mcap", some_messages())


def _old_dataset(_module, folder):
    folder.mkdir()
    write_old(folder / "picks", lengths=(12, 9))


def _unitree(_module, folder):
    robot_folders.unitree(folder)


FORMATS = {
    "rrd": ("rerun", _rrd),
    "Isaac Lab HDF5": ("h5py", _hdf5),
    "robomimic HDF5": ("h5py", _robomimic),
    "zarr": ("zarr", _zarr),
    "RLDS": ("crc32c", _rlds),
    "ROS 1 bag": ("mcap", _bag),
    "ROS 2 bag": ("mcap", _rosbag2),
    "MCAP": ("mcap", _mcap),
    "LeRobot v2.1": (None, _old_dataset),
    "Unitree": (None, _unitree),
}


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_read_from_a_bucket_as_from_a_folder(name, request, bucket, proxy, scratch, tmp_path):
    fixture, write = FORMATS[name]
    write(request.getfixturevalue(fixture) if fixture else None, tmp_path / "in")
    address = bucket.upload(tmp_path / "in", "raw")
    seen, known = tc.inspect(address), tc.inspect(tmp_path / "in")
    assert seen.plan == known.plan
    labels = [recording.label.replace(str(tmp_path / "in"), address) for recording in known.recordings]
    assert [recording.label for recording in seen.recordings] == labels
    flags = {"task_text": "pick", "workers": 0, **({} if known.plan else {"fps": 10})}
    local = tc.convert(tmp_path / "in", tmp_path / "local", **flags)
    there = tc.convert(address, tmp_path / "there", **flags)
    assert len(there.episodes) == len(local.episodes) > 0
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "local")
    digests = [[row["source_sha256"] for row in Dataset(tmp_path / n).provenance] for n in ("there", "local")]
    assert digests[0] == digests[1]
    assert not [finding for finding in tc.verify(tmp_path / "there") if finding.severity == "error"]
    assert not scratch.exists() or not [path for path in scratch.rglob("*") if path.is_file()]
    assert str(scratch) not in str((seen.to_dict(), there.to_dict()))
