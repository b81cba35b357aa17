"""`telecine convert --engine ray`: the commands of all parts, run by a cluster, then `finalize`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine.conversion.pipeline import Options
from telecine.core.dataclass import dataclass
from telecine.core.derive.functions import NO_TOOLS
from telecine.core.errors import PlanError
from telecine.core.plan.model import Plan
from telecine.core.progress import Progress, Silent
from telecine.core.text.addresses import as_typed, is_stored
from telecine.run.executor import Executor
from telecine.run.worker_count import OWN_BYTES, WORKER_BYTES
from telecine.sources.paths import is_url

if TYPE_CHECKING:
    from telecine.conversion.shards.finalize import Finalized

TOKEN = "TELECINE_CATALOG_TOKEN"  # noqa: S105  # nosec B105  # the variable's name


@dataclass(frozen=True, slots=True)
class Engine:
    """Who makes the parts. shards: None to choose; files: of `--functions` and `--urdf`, absolute, by flag."""

    name: str
    shards: int | None = None
    ray_address: str | None = None
    files: tuple[tuple[str, str], ...] = ()


def engine_of(flags: Mapping[str, Any]) -> Engine | None:
    """The engine that flags ask for, if one. Raises: PlanError for flags that do not go together, or without Ray."""
    name = flags.get("engine")
    if name is None:
        for other in ("shards", "ray_address"):
            if flags.get(other) is not None:
                raise PlanError(f"--{other.replace('_', '-')} goes with --engine ray")
        return None
    if name != "ray":
        raise PlanError(f"--engine {name!r}: the only engine is ray; say --engine ray")
    if flags.get("shard") is not None:
        raise PlanError("--shard makes one part and --engine all of them; leave one out")
    shards = flags.get("shards")
    if shards is not None and not 1 <= shards <= 1000:
        raise PlanError(f"--shards {shards}: a conversion has 1 to 1000 parts")
    from telecine.run.ray import load

    load(flags.get("ray_address"))  # before anything is read
    names = [name for name in ("functions", "urdf") if flags.get(name) is not None]
    files = tuple((f"--{name}", str(Path(flags[name]).resolve())) for name in names)
    return Engine(name, shards, flags.get("ray_address"), files)


def convert_by_engine(
    engine: Engine, paths: list[str], out: str | Path, plan: Plan, options: Options, executor: Executor,
    progress: Progress | None,
) -> "Finalized":  # fmt: skip
    """See `conversion.shards.engine`. Raises: PlanError, DatasetError, SourceError."""
    from telecine.conversion.shards.engine import OnCluster, convert_on
    from telecine.run.ray import RayCluster

    cpus = max(options.workers or 1, 1)
    memory_bytes = options.max_memory_bytes or OWN_BYTES + cpus * WORKER_BYTES
    words = (*_words(options, cpus), *(word for pair in engine.files for word in pair))
    if options.tools is not NO_TOOLS and not engine.files:
        raise PlanError("the engine's processes need functions and robots as files: functions=FILE, urdf=FILE")
    where = [path if is_url(path) else os.path.abspath(path) for path in paths]  # noqa: PTH100  # links stay
    environment = {} if options.token is None else {TOKEN: options.token}
    root = as_typed(out) if is_stored(out) else Path(os.path.abspath(out))  # noqa: PTH100
    asked = OnCluster(where, root, plan, options, words, engine.shards, environment)
    with RayCluster(engine.ray_address, cpus=cpus, memory_bytes=memory_bytes) as cluster:
        return convert_on(asked, cluster, executor=executor, watcher=_Watched(progress))


def _words(options: Options, workers: int) -> list[str]:
    """The flags of a part's command, as far as its job does not know them."""
    words = ["--workers", str(workers)]
    words += [flag for flag, given in _SWITCHES.items() if getattr(options, flag.strip("-").replace("-", "_")) is given]
    words += ["--no-verify"] if not options.verify else []
    words += ["--no-resume"] if not options.resume else []
    words += ["--where", options.where] if options.where else []
    words += ["--timeout", str(options.timeout_s)] if options.timeout_s is not None else []
    words += ["--max-memory", f"{options.max_memory_bytes}B"] if options.max_memory_bytes is not None else []
    return words


_SWITCHES = {"--append": True, "--recover": True, "--strict": True, "--follow-links": True}


class _Watched:
    """A `Watcher` of whatever progress was given; what happens goes to its `note`, where it has one."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or Silent()

    def begin(self, total_bytes: int, phase: str, items: int = 0) -> None:
        self._progress.begin(total_bytes, phase, items)

    def finish(self, items: int = 1) -> None:
        self._progress.finish(items)

    def advance(self, done_bytes: int, label: str) -> None:
        self._progress.advance(done_bytes, label)

    def note(self, text: str) -> None:
        note = getattr(self._progress, "note", None)
        if note is not None:
            note(text)
