"""What happens to a demonstration when a stamp, a sensor, a program, a disk or a process goes wrong."""

import errno
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from rich.console import Console

from support.pictures import draw_frame_id, read_frame_id
from telecine import Recorder
from telecine.core.errors import AlignError, DatasetError, PlanError, TelecineError
from telecine.core.findings import has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recorder import episode as episode_module
from telecine.recorder import frame_queue
from telecine.recorder.progress import RecordingDisplay, table
from telecine.recorder.stamp_check import StampCheck
from telecine.sources import registry
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.spool_file import SpoolFile
from telecine.video.mp4_reader import decode_at

FRONT = "observation.images.front"
STATE = "observation.state"
MS = 1_000_000


@pytest.fixture
def found():
    """What recorders report through `on_finding`."""
    return []


@pytest.fixture
def recorder(tmp_path, found):
    with Recorder(tmp_path / "set", fps=30, on_finding=found.append, on_exit="discard") as made:
        yield made


def frame(number):
    return draw_frame_id(number, 1, 0, 96, 64)


def fill(recorder, seconds=10.0, *, camera=lambda t: True, state=lambda t: True, fps=30):
    """A demonstration with a state and a camera, each only where asked for."""
    recorder.start_episode("lift")
    for number in range(round(seconds * fps)):
        t = number / fps
        values = {"action": np.array([t, 0])}
        if state(t):
            values[STATE] = np.array([t, 1])
        if camera(t):
            values[FRONT] = frame(number)
        recorder.add(number * 10**9 // fps, values)


def run_command(text):
    """Run the `telecine convert` command in a message, on this machine; the dataset that it made."""
    command = shlex.split(re.search(r"telecine convert [^(]*", text)[0])
    ran = subprocess.run([sys.executable, "-m", "telecine", *command[1:]], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Dataset(command[3])


# --- units of time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", [0.5, np.float64(12.0), np.float32(1), "now", None])
def test_a_stamp_that_is_no_integer_is_refused_at_the_first_sample(recorder, stamp):
    recorder.start_episode("lift")
    with pytest.raises(PlanError, match="expected integer nanoseconds"):
        recorder.add(stamp, {STATE: [1.0]})
    recorder.add(np.int64(7), {STATE: [1.0]})


@pytest.mark.parametrize(
    ("start", "step", "rate", "unit"),
    [
        (0, 33_333, None, "microseconds"),
        (0, 33, None, "milliseconds"),
        (10**6, 0, None, "seconds"),
        (1_790_000_000_000, 5, None, "milliseconds"),
        (1_790_000_000_000_000, 2_500, None, "microseconds"),
        (0, 5_000, 200, "microseconds"),
        (0, 1, 1000, "milliseconds"),
    ],
)
def test_a_wrong_unit_is_refused_at_the_third_sample_with_what_was_meant(tmp_path, start, step, rate, unit):
    rates = None if rate is None else {STATE: rate}
    with Recorder(tmp_path / "set", fps=30, rates=rates, on_exit="discard") as recorder:
        recorder.start_episode("lift")
        for number in range(2):
            recorder.add(start + number * step, {STATE: [1.0]})
        for number in (2, 3):
            with pytest.raises(PlanError, match=f"look like {unit}"):
                recorder.add(start + number * step, {STATE: [1.0]})


@pytest.mark.parametrize("hz", [1, 10, 30, 100, 1000, 4000])
def test_streams_of_any_real_rate_are_accepted(hz):
    check = StampCheck("imu", 30, None)
    for number in range(5):
        check.check(number * 10**9 // hz, None)
        check.take(number * 10**9 // hz)


@pytest.mark.parametrize("factor", [1000, 1 / 1000])
def test_a_declared_rate_is_compared_both_ways(factor):
    check = StampCheck("imu", 30, 200.0)
    for number in range(2):
        check.take(round(number * 5_000_000 * factor))
    with pytest.raises(PlanError, match="declared 200 Hz"):
        check.check(round(10_000_000 * factor), None)


def test_an_episode_in_a_wrong_unit_is_not_written_but_saved(tmp_path):
    found = []

    def record_milliseconds():
        with Recorder(tmp_path / "set", fps=30, on_finding=found.append) as recorder:
            recorder.start_episode("lift")
            for number in range(60):
                recorder.add(number * 33, {STATE: [1.0]})

    with pytest.raises(PlanError, match="milliseconds"):
        record_milliseconds()
    assert not (tmp_path / "set").exists()
    assert [f.code for f in found] == ["record-interrupted"]
    assert "milliseconds" in found[0].message
    assert len(list((tmp_path / "set.rejected").glob("*.spool"))) == 1


def test_samples_up_to_a_second_late_are_sorted_in_and_older_ones_refused(recorder):
    recorder.start_episode("lift")
    for number in (0, 1, 2, 60):
        recorder.add(number * 33 * MS, {STATE: [float(number)]})
    recorder.add(60 * 33 * MS - 10**9, {STATE: [3.0]})
    with pytest.raises(PlanError, match=r"1\.000 s older than the newest of its stream.*this one was not taken"):
        recorder.add(60 * 33 * MS - 10**9 - 1, {STATE: [3.0]})
    recorder.add(61 * 33 * MS, {STATE: [61.0]})
    assert recorder.running_episode.streams[0].stamps.count == 6
    recorder.discard_episode()
    recorder.start_episode("lift")
    for number in [0, 1, 2, 4, 3, 5, 6, 8, 7, *range(9, 60)]:
        recorder.add(number * 10**9 // 30, {STATE: [float(number)], FRONT: frame(number)})
    recorder.end_episode()
    states = Dataset(recorder.root).rows(0).column(STATE).to_pylist()
    assert states == [float(n) for n in range(60)]


def test_another_clock_is_refused_at_the_first_sample_of_its_stream(recorder):
    recorder.start_episode("lift")
    recorder.add(5 * 10**9, {STATE: [1.0]})
    with pytest.raises(PlanError, match="take all timestamps from one clock"):
        recorder.add(1_790_000_000 * 10**9, {"action": [1.0]})
    with pytest.raises(PlanError, match="the clock jumped"):
        recorder.add(1_790_000_000 * 10**9, {STATE: [1.0]})
    recorder.add(5 * 10**9 + 1, {STATE: [1.0]})


# --- streams that start late, end early or pause ----------------------------------------------------------------------


def test_a_camera_that_dies_is_reported_once_and_the_episode_rejected_and_kept(recorder, found):
    fill(recorder, camera=lambda t: t < 0.5)
    assert [(f.code, FRONT in f.where) for f in found] == [("record-quiet", True)]
    with pytest.raises(AlignError) as caught:
        recorder.end_episode()
    text = str(caught.value)
    assert f"{FRONT} ends at" in text
    assert re.search(r"1[56] of 300 expected rows", text)
    assert "min_rows" in text
    assert f"the plan leaves out {FRONT}" in text
    dataset = run_command(text)
    assert dataset.episodes[0].length == 300
    assert [c.key for c in dataset.features if c.dtype == "video"] == []
    assert len(found) == 1


def test_few_missing_rows_are_reported_with_counts_and_rejected_only_when_strict(recorder):
    fill(recorder, camera=lambda t: t > 0.32)
    report = recorder.end_episode()
    (cut,) = [f for f in report.findings if f.code == "align-trimmed"]
    assert (cut.severity, FRONT in cut.where) == ("warning", True)
    assert "10 of 300 rows cut from the start" in cut.message
    assert report.rows == 290
    fill(recorder, camera=lambda t: t > 0.32)
    with pytest.raises(AlignError, match=f"strict: 290 of 300 .*{FRONT} starts at 0.333 s, which costs 10 rows"):
        recorder.end_episode(strict=True)
    fill(recorder)
    assert recorder.end_episode(strict=True).findings[0].code == "video-copied"
    assert len(Dataset(recorder.root)) == 2


def test_a_pause_is_rejected_with_the_argument_that_accepts_it(tmp_path, recorder, found):
    fill(recorder, 3, camera=lambda t: not 1 < t < 1.4)
    assert [f.code for f in found] == ["record-quiet"]
    with pytest.raises(AlignError) as caught:
        recorder.end_episode()
    advice = re.search(r"Recorder\(max_age=(\{.*?\})\)", str(caught.value))[1]
    assert run_command(str(caught.value)).episodes[0].length == 90
    with Recorder(tmp_path / "other", fps=30, max_age=eval(advice), on_finding=found.append) as tolerant:
        fill(tolerant, 3, camera=lambda t: not 1 < t < 1.4)
        assert tolerant.end_episode().rows == 90
    assert len(found) == 1


def test_a_clock_that_jumps_is_named_and_the_plan_beside_it_splits_there(recorder):
    recorder.start_episode("lift")
    for number in range(90):
        jumped = 3600 * 10**9 if number >= 60 else 0
        recorder.add(number * 10**9 // 30 + jumped, {"action": [float(number)], FRONT: frame(number)})
    with pytest.raises(AlignError, match=r"nothing was added for 3600.033 s at 1.967 s: its clock jumped") as caught:
        recorder.end_episode()
    assert "max_age" not in str(caught.value)
    assert [episode.length for episode in run_command(str(caught.value)).episodes] == [59, 29]


def test_without_on_finding_it_is_a_warning_and_a_line_in_the_log(tmp_path, caplog):
    recorder = Recorder(tmp_path / "set", fps=30, on_exit="discard")
    with pytest.warns(UserWarning, match="record-quiet.*no sample for"):
        fill(recorder, 2, camera=lambda t: t < 0.3)
    recorder.close()
    assert "record-quiet" in caplog.text


def test_text_that_comes_late_costs_no_row(recorder):
    recorder.start_episode("lift")
    for number in range(30):
        recorder.add(number * 10**9 // 30, {STATE: [float(number)]})
        if number == 20:
            recorder.add(number * 10**9 // 30, {"info.event": "grasped"})
    assert recorder.end_episode(strict=True).rows == 30
    assert Dataset(recorder.root).rows(0).column("info.event").to_pylist() == [""] * 20 + ["grasped"] * 10


def test_a_feature_that_an_option_names_must_come(tmp_path):
    with Recorder(tmp_path / "set", fps=30, rates={"imu": 200}) as recorder:
        fill(recorder, 1)
        with pytest.raises(AlignError, match="imu: no sample was added"):
            recorder.end_episode()


# --- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_leaving_the_block_keeps_the_episode_and_reports_it_once(tmp_path, found, error):
    try:
        with Recorder(tmp_path / "set", fps=30, on_finding=found.append) as recorder:
            fill(recorder, 1)
            if error is not None:
                raise error("the arm hit the table")
    except (RuntimeError, KeyboardInterrupt):
        assert error is not None
    assert [f.code for f in found] == ["record-interrupted"]
    assert "interrupted" in found[0].message
    dataset = Dataset(tmp_path / "set")
    assert dataset.episodes[0].length == 30
    assert dataset.provenance[0]["interrupted"] is True
    assert dataset.provenance[0]["error_cause"] == (
        None if error is None else f"{error.__name__}: the arm hit the table"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


def test_leaving_the_block_can_discard_the_episode(tmp_path, found):
    with Recorder(tmp_path / "set", fps=30, on_finding=found.append, on_exit="discard") as recorder:
        fill(recorder, 1)
    assert (found, list(tmp_path.iterdir())) == ([], [])


def test_an_interrupted_episode_that_does_not_fit_is_saved_beside_the_dataset(tmp_path, found):
    with Recorder(tmp_path / "set", fps=30, on_finding=found.append) as recorder:
        fill(recorder, camera=lambda t: t < 0.5)
    assert [f.code for f in found] == ["record-quiet", "record-interrupted"]
    assert run_command(found[1].message).episodes[0].length == 300


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {FRONT: np.zeros((32, 32, 3), np.uint8)},
        {FRONT: np.zeros((64, 96), np.uint16)},
        {STATE: [1.0, 2.0, 3.0]},
        {STATE: np.ones(2, np.float32)},
        {"action": [5.0, 5.0], STATE: "text"},
        {"task": "a reserved name"},
        {"observation.note": "text under observation"},
    ],
)
def test_a_changed_sample_is_refused_and_the_episode_unharmed(recorder, changed):
    fill(recorder, 1)
    with pytest.raises(PlanError):
        recorder.add(10**9, {"action": [9.0, 9.0], **changed})
    for number in range(30, 60):
        recorder.add(number * 10**9 // 30, {"action": [1.0, 1.0], STATE: [1.0, 1.0], FRONT: frame(number)})
    assert recorder.end_episode(strict=True).rows == 60
    assert 9.0 not in np.array(Dataset(recorder.root).rows(0).column("action").to_pylist())


def test_depth_text_events_and_sensors_at_their_own_rates(recorder):
    described = []
    for _ in range(2):
        recorder.start_episode("lift")
        for number in range(1000):
            t = number * MS
            values = {"observation.force": np.array([number, 1, 2], np.float32)}
            if number % 33 == 0:
                values |= {
                    STATE: [1.0],
                    "observation.images.depth": np.full((48, 64), 500 + number, np.uint16),
                    "observation.images.range": np.full((48, 64), 0.5, np.float32),
                }
            if number == 500:
                values["info.event"] = "contact"
            recorder.add(t, values)
        assert recorder.end_episode().rows >= 29
        described.append(json.loads((recorder.root / "meta/info.json").read_text())["features"])
    assert described[0] == described[1]
    features = {c.key: (c.dtype, c.shape) for c in Dataset(recorder.root).features}
    assert features["observation.images.depth"] == features["observation.images.range"] == ("video", (48, 64, 1))
    assert not has_errors(verify(recorder.root, decode="all"))


# --- threads ----------------------------------------------------------------------------------------------------------


def test_threads_add_streams_at_their_own_rates(recorder):
    recorder.start_episode("lift")
    errors = []

    def sensor(name, hz, value):
        stream = recorder.stream(name)
        try:
            for number in range(2 * hz):
                assert stream.add(number * 10**9 // hz, value(number))
        except BaseException as error:
            errors.append(error)

    streams = {
        STATE: (100, lambda n: np.array([n, 0.0])),
        "action": (50, lambda n: np.array([n, 1.0])),
        "observation.force": (500, lambda n: np.float32([n])),
        FRONT: (30, frame),
        "observation.images.wrist": (15, frame),
    }
    threads = [threading.Thread(target=sensor, args=(name, *about)) for name, about in streams.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    report = recorder.end_episode()
    assert report.rows in (59, 60)
    rows = Dataset(recorder.root).rows(0)
    start = Dataset(recorder.root).provenance[0]["start_ns"]
    for key, hz in ((STATE, 100), ("action", 50)):
        values = [row[0] for row in rows.column(key).to_pylist()]
        assert values == [(start + k * 10**9 // 30 + 1) * hz // 10**9 for k in range(report.rows)]
    assert not recorder.stream(STATE).add(0, [1.0, 1.0])  # no episode


def test_threads_that_go_on_while_episodes_end_lose_nothing_of_the_next(tmp_path, found):
    recorder = Recorder(tmp_path / "set", fps=30, min_rows=0, max_age="none", on_finding=found.append)
    stop, errors = threading.Event(), []

    def sensor(name, value):
        stream = recorder.stream(name)
        while not stop.is_set():
            try:
                stream.add(time.monotonic_ns(), value)
            except TelecineError as error:
                errors.append(error)
            stop.wait(0.001)

    threads = [threading.Thread(target=sensor, args=given) for given in ((STATE, [1.0]), (FRONT, frame(0)))]
    for thread in threads:
        thread.start()
    for _ in range(3):
        recorder.start_episode("lift")
        stop.wait(0.3)
        recorder.end_episode()
    stop.set()
    for thread in threads:
        thread.join()
    recorder.close()
    assert (errors, recorder.rejected) == ([], [])
    assert len(Dataset(recorder.root)) == 3


# --- slow and failing encoders ----------------------------------------------------------------------------------------


def slow_frames(monkeypatch, release):
    from telecine.recorder import live_streams

    real = live_streams.coded_frames

    def slow(frames, *args, **kwargs):
        def wait():
            for one in frames:
                release.wait(30)
                yield one

        return real(wait(), *args, **kwargs)

    monkeypatch.setattr(live_streams, "coded_frames", slow)


def test_a_slow_encoder_blocks_nobody_and_frames_wait_on_disk(recorder, found, monkeypatch):
    release = threading.Event()
    slow_frames(monkeypatch, release)
    recorder.start_episode("lift")
    for number in range(150):
        recorder.add(number * 10**9 // 30, {STATE: [float(number)], FRONT: np.full((480, 640, 3), number, np.uint8)})
    (camera,) = [s for s in recorder.running_episode.streams if s.name == FRONT]
    assert camera.queue.capacity * 640 * 480 * 3 <= 64 << 20
    release.set()
    report = recorder.end_episode()
    assert report.rows == 150
    assert [f.code for f in report.findings if f.code.startswith("record")] == ["record-behind"]
    assert [f.code for f in found] == ["record-behind"]
    assert not has_errors(verify(recorder.root, decode="all"))


def test_memory_does_not_grow_with_the_episode(tmp_path):
    with Recorder(tmp_path / "set", fps=30, max_age={"action": "none"}, on_finding=lambda _: None) as recorder:
        recorder.start_episode("lift")
        sizes = []
        for number in range(3000):
            values = {"action": [1.0], "info.event": "moved"} if number > 30 else {"action": [1.0], STATE: [1.0]}
            recorder.add(number * 10**9 // 30, {**values, FRONT: frame(number % 50)} if number % 10 == 0 else values)
            if number in (1000, 2999):
                recorder.running_episode._flush()
                streams = recorder.running_episode.streams
                sizes.append(
                    [sum(len(getattr(s, name, ())) for name in ("_recent", "_values", "_uncoded")) for s in streams]
                )
        recorder.discard_episode()
    assert np.max(sizes) < 200


def test_frames_are_dropped_only_when_asked_and_counted(tmp_path, found, monkeypatch):
    release = threading.Event()
    slow_frames(monkeypatch, release)
    with Recorder(tmp_path / "set", fps=30, when_behind="drop", on_finding=found.append, max_age="none") as recorder:
        recorder.start_episode("lift")
        for number in range(100):
            recorder.add(
                number * 10**9 // 30, {STATE: [float(number)], FRONT: np.full((480, 640, 3), number, np.uint8)}
            )
        release.set()
        report = recorder.end_episode()
    (dropped,) = [f for f in report.findings if f.code == "record-dropped"]
    assert re.match(r"2\d frames dropped", dropped.message)


def test_an_encoder_that_fails_costs_no_frame(recorder, found, monkeypatch):
    from telecine.recorder import live_streams

    real = live_streams.coded_frames

    def failing(frames, *args, **kwargs):
        for number, packet in enumerate(real(frames, *args, **kwargs)):
            if number == 10:
                raise MemoryError("no memory for the encoder")
            yield packet

    monkeypatch.setattr(live_streams, "coded_frames", failing)
    fill(recorder, 1)
    report = recorder.end_episode()
    assert report.rows == 30
    (problem,) = [f for f in report.findings if f.code == "record-encoder"]
    assert "no memory for the encoder" in problem.message
    assert not has_errors(verify(recorder.root, decode="all"))


# --- processes that are stopped ---------------------------------------------------------------------------------------

STOPPED = """
    import sys, time
    import numpy as np
    from telecine import Recorder

    recorder = Recorder(sys.argv[1], fps=20, mode="append_or_create")
    for episode in range(2):
        recorder.start_episode("lift")
        began = time.monotonic()
        for number in range(60):
            frame = np.full((48, 64, 3), number, np.uint8)
            recorder.add(number * 50_000_000, {"action": [1.0 * number], "observation.images.front": frame})
            if episode == 1:
                time.sleep(max(began + number / 20 - time.monotonic(), 0))
                if number == 50:
                    print("recording", flush=True)
        recorder.end_episode()
"""


def stopped(root, how):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(STOPPED), str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"recording\n"
    os.kill(child.pid, how)
    child.communicate()
    return child


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_stopped_process_loses_the_last_second_at_most_and_the_next_start_reports_it(tmp_path, found, how):
    root = tmp_path / "set"
    stopped(root, how)
    assert [e.length for e in Dataset(root).episodes] == [60]
    assert not has_errors(verify(root, decode="all"))
    with Recorder(root, fps=20, mode="append", on_finding=found.append) as recorder:
        (finding,) = found
        assert finding.code == "record-recovered"
        assert "interrupted" in finding.message
        recorder.start_episode("lift")
        for number in range(20):
            recorder.add(number * 50_000_000, {"action": [0.5], FRONT: np.full((48, 64, 3), number, np.uint8)})
        recorder.end_episode()
    assert len(Dataset(root)) == 2
    saved = run_command(finding.message)
    assert saved.episodes[0].length >= 31  # 51 were added, at 20 a second
    assert saved.provenance[0]["interrupted"] is True
    assert saved.rows(0).column("action").to_pylist() == [float(n) for n in range(saved.episodes[0].length)]
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("set-")) == ["set", "set.rejected"]
    found.clear()
    Recorder(root, fps=20, mode="append", on_finding=found.append).close()
    assert found == []


def test_frames_that_an_encoder_holds_for_long_are_on_disk_before_it_gives_them(tmp_path, monkeypatch):
    """This one holds a dozen: at 5 frames a second they would be gone with the power for two seconds and more."""
    monkeypatch.setattr(frame_queue, "HELD_S", 0.0)
    with Recorder(tmp_path / "set", fps=5, video={"codec": "hevc"}, on_exit="discard") as recorder:
        recorder.start_episode("lift")
        for number in range(10):
            recorder.add(number * 200 * MS, {FRONT: frame(number)})
        live = recorder.running_episode
        for _ in range(500):
            (camera,) = layout.scan(str(live.file.path)).streams
            if len(camera.packets) + len(camera.raw) == 10:
                break
            time.sleep(0.02)
        assert camera.raw
        assert len(camera.packets) + len(camera.raw) == 10
        report = recorder.end_episode()
    assert (report.rows, report.clips[0].copied, [f for f in report.findings if f.severity != "info"]) == (10, True, [])
    dataset = Dataset(tmp_path / "set")
    path, _ = dataset.frame(FRONT, 0, 0)
    assert [read_frame_id(rgb)[0] for _, rgb in decode_at(str(path), range(10))] == list(range(10))


def test_a_recorder_that_lives_is_left_alone(tmp_path, found):
    first = Recorder(tmp_path / "set", fps=30, on_exit="discard")
    fill(first, 1)
    Recorder(tmp_path / "set", fps=30, on_finding=found.append).close()
    assert found == []
    assert first.end_episode().rows == 30
    first.close()


def test_an_episode_that_was_published_before_the_process_died_is_not_recovered_twice(tmp_path, found, monkeypatch):
    recorder = Recorder(tmp_path / "set", fps=30)
    monkeypatch.setattr(episode_module.LiveEpisode, "abandon", lambda self: self.close())
    fill(recorder, 1)
    recorder.end_episode()
    os.close(recorder._folder._lock)  # as the end of its process would
    recorder._folder._lock = None
    monkeypatch.undo()
    Recorder(tmp_path / "set", fps=30, mode="append", on_finding=found.append).close()
    assert (found, sorted(p.name for p in tmp_path.iterdir())) == ([], ["set"])


# --- disks ------------------------------------------------------------------------------------------------------------


class Disk:
    """Lets the writes to spool files fail with `error` while it is set."""

    def __init__(self, monkeypatch):
        self.error = None
        real = SpoolFile._append

        def append(file, pieces):
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            return real(file, pieces)

        monkeypatch.setattr(SpoolFile, "_append", append)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_refuses_for_a_while_costs_nothing(recorder, found, monkeypatch, error):
    disk = Disk(monkeypatch)
    recorder.start_episode("lift")
    for number in range(90):
        if number == 30:
            disk.error = error
            recorder.running_episode._wake.set()
            while not recorder.running_episode._disk.problem:
                threading.Event().wait(0.01)
        if number == 60:
            disk.error = None
        recorder.add(number * 10**9 // 30, {STATE: [float(number)], FRONT: frame(number)})
    report = recorder.end_episode(strict=True)
    assert report.rows == 90
    assert [f.code for f in found] == ["record-disk"]
    assert ("no space left" in found[0].message) == (error == errno.ENOSPC)
    assert Dataset(recorder.root).rows(0).column(STATE).to_pylist() == [float(n) for n in range(90)]


def test_a_disk_that_refuses_until_the_end_saves_what_is_written(recorder, monkeypatch):
    disk = Disk(monkeypatch)
    fill(recorder, 1)
    live = recorder.running_episode
    while any(getattr(s, "pending", 0) or getattr(s, "queue", live).__dict__.get("_waiting") for s in live.streams):
        threading.Event().wait(0.01)
    disk.error = errno.ENOSPC
    for number in range(30, 40):
        recorder.add(number * 10**9 // 30, {"action": [1.0, 1.0], STATE: [1.0, 1.0], FRONT: frame(number)})
    with pytest.raises(DatasetError, match=r"no space left.*10 samples of action.*telecine convert"):
        recorder.end_episode()
    (saved,) = recorder.rejected
    (ref,) = registry.find([saved.path]).refs
    with registry.open(ref) as recording:
        assert len(recording.streams[STATE].times("time")) == 30
    disk.error = None
    fill(recorder, 1)
    assert recorder.end_episode().rows == 30


def test_memory_is_bounded_while_the_disk_refuses(recorder, monkeypatch):
    disk = Disk(monkeypatch)
    fill(recorder, 0.2)
    disk.error = errno.EIO

    def add_for_ever():
        for number in range(6, 10_000):
            recorder.add(number * 10**9 // 30, {FRONT: np.zeros((64, 96, 3), np.uint8)})

    with pytest.raises(DatasetError, match=r"no more memory is used"):
        add_for_ever()
    recorder.discard_episode()


def test_a_dataset_that_cannot_be_written_rejects_the_episode_and_keeps_it(recorder, monkeypatch):
    from telecine.dataset.rolling_files import RowFiles

    fill(recorder, 1)
    recorder.end_episode()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RowFiles, "append", full)
        fill(recorder, 1)
        with pytest.raises(DatasetError, match="no space left") as caught:
            recorder.end_episode()
    assert run_command(str(caught.value)).episodes[0].length == 30
    fill(recorder, 1)
    recorder.end_episode()
    assert len(Dataset(recorder.root)) == 2


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_progress_shows_streams_queues_and_the_disk(tmp_path):
    screen = Console(file=io.StringIO(), width=140)
    with Recorder(tmp_path / "set", fps=30, on_exit="discard") as recorder:
        screen.print(table(recorder))
        fill(recorder, 1)
        screen.print(table(recorder))
    shown = screen.file.getvalue()
    assert "no episode" in shown
    assert "set: episode 0, lift, 1.0 s, 29 rows" in shown
    assert re.search(rf"{FRONT} │ +30 │ 30.0 Hz │ +\d+ ms │ +\d+ │ +0 │ +0", shown)
    assert re.search(r"disk: [\d.]+ GB free", shown)


def test_progress_is_drawn_in_a_terminal_and_ends_with_the_recorder(tmp_path):
    before, screen = set(threading.enumerate()), Console(file=io.StringIO(), force_terminal=True, width=140)
    with Recorder(tmp_path / "set", fps=30, progress=True, on_exit="discard") as recorder:
        drawn = RecordingDisplay(recorder, screen)
        fill(recorder, 1)
        drawn.close()
    assert "episode 0" in screen.file.getvalue()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)  # it is told to stop, not waited for
    assert set(threading.enumerate()) <= before
