import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from telecine.core.data.serialize import from_plain, to_plain


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


def test_values_come_back_through_json():
    value = Outer(
        Inner("é", (3, 4)),
        (Inner("a"), Inner("b", (1, 2))),
        Fraction(30000, 1001),
        np.arange(6).reshape(2, 3),
        {"x": [1, 2.5, "t"], "n": np.float32(0.5)},
        None,
        {"left": Inner("l", (5, 6))},
    )
    back = from_plain(Outer, json.loads(json.dumps(to_plain(value))))
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


def test_what_is_not_of_that_type_is_refused():
    with pytest.raises(KeyError):
        from_plain(Inner, {"name": "a", "colour": 1})
    with pytest.raises(TypeError):
        from_plain(Inner, {})
    with pytest.raises(ValueError, match="argument"):
        from_plain(Inner, {"name": "a", "size": [1, 2, 3]})
