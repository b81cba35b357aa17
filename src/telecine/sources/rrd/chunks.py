"""Where the chunks of one recording come from: a table of contents (file or catalog), or a scan of the whole file.

A chunk is rows of one entity that were logged together; here it is a `pyarrow.RecordBatch`. Only chunks of the
entity and components asked for are loaded, as far as the file allows.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa

from telecine.core.dataclass import dataclass
from telecine.core.errors import SourceError
from telecine.sources.rrd import sdk

PROPERTIES = "/__properties"
RESERVED = "/__"
"""How entities begin that hold no data of a recording: its properties, and what Rerun's readers of datasets add."""
LAYER = b"telecine:layer"
"""Metadata of a batch: the number of the file that it is from, where a recording has several."""
CACHE_BYTES = 64 << 20
"""Data held in memory, so that small recordings are read once."""


@dataclass(frozen=True, slots=True)
class ComponentColumn:
    """One component of one entity."""

    entity: str
    component: str
    type: pa.DataType
    archetype: str = ""

    @property
    def name(self) -> str:
        """As Rerun names it, e.g. `/joints:Scalars:scalars`."""
        return f"{self.entity}:{self.component}"


class Chunks(Protocol):
    """The chunks of one recording."""

    @property
    def columns(self) -> Sequence[ComponentColumn]:
        """Every component column, by entity and component."""
        ...

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Chunks of `entity` that hold at least one of `components`, in file order, lazily.

        Raises:
            SourceError: the data is damaged, the connection is lost, or the recording was closed.
        """
        ...

    def close(self) -> None:
        """Let go of file or connection."""
        ...


class StoredChunks:
    """Chunks found by a table of contents: rerun's LazyStore, of a file with a footer or of a catalog segment."""

    def __init__(self, store: Any, label: str, check: Callable[[], None], token: str | None = None) -> None:
        """`check` runs before the first chunk is loaded and raises SourceError for a damaged file."""
        self._store = store
        self._label = label
        self._check: Callable[[], None] | None = check
        self._token = token
        with sdk.asked(f"{label}: cannot be read", token):
            self.columns: Sequence[ComponentColumn] = _columns(pa.schema(store.schema()))

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Chunks.batches`."""
        if self._store is None:
            raise SourceError(f"{self._label}: the recording was closed")
        if self._check is not None:
            self._check()
            self._check = None
        with sdk.asked(f"{self._label}: {entity}: cannot be read", self._token):
            for chunk in self._store.stream().filter(content=[entity], components=list(components)):
                if chunk.entity_path == entity:
                    yield chunk.to_record_batch()

    def close(self) -> None:
        """Let go of the file or connection."""
        self._store = None


class ScannedChunks:
    """Chunks of a file without table of contents: read once; small entities are cached, large ones reread."""

    def __init__(self, stream: Callable[[], Any], label: str) -> None:
        """`stream` gives rerun's LazyChunkStream over all chunks of the recording."""
        self._stream: Callable[[], Any] | None = stream
        self._label = label
        self._cached: dict[str, list[pa.RecordBatch]] = {}
        self._dropped: set[str] = set()
        self.columns: Sequence[ComponentColumn] = self._scan(stream)

    def _scan(self, stream: Callable[[], Any]) -> Sequence[ComponentColumn]:
        sizes: dict[str, int] = {}
        fields: dict[tuple[str, str], ComponentColumn] = {}
        with sdk.asked(f"{self._label}: cannot be read"):
            for chunk in stream():
                entity, batch = chunk.entity_path, chunk.to_record_batch()
                for column in _columns(batch.schema, entity):
                    fields.setdefault((entity, column.component), column)
                if entity in self._dropped:
                    continue
                self._cached.setdefault(entity, []).append(batch)
                sizes[entity] = sizes.get(entity, 0) + batch.nbytes
                if sum(sizes.values()) > CACHE_BYTES:
                    self._drop(max(sizes, key=lambda name: sizes[name]), sizes)
        return tuple(fields[key] for key in sorted(fields))

    def _drop(self, entity: str, sizes: dict[str, int]) -> None:
        del self._cached[entity], sizes[entity]
        self._dropped.add(entity)

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Chunks.batches`."""
        if self._stream is None:
            raise SourceError(f"{self._label}: the recording was closed")
        if entity not in self._dropped:
            wanted = set(components)
            yield from (b for b in self._cached.get(entity, []) if wanted.intersection(b.schema.names))
            return
        with sdk.asked(f"{self._label}: {entity}: cannot be read"):
            for chunk in self._stream().filter(content=[entity], components=list(components)):
                if chunk.entity_path == entity:
                    yield chunk.to_record_batch()

    def close(self) -> None:
        """Let go of the file and of the cache."""
        self._stream = None
        self._cached = {}


class LayeredChunks:
    """The chunks of several files of one recording, file by file."""

    def __init__(self, layers: Sequence[Chunks]) -> None:
        self._layers = layers
        found = {(c.entity, c.component): c for layer in reversed(layers) for c in layer.columns}
        self.columns: Sequence[ComponentColumn] = tuple(found[key] for key in sorted(found))

    def batches(self, entity: str, components: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `Chunks.batches`; files that do not have the entity are not read."""
        for number, layer in enumerate(self._layers):
            if any(column.entity == entity and column.component in components for column in layer.columns):
                for batch in layer.batches(entity, components):
                    yield batch.replace_schema_metadata({**(batch.schema.metadata or {}), LAYER: str(number)})

    def close(self) -> None:
        """Let go of all files."""
        for layer in self._layers:
            layer.close()


def _columns(schema: pa.Schema, entity: str = "") -> Sequence[ComponentColumn]:
    """The component columns of a chunk of `entity`, or of a whole store, which names the entities itself."""
    found = []
    for part in schema:
        metadata = {key.decode(): value.decode() for key, value in (part.metadata or {}).items()}
        if metadata.get("rerun:kind") == "data":
            where = entity or metadata.get("rerun:entity_path", "")
            what = metadata.get("rerun:component", part.name)
            found.append(ComponentColumn(where, what, part.type, metadata.get("rerun:archetype", "")))
    return tuple(sorted(found, key=lambda column: (column.entity, column.component)))
