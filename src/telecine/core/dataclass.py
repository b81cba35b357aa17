"""Frozen dataclasses with slots that cost little to define: what a conversion loads defines two hundred of them.

The standard library compiles six methods for each class, used or not, which was a quarter of the time to start.
Here all classes share them but `__init__`, which is compiled for those of which many instances are made.
"""

import dataclasses
import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, FrozenInstanceError, fields
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # what type checkers and editors know
else:

    def dataclass(*, eq=True, **how):
        """As `dataclasses.dataclass`, which still makes those that are not both frozen and with slots."""
        if how != {"frozen": True, "slots": True}:
            return dataclasses.dataclass(eq=eq, **how)
        return _comparing_fields if eq else _with_identity


def _with_identity(kind: type) -> type:
    """The class with slots, whose instances are equal only to themselves."""
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(kind)
    if "__init__" not in vars(made):
        _add(made, {"__init__": _first_init(made), "__signature__": _Signature(made)})
    _add(made, _SHARED)
    return made


def _comparing_fields(kind: type) -> type:
    """The class with slots; instances are equal when they are of one class and so are all fields that compare."""
    made = _with_identity(kind)
    names = [field.name for field in fields(made) if field.compare]
    values: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else partial(_few_values, names)

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    _add(made, {"__eq__": equal, "__hash__": hashed})
    return made


def _few_values(names: list[str], instance: Any) -> tuple[Any, ...]:
    return tuple(getattr(instance, name) for name in names)


def _add(kind: type, methods: dict[str, Any]) -> None:
    """What the class does not define itself."""
    for name, method in methods.items():
        if vars(kind).get(name) is None:  # a class with an `__eq__` of its own has None as its hash
            setattr(kind, name, method)


_FEW = 300
"""So many instances are made without compiling: each takes some 1 us more to set field by field, compiling 370 us."""


def _first_init(kind: type) -> Callable[..., None]:
    """An `__init__` that takes the fields one by one, and puts the compiled one in its place when there are many."""
    every = fields(kind)
    in_order = all(field.init and not field.kw_only for field in every)
    ends = hasattr(kind, "__post_init__")
    made_so_far = 0

    def init(self: Any, *given: Any, **named: Any) -> None:
        nonlocal made_so_far
        made_so_far += 1
        if made_so_far > _FEW or not in_order:
            kind.__init__ = made = _init(kind)  # type: ignore[misc]
            return made(self, *given, **named)
        values = [*given]
        for field in every[len(given) :]:
            if field.name in named:
                values.append(named.pop(field.name))
            elif field.default is not MISSING:
                values.append(field.default)
            elif field.default_factory is not MISSING:
                values.append(field.default_factory())
            else:
                break
        if named or len(values) != len(every):  # the compiled one says what is wrong
            return _init(kind)(self, *values, **named)
        for field, value in zip(every, values, strict=True):
            object.__setattr__(self, field.name, value)
        if ends:
            self.__post_init__()
        return None

    init.__annotations__ = {**{field.name: field.type for field in every}, "return": None}
    return init


def _init(kind: type) -> Callable[..., None]:
    """What the standard library makes for a class with these fields."""
    own = {"__post_init__": kind.__post_init__} if hasattr(kind, "__post_init__") else {}
    parts = [(field.name, field.type, copy(field)) for field in fields(kind)]
    twin = dataclasses.make_dataclass(kind.__name__, parts, namespace=own, frozen=True, repr=False, eq=False)
    made: Callable[..., None] = vars(twin)["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made


class _Signature:
    """What `inspect.signature` and `help` say of a class: its true parameters."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __get__(self, instance: object, kind: Any) -> inspect.Signature:
        own = vars(self._kind)["__init__"]
        whole = inspect.signature(_init(self._kind) if kind.__init__ is own else kind.__init__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])


def _repr(self: Any) -> str:
    shown = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _setattr(self: Any, name: str, value: object) -> None:
    if name in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delattr(self: Any, name: str) -> None:
    if name in self.__dataclass_fields__:
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED = {
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
