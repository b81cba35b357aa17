"""A contact sheet: every camera's first frame as it would be stored and with red and blue exchanged.

Whether a JPEG's colours are swapped cannot be read from the file, only seen. The left image of a row, with a green
border, is what a conversion stores; if the right one looks real, `--jpeg-color` has to be the other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import SourceError, VideoError
from telecine.core.recording import ImageStream, Ref, VideoStream
from telecine.core.streams.orientation import orientation_text
from telecine.sources import registry
from telecine.sources.border import border
from telecine.video.decode import frames
from telecine.video.frames.colour import Rgb, to_rgb
from telecine.video.frames.lettering import caption

HEIGHT_PX = 180
_GAP_PX = 6
_GREEN = (0, 200, 0)
_GREY = (90, 90, 90)


@dataclass(frozen=True, slots=True)
class ContactSheet:
    """The sheet, and what each of its rows shows."""

    rgb: Rgb
    rows: tuple[str, ...]


def contact_sheet(refs: Sequence[Ref]) -> ContactSheet:
    """The cameras of all recordings, each name once. Raises: SourceError when no camera can be shown."""
    rows: list[tuple[str, Rgb]] = []
    seen: set[str] = set()
    for ref in refs:
        with border(ref.label), registry.open(ref) as recording:
            for name in sorted(set(recording.streams) - seen):
                stream = recording.streams[name]
                if stream.kind in ("image", "video") and not stream.static:
                    seen.add(name)
                    rows.append(
                        (
                            f"{name} of {ref.label}: {orientation_text(stream.schema) or 'as it is'}",
                            _first(stream, ref),
                        )
                    )
    if not rows:
        raise SourceError("no recording has a camera, which a contact sheet needs; leave out --contact-sheet")
    strips = [_strip(rgb, text.partition(" of ")[0]) for text, rgb in rows]
    width = max(strip.shape[1] for strip in strips)
    sheet = np.concatenate([np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0))) for s in strips])
    return ContactSheet(sheet, tuple(text for text, _ in rows))


def _first(stream: ImageStream | VideoStream, ref: Ref) -> Rgb:
    """The first frame that can be decoded, scaled to the sheet's height."""
    clock = next(iter(stream.clocks))
    try:
        index = None
        row = 0
        if stream.kind == "video":
            index = index_packets(stream.packets(clock), stream.schema.encoding)  # type: ignore[arg-type]
            row = int(index.display[index.keyframe][0])
        frame = next(frames(stream, np.array([row]), clock, index=index))
    except (VideoError, IndexError) as error:
        raise SourceError(f"{ref.label} {stream.name}: no frame to show: {error}") from error
    return to_rgb(frame, (max(round(frame.width * HEIGHT_PX / frame.height), 2), HEIGHT_PX))


def _strip(rgb: Rgb, name: str) -> Rgb:
    """The frame twice, below the camera's name: with a border as it is, and with red and blue exchanged."""
    both = [("as stored", _bordered(rgb, _GREEN)), ("exchanged", _bordered(rgb[..., ::-1], _GREY))]
    cells = np.concatenate([np.concatenate([caption(text, one.shape[1]), one]) for text, one in both], axis=1)
    return np.concatenate([caption(name, cells.shape[1]), cells])


def _bordered(rgb: Rgb, colour: tuple[int, int, int]) -> Rgb:
    height, width, _ = rgb.shape
    bordered = np.empty((height + 2 * _GAP_PX, width + 2 * _GAP_PX, 3), np.uint8)
    bordered[:] = colour
    bordered[_GAP_PX:-_GAP_PX, _GAP_PX:-_GAP_PX] = rgb
    return bordered
