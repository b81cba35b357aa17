"""Every stream that the format's own library lists is used, offered or unreadable: there is no fourth kind."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from support import hdf5 as make
from support.mcap import some_messages, write_bag, write_mcap, write_rosbag2
from support.old_dataset import write_old
from support.robosandbox import write_run
from support.rrd import one_of_each, rrd_reader, write_rrd
from telecine.core.accounting import account
from telecine.core.plan.model import make_plan
from telecine.sources import registry

PLAN = make_plan({"fps": 10, "clock": {"timeline": "t"}, "features": {"action": "/action"}, "task": "x"})


def accounted(path):
    """(names that are accounted for, of the first recording; its id). No name is in two of the three lists."""
    with registry.open(registry.find([path]).refs[0]) as recording:
        made = account(recording, PLAN)
        names = [name for name, _ in made.used] + [item.stream for item in made.left_out]
        assert len(names) == len(set(names))
        assert set(recording.streams) <= made.streams
        return made.streams, recording.ref.id


def owners(names):
    """What stands before the first colon: the topic or entity."""
    return {name.partition(":")[0] for name in names}


def test_rerun_entities(tmp_path, rerun):
    path = write_rrd(tmp_path / "a.rrd", one_of_each())
    with rerun.RecordingStream("telecine_test", recording_id="more") as stream:
        stream.save(str(tmp_path / "more.rrd"))
        stream.set_time("t", duration=0.0)
        stream.log("/cloud", rerun.Points3D([[0, 0, 0]]))
        stream.log("/map", rerun.Tensor(np.zeros((2, 2, 2), np.float32)))
        stream.log("/classes", rerun.SegmentationImage(np.zeros((4, 4), np.uint8)))
        stream.log("/marks", rerun.AnyValues(odd=[[1, 2]]))
    for file in (path, tmp_path / "more.rrd"):
        reader = rrd_reader(file)
        chunks = [c for entry in reader.recordings() for c in reader.stream(store=entry)]
        theirs = {str(c.entity_path) for c in chunks if not str(c.entity_path).startswith("/__")}
        assert theirs
        assert theirs <= owners(accounted(file)[0])


@pytest.mark.parametrize("kind", ["mcap", "bag", "sqlite3"])
def test_topics(tmp_path, kind, mcap):
    if kind == "mcap":
        from mcap.reader import make_reader

        path = write_mcap(tmp_path / "a.mcap", some_messages())
        with path.open("rb") as file:
            theirs = {c.topic for c in make_reader(file).get_summary().channels.values()}
    else:
        from rosbags.highlevel import AnyReader

        is_bag = kind == "bag"
        path = write_bag(tmp_path / "a.bag", some_messages(ros1=True)) if is_bag else None
        path = path or write_rosbag2(tmp_path / "bag", some_messages())
        with AnyReader([path]) as reader:
            theirs = set(reader.topics)
    assert theirs == owners(accounted(path)[0])


LAYOUTS = [
    "isaaclab",
    "robomimic",
    "robosuite",
    "libero",
    "maniskill",
    "aloha",
    "robomind",
    "robotwin",
    "robotwin_older",
]


@pytest.mark.parametrize("layout", [*LAYOUTS, "droid"])
def test_hdf5_datasets(tmp_path, h5py, layout):
    path = tmp_path / layout / ("trajectory.h5" if layout == "droid" else "episode_0.hdf5")
    path.parent.mkdir()
    getattr(make, layout)(h5py, path)
    names, ident = accounted(path)
    theirs = set()
    with h5py.File(path) as file:
        file[ident or "/"].visititems(
            lambda name, item: theirs.add(f"/{name}") if isinstance(item, h5py.Dataset) else None
        )
    assert theirs
    assert theirs <= names


def test_hdf5_arrays_that_are_no_data(tmp_path, h5py):
    path = make.robosuite(h5py, tmp_path / "demo.hdf5")
    with h5py.File(path, "a") as file:
        demo = file["data"][next(iter(file["data"]))]
        demo.create_dataset("empty", shape=(6, 0), dtype="f4")
        demo.create_dataset("complex", data=np.zeros(6, np.complex128))
        name = demo.name
    names, ident = accounted(path)
    assert ident == name
    assert {"/empty", "/complex"} <= names


def test_zarr_arrays(tmp_path, zarr):
    make.replay_buffer(zarr, str(tmp_path / "push.zarr"))
    theirs = {f"/{name}" for name in zarr.open_group(str(tmp_path / "push.zarr"), mode="r")["data"]}
    assert theirs <= accounted(tmp_path / "push.zarr")[0]


def test_columns_and_cameras_of_datasets(tmp_path):
    root = write_old(tmp_path / "old")
    columns = set(pq.read_schema(next(Path(root).rglob("*.parquet"))).names)
    cameras = {
        k for k, f in json.loads((root / "meta/info.json").read_text())["features"].items() if f["dtype"] == "video"
    }
    counters = {"timestamp", "frame_index", "episode_index", "index", "task_index"}
    theirs = {f"/{name}" for name in (columns | cameras) - counters}
    assert theirs <= accounted(root)[0]


def test_fields_of_events(tmp_path):
    run = tmp_path / "run"
    write_run(run, 8, actions=True)
    names, _ = accounted(run)
    assert {"/robot_joints", "/gripper_width", "/ee_pose", "/action", "/scene"} <= names
