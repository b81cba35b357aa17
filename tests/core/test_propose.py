"""Proposed plans: what names, kinds and rates lead to, what is called a guess, and the way there and back."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.memory import every
from telecine.core.align import measure
from telecine.core.errors import PlanError
from telecine.core.naming import words
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.proposal.propose import propose
from telecine.core.proposal.text import command_line, plan_yaml
from telecine.core.recording_summary import CameraFacts, ClockFacts, RecordingFacts, StreamSummary


def clock(hz=50.0, name="real_time", kind="timestamp", seconds=4.0, times=None):
    times = every(hz, seconds) if times is None else np.asarray(times, np.int64)
    return ClockFacts(name, kind, int(times[0]), int(times[-1]), measure(times), 0)


def vector(name, *clocks, width=2, dtype="float64", shape=None):
    return StreamSummary(name, "vector", dtype, shape or (width,), clocks=clocks or (clock(),))


def camera(name, *clocks, hz=30.0, pix_fmt="yuv420p", **others):
    facts = CameraFacts("h264", 64, 48, pix_fmt, gop=10)
    return StreamSummary(name, "video", "uint8", (48, 64, 3), clocks=clocks or (clock(hz),), camera=facts, **others)


def text(name, *texts):
    return StreamSummary(name, "text", "string", (), clocks=(clock(times=[0]),), texts=texts)


def static(name):
    return StreamSummary(name, "vector", "float64", (3,), static=True, value="[1. 2. 3.]")


def recording(*streams, ident="rec", path="mem.rrd", **attrs):
    return RecordingFacts(path, "memory", path, ident, 0, streams, tuple(attrs.items()))


ARM = (
    vector("/action:Scalars:scalars"),
    vector("/observation/joint_positions:Scalars:scalars", clock(200.0)),
    camera("/camera/front:VideoStream:sample"),
    camera("/camera/wrist:VideoStream:sample", hz=29.97),
    text("/language_instruction:TextDocument:text", "pick the cube"),
)


def features(proposal):
    return proposal.body["features"]


def said(proposal):
    return "\n".join(proposal.guesses)


def test_a_usual_robot_gives_a_whole_plan_without_guesses():
    proposal = propose([recording(*ARM)])
    assert proposal.missing == proposal.guesses == ()
    assert proposal.plan == make_plan(
        {
            "fps": 30,
            "clock": {"timeline": "real_time"},
            "features": {
                "action": "/action:Scalars:scalars",
                "observation.state": "/observation/joint_positions:Scalars:scalars",
                "observation.images.front": "/camera/front:VideoStream:sample",
                "observation.images.wrist": "/camera/wrist:VideoStream:sample",
            },
            "task": {"from": "/language_instruction:TextDocument:text"},
        }
    )


def test_the_command_says_the_same_as_the_plan():
    proposal = propose([recording(*ARM)])
    command = "telecine convert 'my recordings' out --fps 30 --index real_time --action /action"
    command += " --state /observation/joint_positions --video front:/camera/front --video wrist:/camera/wrist"
    assert command_line(proposal, ["my recordings"], "out") == f"{command} --task /language_instruction"


def test_an_entity_that_holds_two_streams_is_named_in_full():
    proposal = propose([recording(*ARM, vector("/action:Other:values", dtype="bool"))])
    assert "--action /action:Scalars:scalars" in command_line(proposal, ["in"], "out")


def test_a_user_timeline_goes_before_those_that_rerun_adds():
    both = (clock(), clock(name="log_time"), clock(name="log_tick", kind="sequence"))
    assert propose([recording(vector("/action", *both), vector("/state", *both))]).body["clock"] == {
        "timeline": "real_time"
    }


def test_a_timeline_shared_by_all_goes_before_one_shared_by_most():
    most, every_one = clock(name="most"), clock(name="shared")
    streams = [vector("/action", most, every_one), vector("/state", most, every_one), vector("/obs", every_one)]
    assert propose([recording(*streams)]).body["clock"]["timeline"] == "shared"


def test_of_two_timelines_for_all_the_result_does_not_depend_on_their_order():
    a, b = clock(name="a"), clock(name="b")
    assert propose([recording(vector("/action", b, a))]).body["clock"]["timeline"] == "a"


def test_log_time_is_a_guess_and_names_the_counting_timeline():
    both = (clock(name="log_time"), clock(name="frame", kind="sequence"))
    proposal = propose([recording(vector("/action", *both))])
    assert proposal.body["clock"]["timeline"] == "log_time"
    assert "not when they were measured; frame counts steps" in said(proposal)


def test_streams_without_stamps_on_the_timeline_are_left_out_and_named():
    streams = [*ARM, vector("/observation/late", clock(name="log_time"))]
    proposal = propose([recording(*streams)])
    assert features(proposal)["observation.state"] == "/observation/joint_positions:Scalars:scalars"
    assert "left out because they have no timestamps on it: /observation/late" in said(proposal)
    assert "/observation/late: vector float64 (2), no timestamps on real_time" in proposal.comments["unused"]


def test_a_timeline_that_counts_needs_a_rate():
    proposal = propose([recording(vector("/action", clock(name="step", kind="sequence")))], task_text="pick")
    assert proposal.plan is None
    assert "'step' counts steps" in proposal.missing[0]
    assert "--index step --rate HZ" in command_line(proposal, ["in"], "out")


def test_a_recording_without_stamps_has_no_plan():
    proposal = propose([recording(static("/a"))], task_text="pick")
    assert proposal.plan is None
    assert len(proposal.missing) == 2
    assert "--index" not in command_line(proposal, ["in"], "out")
    with pytest.raises(PlanError):
        parse_plan(plan_yaml(proposal))


def test_no_recordings_at_all_give_no_plan():
    assert propose([]).plan is None


def test_a_missing_task_is_asked_for_and_never_invented():
    proposal = propose([recording(*ARM[:4], text("/notes", "sunny"))])
    assert proposal.plan is None
    assert "--task-text" in proposal.missing[0]
    assert "/notes" in proposal.missing[0]
    assert command_line(proposal, ["in"], "out").endswith("--task-text 'DESCRIBE THE TASK'")
    with pytest.raises(PlanError, match="task: is required; give --task-text"):
        parse_plan(plan_yaml(proposal))


def test_an_empty_task_of_a_dataset_is_proposed_as_it_is():
    of_dataset = replace(recording(*ARM[:4], text("/task")), format="lerobot")
    assert propose([of_dataset]).body["task"] == {"from": "/task"}
    assert propose([replace(of_dataset, format="memory")]).plan is None
    assert propose([of_dataset], task_text="pick").body["task"] == "pick"


def test_a_given_task_and_rate_are_taken():
    proposal = propose([recording(*ARM[:4])], task_text="fold it", fps=15)
    assert proposal.plan is not None
    assert (proposal.plan.fps, proposal.plan.task.constant) == (15, "fold it")
    assert shlex.split(command_line(proposal, ["in"], "out"))[-2:] == ["--task-text", "fold it"]


def test_an_empty_text_stream_is_no_task():
    assert propose([recording(*ARM[:4], text("/task"))]).plan is None


def test_the_surest_word_for_a_task_wins():
    proposal = propose([recording(*ARM[:4], text("/prompt", "a"), text("/task", "b"))])
    assert proposal.body["task"] == {"from": "/task"}


def test_the_task_comes_from_the_properties_of_recordings():
    one = recording(*ARM[:4], ident="a", task="pick")
    assert propose([one, recording(*ARM[:4], ident="b", task="pick")]).body["task"] == "pick"
    proposal = propose([one, recording(*ARM[:4], ident="b", task="place")])
    assert proposal.plan is not None
    assert proposal.plan.task.recordings == (("a", "pick"), ("b", "place"))
    command = "telecine inspect in --plan plan.yaml && telecine convert in out --plan plan.yaml"
    assert command_line(proposal, ["in"], "out") == command


def test_recordings_of_one_id_are_told_apart_by_file():
    streams = ARM[:4]
    two = [recording(*streams, path=f"/d/{n}.rrd", task=f"do {n}") for n in "ab"]
    assert propose(two).body["task"] == {"recordings": {"a.rrd": "do a", "b.rrd": "do b"}}


def test_properties_that_cannot_be_told_apart_are_not_used():
    assert propose([recording(*ARM[:4], task=t) for t in "ab"]).plan is None


@pytest.mark.parametrize(
    ("hz", "fps"), [(29.97, 30), (30.3, 30), (14.8, 15), (59.94, 60), (27.0, 27), (0.3, 1), (5000.0, 1000)]
)
def test_fps_is_the_cameras_rate_as_a_sensible_integer(hz, fps):
    assert propose([recording(camera("/cam/a", clock(hz, seconds=20)))]).body["fps"] == fps


def test_fps_off_the_cameras_rate_is_called_a_guess():
    assert "fps 30: /cam/a runs at 30.40 Hz" in said(propose([recording(camera("/cam/a", hz=30.4))]))
    assert "fps" not in said(propose([recording(camera("/cam/a", hz=29.97))]))


def test_the_slowest_of_different_cameras_gives_fps():
    proposal = propose([recording(camera("/cam/a", hz=30), camera("/cam/b", hz=15))])
    assert proposal.body["fps"] == 15
    assert "fps 15: the slowest of cameras" in said(proposal)


@pytest.mark.parametrize(("hz", "fps"), [(200.0, 30), (10.0, 10)])
def test_without_cameras_fps_is_that_of_the_slowest_vector_up_to_30(hz, fps):
    proposal = propose([recording(vector("/action", clock(hz)), vector("/state", clock(100.0)))])
    assert proposal.body["fps"] == fps
    assert "there is no camera" in said(proposal)


def test_several_streams_of_state_stand_side_by_side_grippers_last():
    proposal = propose([recording(*ARM, vector("/observation/gripper", width=1))])
    expected = ["/observation/joint_positions:Scalars:scalars", "/observation/gripper"]
    assert features(proposal)["observation.state"] == expected
    assert "observation.state: 2 streams side by side" in said(proposal)
    assert "--state /observation/joint_positions --state /observation/gripper" in command_line(proposal, ["in"], "out")


def test_a_leader_arm_is_the_action_and_its_follower_the_state():
    proposal = propose([recording(vector("/leader/joints"), vector("/follower/joints"))])
    assert features(proposal) == {"action": "/leader/joints", "observation.state": "/follower/joints"}
    assert "chosen for the word 'leader'" in said(proposal)


def test_commands_never_become_state():
    proposal = propose([recording(vector("/action"), vector("/observation/gripper_command"), vector("/state"))])
    assert features(proposal) == {"action": "/action", "observation.state": "/state"}


def test_vectors_that_no_word_tells_become_state_as_a_guess():
    proposal = propose([recording(vector("/left"), vector("/right"))])
    assert features(proposal) == {"observation.state": ["/left", "/right"]}
    assert "no name tells" in said(proposal)
    assert "no stream looks like an action" in said(proposal)


def test_matrices_flags_and_static_values_are_no_state():
    odd = [vector("/state/matrix", shape=(3, 3)), vector("/state/on", dtype="bool"), static("/state/base")]
    proposal = propose([recording(*ARM, *odd)])
    assert proposal.plan == propose([recording(*ARM)]).plan
    assert "/state/base: vector float64 (3), static [1. 2. 3.]" in proposal.comments["unused"]


def test_a_stream_that_comes_now_and_then_may_be_of_any_age():
    rare = clock(times=[0, 5, 10**9, 3 * 10**9, 3 * 10**9 + 40])
    proposal = propose([recording(*ARM[:1], vector("/gripper", rare), *ARM[2:])])
    assert features(proposal)["observation.state"] == {"from": "/gripper", "limit": "none"}
    assert "a sample of any age counts" in said(proposal)
    assert "--plan plan.yaml" in command_line(proposal, ["in"], "out")
    assert command_line(proposal, ["in"], "out", "mine.yaml") == "telecine convert in out --plan mine.yaml"
    assert parse_plan(plan_yaml(proposal)) == proposal.plan


def test_a_command_with_a_plan_file_asks_for_the_task_that_the_plan_lacks():
    rare = clock(times=[0, 5, 10**9, 3 * 10**9, 3 * 10**9 + 40])
    proposal = propose([recording(vector("/action", clock()), vector("/gripper", rare))])
    command = "telecine convert in out --plan plan.yaml --task-text 'DESCRIBE THE TASK'"
    assert command_line(proposal, ["in"], "out") == f"telecine inspect in --plan plan.yaml && {command}"
    assert command_line(proposal, ["in"], "out", "plan.yaml") == command


@pytest.mark.parametrize(
    ("entities", "names"),
    [
        (["/camera/front", "/camera/wrist"], ["front", "wrist"]),
        (["/front/image_raw", "/wrist/image_raw"], ["front", "wrist"]),
        (["/left/wrist", "/right/wrist", "/top"], ["left_wrist", "right_wrist", "top"]),
        (["/camera", "/image"], ["camera", "image"]),
        (["/camera/Küche 1"], ["K_che_1"]),
        (["/", "/日本"], ["camera", "camera_2"]),
        (["/a b", "/a_b"], ["a_b", "a_b_2"]),
    ],
)
def test_cameras_are_named_after_the_last_telling_part(entities, names):
    proposal = propose([recording(*(camera(f"{e}:VideoStream:sample") for e in entities))])
    assert [k.removeprefix("observation.images.") for k in features(proposal)] == names


@given(st.lists(st.text(alphabet="ab_/ é2", max_size=8), min_size=1, max_size=6))
def test_camera_keys_are_always_different_and_valid(entities):
    streams = [camera(f"{e}:{i}") for i, e in enumerate(entities)]
    proposal = propose([recording(*streams)], task_text="pick")
    assert proposal.plan is not None
    assert len(proposal.plan.features) == len(entities)


def test_depth_is_left_out_and_said_so():
    deep = [camera("/camera/depth"), camera("/camera/far", pix_fmt="gray16le")]
    proposal = propose([recording(*ARM, *deep)])
    assert proposal.plan == propose([recording(*ARM)]).plan
    assert said(proposal).count("seems to be depth") == 2


def test_a_damaged_stream_is_left_out():
    proposal = propose([recording(*ARM, camera("/camera/top", problems=("packet 3: lost",)))])
    assert "observation.images.top" not in features(proposal)
    assert any("problem: packet 3: lost" in line for line in proposal.comments["unused"])


def test_streams_that_few_recordings_have_are_left_out():
    full, bare = recording(*ARM), recording(*ARM[:3], ARM[4])
    assert "observation.images.wrist" in features(propose([full, full, bare]))
    assert "observation.images.wrist" not in features(propose([full, bare]))


def test_the_plan_file_explains_every_feature_and_what_is_not_used():
    gappy = clock(times=np.delete(every(50, 4), range(40, 80)))
    frames = camera("/extra:VideoStream:sample", clock(30))
    proposal = propose([recording(*ARM[1:], vector("/action", gappy), frames, static("/base"))])
    told = plan_yaml(proposal)
    assert "# /action: vector float64 (2), 160 samples at 39.95 Hz, jitter 0.0 ms, longest gap 0.82 s" in told
    assert (
        "# /camera/front:VideoStream:sample: h264 64x48, 120 samples at 30.00 Hz, jitter 0.0 ms, keyframe every 10"
        in (told)
    )
    assert '# /language_instruction:TextDocument:text says: "pick the cube"' in told
    assert "# Not used:\n#   /base" in told


def test_b_frames_are_mentioned():
    facts = CameraFacts("h264", 64, 48, "yuv420p", reorder_delay=2)
    one = StreamSummary("/cam", "video", "uint8", (48, 64, 3), clocks=(clock(30),), camera=facts)
    assert "keyframe every 1, B-frames" in plan_yaml(propose([recording(one)]))


NAMES = st.text(min_size=1, max_size=12).filter(lambda n: n.strip())


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.lists(NAMES, max_size=3), NAMES)
def test_a_proposed_plan_survives_its_file_whatever_streams_are_called(names, texts, timeline):
    stamps = clock(name=timeline)
    streams = [vector(f"/action{n}", stamps) if i % 2 else camera(n, stamps) for i, n in enumerate(names)]
    talk = StreamSummary("/task", "text", "string", (), clocks=(stamps,), texts=tuple(texts))
    proposal = propose([recording(*streams, talk)], task_text="a: b # c")
    assert parse_plan(plan_yaml(proposal)) == proposal.plan


def test_words_of_names_are_found_in_joined_and_camel_case():
    assert words("/robotArm/jointPos_2:Scalars:scalars") >= {"robot", "arm", "joint", "pos", "2", "jointpos_2"}
    assert words("/プロンプト") == {"プロンプト"}


TOLD = {"action": ("/next_state",), "observation.state": ("/joints",), "outcome": ("/outcome",)}


def told(features=TOLD, **attrs):
    vectors = [vector(name, clock(30.0)) for name in ("/next_state", "/same_state", "/joints")]
    outcome = StreamSummary("/outcome", "text", "string", (), static=True, value="success")
    facts = recording(*vectors, outcome, **attrs)
    return replace(facts, features=tuple(features.items()))


def test_what_the_format_says_goes_before_what_names_suggest():
    made = propose([told(task="lift it", fps="30", robot_type="arm")])
    assert made.body["features"] == {"action": "/next_state", "observation.state": "/joints", "outcome": "/outcome"}
    assert (made.body["fps"], made.body["robot_type"], made.body["task"]) == (30, "arm", "lift it")
    assert made.plan is not None
    assert "--feature outcome=/outcome" in command_line(made, ["in"], "out")
    assert command_line(made, ["in"], "out").endswith("--robot-type arm")
    assert parse_plan(plan_yaml(made)) == made.plan


def test_only_a_format_that_declares_features_is_a_reason_to_leave_a_stream_out():
    why = "the format does not declare it as a feature"
    assert propose([told()]).reasons == {"/same_state": why}
    assert why not in propose([told({})]).reasons.values()


def test_a_stand_in_for_the_action_is_a_guess_that_can_be_chosen():
    assert "one sample later" in " ".join(propose([told(task="x")]).guesses)
    same = propose([told(task="x")], missing_action="same_state")
    assert same.body["features"]["action"] == "/same_state"
    none = propose([told(task="x")], missing_action="error")
    assert none.plan is None
    assert "no action was recorded" in " ".join(none.missing)


def test_a_recorded_action_needs_no_guess():
    features = TOLD | {"action": ("/joints",)}
    made = propose([told(features, task="x")], missing_action="error")
    assert made.body["features"]["action"] == "/joints"


def test_features_that_most_recordings_name_are_taken():
    odd = told(TOLD | {"action": ("/joints",)}, task="x")
    made = propose([told(task="x"), told(task="x"), odd])
    assert made.body["features"]["action"] == "/next_state"
    assert "1 of 3 recordings has one of its own, not taken" in said(made)


@pytest.mark.parametrize("fps", ["", "0", "1001", "29.97", "soon"])
def test_a_rate_that_is_none_is_not_taken(fps):
    assert propose([told(task="x", fps=fps)]).body["fps"] == 30


def test_robots_that_differ_have_no_type():
    assert "robot_type" not in propose([told(task="x", robot_type="a"), told(task="x", robot_type="b")]).body
