"""Reading loops of trainers that cannot be installed beside our tests, rebuilt from their public sources.

They are rebuildings: what they prove is that our files hold what those loops ask for, in the order in which they ask.
"""

import importlib
import json

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from support.dataset import TOP, WRIST, episode, everything, two_cameras, write
from support.pictures import read_frame_id
from telecine.dataset.v2_writer import write_v2

LENGTHS = (20, 1, 33)
TOLERANCE_S = 1e-4


@pytest.fixture(scope="module", params=["v2.1", "gr00t"])
def older(request, tmp_path_factory):
    """(layout, dataset) of a file an episode; frames carry row, episode and camera."""
    folder = tmp_path_factory.mktemp("older")
    source = write(folder / "new", everything(folder, LENGTHS))
    for name in ("old", "scratch"):
        (folder / name).mkdir()
    write_v2(source, folder / "old", request.param, scratch=folder / "scratch")
    return request.param, folder / "old"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def decoded(path):
    """(seconds, RGB) of every frame of a file."""
    with av.open(str(path)) as file:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in file.decode(video=0)]


def test_openpi_gets_its_chunks_and_prompts(older):
    """openpi's `create_torch_dataset` with LeRobot 0cf8648 (v2.1): `delta_timestamps`, `PromptFromLeRobotTask`.

    LeRobot of that revision reads info.json, tasks, episodes and episodes_stats; all files of an episode follow from
    its number; timestamps have to be 1 / fps apart; frames are found by time, within 1e-4 s, in the episode's own file.
    """
    _, root = older
    info = json.loads((root / "meta/info.json").read_text())
    assert info["codebase_version"] == "v2.1"
    tasks = {item["task_index"]: item["task"] for item in lines(root / "meta/tasks.jsonl")}
    episodes = lines(root / "meta/episodes.jsonl")
    stats = {item["episode_index"]: item["stats"] for item in lines(root / "meta/episodes_stats.jsonl")}
    horizon = [i / info["fps"] for i in range(10)]
    for entry in episodes:
        number = entry["episode_index"]
        at = {"episode_chunk": number // info["chunks_size"], "episode_index": number}
        table = pq.read_table(root / info["data_path"].format(**at))
        times = np.array(table.column("timestamp").to_pylist(), np.float32)
        assert len(times) == entry["length"] == stats[number]["action"]["count"][0]
        assert np.all(np.abs(np.diff(times) - 1 / info["fps"]) < TOLERANCE_S)
        actions = np.array(table.column("action").to_pylist())
        row = len(times) // 2
        chunk = actions[[min(row + round(delta * info["fps"]), len(times) - 1) for delta in horizon]]
        assert chunk.shape == (10, info["features"]["action"]["shape"][0])
        assert tasks[table.column("task_index")[row].as_py()] in entry["tasks"]
        for camera, key in enumerate((TOP, WRIST)):
            frames = decoded(root / info["video_path"].format(**at, video_key=key))
            nearest = min(frames, key=lambda frame: abs(frame[0] - times[row]))
            assert abs(nearest[0] - times[row]) < TOLERANCE_S
            assert read_frame_id(nearest[1]) == (row, number, camera)


def test_gr00t_n17_gets_its_modalities_by_index(older):
    """Isaac-GR00T N1.7, `gr00t/data/dataset/lerobot_episode_loader.py`: slices by modality.json, frames by number."""
    layout, root = older
    if layout == "v2.1":
        assert not (root / "meta/modality.json").exists()
        return
    info = json.loads((root / "meta/info.json").read_text())
    modality = json.loads((root / "meta/modality.json").read_text())
    tasks = {item["task_index"]: item["task"] for item in lines(root / "meta/tasks.jsonl")}
    for told in lines(root / "meta/episodes.jsonl"):
        number = told["episode_index"]
        at = {"episode_chunk": number // info["chunks_size"], "episode_index": number}
        table = pq.read_table(root / info["data_path"].format(**at)).to_pydict()
        for part in ("state", "action"):
            widths = []
            for entry in modality[part].values():
                values = np.stack(table[entry["original_key"]])[:, entry["start"] : entry["end"]]
                widths.append(values.shape[1])
                assert values.shape[0] == told["length"]
            assert sum(widths) == info["features"][entry["original_key"]]["shape"][0]
        for camera, (_, entry) in enumerate(sorted(modality["video"].items())):
            frames = decoded(root / info["video_path"].format(**at, video_key=entry["original_key"]))
            assert [read_frame_id(rgb) for _, rgb in frames] == [(i, number, camera) for i in range(told["length"])]
        (annotation,) = modality["annotation"].values()
        assert {tasks[i] for i in table[annotation["original_key"]]} == set(told["tasks"])


@pytest.fixture
def lerobot_reader(rerun):
    """Rerun's reader of LeRobot datasets, which came with rerun-sdk 0.38."""
    try:
        return importlib.import_module("rerun.experimental").LeRobotReader
    except (ImportError, AttributeError):
        pytest.skip("needs rerun-sdk >= 0.38: pip install -U rerun-sdk")


def test_reruns_reader_lists_every_episode_and_streams_its_columns(lerobot_reader, tmp_path):
    """With one-dimensional columns: on nested ones its own feature lenses end (rerun-sdk 0.41, "Cannot cast LIST")."""
    episodes = [episode(n, i, clips=two_cameras(tmp_path, n, i)) for i, n in enumerate(LENGTHS)]
    reader = lerobot_reader(write(tmp_path / "dataset", episodes))
    assert (reader.version, list(reader.episodes())) == ("v3", [0, 1, 2])
    for number in range(3):
        paths = {chunk.entity_path for chunk in reader.stream(number).to_chunks()}
        for key in ("action", "observation.state", TOP, WRIST):
            assert any(key in path for path in paths), (key, paths)
