"""rerun_export's configuration, and the plan it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from telecine.core.episode import FeatureColumn
from telecine.core.errors import PlanError
from telecine.core.plan.model import IMAGES, Plan, make_plan

DEFAULT_TASK = "task"
"""What rerun_export writes as task where there is no text."""


class VideoSpec(TypedDict):
    """A camera: `path` is its entity, `video_format` h264, hevc (h265) or av1, by default the recording's own.

    index: the timeline of its frames where it is not the configuration's; its stamps must count from the same moment.
    """

    key: str
    path: str
    video_format: NotRequired[str]
    index: NotRequired[str]


class FeatureSpec(TypedDict):
    """An entry of LeRobot's features."""

    dtype: str
    shape: tuple[int, ...]
    names: list[str] | None


@dataclass(frozen=True)
class LeRobotConversionConfig:
    """What to take from a recording; columns are `entity:Archetype:field`, several are concatenated.

    use_videos: False stores PNG images in Parquet. task_default: the text where `task` is empty or holds none.
    output_format: png, h264, hevc or av1 for all cameras; None keeps the source's where LeRobot can store it.
    dataset, segment_id: taken for scripts written when rerun_export needed them; not used.
    """

    fps: int
    index_column: str
    action: str | Sequence[str]
    state: str | Sequence[str]
    task: str | None
    videos: Sequence[VideoSpec]
    use_videos: bool = True
    action_names: Sequence[str] | None = None
    state_names: Sequence[str] | None = None
    task_default: str = DEFAULT_TASK
    dataset: object = None
    segment_id: str | None = None
    output_format: str | None = None

    @property
    def action_columns(self) -> list[str]:
        """The columns of the action."""
        return columns_of(self.action)

    @property
    def state_columns(self) -> list[str]:
        """The columns of the state."""
        return columns_of(self.state)

    @property
    def reference_column(self) -> str:
        """The first column of the action."""
        return self.action_columns[0]

    def camera_index_column(self, spec: VideoSpec) -> str:
        """The timeline that a camera's frames are on."""
        return spec.get("index", self.index_column)

    def get_filter_list(self) -> tuple[list[str], str | None]:
        """(entity paths to read, the entity of the action), as `filter_contents` takes them."""
        columns = [*columns_of(self.action), *columns_of(self.state), *([self.task] if self.task else [])]
        paths = [column.partition(":")[0] for column in columns] + [spec["path"] for spec in self.videos]
        return list(dict.fromkeys(paths)), paths[0] if paths else None


def columns_of(columns: str | Sequence[str]) -> list[str]:
    """One column or several, as a list."""
    return [columns] if isinstance(columns, str) else list(columns)


def sample_column(spec: VideoSpec) -> str:
    """The column that holds a camera's packets; `path` may name it itself."""
    return spec["path"] if ":" in spec["path"] else f"{spec['path']}:VideoStream:sample"


def plan_of(
    config: LeRobotConversionConfig, columns: Mapping[str, FeatureColumn], codecs: Mapping[str, str], *, has_task: bool
) -> Plan:
    """The plan that a configuration means for a dataset with these features.

    codecs: of cameras, by VideoSpec's key. has_task: False when the recording holds no task text, so that
        `task_default` stands in.

    Raises:
        PlanError: naming every mistake.
    """
    cameras = {IMAGES + spec["key"]: spec for spec in config.videos}
    vectors = {"action": config.action, "observation.state": config.state}
    missing = [key for key in (*vectors, *cameras) if key not in columns]
    if missing:
        raise PlanError(f"the dataset's features lack {', '.join(missing)}; make them with infer_features")
    features: dict[str, Any] = {
        key: {"from": columns_of(names), "dtype": columns[key].dtype, "names": columns[key].names}
        for key, names in vectors.items()
    }
    for key, spec in cameras.items():
        video = {"preset": "train", "codec": codecs.get(spec["key"])}
        as_video = columns[key].dtype == "video"
        features[key] = {"from": sample_column(spec), "video": video if as_video else {"preset": "images"}}
    return make_plan(
        {
            "fps": config.fps,
            "clock": {"timeline": config.index_column},
            "features": features,
            "task": {"from": config.task} if config.task and has_task else config.task_default,
        }
    )
