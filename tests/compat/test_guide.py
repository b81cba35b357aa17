"""The guide's script, run from its first line to its last, and what frames of Rerun's own reader hold beyond it."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from support import guide, rrd
from support.video import picture_id, x265
from telecine.compat.rerun_export import (
    LeRobotConversionConfig,
    LeRobotDataset,
    VideoSpec,
    convert_dataframe_to_episode,
    infer_features,
)
from telecine.core.errors import PlanError
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.video.mp4_reader import decode_all

SCRIPT = Path(__file__).with_name("guide_script.py")
CONFIG = LeRobotConversionConfig(
    fps=15,
    index_column="real_time",
    action="/action/joint_positions:Scalars:scalars",
    state="/observation/joint_positions:Scalars:scalars",
    task="/language_instruction:TextDocument:text",
    videos=[VideoSpec(key="front", path="/camera/front")],
)


@pytest.fixture
def here(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def serve(folder):
    import rerun as rr

    server = rr.server.Server(datasets={"d": folder}, host="127.0.0.1")
    return server, server.client().get_dataset(name="d")


def test_the_script_of_the_guide_runs_with_only_its_imports_changed(here, capsys):
    guide.write_folder(here / "robot_recordings", 3)
    ran = runpy.run_path(str(SCRIPT))
    one, full = Dataset(here / "lerobot_dataset"), Dataset(here / "lerobot_dataset_full")
    assert (len(one), len(full)) == (1, 3)
    assert [p["recording_id"] for p in full.provenance] == ["rec_0", "rec_1", "rec_2"]
    assert full.tasks == ("pick the cube 0", "pick the cube 1", "pick the cube 2")
    assert verify(here / "lerobot_dataset_full", decode="all") == []
    assert ran["features"]["observation.images.front"] == {
        "dtype": "video",
        "shape": (96, 128, 3),
        "names": ["height", "width", "channels"],
    }
    assert f"Total frames: {full.frames}" in capsys.readouterr().out
    assert {"action", "observation.state", "observation.images.front", "task"} <= set(ran["sample"])
    assert sorted(p.name for p in here.iterdir()) == ["lerobot_dataset", "lerobot_dataset_full", "robot_recordings"]


def test_rows_are_resampled_without_common_stamps_and_pictures_copied(here):
    guide.write_folder(here / "robot_recordings", 2)
    runpy.run_path(str(SCRIPT))
    dataset = Dataset(here / "lerobot_dataset_full")
    for episode, row in enumerate(dataset.provenance):
        assert all(camera["copied"] for camera in row["cameras"])
        count = row["ticks"]
        ticks = row["start_ns"] + np.round(np.arange(count) * 1e9 / 15)
        for key, hz in (("action", 50), ("observation.state", 200)):
            values = np.array(dataset.rows(episode).column(key).to_pylist())
            age = guide.value_at(ticks, 0) - values[:, 0]
            assert age.min() > -1e-4
            assert age.max() < 1.25 / hz
        path, first = dataset.frame("observation.images.wrist", episode, 0)
        ids = [picture_id(p) for p in list(decode_all(str(path)))[first : first + count]]
        assert ids == [(ids[0][0] + i, episode) for i in range(count)]


def test_a_frame_filled_forward_is_refused_because_it_repeats_packets(here):
    guide.write_folder(here / "in", 1)
    server, dataset = serve(here / "in")
    view = dataset.filter_segments("rec_0").filter_contents(CONFIG.get_filter_list()[0])
    grid = (guide.START_NS + 2_100_000_000 + np.arange(90) * 33_333_333).astype("datetime64[ns]")
    frame = view.reader(index="real_time", using_index_values=grid, fill_latest_at=True)
    with pytest.raises(PlanError, match="fill_latest_at"):
        infer_features(table=frame.to_arrow_table(), config=CONFIG)
    server.shutdown()


def test_a_failed_segment_leaves_the_dataset_ready_for_the_next(here):
    guide.write_folder(here / "in", 2)
    guide.write(here / "in" / "blind.rrd", 2, recording_id="blind", cameras=())
    server, dataset = serve(here / "in")

    def frame(segment):
        return dataset.filter_segments(segment).filter_contents(CONFIG.get_filter_list()[0]).reader(index="real_time")

    features = infer_features(table=frame("rec_0").to_arrow_table(), config=CONFIG)
    out = LeRobotDataset.create("a/b", 15, features, "out")
    for segment in ("rec_0", "blind", "rec_1"):
        if segment == "blind":
            with pytest.raises(PlanError, match="front"):
                convert_dataframe_to_episode(
                    frame(segment), CONFIG, lerobot_dataset=out, segment_id=segment, features=features
                )
        else:
            convert_dataframe_to_episode(
                frame(segment), CONFIG, lerobot_dataset=out, segment_id=segment, features=features
            )
    out.finalize()
    assert out.num_episodes == 2
    server.shutdown()


def test_one_segment_is_picked_from_a_frame_of_several(here):
    guide.write_folder(here / "in", 2)
    server, dataset = serve(here / "in")
    frame = dataset.filter_contents(CONFIG.get_filter_list()[0]).reader(index="real_time")
    one = dataset.filter_segments("rec_1").filter_contents(CONFIG.get_filter_list()[0]).reader(index="real_time")
    features = infer_features(table=one.to_arrow_table(), config=CONFIG)
    out = LeRobotDataset.create("a/b", 15, features, "out")
    with pytest.raises(PlanError, match="holds 2 segments, but not 'rec_7'"):
        convert_dataframe_to_episode(frame, CONFIG, lerobot_dataset=out, segment_id="rec_7", features=features)
    report = convert_dataframe_to_episode(frame, CONFIG, lerobot_dataset=out, segment_id="rec_1", features=features)
    assert report.tasks == ("pick the cube 1",)
    out.finalize()
    server.shutdown()


def test_the_codec_of_the_recording_counts_and_is_kept(here):
    packets = x265(guide.PICTURES, gop=15, params="open-gop=0")
    times = guide.stamps(50, 3.5, 1, 0)
    camera = guide.stamps(15, 3.2, 4, 1)
    rrd.write_rrd(
        here / "hevc" / "a.rrd",
        {
            "/action/joint_positions": rrd.Vectors(times, guide.vectors(times)),
            "/observation/joint_positions": rrd.Vectors(times + 1, guide.vectors(times)),
            "/camera/front": rrd.Video(camera, packets, codec="hevc"),
        },
        recording_id="hevc",
    )
    server, dataset = serve(here / "hevc")
    frame = dataset.filter_segments("hevc").reader(index="real_time")
    features = infer_features(table=frame.to_arrow_table(), config=CONFIG)
    out = LeRobotDataset.create("a/b", 15, features, "out")
    report = convert_dataframe_to_episode(frame, CONFIG, lerobot_dataset=out, segment_id="hevc", features=features)
    assert [(c.codec, c.copied) for c in report.clips] == [("hevc", True)]
    assert report.tasks == ("task",)  # there is no text, so the configuration's default
    out.finalize()
    server.shutdown()
