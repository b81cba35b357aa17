"""Choices of a proposal: its clock, what makes it convert; one odd recording decides nothing for the others."""

from dataclasses import replace

import numpy as np
import pytest

from support.memory import every
from telecine.core.align import measure
from telecine.core.plan.model import parse_plan
from telecine.core.proposal.check import remedies
from telecine.core.proposal.notes import Notes
from telecine.core.proposal.propose import propose
from telecine.core.proposal.text import command_line, plan_yaml
from telecine.core.recording import LeftOut
from telecine.core.recording_summary import CameraFacts, ClockFacts, RecordingFacts, StreamSummary, pauses_of

S = 10**9


def clock(name, times, kind="timestamp"):
    times = np.asarray(times, np.int64)
    rate = measure(times)
    return ClockFacts(name, kind, int(times[0]), int(times[-1]), rate, 0, pauses_of(times, rate))


def steps(count=120):
    return clock("step", np.arange(count), "sequence")


def written_offline(count=120, hz=4700.0, seed=0):
    """The recorder's time in a file that a script wrote as fast as it could."""
    jitter = np.random.default_rng(seed).exponential(S / hz, count)
    return clock("log_time", np.cumsum(jitter))


def vector(name, *clocks, width=2):
    return StreamSummary(name, "vector", "float64", (width,), clocks=clocks)


def camera(name, *clocks, size=(64, 48), **others):
    facts = CameraFacts("h264", *size, "yuv420p", gop=10)
    return StreamSummary(name, "video", "uint8", (size[1], size[0], 3), clocks=clocks, camera=facts, **others)


def recording(*streams, name="a", left_out=(), **attrs):
    path = f"/data/{name}.rrd"
    return RecordingFacts(path, "memory", path, name, 0, streams, tuple(attrs.items()), left_out=left_out)


def robot(*clocks, **others):
    return recording(vector("/action", *clocks), vector("/state", *clocks), camera("/cam", *clocks), **others)


def said(proposal):
    return "\n".join((*proposal.guesses, *proposal.missing))


GOOD = clock("elapsed", every(30, 4), "duration")
STALE = clock("elapsed", np.zeros(120), "duration")
LIVE = clock("log_time", every(30, 1e6 + 4, 1e6))


@pytest.mark.parametrize(
    ("clocks", "chosen"),
    [
        ([GOOD, written_offline()], "elapsed"),
        ([GOOD, LIVE, steps()], "elapsed"),
        ([STALE, LIVE, steps()], "log_time"),
        ([STALE, written_offline(), steps()], "step"),
        ([written_offline(), steps()], "step"),
        ([written_offline(hz=60), steps()], "step"),  # slow enough for a camera, but not steady
        ([steps(), clock("log_tick", np.arange(0, 360, 3), "sequence")], "step"),
        ([STALE, LIVE], "log_time"),
    ],
)
def test_a_clock_that_advances_is_chosen(clocks, chosen):
    assert propose([robot(*clocks)], task_text="x").timeline == chosen


def test_a_clock_that_does_not_advance_is_named():
    assert "timeline elapsed does not advance and is not taken" in said(propose([robot(STALE, LIVE)]))


@pytest.mark.parametrize("clocks", [[written_offline()], [STALE], [STALE, written_offline()]])
def test_where_no_clock_is_time_nothing_is_proposed(clocks):
    proposal = propose([robot(*clocks)], task_text="x")
    assert proposal.plan is None
    assert "name one with --index if it is right all the same" in said(proposal)


def test_a_clock_of_few_samples_is_no_clock_for_all():
    few, most = clock("event_time", [0, S]), clock("log_time", every(30, 4))
    streams = [vector("/action", few, most), vector("/state", most), camera("/cam", most)]
    assert propose([recording(*streams)], task_text="x").timeline == "log_time"


def test_recordings_of_equal_length_that_differ_on_a_clock_show_that_it_is_none():
    made = [robot(clock("log_time", every(hz, 120 / hz)), steps(), name=str(hz)) for hz in (30, 41, 55)]
    proposal = propose(made, task_text="x")
    assert proposal.timeline == "step"
    assert "looks like the time of writing the file" in said(proposal)


def test_of_two_clocks_the_one_on_which_equal_recordings_are_equal_is_chosen():
    made = [robot(clock("a", every(hz, 120 / hz)), clock("b", every(30, 4)), name=str(hz)) for hz in (30, 41)]
    assert propose(made, task_text="x").timeline == "b"
    alone = [robot(clock("a", every(hz, 120 / hz)), name=str(hz)) for hz in (30, 41)]
    assert "differ in length by more than a tenth" in said(propose(alone, task_text="x"))


def test_steps_with_a_rate_go_before_the_recorders_time():
    proposal = propose([robot(LIVE, steps())], task_text="x", rate="20")
    assert proposal.plan is not None
    assert (proposal.timeline, proposal.plan.clock.rate, proposal.plan.fps) == ("step", "20", 20)
    assert "--index step --rate 20" in command_line(proposal, ["in"], "out")


def test_a_rate_is_fps_where_no_camera_gives_it():
    arm = recording(vector("/action", clock("t", every(50, 4))))
    proposal = propose([arm], task_text="x", rate="29.97")
    assert (proposal.body["fps"], proposal.fps_guessed, "rate" in proposal.body["clock"]) == (30, False, False)
    guessed = propose([arm], task_text="x")
    assert guessed.fps_guessed
    assert "# fps: 30   (a guess)" in plan_yaml(guessed)


def test_streams_that_stand_still_on_the_clock_are_left_out_with_the_reason():
    still = vector("/gripper", clock("elapsed", np.zeros(120), "duration"), steps())
    proposal = propose([recording(vector("/action", GOOD), vector("/state", GOOD), still)], task_text="x")
    assert proposal.timeline == "elapsed"
    assert proposal.reasons["/gripper"] == "timeline elapsed: the samples stand still on it"


def sessions(hz, *, pause=30.0, count=3, length=10.0):
    return np.concatenate([every(hz, start + length, start) for start in np.arange(count) * (length + pause)])


def test_pauses_of_all_streams_become_a_split_and_rates_are_those_within():
    arm, cam = clock("t", sessions(50)), clock("t", sessions(15))
    proposal = propose([recording(vector("/action", arm), vector("/state", arm), camera("/cam", cam))], task_text="x")
    assert proposal.body["split"] == {"gaps": "2s"}
    assert proposal.body["fps"] == 15
    assert proposal.body["features"]["action"] == "/action"  # steady, so never limit: none
    assert "split at pauses of more than 2s" in said(proposal)
    assert parse_plan(plan_yaml(proposal)) == proposal.plan
    assert "--plan plan.yaml" in command_line(proposal, ["in"], "out")


def test_a_short_common_pause_is_split_below_its_length():
    arm = clock("t", sessions(50, pause=1.0))
    made = propose([recording(vector("/action", arm))], task_text="x")
    assert (made.body["split"], made.split_ns) == ({"gaps": "816ms"}, 816_000_000)
    assert propose([recording(vector("/action", GOOD))], task_text="x").split_ns is None


def test_what_a_stall_at_the_start_cuts_off_is_no_episode():
    stalled = clock("elapsed", np.append(every(30, 0.1), every(30, 4) + S), "duration")
    whole = propose([robot(stalled), robot(GOOD, name="b")], task_text="x")
    assert whole.body["split"]["shortest"] == "1s"
    assert "1 of 2 parts is shorter than 1s: left out" in said(whole)


def test_a_pause_of_one_stream_is_no_split():
    arm, cam = clock("t", sessions(50)), clock("t", every(15, 90))
    body = propose([recording(vector("/action", arm), camera("/cam", cam))], task_text="x").body
    assert "split" not in body


def test_slow_topics_beside_fast_ones_do_not_count_as_pauses():
    proposal = propose(
        [recording(vector("/action", clock("t", every(500, 20))), vector("/state", clock("t", every(1, 20))))]
    )
    assert "split" not in proposal.body
    assert proposal.body["features"]["observation.state"] == "/state"


def test_a_stall_of_a_moment_gets_a_limit_that_accepts_it():
    stalling = clock("t", np.delete(every(30, 6), range(60, 75)))
    proposal = propose(
        [recording(vector("/action", clock("t", every(50, 6))), camera("/cam", stalling))], task_text="x"
    )
    assert proposal.body["features"]["observation.images.cam"] == {"from": "/cam", "limit": "550ms"}
    assert "/cam stalls for up to 0.53 s" in said(proposal)


def test_odd_sizes_and_different_sizes_are_scaled():
    odd = propose([recording(camera("/cam", GOOD, size=(65, 49)))], task_text="x")
    assert odd.body["features"]["observation.images.cam"] == {"from": "/cam", "video": {"size": [64, 48]}}
    sizes = [(64, 48), (128, 96), (128, 96)]
    mixed = propose([recording(camera("/cam", GOOD, size=s), name=str(i)) for i, s in enumerate(sizes)], task_text="x")
    assert mixed.body["features"]["observation.images.cam"] == {"from": "/cam", "video": {"size": [128, 96]}}
    assert "its size differs between recordings (2 sizes)" in said(mixed)


def test_one_odd_recording_changes_nothing_for_the_others_and_is_named():
    usual = [robot(GOOD, name=f"r{i}") for i in range(4)]
    short = clock("elapsed", [0, 7], "duration")
    odd = recording(vector("/action", short, width=7), camera("/cam", short, size=(32, 32)), name="odd")
    proposal = propose([odd, *usual], task_text="x")
    assert proposal.plan == propose([*usual], task_text="x").plan.model_copy(
        update={"features": proposal.plan.features}
    )
    assert proposal.body["features"]["action"] == {"from": "/action", "width": 2}
    assert proposal.body["features"]["observation.state"] == "/state"
    assert proposal.body["fps"] == 30
    assert "1 of 5 recordings does not fit and will be rejected: /data/odd.rrd" in said(proposal)
    assert "/action is vector float64 (7), in the others vector float64 (2); /state is missing" in said(proposal)
    assert "telecine convert /data/odd.rrd OUT" in said(proposal)


def test_a_stream_damaged_in_one_recording_is_planned_for_the_others():
    whole = [robot(GOOD, name=f"r{i}") for i in range(2)]
    hurt = recording(
        *(vector("/action", GOOD), vector("/state", GOOD), camera("/cam", GOOD, problems=("packet 3: lost",))),
        name="hurt",
    )
    proposal = propose([hurt, *whole], task_text="x")
    assert "observation.images.cam" in proposal.body["features"]
    assert "/data/hurt.rrd (/cam cannot be read: packet 3: lost)" in said(proposal)
    assert "by themselves" not in said(proposal), "it cannot be read alone, either"


def test_a_camera_in_few_recordings_is_a_choice_with_the_command_for_the_other():
    without = [recording(vector("/action", GOOD), vector("/state", GOOD), name=f"r{i}") for i in range(2)]
    proposal = propose([robot(GOOD, name="full"), *without], task_text="x")
    assert "observation.images.cam" not in proposal.body["features"]
    assert "/cam is in 1 of 3 recordings and left out" in said(proposal)
    assert "by: telecine convert /data/full.rrd OUT\n" in said(proposal) + "\n"


@pytest.mark.parametrize(("odd", "before"), [(5, ": telecine"), (7, " (2 more go before OUT): telecine")])
def test_a_command_names_five_recordings_and_says_how_many_it_does_not(odd, before):
    usual = [robot(GOOD, name=f"r{i}") for i in range(8)]
    without = [recording(vector("/state", GOOD), name=f"odd{i}") for i in range(odd)]
    named = " ".join(f"/data/odd{i}.rrd" for i in range(5))
    assert f"convert them by themselves{before} convert {named} OUT\n" in said(propose([*usual, *without])) + "\n"


def test_where_recordings_have_nothing_in_common_the_largest_group_is_planned():
    arms = [robot(GOOD, name=f"arm{i}") for i in range(2)]
    others = [recording(vector(f"/other{i}", GOOD), name=f"other{i}") for i in range(3)]
    proposal = propose([*others, *arms], task_text="x")
    assert set(proposal.body["features"]) == {"action", "observation.state", "observation.images.cam"}
    assert "3 of 5 recordings do not fit" in said(proposal)
    assert proposal.reasons["/other0"] == "only 1 of 5 recordings has it"


def test_what_a_source_never_proposes_stays_out_with_its_reason():
    drawn = LeftOut("/state", "offered", "drawn geometry")
    proposal = propose([robot(GOOD, left_out=(drawn,))], task_text="x")
    assert "observation.state" not in proposal.body["features"]
    assert proposal.reasons["/state"] == "drawn geometry"
    once = [robot(GOOD, name="a", left_out=(drawn,)), robot(GOOD, name="b"), robot(GOOD, name="c")]
    assert "observation.state" in propose(once, task_text="x").body["features"]


@pytest.mark.parametrize(
    ("recordings", "name"),
    [
        ([robot(GOOD, env="kitchen")], "kitchen"),
        ([robot(GOOD, name="pick_cup")], "pick_cup"),
        ([robot(GOOD, name="a"), robot(GOOD, name="b")], "data"),
    ],
)
def test_a_name_that_is_there_is_offered_as_a_comment(recordings, name):
    assert f"the recordings are named {name!r}" in plan_yaml(propose(recordings))


def test_a_clock_that_half_of_the_streams_lack_is_refused_with_its_share():
    alone = [vector(f"/state/{name}", clock(name, every(30, 4))) for name in "abc"]
    made = propose([recording(*alone)], task_text="x")
    assert made.plan is None
    assert "has a timestamp for 33 % of the samples only: name one with --index" in said(made)


def test_a_clock_without_a_single_stamp_is_no_choice():
    empty = ClockFacts("capture", "timestamp", 0, 0, measure(np.array([], np.int64)), 0)
    made = propose([robot(GOOD, empty)], task_text="x")
    assert made.timeline == "elapsed"
    assert not any("capture" in line for line in made.comments["clock"])


def test_frames_that_the_videos_count_get_the_rate_that_their_headers_state():
    frames = clock("frame_index", np.arange(120), "sequence")

    def videos(*rates):
        cameras = [camera(f"/cam{i}", frames) for i in range(len(rates))]
        stated = [replace(c, camera=replace(c.camera, stated_hz=hz)) for c, hz in zip(cameras, rates, strict=True)]
        return recording(vector("/action", frames), *stated)

    made = propose([videos(30.0, 30.0)], task_text="x")
    assert made.body["clock"] == {"timeline": "frame_index", "rate": "30"}
    assert "frame_index counts frames, and the videos state in their headers 30 a second" in said(made)
    assert propose([videos(30000 / 1001)], task_text="x").body["clock"]["rate"] == "30000/1001"
    assert propose([videos(30.0, 25.0)], task_text="x").plan is None
    declared = propose([recording(vector("/action", frames), fps="25")], task_text="x")
    assert declared.body["clock"]["rate"] == "25"
    assert "the recordings state 25 a second" in said(declared)
    asked = "the recorder was asked for 25 frames a second"
    assert asked in declared.comments["fps"]
    given = propose([recording(vector("/action", frames), fps="25")], task_text="x", fps=10)
    assert (given.body["fps"], given.comments.get("fps")) == (10, None)


def test_a_camera_that_states_its_unit_is_depth():
    made = propose(
        [recording(vector("/action", GOOD), camera("/depth", GOOD, size=(161, 121), unit="mm"))], task_text="x"
    )
    assert made.body["features"]["observation.images.depth"] == {"from": "/depth", "video": {}}
    assert "telecine edit OUT --in-place --drop observation.images.depth" in said(made)
    assert "--video depth:/depth" in command_line(made, ["in"], "out")


def test_depth_beside_colour_has_the_name_that_lerobot_gives_it():
    both = [camera("/cam/front:Image:buffer", GOOD), camera("/cam/front:DepthImage:buffer", GOOD, unit="mm")]
    made = propose([recording(vector("/action", GOOD), *both)], task_text="x")
    assert [key.removeprefix("observation.images.") for key in made.body["features"]] == [
        "action",
        "front",
        "front_depth",
    ]


def test_depth_of_other_sizes_is_not_scaled_but_named():
    sizes = [(80, 60), (160, 120), (160, 120)]
    made = propose([recording(vector("/action", GOOD), camera("/depth", GOOD, size=s, unit="m")) for s in sizes])
    depth = {"from": "/depth", "video": {"size": [160, 120]}}
    assert made.body["features"]["observation.images.depth"] == depth
    assert "/depth is h264 80x60, in the others h264 160x120" in said(made)


@pytest.mark.parametrize(
    ("name", "remark", "why"),
    [
        ("/infrared", {}, "no word in its name says so"),
        ("/depth", {"depth-unit": "no meter was logged"}, "no meter was"),
    ],
)
def test_doubtful_depth_is_left_out(name, remark, why):
    deep = replace(camera(name, GOOD, unit="mm"), remarks=tuple(remark.items()))
    made = propose([recording(vector("/action", GOOD), deep)], task_text="x")
    assert list(made.body["features"]) == ["action"]
    assert f"it may be depth in mm, but {why}" in made.choices.reasons[name]


def test_a_static_frame_is_offered():
    made = propose([recording(vector("/action", GOOD), replace(camera("/logo", GOOD), kind="image", static=True))])
    assert list(made.body["features"]) == ["action"]
    assert made.choices.reasons["/logo"].startswith("one static frame")


def test_a_camera_of_unknown_size_is_planned_as_it_is():
    made = propose([recording(vector("/action", GOOD), camera("/cam", GOOD, size=(0, 0)))], task_text="x")
    assert made.body["features"]["observation.images.cam"] == "/cam"


def test_a_recording_without_some_of_the_joints_does_not_change_their_order():
    def joints(*names):
        streams = [vector(f"/state/{name}", GOOD, width=1) for name in names]
        return recording(*(replace(s, first_logged=at) for at, s in enumerate(streams)))

    made = propose([joints("b", "a"), joints("b", "a"), joints("a")], task_text="x")
    assert made.body["features"]["observation.state"] == ["/state/b", "/state/a"]


def test_matrices_whose_shapes_differ_get_no_width():
    streams = [StreamSummary("/a", "vector", "float64", shape) for shape in ((2, 2), (2, 2), (3, 3))]
    recordings = [RecordingFacts(str(n), "memory", str(n), "", 0, (stream,)) for n, stream in enumerate(streams)]
    assert remedies({"a": "/a"}, recordings, Notes()) == {"a": "/a"}


def test_a_stall_that_no_limit_bridges_is_told_with_what_to_do():
    stalling = clock("t", np.delete(every(30, 9), range(60, 120)))
    vectors = vector("/action", clock("t", every(50, 9)))
    proposal = propose([recording(vectors, camera("/cam", stalling))], task_text="x")
    assert proposal.body["features"]["observation.images.cam"] == "/cam"
    assert "/cam stops for up to 2.03 s in 1 of 1 recording, which will be rejected for it" in said(proposal)


def test_depth_that_no_encoder_takes_is_left_out():
    made = propose([recording(vector("/action", GOOD), camera("/depth", GOOD, size=(8, 6), unit="mm"))], task_text="x")
    assert list(made.body["features"]) == ["action"]
    assert "depth of 8x6 px cannot be stored" in made.choices.reasons["/depth"]
