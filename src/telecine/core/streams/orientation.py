"""A stream of single pictures whose colours or way up the plan states, whatever the source believes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from telecine.core.grid import Rows
from telecine.core.recording import ColourOrder, Image, ImageStream, PixelFormat, Rotation, Schema
from telecine.core.streams.stream_wrapper import StreamWrapper

_RAW: frozenset[str] = frozenset(get_args(PixelFormat))


def told(schema: Schema) -> str:
    """What is done to the pictures of a stream before they are stored, as words; nothing in most cases.

    >>> told(Schema("uint8", order="bgr", turn="flip"))
    'red and blue exchanged, turned upside down'
    """
    turned = {"none": "", "rotate180": "turned by half a turn", "flip": "turned upside down"}[schema.turn]
    return ", ".join(filter(None, ["red and blue exchanged" if schema.order == "bgr" else "", turned]))


@dataclass(frozen=True, slots=True)
class Oriented(StreamWrapper[ImageStream]):
    """`stream` with another colour order of its compressed pictures and another turn of all; None changes nothing."""

    order: ColourOrder | None
    turn: Rotation | None

    @property
    def kind(self) -> Literal["image"]:
        """Single pictures, as before."""
        return "image"

    @property
    def schema(self) -> Schema:
        """With what the plan says of the pictures."""
        schema = self.stream.schema
        order = schema.order if self.order is None or schema.encoding in _RAW else self.order
        return replace(schema, order=order, turn=self.turn if self.turn is not None else schema.turn)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The pictures with what the plan says of them. Raw ones have the colour order that their format names."""
        for picture in self.stream.take(rows, clock):
            order = self.order if self.order is not None and picture.encoding not in _RAW else picture.order
            yield replace(picture, order=order, turn=self.turn if self.turn is not None else picture.turn)
