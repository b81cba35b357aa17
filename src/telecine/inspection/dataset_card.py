"""The card of a finished dataset, whoever wrote it: facts, licence and defects, as the Hub shall show them."""

from pathlib import Path

import numpy as np

from telecine.core.errors import DatasetError, raised_as
from telecine.core.findings import Finding
from telecine.dataset.card import OnHub, card, completed, license_of
from telecine.dataset.existing import has_our_card
from telecine.dataset.reader import open_dataset
from telecine.inspection.dataset_frames import frames_of
from telecine.inspection.dataset_summary import summarize
from telecine.lerobot_format.paths import CARD, PLAN
from telecine.lerobot_format.train import train_command
from telecine.video.frames.jpeg import to_jpeg
from telecine.video.frames.png import scaled

SHEET = "meta/telecine/cameras.jpg"
"""The picture of the cameras that a published dataset has."""
_SHEET_WIDTH_PX = 240
"""Of each camera in it."""


def dataset_card(
    root: Path,
    license: str | None = None,  # noqa: A002 - as the Hub calls it
    *,
    repo_id: str = "USER/NAME",
) -> str:
    """README.md for the dataset at `root`: a new one, or the one that is there with our facts and the licence in it.

    license: wins over the one that the card states. repo_id: where it is published.

    Raises: DatasetError when the dataset cannot be read.
    """
    dataset = open_dataset(root)
    defects = [f for f in summarize(root).findings if f.severity != "info"]
    with raised_as(DatasetError, f"{root}: its card cannot be read", OSError, ValueError):
        written = (root / CARD).read_text(encoding="utf-8") if (root / CARD).is_file() else None
        plan = (root / PLAN).read_text(encoding="utf-8") if (root / PLAN).is_file() else None
    stated = license or (None if written is None else license_of(written))
    train = train_command(repo_id, cameras=bool(dataset.cameras))
    hub = OnHub(repo_id, train, SHEET if dataset.cameras else None)
    ours = card(dataset.info, dataset.tasks, plan, license=stated, defects=defects, hub=hub)
    if written is None or has_our_card(root, dict(dataset.info), dataset.tasks):
        return ours
    return completed(written, ours)


def write_sheet(root: Path) -> None:
    """A picture of all cameras, each in the middle of the first episode, beside one another.

    Raises: DatasetError, VideoError when a frame is missing or cannot be decoded, or the picture cannot be written.
    """
    dataset = open_dataset(root)
    middle = [dataset.episodes[0].length // 2] if dataset.episodes else []
    shown = [frame for key in dataset.cameras for frame in (frames_of(dataset, key, 0, middle) if middle else ())]
    if not shown:
        return
    small = [scaled(rgb, _SHEET_WIDTH_PX) for rgb in shown]
    tallest = max(rgb.shape[0] for rgb in small)
    padding = ((0, 0), (0, 0))
    strip = np.concatenate([np.pad(rgb, ((0, tallest - rgb.shape[0]), *padding)) for rgb in small], axis=1)
    with raised_as(DatasetError, f"{root / SHEET} cannot be written", OSError):
        (root / SHEET).parent.mkdir(parents=True, exist_ok=True)
        new = root / f"{SHEET}.new"
        try:
            new.write_bytes(to_jpeg(strip))
            new.replace(root / SHEET)
        finally:
            new.unlink(missing_ok=True)


def write_card(root: Path, text: str) -> None:
    """Put the card in its place in one step, unless it is as it was. Raises: DatasetError."""
    new = root / f".{CARD}.new"
    with raised_as(DatasetError, f"{root / CARD} cannot be written", OSError):
        if (root / CARD).is_file() and (root / CARD).read_text(encoding="utf-8") == text:
            return
        try:
            new.write_text(text, encoding="utf-8")
            new.replace(root / CARD)
        finally:
            new.unlink(missing_ok=True)


def card_findings(text: str, where: str) -> tuple[Finding, ...]:
    """What the card lacks for others to use the dataset."""
    if license_of(text) is not None:
        return ()
    message = "the card states no licence, so nobody may use the dataset"
    return (Finding("card-license", "warning", where, message, "give one: --license apache-2.0, cc-by-4.0, mit ..."),)
