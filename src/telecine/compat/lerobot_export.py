"""rerun-lerobot's functions that convert a whole dataset: recordings in a folder, or on a catalog server.

They return telecine's report, and refuse an output that exists. A recording that cannot be used costs only itself: it
is in the report and in the log. If none can be used, that is an error.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine.compat.config import DEFAULT_TASK, LeRobotConversionConfig, VideoSpec
from telecine.conversion.discovery import ChosenEpisodes, find
from telecine.conversion.pipeline import Options, convert
from telecine.conversion.report import Report
from telecine.core.errors import DatasetError, PlanError, SourceError
from telecine.core.plan.bind import find_stream
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.text.numbers import counted
from telecine.sources import registry
from telecine.sources.rrd.catalog import dataset_url as address_of

_LOG = logging.getLogger("telecine.compat")
FORMATS = ("png", "h264", "hevc", "av1")


def convert_rrd_dataset_to_lerobot(
    *,
    rrd_dir: str | Path,
    output_dir: str | Path,
    config: LeRobotConversionConfig,
    dataset_name: str = "rrd_dataset",
    repo_id: str | None = None,
    segments: Sequence[str] | None = None,
    max_segments: int | None = None,
) -> Report:
    """The recordings in a folder as a dataset; dataset_name and repo_id change nothing in it.

    Raises:
        PlanError: (a ValueError) it is no folder, or the configuration does not fit.
        TelecineError: the output exists, or no recording can be used.

    >>> convert_rrd_dataset_to_lerobot(rrd_dir="recordings", output_dir="out", config=config)  # doctest: +SKIP
    """
    del dataset_name, repo_id
    if not Path(rrd_dir).is_dir():
        raise PlanError(f"{rrd_dir} is not a folder")
    return _converted(rrd_dir, output_dir, config, Options(select=_selection(segments, max_segments)))


def convert_catalog_dataset_to_lerobot(
    *,
    catalog_url: str,
    dataset_name: str,
    output_dir: str | Path,
    config: LeRobotConversionConfig,
    repo_id: str | None = None,
    token: str | None = None,
    segments: Sequence[str] | None = None,
    max_segments: int | None = None,
) -> Report:
    """A dataset on a catalog server, by its name. Raises: see `convert_rrd_dataset_to_lerobot`."""
    del repo_id
    options = Options(token=token, select=_selection(segments, max_segments))
    return _converted(address_of(catalog_url, dataset_name), output_dir, config, options)


def convert_dataset_url_to_lerobot(
    *,
    dataset_url: str,
    output_dir: str | Path,
    config: LeRobotConversionConfig,
    repo_id: str | None = None,
    token: str | None = None,
    segments: Sequence[str] | None = None,
    max_segments: int | None = None,
) -> Report:
    """The dataset at an address, rerun://host:port/entry/ID. Raises: see `convert_rrd_dataset_to_lerobot`."""
    del repo_id
    options = Options(token=token, select=_selection(segments, max_segments))
    return _converted(dataset_url, output_dir, config, options)


def convert_dataset_to_lerobot(
    dataset: Any,
    *,
    output_dir: str | Path,
    config: LeRobotConversionConfig,
    repo_id: str | None = None,
    segments: Sequence[str] | None = None,
    max_segments: int | None = None,
) -> Report:
    """A dataset that the program is connected to, a `rerun.catalog.DatasetEntry` of a server without a token.

    Raises: see `convert_rrd_dataset_to_lerobot`.
    """
    del repo_id
    path = address_of(str(dataset.catalog.url), str(dataset.name))
    return _converted(path, output_dir, config, Options(select=_selection(segments, max_segments)))


def _selection(segments: Sequence[str] | None, most: int | None) -> ChosenEpisodes:
    return ChosenEpisodes(tuple(segments or ()), most)


def _converted(path: str | Path, output: str | Path, config: LeRobotConversionConfig, options: Options) -> Report:
    if Path(output).exists():
        raise PlanError(f"the output {output} exists already")
    report = convert([path], output, export_plan(config, path, token=options.token), options)
    for item in report.rejected:
        _LOG.warning("%s was not converted: %s", item.recording, item.reason.message)
    if not report.episodes:
        why = report.rejected[0].reason.message if report.rejected else "max_segments leaves none"
        raise DatasetError(f"{output}: none of {counted(len(report.rejected), 'recording')} could be converted: {why}")
    return report


def export_plan(
    config: LeRobotConversionConfig, path: str | Path, *, token: str | None, rate: str | None = None
) -> Plan:
    """The plan that a configuration means for the recordings at `path`. Raises: PlanError naming every mistake."""
    problems = []
    if config.output_format not in (None, *FORMATS):
        problems.append(f"output_format {config.output_format!r} is not one of {', '.join(FORMATS)}")
    keys = [spec["key"] for spec in config.videos]
    problems += [f"videos: {key!r} is given twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]
    if problems:
        raise PlanError("; ".join(problems))
    png = _png_cameras(config.videos, path, token) if config.output_format is None and config.use_videos else set()
    features: dict[str, Any] = {
        key: {"from": columns, "dtype": "float32", "names": names}
        for key, columns, names in (
            ("action", config.action_columns, config.action_names),
            ("observation.state", config.state_columns, config.state_names),
        )
    }
    for spec in config.videos:
        as_images = config.output_format == "png" or not config.use_videos or spec["key"] in png
        video = {"preset": "images"} if as_images else {"preset": "train", "codec": config.output_format}
        index = config.camera_index_column(spec)
        own = {} if index == config.index_column else {"timeline": index}
        features[IMAGES + spec["key"]] = {"from": {"stream": spec["path"], **own}, "video": video}
    clock = {"timeline": config.index_column} | ({} if rate is None else {"rate": rate})
    task = {"from": config.task} if config.task else config.task_default or DEFAULT_TASK
    return make_plan({"fps": config.fps, "clock": clock, "features": features, "task": task})


def _png_cameras(videos: Sequence[VideoSpec], path: str | Path, token: str | None) -> set[str]:
    """Cameras that are PNG in the first recording that can be opened: they stay so."""
    for ref in find([path], token=token).refs if videos else ():
        try:
            with registry.open(ref) as recording:
                streams = {spec["key"]: find_stream(spec["path"], recording.streams) for spec in videos}
                return {
                    key
                    for key, stream in streams.items()
                    if not isinstance(stream, str) and stream.kind == "image" and stream.schema.encoding == "png"
                }
        except SourceError:
            continue  # the conversion reports it
    return set()
