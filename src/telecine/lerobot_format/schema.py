"""What the files of a LeRobot v3.0 dataset hold: info.json and the Arrow schemas. Pure; touches no file.

Written as LeRobot 0.6.1 writes them, key by key and in its order, so that its tools (merge above all, which
compares them) take our datasets for its own.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import pyarrow as pa

from telecine.core.data.arrow import array
from telecine.core.dataclass import dataclass
from telecine.core.depth import DepthScale
from telecine.core.episode import Episode, FeatureColumn
from telecine.core.labels.columns import hugging_face_type, language_type
from telecine.core.stats import STATISTICS
from telecine.core.video import FrameFormat
from telecine.lerobot_format.metadata import EPISODE_COLUMNS, OWN_FILE_COLUMNS, span_columns
from telecine.lerobot_format.paths import DATA_PATH, MIB, VERSION, VIDEO_PATH, Limits

JsonObject = dict[str, Any]

LEAVES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(),
    "uint8": pa.uint8(), "uint16": pa.uint16(), "uint32": pa.uint32(), "uint64": pa.uint64(),
    "float32": pa.float32(), "float64": pa.float64(),
    "string": pa.string(),
}  # fmt: skip
"""LeRobot's dtypes that are stored in Parquet, except frames."""

INDEX_COLUMNS = (
    FeatureColumn("timestamp", "float32", (1,)),
    FeatureColumn("frame_index", "int64", (1,)),
    FeatureColumn("episode_index", "int64", (1,)),
    FeatureColumn("index", "int64", (1,)),
    FeatureColumn("task_index", "int64", (1,)),
)
"""The last five features of every dataset."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
IMAGE_AXES = ["height", "width", "channels"]

FACTS_FIELDS = [
    ("success", pa.bool_()),
    ("outcome", pa.string()),
    ("error_cause", pa.string()),
    ("interrupted", pa.bool_()),
    ("tags", pa.list_(pa.string())),
    ("recording", pa.string()),
    ("part", pa.int64()),
]
"""`EpisodeFacts` as columns of the provenance and of meta/episodes: LeRobot 0.6.1 loads, appends to and merges datasets
whose first file has them. `success` is null where nobody knows it."""

PROVENANCE_SCHEMA = pa.schema(
    [
        ("episode_index", pa.int64()),
        ("source", pa.string()),
        ("recording_id", pa.string()),
        ("source_sha256", pa.string()),
        ("start_ns", pa.int64()),
        ("stop_ns", pa.int64()),
        ("ticks", pa.int64()),
        *FACTS_FIELDS,
        ("plan_digest", pa.string()),
        ("relabelled", pa.bool_()),
        ("tool", pa.string()),
        (
            "cameras",
            pa.list_(
                pa.struct(
                    [
                        ("key", pa.string()),
                        ("copied", pa.bool_()),
                        ("why", pa.string()),
                        ("preroll", pa.int64()),
                        ("frames", pa.int64()),
                    ]
                )
            ),
        ),
    ]
)
"""Where each episode came from: its file and what that held, its span [start_ns, stop_ns) on the recording's clock,
its facts, the plan, whether an edit changed its tasks, and the version of telecine. `preroll` and `frames` say which
frames of a video no row shows."""


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera of the dataset; every episode has it in this format."""

    key: str
    format: FrameFormat
    encoder: Mapping[str, Any] = field(default_factory=dict)
    depth: DepthScale | None = None

    @property
    def in_rows(self) -> bool:
        """True when its frames are stored in Parquet, one by one, instead of in a video."""
        return self.format.codec == "png"


@dataclass(frozen=True, slots=True)
class Features:
    """What every row of the dataset has, in the order of info.json (the index columns follow)."""

    columns: tuple[FeatureColumn, ...]
    cameras: tuple[CameraSpec, ...]

    @property
    def videos(self) -> tuple[CameraSpec, ...]:
        """Cameras stored as video files."""
        return tuple(camera for camera in self.cameras if not camera.in_rows)

    @property
    def images(self) -> tuple[CameraSpec, ...]:
        """Cameras stored in the rows."""
        return tuple(camera for camera in self.cameras if camera.in_rows)

    @property
    def numbers(self) -> tuple[FeatureColumn, ...]:
        """Columns that have statistics, in order, the index columns last."""
        return (
            tuple(column for column in self.columns if column.dtype in LEAVES and column.dtype != "string")
            + INDEX_COLUMNS
        )

    @property
    def measured(self) -> tuple[str, ...]:
        """Keys of everything that has statistics, the cameras last."""
        return tuple(f.key for f in self.numbers) + tuple(camera.key for camera in self.cameras)

    @classmethod
    def of(cls, episode: Episode) -> "Features":
        """What the first episode sets for all that follow."""
        cameras = tuple(CameraSpec(clip.key, clip.format, dict(clip.encoder), clip.depth) for clip in episode.clips)
        return cls(episode.columns, cameras)


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters of info.json."""

    episodes: int
    frames: int
    tasks: int


def info(features: Features, counts: Counts, *, fps: int, robot_type: str | None, limits: Limits) -> JsonObject:
    """meta/info.json, keys in LeRobot's order."""
    entries = {column.key: column_entry(column) for column in features.columns}
    entries |= {camera.key: _camera_entry(camera, fps) for camera in features.cameras}
    entries |= {column.key: column_entry(column) for column in INDEX_COLUMNS}
    return {
        "codebase_version": VERSION,
        "fps": fps,
        "features": entries,
        "total_episodes": counts.episodes,
        "total_frames": counts.frames,
        "total_tasks": counts.tasks,
        "chunks_size": limits.files_per_chunk,
        "data_files_size_in_mb": _mebibytes(limits.data_bytes),
        "video_files_size_in_mb": _mebibytes(limits.video_bytes),
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH if features.videos else None,
        "robot_type": robot_type,
        "splits": {"train": f"0:{counts.episodes}"},
    }


def arrow_type(column: FeatureColumn) -> pa.DataType:
    """Scalar for shape (1,), fixed_size_list for (n,), nested lists for more dimensions."""
    if column.dtype == "language":
        return language_type(column.key)
    leaf = LEAVES[column.dtype]
    if column.shape == (1,):
        return leaf
    if len(column.shape) == 1:
        return pa.list_(pa.field("element", leaf), column.shape[0])
    for _ in column.shape:
        leaf = pa.list_(pa.field("element", leaf))
    return leaf


def data_schema(features: Features) -> pa.Schema:
    """Schema of data/*: every feature but videos, with the types that Hugging Face `datasets` reads."""
    fields = [_arrow_field(column) for column in features.columns]
    fields += [pa.field(camera.key, IMAGE) for camera in features.images]
    fields += [_arrow_field(column) for column in INDEX_COLUMNS]
    hugging: JsonObject = {column.key: hugging_face_entry(column) for column in features.columns}
    hugging |= {camera.key: {"_type": "Image"} for camera in features.images}
    hugging |= {column.key: hugging_face_entry(column) for column in INDEX_COLUMNS}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": hugging}})})


def episodes_schema(features: Features) -> pa.Schema:
    """Schema of meta/episodes/*: one row per episode, its statistics included."""
    fields = [*EPISODE_COLUMNS.items(), *span_columns(camera.key for camera in features.videos).items()]
    frames = {camera.key for camera in features.cameras}
    numbers = [column.key for column in features.numbers]
    own = len(numbers) - len(INDEX_COLUMNS)
    for key in [*numbers[:own], *(camera.key for camera in features.cameras), *numbers[own:]]:
        value = pa.list_(pa.float64())
        if key in frames:
            value = pa.list_(pa.list_(value))
        kinds = {name: pa.list_(pa.int64()) if name == "count" else value for name in STATISTICS}
        fields += [(f"stats/{key}/{name}", kind) for name, kind in kinds.items()]
    fields += [*OWN_FILE_COLUMNS.items(), *FACTS_FIELDS]
    return pa.schema(fields)


def tasks_table(tasks: list[str]) -> pa.Table:
    """meta/tasks.parquet: LeRobot reads it with pandas and needs the task as index, in the order of task_index."""
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    schema = pa.schema([("task_index", pa.int64()), ("task", pa.string())], {"pandas": json.dumps(pandas)})
    return pa.table([array(range(len(tasks)), pa.int64()), array(tasks, pa.string())], schema=schema)


def _mebibytes(size: int) -> int:
    return max(1, -(-size // MIB))


def column_entry(column: FeatureColumn) -> JsonObject:
    """The column in info.json's `features`."""
    names = None if column.names is None else list(column.names)
    return {"dtype": column.dtype, "shape": list(column.shape), "names": names}


def _camera_entry(camera: CameraSpec, fps: int) -> JsonObject:
    frame = camera.format
    entry: JsonObject = {
        "dtype": "image" if camera.in_rows else "video",
        "shape": [frame.height, frame.width, 1 if camera.depth else 3],
        "names": IMAGE_AXES,
    }
    if not camera.in_rows:
        depth = camera.depth
        entry["info"] = {
            **({"depth_unit": depth.unit, **depth.info} if depth else {}),
            "video.height": frame.height,
            "video.width": frame.width,
            "video.codec": frame.codec,
            "video.pix_fmt": frame.pix_fmt,
            "video.fps": fps,
            "video.channels": 1 if frame.pix_fmt.startswith("gray") else 3,
            "has_audio": False,
            **camera.encoder,
            "is_depth_map": depth is not None,
        }
    return entry


def _arrow_field(column: FeatureColumn) -> pa.Field:
    if len(column.shape) == 1:
        return pa.field(column.key, arrow_type(column))
    extension = {
        "ARROW:extension:name": f"datasets.features.features.Array{len(column.shape)}DExtensionType",
        "ARROW:extension:metadata": json.dumps([list(column.shape), column.dtype]),
    }
    return pa.field(column.key, arrow_type(column), metadata=extension)


def hugging_face_entry(column: FeatureColumn) -> JsonObject:
    """The column as the package `datasets` describes it in a file's metadata."""
    if column.dtype == "language":
        return hugging_face_type(column.key)
    if column.shape == (1,):
        return {"dtype": column.dtype, "_type": "Value"}
    if len(column.shape) == 1:
        element = {"dtype": column.dtype, "_type": "Value"}
        return {"feature": element, "length": column.shape[0], "_type": "List"}
    return {"shape": list(column.shape), "dtype": column.dtype, "_type": f"Array{len(column.shape)}D"}
