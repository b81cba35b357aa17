"""Which episodes a conversion takes, by what is known of each: `convert --where`, with the words of edits. Pure."""

from collections.abc import Mapping
from typing import Any

from telecine.core.episode import Episode, EpisodeFacts, recording_name
from telecine.core.errors import PlanError, SourceError
from telecine.core.outcome import WORDS, decided, facts_of
from telecine.core.recording import Recording
from telecine.core.text.expressions import Expression, parse_expression

FACTS = frozenset({"episode", "input", "rows", "seconds", "success", "outcome", "tags", "task", "tasks", "recording"})
"""What `where` can ask about an episode of a dataset."""
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
    episode = decided(episode)
    tasks, rows = episode.tasks, episode.grid.count
    values: dict[str, Any] = {
        **_stated(episode.facts, recording),
        "rows": rows,
        "seconds": float(rows / episode.grid.fps),
        "task": tasks[0] if tasks else None,
        "tasks": tasks,
    }
    return _why_not(parse_where(where), values)


def why_not_before(where: str, recording: Recording) -> str | None:
    """As `why_not`, of a recording that is not aligned yet, so that one that cannot be is left out for what it states.

    None also where that cannot be said yet: it depends on rows or tasks, or nothing states the outcome, which a column
    `next.success` may still do. `success == true and rows >= 30` is answered by a failure alone.

    Raises: PlanError for operands that do not go together.
    """
    expression = parse_where(where)
    try:
        facts = facts_of(recording)
    except SourceError:  # alignment says what cannot be read
        return None
    values = _stated(facts, recording_name(recording.ref))
    if facts.success is None and facts.outcome is None:
        del values["success"], values["outcome"]
    try:
        return _why_not(expression, values)
    except KeyError:  # of a name that only an aligned episode has
        return None


def _stated(facts: EpisodeFacts, recording: str) -> dict[str, Any]:
    """What a recording states of its episode."""
    return {
        "success": facts.success,
        "outcome": facts.outcome,
        "error_cause": facts.error_cause,
        "interrupted": facts.interrupted,
        "tags": facts.tags,
        "recording": recording,
    }


def _why_not(expression: Expression, values: Mapping[str, Any]) -> str | None:
    if expression(values):
        return None
    named = sorted(expression.names & values.keys())
    return ", ".join(f"{name} is {_shown(values[name])}" for name in named) or "it never holds"


def _shown(value: Any) -> str:
    return WORDS[None] if value is None else str(value).lower() if isinstance(value, bool) else str(value)
