"""Pictures out of a gzip-compressed HDF5 file: CPU seconds of the source against h5py reading whole blocks.

    python bench/gzip_reads.py       # needs the extra `hdf5`

The file has the chunks that h5py chooses by itself, as Isaac Lab's handler leaves it. The least of three runs counts.
"""

import json
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from telecine.sources import registry

COUNT, HEIGHT, WIDTH = 200, 240, 320


def main() -> None:
    """Write the file, read it both ways, print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demos.hdf5"
        _write(path)
        ours, whole, single = (min(_cpu_s(way, path) for _ in range(3)) for way in (_source, _whole, _single))
    print(f"source {ours:.2f} CPU-s, one read of all {whole:.2f} ({ours / whole:.2f}x), row by row {single:.2f}")


def _cpu_s(way, path: Path) -> float:
    began = time.process_time()
    assert way(path) == COUNT
    return time.process_time() - began


def _source(path: Path) -> int:
    with registry.open(registry.find([path]).refs[0]) as recording:
        return sum(1 for _ in recording.streams["/obs/table_cam"].take(np.arange(COUNT), "step"))


def _whole(path: Path) -> int:
    with h5py.File(path) as file:
        return len(file["data/demo_0/obs/table_cam"][()])


def _single(path: Path) -> int:
    with h5py.File(path) as file:
        return sum(1 for row in range(COUNT) if file["data/demo_0/obs/table_cam"][row].shape)


def _write(path: Path) -> None:
    rng = np.random.default_rng(0)
    base = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] // 5 % 200 + np.array([10, 30, 50])
    noisy = [np.roll(base, 3 * i, axis=1) + rng.normal(0, 3, base.shape) for i in range(COUNT)]
    told = {"env_name": "bench", "type": 2, "sim_args": {"dt": 0.01, "decimation": 5}}
    with h5py.File(path, "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps(told)
        demo = file.create_group("data/demo_0")
        demo.attrs["num_samples"] = COUNT
        demo.create_dataset("actions", data=np.zeros((COUNT, 7), np.float32))
        pictures = np.clip(noisy, 0, 255).astype(np.uint8)
        demo.create_dataset("obs/table_cam", data=pictures, compression="gzip", compression_opts=2)


if __name__ == "__main__":
    main()
