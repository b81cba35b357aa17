"""Expressions: a closed grammar that computes what it says and runs nothing."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import PlanError
from telecine.core.text.expressions import LONGEST, parse_expression

NAMES = frozenset({"rows", "success", "outcome", "tags", "task", "action", "observation.state"})
FACTS = {"rows": 31, "success": None, "outcome": "dropped", "tags": ("good", "retry"), "task": "pick the cube"}


def value(text, values=FACTS, functions=None):
    return parse_expression(text, NAMES, functions or {})(values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rows >= 30", True),
        ("30 < rows <= 31", True),
        ("30 < rows < 31", False),
        ("success == true", False),
        ("success == unknown and success != false", True),
        ("success == null", True),
        ("success >= 1", False),
        ("not success", True),
        ("outcome == 'dropped' or rows < 0", True),
        ('"retry" in tags and "bad" not in tags', True),
        ("outcome in ('dropped', 'slipped')", True),
        ("outcome in unknown", False),
        ("'cube' in task", True),
        ("rows // 2 + rows % 2 - -rows * 2 == 15 + 1 + 62", True),
        ("+rows / 2 == 15.5", True),
        ("[1, 2] == [1, 2]", True),
    ],
)
def test_facts_of_an_episode_are_compared(text, expected):
    assert value(text) is expected


def test_columns_are_computed_row_by_row():
    rows = {"action": np.arange(12.0).reshape(4, 3), "observation.state": np.ones((4, 3))}
    assert value("action[1] - observation.state[0]", rows).tolist() == [0, 3, 6, 9]
    assert value("action[0:2]", rows).shape == (4, 2)
    assert value("action[::2]", rows).tolist() == rows["action"][:, ::2].tolist()
    assert value("not (action[0] > 3) and observation.state[1] == 1 or action[2] == 11", rows).tolist() == [
        True, True, False, True,
    ]  # fmt: skip
    assert value("double(action[0])", rows, {"double": lambda x: 2 * x}).tolist() == [0, 6, 12, 18]


def test_what_it_needs_is_known_before_it_is_computed():
    assert parse_expression("observation.state[0] > rows", NAMES).names == {"observation.state", "rows"}
    assert parse_expression("f(rows)", NAMES, {"f": abs}).names == {"rows"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rows >", "is no expression"),
        ("", "is no expression"),
        ("rows = 3", "is no expression"),
        ("\0", "is no expression"),
        ("length > 3", "there is no length; there are action"),
        ("rows.bit_length", "there is no rows.bit_length"),
        ("open('x')", "no function 'open'"),
        ("__import__('os')", "no function '__import__'"),
        ("(1).real", "Attribute has no meaning"),
        ("task.upper()", "Call has no meaning"),
        ("f(x=1)", "Call has no meaning"),
        ("9 ** 9 ** 9", "BinOp has no meaning"),
        ("rows @ rows", "BinOp has no meaning"),
        ("1 << 99", "BinOp has no meaning"),
        ("rows is rows", "Is has no meaning"),
        ("lambda: 1", "Lambda has no meaning"),
        ("[x for x in tags]", "ListComp has no meaning"),
        ("{1: 2}", "Dict has no meaning"),
        ("f'{rows}'", "JoinedStr has no meaning"),
        ("b'x' in tags", "Constant has no meaning"),
        ("(rows := 1)", "NamedExpr has no meaning"),
        ("~rows", "Invert has no meaning"),
        ("1j", "Constant has no meaning"),
        ("-" * 60 + "rows", "nested more than"),
        ("(" * 500 + "rows" + ")" * 500, "is no expression"),
        ("rows" + " " * LONGEST, "characters"),
    ],
)
def test_what_is_not_in_the_grammar_is_refused(text, why):
    with pytest.raises(PlanError, match=why):
        value(text)


@pytest.mark.parametrize(
    "text",
    [
        "rows / 0",
        "outcome < 3",
        "rows['a']",
        "rows in 3",
        "action[9]",
        "'x' * 999999999",
        "'%999999999d' % 1",
        "[1] * 999999999",
    ],
)
def test_operands_that_do_not_go_together_are_named(text):
    with pytest.raises(PlanError, match="cannot be computed"):
        value(text, {**FACTS, "action": np.zeros((2, 3))})


@given(st.text(max_size=80))
def test_no_text_ends_in_another_error(text):
    with contextlib.suppress(PlanError):
        value(text)


@given(st.integers(-99, 99), st.integers(-99, 99), st.booleans())
def test_it_computes_what_python_computes(a, b, c):
    text = "rows + 2 * 3 > 4 and success or not success and rows != 7"
    values = {"rows": a, "success": c}
    assert bool(value(text, values)) is bool((a + 2 * 3 > 4 and c) or (not c and a != 7))
