"""`telecine.push`: what `telecine push` does, with the same words."""

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from telecine.commands.stores import stores
from telecine.compat import hub
from telecine.core.errors import PlanError
from telecine.core.findings import Finding, has_errors
from telecine.core.text.addresses import as_typed
from telecine.dataset.camera_sheet import write_sheet
from telecine.dataset.card import is_license, license_of
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_card import card_findings, dataset_card, write_card
from telecine.lerobot_format.paths import CARD, SHEET, VERSION
from telecine.lerobot_format.train import train_command
from telecine.sources.shared.confinement import check_dataset, links_followed

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+")
LARGE_BYTES = 1 << 30
"""From here on a dataset is uploaded in several commits, so that an interrupted push leaves what it committed."""


@dataclass(frozen=True, slots=True)
class Push:
    """What was uploaded, or would be.

    >>> import telecine as tc
    >>> tc.push("dataset", "me/picks", dry_run=True).ok
    True
    """

    ok: bool
    """False when the dataset is not fit for training; then nothing was uploaded."""
    dataset: str
    repo_id: str
    files: int
    size_bytes: int
    tag: str
    private: bool | None
    license: str | None
    """As the card states it."""
    dry_run: bool
    train: str
    """The `lerobot-train` command for it."""
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def push(
    dataset: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    license: str | None = None,  # noqa: A002 - as the Hub calls it
    dry_run: bool = False,
    follow_links: bool = False,
) -> Push:
    """Upload a verified dataset to the Hugging Face Hub, tagged so that LeRobot finds it.

    Args:
        dataset: the folder of a LeRobot v3.0 dataset.
        repo_id: USER/NAME on the Hub; made when it is not there.
        private: visibility of a repository that is new; None: the Hub's default.
        license: an identifier of the Hub's for the card, such as "apache-2.0"; None: what the card states.
        dry_run: check, and say what would be uploaded; the card is not changed either.
        follow_links: upload files that links in the dataset lead to outside.

    The card (README.md) gets the dataset's facts and the defects that `inspect` finds: between marks where somebody
    edited it, so that the rest stays. A card without a licence is a warning.

    Returns:
        Files, size in bytes, and the training command; `ok` is false when it was not uploaded because it is not fit
        for training.

    Raises:
        DatasetError: a link in the dataset leads outside, huggingface_hub is not installed, or the Hub refused or was
            not reached.
        PlanError: `repo_id` is not USER/NAME, or `license` has not the form of an identifier.

    >>> import telecine as tc
    >>> pushed = tc.push("dataset", "me/picks", dry_run=True)
    >>> pushed.ok, pushed.tag, pushed.train.split()[0]
    (True, 'v3.0', 'lerobot-train')
    """
    with stores() as here, links_followed(follow_links):
        root = Path(here.dataset(dataset))
        check_dataset(root)
        pushed = _pushed(root, repo_id, private=private, license=license, dry_run=dry_run)
        return here.done(replace(pushed, dataset=str(as_typed(dataset))))


def _pushed(root: Path, repo_id: str, *, private: bool | None, license: str | None, dry_run: bool) -> Push:  # noqa: A002
    if not _REPO_ID.fullmatch(repo_id):
        raise PlanError(f"{repo_id!r} is no name of a dataset on the Hub; give USER/NAME, such as me/{root.name}")
    if license is not None and not is_license(license):
        raise PlanError(f"--license {license!r} is no identifier of the Hub's, such as apache-2.0, cc-by-4.0 or mit")
    opened = Dataset(root)
    if not dry_run:
        hub.require_reachable(root, repo_id)
    findings = tuple(verify(root, decode="none"))
    if not has_errors(findings):
        findings += () if dry_run else tuple(write_sheet(root))
        text = dataset_card(root, license, repo_id=repo_id, sheet=dry_run or (root / SHEET).is_file())
        license = license_of(text)  # noqa: A001
        findings += card_findings(text, str(root / CARD))
        if not dry_run:
            write_card(root, text)
    names = hub.files(root)
    size = sum((root / name).stat().st_size for name in names)
    ok, command = not has_errors(findings), train_command(repo_id, cameras=bool(opened.cameras))
    if ok and not dry_run:
        hub.push(
            root,
            repo_id,
            private=private,
            branch=None,
            tag_version=True,
            push_videos=True,
            allow_patterns=None,
            upload_large_folder=size >= LARGE_BYTES,
        )
    return Push(ok, str(root), repo_id, len(names), size, VERSION, private, license, dry_run, command, findings)
