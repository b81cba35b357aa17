"""rerun_export under its own names: `pip install telecine`, then change the import lines of a script.

    from telecine.compat.rerun_export import (
        LeRobotConversionConfig, LeRobotDataset, VideoSpec, convert_dataframe_to_episode, infer_features,
    )

and the console command `rerun_export` with the flags of its README.
"""

import argparse
from collections.abc import Sequence

from telecine.compat.command import clock_of, converted, export_parser
from telecine.compat.config import DEFAULT_TASK, FeatureSpec, LeRobotConversionConfig, VideoSpec
from telecine.compat.conversion import convert_dataframe_to_episode, infer_features
from telecine.compat.lerobot_dataset import LeRobotDataset
from telecine.core.errors import PlanError
from telecine.core.plan.model import IMAGES, Plan, make_plan

__all__ = [
    "FeatureSpec",
    "LeRobotConversionConfig",
    "LeRobotDataset",
    "VideoSpec",
    "convert_dataframe_to_episode",
    "infer_features",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """The console command; its exit code: 0 all well, 1 something was rejected, 2 the command line is wrong."""
    parser = _parser()
    flags = parser.parse_args(argv)
    return converted(parser, flags, _plan)


def _parser() -> argparse.ArgumentParser:
    epilog = "The flags of Rerun's example of that name; `telecine convert` has more."
    parser = export_parser("rerun_export", ".rrd recordings", epilog)
    add = parser.add_argument
    add("--action", required=True, metavar="COLUMN", help="entity:Archetype:field of the action")
    add("--state", required=True, metavar="COLUMN", help="entity:Archetype:field of the state")
    add(
        "--task", metavar="COLUMN", help=f"entity:Archetype:field of the task text (default: the text {DEFAULT_TASK!r})"
    )
    add("--video", action="append", default=[], metavar="KEY:PATH[:ARCHETYPE:FIELD]", help="a camera; repeatable")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--use-videos", action="store_true", default=True, help="store cameras as video (the default)")
    kind.add_argument("--use-images", dest="use_videos", action="store_false", help="store cameras as PNG in Parquet")
    return parser


def _plan(flags: argparse.Namespace) -> Plan:
    """The plan that the flags mean. Raises: PlanError naming every mistake."""
    features = {
        "action": {"from": flags.action, "dtype": "float32", "names": flags.action_names},
        "observation.state": {"from": flags.state, "dtype": "float32", "names": flags.state_names},
    }
    for text in flags.video:
        key, _, stream = text.partition(":")
        if not (key and stream):
            raise PlanError(f"--video {text!r} is not of the form key:path, e.g. front:/camera/front")
        if IMAGES + key in features:
            raise PlanError(f"--video {key!r} is given twice")
        features[IMAGES + key] = {"from": stream}
    return make_plan(
        {
            "fps": flags.fps,
            "clock": clock_of(flags.index, flags.rate),
            "features": features,
            "task": {"from": flags.task} if flags.task else DEFAULT_TASK,
            "video": {"preset": "train" if flags.use_videos else "images"},
        }
    )
