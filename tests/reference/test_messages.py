"""Recordings of messages by others' writers, through LeRobot's reader: every row, every frame.

Converted with the plan that `inspect` proposes, unedited. Stamps in the messages decide, not when they were recorded:
the camera's frames arrive 35 ms late.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.mcap import START_NS, write_bag, write_mcap, write_rosbag2
from support.pictures import read_frame_id
from support.teleop import said, teleop, write_by_ros2_support, write_foxglove, write_json
from telecine.conversion.pipeline import convert
from telecine.core.proposal.propose import propose
from telecine.inspection.recordings import inspect_many

pytestmark = pytest.mark.usefixtures("mcap")
LENGTHS = (33, 40)

WRITERS = {
    "mcap": lambda path, done: write_mcap(path.with_suffix(".mcap"), said(done)),
    "mcap-ros2-support": lambda path, done: write_by_ros2_support(path.with_suffix(".mcap"), done),
    "rosbag2": lambda path, done: write_rosbag2(path, said(done)),
    "bag": lambda path, done: write_bag(path.with_suffix(".bag"), said(done, ros1=True), "lz4"),
    "foxglove": lambda path, done: write_foxglove(path.with_suffix(".mcap"), done),
    **{
        f"foxglove-video-{coding}": lambda path, done, coding=coding: write_foxglove(
            path.with_suffix(".mcap"), done, coding
        )
        for coding in ("h264", "h265", "av1")
    },
    **{
        f"video-in-image-{coding}": lambda path, done, coding=coding: write_mcap(
            path.with_suffix(".mcap"), said(done, coding=coding)
        )
        for coding in ("h264", "h265", "av1")
    },
    "video-packets": lambda path, done: write_mcap(
        path.with_suffix(".mcap"), said(done, coding="h265", packets="hevc;yuv420p;bgr8;bgr8")
    ),
    "video-packets-bag": lambda path, done: write_bag(
        path.with_suffix(".bag"), said(done, ros1=True, coding="h264", packets="libx264"), "bz2"
    ),
    "json": lambda path, done: write_json(path.with_suffix(".mcap"), done),
}


def made(folder, writer):
    """(episodes, report) of two recordings, with the proposed plan."""
    folder.mkdir()
    done = [teleop(count, episode) for episode, count in enumerate(LENGTHS)]
    for episode in done:
        WRITERS[writer](folder / f"take_{episode.episode}", episode)
    plan = propose(inspect_many([folder]).recordings).plan
    assert plan is not None
    assert sorted(f.key for f in plan.features) == ["action", "observation.images.front", "observation.state"]
    report = convert([folder], folder.parent / f"{folder.name}-dataset", plan)
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    return done, report


@pytest.mark.parametrize("writer", WRITERS)
def test_each_row_has_the_picture_and_the_joints_of_its_time(tmp_path, writer, lerobot_dataset):
    done, report = made(tmp_path / "in", writer)
    assert {c.copied for e in report.episodes for c in e.clips} == {"video" in writer}
    origins = pq.read_table(f"{report.root}/meta/telecine/provenance.parquet").to_pylist()
    dataset = lerobot_dataset(report.root)
    row = 0
    for episode, origin in zip(done, origins, strict=True):
        assert origin["ticks"] == len(episode.frames)
        for i in range(origin["ticks"]):
            item, tick = dataset[row], (origin["start_ns"] - START_NS) / 1e9 + i / 30
            shown = np.round(item["observation.images.front"].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
            expected = int(np.flatnonzero(episode.frames / 1e9 <= tick + 1e-6)[-1])
            assert read_frame_id(shown) == (expected, episode.episode, 0)
            assert -2e-6 <= tick - float(item["observation.state"][0]) < 0.005 + 2e-6
            assert -2e-6 <= tick - float(item["action"][0]) < 0.02 + 2e-6
            assert float(item["action"][1]) == pytest.approx(np.sin(float(item["action"][0])), abs=1e-4)
            assert item["task"] == f"task {episode.episode}"
            row += 1
    assert row == len(dataset) == report.rows


def test_the_same_content_in_all_containers_gives_equal_datasets(tmp_path):
    roots = [made(tmp_path / writer, writer)[1].root for writer in ("mcap", "mcap-ros2-support", "rosbag2", "bag")]
    first, *others = [contents(root) for root in roots]
    assert any(name.endswith(".mp4") for name in first)
    for other in others:
        assert other.keys() == first.keys()
        assert [name for name in first if other[name] != first[name]] == []


def contents(root):
    """Every file of the dataset but those that name the recordings."""
    files = [p for p in Path(root).rglob("*") if p.is_file() and "telecine" not in p.parts]
    return {str(p.relative_to(root)): nameless(p) for p in files}


def nameless(path):
    """What the file holds; of `meta/episodes`, every column but the one that names the recordings."""
    if path.parent.parent.name != "episodes":
        return path.read_bytes()
    table = pq.read_table(path)
    assert all(name.startswith("take_") for name in table["recording"].to_pylist())
    return table.drop_columns("recording"), table.schema.metadata


def test_the_conformance_check_passes(tmp_path, conformance):
    _, report = made(tmp_path / "in", "foxglove-video-h264")
    conformance(report.root, "--frame-id", "--no-tools")
