"""Where a conversion in parts is: the dataset's folder, and the job's beside it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telecine.conversion.shards.job import NEW
from telecine.core.errors import DatasetError, raised_as
from telecine.dataset.staging import workspace
from telecine.lerobot_format.paths import INFO
from telecine.storage.local import LocalStore
from telecine.storage.store import FileStore

JOB_MARK = "meta/telecine/job.json"
"""In a dataset: the job that made its last episodes."""


@dataclass(frozen=True, eq=False, slots=True)
class JobPlace:
    """A dataset that is, or will be, at `name`. folder: where it is a folder of this machine."""

    name: str
    dataset: FileStore
    folder: Path | None = None

    def job(self, base: str) -> FileStore:
        """Where a job keeps its files. base: see `ShardJob`."""
        assert self.folder is not None
        return LocalStore(workspace(self.folder) / f"job-{base}")

    def base(self, *, append: bool) -> str:
        """`NEW`, or which dataset it is that episodes are added to. Raises: DatasetError without one; StoreError."""
        if not append:
            return NEW
        try:
            return hashlib.sha256(self.dataset.get(INFO)).hexdigest()[:12]
        except FileNotFoundError as error:
            raise DatasetError(f"{self.name}: not a LeRobot dataset ({INFO} is missing)") from error

    def is_published(self) -> bool:
        """True when there is a dataset."""
        return self.dataset.head(INFO) is not None

    def last_job(self) -> dict[str, Any]:
        """What the dataset says of the job that made its last episodes; nothing of others. Raises: DatasetError."""
        try:
            text = self.dataset.get(JOB_MARK)
        except FileNotFoundError:
            return {}
        with raised_as(DatasetError, f"{self.name}/{JOB_MARK}: cannot be read", ValueError):
            found = json.loads(text)
            return found if isinstance(found, dict) else {}


def place_of(root: str | Path) -> JobPlace:
    """The place that a path names."""
    folder = Path(root).resolve()
    return JobPlace(str(root), LocalStore(folder), folder)
