"""What the page of `telecine view` has to show of a recording, whatever its format."""

import json

import numpy as np

from telecine.core.align import MISSING
from telecine.sources import registry
from telecine.viewer.dataset_view import DatasetView
from telecine.viewer.entries import find_entries
from telecine.viewer.recording_view import RecordingView, plan_of

PX = 300
MOST_RECORDINGS = 2
"""Of one file."""


def shows_every_stream(place):
    """Try what the pages of everything at `place` ask: accounting, samples of each clock, rows and ages, frames."""
    for entry in find_entries(place):
        assert entry.facts()["kind"] == entry.kind
        if entry.problem:
            continue  # named in the list, and not to be opened
        if entry.kind == "dataset":
            view = DatasetView(entry.path, entry.path)
            assert view.info()["episodes"] == len(view.episodes()["lengths"])
            view.close()
            continue
        view = RecordingView(entry)
        try:
            for item, ref in list(enumerate(view.refs))[:MOST_RECORDINGS]:
                _shows(view, item, ref)
        finally:
            view.close()


def _shows(view, item, ref):
    facts = json.loads(json.dumps(view.facts(item), default=str))
    listed = {stream["name"] for stream in facts["streams"]} | {left["stream"] for left in facts["left_out"]}
    with registry.open(ref) as recording:
        timed = {
            name: {clock: stream.times(clock) for clock in stream.clocks}
            for name, stream in recording.streams.items()
            if not stream.static
        }
        assert set(recording.streams) <= listed
    for clock in {clock for times in timed.values() for clock in times}:
        on_clock = {name: times[clock].size for name, times in timed.items() if clock in times and times[clock].size}
        if on_clock:
            drawn = view.samples(item, clock, None, PX)["others"]
            assert {strip["stream"]: strip["samples"] for strip in drawn} == on_clock
    if facts["proposal"].get("features"):
        _shows_rows(view, item, facts, timed)


def _shows_rows(view, item, facts, timed):
    body = {**facts["proposal"], "task": "-"}
    kinds = {clock["name"]: clock["kind"] for stream in facts["streams"] for clock in stream["clocks"]}
    if kinds[facts["timeline"]] == "sequence":
        body["clock"] = {**body["clock"], "rate": "10"}
    made = json.loads(json.dumps(view.rows(item, plan_of({"plan": body}), 0, None, PX, others=True), default=str))
    drawn = [strip["stream"] for strip in (*made["sources"], *made["others"])]
    on_clock = {name for name, times in timed.items() if times.get(facts["timeline"], np.zeros(0)).size}
    assert on_clock <= set(drawn)
    for strip in made["sources"]:
        times, ticks = np.array(strip["times"]), np.array(made["ticks"]["at"])
        rows = np.array(strip["rows"])
        assert rows.size == made["rows"] == ticks.size
        assert times.size == timed[strip["stream"]][facts["timeline"]].size
        known = rows != MISSING
        assert np.array_equal(np.array(strip["ages"])[known], (ticks - times[rows])[known])
        assert np.array_equal(np.flatnonzero(strip["used"]), np.unique(rows[known]))
        if strip["kind"] in ("image", "video"):
            assert view.frame(item, strip["stream"], strip["clock"], int(rows[known][-1]))[:2] == b"\xff\xd8"
