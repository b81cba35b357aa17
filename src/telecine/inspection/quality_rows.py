"""The numbers of some episodes of a dataset, read once: what is wrong with them, and what comparing them needs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from telecine.core import quality_checks
from telecine.core.episode import FeatureColumn
from telecine.core.errors import DatasetError
from telecine.core.findings import Finding, placed
from telecine.core.quality.episode_rows import ACTION, FEWEST_ROWS, STATE, EpisodeNumbers
from telecine.core.quality.jumps import clipped_findings, jump_findings, spike_findings
from telecine.core.quality.reversed_rows import reversed_findings
from telecine.core.quality.row_facts import RowFacts, facts_of
from telecine.core.quality.stillness import deaf_findings, repeated_findings, stuck_findings
from telecine.core.quality_screen import suspects
from telecine.core.stats import Floats
from telecine.core.video import Flags
from telecine.dataset.reader import Dataset
from telecine.dataset.values import to_numpy
from telecine.lerobot_format.metadata import CAMERA_DTYPES, EpisodeMeta

VERIFY = "run `telecine verify` for details"
NOT_NUMERIC = CAMERA_DTYPES | {"string", "bool", "language"}
Motion = dict[int, Floats]
"""Episode -> (n, w) the state, or the action, of each row."""
_ALONE = {
    "look-stuck": stuck_findings,
    "look-dead": deaf_findings,
    "look-spikes": spike_findings,
    "look-jump": jump_findings,
    "look-clipped": clipped_findings,
    "look-repeated": repeated_findings,
    "look-reversed": reversed_findings,
}


class _Numbered(Sequence[str]):
    """Names of elements that have none, made when they are asked for: the metadata may lie about how many there are."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        numbers = range(self._count)[at]
        return [f"element {i}" for i in numbers] if isinstance(numbers, range) else f"element {numbers}"


def element_names(dataset: Dataset) -> dict[str, Sequence[str]]:
    """A name for each element of each vector."""
    return {c.key: c.names or _Numbered(c.shape[0]) for c in _columns(dataset)}


def _columns(dataset: Dataset) -> list[FeatureColumn]:
    return [c for c in dataset.features if c.dtype not in NOT_NUMERIC and len(c.shape) == 1]


def row_findings(
    dataset: Dataset, start: int, stop: int, codes: frozenset[str]
) -> tuple[list[Finding], list[RowFacts], Motion]:
    """Of episodes [start, stop): what is wrong with their numbers, facts for comparing them, and how they move."""
    columns = _columns(dataset)
    names = element_names(dataset)
    findings: list[Finding] = []
    facts: list[RowFacts] = []
    motion: Motion = {}
    needs_motion = bool(dataset.cameras) and "look-frozen" in codes
    number = start
    for run, rows in dataset.runs([column.key for column in columns], start, stop):
        if isinstance(rows, DatasetError):
            where = f"episode {number}"
            findings.append(Finding("look-counts", "error", where, str(rows), VERIFY, episode=number))
            number += len(run)
            continue
        whole = {column: array_of(rows, column) for column in columns}
        findings += _run_findings(dataset, (number, run), rows, whole)
        moving = {c.key: v for c, v in whole.items() if c.key in (STATE, ACTION) and not isinstance(v, str)}
        if moving and len(moving) == sum(c.key in (STATE, ACTION) for c in columns):
            facts += _whole_facts(moving, number, run, dataset.fps)
            for one in _episodes(moving, number, run, (dataset.fps, names)):
                joints = one.values[STATE] if STATE in one.values else one.values[ACTION]
                if needs_motion:
                    motion[one.episode] = joints
                if len(joints) >= FEWEST_ROWS:
                    findings += [f for code in sorted(codes & _ALONE.keys()) for f in _ALONE[code](one)]
        number += len(run)
    return findings, facts, motion


def _whole_facts(moving: Mapping[str, Floats], number: int, run: Sequence[EpisodeMeta], fps: int) -> Iterator[RowFacts]:
    """Facts of the episodes of a run that have rows, and only numbers in them."""
    lengths = np.array([episode.length for episode in run], np.int64)
    good = lengths > 0
    bad_rows = ~np.all([np.isfinite(v).all(axis=1) for v in moving.values()], axis=0)
    of_row = np.repeat(np.arange(len(run)), lengths)
    good[of_row[bad_rows]] = False
    if good.any():
        kept = {key: values[good[of_row]] for key, values in moving.items()}
        yield facts_of(kept, number + np.flatnonzero(good), lengths[good], fps)


def _episodes(
    moving: Mapping[str, Floats], number: int, run: Sequence[EpisodeMeta], about: tuple[int, dict[str, Sequence[str]]]
) -> Iterator[EpisodeNumbers]:
    """The episodes of a run of which every number is one. about: (fps, names)."""
    start = 0
    for at, episode in enumerate(run):
        stop = start + episode.length
        values = {key: v[start:stop] for key, v in moving.items()}
        start = stop
        if episode.length and all(np.isfinite(v).all() for v in values.values()):
            yield EpisodeNumbers(number + at, about[0], values, about[1])


def _run_findings(
    dataset: Dataset,
    where: tuple[int, Sequence[EpisodeMeta]],
    rows: pa.Table,
    whole: Mapping[FeatureColumn, Floats | str],
) -> Iterator[Finding]:
    """What single rows and columns show. where: (number of the first episode, the episodes)."""
    number, start = where[0], 0
    for episode, odd in zip(where[1], _suspects(whole, where[1], dataset.fps), strict=True):
        stop = start + episode.length
        known: dict[FeatureColumn, Floats | str] = {}
        for column, values in whole.items() if odd else ():
            alone = isinstance(values, str)  # this episode may be as it should be
            known[column] = array_of(rows.slice(start, episode.length), column) if alone else values[start:stop]
        yield from placed(_episode_findings(known, dataset.fps, f"episode {number}"), episode=number)
        start, number = stop, number + 1


def _suspects(whole: Mapping[FeatureColumn, Floats | str], run: Sequence[EpisodeMeta], fps: int) -> Flags:
    """(episodes,) true for those in which the checks may find something."""
    known = {column.key: values for column, values in whole.items() if not isinstance(values, str)}
    if len(known) < len(whole):
        return np.ones(len(run), np.bool_)
    lengths = np.array([episode.length for episode in run], np.int64)
    return suspects(known, lengths, fps, state=STATE, action=ACTION)


def array_of(rows: pa.Table, column: FeatureColumn) -> Floats | str:
    """(n, width) values of a column, or what it holds instead."""
    try:
        return to_numpy(rows.column(column.key), column).astype(np.float64).reshape(rows.num_rows, -1)
    except (KeyError, ValueError) as error:
        return str(error)


def _episode_findings(columns: Mapping[FeatureColumn, Floats | str], fps: int, where: str) -> Iterator[Finding]:
    known: dict[str, Floats] = {}
    for column, values in columns.items():
        if isinstance(values, str):
            text = f"{column.key}: info.json says {column.dtype} {column.shape}, the rows hold {values}"
            yield Finding("look-width", "error", where, text, VERIFY, key=column.key)
            continue
        known[column.key] = values
        if column.key.startswith(("observation", "action")):
            yield from placed(quality_checks.value_findings(values, f"{where} {column.key}"), key=column.key)
    yield from _together(known, fps, where)


def _together(known: dict[str, Floats], fps: int, where: str) -> Iterator[Finding]:
    if "timestamp" in known:
        yield from quality_checks.time_findings(known["timestamp"][:, 0], fps, where)
    moves = [known[key] for key in (STATE, ACTION) if key in known and np.isfinite(known[key]).all()]
    if moves:
        yield from quality_checks.idle_findings(np.concatenate(moves, axis=1), fps, where)
    if len(moves) == 2:
        yield from placed(quality_checks.action_findings(moves[0], moves[1], where), key=ACTION)
