"""A group whose members are open already: layouts ask for the same ones many times, and h5py opens them each time."""

from collections.abc import Iterator, Mapping
from typing import Any


class KnownGroup:
    """A group, or the file, that gives what it knows of what is below it, and else asks h5py."""

    def __init__(self, group: Any, known: Mapping[str, Any], above: str = "") -> None:
        """known: path below the group that was walked -> member. above: the path of `group` there, "" or with "/"."""
        self._group, self._known, self._above = group, known, above

    def __getitem__(self, name: Any) -> Any:
        found = self._known.get(self._above + name) if isinstance(name, str) else None
        if found is None:
            return self._group[name]
        if isinstance(found, KnownGroup):
            return found
        return KnownGroup(found, self._known, f"{self._above}{name}/") if hasattr(found, "keys") else found

    def get(self, name: str, default: Any = None) -> Any:
        """The member, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: str) -> bool:
        return self._above + name in self._known or name in self._group

    def __iter__(self) -> Iterator[str]:
        return iter(self._group)

    def __len__(self) -> int:
        return len(self._group)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)
