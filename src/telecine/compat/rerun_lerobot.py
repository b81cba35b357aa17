"""rerun-lerobot 0.3 under its own names: `pip install telecine`, then change the import lines of a script.

    from telecine.compat.rerun_lerobot import (
        LeRobotConversionConfig, LeRobotDataset, VideoSpec, convert_dataframe_to_episode,
        convert_rrd_dataset_to_lerobot, infer_features, inspect_rrd_dataset,
    )

and the console command `telecine-rerun-lerobot` with the flags of `rerun-lerobot`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from telecine.compat.command import RecordingsInput, add_rate, add_selection, converted, folder_of, name_of, names
from telecine.compat.config import FeatureSpec, LeRobotConversionConfig, VideoSpec
from telecine.compat.conversion import convert_dataframe_to_episode, infer_features
from telecine.compat.dataset_inspection import (
    ColumnCandidate,
    DatasetInspection,
    TimelineCandidate,
    inspect_catalog_dataset,
    inspect_dataset_url,
    inspect_rrd_dataset,
    inspect_source,
    suggest_command,
)
from telecine.compat.lerobot_dataset import LeRobotDataset
from telecine.compat.lerobot_export import (
    FORMATS,
    convert_catalog_dataset_to_lerobot,
    convert_dataset_to_lerobot,
    convert_dataset_url_to_lerobot,
    convert_rrd_dataset_to_lerobot,
    export_plan,
)
from telecine.core.errors import PlanError, TelecineError
from telecine.core.plan.model import Plan
from telecine.sources.rrd.catalog import dataset_url

__all__ = [
    "ColumnCandidate",
    "DatasetInspection",
    "FeatureSpec",
    "LeRobotConversionConfig",
    "LeRobotDataset",
    "TimelineCandidate",
    "VideoSpec",
    "convert_catalog_dataset_to_lerobot",
    "convert_dataframe_to_episode",
    "convert_dataset_to_lerobot",
    "convert_dataset_url_to_lerobot",
    "convert_rrd_dataset_to_lerobot",
    "infer_features",
    "inspect_catalog_dataset",
    "inspect_dataset_url",
    "inspect_rrd_dataset",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; its exit code: 0 all well, 1 something was rejected, 2 the command line is wrong.

    Without --action, --state or --fps it prints what there is and a command to start from.
    """
    parser = _parser()
    flags = parser.parse_args(argv)
    source, source_args = _source(parser, flags)
    if flags.inspect or not (flags.action and flags.state and flags.fps):
        return _guide(flags, source, source_args)
    if flags.output is None:
        parser.error("--output is needed to convert")
    return converted(parser, flags, lambda given: _plan(given, source), source)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="telecine-rerun-lerobot",
        description="Convert Rerun recordings to a LeRobot v3 dataset.",
        epilog="The flags of rerun-lerobot; `telecine convert` has more.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--rrd-dir", type=Path, metavar="DIR", help="folder with recordings")
    where.add_argument(
        "--catalog-url", metavar="URL", help="catalog server, rerun+http://HOST:PORT; with --dataset-name"
    )
    where.add_argument("--dataset-url", metavar="URL", help="address of a dataset, rerun://HOST:PORT/entry/ID")
    add = parser.add_argument
    add("--catalog-token", metavar="TOKEN", help="access token of the catalog server")
    add("--output", type=Path, metavar="DIR", help="dataset to make; must not exist")
    add_selection(parser)
    add("--inspect", action="store_true", help="print the columns that can be converted, and stop")
    add("--fps", type=int, help="rows per second")
    add("--index", default="real_time", metavar="TIMELINE", help="timeline to align on (default: real_time)")
    add_rate(parser)
    add("--action", action="append", metavar="COLUMN", help="entity:Archetype:field of the action; repeatable")
    add("--state", action="append", metavar="COLUMN", help="entity:Archetype:field of the state; repeatable")
    add("--task", metavar="COLUMN", help="entity:Archetype:field of the task text")
    add("--video", action="append", default=[], metavar="KEY:PATH[:INDEX]", help="a camera; repeatable")
    add("--output-format", choices=FORMATS, help="of all cameras (default: the source's, else h264)")
    add("--action-names", type=names, metavar="A,B,...", help="names of the action's elements")
    add("--state-names", type=names, metavar="A,B,...", help="names of the state's elements")
    return parser


def _source(parser: argparse.ArgumentParser, flags: argparse.Namespace) -> tuple[RecordingsInput, list[str]]:
    """Where the recordings are, and the flags that say so; a mistake ends the program with 2."""
    if flags.rrd_dir is not None:
        if flags.catalog_token is not None:
            parser.error("--catalog-token goes with --catalog-url or --dataset-url")
        return folder_of(parser, flags.rrd_dir), ["--rrd-dir", str(flags.rrd_dir)]
    if flags.dataset_url is not None:
        return RecordingsInput(flags.dataset_url, flags.catalog_token), ["--dataset-url", flags.dataset_url]
    if not flags.dataset_name:
        parser.error("--catalog-url needs --dataset-name")
    address = dataset_url(flags.catalog_url, flags.dataset_name)
    return RecordingsInput(address, flags.catalog_token), [
        *("--catalog-url", flags.catalog_url, "--dataset-name", flags.dataset_name)
    ]


def _guide(flags: argparse.Namespace, source: RecordingsInput, source_args: Sequence[str]) -> int:
    try:
        inspection = inspect_source(source.path, dataset_name=name_of(flags), token=source.token)
    except TelecineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    command = suggest_command(inspection, source_args=source_args, output=str(flags.output or "OUT"))
    lines = [inspection.format_report(suggested_command=command)]
    if not flags.inspect:
        given = (("--action", flags.action), ("--state", flags.state), ("--fps", flags.fps))
        lines.append(f"\nMissing: {', '.join(flag for flag, value in given if not value)}.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _plan(flags: argparse.Namespace, source: RecordingsInput) -> Plan:
    """The plan that the flags mean. Raises: PlanError naming every mistake."""
    return export_plan(
        LeRobotConversionConfig(
            fps=flags.fps,
            index_column=flags.index,
            action=flags.action,
            state=flags.state,
            task=flags.task,
            videos=[_camera(text) for text in flags.video],
            output_format=flags.output_format,
            action_names=flags.action_names,
            state_names=flags.state_names,
        ),
        source.path,
        token=source.token,
        rate=flags.rate,
    )


def _camera(text: str) -> VideoSpec:
    key, _, path = text.partition(":")
    index = ""
    if path.count(":") == 1:  # two more colons are those of a full column
        path, _, index = path.partition(":")
    if not (key and path):
        raise PlanError(f"--video {text!r} is not of the form key:path or key:path:index, e.g. front:/camera/front")
    return VideoSpec(key=key, path=path, index=index) if index else VideoSpec(key=key, path=path)
