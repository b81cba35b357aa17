"""The metadata that stands once for a whole dataset, written last: info.json, statistics, tasks, cameras, the card."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from telecine.core.dataclass import dataclass
from telecine.core.findings import Finding
from telecine.core.recording import CameraCalibration
from telecine.dataset.card import card, license_of, repo_of
from telecine.dataset.existing import ExistingDataset, card_at
from telecine.dataset.metadata_files import write_json
from telecine.dataset.relative_stats import write_relative_stats
from telecine.dataset.running_stats import RunningStats
from telecine.dataset.units import units_of
from telecine.lerobot_format import paths, schema
from telecine.lerobot_format.calibrations import write_calibrations
from telecine.lerobot_format.paths import Limits
from telecine.lerobot_format.schema import Counts, Features


@dataclass(frozen=True, eq=False, slots=True)
class WholeDataset:
    """What the metadata of a dataset says of all its episodes together. published: that episodes were added to."""

    features: Features
    counts: Counts
    tasks: Sequence[str]
    totals: RunningStats
    fps: int
    robot_type: str | None
    limits: Limits
    calibrations: Mapping[str, Mapping[str, CameraCalibration]]
    relative: Sequence[str] = ()
    plan_yaml: str | None = None
    published: ExistingDataset | None = None


def write_finish(folder: Path, whole: WholeDataset, draw: Callable[[Path], list[Finding]]) -> list[Finding]:
    """All of it below `folder`, where rows, videos and meta/episodes are.

    draw: puts the picture of the cameras there, which a new dataset gets, or says why not; that is returned.

    Raises: OSError; DatasetError.
    """
    published, tasks, features = whole.published, list(whole.tasks), whole.features
    if published is None:
        info = schema.info(features, whole.counts, fps=whole.fps, robot_type=whole.robot_type, limits=whole.limits)
    else:
        info = published.described(features, whole.counts)
    write_json(folder / paths.STATS, whole.totals.stats(features))
    write_calibrations(folder, whole.calibrations)
    with (folder / paths.TASKS).open("wb") as sink:
        pq.write_table(schema.tasks_table(tasks), sink)
    write_json(folder / paths.INFO, info)
    if published is not None:
        published.link_into(folder, whole.plan_yaml)
    write_relative_stats(folder, whole.relative)
    found = draw(folder) if published is None and features.cameras else []
    if not (folder / paths.CARD).exists():
        before, sheet = "" if published is None else card_at(published.root), (folder / paths.SHEET).is_file()
        text = card(
            info, tasks, whole.plan_yaml, units=units_of(folder), license=license_of(before), repo_id=repo_of(before),
            sheet=sheet,
        )  # fmt: skip
        (folder / paths.CARD).write_text(text, encoding="utf-8")
    return found
