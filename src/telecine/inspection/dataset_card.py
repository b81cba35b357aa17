"""The card of a finished dataset, whoever wrote it: facts, licence and defects, as the Hub shall show them."""

from pathlib import Path

from telecine.core.errors import DatasetError, raised_as
from telecine.core.findings import Finding
from telecine.dataset.card import card, completed, license_of, repo_of
from telecine.dataset.existing import has_our_card
from telecine.dataset.reader import open_dataset
from telecine.dataset.units import units_of
from telecine.inspection.dataset_summary import summarize
from telecine.lerobot_format.paths import CARD, PLAN


def dataset_card(
    root: Path,
    license: str | None = None,  # noqa: A002 - as the Hub calls it
    *,
    repo_id: str | None = None,
    sheet: bool = True,
) -> str:
    """README.md for the dataset at `root`: a new one, or the one that is there with our facts and the licence in it.

    license: wins over the one that the card states. repo_id: where it is published; None: as the card says.
    sheet: whether it shows the picture of the cameras.

    Raises: DatasetError when the dataset cannot be read.
    """
    dataset = open_dataset(root)
    defects = [f for f in summarize(root).findings if f.severity != "info"]
    with raised_as(DatasetError, f"{root}: its card cannot be read", OSError, ValueError):
        written = (root / CARD).read_text(encoding="utf-8") if (root / CARD).is_file() else None
        plan = (root / PLAN).read_text(encoding="utf-8") if (root / PLAN).is_file() else None
    stated = license or (None if written is None else license_of(written))
    name = repo_id or repo_of(written or "")
    units = units_of(root)
    ours = card(
        dataset.info, dataset.tasks, plan, license=stated, defects=defects, units=units, repo_id=name, sheet=sheet
    )
    if written is None or has_our_card(root, dict(dataset.info), dataset.tasks):
        return ours
    return completed(written, ours)


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
