"""What a decoder of messages is given and has to give, whatever the encoding."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from telecine.core.grid import Rows
from telecine.core.recording import Array
from telecine.sources.messages.decoding.cdr import DecodedBatch
from telecine.sources.messages.model import Leaf

FirstMessages = Callable[[int], list[bytes]]
"""The first messages, at most so many."""


@dataclass(frozen=True, slots=True)
class Definition:
    """How a recording describes messages: name of the type, message encoding, how `data` defines the type."""

    name: str
    encoding: str
    written_as: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Serialised messages: rows (k,) increasing, message i in the sizes[i] bytes of `data` (uint8) from starts[i].

    held: when not None, `data` has only so many bytes of longer messages; `sizes` are the true ones.
    """

    rows: Rows
    data: Array
    starts: Rows
    sizes: Rows
    held: int | None = None


@runtime_checkable
class Decoder(Protocol):
    """Reads messages of one type."""

    @property
    def encoding(self) -> str:
        """See `Topic.encoding`."""
        ...

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """See `Topic.leaves`."""
        ...

    def decode(self, batch: Batch, paths: Sequence[str], spans: Sequence[str] = ()) -> DecodedBatch:
        """Columns at `paths` (all of them leaves), and where `spans` are as far as it can tell; bad messages are named.

        Raises:
            BeyondPrefix: it needs more than is held.
        """
        ...

    def blobs(self, batch: Batch, path: str) -> Iterator[memoryview | str]:
        """For each message the bytes at `path`, or why they cannot be read."""
        ...
