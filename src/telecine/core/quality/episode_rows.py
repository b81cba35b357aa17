"""The numbers of one episode that its checks look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telecine.core.stats import Floats

STATE, ACTION = "observation.state", "action"
FEWEST_ROWS = 24
"""Shorter episodes have too little motion to tell what is usual in them."""
GRIPPERS = ("grip", "finger", "jaw", "claw")


@dataclass(frozen=True, eq=False, slots=True)
class EpisodeNumbers:
    """One episode's rows. values: key -> (n, width) float64, finite. names: key -> width of them."""

    episode: int
    fps: int
    values: Mapping[str, Floats]
    names: Mapping[str, Sequence[str]]

    @property
    def moving(self) -> tuple[str, ...]:
        """Keys of state and action, as far as they are there."""
        return tuple(key for key in (STATE, ACTION) if key in self.values)

    @property
    def where(self) -> str:
        """As findings name it."""
        return f"episode {self.episode}"


def is_gripper(name: str) -> bool:
    """True for names of grippers and fingers.

    >>> is_gripper("left_gripper.pos"), is_gripper("elbow")
    (True, False)
    """
    return any(part in name.lower() for part in GRIPPERS)
