"""How near to what nobody can leave out: start, copying, short episodes, JPEG, each beside its limit in one run."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import Cost, best, run
from pictures import CAMERAS
from report import Row
from topics import BENCH, Place, convert, limit_row, messages_read, telecine

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
_NEEDED = "import numpy, pyarrow.parquet, av, rerun_bindings"
_CONVERT = "import telecine.cli.main, telecine.cli.convert, telecine.sources.rrd.source, rerun_bindings"
_LEAVE = "import gc, os; gc.disable(); {}; os._exit(0)"


def starting(place: Place) -> list[Row]:
    """Importing all that `convert` needs for .rrd, against importing the libraries that it cannot be without."""
    ways = [python(place, _LEAVE.format(code)) for code in (_CONVERT, _NEEDED)]
    ours, bare = by_turns(ways, place.turns(5))
    what = f"importing what `convert` needs, against `{_NEEDED}`"
    return [_ratio_row("start", what, 1000 * ours.cpu_s, 1000 * bare.cpu_s, 1.6, "ms CPU")]


def python(place: Place, code: str) -> Callable[[], Cost]:
    """A run of Python's own, with one BLAS thread."""
    return lambda: run([sys.executable, "-c", code], place.fresh("imports"), _ONE_THREAD)


def by_turns(ways: Sequence[Callable[[], Cost]], turns: int) -> list[Cost]:
    """The cheapest run of each, one after the other each time."""
    runs = [[way() for way in ways] for _ in range(turns)]
    return [best(costs) for costs in zip(*runs, strict=True)]


def copying(place: Place) -> list[Row]:
    """Three H.264 cameras against bare copying, without the peer."""
    source = place.copy_set()
    files = sorted(source.glob("*.rrd"))
    bare_command = [sys.executable, BENCH / "limit.py"]
    ways: list[Callable[[], Cost]] = [
        lambda: convert(place, source, CAMERAS)[0],
        lambda: convert(place, source, CAMERAS, "--no-verify")[0],
        lambda: run([*bare_command, place.fresh("limit"), *files], place.fresh("limit-log"), _ONE_THREAD),
    ]
    ours, unverified, bare = by_turns(ways, place.turns(2))
    what = f"2 x {place.sizes.copy_s} s, 3 H.264 cameras, whole process"
    return [
        limit_row("copy", f"{what}, `--no-verify`", unverified, bare, at_most=3.2),
        limit_row("copy", f"{what}, verified", ours, bare, at_most=3.8),
    ]


def short_episodes(place: Place) -> list[Row]:
    """What one more episode of ten seconds with two 320x240 cameras costs, by format."""
    rows, sizes = [], place.sizes
    for name, goal in (("rrd", 40), ("run", 120), ("mcap", None)):
        few, many = (short_set(place, name, number) for number in (sizes.few, sizes.many))
        flags = _FLAGS[name]
        ways = [_converting(place, folder, flags) for folder in (few, many)]
        if name == "mcap":
            ways.append(_bare_jpeg(place))
        costs = by_turns(ways, place.turns(2))
        ours = 1000 * (costs[1].cpu_s - costs[0].cpu_s) / (sizes.many - sizes.few)
        what = f"one more episode of {sizes.short_s} s, two 320x240 cameras, {_WHAT[name]}"
        if goal is None:
            bare = 1000 * float(costs[2].output.split()[0]) / sizes.few
            rows.append(_ratio_row("short", what, ours, bare, 1.25, "ms CPU"))
        else:
            rows.append(Row("short", what, f"{ours:.0f} ms CPU", "", "", f"at most {goal} ms", ours <= goal))
    return rows


_WHAT = {
    "rrd": "H.264 in .rrd, copied",
    "run": "RoboSandbox's run folder",
    "mcap": "JPEG in MCAP, against decoding and encoding alone",
}
_FLAGS = {
    "rrd": ["--index", "real_time", "--fps", "30", "--task", "/task:TextDocument:text",
            "--action", "/action:Scalars:scalars", "--state", "/observation/state:Scalars:scalars",
            "--video", "front:/camera/front", "--video", "wrist:/camera/wrist"],
    "run": [],
    "mcap": ["--fps", "30", "--task-text", "bench"],
}  # fmt: skip


def short_set(place: Place, kind: str, number: int) -> Path:
    """So many recordings, made once."""
    folder, seconds = place.inputs / f"short-{kind}-{number}", str(place.sizes.short_s)
    if not folder.exists():
        sim = ["record", "sim", folder, "--as", "run", "--episodes", str(number), "--seconds", seconds]
        made = [sys.executable, BENCH / "recordings.py", "short", folder, str(number), seconds]
        if kind == "mcap":
            one = [sys.executable, BENCH / "messages.py", "make", "jpeg", folder / "0.mcap", seconds]
            run(one, place.fresh("make-short"))
            for k in range(1, number):
                shutil.copyfile(folder / "0.mcap", folder / f"{k}.mcap")
        else:
            run([telecine(), *sim] if kind == "run" else made, place.fresh("make-short"))
    return folder


def _converting(place: Place, folder: Path, flags: list[str]) -> Callable[[], Cost]:
    return lambda: run([telecine(), "convert", folder, place.fresh("short"), *flags], place.fresh("short-log"))


def _bare_jpeg(place: Place) -> Callable[[], Cost]:
    command = [sys.executable, BENCH / "jpeg_limit.py", str(place.sizes.few), str(place.sizes.short_s)]
    return lambda: run(command, place.fresh("jpeg-limit"), _ONE_THREAD)


def messages(place: Place) -> list[Row]:
    """MCAP: columns of state, and cameras, against reading and decompressing."""
    rows = []
    for kind, seconds, goal in (("state", place.sizes.state_s, 2.5), ("camera", place.sizes.camera_s, 1.2)):
        path = place.inputs / f"{kind}.mcap"
        if not path.exists():
            run([sys.executable, BENCH / "messages.py", "make", kind, path, str(seconds)], place.fresh("make-mcap"))
        took = messages_read(place, path, ("bare", "telecine"), place.turns(3))
        ours, bare = (1000 * took[who]["cpu_s"] for who in ("telecine", "bare"))
        what = f"{'400,000 messages on 4 topics' if kind == 'state' else '3 JPEG cameras and joints'}, against reading"
        rows.append(_ratio_row("messages", what, ours, bare, goal, "ms CPU"))
    return rows


def _ratio_row(topic: str, what: str, ours: float, bare: float, at_most: float, unit: str) -> Row:
    told, ratio = (f"{ours:.0f} {unit}", f"{bare:.0f} {unit}"), ours / bare
    return Row(topic, what, *told, f"{ratio:.2f}x", f"at most {at_most:g}x", ratio <= at_most)
