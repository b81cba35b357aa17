"""JSON messages, as Foxglove and home-made recorders write them: leaves are those that the messages show.

Bytes fields are base64 strings, which only a JSON Schema tells apart from text (`contentEncoding: base64`).
"""

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from telecine.core.errors import SourceError
from telecine.sources.messages.decoding.cdr import DecodedBatch
from telecine.sources.messages.decoding.nested_columns import Builder, Step
from telecine.sources.messages.decoding.protocol import Batch
from telecine.sources.messages.decoding.types import DEEPEST, MOST_LEAVES
from telecine.sources.messages.model import Leaf, LeafColumn

_Found = dict[tuple[Step, ...], str]


class JsonDecoder:
    """Messages that are JSON objects."""

    SAMPLES = 100
    encoding = "json"

    def __init__(self, schema: bytes, samples: Sequence[bytes]) -> None:
        coded = _base64_fields(schema)
        found: _Found = {}
        for sample in samples:
            try:
                _leaves(json.loads(sample), (), found)
            except (ValueError, RecursionError):
                continue
        self._steps: dict[str, tuple[Step, ...]] = {}
        self._coded: set[str] = set()
        leaves = []
        for steps, dtype in found.items():
            if steps in coded and dtype == "string":
                steps, dtype = (*steps, None), "uint8"
                self._coded.add(_path(steps))
            path = _path(steps)
            if path not in self._steps:
                self._steps[path] = steps
                leaves.append(Leaf(path, dtype, None if None in steps else 1))
        self.leaves = tuple(leaves)

    def decode(self, batch: Batch, paths: Sequence[str], spans: Sequence[str] = ()) -> DecodedBatch:
        """See `Decoder.decode`."""
        del spans
        asked = set(paths)
        kinds = {leaf.path: leaf for leaf in self.leaves if leaf.path in asked}
        try:
            columns = self._columns(kinds, [json.loads(raw) for raw in _raw(batch)])
            return DecodedBatch(np.arange(len(batch.rows)), columns, {}, {})
        except (ValueError, TypeError, OverflowError, RecursionError):
            return self._decode_each(kinds, batch)

    def _decode_each(self, kinds: dict[str, Leaf], batch: Batch) -> DecodedBatch:
        """Message by message, to know which are bad."""
        messages, rows, bad = [], [], {}
        for row, raw in enumerate(_raw(batch)):
            try:
                message = json.loads(raw)
                self._columns(kinds, [message])
                messages.append(message)
                rows.append(row)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:
                bad[row] = f"not the JSON it should be: {error}"
        columns = self._columns(kinds, messages) if messages else {}
        return DecodedBatch(np.array(rows, np.int64), columns, {}, bad)

    def _columns(self, kinds: dict[str, Leaf], messages: list[Any]) -> dict[str, LeafColumn]:
        found = {}
        for path, leaf in kinds.items():
            builder = Builder(leaf, self._steps[path], _get_bytes if path in self._coded else _get)
            for message in messages:
                builder.add(message)
            found[path] = builder.column()
        return found

    def blobs(self, batch: Batch, path: str) -> Iterator[memoryview | str]:
        """See `Decoder.blobs`; the base64 text is decoded."""
        for raw in _raw(batch):
            try:
                value = json.loads(raw)
                for step in self._steps[path][:-1]:
                    value = value[step]
                coded = base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)
                yield memoryview(coded)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                yield f"not the JSON it should be: {error}"


def _raw(batch: Batch) -> Iterator[bytes]:
    for start, size in zip(batch.starts.tolist(), batch.sizes.tolist(), strict=True):
        yield batch.data[start : start + size].tobytes()


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _get_bytes(value: Any, name: str) -> Any:
    found = _get(value, name)
    return base64.b64decode(found, validate=True) if isinstance(found, str) else found


def _path(steps: tuple[Step, ...]) -> str:
    path = ""
    for step in steps:
        path += "[]" if step is None else f".{step}" if path else step
    return path


def _leaves(value: Any, steps: tuple[Step, ...], found: _Found) -> None:
    """Adds every leaf of a message. A leaf that is a whole number here and not there is a float."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _leaves(inner, (*steps, str(name)), found)
    elif isinstance(value, list):
        if len(value) > 1 and set(map(type, value)) == {float}:
            value = value[:1]  # they say the same
        for inner in value:
            _leaves(inner, (*steps, None), found)
    elif value is not None:
        if len(found) >= MOST_LEAVES and steps not in found:
            raise SourceError(f"the messages have more than {MOST_LEAVES} fields, which is taken for damage")
        dtype = _dtype(value)
        known = found.setdefault(steps, dtype)
        if known != dtype:
            found[steps] = "float64" if "string" not in (known, dtype) else "string"


def _dtype(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int64" if -(2**63) <= value < 2**63 else "float64"
        case float():
            return "float64"
    return "string"


def _base64_fields(schema: bytes) -> set[tuple[Step, ...]]:
    """Fields that a JSON Schema calls base64; none when it cannot be read."""
    try:
        parsed = json.loads(schema)
        return set(_coded(parsed, (), parsed.get("$defs", {}), (0, count())))
    except (ValueError, AttributeError, RecursionError, TypeError):
        return set()


def _coded(
    schema: Any, steps: tuple[Step, ...], definitions: Any, met: tuple[int, Iterator[int]]
) -> Iterator[tuple[Step, ...]]:
    """met: (references followed so far, counter of all parts): a few that name one another may have millions."""
    depth, parts = met
    if next(parts) >= MOST_LEAVES:
        raise ValueError("too many parts")
    if "$ref" in schema and depth < DEEPEST:
        target = definitions.get(schema["$ref"].rpartition("/")[2], {})
        yield from _coded(target, steps, definitions, (depth + 1, parts))
    if schema.get("contentEncoding") == "base64":
        yield steps
    for name, inner in schema.get("properties", {}).items():
        yield from _coded(inner, (*steps, name), definitions, met)
    if isinstance(schema.get("items"), dict):
        yield from _coded(schema["items"], (*steps, None), definitions, met)
