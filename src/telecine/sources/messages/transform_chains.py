"""The pose of a robot's tool in its base where transforms lead there link by link, as robot_state_publisher sends them.

For each side of the robot the tool that is farthest from its base. Each row is composed of the latest transform of
every link; rows for which a link has none yet, or none that is recent, do not exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np

from telecine.core.align import hold, measure
from telecine.core.errors import SourceError
from telecine.core.grid import Rows, Times
from telecine.core.naming import words
from telecine.core.recording import Array, ClockKind, Schema, Stream
from telecine.sources.messages.groups import QUATERNION_NAMES, XYZ
from telecine.sources.messages.transforms import TransformStream

_BASE = frozenset({"base", "link0"})
_TOOL = frozenset({"tool", "tool0", "tcp", "ee", "eef", "flange", "endpoint", "effector"})


def chain_streams(streams: Mapping[str, Stream]) -> Iterator["ChainStream"]:
    """The poses that transforms among `streams` add up to, of tools without a transform straight from the base."""
    links: dict[str, list[TransformStream]] = {}
    for stream in streams.values():
        if isinstance(stream, TransformStream):
            links.setdefault(stream.child, []).append(stream)
    chains: dict[frozenset[str], list[TransformStream]] = {}
    for tool in links:
        chain = _chain(tool, links) if words(tool) & _TOOL else []
        side = words(tool) & {"left", "right", "l", "r"}
        if len(chain) > len(chains.get(side, ())):
            chains[side] = chain
    for chain in chains.values():
        if len(chain) > 1 and any(not link.static for link in chain):
            made = ChainStream(chain)
            if made.name not in streams:
                yield made


def _chain(tool: str, links: Mapping[str, Sequence[TransformStream]]) -> list[TransformStream]:
    """The links from the base to `tool`; none where it does not lead to one, or a frame has two parents."""
    chain: list[TransformStream] = []
    frame = tool
    while len(found := links.get(frame, ())) == 1 and found[0] not in chain:
        if words(frame) & _BASE and not words(found[0].parent) & _BASE:
            break
        chain.insert(0, found[0])
        frame = found[0].parent
    return chain if words(frame) & _BASE else []


class ChainStream:
    """Translation, then rotation as a quaternion x, y, z, w, of the last link's child in the first one's parent.

    At each sample of the link before the tool that changes and is closest to it.
    """

    kind: Literal["vector"] = "vector"
    static = False
    schema = Schema("float64", (7,), (*XYZ, *QUATERNION_NAMES))

    def __init__(self, links: Sequence[TransformStream]) -> None:
        self._links = links
        self._leader = next(link for link in reversed(links) if not link.static)
        topic = self._leader.name.rpartition(":")[0]
        self.name = f"{topic}:{links[0].parent}->{links[-1].child}"

    @cached_property
    def clocks(self) -> Mapping[str, ClockKind]:
        """Those that every link has."""
        moving = [link for link in self._links if not link.static]
        return {name: kind for name, kind in self._leader.clocks.items() if all(name in link.clocks for link in moving)}

    def times(self, clock: str) -> Times:
        """(n,) int64 ns of the samples for which every link has a recent one."""
        return self._leader.times(clock)[self._usable(clock)]

    def backwards(self, clock: str) -> int:
        """As the link that leads."""
        return self._leader.backwards(clock)

    def remarks(self) -> tuple[tuple[str, str], ...]:
        """Those of the links are said of the links."""
        return ()

    def take(self, rows: Rows, clock: str) -> Array:
        """(len(rows), 7) float64."""
        ticks = self.times(clock)[rows]
        pose = np.tile(np.array([0.0, 0, 0, 0, 0, 0, 1]), (len(ticks), 1))
        for link in self._links:
            places = np.zeros(len(ticks), np.int64) if link.static else hold(link.times(clock), ticks, None)
            pose = _composed(pose, link.take(places, clock))
        return pose

    def _usable(self, clock: str) -> Rows:
        if clock not in self.clocks:
            raise SourceError(f"{self.name}: no clock {clock!r}; it has {', '.join(self.clocks)}")
        ticks = self._leader.times(clock)
        good = np.ones(ticks.size, np.bool_)
        for link in self._links:
            if not link.static:
                times = link.times(clock)
                good &= hold(times, ticks, measure(times).auto_limit_ns) >= 0
        return np.flatnonzero(good)


def _composed(first: Array, second: Array) -> Array:
    """(n, 7) poses: `second`, given in the frames of `first`, in the frame that `first` is given in."""
    x, y, z, w = (first[:, i] for i in range(3, 7))
    a, b, c, d = (second[:, i] for i in range(3, 7))
    turn = np.stack([
        w * a + x * d + y * c - z * b, w * b - x * c + y * d + z * a,
        w * c + x * b - y * a + z * d, w * d - x * a - y * b - z * c,
    ], axis=1)  # fmt: skip
    axis, moved = first[:, 3:6], second[:, :3]
    across = 2 * np.cross(axis, moved)
    place = first[:, :3] + moved + w[:, None] * across + np.cross(axis, across)
    return np.concatenate([place, turn / np.maximum(np.linalg.norm(turn, axis=1, keepdims=True), 1e-12)], axis=1)
