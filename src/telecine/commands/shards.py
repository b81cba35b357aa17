"""`telecine.finalize`, and what `telecine.convert` does for one part of a conversion: what the commands do."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telecine.conversion.shards import finalize as joining
from telecine.conversion.shards.finalize import Finalized
from telecine.conversion.shards.part import plan_begun
from telecine.core.errors import PlanError
from telecine.run.executor import Executor
from telecine.run.worker_count import Workers

if TYPE_CHECKING:
    from telecine.commands.plan_flags import PlanLike


def finalize(
    out: str | Path, *, dry_run: bool = False, workers: int | None = None, executor: Executor | None = None
) -> Finalized:
    """Make the dataset `out` of all parts of its conversion, without reading or moving video.

    Args:
        out: where `convert` was told to make the dataset, with `shard`: a folder or an address in a store.
        dry_run: say what is done, failed and missing; write nothing.
        workers: processes that rewrite rows; None: by cores.
        executor: who rewrites rows, in place of these.

    Returns:
        The parts with their state, and the command that makes those that are not done; `.ok` is true when the dataset
        is there, or with `dry_run`. Called again it changes nothing.

    Raises:
        DatasetError: no conversion in parts was begun, a part is damaged, or writing failed; then nothing has changed.

    >>> import telecine as tc
    >>> plan = tc.inspect("recordings").plan
    >>> reports = [tc.convert("recordings", "parts", plan, shard=(i, 2)) for i in (1, 2)]
    >>> tc.finalize("parts").episodes
    2
    """
    if executor is not None:
        return joining.finalize(out, dry_run=dry_run, executor=executor)
    with Workers(workers) as own:
        return joining.finalize(out, dry_run=dry_run, executor=own)


def begun_plan(out: str | Path, plan: "PlanLike | None", flags: Mapping[str, Any]) -> "PlanLike":
    """The plan that is given, or that the conversion was begun with. Raises: PlanError without one."""
    if plan is not None:
        return plan
    found = plan_begun(out, append=bool(flags.get("append")))
    if found is None:
        fix = "write one with `telecine inspect RECORDINGS --plan plan.yaml`, then give --plan plan.yaml"
        raise PlanError(f"--shard needs a plan, so that all parts have the same; {fix}")
    return found
