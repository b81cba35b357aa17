"""Operators on values: what the plan says, done and undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.memory import every, images, ramp, recording, vector
from telecine.core.errors import AlignError, PlanError
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.plan.operators import Operators, element_map, joined_map
from telecine.core.resample.resample import resample


def plan(features, fps=10):
    return make_plan({"fps": fps, "clock": {"timeline": "real_time"}, "features": features, "task": "go"})


def values(features, *streams):
    made = resample(recording(*streams), plan(features))
    return {key: np.array(made.rows.column(key).to_pylist(), float) for key in features}, made


def joints(name, data, names=None):
    return vector(name, every(10, len(data) / 10), np.asarray(data, float), names=names)


finite = st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-3)


@given(
    st.sampled_from([None, "deg to rad", "mm to m", "turn to deg"]),
    st.one_of(st.none(), st.tuples(finite, finite).filter(lambda r: abs(r[0] - r[1]) > 1e-2)),
    st.one_of(st.none(), finite, st.lists(finite, min_size=3, max_size=3)),
    st.one_of(st.none(), finite),
    st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
)
def test_what_the_operators_do_is_undone(units, between, scale, offset_by, numbers):
    operators = Operators(units=units, range=between, scale=scale, offset_by=offset_by)
    mapping = element_map(operators, 3)
    there = mapping.apply(np.array([numbers]))
    tolerance = 1e-9 * (1 + np.abs(there).max() + np.abs(mapping.bias).max()) / np.abs(mapping.gain).min()
    np.testing.assert_allclose(mapping.undo(there), [numbers], atol=tolerance)


def test_a_unit_that_is_stated_changes_no_number():
    stated = Operators(units="rad")
    assert (stated.changes_values, stated.described) == (False, "")
    assert np.array_equal(element_map(stated, 2).apply(np.array([[1.0, 3.0]])), [[1.0, 3.0]])
    found, made = values({"action": {"from": "/arm", "units": "rad"}}, joints("/arm", [[1.0], [2.0], [3.0]]))
    assert found["action"].ravel().tolist() == [1.0, 2.0, 3.0]
    assert not [finding for finding in made.findings if finding.code == "align-mapped"]


def test_the_order_is_units_range_scale_offset():
    operators = Operators(units="mm to m", range=(0.0, 0.1), scale=2, offset_by=(1, 0))
    assert element_map(operators, 2).apply(np.array([[50.0, 100.0]])).tolist() == [[2.0, 2.0]]


def test_values_are_changed_by_stream_and_as_a_whole():
    state = {"from": ["/arm", {"stream": "/gripper", "range": [0.02, 0.1]}], "offset_by": [1, 0, 0]}
    arm, gripper = joints("/arm", [[180, 90]] * 20), joints("/gripper", [[0.06]] * 20)
    found, made = values({"observation.state": {**state, "from": [{"stream": "/arm", "units": "deg to rad"},
                                                                  state["from"][1]]}}, arm, gripper)  # fmt: skip
    np.testing.assert_allclose(found["observation.state"], [[np.pi + 1, np.pi / 2, 0.5]] * 20, rtol=1e-6)
    ((text, key),) = [(f.message, f.key) for f in made.findings if f.code == "align-mapped"]
    assert text == "/arm: deg to rad; /gripper: range 0.02 to 0.1; offset_by (1.0, 0.0, 0.0)"
    assert key == "observation.state"


def test_whole_numbers_become_fractions():
    stream = vector("/g", every(10, 2), np.full((20, 1), 3, np.int8))
    found, made = values({"action": {"from": "/g", "scale": 0.5}}, stream)
    assert made.columns[0].dtype == "float32"
    assert (found["action"] == 1.5).all()


def test_a_shift_makes_the_next_state_the_action_and_leaves_the_last_row_out():
    state = joints("/q", np.arange(40).reshape(20, 2))
    features = {"action": {"from": "/q", "shift": 1}, "observation.state": "/q"}
    found, made = values(features, state)
    assert made.grid.count == made.rows.num_rows == 19
    np.testing.assert_array_equal(found["observation.state"], np.arange(38).reshape(19, 2))
    np.testing.assert_array_equal(found["action"], np.arange(2, 40).reshape(19, 2))


def test_cameras_have_the_rows_that_a_shift_leaves():
    frame = np.zeros((2, 2, 3), np.uint8)
    rec = recording(joints("/q", np.zeros((20, 2))), images("/cam", every(10, 2), [frame] * 20))
    made = resample(rec, plan({"action": {"from": "/q", "shift": 3}, "observation.images.a": "/cam"}))
    assert made.cameras[0].rows.tolist() == [*range(17)]


def test_relative_to_subtracts_the_state_of_the_row_by_name():
    state = joints("/q", [[i, 10 * i] for i in range(20)], names=("a", "b"))
    command = joints("/cmd", [[10 * i + 3, i + 1] for i in range(20)], names=("b", "a"))
    features = {"action": {"from": "/cmd", "relative_to": "state"}, "observation.state": "/q"}
    assert values(features, state, command)[0]["action"].tolist() == [[3, 1]] * 20


def test_shift_and_relative_to_make_the_change_of_the_state():
    state = joints("/q", [[i * i] for i in range(20)])
    features = {"action": {"from": "/q", "shift": 1, "relative_to": "observation.state"}, "observation.state": "/q"}
    assert values(features, state)[0]["action"].reshape(-1).tolist() == [2 * i + 1 for i in range(19)]


def test_what_others_are_relative_to_is_read_once():
    asked = []

    class Counted:
        def __init__(self, stream):
            self._stream = stream

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def take(self, rows, clock):
            asked.append(len(rows))
            return self._stream.take(rows, clock)

    state = Counted(joints("/q", [[i] for i in range(20)]))
    features = {f"x.{name}": {"from": f"/{name}", "relative_to": "state"} for name in "abc"}
    found, _ = values({**features, "observation.state": "/q"}, state, *(joints(f"/{n}", [[3]] * 20) for n in "abc"))
    assert asked == [20]
    assert found["x.b"].reshape(-1).tolist() == [3 - i for i in range(20)]


def test_a_reference_is_taken_as_the_plan_changes_it():
    features = {
        "action": {"from": "/cmd", "scale": 2, "relative_to": "state"},
        "observation.state": {"from": "/q", "offset_by": 1},
    }
    found, _ = values(features, joints("/q", [[3]] * 20), joints("/cmd", [[5]] * 20))
    assert (found["action"] == 2 * 5 - (3 + 1)).all()


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        ({"units": "feet"}, "write it as `deg to rad`, or `rad` where they stay"),
        ({"units": "deg to m"}, "deg is an angle, m is a length"),
        ({"range": [1, 1]}, "two different numbers"),
        ({"scale": 0}, "a factor of 0 cannot be undone"),
        ({"offset_by": float("nan")}, "numbers only"),
        ({"shift": -1}, "greater than or equal to 0"),
        ({"scale": 2, "dtype": "int32"}, "operators make fractions, which int32 cannot hold"),
        ({"relative_to": "observation.stat"}, "did you mean 'observation.state'"),
        ({"relative_to": "action"}, "is no other feature of numbers"),
        ({"scal": 2}, "did you mean 'scale'"),
    ],
)
def test_operators_that_make_no_sense_are_refused_with_the_reason(feature, said):
    with pytest.raises(PlanError) as caught:
        plan({"action": {"from": "/q", **feature}, "observation.state": "/q"})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"from": "/q", "scale": [1, 2, 3]}, "features.action.scale: 3 numbers for 2 elements"),
        ({"from": "/pose", "relative_to": "state"}, "hold a quaternion"),
        ({"from": "/other", "relative_to": "state"}, "are not among"),
    ],
)
def test_operators_that_do_not_fit_the_recording_are_refused_with_the_reason(action, said):
    streams = (
        joints("/q", np.zeros((20, 2)), names=("a", "b")),
        joints("/pose", np.zeros((20, 2)), names=("qz", "qw")),
        joints("/other", np.zeros((20, 2)), names=("a", "c")),
    )
    with pytest.raises(PlanError) as caught:
        resample(recording(*streams), plan({"action": action, "observation.state": "/q"}))
    assert said in str(caught.value)


def test_too_few_rows_for_a_shift_are_an_error():
    with pytest.raises(AlignError, match="too few for a shift of 30"):
        resample(recording(ramp("/q", every(10, 2))), plan({"action": {"from": "/q", "shift": 30}}))


def test_a_plan_file_leads_back_to_the_robot():
    body = {"action": {"from": [{"stream": "/arm", "units": "deg to rad"}, "/grip"], "scale": [1, 1, 2], "shift": 1}}
    made = parse_plan(plan(body).to_yaml())
    assert made == plan(body)
    (feature,) = made.features
    stored = joined_map(feature.sources, feature, [2, 1]).apply(np.array([90.0, 180.0, 0.25]))
    np.testing.assert_allclose(stored, [np.pi / 2, np.pi, 0.5])
    np.testing.assert_allclose(joined_map(feature.sources, feature, [2, 1]).undo(stored), [90, 180, 0.25])


def test_operators_are_for_plain_vectors_of_numbers():
    with pytest.raises(PlanError, match="no meaning for a camera"):
        plan({"observation.images.a": {"from": "/cam", "scale": 2}})
    square = vector("/square", every(10, 2), np.zeros((20, 2, 2)))
    with pytest.raises(PlanError, match="operators on values need plain vectors, /square is none"):
        resample(recording(square), plan({"action": {"from": "/square", "scale": 2}}))


def test_a_feature_is_not_relative_to_one_that_is_itself_shifted():
    features = {"action": {"from": "/q", "relative_to": "observation.state"}}
    with pytest.raises(PlanError, match="observation.state is itself relative or shifted"):
        plan(features | {"observation.state": {"from": "/q", "shift": 1}})
