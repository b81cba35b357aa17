"""Derived columns: what they compute, within episodes, what they are called, and the way back."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from telecine.core.derive import rotations
from telecine.core.derive.derived import check_derived, column_of, compute, inverse_of, meanings_of, record
from telecine.core.derive.episode import meanings, with_derived
from telecine.core.derive.functions import FUNCTIONS, NO_TOOLS, Meaning, RowBlock, Toolbox
from telecine.core.derive.kinematics import Joint, Robot, forward_kinematics
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.errors import PlanError
from telecine.core.grid import Grid
from telecine.core.plan.derived import Derived
from telecine.core.plan.model import make_plan
from telecine.core.recording import Ref

ROWS = RowBlock(np.array([0, 4, 5]), 9, 10.0)
"""Episodes of 4, 1 and 4 rows."""
NUMBERS = arrays(np.float64, (9, 3), elements=st.floats(-100, 100))
QUATS = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).normal(size=(9, 4)))


def value(text, rows=ROWS, tools=NO_TOOLS, dtype="float64", **columns):
    columns.setdefault("a", np.arange(27.0).reshape(9, 3))
    return compute([Derived(key="new", value=text, dtype=dtype)], columns, rows, tools)["new"]


def same_rotation(one, other):
    return np.allclose(np.abs(np.sum(one * other, axis=1)), 1)


@settings(max_examples=30)
@given(NUMBERS, NUMBERS)
def test_what_a_derived_column_came_from_is_found_again_by_its_inverse(a, b):
    for text in (
        "relative(a, b)",
        "absolute(a, b)",
        "a - b",
        "b + a - b",
        "2 * a",
        "a / 4",
        "1 - a",
        "-(a + 1) * 3",
        "a - (b - 1)",
        "normalize(a, 0.2, 0.8)",
        "denormalize(a, -1, 3)",
        "relative(a * 2, b) / 4",
    ):
        made = value(text, a=a, b=b)
        way = inverse_of(Derived(key="new", value=text), NO_TOOLS)
        if text == "b + a - b":
            assert way is None
            continue
        assert way["column"] == "a"
        np.testing.assert_allclose(value(way["value"], a=a, b=b, new=made), a, atol=1e-9)
    single = np.float32(a), np.float32(b)
    relative = value("relative(a, b)", a=single[0], b=single[1], dtype="float32")
    back = value("absolute(new, b)", b=single[1], new=relative, dtype="float32")
    np.testing.assert_allclose(back, single[0], rtol=1e-5, atol=1e-4)
    changes = value("delta(a)", a=a)
    assert inverse_of(Derived(key="new", value="delta(a)"), NO_TOOLS) == {
        "column": "a",
        "value": "accumulate(new, first)",
    }
    np.testing.assert_allclose(value("accumulate(new, first)", new=changes, first=a), a, atol=1e-9)


def test_no_row_sees_another_episode():
    a = np.arange(9.0)[:, None]
    assert value("shift(a, 1)", a=a).ravel().tolist() == [1, 2, 3, 3, 4, 6, 7, 8, 8]
    assert value("shift(a, -2)", a=a).ravel().tolist() == [0, 0, 0, 1, 4, 5, 5, 5, 6]
    assert value("shift(a, 50)", a=a).ravel().tolist() == [3, 3, 3, 3, 4, 8, 8, 8, 8]
    assert value("difference(a)", a=a).ravel().tolist() == [0, 1, 1, 1, 0, 0, 1, 1, 1]
    assert value("delta(a * a)", a=a).ravel().tolist() == [1, 3, 5, 0, 0, 11, 13, 15, 0]
    assert value("velocity(a * a)", a=a).ravel().tolist() == [10, 20, 40, 50, 0, 110, 120, 140, 150]
    assert value("velocity(a)", a=np.arange(9)[:, None]).ravel().tolist() == [10, 10, 10, 10, 0, 10, 10, 10, 10]
    turns = np.array([3.0, -3, 3, -3, 1, 3, -3, 3, -3])[:, None]
    assert np.ptp(value("unwrap(a)", a=turns)[:4]) < 1
    np.testing.assert_allclose(value("wrap(unwrap(a))", a=turns), turns)
    assert value("wrap(a, 360)", a=np.full((9, 1), 350.0))[0, 0] == -10


def test_elements_are_columns_and_functions_of_them():
    a = np.arange(27.0).reshape(9, 3)
    assert value("a[1] * a")[1].tolist() == [12, 16, 20]
    assert value("a[-1]").tolist() == a[:, 2:].tolist()
    assert value("concat(a[0:2], 7, norm(a))")[0].tolist() == [0, 1, 7, np.sqrt(5)]
    assert value("where(a > 13, 1, a)")[4].tolist() == [12, 13, 1]
    assert value("clip(sum(a) - mean(a), 0, 30)").max() == 30
    assert value("3").tolist() == [[3]] * 9
    made = compute(
        [Derived(key="moves", value="a[0] > 5 and a[1] < 20"), Derived(key="n", value="moves * 2", dtype="int64")],
        {"a": a},
        ROWS,
        NO_TOOLS,
    )
    assert (made["moves"].dtype, made["n"].ravel().tolist()) == (np.bool_, [0, 0, 2, 2, 2, 2, 2, 0, 0])


@settings(max_examples=20)
@given(QUATS, QUATS)
def test_rotations_agree_with_one_another(q, p):
    unit = value("quat_unit(q)", q=q)
    for there, back in (
        ("quat_to_6d(q)", "quat_from_6d(new)"),
        ("quat_to_axis_angle(q)", "quat_from_axis_angle(new)"),
        ("quat_to_wxyz(q)", "quat_from_wxyz(new)"),
        ("quat_inverse(q)", "quat_inverse(new)"),
        ("quat_relative(q, p)", "quat_absolute(new, p)"),
        ("quat_continuous(q)", "quat_unit(new)"),
        *((f"quat_to_euler(q, '{o}')", f"quat_from_euler(new, '{o}')") for o in ("xyz", "ZYX", "zyz", "XYX")),
    ):
        assert inverse_of(Derived(key="new", value=there), NO_TOOLS)["value"] == back
        made = value(there, q=q, p=p)
        assert same_rotation(value("quat_unit(x)", x=value(back, new=made, p=p)), unit)
    flipped = q * np.where(np.arange(9) % 2, -1, 1)[:, None]
    smooth = value("quat_continuous(q)", q=np.sort(flipped, axis=0))
    for start, stop in ((0, 4), (5, 9)):
        assert (np.sum(smooth[start + 1 : stop] * smooth[start : stop - 1], axis=1) >= 0).all()
    assert (smooth[[0, 4, 5], 3] >= 0).all()


def test_rotations_agree_with_scipy():
    scipy = pytest.importorskip("scipy.spatial.transform", reason="needs scipy: pip install 'telecine[reference]'")
    q = np.random.default_rng(1).normal(size=(200, 4))
    known = scipy.Rotation.from_quat(q)
    np.testing.assert_allclose(rotations.to_matrix(q), known.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rotations.to_axis_angle(q), known.as_rotvec(), atol=1e-12)
    np.testing.assert_allclose(rotations.rotate(q, q[:, :3]), known.apply(q[:, :3]), atol=1e-12)
    assert same_rotation(rotations.multiply(q, q[::-1]), (known * known[::-1]).as_quat())
    orders = [a + b + c for a in "xyz" for b in "xyz" for c in "xyz" if a != b != c]
    for order in (*orders, *(o.upper() for o in orders)):
        apart = rotations.to_euler(q, order) - known.as_euler(order)
        np.testing.assert_allclose((apart + np.pi) % (2 * np.pi), np.pi, atol=1e-9)
        assert same_rotation(rotations.from_euler(known.as_euler(order), order), known.as_quat())


@pytest.mark.parametrize("order", ["xyz", "XYZ", "zyz", "ZYZ"])
def test_euler_angles_where_two_axes_fall_together_are_still_the_rotation(order):
    for middle in (0, np.pi) if order[0] == order[2] else (np.pi / 2, -np.pi / 2):
        angles = np.array([[0.3, middle, 0.5], [-2.0, middle, 1.0]])
        q = rotations.from_euler(angles, order)
        assert same_rotation(rotations.from_euler(rotations.to_euler(q, order), order), q)


def arm():
    def joint(link, x, axis=None, **more):
        return Joint(link, (x, 0, 0.1, 0, 0, 0, 1), f"j_{link}" if axis else "", axis, **more)

    joints = [
        joint("base", 0),
        joint("upper", 0, (0, 0, 1)),
        joint("slide", 0.5, (1, 0, 0), slides=True),
        joint("tool", 0.2),
    ]
    links = [one.link for one in joints]
    return Robot("arm.urdf", {j.link: j for j in joints}, dict(zip(links, ["", *links], strict=False)))


def test_poses_follow_from_joints_by_hand():
    pose = forward_kinematics(arm(), np.array([[0, 0], [np.pi / 2, 0.3]]), "tool")
    np.testing.assert_allclose(pose[0], [0.7, 0, 0.4, 0, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(pose[1], [0, 1.0, 0.4, 0, 0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12)
    tools = Toolbox(robot=arm())
    rows = RowBlock(ROWS.starts, 9, 10, arm())
    assert value("forward_kinematics(a[0:2], 'tool')", rows, tools).shape == (9, 7)
    for text, said in (
        (
            "forward_kinematics(a, 'tool')",
            r"tool moves by 2 joints \(j_upper, j_slide\), the expression gives 3 numbers",
        ),
        ("forward_kinematics(a, 'hand')", "arm.urdf has no link 'hand'; it has base, upper"),
    ):
        with pytest.raises(PlanError, match=said):
            value(text, rows, tools)
    with pytest.raises(PlanError, match="give its URDF with --urdf FILE"):
        value("forward_kinematics(a, 'tool')")


def test_names_units_and_frames_follow():
    columns = (
        FeatureColumn("action", "float32", (3,), ("x", "y", "grip")),
        FeatureColumn("state", "float32", (3,), None),
        FeatureColumn("q", "float32", (4,), ("a", "b", "c", "d")),
    )
    texts = {
        "v": "velocity(action)",
        "rel": "relative(action, state)",
        "sub": "action[0:2] - state[0:2]",
        "six": "quat_to_6d(q)",
        "grip": "normalize(action[2], 0, 0.08)",
        "both": "concat(action, q)",
        "odd": "concat(action, action)",
        "neg": "-action",
        "less": "action - state",
        "pick": "where(action > 1, action, 0)",
        "mine": "own(action)",
        "one": "3",
        "w": "v * 2",
    }
    derived = [Derived(key=key, value=text) for key, text in texts.items()]
    tools = Toolbox({"own": np.abs}, about={"functions": "f.py sha256:0"})
    about = meanings_of(derived, meanings(columns, {"action": "rad"}), tools)
    assert (about["v"].names, about["v"].units) == (("x", "y", "grip"), "rad/s")
    assert (about["rel"].names, about["rel"].frame, about["less"].frame) == (("x", "y", "grip"), "state", "state")
    assert about["sub"].names == about["w"].names[:2] == ("x", "y")
    assert about["six"].names == ("r11", "r21", "r31", "r12", "r22", "r32")
    assert (about["grip"].names, about["grip"].units) == (("grip",), "0 to 1")
    assert about["both"].names == ("x", "y", "grip", "a", "b", "c", "d")
    assert (about["odd"].names, about["mine"].names, about["one"].names) == (None, None, None)
    assert about["neg"].names == about["pick"].names == ("x", "y", "grip")
    noted = record(derived, about, tools)
    assert noted["rel"]["inverse"] == {"column": "action", "value": "absolute(rel, state)"}
    assert (noted["mine"]["inverse"], noted["mine"]["with"]) == (None, {"functions": "f.py sha256:0"})
    named = Derived(key="v", value="velocity(action)", names=("p", "q", "r"), units="m/s", frame="base")
    assert meanings_of([named], meanings(columns), NO_TOOLS)["v"] == Meaning(("p", "q", "r"), "m/s", "base", "v")
    assert column_of(named, 3, "float32", Meaning()).names == ("p", "q", "r")
    with pytest.raises(PlanError, match="3 names for 2 numbers"):
        column_of(named, 2, "float32", Meaning())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("b + 1", "there is no b; there are a"),
        ("open('x')", "no function 'open'"),
        ("a +", "is no expression"),
    ],
)
def test_expressions_that_cannot_be_read_are_named(text, said):
    with pytest.raises(PlanError, match="derived column new: ") as caught:
        check_derived([Derived(key="new", value=text)], ["a"], NO_TOOLS)
    assert said in str(caught.value)
    check_derived([Derived(key="new", value="a"), Derived(key="more", value="own(new)")], ["a"], Toolbox({"own": abs}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("log(a - 1)", r"NaN or infinity in 1 row, first in row 0 of an episode"),
        ("1 / (a[0] - 15)", r"NaN or infinity in 1 row, first in row 0 of an episode"),
        ("quat_unit(a)", "a quaternion has 4 numbers"),
        ("quat_unit(concat(a, 0) * 0)", "the quaternion of row 0 has length 0"),
        ("quat_from_6d(a)", "6D has 6 numbers, not 3"),
        ("quat_from_6d(concat(a, a))", "lie along one line"),
        ("quat_from_axis_angle(a[0])", "has 3 numbers, not 1"),
        ("quat_from_euler(a[0], 'xyz')", "Euler angles are 3 numbers, not 1"),
        ("quat_from_euler(a, 'xxy')", "'xxy' is no order of axes"),
        ("quat_from_euler(a, 'xyZ')", "is no order of axes"),
        ("'text'", "makes <U4 (), not numbers"),
        ("a[0:2] + a", "cannot be computed"),
        ("a[a]", "cannot be computed"),
    ],
)
def test_what_cannot_be_computed_is_named_with_its_row(text, said):
    with pytest.raises(PlanError) as caught, np.errstate(all="ignore"):
        value(text)
    assert said in str(caught.value)


def test_an_episode_gets_columns_or_others_in_their_place():
    columns = (
        FeatureColumn("action", "float32", (2,), ("x", "y")),
        FeatureColumn("n", "int64", (1,)),
        FeatureColumn("note", "string", (1,)),
        FeatureColumn("pose", "float32", (2, 2)),
    )
    numbers = pa.array(np.arange(8, dtype=np.float32))
    rows = pa.table(
        {
            "action": pa.FixedSizeListArray.from_arrays(numbers, 2),
            "n": pa.array([1, 2, 3, 4]),
            "note": pa.array(["a"] * 4),
            "pose": pa.array([[[0.0, 1.0], [2.0, 3.0]]] * 4, pa.list_(pa.list_(pa.float32()))),
            "timestamp": pa.array(np.arange(4) / 10, pa.float32()),
            "task": pa.array(["go"] * 4),
        }
    )
    episode = Episode(Ref("mem", "a"), Grid(0, 4, Fraction(10)), rows, columns)
    assert with_derived(episode, (), NO_TOOLS) is episode
    derived = [Derived(key="action", value="delta(action)"), Derived(key="sum", value="sum(action) + n")]
    made = with_derived(episode, derived, NO_TOOLS)
    assert [c.key for c in made.columns] == ["action", "n", "note", "pose", "sum"]
    assert made.columns[0] == columns[0]
    assert made.rows.column("action").to_pylist() == [[2, 2], [2, 2], [2, 2], [0, 0]]
    assert made.rows.column("sum").to_pylist() == [5, 6, 7, 4]
    assert made.rows.column_names[-2:] == ["timestamp", "task"]


def test_a_plan_refuses_names_that_no_computed_column_may_have():
    body = {"fps": 10, "clock": {"timeline": "t"}, "features": {"action": "a"}, "task": "go"}
    for key in ("timestamp", "observation.images.top"):
        with pytest.raises(PlanError, match="no name for a computed column"):
            make_plan({**body, "derived": [{"key": key, "value": "action"}]})
    with pytest.raises(PlanError, match="'text' is not one of float32"):
        make_plan({**body, "derived": [{"key": "x", "value": "action", "dtype": "text"}]})


def test_every_function_that_undoes_another_is_there():
    assert {function.undone_by for function in FUNCTIONS.values()} - {""} <= FUNCTIONS.keys()
