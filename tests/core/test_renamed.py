"""Names are replaced wherever they stand in a value, and nothing else changes."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import SourceError
from telecine.core.text.numbers import bytes_in
from telecine.core.text.renamed import rename_error, renamed

NAMES = {"copy/": "s3://b/"}


@dataclass(frozen=True)
class Inner:
    path: str
    count: int = 0


@dataclass(frozen=True)
class Outer:
    inner: Inner
    listed: list = field(default_factory=list)
    made: str = field(default="copy/x", init=False)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="abc/:", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
def test_what_holds_no_such_name_is_given_back_itself(value):
    assert renamed(value, NAMES) is value


def test_names_are_replaced_in_everything():
    value = {"copy/k": (1, ["copy/a"], {"copy/s"}, frozenset({"copy/f"})), "k": Outer(Inner("copy/p", 2), ["copy/l"])}
    changed = renamed(value, NAMES)
    assert changed["s3://b/k"] == (1, ["s3://b/a"], {"s3://b/s"}, frozenset({"s3://b/f"}))
    assert (changed["k"].inner, changed["k"].listed) == (Inner("s3://b/p", 2), ["s3://b/l"])
    assert renamed({"copy/k": 1}, NAMES) == {"s3://b/k": 1}
    assert renamed(Inner, NAMES) is Inner
    same = Outer(Inner("p"), ["l"])
    assert renamed(same, NAMES) is same


def test_an_error_and_its_notes_are_changed_in_place():
    error = SourceError("copy/x: cannot be read")
    rename_error(error, NAMES)
    assert str(error) == "s3://b/x: cannot be read"
    error.add_note("see copy/y")
    rename_error(error, NAMES)
    assert error.__notes__ == ["see s3://b/y"]


def test_sizes_are_read_as_people_write_them():
    assert [bytes_in(t) for t in ("8GB", "500 MiB", "2g", "7", "x", "1EB")] == [
        8 * 10**9, 500 << 20, 2 * 10**9, 7, None, None
    ]  # fmt: skip


def test_without_names_nothing_is_looked_at():
    @dataclass
    class Unread:
        text: str

        def __getattribute__(self, name):
            assert name != "text"
            return super().__getattribute__(name)

    value = Unread("copy/k")
    assert renamed(value, {}) is value
    with pytest.raises(AssertionError):
        renamed(value, NAMES)
