"""What 1,000 episodes of each kind of recording cost: CPU-hours and bytes, by `convert --shard` of few and of more.

    python bench/cost.py [--seconds 5] [KIND ...]

The difference between a part of many and one of few recordings is the cost of an episode, whatever starting up costs:
reading, copying or encoding, writing and verifying; `finalize` is measured by bench/finalize.py. One process, so that
nothing is paid for waiting.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import recordings
from measure import run

FEW, MANY, COPIED = 1, 5, 41
"""Recordings of the two parts that are compared; more where frames are copied, which costs little."""


def main() -> int:
    """Measure the kinds asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--seconds", type=int, default=5, help="length of an episode")
    given = parser.parse_args()
    print("| recording | frames an episode | CPU-hours | read | written | load |")
    print("|---|---|---|---|---|---|")
    for kind in given.kinds or KINDS:
        with tempfile.TemporaryDirectory(prefix="telecine-cost-") as scratch:
            print(line(kind, given.seconds, Path(scratch)), flush=True)
    return 0


def line(kind: str, seconds: int, scratch: Path) -> str:
    """A row of the table: for 1,000 episodes."""
    source = scratch / "in"
    KINDS[kind](source, seconds)
    plan = scratch / "plan.yaml"
    plan.write_text(planned(source))
    most = MANY if "encoded" in kind else COPIED
    few, many = (cost(source, number, plan, scratch / str(number)) for number in (FEW, most))
    cpu_s, read, written, frames = ((more - less) / (most - FEW) for less, more in zip(few, many, strict=True))
    hours = f"{1000 * cpu_s / 3600:.2f}"
    sizes = " | ".join(f"{1000 * size / 1e9:.1f} GB" for size in (read, written))
    return f"| {kind} | {frames:.0f} | {hours} | {sizes} | {os.getloadavg()[0]:.0f} |"


def planned(source: Path) -> str:
    """The proposed plan, where nothing else is said by the recordings at 30 rows a second."""
    import telecine as tc
    from telecine.core.proposal.propose import propose

    seen = tc.inspect_many([source], proposing=partial(propose, fps=30, task_text="pick up the cube"))
    assert seen.plan is not None, seen.proposal.missing
    return seen.plan.to_yaml()


def cost(source: Path, number: int, plan: Path, scratch: Path) -> tuple[float, float, float, float]:
    """(CPU seconds, bytes read, bytes written, frames) of a part of `number` recordings."""
    import telecine as tc

    scratch.mkdir()
    chosen = scratch / "in"
    chosen.mkdir()
    there = sorted(source.iterdir())  # one, or so many as are needed: copies of a .rrd are one recording
    for copy in range(number):
        one = there[copy % len(there)]
        (shutil.copytree if one.is_dir() else shutil.copyfile)(one, chosen / f"{copy}-{one.name}")
    words = ["convert", chosen, scratch / "out", "--plan", plan, "--shard", "1/1", "--workers", "0"]
    spent = run([sys.executable, "-m", "telecine", *words], scratch / "log")
    tc.finalize(scratch / "out", workers=0)
    dataset = tc.open_dataset(scratch / "out")
    rows = sum(len(episode) for episode in dataset)
    return spent.cpu_s, size_of(chosen), size_of(scratch / "out"), rows * len(dataset.cameras)


def size_of(folder: Path) -> float:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def hdf5(folder: Path, seconds: int) -> None:
    """ALOHA's tree: two cameras of raw frames 320x240, joints and action at 30 Hz."""
    import h5py
    from pictures import scene

    folder.mkdir(parents=True)
    frames = np.stack([picture[::2, ::2] for picture in scene(0, seconds * 30)])
    joints = np.sin(np.arange(len(frames))[:, None] / 9 + np.arange(14))
    with h5py.File(folder / "episode_0.hdf5", "w") as file:
        file.attrs["sim"] = False
        file["action"] = joints
        file["observations/qpos"] = joints
        for camera in ("top", "wrist"):
            file.create_dataset(f"observations/images/{camera}", data=frames, chunks=(1, *frames.shape[1:]))


def simulated(kind: Literal["run", "mcap"], folder: Path, seconds: int) -> None:
    """Recordings of the simulated robot: two cameras 320x240."""
    import telecine as tc

    tc.record_sim(folder, kind=kind, episodes=1, seconds=max(seconds, 2))


KINDS: dict[str, Callable[[Path, int], object]] = {
    "rrd, three H.264 cameras, copied": lambda folder, s: recordings.copy_set(folder, episodes=COPIED, seconds=s),
    "rrd, two JPEG cameras, encoded": lambda folder, s: recordings.jpeg_set(folder, episodes=MANY, seconds=s),
    "MCAP of ROS 2, two H.264 cameras, copied": partial(simulated, "mcap"),
    "HDF5, two raw cameras 320x240, encoded": hdf5,
    "run folders, two H.264 cameras, copied": partial(simulated, "run"),
}


if __name__ == "__main__":
    sys.exit(main())
