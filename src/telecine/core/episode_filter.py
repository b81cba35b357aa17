"""Which episodes a conversion takes, by what is known of each: `convert --where`, with the words of edits. Pure."""

from typing import Any

from telecine.core.edit.flags import FACTS
from telecine.core.episode import Episode
from telecine.core.errors import PlanError
from telecine.core.outcome import WORDS, decided
from telecine.core.text.expressions import Expression, parse_expression

NAMES = (FACTS - {"episode", "input"}) | {"error_cause", "interrupted"}
"""What an expression may ask: an episode has no number before it is in a dataset."""


def parse_where(text: str) -> Expression:
    """The expression. Raises: PlanError, naming the flag, for one that means nothing.

    >>> sorted(parse_where("success == true and rows >= 30").names)
    ['rows', 'success']
    """
    try:
        return parse_expression(text, NAMES)
    except PlanError as error:
        raise PlanError(f"--where: {error}") from error


def why_not(where: str, episode: Episode, recording: str) -> str | None:
    """Why `where` does not hold for an episode; None where it does.

    recording: what a dataset calls the recording, without folders.

    Raises: PlanError for operands that do not go together.
    """
    expression = parse_where(where)
    episode = decided(episode)
    facts, tasks, rows = episode.facts, episode.tasks, episode.grid.count
    values: dict[str, Any] = {
        "rows": rows,
        "seconds": float(rows / episode.grid.fps),
        "success": facts.success,
        "outcome": facts.outcome,
        "error_cause": facts.error_cause,
        "interrupted": facts.interrupted,
        "tags": facts.tags,
        "task": tasks[0] if tasks else None,
        "tasks": tasks,
        "recording": recording,
    }
    if expression(values):
        return None
    return ", ".join(f"{name} is {_shown(values[name])}" for name in sorted(expression.names)) or "it never holds"


def _shown(value: Any) -> str:
    return WORDS[None] if value is None else str(value).lower() if isinstance(value, bool) else str(value)
