"""Files of one recording id: layers that several processes logged, parts of one long recording, copies, or a mistake.

Rows have ids of their own, so a row that two files hold is known as one. Files whose rows lie at other times, or at
other entities, are one recording. Different rows of one entity at the same times are two recordings under one id,
such as of a script with a fixed id that was run twice, and are refused: nobody could tell their samples apart.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.core.findings import Finding
from telecine.core.recording import Ref
from telecine.core.text.numbers import counted
from telecine.sources.format import Found
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.chunks import RESERVED, Chunks, ComponentColumn, LayeredChunks
from telecine.sources.rrd.columns import RowIds
from telecine.sources.rrd.order import ChunkSamples, order_of
from telecine.sources.rrd.samples import part_of

_TWO_RUNS = (
    "if they are two runs, give one an id of its own: rerun rrd route --recording-id NEW_ID FILE -o NEW_FILE; "
    "or convert the files one at a time"
)


@dataclass(frozen=True, slots=True)
class _Layer:
    ref: Ref
    chunks: Chunks

    @property
    def columns(self) -> frozenset[tuple[str, str]]:
        """(entity, component) of all data."""
        return frozenset((c.entity, c.component) for c in self.chunks.columns if not c.entity.startswith(RESERVED))


def join(refs: Sequence[Ref], open_chunks: Callable[[Ref], Chunks]) -> Found:
    """The recording that files of one id make, given in the order of their names; see `Format.join`."""
    layers: list[_Layer] = []
    findings: list[Finding] = []
    try:
        layers.extend(_Layer(ref, open_chunks(ref)) for ref in refs)
        kept = list(_without_copies(layers, findings))
        for clash in _clashes(kept):
            name = ", ".join(layer.ref.path for layer in kept)
            message = (
                f"{counted(len(kept), 'file has', 'files have')} the recording id {refs[0].id!r} but not one "
                f"recording: {clash}"
            )
            return Found((), (*findings, Finding("source-clash", "error", name, message, _TWO_RUNS)))
    except SourceError as error:
        return Found((), (Finding("source-unreadable", "error", refs[0].label, str(error)),))
    finally:
        for layer in layers:
            layer.chunks.close()
    first, *others = (layer.ref for layer in kept)
    if others:
        files = ", ".join(layer.ref.path for layer in kept)
        text = f"{counted(len(kept), 'file is', 'files are')} one recording, by their id {first.id!r}: {files}"
        findings.append(Finding("source-layers", "info", first.label, text))
    size = sum(layer.ref.size_bytes for layer in kept)
    return Found((replace(first, layers=tuple(ref.path for ref in others), size_bytes=size),), tuple(findings))


def _without_copies(layers: Sequence[_Layer], findings: list[Finding]) -> Iterator[_Layer]:
    """The files that hold anything that no other file holds; of equal ones the first."""
    left = list(layers)
    for layer in sorted(layers, key=lambda found: (len(found.columns), found.ref.size_bytes), reverse=True):
        others = [other for other in left if other is not layer and layer.columns]
        source = next((o for o in others if layer.columns <= o.columns and _holds(o, layer, layers)), None)
        if source is not None:
            left.remove(layer)
            text = f"every row of it is also in {source.ref.path}, so it is left out"
            fix = "remove the copy"
            findings.append(Finding("source-duplicate-id", "warning", layer.ref.path, text, fix))
    return iter(left)


def _holds(whole: _Layer, part: _Layer, layers: Sequence[_Layer]) -> bool:
    """Whether `whole` has every row of `part`; of two that are equal, the first does."""
    equal = True
    for entity, component in sorted(part.columns):
        held, wanted = _ids(whole.chunks, entity, component), _ids(part.chunks, entity, component)
        if not np.isin(_keys(wanted), _keys(held)).all():
            return False
        equal = equal and held.shape == wanted.shape
    equal = equal and whole.columns == part.columns
    return not equal or layers.index(whole) < layers.index(part)


def _ids(chunks: Chunks, entity: str, component: str) -> RowIds:
    found = [arrow.row_ids(b) for b in chunks.batches(entity, [component]) if component in b.schema.names]
    return np.concatenate([np.zeros((0, 2), np.uint64), *found])


def _keys(ids: RowIds) -> Any:
    return np.ascontiguousarray(ids).view("u8,u8").reshape(-1)


def _clashes(layers: Sequence[_Layer]) -> Iterator[str]:
    """What two files say differently of one entity, as far as that can be seen without reading images."""
    shared: set[tuple[str, str]] = set()
    for one, other in combinations(layers, 2):
        shared |= one.columns & other.columns
    together = LayeredChunks([layer.chunks for layer in layers])
    kinds = {(c.entity, c.component): c for c in together.columns}
    heavy = {entity for entity, component in shared if _is_bytes(kinds[entity, component])}
    for entity, component in sorted(shared):
        if entity not in heavy or len(heavy) == len({e for e, _ in shared}):
            yield from _clash(together, entity, component)


def _is_bytes(column: ComponentColumn) -> bool:
    return any(leaf.kind == "blob" for leaf in arrow.leaves(column.type))


def _clash(chunks: LayeredChunks, entity: str, component: str) -> Iterator[str]:
    parts: list[ChunkSamples] = []
    static: dict[int, Any] = {}
    for batch in chunks.batches(entity, [component]):
        if component in batch.schema.names:
            column = batch.column(component)
            part = part_of(batch, arrow.present(column))
            parts.append(part)
            if not part.stamps and len(column):
                static[part.layer] = column[len(column) - 1]
    different = [value for value in static.values() if not value.equals(next(iter(static.values())))]
    if different:
        yield f"{entity}:{component} is static in several of them, with different values"
    try:
        order_of(parts, f"{entity}:{component}")
    except SourceError as error:
        yield str(error)
