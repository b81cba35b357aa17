"""Columns that a plan computes from others, added to episodes just before they are written.

What computes them is loaded for plans that have such columns alone.
"""

import json

from telecine.core.derive.functions import Toolbox
from telecine.core.episode import Episode
from telecine.core.errors import DatasetError, PlanError
from telecine.core.plan.model import IMAGES, Plan
from telecine.dataset.writer import DatasetWriter


def check_plan(plan: Plan, tools: Toolbox) -> None:
    """Nothing, when every expression can be read. Raises: PlanError."""
    if not plan.derived:
        return
    from telecine.core.derive.derived import check_derived

    check_derived(plan.derived, [f.key for f in plan.features if not f.key.startswith(IMAGES)], tools)


def computed(episode: Episode, plan: Plan, tools: Toolbox) -> Episode:
    """The episode with computed columns. Raises: DatasetError, which rejects the recording."""
    if not plan.derived:
        return episode
    from telecine.core.derive.episode import with_derived

    try:
        return with_derived(episode, plan.derived, tools)
    except PlanError as error:
        raise DatasetError(f"{episode.ref.label}: {error}") from error


def derivations(writer: DatasetWriter, plan: Plan, tools: Toolbox) -> str:
    """What meta/telecine/derived.json says; "" without computed columns."""
    if not plan.derived:
        return ""
    from telecine.core.derive.derived import meanings_of, record
    from telecine.core.derive.episode import meanings

    units = {f.key: f.units.partition(" to ")[2].strip() for f in plan.features if f.units}
    about = meanings_of(plan.derived, meanings(writer.features.columns if writer.features else (), units), tools)
    return json.dumps(record(plan.derived, about, tools), indent=4, ensure_ascii=False)
