"""What a new dataset takes from those that are there: episodes or parts of them, features, tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from telecine.core.derive.functions import NO_TOOLS, Toolbox
from telecine.core.edit.model import CameraEdit
from telecine.core.edit.resolve import OutputEpisode
from telecine.core.episode import FeatureColumn
from telecine.core.plan.derived import Derived
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.metadata import EpisodeMeta


@dataclass(frozen=True, eq=False, slots=True)
class Selection:
    """The inputs, and what becomes of them."""

    inputs: tuple[Dataset, ...]
    episodes: tuple[OutputEpisode, ...]
    """Of the new dataset, in order; `source` is (input, episode)."""
    keys: tuple[Mapping[str, str], ...]
    """For each input, key there -> key in the new dataset, of every feature that is taken, in info.json's order."""
    tasks: Mapping[str, str] = field(default_factory=dict)
    """Old task text -> new one."""
    cameras: Mapping[str, CameraEdit] = field(default_factory=dict)
    """By new key: cameras whose frames are all re-encoded."""

    label_texts: Mapping[str, str] = field(default_factory=dict)
    """Old text of labels -> new one."""
    derived: tuple[Derived, ...] = ()
    """Columns computed from those of the inputs, under their keys there."""
    derived_columns: tuple[FeatureColumn, ...] = ()
    """What they are, in the same order."""
    tools: Toolbox = NO_TOOLS
    """What their expressions may use."""

    def facts(self, episode: OutputEpisode) -> EpisodeMeta:
        """The metadata of the input's episode that this one was."""
        return self.inputs[episode.source[0]].episodes[episode.source[1]]

    def is_whole(self, episode: OutputEpisode) -> bool:
        """True when all of the source episode stays."""
        return (episode.start, episode.stop) == (0, self.facts(episode).length)

    @property
    def rewrites_labels(self) -> bool:
        """True when texts of labels, or the keys of cameras that labels name, are others than in the inputs."""
        cameras = (
            keys.get(key, key) != key for d, keys in zip(self.inputs, self.keys, strict=True) for key in d.cameras
        )
        return bool(self.label_texts) or any(cameras)

    def source_key(self, number: int, key: str) -> str:
        """The key in input `number` of what the new dataset calls `key`."""
        return next(old for old, new in self.keys[number].items() if new == key)


def facts_of(episode: OutputEpisode) -> dict[str, Any]:
    """The facts of an episode that the edit states, as columns have them."""
    said: dict[str, Any] = {}
    if episode.success is not None:
        said["success"] = episode.success if isinstance(episode.success, bool) else None
    if episode.outcome is not None:
        said["outcome"] = episode.outcome
    if episode.tags is not None:
        said["tags"] = list(episode.tags)
    return said
