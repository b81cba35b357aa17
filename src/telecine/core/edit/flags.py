"""Edits in the short form of the command line, and several edits as one.

Numbers always mean the source's episodes, ranges (`3,7-9`) include both ends, and seconds count from an episode's
start: row k is in when start <= k / fps < stop.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from telecine.core.edit.model import Edit, make_edit
from telecine.core.edit.resolve import Name, SourceDataset, SourceEpisode, every_episode, key_of, name_of
from telecine.core.episode_filter import FACTS
from telecine.core.errors import EditError, PlanError
from telecine.core.text.documents import suggest
from telecine.core.text.expressions import parse_expression
from telecine.core.text.numbers import counted


@dataclass(frozen=True, slots=True)
class EditFlags:
    """An edit as flags, each as it is typed."""

    delete: Sequence[str] = ()
    """"3,7-9", or the name of a recording."""
    keep: Sequence[str] = ()
    trim: Sequence[str] = ()
    """"4:1.5s..6.2s" or, in rows, "4:45..186"; either end may be left out."""
    split: Sequence[str] = ()
    """"5:3.2s,6s" or, in rows, "5:96"."""
    task: Sequence[str] = ()
    """"4=pick up the cube", or "pick cube=pick up the cube" for a task text."""
    success: Sequence[str] = ()
    """"4=false"; true, false or unknown."""
    outcome: Sequence[str] = ()
    tag: Sequence[str] = ()
    """"3-5=good,clean"."""
    rename: Sequence[str] = ()
    """"old=new"."""
    drop: Sequence[str] = ()
    """A feature's key."""
    add: Sequence[str] = ()
    """"action_delta=delta(action)"."""
    order: str | None = None
    """"3,1,2"."""
    where: str | None = None
    """An expression over an episode's facts; those of which it does not hold are left out."""


def edit_of_flags(flags: EditFlags, inputs: Sequence[SourceDataset]) -> Edit:
    """The edit that flags mean for these datasets. Raises: EditError naming the flag."""
    entries: dict[Name, dict[str, Any]] = {}
    for name in _left_out(flags, inputs):
        entries.setdefault(name, {})["drop"] = True
    for field, texts in (
        ("task", flags.task),
        ("success", flags.success),
        ("outcome", flags.outcome),
        ("tags", flags.tag),
    ):
        for episodes, value in _assigned(field, texts, inputs):
            for name in episodes:
                entries.setdefault(name, {})[field] = value
    for name, ranges in _ranges(flags, inputs).items():
        entries.setdefault(name, {})["parts"] = [{"rows": list(rows)} for rows in ranges]
    for entry in entries.values():
        if entry.get("drop"):
            entry.pop("parts", None)
    body: dict[str, Any] = {"episodes": {key_of(name, inputs): entries[name] for name in sorted(entries)}}
    body["tasks"] = dict(_task_texts(flags.task, inputs))
    body["features"] = {"rename": dict(_pairs("--rename", flags.rename)), "drop": list(flags.drop)}
    if flags.add:
        body["features"]["add"] = [{"key": key, "value": value} for key, value in _pairs("--add", flags.add)]
    if flags.order is not None:
        body["order"] = [key_of(name, inputs) for name in episodes_of("--order", flags.order, inputs)]
    return make_edit(body)


def combined(edits: Sequence[tuple[str, Edit]]) -> Edit:
    """Several edits of the same datasets as one. Raises: EditError where two of them contradict each other."""
    body: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    problems = [p for name, edit in edits for p in _put(body, edit.to_dict(), name, (), origins)]
    if problems:
        raise EditError("edits contradict each other:\n  " + "\n  ".join(problems))
    return make_edit(body)


def _put(
    into: dict[str, Any], body: Mapping[str, Any], name: str, path: tuple[str, ...], origins: dict[tuple[str, ...], str]
) -> Iterator[str]:
    """Merge an edit into others; both may state the same."""
    for key, value in body.items():
        here = (*path, str(key))
        if here == ("revision",):
            into[key] = max(into.get(key, 0), value)
        elif here in (("labels",), ("features", "add")):  # those that contradict each other are found in their rows
            into[key] = [*into.get(key, []), *value]
        elif isinstance(value, Mapping):
            yield from _put(into.setdefault(key, {}), value, name, here, origins)
        elif key in into and into[key] != value:
            yield f"{'.'.join(here)}: {origins[here]} says {into[key]!r}, {name} says {value!r}"
        else:
            into[key] = value
            origins.setdefault(here, name)


def rows_of(text: str, fps: int, length: int, what: str) -> int:
    """The first row at or behind a moment: "1.5s", or the number of a row. Raises: EditError.

    >>> rows_of("0.1s", 30, 100, "--trim"), rows_of("45", 30, 100, "--trim")
    (3, 45)
    """
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,30})?)\s*(s|ms)?\s*", text, re.ASCII)
    if found is None or (found[2] is None and "." in found[1]):
        raise EditError(f"{what}: {text!r} is no moment; write seconds as 1.5s, or a row as 45")
    per_unit = {"s": Fraction(fps), "ms": Fraction(fps, 1000)}.get(found[2], Fraction(1))
    row = math.ceil(Fraction(found[1]) * per_unit)
    if row > length:
        raise EditError(
            f"{what}: {text} lies behind the episode's end, {counted(length, 'row')} ({length / fps:.3f} s)"
        )
    return row


def episodes_of(what: str, text: str, inputs: Sequence[SourceDataset]) -> list[Name]:
    """The episodes that "3,7-9", "1/4" or the name of a recording means, in the order of the text.

    what: the flag, or the line of a table. Raises: EditError that begins with it.
    """
    found: list[Name] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        numbers = re.fullmatch(r"(?:(\d{1,12})/)?(\d{1,12})(?:-(\d{1,12}))?", part, re.ASCII)
        if numbers is None:
            found += _of_recording(what, part, inputs)
            continue
        prefix = "" if numbers[1] is None else f"{numbers[1]}/"
        first, last = int(numbers[2]), int(numbers[3] or numbers[2])
        if last < first:
            raise EditError(f"{what}: {part} runs backwards; write {last}-{first}")
        for number in (first, last):  # before a range of a billion is walked through
            if isinstance(name := name_of(f"{prefix}{number}", inputs), str):
                raise EditError(f"{what}: {name}")
        found += (n for k in range(first, last + 1) if not isinstance(n := name_of(f"{prefix}{k}", inputs), str))
    if not found:
        raise EditError(f"{what}: {text!r} names no episode; write 3, 3,7-9 or a recording's name")
    return list(dict.fromkeys(found))


def _of_recording(what: str, part: str, inputs: Sequence[SourceDataset]) -> list[Name]:
    names = {name: episode.recording for name, episode in every_episode(inputs)}
    found = [name for name, recording in names.items() if recording and recording in (part, part.rpartition("/")[2])]
    if not found:
        hint = suggest(part, set(filter(None, names.values()))) or "; name episodes by numbers, such as 3 or 5-9"
        raise EditError(f"{what}: no episode was made of {part!r}{hint}")
    return found


def _left_out(flags: EditFlags, inputs: Sequence[SourceDataset]) -> Iterator[Name]:
    for text in flags.delete:
        yield from episodes_of("--delete", text, inputs)
    if flags.keep:
        kept = {name for text in flags.keep for name in episodes_of("--keep", text, inputs)}
        yield from (name for name, _ in every_episode(inputs) if name not in kept)
    if flags.where is not None:
        yield from _not_where(flags.where, inputs)


def _not_where(text: str, inputs: Sequence[SourceDataset]) -> Iterator[Name]:
    """The episodes of which an expression does not hold."""
    try:
        holds = parse_expression(text, FACTS)
        for name, episode in every_episode(inputs):
            if not holds(facts_of(name, episode, inputs[name[0]].fps)):
                yield name
    except PlanError as error:
        raise EditError(f"--where: {error}") from error


def facts_of(name: Name, episode: SourceEpisode, fps: int) -> dict[str, Any]:
    """What `where` knows of an episode."""
    return {
        "input": name[0],
        "episode": name[1],
        "rows": episode.length,
        "seconds": episode.length / fps,
        "success": episode.success,
        "outcome": episode.outcome or None,
        "tags": episode.tags,
        "task": episode.tasks[0] if episode.tasks else None,
        "tasks": episode.tasks,
        "recording": episode.recording or None,
    }


def _pairs(flag: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        key, found, value = text.partition("=")
        if not (key.strip() and found and value.strip()):
            raise EditError(f"{flag}: {text!r} is not of the form NAME=VALUE")
        yield key.strip(), value.strip()


_SUCCESS: Mapping[str, bool | str] = {"true": True, "false": False, "unknown": "unknown"}


def _assigned(
    field: str, texts: Iterable[str], inputs: Sequence[SourceDataset]
) -> Iterator[tuple[list[Name], bool | str | list[str]]]:
    """(episodes, value) of flags of the form EPISODES=VALUE."""
    flag = "--tag" if field == "tags" else f"--{field}"
    for key, value in _pairs(flag, texts):
        if field == "task" and _is_task(key, inputs):
            continue
        episodes = episodes_of(flag, key, inputs)
        if field == "success":
            if value not in _SUCCESS:
                raise EditError(f"--success: {value!r} is not one of true, false, unknown")
            yield episodes, _SUCCESS[value]
        elif field == "tags":
            yield episodes, [tag.strip() for tag in value.split(",") if tag.strip()]
        else:
            yield episodes, value


def _is_task(key: str, inputs: Sequence[SourceDataset]) -> bool:
    return any(key in episode.tasks for _, episode in every_episode(inputs))


def _task_texts(texts: Iterable[str], inputs: Sequence[SourceDataset]) -> Iterator[tuple[str, str]]:
    yield from ((key, value) for key, value in _pairs("--task", texts) if _is_task(key, inputs))


def _ranges(flags: EditFlags, inputs: Sequence[SourceDataset]) -> dict[Name, list[tuple[int, int]]]:
    """The rows that trims leave, cut where splits say."""
    ranges: dict[Name, tuple[int, int]] = {}
    for name, text in _timed("--trim", flags.trim, inputs):
        fps, length = inputs[name[0]].fps, inputs[name[0]].episodes[name[1]].length
        first, dots, last = text.partition("..")
        if not dots:
            raise EditError(f"--trim: {text!r} is not of the form START..STOP, e.g. 1.5s..6.2s")
        start = rows_of(first, fps, length, "--trim") if first.strip() else 0
        stop = rows_of(last, fps, length, "--trim") if last.strip() else length
        if start >= stop:
            raise EditError(f"--trim: {text} leaves no row of episode {key_of(name, inputs)}")
        if name in ranges:
            raise EditError(f"--trim: episode {key_of(name, inputs)} is trimmed twice")
        ranges[name] = (start, stop)
    cuts: dict[Name, set[int]] = {}
    for name, text in _timed("--split", flags.split, inputs):
        fps, length = inputs[name[0]].fps, inputs[name[0]].episodes[name[1]].length
        start, stop = ranges.setdefault(name, (0, length))
        for moment in text.split(","):
            row = rows_of(moment, fps, length, "--split")
            if not start < row < stop:
                raise EditError(f"--split: {moment.strip()} leaves nothing on one side of it in [{start}, {stop})")
            cuts.setdefault(name, set()).add(row)
    found = {}
    for name, (start, stop) in ranges.items():
        borders = [start, *sorted(cuts.get(name, ())), stop]
        found[name] = list(pairwise(borders))
    return found


def _timed(flag: str, texts: Iterable[str], inputs: Sequence[SourceDataset]) -> Iterator[tuple[Name, str]]:
    """(episode, the text behind the colon) of flags of the form EPISODES:TEXT."""
    for text in texts:
        key, found, rest = text.rpartition(":")
        if not found:
            raise EditError(f"{flag}: {text!r} is not of the form EPISODE:TIME, e.g. 4:1.5s..6.2s")
        yield from ((name, rest) for name in episodes_of(flag, key, inputs))
