"""A LeRobot v2.1 dataset as its own writer laid it out, written with pyarrow and PyAV alone."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from support.pictures import draw_frame_id

CAMERA = "observation.images.top"


def write_old(root: Path, lengths=(30, 40), fps: int = 30) -> Path:
    """Two numbers of state and action a row, one camera whose pictures carry row and episode."""
    names = ["shoulder", "elbow"]
    vector = {"dtype": "float32", "shape": [2], "names": names}
    features = {"observation.state": vector, "action": vector}
    features[CAMERA] = {"dtype": "video", "shape": [48, 64, 3], "names": ["height", "width", "channels"]}
    for key, kind in (("timestamp", "float32"), *((k, "int64") for k in ("frame_index", "episode_index", "index"))):
        features[key] = {"dtype": kind, "shape": [1], "names": None}
    features["task_index"] = {"dtype": "int64", "shape": [1], "names": None}
    info = {
        "codebase_version": "v2.1",
        "robot_type": "arm",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "total_tasks": 1,
        "chunks_size": 1000,
        "fps": fps,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": features,
    }
    (root / "meta").mkdir(parents=True)
    (root / "meta" / "info.json").write_text(json.dumps(info))
    (root / "meta" / "tasks.jsonl").write_text(json.dumps({"task_index": 0, "task": "lift"}) + "\n")
    first = 0
    with (root / "meta" / "episodes.jsonl").open("w") as file:
        for number, length in enumerate(lengths):
            file.write(json.dumps({"episode_index": number, "tasks": ["lift"], "length": length}) + "\n")
            _rows(root / info["data_path"].format(episode_chunk=0, episode_index=number), number, length, first, fps)
            video = info["video_path"].format(episode_chunk=0, episode_index=number, video_key=CAMERA)
            _video(root / video, number, length, fps)
            first += length
    return root


def _rows(path: Path, episode: int, length: int, first: int, fps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state = np.sin(np.arange(length + 1)[:, None] / 9 + [0, 1]).astype(np.float32)
    columns = {
        "observation.state": pa.array(state[:-1].tolist(), pa.list_(pa.float32(), 2)),
        "action": pa.array(state[1:].tolist(), pa.list_(pa.float32(), 2)),
        "timestamp": pa.array((np.arange(length) / fps).astype(np.float32)),
        "frame_index": pa.array(range(length)),
        "episode_index": pa.array([episode] * length),
        "index": pa.array(range(first, first + length)),
        "task_index": pa.array([0] * length),
    }
    with path.open("wb") as sink:
        pq.write_table(pa.table(columns), sink)


def _video(path: Path, episode: int, length: int, fps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=fps, options={"g": "2", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", Fraction(1, fps)
        for number in range(length):
            picture = draw_frame_id(number, episode, 0, 64, 48)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
