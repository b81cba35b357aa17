"""Disks that are full, or do not give back what they took: raised at once, and what was recorded is there."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from functools import partial

import numpy as np
import pytest

from telecine import Recorder
from telecine.core.errors import DatasetError
from telecine.dataset.reader import Dataset
from telecine.inspection.dataset_frames import episode_frames
from telecine.recorder import live_streams, rejected
from telecine.sources import registry
from telecine.sources.recorder_spool.spool_file import SpoolFile

FRONT = "observation.images.front"


@pytest.fixture
def encoder(monkeypatch):
    """Encoders wait until this is set; four frames fit into the memory of a camera."""
    go_on, real = threading.Event(), live_streams.coded_frames

    def waiting(frames):
        for frame in frames:
            go_on.wait(30)
            yield frame

    monkeypatch.setattr(
        live_streams, "coded_frames", lambda frames, *given, **named: real(waiting(frames), *given, **named)
    )
    monkeypatch.setattr(live_streams, "FrameQueue", partial(live_streams.FrameQueue, memory_bytes=1))
    return go_on


def record(recorder, start, stop):
    for number in range(start, stop):
        frame = np.full((48, 64, 3), 5 * number % 256, np.uint8)
        recorder.add(number * 10**9 // 30, {"action": [1.0 * number], FRONT: frame})


@pytest.mark.parametrize("failures", [1, 10**6])
def test_a_frame_that_cannot_be_read_back_from_the_disk_stops_coding_but_loses_nothing(
    tmp_path, monkeypatch, encoder, failures
):
    left, real = [failures], SpoolFile.read

    def read(file, offset, size):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(file, offset, size)

    monkeypatch.setattr(SpoolFile, "read", read)
    found = []
    with Recorder(tmp_path / "set", fps=30, on_finding=found.append) as recorder:
        recorder.start_episode("lift")
        record(recorder, 0, 20)
        encoder.set()
        record(recorder, 20, 40)
        report = recorder.end_episode(strict=True)
    assert (report.rows, left[0] < failures) == (40, True)
    (problem,) = [f for f in report.findings if f.code == "record-encoder"]
    assert "a frame that waited on disk cannot be read back: [Errno 5]" in problem.message
    assert "record-encoder" in [f.code for f in found]
    shown = episode_frames(Dataset(tmp_path / "set"), FRONT, 0, 40)
    assert [round(frame.mean() / 5) for frame in shown] == list(range(40))


def test_a_file_that_lost_what_was_written_is_noticed_and_the_episode_rejected(tmp_path, encoder):
    with Recorder(tmp_path / "set", fps=30, on_finding=lambda _: None) as recorder:
        recorder.start_episode("lift")
        record(recorder, 0, 20)
        os.truncate(recorder.running_episode.file.path, 400)
        encoder.set()
        record(recorder, 20, 40)
        with pytest.raises(DatasetError, match="not whole on disk any more.*saved as"):
            recorder.end_episode()
        assert recorder.rejected[0].path.is_file()
        recorder.start_episode("lift")
        record(recorder, 0, 20)
        assert recorder.end_episode(strict=True).rows == 20


@pytest.mark.parametrize("behind", ["spill", "wait", "drop"])
def test_an_encoder_whose_packets_the_disk_refuses_lets_nobody_wait(tmp_path, monkeypatch, encoder, behind):
    found, real, full = [], SpoolFile._append, threading.Event()

    def append(file, pieces):
        if full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, pieces)

    monkeypatch.setattr(SpoolFile, "_append", append)
    encoder.set()
    with Recorder(tmp_path / "set", fps=30, on_finding=found.append, when_behind=behind, on_exit="discard") as recorder:
        recorder.start_episode("lift")
        record(recorder, 0, 3)
        full.set()
        with pytest.raises(DatasetError, match="no space left on the disk, and no more memory is used"):
            record(recorder, 3, 10**5)
        assert [f.code for f in found if f.severity == "error"] == ["record-disk"]
        with pytest.raises(
            DatasetError, match=rf"no space left.*\d samples? of action, \d+ frames? of {FRONT} could not"
        ):
            recorder.end_episode()


def test_a_disk_on_which_nothing_can_begin_is_an_error_of_ours(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recorder = Recorder(tmp_path / "set", fps=30)
    monkeypatch.setattr(rejected.tempfile, "mkdtemp", full)
    with pytest.raises(DatasetError, match="an episode cannot begin: No space left on device"):
        recorder.start_episode("lift")
    with pytest.raises(DatasetError, match="cannot be recorded: No space left on device"):
        Recorder(tmp_path / "other", fps=30)
    monkeypatch.undo()
    recorder.start_episode("lift")
    record(recorder, 0, 20)
    assert recorder.end_episode(strict=True).rows == 20
    recorder.close()


def test_an_episode_that_lacks_frames_is_rejected_and_its_file_says_so(tmp_path, monkeypatch):
    real = SpoolFile.add_packet

    def add_packet(file, number, stamp_ns, data):
        if stamp_ns >= 10**9 // 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(file, number, stamp_ns, data)

    monkeypatch.setattr(SpoolFile, "add_packet", add_packet)
    with Recorder(tmp_path / "set", fps=30, on_finding=lambda _: None) as recorder:
        recorder.start_episode("lift")
        record(recorder, 0, 30)
        with pytest.raises(
            DatasetError, match=rf"the disk refuses: Input/output error: 15 frames of {FRONT} could not be"
        ):
            recorder.end_episode(success=True)
    with registry.open(registry.find([recorder.rejected[0].path]).refs[0]) as recording:
        assert (recording.attrs["success"], recording.notes) == ("true", ())
        assert f"15 frames of {FRONT} could not be written" in recording.attrs["error_cause"]
        assert [len(recording.streams[key].times("time")) for key in ("action", FRONT)] == [30, 15]


FULL = """
    import json, os, resource, sys
    from pathlib import Path
    import numpy as np
    from telecine import Recorder
    from telecine.core.errors import DatasetError

    root, how, seen = Path(sys.argv[1]), sys.argv[2], []
    ballast = root.parent / "ballast"

    def fill():
        if how == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, -1))
        else:
            free = os.statvfs(root.parent).f_bavail * os.statvfs(root.parent).f_bsize
            ballast.write_bytes(bytes(free - 100_000))

    def free():
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        ballast.unlink(missing_ok=True)

    def record(frames):
        rng = np.random.default_rng(0)
        recorder.start_episode("lift")
        for number in range(frames):
            frame = rng.integers(0, 255, (64, 96, 3), np.uint8)
            recorder.add(number * 10**9 // 30, {"action": [1.0 * number], "observation.images.front": frame})
        recorder.end_episode()

    from telecine.dataset.verify.verify import verify
    from telecine.sources import registry

    for run in (1, 2):
        with Recorder(root, fps=30, mode="append_or_create", on_finding=lambda f: seen.append(f.code)) as recorder:
            record(20)
            fill()
            try:
                record(200)
            except DatasetError as error:
                text = str(error)
            free()
            record(20)
        with registry.open(registry.find([recorder.rejected[0].path]).refs[0]) as recording:
            kept = len(recording.streams["observation.images.front"].times("time"))
        rows = [episode.rows for episode in recorder.episodes]
        print(json.dumps([rows, recorder.num_episodes, text, kept, seen, [str(f) for f in verify(root, decode="all")]]))
"""


def full_disk(tmp_path, how):
    """What the script prints, on a disk of its own or with files that may not grow."""
    command = [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path / "set"), how]
    if how == "disk":
        command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=8m x "$0" && "$@"', str(tmp_path), *command]
        if not shutil.which("unshare"):
            pytest.skip("outside this repository: no unshare")
    ran = subprocess.run(command, capture_output=True, text=True)
    if how == "disk" and re.search("unshare:|mount:", ran.stderr):
        pytest.skip(f"outside this repository: no file system can be mounted: {ran.stderr}")
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are Unix's")
@pytest.mark.parametrize("how", ["limit", "disk"])
def test_on_a_full_disk_recording_raises_and_the_same_script_works_again(tmp_path, how):
    for number, (rows, episodes, text, kept, seen, problems) in enumerate(full_disk(tmp_path, how), 1):
        assert (rows, episodes, problems) == ([20, 20], 2 * number, [])
        assert ("no space left on the disk" if how == "disk" else "File too large") in text
        assert "telecine convert" in text
        assert 1 < kept < 200
        assert seen[0] == "record-disk"
