"""The job file: what all parts of a conversion agree on, settled once by whoever comes first.

    JOB/job.json                 all but the recordings; written only if nobody wrote it before
    JOB/inputs-<id>.parquet      the recordings, in order: an episode each
    JOB/shard-007/               the part's episodes as a dataset of their own, or of a store what is no video of it
    JOB/shard-007.json           its manifest, written last: a part exists when it does
    JOB/shard-007.failed.json    why its last run ended without one

JOB is a folder beside the dataset, `.NAME.telecine/job-new`; of a dataset that episodes are added to, its name has the
digest of the info.json that they are added to. A job's id is a digest of its content: all who settle it alike agree.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine._version import __version__
from telecine.conversion.report import Rejected
from telecine.core.data import arrow
from telecine.core.data.serialize import from_json, to_plain
from telecine.core.errors import DatasetError, PlanError, raised_as
from telecine.core.findings import Finding
from telecine.core.plan.differences import plan_differences
from telecine.core.plan.model import Plan, make_plan
from telecine.core.recording import Ref
from telecine.core.shards import MOST_CHUNKS, Shard
from telecine.core.text.numbers import counted
from telecine.lerobot_format.schema import Features, data_schema, episodes_schema
from telecine.storage.store import FileStore

JOB = "job.json"
NEW = "new"
_LIBRARIES = ("av", "numpy", "pyarrow")
"""Whose versions decide which bytes come out."""
_INPUTS = pa.schema([("ref", pa.string()), ("size_bytes", pa.int64())])


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for, as far as all parts of a job have to ask alike. listing: digest of the files.

    tools: flag -> name and digest of the file that derived columns use, `functions` and `urdf`.
    """

    shards: int
    plan_digest: str
    listing: str
    where: str | None = None
    append: bool = False
    tools: Mapping[str, str] = field(default_factory=dict)

    def differs(self, other: "Request", plan_differs: str) -> str:
        """Why `other`, which was asked before, is another job; "" when it is the same. plan_differs: in what."""
        if other.shards != self.shards:
            return f"it has {counted(other.shards, 'part')}, not {self.shards}"
        if other.plan_digest != self.plan_digest:
            return f"it has another plan: {plan_differs}"
        if other.where != self.where:
            return f"it was asked for --where {other.where!r}, not {self.where!r}"
        for flag in sorted(set(self.tools) | set(other.tools)):
            if self.tools.get(flag) != other.tools.get(flag):
                there, here = (asked.tools.get(flag, "none") for asked in (other, self))
                return f"its --{flag} was {there}, this one is {here}"
        return "" if other.append == self.append else "one of them is --append, the other is not"


@dataclass(frozen=True, eq=False, slots=True)
class ShardJob:
    """The content of job.json. paths: as they were typed; plan, settled: plain, without and with the cameras' codecs.

    base: `NEW`, or the digest of the info.json that episodes are added to; first_chunk: of the first part's files.
    folders: where recordings lie, which reports leave out. tool_paths: flag -> file of `Request.tools`, as typed.
    """

    request: Request
    paths: tuple[str, ...]
    plan: Mapping[str, Any]
    settled: Mapping[str, Any]
    features: Features | None
    recordings: int
    size_bytes: int
    base: str = NEW
    first_chunk: int = 0
    rejected: tuple[Rejected, ...] = ()
    findings: tuple[Finding, ...] = ()
    folders: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    tool_paths: Mapping[str, str] = field(default_factory=dict)
    id: str = field(default="", compare=False)

    @property
    def asked_plan(self) -> Plan:
        """The plan as it was given."""
        return make_plan(self.plan)

    @property
    def settled_plan(self) -> Plan:
        """The plan, with the codecs of all cameras."""
        return make_plan(self.settled)

    def command(self, root: object, shard: Shard) -> str:
        """What makes a part of it."""
        import shlex

        request = self.request
        words = ["telecine", "convert", *self.paths, str(root)]
        words += ["--append"] if request.append else []
        words += ["--where", request.where] if request.where else []
        words += [word for flag, path in self.tool_paths.items() for word in (f"--{flag}", path)]
        return shlex.join([*words, "--shard", str(shard)])


def begin_command(root: object, base: str) -> str:
    """What begins a conversion in parts. base: see `ShardJob`."""
    append = "" if base == NEW else " --append"
    return f"telecine convert RECORDINGS {root} --plan PLAN{append} --shard 1/N"


def versions() -> tuple[str, ...]:
    """Telecine and the libraries whose versions decide which bytes come out."""
    return (f"telecine {__version__}", *(f"{name} {metadata.version(name)}" for name in _LIBRARIES))


def named(job: ShardJob, refs: Sequence[Ref]) -> ShardJob:
    """The job with its id."""
    body = json.dumps([to_plain(replace(job, id="")), [_plain(ref, job.paths) for ref in refs]], sort_keys=True)
    return replace(job, id=hashlib.sha256(body.encode(errors="backslashreplace")).hexdigest()[:16])


def write_job(store: FileStore, job: ShardJob, refs: Sequence[Ref]) -> None:
    """Put the job there unless there is one. Raises: StoreError."""
    sink = pa.BufferOutputStream()
    rows = [{"ref": json.dumps(_plain(ref, job.paths)), "size_bytes": ref.size_bytes} for ref in refs]
    with pq.ParquetWriter(sink, _INPUTS, compression="zstd") as writer:
        writer.write_table(arrow.table(rows, _INPUTS))
    store.put(_inputs_of(job), sink.getvalue().to_pybytes())
    store.put_if_absent(JOB, (json.dumps(to_plain(job), indent=1, ensure_ascii=False) + "\n").encode(errors="replace"))


def read_job(store: FileStore, begin: str) -> ShardJob | None:
    """The job there; None without one. begin: the command that begins it.

    Raises: DatasetError when it is damaged; StoreError.
    """
    try:
        text = store.get(JOB)
    except FileNotFoundError:
        return None
    try:
        job = from_json(ShardJob, text)
        _check_values(job)
    except (ValueError, KeyError, TypeError, PlanError) as error:
        fix = f"remove it and give the same command as before (`{begin}`), which keeps the parts that are done"
        raise DatasetError(f"{store.address}/{JOB}: cannot be read: {error}; {fix}") from error
    return job


def _check_values(job: ShardJob) -> None:
    """Nothing, when plans and features are some. Raises: KeyError, PlanError, TypeError or ValueError."""
    for plan in (job.plan, job.settled):
        make_plan(plan)
    if not (1 <= job.request.shards <= MOST_CHUNKS and 0 <= job.first_chunk < MOST_CHUNKS):
        raise ValueError(f"there are 1 to {MOST_CHUNKS} parts")
    if job.features is not None:
        for schema_of in (data_schema, episodes_schema):
            schema_of(job.features)


def read_refs(store: FileStore, job: ShardJob, paths: Sequence[str], *, token: str | None = None) -> tuple[Ref, ...]:
    """The recordings of a job, in order, as they are below `paths` here. Raises: DatasetError; StoreError."""
    causes = (OSError, pa.ArrowException, ValueError, LookupError, TypeError, RecursionError)
    with raised_as(DatasetError, f"{store.address}/{_inputs_of(job)}: cannot be read", *causes):
        table = pq.read_table(pa.BufferReader(store.get(_inputs_of(job))), use_threads=False)
        return tuple(_here(text, paths, token) for text in table.column("ref").to_pylist())


def check_job(job: ShardJob, request: Request, plan: Plan, root: object) -> None:
    """Nothing, when the job is what is asked for. Raises: PlanError, DatasetError for another one."""
    if why := request.differs(job.request, plan_differences(job.plan, to_plain(plan.to_dict()))):
        raise PlanError(
            f"{root}: a conversion into it was begun, and {why}. Go on with that one (`telecine finalize {root} "
            "--dry-run` lists its commands), or name another folder"
        )
    if request.listing != job.request.listing:
        raise DatasetError(
            f"{root}: the recordings are not those that its conversion was begun with "
            f"({counted(job.recordings, 'episode')}): "
            "names or sizes of files have changed, or some came or went. Give the same files, or name another folder"
        )
    if versions() != job.versions:
        here = ", ".join(sorted(set(versions()) - set(job.versions)))
        raise DatasetError(
            f"{root}: its conversion was begun with {', '.join(sorted(set(job.versions) - set(versions())))}; here is "
            f"{here}, which may write other bytes. Install the same versions everywhere"
        )


def listing_digest(files: Iterable[tuple[str, int]], paths: Sequence[str]) -> str:
    """The digest of (path, bytes) of all files; the same wherever the folders of `paths` lie."""
    digest = hashlib.sha256()
    for path, size in files:
        digest.update(f"{_relative(path, paths)}\0{size}\n".encode(errors="backslashreplace"))
    return digest.hexdigest()


def _inputs_of(job: ShardJob) -> str:
    return f"inputs-{job.id}.parquet"


def _plain(ref: Ref, paths: Sequence[str]) -> dict[str, Any]:
    body: dict[str, Any] = to_plain(replace(ref, token=None))
    del body["token"]
    return body | {
        "path": _relative(ref.path, paths),
        "layers": [_relative(layer, paths) for layer in ref.layers],
    }


def _here(text: str, paths: Sequence[str], token: str | None) -> Ref:
    ref = from_json(Ref, text)
    layers = tuple(_absolute(layer, paths) for layer in ref.layers)
    return replace(ref, path=_absolute(ref.path, paths), layers=layers, token=token)


def _relative(path: str, paths: Sequence[str]) -> str:
    """The path as 2:monday/a.mcap, below the third of the given paths; below none of them, as of a glob, as it is."""
    for number, given in enumerate(paths):
        top = given.rstrip("/")
        if path == given or path.startswith(f"{top}/"):
            return f"{number}:{path[len(top) :]}"
    return path


def _absolute(path: str, paths: Sequence[str]) -> str:
    number, colon, rest = path.partition(":")
    if not colon or not number.isdecimal():
        return path
    return paths[int(number)].rstrip("/") + rest
