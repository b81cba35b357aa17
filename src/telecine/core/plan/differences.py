"""In which keys two plans differ, as people name them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

_SHOWN = 3


def plan_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The first keys in which plans differ that are given as plain values, of two that are not the same.

    >>> plan_differences({"fps": 15, "task": {"constant": "a"}}, {"fps": 9, "task": {"constant": "a"}})
    'fps is 15 there, 9 here'
    """
    found = list(_differences(there, here, ""))
    if not found:
        return "the order of its features is another"
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], place: str) -> Iterator[str]:
    for key in [*there, *(key for key in here if key not in there)]:
        one, other = there.get(key), here.get(key)
        name = f"{place}.{key}" if place else key
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, name)
        elif one != other:
            is_short = not any(isinstance(value, Mapping | list) for value in (one, other))
            yield f"{name} is {_text(one)} there, {_text(other)} here" if is_short else f"{name} is another"


def _text(value: Any) -> str:
    return "not given" if value is None else f"{value!r}" if isinstance(value, str) else f"{value}"
