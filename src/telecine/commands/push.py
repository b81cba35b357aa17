"""`telecine.push`: what `telecine push` does, with the same words."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from telecine.compat import hub
from telecine.core.errors import DatasetError
from telecine.core.findings import Finding, has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import CARD, VERSION

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
    dry_run: bool
    train: str
    """The `lerobot-train` command for it."""
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def push(dataset: str | Path, repo_id: str, *, private: bool | None = None, dry_run: bool = False) -> Push:
    """Upload a verified dataset to the Hugging Face Hub, tagged so that LeRobot finds it.

    Args:
        dataset: the folder of a LeRobot v3.0 dataset.
        repo_id: USER/NAME on the Hub; made when it is not there.
        private: visibility of a repository that is new; None: the Hub's default.
        dry_run: check, and say what would be uploaded.

    Returns:
        Files, size in bytes, and the training command; `ok` is false when it was not uploaded because it is not fit
        for training.

    Raises:
        DatasetError: it has no card, huggingface_hub is not installed, or the Hub refused or was not reached.

    >>> import telecine as tc
    >>> pushed = tc.push("dataset", "me/picks", dry_run=True)
    >>> pushed.ok, pushed.tag, pushed.train.split()[0]
    (True, 'v3.0', 'lerobot-train')
    """
    root = Path(dataset)
    opened = Dataset(root)
    if not (root / CARD).is_file():
        raise DatasetError(f"{root}: has no {CARD}, which the Hub shows as its card; `telecine repair` writes one")
    findings = tuple(verify(root, decode="none"))
    names = hub.files(root)
    size = sum((root / name).stat().st_size for name in names)
    ok, command = not has_errors(findings), train_command(opened, repo_id)
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
    return Push(ok, str(dataset), repo_id, len(names), size, VERSION, private, dry_run, command, findings)


def train_command(dataset: Dataset, repo_id: str) -> str:
    """The `lerobot-train` command for it: ACT, which needs a camera; without one a person has to choose the policy."""
    policy = "act" if dataset.cameras else "POLICY"
    parts = [
        "lerobot-train",
        f"--dataset.repo_id={repo_id}",
        f"--policy.type={policy}",
        f"--policy.repo_id={repo_id}-{policy.lower()}",
        f"--output_dir=outputs/train/{repo_id.rpartition('/')[2]}",
        "--steps=100000",
    ]
    return shlex.join(parts)
