"""Names in values replaced, wherever they stand: what was read from a local copy gets its address. Pure."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")


def renamed(value: T, names: Mapping[str, str]) -> T:
    """The value, each key of `names` in its texts replaced; in lists, tuples, dicts and dataclasses, too.

    What has nothing to replace is given back itself; without `names` nothing is looked at.

    >>> renamed(("a copy/x.mcap", {"where": "a copy/y"}), {"a copy/": "s3://bucket/"})
    ('s3://bucket/x.mcap', {'where': 's3://bucket/y'})
    """
    found: Any = _renamed(value, names) if names else value
    result: T = found
    return result


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
        return value
    if type(value) in (list, tuple, set, frozenset):
        parts = [_renamed(part, names) for part in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else type(value)(parts)
    if type(value) is dict:
        pairs = {_renamed(key, names): _renamed(part, names) for key, part in value.items()}
        same = all(new is old for new, old in zip(pairs.values(), value.values(), strict=True))
        return value if same and list(pairs) == list(value) else pairs
    if is_dataclass(value) and not isinstance(value, type):
        given = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        changed = {name: new for name, part in given.items() if (new := _renamed(part, names)) is not part}
        return replace(value, **changed) if changed else value
    return value


def rename_error(error: BaseException, names: Mapping[str, str]) -> None:
    """The same of an error's message and notes, in place."""
    error.args = tuple(_renamed(part, names) for part in error.args)
    notes = getattr(error, "__notes__", None)
    if notes:
        notes[:] = [_renamed(note, names) for note in notes]
