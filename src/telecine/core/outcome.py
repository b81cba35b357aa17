"""What became of an episode: from what its recording states to facts, and to the rows of `next.success`. Pure.

Nothing is guessed: a word that is not in these tables leaves success unknown.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core.episode import Episode, EpisodeFacts, FeatureColumn
from telecine.core.recording import Recording, Stream, TextStream

SUCCESS = FeatureColumn("next.success", "bool", (1,))
"""False in every row but the last, which decides."""
OUTCOME = FeatureColumn("outcome", "string", (1,))
"""What telecine wrote into every row before episodes had facts; still filled where a dataset has it."""
WORDS: Mapping[bool | None, str] = {True: "success", False: "failed", None: "unknown"}
_GOOD = frozenset({"true", "1", "yes", "success", "succeeded", "successful"})
_BAD = frozenset({"false", "0", "no", "failure", "failed", "fail"})
_STOPPED = frozenset({"interrupted", "aborted", "cancelled", "canceled"})


def facts_of(recording: Recording) -> EpisodeFacts:
    """What `recording` states: `success`, `outcome`, `error_cause`, `interrupted` and `tags` of its attributes.

    Where it has no attribute `outcome`, the last text of a stream of that name. What the part of a split recording
    states of its success goes before both.

    Raises: SourceError when that stream cannot be read.
    """
    attrs, part = recording.attrs, recording.ref.part
    outcome = attrs.get("outcome", "").strip() or _last_text(recording.streams) or None
    success = _verdict(attrs.get("success", "")) if "success" in attrs else _verdict(outcome or "")
    if part is not None and part.success is not None and part.success is not success:
        success, outcome = part.success, None
    if outcome is None and success is not None:
        outcome = WORDS[success]
    stopped = (outcome or "").lower() in _STOPPED or attrs.get("interrupted", "").strip().lower() in _GOOD
    cause = attrs.get("error_cause") or (attrs.get("reason") if success is False or stopped else None)
    tags = tuple(dict.fromkeys(tag.strip() for tag in attrs.get("tags", "").split(",") if tag.strip()))
    number = None if part is None else part.number
    return EpisodeFacts(success, outcome, cause or None, stopped, tags, part=number)


def stored_facts(row: Mapping[str, Any]) -> EpisodeFacts:
    """The facts in a row of meta/episodes or of the provenance; values of another type are left out."""
    success, tags, part = row.get("success"), row.get("tags"), row.get("part")
    texts = {key: row[key] for key in ("outcome", "error_cause", "recording") if isinstance(row.get(key), str)}
    return EpisodeFacts(
        success=success if isinstance(success, bool) else None,
        interrupted=row.get("interrupted") is True,
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        part=part if isinstance(part, int) else None,
        **texts,
    )


def with_outcome(episode: Episode, keys: Mapping[str, FeatureColumn]) -> Episode:
    """The episode with those columns for its outcome that a dataset with the columns `keys` has and it lacks."""
    count, have = episode.grid.count, {column.key for column in episode.columns}
    if SUCCESS.key in keys and SUCCESS.key not in have:
        values = np.zeros(count, bool)
        values[-1:] = bool(episode.facts.success)
        episode = _with_column(episode, SUCCESS, pa.array(values))
    if keys.get(OUTCOME.key) == OUTCOME and OUTCOME.key not in have:
        word = episode.facts.outcome or WORDS[episode.facts.success]
        episode = _with_column(episode, OUTCOME, pa.array([word] * count, pa.string()))
    return episode


def decided(episode: Episode) -> Episode:
    """The episode with the success that the last row of its own column `next.success` states.

    Where nothing else states an outcome, be it "unknown"; only of a column of numbers or truth values.
    """
    column = next((c for c in episode.columns if c.key == SUCCESS.key), None)
    stated = episode.facts.success is not None or episode.facts.outcome is not None
    if stated or column is None or column.shape != (1,) or column.dtype == "string" or not episode.rows.num_rows:
        return episode
    success = bool(episode.rows.column(SUCCESS.key)[-1].as_py())
    return replace(episode, facts=replace(episode.facts, success=success, outcome=WORDS[success]))


def _with_column(episode: Episode, column: FeatureColumn, values: pa.Array) -> Episode:
    rows = episode.rows.add_column(len(episode.columns), column.key, values)
    return replace(episode, rows=rows, columns=(*episode.columns, column))


def _verdict(word: str) -> bool | None:
    low = word.strip().lower()
    return True if low in _GOOD else False if low in _BAD else None


def outcome_stream(streams: Mapping[str, Stream]) -> TextStream | None:
    """The one stream of texts whose name ends in `outcome`."""
    named = [s for name, s in streams.items() if name.partition(":")[0].rpartition("/")[2] == OUTCOME.key]
    return named[0] if len(named) == 1 and named[0].kind == "text" else None


def _last_text(streams: Mapping[str, Stream]) -> str:
    """Its last text, "" without one."""
    stream = outcome_stream(streams)
    if stream is None:
        return ""
    clock = next(iter(stream.clocks), "")
    count = len(stream.times(clock))
    texts = list(stream.take(np.array([count - 1], np.int64), clock)) if count else []
    return texts[0].strip() if texts else ""
