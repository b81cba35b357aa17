"""Damaged inputs by the thousand: each read whole in another process; a crash or a hang there is counted, not met.

    PYTHONPATH=tests python -m support.mutants --count 10000              # every input of the table
    PYTHONPATH=tests python -m support.mutants --count 10000 rrd mcap     # some
    PYTHONPATH=tests python -m support.mutants --count 1000 rrd+convert   # converted instead of read
    PYTHONPATH=tests python -m support.mutants rrd --only 1234            # one again, its error shown

A mutant is a function of its sound input and its number. Writers that put random ids into their files, such as
Rerun's, make another input each time: `--keep FOLDER` keeps those that end badly, with what their process printed. A
source joins with one line in `INPUTS`. Outcomes: `complete` (read to the end), `named` (an error of telecine's that
names the file), `unexpected` (any other exception), `crash` (the process died), `hang` (no answer for a minute).
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

HANG_S = 60
LONG_S = 20
"""For hostile values: nothing that small takes as long, but the first of a process, which imports everything."""
WAITS = 10
"""How many times that long nothing may be said at all: what sleeps takes no CPU."""
BATCH = 200
"""Mutants per process: one that grows is seen in the peak, and does not fill the machine."""


def rrd(folder: Path) -> None:
    from support.pictures import draw_frame_id, to_jpeg, to_png
    from support.rrd import Encoded, Texts, Vectors, Video, one_of_each, write_rrd
    from support.video import x264

    times = np.arange(20, dtype=np.int64) * 33_333_333
    shots = [draw_frame_id(i, 0, 0, 64, 48) for i in range(4)]
    logged = {
        "/joints": Vectors(times, np.arange(40.0).reshape(20, 2), names=("a", "b")),
        "/task": Texts(times[:1], ["pick"]),
        "/cam": Video(times, x264(20, gop=10), codec="h264"),
        "/jpeg": Encoded(times[:4], [to_jpeg(shot) for shot in shots]),
        "/png": Encoded(times[:4], [to_png(shot) for shot in shots], media_type="image/png"),
    }
    write_rrd(folder / "footer.rrd", logged, recording_id="r", rows_per_chunk=10)
    write_rrd(folder / "open.rrd", logged, recording_id="r", rows_per_chunk=10, write_footer=False)
    each = {name: said for name, said in one_of_each().items() if not isinstance(said, Video | Encoded)}
    write_rrd(folder / "each.rrd", each, recording_id="r", rows_per_chunk=5)
    (folder / "unpacked.rrd").write_bytes(_unpacked((folder / "open.rrd").read_bytes()))


def _unpacked(data: bytes) -> bytes:
    """A file without footer whose messages are not compressed, so that damage reaches what is in them."""
    import io

    from telecine.sources.rrd import messages
    from telecine.sources.rrd.framing import CHUNK, FRAME, HEADER_BYTES, frames

    out = bytearray(data[:HEADER_BYTES])
    for frame in frames(io.BytesIO(data), len(data)):
        body = data[frame.start : frame.start + frame.length]
        if frame.kind == CHUNK:
            parts = dict(messages._fields(memoryview(body)))
            plain = bytes(messages._unpacked(parts[5], parts))
            fields = {**parts, 2: 1, 3: len(plain), 5: plain}
            body = b"".join(_field(number, value) for number, value in fields.items())
        out += FRAME.pack(frame.kind, len(body)) + body
    return bytes(out)


def _field(number: int, value: int | bytes | memoryview) -> bytes:
    """A field of a protobuf message."""

    def varint(left: int) -> bytes:
        return bytes([left]) if left < 128 else bytes([left & 127 | 128]) + varint(left >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + bytes(value)


def mcap(folder: Path) -> None:
    """With and without compression and checksums, which hide damage from all that comes after them."""
    from mcap.writer import CompressionType

    from support.mcap import START_NS, Said, coded_picture, some_messages, write_mcap
    from support.pictures import draw_frame_id, to_jpeg

    picture = coded_picture(START_NS, to_jpeg(draw_frame_id(0, 0, 0, 64, 48)))
    said = [*some_messages(20), Said("/cam", "sensor_msgs/msg/CompressedImage", picture, START_NS + 9, START_NS)]
    said.sort(key=lambda one: one.log_ns)
    bare = {"compression": CompressionType.NONE, "enable_crcs": False}
    write_mcap(folder / "packed.mcap", said, chunk_size=1500)
    write_mcap(folder / "bare.mcap", said, chunk_size=1500, **bare)
    write_mcap(folder / "unchunked.mcap", said, use_chunking=False, **bare)


def rosbag(folder: Path) -> None:
    from support.mcap import some_messages, write_bag

    for compression in ("", "bz2", "lz4"):
        write_bag(folder / f"{compression or 'plain'}.bag", some_messages(20, ros1=True), compression)


def rosbag2(folder: Path) -> None:
    from support.mcap import some_messages, write_rosbag2

    write_rosbag2(folder / "run", some_messages(20))
    shutil.copyfile(folder / "run" / "run.db3", folder / "alone.db3")
    write_rosbag2(folder / "packed", some_messages(20), compression="message")


def hdf5(folder: Path) -> None:
    import h5py

    from support import hdf5 as made

    made.isaaclab(h5py, folder / "isaaclab.hdf5", demos=(0,), steps=6)
    made.robomimic(h5py, folder / "robomimic.hdf5", steps=5)
    made.aloha(h5py, folder / "aloha.hdf5", steps=5)
    made.droid(h5py, folder / "droid" / "trajectory.h5", steps=6, skipped=())


def zarr(folder: Path) -> None:
    import zarr as package

    from support.hdf5 import replay_buffer

    replay_buffer(package, folder / "buffer.zarr", ends=(2, 4), timestamps=True)
    replay_buffer(package, folder / "umi.zarr", ends=(2, 4), umi=True)


def robosandbox(folder: Path) -> None:
    from support.robosandbox import write_run

    write_run(folder / "run", 8, actions=True)


def rlds(folder: Path) -> None:
    from support import rlds as made

    for container in ("tfrecord", "array_record") if sys.platform == "linux" else ("tfrecord",):
        made.dataset(folder / container, [[made.episode(0, 3), made.episode(1, 4)]], container=container)
    packed = {**made.STEP, "action": made.tensor(7, encoding="zlib")}
    values = {**made.episode(2, 3), "steps/action": [zlib.compress(row.tobytes()) for row in np.ones((3, 7), "f4")]}
    made.dataset(folder / "packed", [[values]], step=packed)


def unitree(folder: Path) -> None:
    from support import robot_folders

    robot_folders.unitree(folder, 0, steps=3)
    robot_folders.unitree(folder, 1, steps=2, cameras=0)


def bridge_raw(folder: Path) -> None:
    from support import robot_folders

    for protocol in (2, 4):
        robot_folders.bridge(folder / f"traj{protocol}", protocol=protocol)


def gello(folder: Path) -> None:
    from support import robot_folders

    robot_folders.gello(folder / "0301_100000")


def hdf5_layouts(folder: Path) -> None:
    """Those that `hdf5` has not, with what lies beside the file."""
    import h5py

    from support import hdf5 as made
    from support import minari as made_minari

    made.agibot(h5py, folder / "agibot", steps=5)
    made.libero(h5py, folder / "libero_demo.hdf5", steps=5)
    (folder / "maniskill").mkdir()
    made.maniskill(h5py, folder / "maniskill" / "trajectory.h5", steps=4)
    made.robomind(h5py, folder / "h5_agilex" / "trajectory.hdf5", steps=4)
    made.robotwin(h5py, folder / "robotwin.hdf5", steps=4)
    made.d4rl(h5py, folder / "d4rl.hdf5", ends=(3, 5))
    made_minari.write_hdf5(h5py, folder / "minari" / "data")


def calvin(folder: Path) -> None:
    from support import robot_folders

    config = "env:\n  control_freq: 15\n"
    robot_folders.calvin(folder / "segments", config=config)
    robot_folders.calvin(folder / "play", annotations=False, digits=6)


def minari(folder: Path) -> None:
    from support import minari as made

    for form in ("arrow", "parquet"):
        made.write(folder / form, form)


def dataset(folder: Path) -> None:
    """Read by `verify` and `repair`."""
    from support.dataset import everything, write

    scratch = folder / "clips"
    scratch.mkdir()
    write(folder / "dataset", everything(scratch, (6, 1, 4)))
    shutil.rmtree(scratch)


def lerobot(folder: Path) -> None:
    """Datasets as recordings: one of ours, and one as LeRobot 0.3 laid it out."""
    from support.dataset import COLUMNS, TOP, clip, episode, write
    from support.old_dataset import write_old

    scratch = folder / "clips"
    scratch.mkdir()
    clips = [[clip(scratch, TOP, count, episode=i)] for i, count in enumerate((4, 2))]
    parts = [episode(count, i, columns=COLUMNS[1:3], clips=clips[i]) for i, count in enumerate((4, 2))]
    write(folder / "v3", parts)
    shutil.rmtree(scratch)
    write_old(folder / "v2", (3, 2))


def plan(folder: Path) -> None:
    from support.robot import robot_plan
    from telecine.core.plan.model import make_plan

    (folder / "plan.yaml").write_text(make_plan(robot_plan("front", "wrist")).to_yaml())


INPUTS: dict[str, Callable[[Path], None]] = {
    "rrd": rrd,
    "mcap": mcap,
    "rosbag": rosbag,
    "rosbag2": rosbag2,
    "hdf5": hdf5,
    "zarr": zarr,
    "robosandbox": robosandbox,
    "lerobot": lerobot,
    "rlds": rlds,
    "unitree": unitree,
    "bridge_raw": bridge_raw,
    "gello": gello,
    "hdf5_layouts": hdf5_layouts,
    "calvin": calvin,
    "minari": minari,
    "dataset": dataset,
    "plan": plan,
}
"""What makes a folder of sound inputs, each entry of the folder one input, by the name of its format."""


STRUCTURE = "+structure"
"""Behind the name of a source: hostile values in sound containers (tests/fuzz), instead of damaged bytes."""
READ_ONE_WAY = ("hdf5", "zarr", "lerobot", "rlds", "bridge_raw", "gello", "hdf5_layouts", "calvin", "minari")
"""Sources to which `--recover` makes no difference."""
CONVERT = "+convert"
"""Behind the name of a source: convert its mutants with the plan that `inspect` proposes, instead of reading all."""


def make_inputs(kind: str, folder: Path) -> None:
    """The sound inputs of a kind, into a new folder."""
    folder.mkdir()
    INPUTS[kind.removesuffix(CONVERT).removesuffix(STRUCTURE)](folder)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one kind of damage, somewhere."""
    at = rng.randrange(len(data)) if data else 0
    size = min(rng.choice((1, 2, 4, 8, 16, 64, 512)), len(data))
    fill = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))
    absurd = rng.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, (1 << 63) - 1, (1 << 64) - 1, 1 << 40))
    number = absurd.to_bytes(8, "little")[: rng.choice((4, 8))]
    text = rng.choice((b"../../../../../etc/", b"\n\r\n", b"\xff\xfe\x00", b"/", b"\xc3\x28", b"a" * 4096, b"-1e999"))
    other = rng.randrange(len(data)) if data else 0
    match rng.randrange(10):
        case 0:
            return data[:at]
        case 1 | 2:
            return data[:at] + bytes([(data[at] if data else 0) ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        case 3:
            return data[:at] + fill + data[at + size :]
        case 4 | 5:
            return data[:at] + number + data[at + len(number) :]
        case 6:
            return data[:at] + text + data[at + rng.choice((0, len(text))) :]
        case 7:
            return data[:at] + data[at + size :]
        case 8:
            return data[:at] + data[other : other + size] + data[at:]
        case _:
            return data[:at] + data[other : other + size] + data[at + size :]


def make_mutant(kind: str, sound: Path, number: int, target: Path) -> Path:
    """Mutant `number` of the inputs in `sound`, below `target`."""
    rng = random.Random(f"{kind} {number}")
    chosen = rng.choice(sorted(sound.iterdir()))
    place = target / f"{number:06d}{chosen.suffix}"
    if kind.endswith(STRUCTURE):
        return _with_hostile_values(chosen, place, rng, outside_of(sound))
    if chosen.is_file():
        place.write_bytes(mutated(chosen.read_bytes(), rng))
        return place
    shutil.copytree(chosen, place)
    victim = rng.choice(sorted(path for path in place.rglob("*") if path.is_file()))
    if rng.randrange(20):
        victim.write_bytes(mutated(victim.read_bytes(), rng))
    else:
        victim.unlink()
    return place


def outside_of(sound: Path) -> Path:
    """A folder beside the inputs that nothing in them may lead to."""
    return sound.parent / "outside"


def _with_hostile_values(chosen: Path, place: Path, rng: random.Random, outside: Path) -> Path:
    from fuzz.structures import made_hostile

    if chosen.is_file():
        shutil.copyfile(chosen, place)
        files = [place]
    else:
        shutil.copytree(chosen, place)
        files = sorted(path for path in place.rglob("*") if path.is_file())
    rng.shuffle(files)
    for path in files:
        if made_hostile(path, rng, outside):
            break
    if place.is_dir() and rng.randrange(8) == 0:
        victim = rng.choice(files)
        victim.unlink()
        victim.symlink_to(outside / "canary.json")
    return place


def read(kind: str, path: Path) -> None:
    """Read everything of an input. Raises: TelecineError, when all is well with us."""
    match kind.removesuffix(STRUCTURE):
        case "plan":
            from telecine.commands.flag_table import PlanFlags
            from telecine.commands.plan_flags import plan_of

            plan_of(PlanFlags(), path)
        case "dataset":
            _read_dataset(path)
        case _ if kind.endswith(CONVERT):
            _convert(path)
        case _:
            for recover in (False,) if kind in READ_ONE_WAY else (False, True):
                _read_recordings(path, recover)


def _read_dataset(root: Path) -> None:
    from telecine.dataset.verify.verify import verify
    from telecine.recovery.repair import repair

    verify(root, decode="all")
    out = root.with_name(f"{root.name}-out")
    try:
        done = repair(root, out)
        assert done.after == (), [str(f) for f in done.after]
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _read_recordings(path: Path, recover: bool) -> None:
    """All streams; an error in one does not end the others, and the first is raised at the end."""
    from telecine.core.errors import SourceError, TelecineError
    from telecine.sources import registry

    found = registry.find([path], recover=recover)
    problems: list[TelecineError] = [SourceError(str(f)) for f in found.findings if f.severity == "error"]
    for ref in found.refs:
        try:
            with registry.open(ref) as recording:
                for name in recording.streams:
                    try:
                        _read_stream(recording.streams[name])
                    except TelecineError as error:
                        problems.append(error)
                dict(recording.attrs)
        except TelecineError as error:
            problems.append(error)
    if problems:
        raise problems[0]


def _convert(path: Path) -> None:
    """With a proposed plan, in this process: as `telecine convert PATH OUT` does."""
    from telecine.conversion.pipeline import Options, convert
    from telecine.core.errors import SourceError
    from telecine.core.proposal.propose import propose
    from telecine.inspection.recordings import inspect_many

    out = path.with_name(f"{path.name}-out")
    try:
        plan = propose(inspect_many([path]).recordings, fps=30, task_text="go", missing_action="same_state").plan
        if plan is None:
            raise SourceError(f"{path}: no plan can be proposed")
        report = convert([path], out, plan, Options(verify=False, workers=0))
        for rejected in report.rejected:
            assert rejected.reason.code != "convert-failed", rejected.reason.message
            raise SourceError(rejected.reason.message)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _read_stream(stream) -> None:  # type: ignore[no-untyped-def]
    from telecine.core.bitstream.packets import index_packets
    from telecine.video.decode import frames

    for clock in ["any"] if stream.static else stream.clocks:
        count = len(stream.times(clock))
        rows = np.arange(count)
        match stream.kind:
            case "image":
                for _ in frames(stream, rows, clock):
                    pass
            case "video":
                index = index_packets(stream.packets(clock), stream.schema.encoding)
                for _ in frames(stream, rows[int(np.argmax(index.keyframe)) :], clock, index=index):
                    pass
            case _:
                stream.take(rows, clock)


@dataclass
class Tally:
    """What became of mutants."""

    outcomes: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of those that crashed, hung or raised something else, and what was seen."""
    peak_mb: int = 0

    def count(self, number: int, outcome: str, detail: str = "") -> None:
        self.outcomes[outcome] += 1
        if outcome not in ("complete", "named"):
            self.bad.append((number, f"{outcome}: {detail}"))


def try_mutants(kind: str, numbers: Sequence[int], keep: Path | None = None) -> Tally:
    """Make and read mutants in processes of their own, a batch in each while nothing goes wrong."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        sound = Path(folder, "sound")
        make_inputs(kind, sound)
        if kind.endswith(STRUCTURE):
            from fuzz.watch import make_outside

            make_outside(outside_of(sound))
        left = list(numbers)
        while left:
            batch, left = left[:BATCH], left[BATCH:]
            left = _try_batch(kind, sound, batch, tally, keep) + left
    return tally


def _try_batch(kind: str, sound: Path, numbers: Sequence[int], tally: Tally, keep: Path | None) -> list[int]:
    """Those that were not tried because the process ended before them."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        command = [
            sys.executable,
            "-Xfaulthandler",
            "-Wignore",
            "-m",
            "support.mutants",
            "--child",
            kind,
            str(sound),
            folder,
        ]
        log = Path(folder, "log")
        with (
            log.open("wb") as errors,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=Path(__file__).parents[1],
                env=os.environ | {"PYTHONPATH": _same_code()},
            ) as child,
        ):
            assert child.stdin is not None
            assert child.stdout is not None
            for position, number in enumerate(numbers):
                answer = _asked(child, number, LONG_S if kind.endswith(STRUCTURE) and position else HANG_S)
                if answer is None:
                    hung = child.poll() is None
                    child.kill()
                    child.wait()
                    tail = log.read_bytes()[-400:].decode(errors="replace").replace("\n", " ")
                    tally.count(number, "hang" if hung else "crash", f"{child.returncode} {tail}")
                    if keep:
                        shutil.copyfile(log, make_mutant(kind, sound, number, keep).with_suffix(".log"))
                    return list(numbers[position + 1 :])
                tally.count(number, answer["outcome"], answer["detail"])
                if keep and answer["outcome"] == "unexpected":
                    make_mutant(kind, sound, number, keep)
                tally.peak_mb = max(tally.peak_mb, answer["peak_mb"])
            child.stdin.close()
    return []


def _same_code() -> str:
    """Where this process has its modules from, absolute: a relative PYTHONPATH means other folders in the child's."""
    return os.pathsep.join(str(Path(place).resolve()) for place in sys.path)


def _asked(child, number, limit_s):  # type: ignore[no-untyped-def]
    """The child's answer; None when it died, or took too long: of its own CPU, so that a busy machine is no hang."""
    import select

    began, spent_before = time.monotonic(), _spent_s(child.pid)
    try:
        child.stdin.write(f"{number}\n".encode())
        child.stdin.flush()
    except OSError:
        child.wait()
        return None
    ready: list[Any] = []
    while not ready and _spent_s(child.pid) - spent_before < limit_s:
        ready, _, _ = select.select([child.stdout], [], [], 0.5)
        if time.monotonic() - began > WAITS * limit_s:
            break
    line = child.stdout.readline() if ready else b""
    if ready and not line:
        child.wait()
    return json.loads(line) if line else None


def _spent_s(pid: int) -> float:
    """CPU seconds of a process so far; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def answers(kind: str, sound: Path, folder: Path) -> Iterator[str]:
    """In the child: a line for each number that comes in."""
    from telecine.core.errors import TelecineError

    watch = None
    for line in sys.stdin:
        path = make_mutant(kind, sound, int(line), folder)
        if kind.endswith(STRUCTURE):
            watch = watch or _watch(sound, folder, kind)
            watch.seen()
        try:
            read(kind, path)
            outcome, detail = "complete", ""
        except TelecineError as error:
            outcome, detail = "named", str(error)
        except Exception:
            outcome, detail = "unexpected", "".join(traceback.format_exc().splitlines(keepends=True)[-3:])
        if watch is not None and (seen := watch.seen()):
            outcome, detail = seen[0].partition(":")[0], "; ".join(seen)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        yield json.dumps({"outcome": outcome, "detail": detail[:600], "peak_mb": _peak_mb()})


def _peak_mb() -> int:
    """Of this process: what `getrusage` says counts the process that started it, too."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(
            int(line.split()[1]) // 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM")
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _watch(sound: Path, folder: Path, kind: str) -> Any:
    """Everything is imported first: that opens files, and starts what looks for libraries."""
    from fuzz.watch import Watch

    for path in sorted(sound.iterdir()):
        read(kind, path)
    return Watch(outside_of(sound))


def show_one(kind: str, number: int) -> None:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        sound = Path(folder, "sound")
        make_inputs(kind, sound)
        if kind.endswith(STRUCTURE):
            from fuzz.watch import make_outside

            make_outside(outside_of(sound))
        path = make_mutant(kind, sound, number, Path(folder))
        print(path.name, flush=True)
        read(kind, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(INPUTS), help="default: all")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, help="one mutant, in this process, its error as it comes")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="an existing folder for those that end badly")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        kind, sound, folder = given.child
        for answer in answers(kind, Path(sound), Path(folder)):
            print(answer, flush=True)
        return
    if given.only is not None:
        show_one(given.kinds[0], given.only)
        return
    print("| input | tried | complete | named error | unexpected | crash | hang | peak memory |", flush=True)
    for kind in given.kinds:
        tally = try_mutants(kind, range(given.first, given.first + given.count), given.keep)
        told = [tally.outcomes[name] for name in ("complete", "named", "unexpected", "crash", "hang")]
        print(f"| {kind} | {given.count} | {' | '.join(map(str, told))} | {tally.peak_mb} MB |", flush=True)
        for number, detail in tally.bad:
            print(f"  {kind} {number}: {detail}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
