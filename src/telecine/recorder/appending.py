"""What the dataset that is there asks of what is recorded for it: told before a demonstration, not after it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError, PlanError
from telecine.core.recording import Schema
from telecine.dataset.existing import ExistingDataset
from telecine.lerobot_format.schema import Features
from telecine.recorder.options import RecorderOptions
from telecine.recorder.sample import Sample, described


def options_for(root: Path, options: RecorderOptions, there: ExistingDataset) -> RecorderOptions:
    """The options, with the robot and the names of the dataset where they state none.

    Raises: DatasetError naming all that differs, so that no episode could be added.
    """
    robot, fps = there.info.get("robot_type"), there.info["fps"]
    names = {c.key: c.names for c in there.features.columns if c.names is not None and c.shape == (len(c.names),)}
    keys = {column.key for column in there.features.columns}
    wrong = [] if options.fps == fps else [f"fps={fps}, not {options.fps}"]
    wrong += [] if options.robot_type in (None, robot) else [f"robot_type={robot!r}, not {options.robot_type!r}"]
    wrong += [
        f"{key} named {', '.join(names.get(key, ())) or 'not at all'}, not {', '.join(given)}"
        for key, given in options.names.items()
        if key in keys and tuple(given) != names.get(key)
    ]
    if wrong:
        text = f"{root}: no episode could be added to it: it has {'; '.join(wrong)}"
        raise DatasetError(f"{text}; give what it has, or record into another folder")
    return replace(options, robot_type=robot, names={**names, **options.names})


@dataclass(frozen=True, slots=True)
class Expected:
    """What each feature of the dataset holds. columns: of numbers and texts. frames: (height, width) of cameras."""

    columns: Mapping[str, FeatureColumn]
    frames: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, features: Features) -> "Expected":
        """Of every episode of a dataset with these features."""
        frames = {camera.key: (camera.format.height, camera.format.width) for camera in features.cameras}
        return cls({column.key: column for column in features.columns}, frames)

    def check(self, sample: Sample, *, scaled: bool) -> None:
        """Nothing, when the dataset can take such samples. scaled: frames get another size. Raises: PlanError."""
        key, schema = sample.stream.name, sample.stream.schema
        column, frame = self.columns.get(key), self.frames.get(key)
        if column is None and frame is None:
            listed = ", ".join([*self.columns, *self.frames])
            raise PlanError(f"{key}: the dataset has no such feature, only {listed}; this sample was not taken")
        if sample.is_frame:
            fits, there = scaled or frame is None or schema.shape[:2] == frame, f"frames of {frame}"
        else:
            fits = column is None or sample.array is None or _fits(schema, column)
            there = "" if column is None else f"{column.dtype} {column.shape}"
        if not fits:
            text = f"{key}: got {described(sample.stream)}, the dataset has {there}"
            raise PlanError(f"{text}; this sample was not taken")


def _fits(schema: Schema, column: FeatureColumn) -> bool:
    return schema.shape == column.shape and _kind(schema.dtype) == _kind(column.dtype)


def _kind(dtype: str) -> str:
    """Of numbers: f for floats, i for whole ones."""
    return "f" if dtype.startswith("float") else "i" if dtype.strip("u").startswith("int") else dtype
