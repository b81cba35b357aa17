"""What is measured: one function per topic, each giving rows of the table."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import peer
from ffmpeg import environment_for_torchcodec
from measure import Cost, best, run
from pictures import CAMERAS, FPS
from report import Row

BENCH = Path(__file__).parent
SHORT_S, LONG_S = 2, 10
"""Two lengths of one recording: the difference in cost is that of the frames, whatever starting up costs."""
LONG_RUN_S = 60
READ_TURNS = 6
"""How often datasets are read in turn: a busy machine changes what a picture costs by a third from run to run."""


@dataclass(frozen=True)
class Sizes:
    """How much the limits are measured on (limits.py): seconds, and two numbers of short episodes.

    The difference in cost is that of the episodes, whatever starting up costs.
    """

    copy_s: int = 30
    short_s: int = 10
    few: int = 2
    many: int = 6
    state_s: int = 100
    camera_s: int = 48


SMOKE = Sizes(copy_s=2, short_s=2, few=1, many=2, state_s=1, camera_s=1)
"""So little that the figures mean nothing: only to see that everything runs."""


@dataclass(frozen=True)
class Place:
    """Where recordings are kept, where results go, how often to run each command, and on how much."""

    inputs: Path
    scratch: Path
    repeat: int
    sizes: Sizes = Sizes()

    def turns(self, full: int) -> int:
        """How often to take turns: `full` for each repetition, once to see that it runs."""
        return 1 if self.sizes == SMOKE else full * self.repeat

    def fresh(self, name: str) -> Path:
        """A path in the scratch folder that does not exist yet."""
        number = sum(1 for path in self.scratch.iterdir() if path.name.startswith(f"{name}."))
        return self.scratch / f"{name}.{number}"

    def copy_set(self) -> Path:
        """Two recordings with three H.264 cameras."""
        return self._made("copy", str(self.sizes.copy_s))

    def jpeg_set(self) -> Path:
        """Two recordings with two JPEG cameras."""
        return self._made("jpeg")

    def raw_set(self, seconds: int) -> Path:
        """One recording with two raw cameras, and the same pictures as arrays."""
        return self._made("raw", str(seconds))

    def _made(self, kind: str, *length: str) -> Path:
        """By a process of its own: a command started from a large process would be measured as large."""
        folder = self.inputs / "-".join([kind, *length])
        if not folder.exists():
            run([sys.executable, BENCH / "recordings.py", kind, folder, *length], self.fresh(f"make-{kind}"))
        return folder


def telecine() -> Path:
    """The command of this environment."""
    return Path(sys.executable).parent / "telecine"


def convert(place: Place, source: Path, cameras: tuple[str, ...], *more: str) -> tuple[Cost, Path]:
    """`telecine convert`, verification included unless `more` turns it off."""
    out = place.fresh("telecine")
    plan = ["--fps", "30", "--index", "real_time", "--task", "/task:TextDocument:text", *peer.COLUMNS]
    videos = [part for name in cameras for part in ("--video", f"{name}:/camera/{name}")]
    return run([telecine(), "convert", source, out, *plan, *videos, *more], out.with_suffix(".log")), out


def converted(place: Place, source: Path, cameras: tuple[str, ...], *more: str) -> Cost:
    """The cheapest of the runs."""
    return repeated(place, lambda: convert(place, source, cameras, *more)[0])


def repeated(place: Place, once: Callable[[], Cost]) -> Cost:
    """The cheapest of the runs; a run of minutes is not repeated."""
    costs = [once()]
    while len(costs) < place.repeat and costs[0].cpu_s < LONG_RUN_S:
        costs.append(once())
    return best(costs)


def peer_converted(place: Place, source: Path, cameras: tuple[str, ...]) -> Cost:
    """The same by the peer."""
    return repeated(place, lambda: peer.convert(source, place.fresh("peer"), list(cameras)))


def copying(place: Place) -> list[Row]:
    """Three H.264 cameras, packets copied, against the peer's copy."""
    source = place.copy_set()
    ways: list[Callable[[], Cost]] = [
        lambda: convert(place, source, CAMERAS)[0],
        lambda: convert(place, source, CAMERAS, "--no-verify")[0],
        lambda: peer.convert(source, place.fresh("peer"), list(CAMERAS)),
    ]
    turns = [[way() for way in ways] for _ in range(2 * place.repeat)]
    ours, unverified, theirs = map(best, zip(*turns, strict=True))
    what = "2 x 30 s, 3 H.264 cameras, whole process"
    return [
        ratio_row("copy", f"{what}, verified", ours, theirs, peer.versions(), at_least=7),
        ratio_row("copy", f"{what}, `--no-verify`", unverified, theirs, peer.versions()),
        memory_row("copy", what, ours, theirs),
    ]


def jpeg(place: Place) -> list[Row]:
    """Two JPEG cameras, encoded by both."""
    source, cameras = place.jpeg_set(), CAMERAS[:2]
    ours, theirs = converted(place, source, cameras), peer_converted(place, source, cameras)
    what = "2 x 20 s, 2 JPEG cameras, whole process, verified"
    return [
        ratio_row("jpeg", what, ours, theirs, peer.versions(), at_least=5),
        memory_row("jpeg", what, ours, theirs, at_most=500e6),
    ]


def encoding(place: Place) -> list[Row]:
    """Frames per CPU-second from raw pictures to a dataset, statistics included, start-up taken out."""
    sets = [place.raw_set(seconds) for seconds in (SHORT_S, LONG_S)]
    rates = {codec: lerobot_rate(place, sets, codec) for codec in ("h264", "av1")}
    ours = frames_per_cpu_s(*(repeated(place, partial(telecine_written, place, source)) for source in sets))
    what = "raw RGB 640x480, frames per CPU-s, statistics included"
    names = {"h264": "LeRobot streaming, libx264 superfast crf 20 g=2", "av1": "LeRobot streaming, its default AV1"}
    return [
        Row(
            "encode",
            what,
            f"{ours:.0f} (preset `train`)",
            f"{rates[codec]:.0f} ({names[codec]})",
            f"{ours / rates[codec]:.1f}x",
            f"at least {goal}x",
            ours / rates[codec] >= goal,
        )
        for codec, goal in (("h264", 2.5), ("av1", 4))
    ]


def telecine_written(place: Place, source: Path) -> Cost:
    """A dataset by telecine's encoder and writer from the arrays of `source`."""
    out = place.fresh("telecine-arrays")
    arrays = [source / f"{name}.npy" for name in CAMERAS[:2]]
    return run([sys.executable, BENCH / "telecine_writer.py", out, *arrays], out.with_suffix(".log"))


def lerobot_rate(place: Place, sets: list[Path], codec: str) -> float:
    """Frames per CPU-second of LeRobot's streaming writer."""
    short, long = (best([lerobot_written(place, source, codec)[0] for _ in range(place.repeat)]) for source in sets)
    return frames_per_cpu_s(short, long)


def lerobot_written(place: Place, source: Path, codec: str) -> tuple[Cost, Path]:
    """A dataset by LeRobot's own writer from the arrays of `source`."""
    out = place.fresh(f"lerobot-{codec}")
    arrays = [source / f"{name}.npy" for name in CAMERAS[:2]]
    command = [sys.executable, BENCH / "lerobot_writer.py", out, codec, *arrays]
    return run(command, out.with_suffix(".log"), {"HF_HOME": str(place.scratch / "hf")}), out


def frames_per_cpu_s(short: Cost, long: Cost) -> float:
    """What the frames cost by which the long input exceeds the short one."""
    return 2 * FPS * (LONG_S - SHORT_S) / (long.cpu_s - short.cpu_s)


def reading(place: Place) -> list[Row]:
    """Random rows through LeRobot's torchcodec reader: our encoder's output against LeRobot's default."""
    source = place.raw_set(LONG_S)
    lerobot = lerobot_written(place, source, "av1")[1]
    default = convert(place, source, CAMERAS[:2], "--no-verify")[1]
    crf, equal = at_quality(place, source, read(place, source, lerobot)["psnr_db"])
    runs = [[read(place, source, out) for out in (lerobot, default, equal)] for _ in range(READ_TURNS)]
    theirs, default_, equal_ = (min(turns, key=lambda one: one["cpu_ms"]) for turns in zip(*runs, strict=True))
    return [
        reads_row("preset `train`", default_, theirs),
        reads_row(f"preset `train`, crf {crf}: just as good pictures", equal_, theirs, at_least=1),
    ]


def at_quality(place: Place, source: Path, psnr_db: float) -> tuple[int, Path]:
    """The highest crf of our encoder whose pictures are at least that good, and the dataset made with it."""
    crf, made = 20, {}

    def good(crf: int) -> bool:
        made[crf] = convert(place, source, CAMERAS[:2], "--no-verify", "--crf", str(crf))[1]
        return read(place, source, made[crf])["psnr_db"] >= psnr_db

    if good(crf):
        while good(crf + 1):
            crf += 1
    else:
        while not good(crf := crf - 1):
            if crf <= 8:
                sys.exit(f"no crf of the encoder reaches {psnr_db:.1f} dB")
    return crf, made[crf]


def reads_row(who: str, ours: dict[str, float], theirs: dict[str, float], at_least: float | None = None) -> Row:
    """CPU per picture of LeRobot's default over ours."""
    told = [f"{one['cpu_ms']:.2f} ms ({one['psnr_db']:.1f} dB, {one['bytes'] / 1e3:.1f} KB)" for one in (ours, theirs)]
    ratio = theirs["cpu_ms"] / ours["cpu_ms"]
    goal = "" if at_least is None else f"at least {at_least:g}x"
    return Row(
        "reads",
        "random pictures, CPU ms each (PSNR, KB each)",
        f"{told[0]} ({who})",
        f"{told[1]} (LeRobot's default AV1)",
        f"{ratio:.2f}x",
        goal,
        None if at_least is None else ratio >= at_least,
    )


def read(place: Place, source: Path, dataset: Path) -> dict[str, float]:
    """Measured by reads.py in a process of its own."""
    arrays = [source / f"{name}.npy" for name in CAMERAS[:2]]
    environment = {"HF_HOME": str(place.scratch / "hf-read"), **environment_for_torchcodec(place.scratch)}
    command = [sys.executable, BENCH / "reads.py", dataset, *arrays]
    return json.loads(run(command, place.fresh("reads"), environment).output.splitlines()[-1])


SPLICE_GOALS = {"drop 1000": 15, "drop 300": 8, "drop 100": 4, "drop 30": 1.5}


def splicing(place: Place) -> list[Row]:
    """One H.264 camera with pictures left out or repeated, against encoding it and against copying it as it is."""
    output = run([sys.executable, BENCH / "splices.py", "--repeat", str(place.repeat)], place.fresh("splices")).output
    found = json.loads(output.splitlines()[-1])
    took, bare, full = found["took"], found["took"]["bare"]["cpu_s"], found["took"]["full"]["cpu_s"]
    look = took["look"]["cpu_s"]
    what = f"{found['pictures']} pictures 640x480, every one decoded for damage (`check: pictures`)"
    rows = [
        Row(
            "splice",
            what,
            f"{look:.2f} CPU-s",
            f"{full:.2f} CPU-s (encoding all)",
            f"{full / look:.1f}x less",
            "",
            None,
        )
    ]
    for name, made in took.items():
        if name in ("bare", "full", "look"):
            continue
        kind, one_in = name.split()
        what = {"drop": "left out", "repeat": "repeated"}[kind]
        told = f"{made['cpu_s']:.2f} CPU-s ({made['encoded'] / found['pictures']:.1%} encoded again)"
        goal, ratio = SPLICE_GOALS.get(name), full / made["cpu_s"]
        rows.append(
            Row(
                "splice",
                f"{found['pictures']} pictures 640x480, one in {one_in} {what}",
                told,
                f"{full:.2f} CPU-s (encoding all), {bare:.2f} CPU-s (copying all)",
                f"{ratio:.1f}x less than encoding, {made['cpu_s'] / bare:.1f}x of copying",
                "" if goal is None else f"at least {goal:g}x",
                None if goal is None else ratio >= goal,
            )
        )
    return rows


def messages(place: Place) -> list[Row]:
    """MCAP files of ROS 2 messages, everything in them decoded, imports left out."""
    state, camera, large = (place.inputs / f"{name}.mcap" for name in ("state", "camera", "large"))
    for kind, path, seconds in (("state", state, 100), ("camera", camera, 48), ("camera", large, 310)):
        if not path.exists():
            run([sys.executable, BENCH / "messages.py", "make", kind, path, str(seconds)], place.fresh("make-mcap"))
    rows = []
    for what, path, goal in (
        ("400,000 messages on 4 topics (70 MB, zstd)", state, 4.0),
        ("3 JPEG cameras and joints (310 MB, zstd), stamps, then camera by camera", camera, 2.0),
    ):
        took = messages_read(place, path, ("bare", "checked", "telecine"), READ_TURNS)
        took |= messages_read(place, path, ("mcap_ros2", "rosbags"), place.repeat)
        ours, limit = took["telecine"]["cpu_s"], took["bare"]["cpu_s"]
        limits = f"{limit:.3f} CPU-s (read, decompress), {took['checked']['cpu_s']:.3f} (and checksums, as we do)"
        rows.append(
            Row(
                "messages",
                what,
                f"{ours:.3f} CPU-s",
                limits,
                f"{ours / limit:.1f}x",
                f"at most {goal:g}x",
                ours / limit <= goal,
            )
        )
        for name, who in (("mcap_ros2", "mcap, mcap-ros2-support"), ("rosbags", "rosbags")):
            theirs = took[name]["cpu_s"]
            told = f"{theirs / ours:.1f}x less CPU"
            rows.append(Row("messages", what, f"{ours:.3f} CPU-s", f"{theirs:.2f} CPU-s ({who})", told))
    one, limit = (took["cpu_s"] for took in messages_read(place, camera, ("one_camera", "bare"), READ_TURNS).values())
    told = f"{limit:.3f} CPU-s (read, decompress all)"
    rows.append(Row("messages", "one camera of the three", f"{one:.3f} CPU-s", told, f"{one / limit:.1f}x"))
    big, small = (messages_read(place, path, ("telecine",), place.repeat)["telecine"] for path in (large, camera))
    peaks = [f"{one['peak_bytes'] / 1e6:.0f} MB ({one['heap_bytes'] / 1e6:.0f} MB heap left)" for one in (big, small)]
    what = f"peak memory, {large.stat().st_size / 1e9:.1f} GB file, nothing mapped"
    met = big["peak_bytes"] < 700e6
    rows.append(Row("messages", what, peaks[0], f"{peaks[1]} (the 310 MB file)", "", "under 700 MB", met))
    return [*rows, json_row(place)]


def json_row(place: Place) -> Row:
    """`inspect` of JSON in many topics, against that of a file with no message."""
    costs = []
    for name, seconds in (("json", 10), ("json-short", 0)):
        path = place.inputs / f"{name}.mcap"
        if not path.exists():
            run([sys.executable, BENCH / "messages.py", "make", "json", path, str(seconds)], place.fresh("make-mcap"))
        costs.append(messages_read(place, path, ("inspected",), READ_TURNS)["inspected"]["cpu_s"])
    more = costs[0] - costs[1]
    what = "`inspect` of 3.5 MB of JSON in 35 topics, beyond that of an empty file"
    return Row("messages", what, f"{more:.2f} CPU-s", "", "", "at most 1 CPU-s", more <= 1)


def messages_read(place: Place, path: Path, readers: Sequence[str], turns: int) -> dict[str, dict[str, float]]:
    """By messages.py, each in a process of its own, in turns; the cheapest of each reader's runs."""
    runs: dict[str, list[dict[str, float]]] = {reader: [] for reader in readers}
    for _ in range(turns):
        for reader in readers:
            command = [sys.executable, BENCH / "messages.py", "read", reader, path]
            runs[reader].append(json.loads(run(command, place.fresh("messages")).output.splitlines()[-1]))
    return {reader: min(found, key=lambda one: one["cpu_s"]) for reader, found in runs.items()}


def starting(place: Place) -> list[Row]:
    """`telecine --help`, compiled files in place."""
    costs = [run([telecine(), "--help"], place.fresh("help")) for _ in range(5)]
    wall = min(cost.wall_s for cost in costs)
    return [Row("start", "`telecine --help`, wall", f"{wall:.3f} s", "", "", "under 0.3 s", wall < 0.3)]


def ratio_row(topic: str, what: str, ours: Cost, theirs: Cost, who: str, at_least: float | None = None) -> Row:
    """CPU of another program over ours."""
    ratio = theirs.cpu_s / ours.cpu_s
    goal = "" if at_least is None else f"at least {at_least:g}x"
    met = None if at_least is None else ratio >= at_least
    return Row(topic, what, str(ours), f"{theirs} ({who})", f"{ratio:.1f}x less CPU", goal, met)


def limit_row(topic: str, what: str, ours: Cost, bare: Cost, at_most: float) -> Row:
    """Our CPU over that of bare copying."""
    ratio = ours.cpu_s / bare.cpu_s
    name = "reading the files and copying the packets, nothing else"
    return Row(topic, what, str(ours), f"{bare} ({name})", f"{ratio:.1f}x", f"at most {at_most:g}x", ratio <= at_most)


def memory_row(topic: str, what: str, ours: Cost, theirs: Cost, at_most: float | None = None) -> Row:
    """Peak resident memory."""
    goal = "" if at_most is None else f"under {at_most / 1e6:.0f} MB"
    met = None if at_most is None else ours.peak_bytes < at_most
    sizes = [f"{cost.peak_bytes / 1e6:.0f} MB" for cost in (ours, theirs)]
    ratio = f"{theirs.peak_bytes / ours.peak_bytes:.1f}x less memory"
    return Row(topic, f"{what}, peak memory", sizes[0], sizes[1], ratio, goal, met)
