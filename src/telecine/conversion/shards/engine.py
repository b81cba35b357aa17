"""All parts of a conversion on a cluster, then the dataset of them: the commands that people start by hand, started.

The cluster decides where a command runs and tries it again where it dies. What is done is read from the manifests,
never from what a command said: so parts of earlier runs are left alone, whoever made them.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from telecine.conversion.discovery import Episodes, discover
from telecine.conversion.pipeline import Options
from telecine.conversion.shards.finalize import Finalized, finalize
from telecine.conversion.shards.job import ShardJob, read_refs
from telecine.conversion.shards.part import begun, is_published, request_of
from telecine.conversion.shards.place import JobPlace, place_of
from telecine.conversion.shards.survey import part_state, survey
from telecine.core.errors import PlanError, StoreError
from telecine.core.findings import Finding
from telecine.core.plan.model import Plan
from telecine.core.progress import CONVERTING, Progress
from telecine.core.shards import Shard, cut, shards_for
from telecine.core.text.numbers import counted_of
from telecine.run.cluster import Cluster, Command, Ended
from telecine.run.executor import Executor
from telecine.sources import registry
from telecine.sources.registry import Claim

LOGS = "logs"


class Watcher(Progress, Protocol):
    """A display of work on several machines."""

    def note(self, text: str) -> None:
        """Something that happened, such as that a part is done."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class OnCluster:
    """What is to be converted, and how its parts are started.

    paths, root: absolute, or addresses. words: the flags that every part's command has; shards: None to choose by size.
    environment: of the commands besides their machine's, where secrets may stand.
    """

    paths: Sequence[str]
    root: str | Path
    plan: Plan
    options: Options
    words: Sequence[str] = ()
    shards: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def convert_on(asked: OnCluster, cluster: Cluster, *, executor: Executor, watcher: Watcher) -> Finalized:
    """Make all parts that are not done, then the dataset; with parts that failed, no dataset but their reasons.

    executor: who works here, before the parts and after them. Raises: as `convert_shard` and `finalize`. Interrupted,
    it says what is done.
    """
    place = place_of(asked.root)
    claims = registry.claimed(asked.paths, follow_links=asked.options.follow_links)
    found, shards = None, asked.shards or _begun_shards(place, asked)
    if shards is None:
        found, shards = _chosen_shards(asked, claims, cluster, executor)
    elif not cluster.slots():
        watcher.note("no node has room for a part now; they wait until one has")
    request = request_of(asked.paths, asked.plan, asked.options, shards=shards, claims=claims)
    if is_published(place, request):
        return finalize(asked.root, executor=executor)
    job, _ = begun(
        place, asked.paths, asked.plan, asked.options, request=request, claims=claims, executor=executor, found=found
    )
    try:
        failed = _run(asked, place, job, cluster, watcher)
    except KeyboardInterrupt as error:
        done = sum(part.what == "done" for part in survey(place, job).parts)
        error.add_note(f"{counted_of(done, shards, 'part', 'is', 'are')} done; the same command makes the others")
        raise
    made = finalize(asked.root, executor=executor)
    return replace(made, findings=(*made.findings, *failed))


def _begun_shards(place: JobPlace, asked: OnCluster) -> int | None:
    """How many parts a conversion has that was begun before."""
    append = asked.options.append
    if place.is_published() and not append:
        last = place.last_job()
        return None if last is None else last.request.shards
    job = place.begun(place.base(append=append))
    return None if job is None else job.request.shards


def _chosen_shards(
    asked: OnCluster, claims: Sequence[Claim], cluster: Cluster, executor: Executor
) -> tuple[Episodes, int]:
    """The recordings, and into how many parts they are cut. Raises: PlanError when no node has room for one."""
    slots = cluster.slots()
    if not slots:
        fix = "lower --workers or --max-memory, or give --shards N to wait for nodes that come later"
        raise PlanError(f"no node of the cluster has the cores and the memory that one part takes; {fix}")
    found = discover(asked.paths, asked.plan, **asked.options.access, claims=claims, executor=executor)
    return found, shards_for(len(found.refs), found.size_bytes, slots)


def _run(asked: OnCluster, place: JobPlace, job: ShardJob, cluster: Cluster, watcher: Watcher) -> list[Finding]:
    """Run what is not done. A finding for each part that failed."""
    sizes = _sizes(asked, place, job)
    state = {part.shard: part for part in survey(place, job).parts}
    commands = [
        _command(asked, place, job, shard)
        for shard in (Shard(number, job.request.shards) for number in range(1, job.request.shards + 1))
        if state[str(shard)].what != "done"
    ]
    if len(commands) < len(state):
        watcher.note(f"{counted_of(len(state) - len(commands), len(state), 'part', 'is', 'are')} done already")
    tally = _Tally({command.name: sizes[command.name] for command in commands}, len(commands), watcher)
    watcher.begin(sum(tally.sizes.values()), CONVERTING)
    logs = {command.name: command.log for command in commands}
    return [
        Finding("engine-part", "error", f"{place.name}: part {ended.name}", ended.why, f"see {logs[ended.name]}")
        for ended in cluster.run(commands, tally.hear)
        if tally.ended(ended)
    ]


def _sizes(asked: OnCluster, place: JobPlace, job: ShardJob) -> dict[str, int]:
    """Bytes of the recordings of every part."""
    refs = read_refs(place.job(job.base), job, asked.paths)
    sizes = [ref.size_bytes for ref in refs]
    shards = job.request.shards
    return {
        str(Shard(number, shards)): sum(sizes[mine.start : mine.stop])
        for number, mine in enumerate(cut(sizes, shards), start=1)
    }


def _command(asked: OnCluster, place: JobPlace, job: ShardJob, shard: Shard) -> Command:
    """`telecine convert ... --shard I/N`, whose plan is the one that the conversion was begun with."""
    words = ("convert", *asked.paths, str(asked.root), *asked.words, "--shard", str(shard))
    key = f"{LOGS}/{shard.name}.log"
    keep = None if place.folder is not None else partial(_keep_log, place.name, job.base, key)
    done = partial(_is_done, place.name, job, shard)
    return Command(str(shard), words, f"{place.job(job.base).address}/{key}", done, asked.environment, keep)


def _is_done(root: str, job: ShardJob, shard: Shard) -> bool:
    return part_state(place_of(root), job, shard)[1] is not None


def _keep_log(root: str, base: str, key: str, path: Path) -> None:
    """Add a log to what is in the store."""
    store = place_of(root).job(base)
    with suppress(StoreError):  # what counts is whether the part is there
        try:
            before = store.get(key)
        except FileNotFoundError:
            before = b""
        store.put(key, before + path.read_bytes())


class _Tally:
    """What all commands have done, as one number that never falls: a part that begins again is not counted twice."""

    def __init__(self, sizes: Mapping[str, int], parts: int, watcher: Watcher) -> None:
        self.sizes, self._parts, self._watcher = sizes, parts, watcher
        self._done: dict[str, int] = {}
        self._ended = 0

    def hear(self, name: str, node: str, done_bytes: int) -> None:
        """See `run.cluster.Hear`."""
        done = min(done_bytes, self.sizes[name])
        more = done - self._done.get(name, 0)
        if more > 0:
            self._done[name] = done
            self._watcher.advance(more, f"{node}: {name}")

    def ended(self, ended: Ended) -> bool:
        """Note the end of a command; True when it failed."""
        self._ended += 1
        if ended.why:
            self._watcher.note(f"part {ended.name} failed: {ended.why}")
            return True
        self.hear(ended.name, ended.node, self.sizes[ended.name])
        count = f"{self._ended} of {self._parts}"
        self._watcher.note(f"part {ended.name} is done on {ended.node} in {ended.seconds:.0f} s ({count})")
        return False
