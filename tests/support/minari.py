"""Minari datasets, written call by call as its storages write them, with pyarrow and h5py alone."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from support.hdf5 import HEIGHT, WIDTH, jpeg, patches, ramp

STEPS = (6, 9)


def _box(shape, dtype="float32", low=-1.0, high=1.0):
    return {"type": "Box", "dtype": dtype, "shape": list(shape), "low": low, "high": high}


SPACES = {
    "observation_space": {
        "type": "Dict",
        "subspaces": {
            "observation": _box([5]),
            "desired_goal": _box([3]),
            "image": _box([HEIGHT, WIDTH, 3], "uint8", 0, 255),
            "grid": _box([2, 3]),
        },
    },
    "action_space": _box([4]),
}


def fixed(values):
    """A fixed-size list for each row, as a Box is stored."""
    flat = values.reshape(len(values), -1)
    kind = pa.list_(pa.from_numpy_dtype(flat.dtype), flat.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), type=kind)


def write(folder: Path, form="arrow") -> Path:
    """Two episodes with goals and a camera; of each the last row has an observation alone."""
    folder.mkdir(parents=True)
    for episode, steps in enumerate(STEPS):
        rows = steps + 1
        seen = pa.StructArray.from_arrays(
            [
                fixed(ramp(rows, 5, episode)), fixed(ramp(rows, 3)), fixed(ramp(rows, 6)),
                pa.array([jpeg(patches(i)) for i in range(rows)], pa.binary()),
            ],
            names=["observation", "desired_goal", "grid", "image"],
        )  # fmt: skip
        info = pa.StructArray.from_arrays([pa.array(np.arange(rows) > 3)], names=["success"])
        filling = np.pad(ramp(steps, 4, episode + 1), ((0, 1), (0, 0)))
        batch = pa.RecordBatch.from_pydict(
            {
                "episode_id": np.full(rows, episode, np.int32), "observations": seen, "actions": fixed(filling),
                "rewards": np.append(np.arange(steps) / 10, 0), "terminations": np.arange(rows) == steps - 1,
                "truncations": np.zeros(rows, bool), "infos": info,
            }
        )  # fmt: skip
        ds.write_dataset(
            batch, folder, format=form, partitioning=["episode_id"], existing_data_behavior="overwrite_or_ignore"
        )
        (folder / str(episode) / "metadata.json").write_text(json.dumps({"id": episode, "total_steps": steps}))
    (folder / "metadata.json").write_text(json.dumps(metadata(form)))
    return folder


def metadata(form):
    """What stands beside the episodes."""
    spaces = {key: json.dumps(space) for key, space in SPACES.items()}
    env = json.dumps({"id": "FetchReach-v3"})
    return {"total_episodes": 2, "total_steps": sum(STEPS), "data_format": form, "env_spec": env, **spaces}


def write_hdf5(h5py, folder: Path) -> Path:
    """The same in `main_data.hdf5`."""
    folder.mkdir(parents=True)
    with h5py.File(folder / "main_data.hdf5", "w", track_order=True) as file:
        for episode, steps in enumerate(STEPS):
            group = file.create_group(f"episode_{episode}")
            group.attrs["id"], group.attrs["total_steps"] = episode, steps
            seen = group.create_group("observations")
            seen["observation"], seen["desired_goal"] = ramp(steps + 1, 5, episode), ramp(steps + 1, 3)
            image = seen.create_dataset("image", (steps + 1,), h5py.vlen_dtype(np.uint8))
            for i in range(steps + 1):
                image[i] = np.frombuffer(jpeg(patches(i)), np.uint8)
            group["actions"], group["rewards"] = ramp(steps, 4, episode + 1), np.arange(steps) / 10
            group["terminations"], group["truncations"] = np.arange(steps) == steps - 1, np.zeros(steps, bool)
            group["infos/success"] = np.arange(steps + 1) > 3
    (folder / "metadata.json").write_text(json.dumps(metadata("hdf5")))
    return folder / "main_data.hdf5"
