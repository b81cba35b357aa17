"""Every stream is used, offered or unreadable, and the lists of many recordings become one."""

from dataclasses import replace

import numpy as np
import pytest

from support.memory import recording, seconds, text, vector
from telecine.core.accounting import (
    NOT_PLANNED,
    Choices,
    Tally,
    account,
    account_facts,
    account_for,
    add,
    merge,
    training_findings,
    unreadable_findings,
    used_streams,
)  # fmt: skip
from telecine.core.errors import PlanError
from telecine.core.plan.bind import bind
from telecine.core.plan.model import make_plan
from telecine.core.recording import LeftOut
from telecine.core.recording_summary import RecordingFacts, StreamSummary

CLOUD = LeftOut("/lidar", "unreadable", "PointCloud2 is not decoded", "leave it out")
PLAN = make_plan(
    {"fps": 10, "clock": {"timeline": "t"}, "features": {"action": "/arm/action"}, "task": {"from": "/instruction"}}
)


def numbers(name, clock="t"):
    return vector(name, seconds(0, 0.1, 0.2), np.zeros((3, 2)), clock=clock)


def arms(*more):
    streams = [numbers("/arm/action:Scalars:scalars"), numbers("/arm/state"), text("/instruction", seconds(0), ["go"])]
    made = recording(*streams, *more)
    made.left_out = (CLOUD,)
    return made


def test_every_stream_is_used_or_left_out():
    made = account(arms(numbers("/arm/velocity")), PLAN)
    assert made.used == (("/arm/action:Scalars:scalars", "action"), ("/instruction", "task"))
    assert [(i.stream, i.what, i.training) for i in made.left_out] == [
        ("/lidar", "unreadable", False),
        ("/arm/state", "offered", True),
        ("/arm/velocity", "offered", False),
    ]
    assert made.streams == {"/arm/action:Scalars:scalars", "/instruction", "/lidar", "/arm/state", "/arm/velocity"}


def test_an_offered_stream_that_the_plan_uses_is_not_left_out():
    drawn = LeftOut("/arm/action:Scalars:scalars", "offered", "drawn, not measured")
    made = recording(numbers("/arm/action:Scalars:scalars"), text("/instruction", seconds(0), ["go"]))
    made.left_out = (drawn,)
    assert account(made, PLAN).left_out == ()


def test_streams_that_split_and_trim_are_used():
    body = {"split": {"marker": "/arm/state"}, "trim": {"still": 0.1, "by": ["/arm/velocity"]}}
    made = account(arms(numbers("/arm/velocity")), make_plan({**PLAN.to_dict(), **body}))
    assert dict(made.used)["/arm/state"] == "split"
    assert dict(made.used)["/arm/velocity"] == "trim"


@pytest.mark.parametrize(
    ("name", "kind", "training"),
    [
        ("/wrist/image_raw", "image", True),
        ("/front/image_raw/compressed", "image", False),  # the camera that is used, in another form
        ("/joint_states:position", "vector", True),
        ("/joint_states:velocity", "vector", False),
        ("/tf:base->tool", "vector", False),
        ("/diagnostics:level", "vector", False),
        ("/pressure/left_gripper", "vector", False),
        ("/note", "text", False),
    ],
)
def test_cameras_and_positions_count_as_training_data(name, kind, training):
    kinds = {"/front/image_raw": "image", name: kind}
    (item,) = account_for("a", kinds, {"/front/image_raw": "observation.images.front"}).left_out
    assert (item.stream, item.training) == (name, training)


def test_of_declared_features_only_observations_and_actions_count_as_training_data():
    declared = {"action": ["/a"], "observation.state": ["/s"], "next.reward": ["/rewards"]}
    made = account_for("a", dict.fromkeys(["/a", "/s", "/rewards", "/joints"], "vector"), {}, (), declared)
    assert [item.stream for item in made.left_out if item.training] == ["/a", "/s"]


def test_a_camera_that_a_format_does_not_declare_counts_as_training_data():
    kinds = {"/state": "vector", "/image": "image", "/pose": "vector"}
    made = account_for("a", kinds, {"/state": "observation.state"}, (), {"observation.state": ("/state",)})
    assert {item.stream: item.training for item in made.left_out} == {"/image": True, "/pose": False}


def test_equal_entries_of_many_recordings_are_one():
    tally: Tally = {}
    state = LeftOut("/arm/state", "offered", NOT_PLANNED, training=True)
    choices = Choices(reasons={"/arm/state": "no name tells what it is"})
    for label in ("a", "a", "b", "c", "d"):  # two parts of one recording
        add(tally, label, [state] if label == "d" else [state, CLOUD], choices)
    first, second = merge(tally)
    assert first.to_dict() == {
        "stream": "/lidar",
        "what": "unreadable",
        "why": "PointCloud2 is not decoded",
        "fix": "leave it out",
        "recordings": 3,
        "first": ["a", "b", "c"],
    }
    assert (second.recordings, second.first, second.item.why) == (4, ("a", "b", "c"), "no name tells what it is")


def test_cameras_and_positions_make_one_warning_that_names_them_all():
    tally: Tally = {}
    made = account(arms(numbers("/arm/velocity"), numbers("/gripper")), PLAN)
    add(tally, "a", made.left_out)
    add(tally, "b", made.left_out)
    (unreadable,) = unreadable_findings(merge(tally))
    (training,) = training_findings(merge(tally), "out")
    assert (unreadable.code, unreadable.severity, unreadable.where) == (
        "stream-unreadable",
        "warning",
        "a and 1 more /lidar",
    )
    assert (training.code, training.where) == ("stream-left-out", "out")
    assert "cameras or positions are left out (2): /arm/state, /gripper" in training.message
    quiet = [replace(i, training=False) for i in made.left_out if i.what == "offered"]
    assert list(training_findings(merge({i: ["a"] for i in quiet}), "out")) == []


@pytest.mark.parametrize("name", ["/lidar", "/lidar:points"])
def test_a_plan_that_names_an_unreadable_stream_is_refused_with_the_reason(name):
    plan = make_plan({**PLAN.to_dict(), "features": {"action": "/lidar"}})
    made = arms()
    made.left_out = (replace(CLOUD, stream=name),)
    with pytest.raises(PlanError, match=f"{name} cannot be used: PointCloud2 is not decoded"):
        bind(plan, made)


def test_a_stream_that_inspect_could_not_read_is_unreadable_where_it_could_not():
    tally: Tally = {}
    state = LeftOut("/arm/state", "offered", NOT_PLANNED)
    choices = Choices(unreadable={("b", "/arm/state"): "damaged"})
    for label in "ab":
        add(tally, label, [state, CLOUD], choices)
    assert [(e.item.what, e.item.stream, e.first) for e in merge(tally)] == [
        ("unreadable", "/arm/state", ("b",)),
        ("unreadable", "/lidar", ("a", "b")),
        ("offered", "/arm/state", ("a",)),
    ]


def test_what_a_proposal_leaves_out_has_its_reason():
    streams = [StreamSummary(name, "vector", "float64", (2,)) for name in ("/action", "/state", "/spare")]
    facts = RecordingFacts("a", "memory", "a", "", 0, tuple(streams), left_out=(CLOUD,))
    made = account_facts(facts, {"/action": "action"}, Choices(reasons={"/state": "no name tells what it is"}))
    assert made.used == (("/action", "action"),)
    assert {item.stream: item.why for item in made.left_out} == {
        "/lidar": CLOUD.why, "/spare": NOT_PLANNED, "/state": "no name tells what it is",
    }  # fmt: skip


def test_a_name_that_no_stream_has_uses_none_and_a_stream_is_used_for_its_first_part():
    plan = make_plan({**PLAN.to_dict(), "trim": {"still": 0.1, "by": ["/arm/action", "/nowhere"]}})
    assert used_streams(plan, arms()) == {"/arm/action:Scalars:scalars": "action", "/instruction": "task"}
