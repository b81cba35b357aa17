"""Dataclasses that are cheap to define behave as the standard library's do."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field
from functools import cached_property
from typing import Any

import pytest

from telecine.core.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Ours:
    """Of all kinds of fields."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list)
    secret: str = field(default="s", repr=False)
    aside: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError(f"a is {self.a}")


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same by the standard library."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list)
    secret: str = field(default="s", repr=False)
    aside: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError(f"a is {self.a}")


@dataclass(frozen=True, eq=False, slots=True)
class Itself:
    """Equal only to itself."""

    a: int


@dataclass(frozen=True, slots=True)
class Hashed:
    """One field, and a hash and a text of its own."""

    a: int

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "mine"


@dataclass(frozen=True, slots=True)
class Given:
    """With a beginning of its own."""

    a: int

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "a", int(text))


@dataclass(frozen=True, slots=True)
class Named:
    """A field that is only given by name, and one that is not given."""

    a: int
    b: int = field(default=2, kw_only=True)
    c: list[int] = field(default_factory=list, init=False)


@dataclass(frozen=True, slots=True)
class Many:
    """More are made than without compiling."""

    a: int
    b: int = 5


class Opened(Ours):
    """A plain class of one: it has a `__dict__`."""

    @cached_property
    def twice(self) -> int:
        return 2 * self.a


@dataclass(slots=True)
class Changing:
    """Not frozen: the standard library's."""

    a: int = 0


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((1,), {}), ((1, "y", [2]), {"aside": 5}), ((), {"a": 3})]


@pytest.mark.parametrize(("given", "named"), ARGUMENTS)
def test_values_text_and_signature_are_those_of_the_standard_library(given, named):
    ours, theirs = Ours(*given, **named), Theirs(*given, **named)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert [*inspect.signature(Ours).parameters] == [*inspect.signature(Theirs).parameters]
    assert Ours.__match_args__ == Theirs.__match_args__
    assert Ours.__init__.__annotations__ == Theirs.__init__.__annotations__


def test_a_signature_is_known_before_the_first_instance_and_in_a_class_of_it():
    assert [*inspect.signature(Itself).parameters] == ["a"]
    assert [*inspect.signature(Opened).parameters] == [*inspect.signature(Ours).parameters]


def test_an_init_of_its_own_is_left():
    assert Given("3").a == 3
    assert [*inspect.signature(Given).parameters] == ["text"]


def test_equality_is_of_one_class_and_of_the_fields_that_compare():
    assert Ours(1) == Ours(1, aside=9) != Ours(2)
    assert Ours(1) != Theirs(1)
    assert Itself(1) != Itself(1)
    assert (hash(Hashed(1)), repr(Hashed(1)), Hashed(1) == Hashed(1)) == (7, "mine", True)
    assert len({Itself(1), Itself(1)}) == 2
    with pytest.raises(TypeError):
        hash(Ours(1))  # of a list, as the standard library's


def test_fields_by_name_alone_are_those_of_the_standard_library():
    made = Named(1, b=3)
    assert (made.a, made.b, made.c) == (1, 3, [])
    with pytest.raises(TypeError):
        Named(1, 3)


def test_the_first_of_many_are_as_the_last():
    made = [Many(k) if k % 2 else Many(a=k, b=5) for k in range(1000)]
    assert [(one.a, one.b) for one in made] == [(k, 5) for k in range(1000)]
    assert not hasattr(made[0], "__dict__")
    assert {repr(Many(3)), repr(made[3])} == {"Many(a=3, b=5)"}


def test_defaults_are_made_for_each_and_what_is_wrong_is_refused():
    assert Ours(1).c is not Ours(1).c
    with pytest.raises(ValueError, match="a is -1"):
        Ours(-1)
    for wrong in ({}, {"a": 1, "z": 2}):
        with pytest.raises(TypeError):
            Ours(**wrong)


def test_nothing_can_be_set_or_deleted():
    for made, name in ((Ours(1), "a"), (Opened(1), "b")):
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(made, name)
    with pytest.raises(AttributeError):
        Ours(1).other = 2
    with pytest.raises(AttributeError):
        del Ours(1).other
    assert not hasattr(Ours(1), "__dict__")
    assert Opened(4).twice == 8


def test_copies_pickles_and_replacements_are_equal():
    made = Ours(1, "y", [3])
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == dataclasses.replace(made, a=1) == made
    assert dataclasses.replace(made, b="z").b == "z"


def test_what_is_not_frozen_is_as_before():
    made = Changing()
    made.a = 3
    assert made == Changing(3)
