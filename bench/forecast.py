"""What `convert --dry-run` says of size and time, beside what `convert` then takes.

    python bench/forecast.py [FOLDER ...]

Measured are the demo, recordings of the simulated robot, three inputs of this benchmark, and folders of recordings that
are given. The time is that of processors, the command's own and its workers'.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import recordings
from cost import hdf5, simulated, size_of
from measure import run

CLOSE = 1 / 3
"""A forecast may differ from the result by so much of the result."""
TASK = ("--task-text", "pick up the cube")


def main() -> int:
    """A line per input; 1 when a forecast is further off than it may be."""
    print("| recordings | forecast | taken | off | forecast | taken | off | load |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="telecine-forecast-") as scratch:
        for name, folder, more in inputs(Path(scratch)):
            sizes, times = compared(folder, Path(scratch) / "out" / name.replace(" ", "-"), more)
            cells = [f"{sizes[0] / 1e6:.2f} MB", f"{sizes[1] / 1e6:.2f} MB", off(sizes)]
            cells += [f"{times[0]:.1f} s", f"{times[1]:.1f} s", off(times)]
            print(f"| {name} | {' | '.join(cells)} | {os.getloadavg()[0]:.0f} |", flush=True)
            worst = max(worst, *(abs(told / taken - 1) for told, taken in (sizes, times)))
    return int(worst > CLOSE)


def off(pair: tuple[float, float]) -> str:
    """How far the first number is from the second."""
    return f"{100 * (pair[0] / pair[1] - 1):+.0f} %"


def compared(source: Path, out: Path, more: tuple[str, ...]) -> tuple[tuple[float, float], tuple[float, float]]:
    """(told, taken) in bytes of rows and videos, and in CPU seconds of the command."""
    out.parent.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "telecine", "convert", source, out, *more]
    log = out.with_suffix(".log")
    told = json.loads(run([*words, "--dry-run", "--json"], log).output)
    taken = run([*words, "-q"], log)
    written = size_of(out / "data") + (size_of(out / "videos") if (out / "videos").is_dir() else 0)
    return (told["size_bytes"], written), (told["seconds"], taken.cpu_s)


def inputs(scratch: Path) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """Name, folder and flags of what is converted."""
    import telecine as tc

    tc.demo(scratch / "demo")
    yield "demo", scratch / "demo" / "recordings", ()
    yield "demo at 10 rows a second", scratch / "demo" / "recordings", ("--fps", "10")
    yield "3 x 30 s, H.264 cameras 640x480", recordings.copy_set(scratch / "copy", episodes=3), TASK
    yield "2 x 20 s, JPEG cameras 640x480", recordings.jpeg_set(scratch / "jpeg"), TASK
    hdf5(scratch / "hdf5", 20)
    yield "20 s, ALOHA's HDF5, raw 320x240", scratch / "hdf5", TASK
    simulated("mcap", scratch / "mcap", 10)
    yield "10 s, MCAP of the simulated robot", scratch / "mcap", TASK
    for folder in sys.argv[1:]:
        yield Path(folder).name, Path(folder), TASK


if __name__ == "__main__":
    sys.exit(main())
