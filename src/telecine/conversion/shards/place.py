"""Where a conversion in parts is: the dataset's folder, and the job's beside it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from telecine.conversion.shards.job import JOB, NEW, Request, ShardJob, begin_command, read_job
from telecine.core.data.serialize import from_json
from telecine.core.errors import DatasetError, PlanError
from telecine.core.text.addresses import StoreAddress, is_stored, store_address, unknown_scheme
from telecine.dataset.staging import workspace
from telecine.lerobot_format.paths import INFO
from telecine.storage.local import LocalStore
from telecine.storage.store import FileStore

JOB_MARK = "meta/telecine/job.json"
"""In a dataset: the job that made its last episodes."""
PARTS = "parts"
"""In the scratch folder: parts that are on their way to a store."""


@dataclass(frozen=True, slots=True)
class JobMark:
    """What a dataset says of the job that made its last episodes. episodes, rows: of all of it."""

    id: str
    request: Request
    episodes: int
    rows: int


@dataclass(frozen=True, eq=False, slots=True)
class JobPlace:
    """A dataset that is, or will be, at `name`. folder: where it is one of this machine; else it has an address."""

    name: str
    dataset: FileStore
    folder: Path | None = None
    address: StoreAddress | None = None

    def job(self, base: str) -> FileStore:
        """Where a job keeps its files. base: see `ShardJob`."""
        if self.folder is not None:
            return LocalStore(workspace(self.folder) / f"job-{base}")
        from telecine.storage.addressed import folder_at

        assert self.address is not None
        return folder_at(self.address.parent().below(f".{self.address.name}.telecine").below(f"job-{base}"))

    def begun(self, base: str) -> ShardJob | None:
        """The job there; None without one. Raises: DatasetError when it is damaged; StoreError."""
        return read_job(self.job(base), begin_command(self.name, base))

    def base_now(self) -> str:
        """The base of a job that `finalize` would make the dataset of. Raises: StoreError."""
        return self.base(append=self.is_published() or bool(self.changing()))

    def local(self) -> "JobPlace":
        """Where parts are made: here; of a dataset in a store, in a folder of its own in the scratch of this machine.

        The same one each time, so that what a killed command left is taken up.
        """
        if self.folder is not None:
            return self
        from telecine.storage.scratch import scratch_folder

        assert self.address is not None
        digest = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        folder = scratch_folder() / PARTS / digest / self.address.name
        return JobPlace(self.name, LocalStore(folder), folder)

    def base(self, *, append: bool) -> str:
        """`NEW`, or which dataset it is that episodes are added to. Raises: DatasetError without one; StoreError."""
        if not append:
            return NEW
        try:
            return hashlib.sha256(self.dataset.get(INFO)).hexdigest()[:12]
        except FileNotFoundError as error:
            if base := self.changing():
                return base
            raise DatasetError(
                f"{self.name}: not a LeRobot dataset ({INFO} is missing); leave out --append to make one"
            ) from error

    def is_published(self) -> bool:
        """True when there is a dataset."""
        return self.dataset.head(INFO) is not None

    def changing(self) -> str:
        """The base of the job whose `finalize` took the info.json of a dataset in a store away, else ""."""
        from telecine.storage.publish import claimed_by

        return "" if self.folder is not None or self.is_published() else claimed_by(self.dataset).get("base", "")

    def last_job(self) -> JobMark | None:
        """The job that made the dataset's last episodes; None where none did. Raises: DatasetError; StoreError."""
        try:
            text = self.dataset.get(JOB_MARK)
        except FileNotFoundError:
            return None
        try:
            return from_json(JobMark, text)
        except (TypeError, ValueError) as error:
            fix = "remove it: the dataset needs it only to know its parts again"
            raise DatasetError(f"{self.name}/{JOB_MARK}: cannot be read: {error}; {fix}") from error


def place_of(root: str | Path) -> JobPlace:
    """The place that a path or an address in a store names.

    Raises: PlanError for an address where parts cannot be; StoreError without the extra of its store.
    """
    if is_stored(root):
        address = store_address(root)
        if address.scheme == "hf":
            fix = "name a folder or a bucket, then upload the dataset with telecine push"
            raise PlanError(f"{address}: the Hub takes commits, so parts cannot be collected there; {fix}")
        if not address.key:
            raise PlanError(f"{address}: parts lie beside the dataset; name a folder in it, such as {address}/picks")
        from telecine.storage.addressed import folder_at

        return JobPlace(str(address), folder_at(address), address=address)
    if why := unknown_scheme(root):
        raise PlanError(why)
    folder = Path(root).resolve()
    return JobPlace(str(root), LocalStore(folder), folder)


def require_no_parts(root: str | Path) -> None:
    """Nothing, when no conversion in parts into `root` waits for its `finalize`. Raises: DatasetError; StoreError."""
    place = place_of(root)
    if place.changing():
        from telecine.storage.publish import unfinished

        raise DatasetError(f"{place.name}: {unfinished(place.dataset)}")
    waiting = place.job(place.base_now())
    if waiting.head(JOB) is not None:
        raise DatasetError(
            f"{place.name}: a conversion in parts was begun here, and this command would leave its parts in no "
            f"dataset. Go on with it (`telecine finalize {place.name} --dry-run` tells what is done and missing), or "
            f"remove {waiting.address} to begin anew, or name another folder"
        )
