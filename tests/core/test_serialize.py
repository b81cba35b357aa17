import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.replaced import places, replaced
from telecine.core.data.serialize import from_json, from_plain, to_plain


@dataclass(frozen=True)
class Inner:
    name: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...]
    rate: Fraction
    counts: npt.NDArray[np.int64]
    free: dict[str, Any]
    note: str | None
    by_name: Mapping[str, Inner]
    ready: Any = None
    mean: float = 0.0
    side: Literal["left", "right"] = "left"
    how: Literal["down"] | Literal["up"] = "up"  # as hints of ours that are made of two
    is_whole: bool = True


ARRAYS = (get_type_hints(Outer)["counts"],)
WHOLE = Outer(
    Inner("é", (3, 4)),
    (Inner("a"), Inner("b", (1, 2))),
    Fraction(30000, 1001),
    np.arange(6).reshape(2, 3),
    {"x": [1, 2.5, "t"], "n": np.float32(0.5)},
    None,
    {"left": Inner("l", (5, 6))},
    mean=2,
)


def test_values_come_back_through_json():
    value = WHOLE
    back = from_json(Outer, json.dumps(to_plain(value)))
    assert (back.inner, back.many, back.rate, back.note) == (value.inner, value.many, value.rate, None)
    assert back.by_name == value.by_name
    assert back.counts.dtype == np.int64
    np.testing.assert_array_equal(back.counts, value.counts)
    assert back.free == {"x": [1, 2.5, "t"], "n": 0.5}


def test_fields_that_are_ready_are_taken_and_missing_ones_take_their_default():
    inner = Inner("ready")
    back = from_plain(Inner, {"name": "b"})
    assert back == Inner("b", None)
    body = to_plain(Outer(inner, (), Fraction(1), np.zeros(0, np.int64), {}, "n", {}))
    assert from_plain(Outer, {**body, "inner": inner}).inner is inner
    assert from_plain(Outer, {**body, "rate": Fraction(2, 3)}).rate == Fraction(2, 3)


def test_what_is_not_of_that_type_is_refused():
    with pytest.raises(ValueError, match="unknown: colour"):
        from_plain(Inner, {"name": "a", "colour": 1})
    with pytest.raises(ValueError, match="missing: name"):
        from_plain(Inner, {})
    with pytest.raises(ValueError, match="argument"):
        from_plain(Inner, {"name": "a", "size": [1, 2, 3]})


def kinds():
    """JSON of any type."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def is_of(hint, value):
    """Whether a value that was read is of its type, told without the code that is tested."""
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return isinstance(value, hint) and all(is_of(hints[f.name], getattr(value, f.name)) for f in fields(hint))
    if hint in (Any, *ARRAYS):
        return True
    args = get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(is_of(args[0], entry) for entry in value)
    if get_origin(hint) in (Mapping, dict):
        return isinstance(value, Mapping) and all(is_of(args[1], entry) for entry in value.values())
    if get_origin(hint) is Literal:
        return value in args
    if args:
        return any(is_of(arg, value) for arg in args)
    return isinstance(value, (float, int) if hint is float else hint) and (hint is bool or not isinstance(value, bool))


@given(st.data())
def test_a_document_that_was_changed_is_refused_or_of_its_types(data):
    document = json.loads(json.dumps(to_plain(WHOLE)))
    place = data.draw(st.sampled_from(list(places(document))))
    text = json.dumps(replaced(document, place, data.draw(kinds())))
    try:
        back = from_json(Outer, text)
    except (TypeError, ValueError):
        return
    assert is_of(Outer, back)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[1]", "expected an object, found a list"),
        ("null", "expected an object, found null"),
        ("7", "expected an object, found a whole number"),
        ('"x"', "expected an object, found text"),
        ('{"inner": 3}', "inner: expected an object, found a whole number"),
        ('{"many": {"a": 1}}', "many: expected a list, found an object"),
        ('{"many": [{"name": []}]}', "many.0.name: expected text, found a list"),
        ('{"many": [{"name": "a", "size": [1, true]}]}', "many.0.size.1: expected a whole number, found true or false"),
        ('{"by_name": [1]}', "by_name: expected an object, found a list"),
        ('{"rate": 2.5}', "rate: is no fraction"),
        ('{"rate": "1e99999999"}', "rate: is no fraction"),
        ('{"rate": "1/0"}', "rate: is divided by zero"),
        ('{"counts": [1]}', "counts: expected an object, found a list"),
        ('{"counts": {"dtype": "O", "values": [1]}}', "counts: is no array of numbers"),
        ('{"counts": {"dtype": "int8", "values": [300]}}', "counts: has a number too large for int8"),
        ('{"side": "up"}', "side: is none of left, right"),
        ('{"how": "left"}', "how: is none of up"),
        ('{"mean": "1"}', "mean: expected a number, found text"),
        ("[" * 100_000, "nested too deep"),
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_named_with_its_place(text, error):
    with pytest.raises((TypeError, ValueError), match=re.escape(error)):
        from_json(Outer, text)
