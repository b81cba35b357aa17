"""rerun_export's two functions: features from a table, and an episode from a data frame."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from telecine.compat.config import FeatureSpec, LeRobotConversionConfig, columns_of, plan_of, sample_column
from telecine.compat.frames import parse_features
from telecine.compat.lerobot_dataset import LeRobotDataset
from telecine.compat.table import DataFrame, read, recording_of
from telecine.conversion.report import EpisodeReport
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import PlanError
from telecine.core.plan.model import IMAGES
from telecine.core.recording import Codec, MemoryStream
from telecine.core.streams.from_keyframe import FromKeyframe, from_first_keyframe
from telecine.core.text.numbers import counted
from telecine.video.decode import frames


def infer_features(*, table: pa.Table, config: LeRobotConversionConfig) -> dict[str, FeatureSpec]:
    """LeRobot's features for what the configuration takes from the table; a camera's size by decoding a frame.

    Raises:
        PlanError: (a ValueError) columns are missing or of the wrong kind, or names do not fit.
        SourceError: the rows of a column differ in width. VideoError: a camera's first frame cannot be decoded.
    """
    streams = recording_of(table, config, "table").streams
    features: dict[str, FeatureSpec] = {}
    for key, columns, names in (
        ("action", config.action, config.action_names),
        ("observation.state", config.state, config.state_names),
    ):
        width = sum(streams[name].schema.shape[0] for name in columns_of(columns))
        if names is not None and len(names) != width:
            raise PlanError(f"{key}: {counted(len(names), 'name')} for {counted(width, 'number')}")
        features[key] = {"dtype": "float32", "shape": (width,), "names": None if names is None else list(names)}
    for spec in config.videos:
        features[IMAGES + spec["key"]] = {
            "dtype": "video" if config.use_videos else "image",
            "shape": _shape(streams[sample_column(spec)], config.index_column),
            "names": ["height", "width", "channels"],
        }
    return features


def _shape(stream: MemoryStream, clock: str) -> tuple[int, int, int]:
    """(height, width, 3) of the first frame that can be decoded."""
    codec = next(c for c in get_args(Codec) if c == stream.schema.encoding)
    undecodable, index = from_first_keyframe(index_packets(stream.packets(clock), codec))
    (frame,) = frames(FromKeyframe(stream, undecodable), np.zeros(1, np.int64), clock, index=index)
    return frame.height, frame.width, 3


def convert_dataframe_to_episode(
    df: DataFrame,
    config: LeRobotConversionConfig,
    *,
    lerobot_dataset: LeRobotDataset,
    segment_id: str,
    features: Mapping[str, Mapping[str, Any]],
) -> EpisodeReport:
    """Add one segment of a catalog reader's frame to the dataset, resampled to its fps; what was done.

    df: as `reader(index=...)` gives it, on its own stamps; if it holds several segments, `segment_id` picks one.
    features: those the dataset was created with.

    Raises:
        TelecineError: the segment cannot be used; nothing of it is written, and the next one can be added.
    """
    declared, given = (
        {c.key: c.shape for c in columns} for columns in (lerobot_dataset.columns, parse_features(features))
    )
    if declared != given:
        raise PlanError(f"features are not those the dataset was created with: {given}, not {declared}")
    if config.fps != lerobot_dataset.fps:
        raise PlanError(f"the configuration has {config.fps} fps, the dataset {lerobot_dataset.fps}")
    recorded = recording_of(read(df, config, segment_id), config, segment_id)
    codecs = lerobot_dataset.codecs
    if not lerobot_dataset.num_episodes:
        codecs = {spec["key"]: str(recorded.streams[sample_column(spec)].schema.encoding) for spec in config.videos}
    columns = {column.key: column for column in lerobot_dataset.columns}
    plan = plan_of(config, columns, codecs, has_task=config.task in recorded.streams)
    report = lerobot_dataset.add(recorded.recording(), plan)
    lerobot_dataset.codecs = codecs
    return report
