"""Depth videos that LeRobot wrote, in its usual steps and others: its reader gives afterwards what it gave before."""

import importlib
import json

import numpy as np
import pytest

import telecine as tc
from telecine import convert, edit, inspect, open_dataset, repair, verify

DEPTH, SIZE, LENGTHS, FPS = "observation.images.depth", (64, 48), (13, 8), 30
SETTINGS = {
    "usual": {},
    "near": {"depth_min": 0.1, "depth_max": 2.0, "shift": 0.5},
    "linear": {"depth_min": 0.0, "depth_max": 4.0, "use_log": False},
}


def distances(number, dtype):
    """A ramp that moves away, with a hole that was not measured and what is too far."""
    mm = np.linspace(150, 1900, SIZE[0])[None] + np.arange(SIZE[1])[:, None] + 10 * number
    mm[5:9, 5:9], mm[20:24, 20:24] = 0, 65_000
    return mm.astype(np.uint16) if dtype == "uint16" else (mm / 1000).astype(np.float32)


@pytest.fixture(scope="session", params=[("usual", "uint16"), ("near", "float32"), ("linear", "uint16")])
def recorded(request, lerobot, tmp_path_factory):
    """A dataset as LeRobot records depth."""
    name, dtype = request.param
    video = importlib.import_module("lerobot.configs.video")
    dataset_type = importlib.import_module("lerobot.datasets.lerobot_dataset").LeRobotDataset
    vector = {"dtype": "float32", "shape": (3,), "names": ["a", "b", "c"]}
    camera = {"dtype": "video", "shape": (SIZE[1], SIZE[0], 1), "names": ["height", "width", "channels"]}
    features = {"observation.state": vector, "action": vector, DEPTH: camera | {"info": {"is_depth_map": True}}}
    root = tmp_path_factory.mktemp("recorded") / name
    encoder = video.DepthEncoderConfig(**SETTINGS[name])
    made = dataset_type.create(f"local/{name}", FPS, features, root, depth_encoder=encoder)
    number = 0
    for length in LENGTHS:
        for _ in range(length):
            vector = np.full(3, number, np.float32)
            depth = distances(number, dtype)[..., None]
            made.add_frame({"observation.state": vector, "action": vector, DEPTH: depth, "task": "look"})
            number += 1
        made.save_episode()
    made.finalize()
    return root


def depth_of(dataset):
    """(rows, height, width) mm, as LeRobot's reader gives them."""
    return np.stack([dataset[row][DEPTH].numpy()[0] for row in range(len(dataset))])


def test_rows_show_the_depth_that_lerobot_read_before(recorded, tmp_path, lerobot_dataset):
    assert [f for f in verify(recorded, decode="all") if f.severity == "error"] == []
    assert not [entry for entry in inspect([recorded]).to_dict().get("left_out", ()) if "depth" in entry["why"]]
    before = depth_of(lerobot_dataset(recorded))
    assert before.std() > 100
    ours = np.concatenate([episode.frames(DEPTH) for episode in open_dataset(recorded)])
    assert np.abs(ours - before).max() <= 1  # LeRobot rounds in single precision
    firsts = np.array([0, *np.cumsum(LENGTHS)[:-1]])
    for fps, step in ((30, 1), (15, 2), (10, 3)):
        out = tmp_path / f"at {fps}"
        report = convert(recorded, out, fps=fps)
        assert report.ok, report.findings
        after = depth_of(lerobot_dataset(out))
        rows = [f + k for f, n in zip(firsts, LENGTHS, strict=True) for k in range(0, n, step)]
        np.testing.assert_array_equal(after, before[rows])
        assert [f for f in verify(out, decode="all") if f.severity == "error"] == []
    info = [json.loads((root / "meta/info.json").read_text())["features"][DEPTH]["info"] for root in (recorded, out)]
    for name in ("depth_unit", "video.depth_min", "video.depth_max", "video.shift", "video.use_log", "is_depth_map"):
        assert info[0][name] == info[1][name], name


def test_edits_merges_and_repairs_keep_depth(recorded, tmp_path, lerobot_dataset):
    before = depth_of(lerobot_dataset(recorded))
    edit(recorded, tmp_path / "cut", trim="0:3..9")
    cut = depth_of(lerobot_dataset(tmp_path / "cut"))
    np.testing.assert_array_equal(cut, np.concatenate([before[3:9], before[13:]]))
    tc.merge([recorded, tmp_path / "cut"], tmp_path / "both")
    np.testing.assert_array_equal(depth_of(lerobot_dataset(tmp_path / "both")), np.concatenate([before, cut]))
    (tmp_path / "both/meta/stats.json").unlink()
    done = repair(tmp_path / "both", tmp_path / "repaired")
    assert done.ok, (done.found, done.after)
    np.testing.assert_array_equal(depth_of(lerobot_dataset(tmp_path / "repaired")), np.concatenate([before, cut]))
