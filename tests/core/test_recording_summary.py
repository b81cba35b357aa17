"""What is known of a recording, as plain values."""

import json

import numpy as np

from support.memory import every
from telecine.core.align import measure
from telecine.core.recording_summary import ClockFacts, RecordingFacts, StreamSummary


def clock(name, times, kind="timestamp"):
    times = np.asarray(times, np.int64)
    return ClockFacts(name, kind, int(times[0]), int(times[-1]), measure(times), 0)


def facts():
    log, steps, sim = (
        clock("log_time", every(50, 2)),
        clock("step", np.arange(100), "sequence"),
        clock("sim", [0, 10**9]),
    )
    streams = [StreamSummary(name, "vector", "float64", (2,), clocks=clocks) for name, clocks in (
        ("/a", (log, steps)), ("/b", (sim,)),
    )]  # fmt: skip
    return RecordingFacts("a", "memory", "a", "", 0, tuple(streams), (("fps", "50"),), features=(("action", ("/a",)),))


def test_clocks_that_nobody_chose_come_last():
    assert facts().clock_names() == ("step", "sim", "log_time")


def test_a_recording_is_as_long_as_its_longest_stream_and_counts_are_no_time():
    assert facts().seconds == 1.98
    assert clock("step", np.arange(100), "sequence").seconds is None
    assert RecordingFacts("a", "memory", "a", "", 0, ()).seconds == 0.0


def test_the_facts_are_plain_values_with_what_follows_from_them():
    body = json.loads(json.dumps(facts().to_dict()))
    log, steps = body["streams"][0]["clocks"]
    assert body["streams"][0]["label"] == "vector float64 (2)"
    assert (log["samples"], log["seconds"], round(log["hz"])) == (100, 1.98, 50)
    assert (steps["samples"], steps["seconds"], steps["hz"]) == (100, None, None)
    assert (body["attrs"], body["features"], body["seconds"]) == ({"fps": "50"}, {"action": ["/a"]}, 1.98)
