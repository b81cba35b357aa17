"""`telecine.convert` and `telecine.dry_run`: what `telecine convert` does, with the same words."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from telecine.commands.engine import Engine, convert_by_engine, engine_of
from telecine.commands.flag_table import PlanFlags, RunFlags
from telecine.commands.plan_flags import (
    PlanLike,
    check_flags,
    lacks_fps,
    plan_of,
    text_of_task,
    wants_proposal,
)
from telecine.commands.stores import copies_gone, stores
from telecine.commands.tools import tools_of
from telecine.conversion import pipeline
from telecine.conversion.discovery import nothing_readable
from telecine.conversion.pipeline import Options
from telecine.conversion.report import Report
from telecine.core.accounting import NO_CHOICES, Choices
from telecine.core.dataclass import dataclass
from telecine.core.derive.functions import NO_TOOLS
from telecine.core.episode_filter import parse_where
from telecine.core.errors import PlanError, raised_as
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.core.progress import Progress
from telecine.core.shards import Shard, shard_of
from telecine.core.text.addresses import is_stored, store_address
from telecine.core.text.documents import suggest
from telecine.core.text.numbers import bytes_in
from telecine.dataset.staging import workspace
from telecine.lerobot_format.paths import PLAN
from telecine.run.executor import Executor
from telecine.run.worker_count import Workers
from telecine.sources.claims import import_likely

if TYPE_CHECKING:  # loaded where they are used, since most conversions need neither
    from telecine.conversion.dry_run import DryRun
    from telecine.conversion.shards.finalize import Finalized
    from telecine.inspection.recordings import Inspection

Paths: TypeAlias = str | Path | Sequence[str | Path]
"""One file, folder, glob or catalog address, or several."""
T = TypeVar("T", PlanFlags, RunFlags)


@overload
def convert(
    paths: Paths,
    out: str | Path,
    plan: "PlanLike | None" = None,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    engine: None = None,
    **flags: Any,
) -> Report: ...
@overload
def convert(
    paths: Paths,
    out: str | Path,
    plan: "PlanLike | None" = None,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    engine: str,
    **flags: Any,
) -> "Finalized": ...


def convert(
    paths: Paths,
    out: str | Path,
    plan: "PlanLike | None" = None,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    engine: str | None = None,
    **flags: Any,
) -> "Report | Finalized":
    """Make the LeRobot dataset `out` of all recordings at `paths`, as `telecine convert` does.

    A recording that cannot be used is in the report with its reason, and costs no other one. The dataset is there
    complete, or not at all.

    Args:
        paths: a file, folder, glob, address in a store or catalog address, or several of them.
        out: the folder to make, or an address in a store.
        plan: what to take: a `Plan`, the path of a plan file, its plain values, or a `Proposal`. None: the plan that
            the recordings suggest; each guess in it is among the report's findings.
        options: how to convert, as one value instead of flags.
        progress: gets how far the work is, in bytes.
        executor: who works; None: processes as `workers` and `max_memory` say.
        engine: "ray": make all parts on a cluster, `shards` of them (None: by size and nodes), then the dataset;
            `ray_address` names the cluster, None is one of this machine. See
            https://telecine-robotics.github.io/telecine/scale/.
        flags: those of the command line, by their names with `_` for `-`: `fps` (rows per second), `task_text`,
            `action`, `state`, `video`, `size`, `split_gaps`, `overwrite`, `append`, `workers`, `shard` (i, n) ... They
            override the plan. All are listed in https://telecine-robotics.github.io/telecine/api/. `task` is the task's
            text, or a stream with it: one that begins with "/", or `{"from": STREAM}` as in the plan.

    Returns:
        What became of each recording; `report.ok` is true when none was rejected and the dataset verified clean. With
        `engine` what `finalize` returns.

    Raises:
        SourceError: nothing can be read. PlanError: the plan or a flag is wrong, or the engine's package is missing.
        DatasetError: `out` exists or cannot be written, parts of it wait for `finalize`, or no cluster is reached.
        TypeError: there is no such flag.

    >>> import telecine as tc
    >>> report = tc.convert("recordings", "picks", fps=15, task="pick up the cube")
    >>> report.ok, len(report.episodes), report.fps
    (True, 2, 15)
    """
    by = engine_of({"engine": engine, **flags})
    flags = {name: value for name, value in flags.items() if name not in _ENGINE_FLAGS}
    shard = flags.pop("shard", None)
    if by is not None:
        from telecine.conversion.shards.part import plan_begun

        plan = plan if plan is not None else plan_begun(out, append=bool(flags.get("append")))
        return _call(paths, plan, options, executor, flags, lambda job: job.convert_by(by, out, progress))
    if shard is None:
        with _target(out, options, flags) as (there, done):
            return done(_call(paths, plan, options, executor, flags, lambda job: job.convert(there, progress)))
    from telecine.commands.shards import begun_plan

    part = shard_of(shard)
    plan = begun_plan(out, plan, flags)
    return _call(paths, plan, options, executor, flags, lambda job: job.convert_shard(out, part, progress))


@contextmanager
def _target(
    out: str | Path, options: Options | None, flags: Mapping[str, Any]
) -> Iterator[tuple[str | Path, Callable[[Report], Report]]]:
    """The folder to work in for `out`, and what has to be done with the report in the end."""
    overwrites, appends = (bool(flags.get(n) or getattr(options, n, False)) for n in ("overwrite", "append"))
    with stores() as here:
        _require_no_parts(out)
        yield here.changed(out) if appends else here.target(out, overwrite=overwrites), here.done


def _require_no_parts(out: str | Path) -> None:
    """Nothing, when no conversion in parts into `out` waits for its `finalize`. Raises: DatasetError; StoreError."""
    if is_stored(out):
        address = store_address(out)
        may_have_parts = address.scheme != "hf" and bool(address.key)
    else:
        may_have_parts = any(workspace(Path(os.path.realpath(out))).glob("job-*"))
    if may_have_parts:
        from telecine.conversion.shards.place import require_no_parts

        require_no_parts(out)


def dry_run(
    paths: Paths,
    plan: "PlanLike | None" = None,
    options: Options | None = None,
    *,
    executor: Executor | None = None,
    **flags: Any,
) -> "DryRun":
    """What `convert` would decide: rows, copy or encode per camera and why, bytes and seconds. Writes nothing.

    Args:
        paths: see `convert`.
        plan: see `convert`.
        options: see `convert`.
        executor: see `convert`.
        flags: see `convert`.

    Returns:
        The decisions; sizes in bytes and times in seconds are estimates.

    Raises:
        SourceError: nothing can be read. PlanError: the plan or a flag is wrong. TypeError: there is no such flag.

    >>> import telecine as tc
    >>> [(r.rows, [c.action for c in r.cameras]) for r in tc.dry_run("recordings").recordings]
    [(8, ['copy']), (8, ['copy'])]
    """
    began_s = cpu_seconds()
    made = _call(paths, plan, options, executor, flags, lambda job: job.dry_run())
    return replace(made, looked_s=cpu_seconds() - began_s)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be converted, when all that was given is understood."""

    paths: list[str]
    plan: Plan
    options: Options
    executor: Executor
    seen: "Inspection | None"
    """What the plan was proposed from; None where a plan was given."""

    @property
    def choices(self) -> Choices:
        return NO_CHOICES if self.seen is None else self.seen.proposal.choices

    def convert(self, out: str | Path, progress: Progress | None) -> Report:
        report = pipeline.convert(
            self.paths, out, self.plan, self.options, executor=self.executor, progress=progress, choices=self.choices
        )
        if self.seen is None:
            return report
        return replace(report, findings=(*_proposal_findings(self.seen, report), *report.findings))

    def convert_shard(self, out: str | Path, shard: Shard, progress: Progress | None) -> Report:
        from telecine.conversion.shards.part import convert_shard

        return convert_shard(
            self.paths, out, self.plan, self.options, shard=shard, executor=self.executor, progress=progress
        )

    def convert_by(self, engine: Engine, out: str | Path, progress: Progress | None) -> "Finalized":
        made = convert_by_engine(engine, self.paths, out, self.plan, self.options, self.executor, progress)
        if self.seen is None:
            return made
        guesses = (Finding("plan-proposed", "warning", f"{made.root}/{PLAN}", g) for g in self.seen.proposal.guesses)
        return replace(made, findings=(*guesses, *made.findings))

    def dry_run(self) -> "DryRun":
        from telecine.conversion import dry_run

        return dry_run.dry_run(self.paths, self.plan, self.options, executor=self.executor, choices=self.choices)


def cpu_seconds() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


R = TypeVar("R")
_ENGINE_FLAGS = ("engine", "shards", "ray_address")


def _call(
    paths: Paths,
    plan: "PlanLike | None",
    options: Options | None,
    executor: Executor | None,
    flags: dict[str, Any],
    work: Callable[[_Job], R],
) -> R:
    plan_flags, run_flags = _split(flags)
    check_flags(plan_flags)
    options = run_options(run_flags, options)
    where = path_list(paths)
    with who_works(executor, options, where) as who:
        seen = None
        if wants_proposal(plan_flags, plan) or lacks_fps(plan_flags, plan):
            seen = _inspected(where, options, plan_flags, run_flags, who)
        whole = plan_of(plan_flags, plan, None if seen is None else seen.proposal)
        return work(_Job(where, whole, options, who, seen if plan is None else None))


def path_list(paths: Paths) -> list[str]:
    """One path or several as a list."""
    given = [paths] if isinstance(paths, str | Path) else paths
    return [str(store_address(path)) if is_stored(path) else str(path) for path in given]


def _split(flags: dict[str, Any]) -> tuple[PlanFlags, RunFlags]:
    """Raises: TypeError naming the nearest flag."""
    of_plan, of_run = ({f.name for f in fields(kind)} for kind in (PlanFlags, RunFlags))
    for name in flags:
        if name not in of_plan | of_run:
            raise TypeError(f"there is no flag {name!r}{suggest(name, of_plan | of_run)}")
    flags = {name: value for name, value in flags.items() if value is not None}
    plan_flags = {name: value for name, value in flags.items() if name in of_plan}
    plan_flags |= {name: _texts(plan_flags[name], sign) for name, sign in _LISTS.items() if name in plan_flags}
    plan_flags |= {name: ",".join(_texts(plan_flags[name], "")) for name in _NAMES if name in plan_flags}
    plan_flags |= {name: str(plan_flags[name]) for name in ("rate",) if name in plan_flags}
    if not isinstance(plan_flags.get("size", ""), str):
        plan_flags["size"] = "x".join(str(px) for px in plan_flags["size"])
    return PlanFlags(**plan_flags), RunFlags(**{n: v for n, v in flags.items() if n in of_run})


_LISTS = {"action": "", "state": "", "video": ":", "feature": "="}
"""Flags that repeat -> what stands between key and stream."""
_NAMES = ("action_names", "state_names")


def _texts(value: Any, sign: str) -> tuple[str, ...]:
    """A repeated flag of one text, several, or a mapping of keys to streams."""
    if isinstance(value, Mapping):
        streams = {key: (v,) if isinstance(v, str) else v for key, v in value.items()}
        return tuple(f"{key}{sign}{stream}" for key, several in streams.items() for stream in several)
    return (value,) if isinstance(value, str) else tuple(value)


def run_options(flags: RunFlags, options: Options | None = None) -> Options:
    """The options that flags change. Raises: PlanError for a size or a file that means nothing."""
    names = {"catalog_token": "token", "max_memory": "max_memory_bytes", "timeout": "timeout_s"}  # nosec B105  # fields
    given = {f.name: getattr(flags, f.name) for f in fields(RunFlags) if getattr(flags, f.name) != f.default}
    for name in ("missing_action", "shard", *_ENGINE_FLAGS):
        given.pop(name, None)
    if file := given.pop("catalog_token_file", None):
        with raised_as(PlanError, f"--catalog-token-file {file}: cannot be read", OSError, UnicodeDecodeError):
            given["catalog_token"] = Path(file).read_text(encoding="utf-8").strip() or None
    tools = tools_of(given.pop("functions", None), given.pop("urdf", None))
    if tools is not NO_TOOLS:
        given["tools"] = tools
    if where := given.get("where"):
        parse_where(where)
    memory = given.get("max_memory")
    if isinstance(memory, str):
        given["max_memory"] = bytes_in(memory)
        if given["max_memory"] is None:
            raise PlanError(f"--max-memory {memory!r} is no size; give one such as 8GB or 500MB")
    return replace(options or Options(), **{names.get(name, name): value for name, value in given.items()})


def reading_options(token_file: str | Path | None, **flags: Any) -> Options:
    """The options of a command that only reads recordings; flags: of `RunFlags`. Raises: as `run_options`."""
    return run_options(RunFlags(catalog_token_file=None if token_file is None else Path(token_file), **flags))


@contextmanager
def who_works(executor: Executor | None, options: Options, paths: Sequence[str]) -> Iterator[Executor]:
    """The executor that is given, or processes as the options say, for recordings at these paths."""
    if executor is not None:
        with copies_gone():
            yield executor
        return
    import_likely(paths)
    with (
        copies_gone(),
        Workers(options.workers, max_bytes=options.max_memory_bytes, timeout_s=options.timeout_s) as own,
    ):
        yield own


def _inspected(
    paths: list[str], options: Options, flags: PlanFlags, run_flags: RunFlags, executor: Executor
) -> "Inspection":
    """What the recordings hold. Raises: SourceError with every reason when not one can be read."""
    from telecine.core.proposal.propose import propose
    from telecine.inspection.recordings import inspect_many

    proposing = partial(
        propose,
        task_text=text_of_task(flags),
        fps=flags.fps,
        rate=flags.rate,
        missing_action=run_flags.missing_action,
    )
    seen = inspect_many(paths, **options.access, executor=executor, proposing=proposing)
    unread = any(finding.code == "stream-unreadable" for finding in seen.findings)
    if not any(recording.clock_names() or not unread for recording in seen.recordings):
        raise nothing_readable(paths, seen.findings)  # no plan makes rows of streams that cannot be read
    return seen


def _proposal_findings(seen: "Inspection", report: Report) -> Iterator[Finding]:
    """What was decided without being asked for, and what that left out because it cannot be read."""
    where = f"{report.root}/{PLAN}"
    yield Finding("plan-proposed", "info", where, "no plan was given, so it follows from the recordings")
    for guess in seen.proposal.guesses:
        yield Finding("plan-proposed", "warning", where, guess)
    named = {r.recording for r in report.rejected}
    for finding in seen.findings:
        if finding.code == "inspect-sampled":
            yield replace(finding, fix="give a plan of all: telecine inspect RECORDINGS --all --plan plan.yaml")
        if finding.severity == "error" and not any(finding.where.startswith(label) for label in named):
            yield finding
