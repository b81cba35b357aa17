"""What `inspect DATASET` costs beside bare reading: all rows, and the sampled frames decoded.

    python bench/quality.py [DATASET ...]       # simulated ones of 10 and 20 episodes of 300 rows, two 320x240 cameras

Prints for each: CPU-s of both in one process, their ratio, the CPU-s that 1,000 episodes of 300 rows would take at that
rate, and the peak memory of this process.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from telecine.dataset.reader import open_dataset
from telecine.inspection.quality import check_dataset
from telecine.inspection.quality_frames import colour_cameras, sampled_rows
from telecine.recorder.sim.record import record
from telecine.video.mp4_reader import grey_at

ROWS = 300_000
RUNS = 7


def bare(root: Path) -> None:
    """Read every row of every column that is no camera, and decode the sampled frames, file by file."""
    dataset = open_dataset(root)
    columns = [c.key for c in dataset.features if c.key not in dataset.cameras]
    for _, rows in dataset.runs(columns, 0, len(dataset.episodes)):
        assert not isinstance(rows, Exception)
    for key in colour_cameras(dataset):
        wanted: dict[Path, list[int]] = {}
        for number, episode in enumerate(dataset.episodes):
            path, first = dataset.frame(key, number, 0)
            wanted.setdefault(path, []).extend(first + row for row in sampled_rows(episode.length, dataset.fps))
        for path, frames in wanted.items():
            for _ in grey_at(str(path), sorted(frames)):
                pass


def cpu_s(*works) -> list[float]:
    """The best of some runs of each, in turn: what others do to the machine is no property of these."""
    taken = [[] for _ in works]
    for _ in range(RUNS):
        for work, times in zip(works, taken, strict=True):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    return [min(times) for times in taken]


def main(roots: list[Path]) -> None:
    for root in roots:
        rows = sum(episode.length for episode in open_dataset(root).episodes)
        reading, checking = cpu_s(lambda root=root: bare(root), lambda root=root: check_dataset(root, remember=False))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(
            f"{root.name}: {rows} rows, bare {reading:.2f} CPU-s, inspect {checking:.2f} CPU-s, "
            f"{checking / reading:.2f} times; {checking / rows * ROWS:.0f} CPU-s for {ROWS} rows; {peak:.0f} MB"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main([Path(path) for path in sys.argv[1:]])
    else:
        with tempfile.TemporaryDirectory() as folder:
            for count in (10, 20):
                record(Path(folder) / str(count), episodes=count, seconds=10.0)
            main([Path(folder) / str(count) for count in (10, 20)])
