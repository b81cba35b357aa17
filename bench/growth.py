"""Does memory grow with the length of a recording or the number of episodes, and does an episode take longer then?

    python bench/growth.py            both tables, as in docs/benchmarks.md; about ten minutes
    python bench/growth.py --short    a tenth of it

Lengths: one recording of one H.264 camera (640x480) with state and action at 50 Hz, converted and verified as a whole
process in which all work is done; once more with allocators told to give memory back at once, because what they keep
for the next time is in a peak, too. Numbers: one finished episode of a second is added again and again by the writer,
with everything `convert` does after the work of a recording: taking it from the disk, adding, reporting, committing.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
from measure import run

from telecine.conversion import checkpoint
from telecine.conversion.lasting import lasting_summary, lasting_tables
from telecine.conversion.report import EpisodeReport, Report
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.grid import Grid
from telecine.core.recording import Ref
from telecine.dataset.writer import DatasetWriter
from telecine.video.encode import encode
from telecine.video.presets import video_settings

FPS = 30
LENGTHS_S = (10, 60, 300, 1800)
NUMBERS = (10, 100, 1000, 10_000, 20_000)
GIVE_BACK = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_MMAP_THRESHOLD_": "262144"}
"""Every piece of 256 KiB and more from the system and back to it. It costs time, so it is not how telecine runs."""


def main() -> int:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="leave out the longest")
    parser.add_argument("--add", type=int, metavar="N", help="add N episodes below --out, and nothing else")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.add:
        print(json.dumps(added(given.out, given.add)))
        return 0
    with tempfile.TemporaryDirectory(prefix="telecine-growth-") as folder:
        lengths(Path(folder), LENGTHS_S[: -1 if given.short else None])
        numbers(Path(folder), NUMBERS[: -2 if given.short else None])
    return 0


def lengths(folder: Path, wanted: tuple[int, ...]) -> None:
    """Peak memory of whole conversions, against the length of the recording."""
    print("| recording | file | peak memory | of it needed | CPU s | CPU ms per row |\n|---|---|---|---|---|---|")
    for seconds in wanted:
        source = folder / f"{seconds}"
        # In a process of its own: a child's peak counts from what its parent held when it was forked.
        run([sys.executable, Path(__file__).with_name("recordings.py"), "long", source, str(seconds)], folder / "log")
        flags = ["--fps", "30", "--index", "real_time", "--action", "/action:Scalars:scalars", "--task-text", "bench"]
        flags += [
            "--state",
            "/observation/state:Scalars:scalars",
            "--video",
            "front:/camera/front",
            "--workers",
            "0",
            "--json",
        ]
        command = [sys.executable, "-m", "telecine", "convert", source]
        cost = run([*command, folder / f"{seconds}-out", *flags], folder / "log")
        needed = run([*command, folder / f"{seconds}-again", *flags], folder / "log", GIVE_BACK)
        size = sum(path.stat().st_size for path in source.rglob("*.rrd"))
        peaks = (f"{one.peak_bytes / 1e6:.0f} MB" for one in (cost, needed))
        row = (f"{seconds} s", f"{size / 1e6:.0f} MB", *peaks, f"{cost.cpu_s:.1f}")
        print(f"| {' | '.join(row)} | {1000 * cost.cpu_s / (seconds * FPS):.2f} |", flush=True)


def numbers(folder: Path, wanted: tuple[int, ...]) -> None:
    """Peak memory and time per episode, against the number of episodes."""
    print("\n| episodes | peak memory | first tenth, CPU ms each | last tenth | commit, CPU s |\n|---|---|---|---|---|")
    for count in wanted:
        out = folder / f"{count}-episodes"
        out.mkdir()
        cost = run([sys.executable, __file__, "--add", str(count), "--out", out], folder / "log")
        told = json.loads(cost.output)
        times = f"{told['first_ms']:.2f} ms | {told['last_ms']:.2f} ms | {told['commit_s']:.2f}"
        print(f"| {count} | {cost.peak_bytes / 1e6:.0f} MB | {times} |", flush=True)


def added(out: Path, count: int) -> dict[str, float]:
    """CPU time of the first and the last tenth of `count` episodes, and of the commit."""
    place = finished_episode(out)
    spent, reports = np.zeros(count), []
    with DatasetWriter.create(out / "dataset", fps=FPS, robot_type=None) as writer:
        for number in range(count):
            before = time.process_time()
            ref = Ref("rrd", f"/recordings/take-{number:05d}.rrd", f"take-{number}")
            episode = checkpoint.load(place, ref)
            reports.append(EpisodeReport.of(writer.add(episode), episode))
            spent[number] = time.process_time() - before
        before = time.process_time()
        report = Report(str(out), FPS, "", tuple(reports), (), (), 0)
        folders = ["/recordings"]
        writer.commit(report=lasting_summary(report, folders), report_tables=lasting_tables(report, folders))
        commit = time.process_time() - before
    tenth = max(count // 10, 1)
    first, last = 1000 * spent[:tenth].mean(), 1000 * spent[-tenth:].mean()
    return {"first_ms": float(first), "last_ms": float(last), "commit_s": commit}


def finished_episode(out: Path) -> Path:
    """An episode of a second with a camera, as a worker leaves it."""
    folder = out / "episode"
    folder.mkdir()
    pictures = (np.full((96, 128, 3), 8 * k, np.uint8) for k in range(FPS))
    frames = (av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures)
    key, path = "observation.images.front", str(folder / "camera-000.clip")
    clip = encode(frames, video_settings("train"), FPS, count=FPS, key=key, path=path, why="bench")
    columns = tuple(FeatureColumn(name, "float32", (7,)) for name in ("action", "observation.state"))
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(7 * FPS, dtype=np.float32)), 7)
    arrays = {"action": values, "observation.state": values}
    arrays |= {"timestamp": pa.array((np.arange(FPS) / FPS).astype(np.float32)), "task": pa.array(["bench"] * FPS)}
    schema_fixed = {name: _element(array) for name, array in arrays.items()}
    episode = Episode(Ref("rrd", "x"), Grid(0, FPS, Fraction(FPS)), pa.table(schema_fixed), columns, (clip,))
    return checkpoint.save(replace(episode, plan_digest="bench"), folder, None, sync=False)


def _element(array: pa.Array) -> pa.Array:
    """LeRobot calls the elements of a list `element`."""
    if pa.types.is_fixed_size_list(array.type):
        return array.cast(pa.list_(pa.field("element", pa.float32()), array.type.list_size))
    return array


if __name__ == "__main__":
    sys.exit(main())
