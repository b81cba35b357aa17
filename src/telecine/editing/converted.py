"""Inputs of another version or rate than an edit needs, as v3.0 datasets made by `convert` beside the target.

Of v2.0 and v2.1 everything is taken as it is; at a rate that divides the input's, every row is one of its rows.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from telecine.core.errors import DatasetError, EditError, raised_as
from telecine.core.findings import Finding, has_errors, with_notes
from telecine.core.plan.model import Dtype, Plan, make_plan
from telecine.core.text.numbers import counted_of
from telecine.dataset.reader import Dataset, open_dataset
from telecine.dataset.staging import workspace
from telecine.dataset.verify.verify import metadata_errors_at
from telecine.editing.inputs import InputDataset
from telecine.lerobot_format.metadata import INDEX_KEYS, V2_VERSIONS
from telecine.lerobot_format.read import lacks_dataset, no_info
from telecine.sources.shared.confinement import are_links_followed, check_dataset


@dataclass(frozen=True, slots=True)
class OpenedInputs:
    """Datasets of version 3.0 and one rate, and what was done to make them so."""

    datasets: tuple[InputDataset, ...]
    findings: tuple[Finding, ...]


@contextmanager
def opened_inputs(paths: Sequence[str | Path], target: Path | None) -> Iterator[OpenedInputs]:
    """The datasets at `paths`, while this lasts; those of v2.x, or faster than the slowest, are converted for it.

    target: what is made of them, beside which conversions are; None for a dry run.

    Raises: EditError: a rate is no multiple of the slowest one. DatasetError: an input is damaged.
    """
    for path in paths:
        check_dataset(path)
    said: list[Finding] = []
    given = [_opened(path, said) for path in paths]
    fps = min(dataset.fps for dataset in given)
    if odd := [dataset for dataset in given if dataset.fps % fps]:
        rates = ", ".join(f"{dataset.root} {dataset.fps} fps" for dataset in given)
        raise EditError(
            f"rates differ, and {odd[0].fps} is no multiple of {fps}: {rates}; first "
            f"`telecine convert {odd[0].root} NEW --fps {fps}`, whose rows show the latest sample"
        )
    with ExitStack() as stack:
        inputs: list[InputDataset] = []
        findings = said
        for number, dataset in enumerate(given):
            if dataset.version not in V2_VERSIONS and dataset.fps == fps:
                inputs.append(InputDataset(str(paths[number]), dataset))
                continue
            folder = stack.enter_context(_folder(target)) / str(number)
            findings += _convert(dataset, folder, fps)
            inputs.append(InputDataset(str(paths[number]), Dataset(folder)))
        yield OpenedInputs(tuple(inputs), tuple(findings))


def _opened(path: str | Path, said: list[Finding]) -> Dataset:
    """The dataset; what `verify` says of its metadata becomes warnings in `said`, or the notes of the error."""
    if lacks_dataset(Path(path)) is not None:
        raise no_info(Path(path))
    found = metadata_errors_at(path)
    try:
        dataset = open_dataset(path)
        _ = dataset.episodes, dataset.tasks
    except DatasetError as error:
        raise with_notes(error, found) from None
    if dataset.version not in V2_VERSIONS:  # of others the conversion says it
        said += (replace(finding, severity="warning") for finding in found)
    return dataset


@contextmanager
def _folder(target: Path | None) -> Iterator[Path]:
    """A folder for datasets that go when this ends, on the target's file system: files of them can be linked."""
    if target is None:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    scratch = workspace(target) / "scratch"
    with raised_as(DatasetError, f"{target}: cannot be written", OSError):
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="v3.0-", dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another writer's files are in it
            scratch.rmdir()
            scratch.parent.rmdir()


def _convert(dataset: Dataset, folder: Path, fps: int) -> Iterator[Finding]:
    """Make the dataset in `folder`; what was done. Raises: DatasetError when an episode could not be converted."""
    from telecine.conversion.pipeline import Options, convert  # most inputs need none

    options = Options(workers=0, verify=False, resume=False, follow_links=are_links_followed())
    report = convert([dataset.root], folder, _plan(dataset, fps), options)
    if report.rejected or has_errors(report.findings):
        reasons = [*(entry.reason for entry in report.rejected), *report.findings]
        text = f"{dataset.root}: cannot be made v3.0 at {fps} fps: {reasons[0].message}"
        raise with_notes(DatasetError(text), reasons)
    done = []
    if dataset.version in V2_VERSIONS:
        done.append(f"is {dataset.version}; the new dataset is v3.0")
    if dataset.fps != fps:
        done.append(f"has {dataset.fps} fps; one row in {dataset.fps // fps} is taken, for {fps} fps")
    clips = [clip for episode in report.episodes for clip in episode.clips]
    encoded = sum(clip.pictures.encoded for clip in clips)
    frames = (
        f"; {counted_of(encoded, sum(clip.frames for clip in clips), 'frame', 'was', 'were')} re-encoded"
        if encoded
        else ""
    )
    yield Finding("edit-converted", "warning", str(dataset.root), " and ".join(done) + frames)
    yield from (finding for finding in report.findings if finding.severity == "warning")


def _plan(dataset: Dataset, fps: int) -> Plan:
    """Every feature as it is."""
    features: dict[str, Any] = {}
    for column in dataset.features:
        if column.key in INDEX_KEYS:
            continue
        features[column.key] = {"from": [{"stream": f"/{column.key}"}]}
        if column.key not in dataset.cameras and column.dtype in get_args(Dtype):
            features[column.key]["dtype"] = column.dtype
    robot = {} if dataset.robot_type is None else {"robot_type": dataset.robot_type}
    return make_plan(
        {"fps": fps, "clock": {"timeline": "time"}, "features": features, "task": {"from": "/task"}, **robot}
    )
