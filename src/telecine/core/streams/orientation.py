"""A stream of single frames whose colour order or rotation the plan states, whatever the source does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, get_args

from telecine.core.dataclass import dataclass
from telecine.core.grid import Rows
from telecine.core.recording import ColourOrder, Image, ImageStream, PixelFormat, Rotation, Schema
from telecine.core.streams.stream_wrapper import StreamWrapper

_RAW: frozenset[str] = frozenset(get_args(PixelFormat))


def orientation_text(schema: Schema) -> str:
    """How the frames of a stream are changed before they are stored, in words; "" in most cases.

    >>> orientation_text(Schema("uint8", order="bgr", turn="flip"))
    'red and blue exchanged, flipped top to bottom'
    """
    rotated = {"none": "", "rotate180": "rotated 180 degrees", "flip": "flipped top to bottom"}[schema.turn]
    return ", ".join(filter(None, ["red and blue exchanged" if schema.order == "bgr" else "", rotated]))


@dataclass(frozen=True, slots=True)
class Oriented(StreamWrapper[ImageStream]):
    """`stream` with another colour order of its compressed frames and another rotation of all; None changes nothing."""

    order: ColourOrder | None
    rotation: Rotation | None

    @property
    def kind(self) -> Literal["image"]:
        """Single frames, as before."""
        return "image"

    @property
    def schema(self) -> Schema:
        """With the colour order and rotation of the plan."""
        schema = self.stream.schema
        order = schema.order if self.order is None or schema.encoding in _RAW else self.order
        return replace(schema, order=order, turn=self.rotation if self.rotation is not None else schema.turn)

    def take(self, rows: Rows, clock: str) -> Iterator[Image]:
        """The frames with the colour order and rotation of the plan. Raw ones keep their own colour order."""
        for frame in self.stream.take(rows, clock):
            order = self.order if self.order is not None and frame.encoding not in _RAW else frame.order
            yield replace(frame, order=order, turn=self.rotation if self.rotation is not None else frame.turn)
