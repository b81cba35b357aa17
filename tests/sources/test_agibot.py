"""AgiBot World: depth and segments of the data set of 2025; that of 2026, which is LeRobot's format v2.1."""

import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from support import hdf5 as make
from support.old_dataset import write_old
from support.pictures import to_png16
from telecine import convert
from telecine.core.labels.columns import labels_of
from telecine.dataset.reader import Dataset
from telecine.sources import registry

SEGMENTS = [
    {"start_frame": 0, "end_frame": 4, "action_text": "Pick up the orange", "skill": "Pick"},
    {"start_frame": 4, "end_frame": 10, "action_text": "Place it in the bag", "skill": "Place"},
]
TEXTS = ["Pick up the orange"] * 4 + ["Place it in the bag"] * 6


def recorded(h5py, root, segments=SEGMENTS, depth=(0, 3, 6, 9)):
    path = make.agibot(h5py, root)
    folder = root / "observations/327/64/depth"
    folder.mkdir()
    for step in depth:
        (folder / f"head_depth_{step:06d}.png").write_bytes(to_png16(np.full((48, 64), 500 + step, np.uint16)))
    (place,) = root.glob("task_info/*.json")
    (entry,) = json.loads(place.read_text())
    place.write_text(json.dumps([{**entry, "label_info": {"action_config": segments}}]))
    return path


def opened(path):
    return registry.open(registry.find([path]).refs[0])


def subtasks(recording, clock="step"):
    (timed,) = [timed for timed in recording.labels if timed.clock == clock]
    return [(label.start, label.stop, label.text) for label in timed.labels]


def test_segments_are_subtasks_of_the_rows(h5py, tmp_path):
    path = recorded(h5py, tmp_path)
    with opened(path) as recording:
        assert subtasks(recording) == [(0, 4, TEXTS[0]), (4, 10, TEXTS[-1])]
        assert {timed.clock for timed in recording.labels} == set(recording.streams["/state/joint/position"].clocks)
        assert [end - start for start, end, _ in subtasks(recording, "time")] == [133333333, 200000000]
    report = convert(path, tmp_path / "out")
    assert report.ok
    assert not [f for f in report.all_findings if f.code == "label-lost"]
    labels = labels_of(pq.read_table(next((tmp_path / "out/data").rglob("*.parquet"))), 30)
    assert [(label.start, label.stop, label.text) for label in labels] == [(0, 3, TEXTS[0]), (3, 9, TEXTS[-1])]


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        ({"start_frame": 8, "end_frame": 30, "action_text": "x"}, "ends behind the last of 10 steps"),
        ({"start_frame": 5, "end_frame": 5, "action_text": "x"}, "names no rows"),
        ({"start_frame": "0", "end_frame": 5, "action_text": "x"}, "names no rows"),
        ({"start_frame": 0, "end_frame": 5}, "or no text"),
    ],
)
def test_a_segment_that_does_not_fit_is_said(h5py, tmp_path, segment, said):
    with opened(recorded(h5py, tmp_path, [SEGMENTS[0], segment])) as recording:
        assert any(said in text and "1 of 2" in text for _, text in recording.notes)
        assert subtasks(recording)[0] == (0, 4, TEXTS[0])


def test_depth_of_some_steps_is_offered_in_millimetres(h5py, tmp_path):
    with opened(recorded(h5py, tmp_path)) as recording:
        depth = recording.streams["/depth/head_depth"]
        assert depth.schema.unit == "mm"
        assert depth.times("step").tolist() == [0, 3, 6, 9]
        assert next(iter(depth.take(np.array([2]), "step"))).data.startswith(b"\x89PNG")
        (entry,) = [item for item in recording.left_out if item.stream == "/depth/head_depth"]
        assert (entry.what, "12-bit depth" in entry.fix) == ("offered", True)


def test_depth_that_leads_outside_is_refused(h5py, tmp_path):
    path = recorded(h5py, tmp_path / "in")
    link = tmp_path / "in/observations/327/64/depth/head_depth_000001.png"
    (tmp_path / "secret").write_bytes(b"\x89PNG")
    link.symlink_to(tmp_path / "secret")
    with opened(path) as recording, pytest.raises(Exception, match="outside"):
        list(recording.streams["/depth/head_depth"].take(np.arange(5), "step"))


# --- the data set of 2026 --------------------------------------------------------------------------------------------


def of_2026(root, segments):
    write_old(root, lengths=(6, 8))
    place = root / "meta/info.json"
    info = json.loads(place.read_text())
    for kind, key in (("state", "observation.state"), ("action", "action")):
        info["features"][key]["names"] = None
        fields = {f"{kind}/left_effector/position": {"indices": [1]}, f"{kind}/waist/position": {"indices": [0]}}
        info["features"][key]["field_descriptions"] = fields
    place.write_text(json.dumps({**info, "robot_type": "g2a", "instruction_segments": {"1": segments}}))
    return root


def segment(text, start, stop, track="default"):
    return {"track": track, "instruction": text, "start_frame_index": start, "end_frame_index": stop}


def test_the_data_set_of_2026_has_names_and_instructions(tmp_path):
    root = of_2026(
        tmp_path / "a", [segment("Pick", 1, 3), segment("Left arm only", 0, 8, "Left arm"), segment("Place", 5, 8)]
    )
    refs = registry.find([root]).refs
    with registry.open(refs[1]) as recording:
        assert subtasks(recording) == [(1, 3, "Pick"), (5, 8, "Place")]
        names = recording.streams["/observation.state"].schema.names
        assert names == ("waist_position", "left_effector_position")
    with registry.open(refs[0]) as recording:
        assert recording.labels == ()
    report = convert(root, tmp_path / "out")
    assert report.ok
    features = {feature.key: feature.names for feature in Dataset(tmp_path / "out").features}
    assert features["action"] == ("waist_position", "left_effector_position")


def head_depth(root, lengths=(6, 8)):
    """Depth in mm as 16-bit frames, a video for each episode, as the data set has it."""
    key, place = "observation.images.head_depth", root / "meta/info.json"
    info = json.loads(place.read_text())
    for number, length in enumerate(lengths):
        path = root / info["video_path"].format(episode_chunk=0, video_key=key, episode_index=number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("png", rate=info["fps"])
            stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16be"
            for row in range(length):
                mm = av.VideoFrame.from_ndarray(np.full((48, 64), 500 + row, np.uint16), format="gray16le")
                frame = mm.reformat(format="gray16be")
                frame.pts = row
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    about = {"video.codec": "png", "video.pix_fmt": "gray16be", "video.is_depth_map": True}
    info["features"][key] = {"dtype": "video", "shape": [48, 64, 1], "names": None, "info": about}
    place.write_text(json.dumps(info))


def test_its_depth_of_16_bits_is_left_out_by_name_and_the_rest_is_read(tmp_path):
    root = of_2026(tmp_path / "a", [segment("Pick", 1, 3)])
    head_depth(root)
    with registry.open(registry.find([root]).refs[0]) as recording:
        (left,) = [item for item in recording.left_out if "head_depth" in item.stream]
        assert (left.what, left.training) == ("unreadable", True)
        assert "depth as png video, which is not read" in left.why
    report = convert(root, tmp_path / "out")
    assert report.ok
    assert Dataset(tmp_path / "out").cameras == ("observation.images.top",)
    assert [f for f in report.all_findings if f.code == "stream-unreadable" and "head_depth" in str(f)]


def test_archives_are_told_to_be_unpacked(tmp_path):
    (tmp_path / "399093_399454.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(Exception, match="archives: unpack them"):
        registry.find([tmp_path])


def test_a_shape_that_no_row_has_is_told_and_costs_no_memory(tmp_path):
    root = of_2026(tmp_path / "in", [segment("grasp the cup", 0, 8)])
    place = root / "meta/info.json"
    info = json.loads(place.read_text())
    info["features"]["observation.state"]["shape"] = [2**40]
    place.write_text(json.dumps(info))
    report = convert(root, tmp_path / "out", task="go")
    assert not report.ok
    assert all("a row of 4398046511104 bytes is more than" in e.reason.message for e in report.rejected)
