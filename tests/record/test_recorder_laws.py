"""Laws of the recorder: in whatever order and at whatever rates samples come, rows hold the last one before their tick.

And the dataset is the one that `telecine convert` makes of the same samples.
"""

import random
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.pictures import draw_frame_id
from telecine import Recorder
from telecine.conversion.pipeline import Options, convert
from telecine.dataset.reader import Dataset
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.options import RecorderOptions
from telecine.recorder.stamp_check import LATE_NS

SECOND = 10**9
FRONT = "observation.images.front"


@st.composite
def streams(draw):
    """Key -> stamps in ns of a stream at a rate of its own, with jitter, for about a second and a half."""
    found = {}
    for name in ("observation.state", "action", "observation.force"):
        hz = draw(st.sampled_from([7, 20, 30, 51, 100, 250]))
        jitter = draw(st.integers(0, SECOND // hz // 3))
        start = draw(st.integers(0, SECOND // 20))
        moves = random.Random(draw(st.integers(0, 10**6)))
        count = 3 * hz // 2
        found[name] = [start + n * SECOND // hz + moves.randint(0, jitter) for n in range(count)]
    return found


def arrivals(stamps, seed, late_ns):
    """(stamp, key) of all samples, none of which comes more than `late_ns` after a newer one of its stream."""
    moves = random.Random(seed)
    every = [(stamp + moves.randint(0, late_ns), stamp, key) for key, many in stamps.items() for stamp in many]
    return [(stamp, key) for _, stamp, key in sorted(every)]


def held(stamps, tick):
    """The stamp of the last sample at or before a tick."""
    return max(stamp for stamp in stamps if stamp <= tick)


def ticks_of(root, rows, fps):
    start = Dataset(root).provenance[0]["start_ns"]
    return [start + (2 * k * SECOND + fps) // (2 * fps) for k in range(rows)]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stamps=streams(), seed=st.integers(0, 10**6), late=st.sampled_from([0, SECOND // 10, LATE_NS]))
def test_rows_hold_the_last_sample_before_their_tick_whatever_the_order(stamps, seed, late):
    # The first three samples in order: what a unit is cannot be seen in stamps that go back and forth.
    first = sorted((stamp, key) for key, many in stamps.items() for stamp in many[:3])
    rest = arrivals({key: many[3:] for key, many in stamps.items()}, seed, late)
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "set", fps=30, min_rows=0) as recorder:
        recorder.start_episode("lift")
        for stamp, key in [*first, *rest]:
            recorder.add(stamp, {key: np.array([stamp], np.int64)})
        report = recorder.end_episode()
        rows = Dataset(recorder.root).rows(0)
        for key, many in stamps.items():
            expected = [held(many, tick) for tick in ticks_of(recorder.root, report.rows, 30)]
            assert rows.column(key).to_pylist() == expected
        expected = (max(many[-1] for many in stamps.values()) - min(many[0] for many in stamps.values())) * 30 / SECOND
        cut = sum(int(f.message.split()[0]) for f in report.findings if f.code == "align-trimmed")
        assert report.rows >= expected - cut - 2


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stamps=streams(), seed=st.integers(0, 10**6))
def test_the_episodes_file_converts_to_the_same_rows(stamps, seed):
    order = arrivals(stamps, seed, 0)
    options = RecorderOptions(30, min_rows=0)
    with tempfile.TemporaryDirectory() as name, Recorder(Path(name) / "live", fps=30, min_rows=0) as recorder:
        folder = Path(name) / "spool"
        folder.mkdir()
        alone = LiveEpisode("lift", folder, options)
        recorder.start_episode("lift")
        for stamp, key in order:
            for episode in (alone, recorder):
                episode.add(stamp, {key: np.array([stamp, -stamp], np.int64)})
        recorder.end_episode()
        alone.finish({"success": True, "interrupted": False})
        alone.close()
        report = convert([folder], Path(name) / "offline", options.plan(stamps), Options(workers=0))
        assert report.ok, report.findings
        live, offline = (Dataset(Path(name) / which).rows(0) for which in ("live", "offline"))
        for key in stamps:
            assert live.column(key).to_pylist() == offline.column(key).to_pylist()


@pytest.mark.parametrize("preset", ["train", "images"])
def test_the_episodes_file_converts_to_the_same_frames(tmp_path, preset):
    options = RecorderOptions(30, preset=preset)
    (tmp_path / "spool").mkdir()
    alone = LiveEpisode("lift", tmp_path / "spool", options)
    with Recorder(tmp_path / "live", fps=30, preset=preset) as recorder:
        recorder.start_episode("lift")
        for number in range(40):
            for episode in (alone, recorder):
                values = {"action": [float(number)], FRONT: draw_frame_id(number, 0, 0, 96, 64)}
                episode.add(number * SECOND // 30, values)
        recorder.end_episode()
    alone.finish({"outcome": "unknown", "interrupted": False})
    alone.close()
    plan = options.plan(["action", FRONT])
    assert convert([tmp_path / "spool"], tmp_path / "offline", plan, Options(workers=0)).ok
    for part in ("videos", "data"):
        live, offline = (sorted((tmp_path / which / part).rglob("file-*")) for which in ("live", "offline"))
        if part == "videos":
            assert [path.read_bytes() for path in live] == [path.read_bytes() for path in offline]
    live, offline = (Dataset(tmp_path / which).rows(0) for which in ("live", "offline"))
    assert live.drop_columns(["next.success"]).equals(offline)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(stamps=streams())
def test_threads_give_the_rows_of_one_thread(stamps):
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder) / "set", fps=30, min_rows=0) as recorder:
        errors = []

        def sensor(key):
            stream = recorder.stream(key)
            try:
                for stamp in stamps[key]:
                    stream.add(stamp, np.array([stamp], np.int64))
            except BaseException as error:
                errors.append(error)

        recorder.start_episode("lift")
        threads = [threading.Thread(target=sensor, args=(key,)) for key in stamps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report = recorder.end_episode()
        assert errors == []
        rows = Dataset(recorder.root).rows(0)
        ticks = ticks_of(recorder.root, report.rows, 30)
        for key, many in stamps.items():
            assert rows.column(key).to_pylist() == [held(many, tick) for tick in ticks]
