"""Inspection: what it tells of streams, what it finds odd, and that one bad recording stops no other."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from support.memory import CLOCK, every, images, recording, seconds, static, text, vector
from support.robot import jittered
from support.video import STREAMS, encode, x264, x265
from telecine.core.errors import AlignError, SourceError
from telecine.core.findings import Finding, FindingSpan
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.proposal.propose import propose
from telecine.core.proposal.text import plan_yaml
from telecine.core.recording import Image, MemoryStream, Recording, Ref, Schema
from telecine.core.recording_summary import CameraFacts
from telecine.core.resample.resample import resample
from telecine.core.resample.split import split
from telecine.inspection import recordings
from telecine.inspection.recording_findings import PlanScope, compare, recording_findings
from telecine.sources import registry

CAMERA = "/camera:VideoStream:sample"


def video(name, packets, times=None, codec="h264"):
    times = every(30, len(packets) / 30) if times is None else times
    return MemoryStream(name, "video", Schema("uint8", (96, 128, 3), encoding=codec), {"real_time": times}, packets)


def facts_of(*streams, **others):
    return recordings.inspect_recording(recording(*streams, **others))


def camera_of(*streams):
    (stream,) = facts_of(*streams).streams
    return stream.camera


def found(*streams, timeline=CLOCK):
    return {(f.code, f.severity): f.message for f in recording_findings(facts_of(*streams), PlanScope(timeline))}


class Broken:
    """A stream of a file that is damaged where this stream lies."""

    name, kind, static = "/broken", "vector", False
    schema = Schema("float64", (2,))
    clocks = {"real_time": "timestamp"}  # noqa: RUF012

    def times(self, clock):
        raise SourceError("chunk 3 is damaged")


def test_a_vector_tells_its_type_names_and_every_clock():
    times = every(50, 2)
    both = {"real_time": times, "step": np.arange(100)}
    stream = replace(vector("/joints", times, np.zeros((100, 2)), names=("a", "b")), stamps=both)
    (seen,) = facts_of(stream).streams
    assert (seen.kind, seen.dtype, seen.shape, seen.names, seen.label) == (
        "vector", "float64", (2,), ("a", "b"), "vector float64 (2)",
    )  # fmt: skip
    assert [c.name for c in seen.clocks] == ["real_time", "step"]
    clock = seen.on("real_time")
    assert (clock.samples, clock.first, clock.last, clock.seconds) == (100, 0, 1_980_000_000, 1.98)
    assert (clock.hz, clock.nominal_hz, clock.jitter_ms) == (pytest.approx(50), pytest.approx(50), 0)


@pytest.mark.parametrize("seed", range(8))
def test_jitter_does_not_change_the_rate_of_a_short_recording(seed):
    times = jittered(40, seed=seed)
    (seen,) = facts_of(vector("/joints", times, np.zeros((40, 2)), clock="real_time")).streams
    assert seen.on("real_time").nominal_hz == pytest.approx(30, rel=0.01)


def test_lost_samples_do_not_lower_the_rate():
    times = np.delete(every(50, 2), [10, 20, 30, 40, 50])
    (seen,) = facts_of(vector("/joints", times, np.zeros((95, 2)), clock="real_time")).streams
    clock = seen.on("real_time")
    assert clock.hz < 48
    assert clock.nominal_hz == pytest.approx(50)


def test_a_counting_clock_has_no_rate_in_hertz():
    (seen,) = facts_of(vector("/joints", [1, 2, 3], [1.0, 2.0, 3.0], clock="step", kind="sequence")).streams
    (clock,) = seen.clocks
    assert (clock.samples, clock.hz, clock.nominal_hz, clock.seconds) == (3, None, None, None)


def test_a_static_stream_tells_its_value():
    (numbers, words) = facts_of(static("/base", [1.0, 2.5]), static("/note", "hello\nworld", kind="text")).streams
    assert (numbers.static, numbers.value, numbers.clocks) == (True, "[1. 2.5]", ())
    assert (words.value, words.texts) == ("hello world", ("hello world",))


def test_a_text_stream_tells_its_first_different_texts_shortened():
    said = ["pick", "pick", "x" * 200, "a", "b", "c", "d"]
    (seen,) = facts_of(text("/task", every(1, 7), said)).streams
    assert seen.texts == ("pick", "x" * 77 + "...", "a", "b", "c")


def test_a_stream_without_samples_is_told_as_empty():
    (seen,) = facts_of(vector("/joints", [], np.zeros((0, 2)))).streams
    assert (seen.clocks[0].samples, seen.clocks[0].hz) == (0, None)


def test_a_video_tells_codec_size_and_groups():
    assert camera_of(video(CAMERA, x264(20, gop=8))) == CameraFacts(
        "h264", 128, 96, "yuv420p", gop=8, size_bytes=sum(map(len, x264(20, gop=8)))
    )


def test_b_frames_and_open_groups_are_told():
    seen = camera_of(video(CAMERA, x265(30, bframes=2, gop=8), codec="hevc"))
    assert (seen.encoding, seen.reorder_delay > 0, seen.open_gop) == ("hevc", True, True)


@pytest.mark.parametrize("name", STREAMS)
def test_every_codec_is_read(name):
    codec = name.split()[0]
    stream = video(CAMERA, STREAMS[name](6), codec=codec)
    (seen,) = facts_of(stream).streams
    assert (seen.label, seen.problems) == (f"{codec} 128x96", ())


def test_single_pictures_tell_encoding_and_decoded_size():
    jpeg = encode("mjpeg", 1, pix_fmt="yuvj420p")[0]
    coded = MemoryStream("/cam", "image", Schema("uint8", (0, 0, 3), encoding="jpeg"), {"real_time": seconds(0)}, [
        Image(jpeg, "jpeg")
    ])  # fmt: skip
    assert camera_of(coded) == CameraFacts("jpeg", 128, 96, "yuvj420p")
    assert camera_of(images("/cam", seconds(0), [np.zeros((4, 6, 3), np.uint8)])) == (
        CameraFacts("rgb24", 6, 4, "rgb24")
    )


def test_a_picture_that_cannot_be_decoded_is_a_finding():
    bad = MemoryStream("/cam", "image", Schema("uint8", (0, 0, 3), encoding="jpeg"), {"real_time": seconds(0)}, [
        Image(b"no picture", "jpeg")
    ])  # fmt: skip
    assert "/cam" in found(bad)["video-damaged", "warning"]


def test_an_unknown_codec_and_unreadable_packets_are_findings():
    assert "'vp9' is not supported" in found(video(CAMERA, [b"abc"], codec="vp9"))["video-damaged", "warning"]
    assert "none of 2 packets" in found(video(CAMERA, [b"abc", b"d"]))["video-damaged", "warning"]


def test_damaged_packets_are_counted_after_the_first_few():
    packets = x264(20, gop=5)
    packets[6:14] = [b"\0\0\0\1\xff"] * 8
    (seen,) = facts_of(video(CAMERA, packets)).streams
    assert [p.split(":")[0] for p in seen.problems] == [
        "packet 6",
        "packet 7",
        "packet 8",
        "6 more packets are damaged",
    ]


def test_a_video_that_begins_between_keyframes_is_a_finding():
    packets = x264(20, gop=8, params="repeat-headers=1")
    headed = [packets[0][: packets[0].index(b"\0\0\1\x65")] + packets[1], *packets[2:]]
    messages = found(video(CAMERA, headed))
    assert "its first 7 packets come before a keyframe" in messages["video-damaged", "warning"]
    assert ("video-damaged", "error") not in messages
    (seen,) = facts_of(video(CAMERA, headed)).streams
    assert (seen.problems, seen.camera.skipped, seen.camera.starts_with_keyframe) == ((), 7, False)


def test_what_comes_before_the_first_keyframe_is_no_damage():
    """A viewer that joins a live stream gets neither headers nor a keyframe at first."""
    packets = x264(20, gop=8)
    packets[12] = b"\0\0\0\1\xff"
    (seen,) = facts_of(video(CAMERA, packets[3:])).streams
    assert seen.camera.skipped == 5
    assert [p.split(":")[0] for p in seen.problems] == ["packet 9", "packet 10"]


def test_a_video_without_a_keyframe_is_a_finding():
    packets = x264(8, gop=100, params="repeat-headers=1")
    headed = [packets[0][: packets[0].index(b"\0\0\1\x65")] + packets[1], *packets[2:]]
    assert "no keyframe" in found(video(CAMERA, headed))["video-damaged", "warning"]


def test_a_change_of_format_within_a_video_is_a_finding():
    packets = x264(5) + x264(5, size=(64, 48))
    assert "128x96 yuv420p, 64x48 yuv420p" in found(video(CAMERA, packets))["video-damaged", "warning"]


def test_long_and_open_groups_are_findings():
    assert "a keyframe every 20 frames" in found(video(CAMERA, x264(20, gop=30)))["video-long-gop", "info"]
    open_groups = video(CAMERA, x265(30, bframes=2, gop=8), codec="hevc")
    assert "open groups" in found(open_groups)["video-long-gop", "info"]


def test_gaps_duplicates_and_backward_stamps_are_findings():
    times = seconds(0, 0.1, 0.1, 0.2, 0.3, 1.3, 1.2, 1.4)
    seen = found(vector("/joints", times, np.zeros(8)))
    assert seen == {
        ("align-backwards", "warning"): "1 of 8 timestamps goes back in time; samples are sorted by timestamp",
        ("align-duplicates", "info"): "1 of 8 samples has the timestamp of the one before; the last counts",
        ("align-gap", "warning"): "1 gap longer than three periods, the longest 0.900 s",
    }


def test_the_longest_gap_says_from_when_to_when():
    times = seconds(0, 0.1, 0.2, 1.0, 1.1, 3.1, 3.2)
    facts = facts_of(vector("/joints", times, np.zeros(7)))
    (gap,) = [f for f in recording_findings(facts, PlanScope(CLOCK)) if f.code == "align-gap"]
    assert (gap.stream, gap.span) == ("/joints", FindingSpan(1_100_000_000, 3_100_000_000, "real_time"))


def stopped(first, last):
    """A recording whose state loses its samples [first, last) of 30 Hz, and its gap as `inspect` reports it."""
    times, kept = every(30, 6), np.delete(every(30, 6), range(first, last))
    rec = recording(vector("/action", times, np.zeros((180, 2))), vector("/state", kept, np.zeros((kept.size, 2))))
    facts = recordings.inspect_recording(rec)
    (gap,) = [f for f in recording_findings(facts, PlanScope(CLOCK)) if f.code == "align-gap"]
    return rec, propose([facts], task_text="x"), gap


@pytest.mark.parametrize("first", [1, 10])
def test_a_stall_of_one_stream_at_the_start_costs_the_start(first):
    rec, made, gap = stopped(first, 30)
    assert made.body["features"]["observation.state"] == "/state"
    assert gap.fix == "nothing to do: rows begin behind it"
    rows = resample(rec, made.plan)
    assert rows.grid.start_ns >= rec.streams["/state"].times(CLOCK)[first] > 0
    assert [f.code for f in rows.findings if "/state" in f.message] == ["align-trimmed"]


def test_a_long_stop_in_the_middle_names_the_split_that_convert_asks_for():
    rec, made, gap = stopped(90, 125)
    assert gap.fix == "`split: {gaps: 250ms, stream: '/state'}` makes episodes of what lies between"
    (guess,) = [g for g in made.guesses if gap.fix in g]
    assert guess.startswith("/state stops for up to 1.20 s in 1 of 1 recording, which will be rejected for it: ")
    with pytest.raises(AlignError, match=re.escape(gap.fix)):
        resample(rec, made.plan)
    rule = yaml.safe_load(gap.fix.split("`")[1])
    assert len(split(rec, make_plan({**made.body, **rule})).parts) == 2


def test_a_short_stop_points_at_the_limit():
    _, made, gap = stopped(90, 105)
    assert "`limit`" in gap.fix
    assert "split" not in " ".join(made.guesses)


def test_backward_stamps_of_reordered_video_are_in_order():
    packets = STREAMS["h264 b-frames"](12)
    times = every(30, 12 / 30)
    swapped = times.copy()
    swapped[[1, 2]] = times[[2, 1]]
    assert ("align-backwards", "warning") not in found(video(CAMERA, packets, swapped))
    assert ("align-backwards", "warning") in found(video(CAMERA, x264(12), swapped))


def test_stamps_are_judged_on_the_clock_of_the_plan():
    odd = seconds(0, 0.1, 0.1)
    both = replace(vector("/joints", odd, np.zeros(3)), stamps={"real_time": seconds(0, 1, 2), "log_time": odd})
    assert found(both) == {}
    assert ("align-duplicates", "info") in found(both, timeline="log_time")


def test_a_recording_without_stamps_is_a_finding():
    assert ("source-empty", "warning") in found(static("/base", [1.0]))


def test_notes_of_the_source_become_findings():
    made = recording(vector("/joints", every(10, 1), np.zeros(10)))
    noted = Recording(made.ref, made.streams, {"task": "pick"}, (("source-recovered", "cut after 3 messages"),))
    facts = recordings.inspect_recording(noted)
    assert [f.code for f in recording_findings(facts, PlanScope(CLOCK))] == ["source-recovered"]
    assert facts.to_dict()["attrs"] == {"task": "pick"}


@pytest.mark.parametrize("code", ["source-messages", "clock-offset"])
def test_what_is_odd_in_a_stream_that_no_plan_uses_is_no_warning(code):
    (seen,) = facts_of(vector("/diagnostics", every(10, 1), np.zeros(10))).streams
    facts = replace(facts_of(), streams=(replace(seen, remarks=((code, "2 of 10 messages cannot be read"),)),))
    loud = {
        used: [f.severity for f in recording_findings(facts, PlanScope(CLOCK, used)) if f.code == code]
        for used in (("/joints",), ("/diagnostics",))
    }
    assert loud == {("/joints",): ["info"], ("/diagnostics",): ["warning"]}


def test_a_stream_that_cannot_be_read_spares_the_others():
    facts = facts_of(Broken(), vector("/joints", every(10, 1), np.zeros(10)))
    assert [s.problems for s in facts.streams] == [("chunk 3 is damaged",), ()]
    assert [(f.code, f.severity, f.where) for f in recording_findings(facts, PlanScope(CLOCK))] == [
        ("stream-unreadable", "warning", "mem.rrd#rec /broken")
    ]


class Shapeless(Broken):
    """A stream whose very type cannot be read."""

    name = "/shapeless"

    @property
    def schema(self):
        raise SourceError("its header is damaged")


def test_a_stream_whose_type_cannot_be_read_spares_the_others():
    facts = facts_of(Shapeless(), vector("/joints", every(10, 1), np.zeros(10)))
    assert [s.problems for s in facts.streams] == [(), ("its header is damaged",)]


def test_facts_are_plain_values_for_json():
    facts = facts_of(vector("/joints", every(10, 1), np.zeros(10)), video(CAMERA, x264(3)), static("/b", [1.0]))
    seen = recordings.Inspection((facts,), (Finding("align-gap", "warning", "x", "y"),), propose([facts]), ())
    body = json.loads(json.dumps(seen.to_dict()))
    joints = body["recordings"][0]["streams"][2]
    assert (joints["label"], joints["clocks"][0]["samples"]) == ("vector float64 (1)", 10)
    assert joints["clocks"][0]["hz"] == pytest.approx(10)
    assert (body["recordings"][0]["seconds"], body["findings"][0]["code"]) == (pytest.approx(0.9), "align-gap")


def test_clock_names_are_listed_with_reruns_own_last():
    both = {n: seconds(0, 1, 2) for n in ("log_time", "real_time")}
    facts = facts_of(replace(vector("/joints", seconds(0, 1, 2), np.zeros(3)), stamps=both))
    assert facts.clock_names() == ("real_time", "log_time")


def differences(*recordings_):
    made = [recordings.inspect_recording(r) for r in recordings_]
    return {(f.code, f.where): f.message for f in compare(made)}


def joints(width=2, name="/joints"):
    return vector(name, every(10, 1), np.zeros((10, width)))


def test_streams_that_some_recordings_lack_are_findings():
    made = [recording(joints(), ident=str(i), path=f"{i}.rrd") for i in range(5)]
    seen = differences(recording(joints(), joints(name="/gripper"), ident="full"), *made)
    assert seen == {
        ("dataset-mismatch", "/gripper"): "in 1 of 6 recordings; missing in 0.rrd#0, 1.rrd#1, 2.rrd#2 and 2 more"
    }


def test_widths_sizes_and_codecs_that_differ_are_findings():
    one = recording(joints(2), video(CAMERA, x264(3)), ident="a", path="a")
    two = recording(joints(3), video(CAMERA, x265(3, size=(64, 48)), codec="hevc"), ident="b", path="b")
    assert differences(one, two) == {
        ("dataset-mismatch", "/joints"): "differs between recordings: float64 (2) in a#a; float64 (3) in b#b",
        ("dataset-mismatch", CAMERA): "the frame size differs between recordings: 128x96 in a#a; 64x48 in b#b",
        ("video-encoded", CAMERA): (
            "the codec differs between recordings: h264 in a#a; hevc in b#b; those that differ are encoded"
        ),
    }


def test_a_camera_that_cannot_be_read_has_no_codec_of_its_own():
    whole = recording(video(CAMERA, x264(3)), ident="a", path="a")
    broken = recording(video(CAMERA, [b"no packet"] * 3, codec=""), ident="b", path="b")
    assert not any(code == "video-encoded" for code, _ in differences(whole, broken))


def test_two_recordings_of_one_id_are_a_finding():
    one, two = recording(joints(), path="a.rrd"), recording(joints(), path="b.rrd")
    assert differences(one, two) == {("source-duplicate-id", "a.rrd#rec, b.rrd#rec"): "2 recordings carry the id 'rec'"}


def test_recordings_that_agree_give_no_findings():
    assert differences(recording(joints(), ident="a"), recording(joints(), ident="b")) == {}


@pytest.fixture
def shelf(monkeypatch):
    """Recordings of memory behind the functions of `sources`."""
    held = {}

    def find(paths, *, recover, token, follow_links, executor):
        refs = tuple(Ref("memory", p, "same") for p in paths)
        return SimpleNamespace(refs=refs, findings=(Finding("source-duplicate-id", "warning", "a, c", "two"),))

    def open_(ref):
        if ref.path not in held:
            raise SourceError(f"{ref.path}: not a recording")
        return Recording(ref, held[ref.path].streams)

    monkeypatch.setattr(recordings, "find_all", find)
    monkeypatch.setattr(registry, "open", open_, raising=False)
    return held


def test_one_unreadable_recording_stops_no_other(shelf):
    shelf |= {"a": recording(joints()), "c": recording(joints())}
    seen = recordings.inspect_many(["a", "b", "c"])
    assert [r.path for r in seen.recordings] == ["a", "c"]
    assert [(f.code, f.severity) for f in seen.findings] == [
        ("source-duplicate-id", "warning"),  # said once, by the source
        ("source-unreadable", "error"),
    ]


def test_what_is_inspected_leads_to_a_plan():
    facts = facts_of(
        vector("/action:Scalars:scalars", every(50, 2), np.zeros((100, 3))),
        video(CAMERA, x264(60)),
        text("/task", [0], ["pick the cube"]),
    )
    proposal = propose([facts])
    assert proposal.plan is not None
    assert parse_plan(plan_yaml(proposal)) == proposal.plan
