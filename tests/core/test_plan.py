"""The plan: parsed once, every mistake at once, back to the same text."""

import json
import pickle
from fractions import Fraction
from importlib.resources import files

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import PlanError
from telecine.core.plan.fields import format_duration, parse_duration
from telecine.core.plan.json_schema import json_schema
from telecine.core.plan.model import Plan, make_plan, parse_plan
from telecine.core.text.numbers import fraction_of
from telecine.core.text.task_text import task_problem

GOOD = """
fps: 30
clock: {timeline: real_time, phase: 3ms}
features:
  action: /action:Scalars:scalars
  observation.state:
    from:
      - {stream: /joints, fields: [0, gripper], offset: -12ms}
      - /gripper
    limit: 40ms
    missing: error
  observation.images.front: {from: /camera/front, limit: none, video: {preset: lerobot, copy: never, size: [320, 240]}}
task: {recordings: {b: fold the towel, a: pick the cube}}
robot_type: so101
"""


def problems(text):
    with pytest.raises(PlanError) as caught:
        parse_plan(text)
    return str(caught.value)


def test_a_plan_survives_yaml_pickle_and_hashing():
    plan = parse_plan(GOOD)
    assert parse_plan(plan.to_yaml()) == plan
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert len({plan, parse_plan(GOOD)}) == 1
    assert plan.digest() == parse_plan(plan.to_yaml()).digest()


def test_the_digest_changes_with_any_value():
    plan = parse_plan(GOOD)
    other = parse_plan(GOOD.replace("40ms", "41ms"))
    assert plan.digest() != other.digest()


def test_a_stream_may_be_given_by_its_name_alone():
    plan = parse_plan(GOOD)
    (action,) = [f for f in plan.features if f.key == "action"]
    assert [t.stream for t in action.sources] == ["/action:Scalars:scalars"]


def test_a_camera_uses_its_own_video_wish_before_the_plans():
    plan = parse_plan(GOOD)
    front = plan.features[2]
    assert plan.video_of(front).preset == "lerobot"
    assert plan.video_of(plan.features[0]).preset == "train"


def test_all_mistakes_are_reported_at_once_with_paths_and_suggestions():
    said = problems(
        """
fps: 30.5
clok: {timeline: real_time}
clock: {timelin: x, phase: 3}
features:
  action: {from: /a, how: hodl, limt: 3ms, offset: 3ms}
  observation.state: {video: {preset: trian, crf: 99, size: [1]}}
task: {from: a, constant: b}
"""
    )
    for expected in (
        "mistake",
        "fps: ",
        "clok: unknown key 'clok'; did you mean 'clock'?",
        "clock.timelin: unknown key 'timelin'; did you mean 'timeline'?",
        "clock.phase: 3 is not a duration",
        "features.action.how: 'hodl' is not one of hold, nearest, linear, slerp; did you mean 'hold'?",
        "features.action.limt: unknown key 'limt'; did you mean 'limit'?",
        "features.action.offset: unknown key 'offset' here; it belongs to another part of the file",
        "features.observation.state.from: is required",
        "features.observation.state.video.preset: 'trian' is not one of",
        "features.observation.state.video.crf",
        "task: give exactly one of",
    ):
        assert expected in said


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ("{index: /a}", "features.index: this column is written by telecine itself"),
        ("{'a b': /a}", "keys hold no blanks"),
        ("{'a/b': /a}", "no slashes"),
        ("{observation.done: {from: /a, dtype: bool}}", "bool under observation* or action* crashes"),
        ("{action: {from: /a, how: linear, dtype: int8}}", "linear makes fractions"),
        ("{observation.images.top: {from: [/a, /b]}}", "a camera is one stream, got 2"),
        ("{action: {from: /a, names: [x, x]}}", "names repeat"),
        ("{action: {from: []}}", "no stream given"),
        ("{}", "features: none given"),
        ("[]", "features: none given"),
        ("[{key: action, from: /a}, {key: action, from: /b}]", "features.action: given twice"),
        ("{observation.images.top: {from: /a, video: {size: [1, 20]}}}", "both at least 2"),
        ("{observation.images.top: {from: /a, video: {slack: -5ms}}}", "slack is -5ms; it cannot be negative"),
    ],
)
def test_a_feature_that_lerobot_cannot_train_on_is_refused(features, said):
    assert said in problems(f"{{fps: 30, clock: {{timeline: t}}, task: go, features: {features}}}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("clock: {timeline: t, keep: index}", "clock.keep: 'index' is taken"),
        ("clock: {timeline: t, follow: /a, phase: 1ms}", "has no meaning with `follow`"),
        ("task: ' '", "the task text is empty"),
        ("features: {action: {from: {stream: /a, offset: 3 minutes}}}", "'3 minutes' is not a duration"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(change, said):
    base = {"fps": "fps: 30", "clock": "clock: {timeline: t}", "task": "task: go", "features": "features: {action: /a}"}
    base[change.partition(":")[0]] = change
    assert said in problems("\n".join(base.values()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not YAML"),
        ("- 1", "not a mapping"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        ("a: &a [1]\nb: [*a, *a]", "aliases"),
        ("#" * 1_000_001, "larger than"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), "not YAML"),
        ("fps: " + "9" * 5000, "not YAML"),
        ("fps: 2001-13-45", "not YAML"),
        ("fps: \ud800", "not YAML"),
    ],
)
def test_yaml_that_is_not_plain_data_is_refused(text, said):
    assert said in problems(text)


@given(st.integers(-(10**12), 10**12))
def test_durations_survive_their_text(ns):
    assert parse_duration(format_duration(ns)) == ns


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\x85")).filter(
        lambda text: not task_problem(text)
    )
)
def test_any_task_text_survives_yaml(task):
    plan = make_plan({"fps": 10, "clock": {"timeline": "t"}, "features": {"action": "/a"}, "task": task})
    assert parse_plan(plan.to_yaml()) == plan


def test_a_sequence_rate_may_be_a_ratio():
    plan = make_plan(
        {"fps": 10, "clock": {"timeline": "step", "rate": "30000/1001"}, "features": {"action": "/a"}, "task": "x"}
    )
    assert plan.clock.rate == "30000/1001"
    assert parse_plan(plan.to_yaml()) == plan


@pytest.mark.parametrize("rate", ["1/0", 0, -5, "1e300000000", "9" * 100, "nan"])
def test_a_rate_that_counts_nothing_is_a_plan_error(rate):
    body = {"fps": 10, "clock": {"timeline": "step", "rate": rate}, "features": {"action": "/a"}, "task": "x"}
    with pytest.raises(PlanError, match=r"clock\.rate"):
        make_plan(body)


def test_a_moment_of_endless_digits_is_a_plan_error():
    split = {"spans": [{"start": 0, "stop": "1e300000000"}]}
    body = {"fps": 10, "clock": {"timeline": "t"}, "features": {"action": "/a"}, "task": "x", "split": split}
    with pytest.raises(PlanError, match="plausible size"):
        make_plan(body)


@given(st.floats(1e-9, 1e18))
def test_every_number_is_read_back_from_its_text(number):
    text = str(number)
    assert fraction_of(text) == Fraction(text)
    assert fraction_of(str(fraction_of(text))) == Fraction(text)


def test_the_json_schema_knows_every_key_and_is_plain_json():
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema["properties"]) == set(Plan.model_fields)
    assert schema["properties"]["features"]["type"] == "object"
    assert "key" not in schema["$defs"]["Feature"]["properties"]
    assert "from" in schema["$defs"]["Feature"]["required"]


@pytest.mark.skipif(int(pydantic.VERSION.split(".")[1]) < 14, reason="older pydantic words the schema differently")
def test_the_published_schema_is_that_of_the_plan():
    published = files("telecine").joinpath("plan.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == json_schema(), "run: telecine schema > src/telecine/plan.schema.json"


def test_notebooks_show_a_plan_as_a_table_of_its_features():
    html = parse_plan(GOOD)._repr_html_()
    assert "<caption>plan: 30 fps on real_time; task: one per recording</caption>" in html
    assert "<td>observation.state</td><td>/joints, /gripper</td>" in html


def test_a_rate_of_none_is_no_rate():
    body = {"fps": 5, "clock": {"timeline": "t", "rate": None}, "features": {"a": "/a"}, "task": "x"}
    assert make_plan(body).clock.rate is None


def test_a_computed_column_has_a_name_of_its_own():
    base = {"fps": 30, "clock": {"timeline": "t"}, "features": {"action": "/a"}, "task": "go"}
    assert make_plan({**base, "derived": [{"key": "speed", "value": "norm(action)"}]}).derived[0].key == "speed"
    with pytest.raises(PlanError, match="derived.timestamp: no name for a computed column"):
        make_plan({**base, "derived": [{"key": "timestamp", "value": "norm(action)"}]})


@pytest.mark.parametrize(
    ("features", "key", "why"),
    [
        (
            {"action": "/a"},
            "acton",
            "'acton' is no feature that .* subtracted from; did you mean 'action'",
        ),
        ({"action": "/a"}, "action", "there is no observation.state to subtract"),
        ({"action": "/a", "observation.state": "/s"}, "observation.state", "is no feature that"),
        (
            {"action": {"from": "/a", "relative_to": "observation.state"}, "observation.state": "/s"},
            "action",
            "action is relative already",
        ),
        ({"action": "/a", "observation.state": "/s"}, "action", None),
    ],
)
def test_statistics_are_relative_to_a_state_that_is_there(features, key, why):
    body = {"fps": 30, "clock": {"timeline": "t"}, "features": features, "task": "go", "stats": {"relative": [key]}}
    if why is None:
        assert make_plan(body).stats.relative == (key,)
        return
    with pytest.raises(PlanError, match=why):
        make_plan(body)
