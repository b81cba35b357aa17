"""Protobuf messages whose descriptors stand in the recording (a serialised FileDescriptorSet)."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from telecine.core.errors import SourceError, raised_as
from telecine.sources.format import MissingExtra
from telecine.sources.messages.decoding.cdr import DecodedBatch
from telecine.sources.messages.decoding.nested_columns import Builder, Step
from telecine.sources.messages.decoding.protocol import Batch
from telecine.sources.messages.decoding.types import DEEPEST, MOST_LEAVES
from telecine.sources.messages.model import Leaf, LeafColumn

_DTYPES = ("", "float64", "float32", "int64", "uint64", "int32", "uint64", "uint32", "bool", "string", "", "", "bytes",
           "uint32", "int32", "int32", "int64", "int32", "int64")  # fmt: skip
"""By FieldDescriptor.type: double, float, int64, uint64, int32, fixed64, fixed32, bool, string, group, message, bytes,
uint32, enum, sfixed32, sfixed64, sint32, sint64."""


class ProtobufDecoder:
    """Messages of one type."""

    encoding = "protobuf"

    def __init__(self, name: str, descriptors: bytes) -> None:
        self._message, self._error = _message_class(name, descriptors)
        self._steps: dict[str, tuple[Step, ...]] = {}
        leaves = []
        for steps, dtype in _leaves(self._message.DESCRIPTOR, (), frozenset(), count()):
            path = _path(steps)
            self._steps[path] = steps
            leaves.append(Leaf(path, dtype, None if None in steps else 1))
        self.leaves = tuple(leaves)

    def decode(self, batch: Batch, paths: Sequence[str], spans: Sequence[str] = ()) -> DecodedBatch:
        """See `Decoder.decode`."""
        del spans
        builders = {
            leaf.path: Builder(leaf, self._steps[leaf.path], _get) for leaf in self.leaves if leaf.path in paths
        }
        rows, bad = [], {}
        for row, message in enumerate(self._messages(batch)):
            if isinstance(message, str):
                bad[row] = message
                continue
            rows.append(row)
            for builder in builders.values():
                builder.add(message)
        columns: dict[str, LeafColumn] = {path: builder.column() for path, builder in builders.items()}
        return DecodedBatch(np.array(rows, np.int64), columns if rows else {}, {}, bad)

    def blobs(self, batch: Batch, path: str) -> Iterator[memoryview | str]:
        """See `Decoder.blobs`."""
        for message in self._messages(batch):
            value = message
            if not isinstance(value, str):
                for step in self._steps[path][:-1]:
                    value = getattr(value, str(step))
                value = memoryview(bytes(value))
            yield value

    def _messages(self, batch: Batch) -> Iterator[Any]:
        for start, size in zip(batch.starts.tolist(), batch.sizes.tolist(), strict=True):
            try:
                yield self._message.FromString(batch.data[start : start + size].tobytes())
            except self._error as error:
                yield f"not a whole {self._message.DESCRIPTOR.full_name}: {error}"


def _get(message: Any, name: str) -> Any:
    """A field; None when it is absent and its type can tell."""
    descriptor = message.DESCRIPTOR.fields_by_name[name]
    if descriptor.has_presence and not message.HasField(name):
        return None
    return getattr(message, name)


def _path(steps: tuple[Step, ...]) -> str:
    return "".join("[]" if step is None else f".{step}" for step in steps).removeprefix(".")


def _leaves(
    descriptor: Any, steps: tuple[Step, ...], above: frozenset[str], met: Iterator[int]
) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Every leaf; maps are left out, and types within themselves. met: counts fields, also those without leaves.

    Raises: SourceError for too many of them, or too many levels.
    """
    if len(above) > DEEPEST:
        raise SourceError(f"{descriptor.full_name} is nested more than {DEEPEST} deep, which is taken for damage")
    above |= {descriptor.full_name}
    for field in descriptor.fields:
        if next(met) >= MOST_LEAVES:
            raise SourceError(f"the message has more than {MOST_LEAVES} fields, which is taken for damage")
        inner: tuple[Step, ...] = (*steps, field.name)
        nested = field.message_type
        if nested is not None and (nested.GetOptions().map_entry or nested.full_name in above):
            continue
        if _is_repeated(field):
            inner = (*inner, None)
        if nested is not None:
            yield from _leaves(nested, inner, above, met)
        elif _DTYPES[field.type] == "bytes":
            yield (*inner, None), "uint8"
        else:
            yield inner, _DTYPES[field.type]


def _is_repeated(field: Any) -> bool:
    if hasattr(field, "is_repeated"):  # protobuf 6.31 and later, which warn about `label`
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)


def _message_class(name: str, descriptors: bytes) -> tuple[Any, Any]:
    """(class of the messages, what it raises)."""
    try:
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            duration_pb2,
            message,
            message_factory,
            timestamp_pb2,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("reading protobuf messages needs: pip install 'telecine[mcap]'") from error
    causes = (message.DecodeError, KeyError, TypeError, ValueError)
    with raised_as(SourceError, f"the protobuf descriptor of {name} cannot be read", *causes):
        files = {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file}
        needed = {name for file in files.values() for name in file.dependency}
        for known in (timestamp_pb2, duration_pb2):  # some writers leave these out
            if known.DESCRIPTOR.name in needed - files.keys():
                files[known.DESCRIPTOR.name] = file = descriptor_pb2.FileDescriptorProto()
                known.DESCRIPTOR.CopyToProto(file)
        pool = descriptor_pool.DescriptorPool()
        added: set[str] = set()
        for file_name in files:
            _add(pool, files, file_name, added)
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(name)), message.DecodeError


def _add(pool: Any, files: dict[str, Any], name: str, added: set[str]) -> None:
    """A file behind those it imports."""
    if name in added or name not in files:
        return
    added.add(name)
    for needed in files[name].dependency:
        _add(pool, files, needed, added)
    pool.Add(files[name])
