"""Which streams of a Minari episode are state, action and cameras, whatever files it is in."""

from collections.abc import Mapping

from telecine.core.naming import camera_name
from telecine.core.plan.model import IMAGES

_OBSERVATIONS, _ACTIONS = "/observations", "/actions"
_OWN = f"{_OBSERVATIONS}/observation"
"""Environments with goals keep what the robot senses under that name, beside `desired_goal` and `achieved_goal`."""


def minari_features(kinds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Feature key -> streams; kinds: name of a stream -> its kind.

    >>> minari_features({"/observations": "vector", "/actions": "vector", "/terminations": "vector"})
    {'observation.state': ('/observations',), 'action': ('/actions',), 'next.done': ('/terminations',)}
    """
    below = [name for name in kinds if name == _OBSERVATIONS or name.startswith(f"{_OBSERVATIONS}/")]
    vectors = tuple(name for name in below if kinds[name] == "vector" and not name.endswith("_goal"))
    found = {
        "observation.state": (_OWN,) if _OWN in vectors else vectors,
        "action": tuple(n for n in kinds if kinds[n] == "vector" and (n == _ACTIONS or n.startswith(f"{_ACTIONS}/"))),
        "next.reward": ("/rewards",) if "/rewards" in kinds else (),
        "next.done": ("/terminations",) if "/terminations" in kinds else (),
        **{IMAGES + camera_name(n.rpartition("/")[2]): (n,) for n in below if kinds[n] == "image"},
    }
    return {key: names for key, names in found.items() if names}
