"""Which streams a Rerun recording has, by the components of its entities, and which of them are never proposed.

Every component column is one of four: it is a stream; it is read as part of one; it is listed as left out, with the
reason; or it is a property of the recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telecine.core.errors import SourceError
from telecine.core.recording import LeftOut, Stream
from telecine.sources.rrd import asset_video
from telecine.sources.rrd import columns as arrow
from telecine.sources.rrd.asset_video import AssetImages, AssetPackets
from telecine.sources.rrd.chunks import RESERVED, Chunks, ComponentColumn
from telecine.sources.rrd.columns import ArrowLeaf
from telecine.sources.rrd.payloads import CodedImages, RawImages, VideoPackets
from telecine.sources.rrd.samples import Texts, Vectors

_RERUN = "rerun.archetypes."
_STREAMS = {
    "Scalars": "scalars", "Scalar": "scalar", "TextDocument": "text", "TextLog": "text", "VideoStream": "sample",
    "EncodedImage": "blob", "Image": "buffer", "SegmentationImage": "buffer", "DepthImage": "buffer",
    "EncodedDepthImage": "blob", "VideoFrameReference": "timestamp",
}  # fmt: skip
"""Rerun's archetypes that hold one stream each -> its field; their other fields are read with it, or only style it."""
_STYLES = frozenset({"SeriesLines", "SeriesPoints", "SeriesLine", "SeriesPoint"})
_SHOWN_WITH_OTHERS = _STYLES | {"AssetVideo"}
_NAMES = ("SeriesLines:names", "SeriesPoints:names")
_MEASURED = frozenset({"Transform3D", "InstancePoses3D"})
"""Rerun's archetypes of several fields, each of which is a stream."""
_LABELS_WHY = "its pixels are numbers of classes, which video would mix up"
_LABELS_FIX = "name it in the plan with `video: {preset: images}`, which stores them without loss"
_DRAWN_FIX = "name it in the plan if it was measured"
_UNREAD_FIX = "log its numbers as Scalars to use them"


@dataclass(slots=True)
class Listing:
    """Streams by name, nothing read yet, and what is left out."""

    streams: dict[str, Stream] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    """Entities of video files that references show."""

    def add(self, stream: Stream) -> None:
        """A stream, unless one of that name is there."""
        self.streams.setdefault(stream.name, stream)


def streams_of(chunks: Chunks) -> Listing:
    """What a recording holds."""
    found = Listing()
    components: dict[str, dict[str, ComponentColumn]] = {}
    for column in chunks.columns:
        if not column.entity.startswith(RESERVED):
            components.setdefault(column.entity, {})[column.component] = column
    for entity, beside in components.items():
        for column in beside.values():
            if _archetype(column) not in ("AssetVideo", *(_STYLES if "Scalars:scalars" in beside else ())):
                _list(chunks, column, beside, found)
        _list_rest(entity, beside, found)
    for entity in (e for e, beside in components.items() if asset_video.BLOB in beside and e not in found.shown):
        why = "a video that no VideoFrameReference shows, so nothing says when its frames were taken"
        fix = "log a VideoFrameReference per frame"
        found.left_out.append(LeftOut(f"{entity}:{asset_video.BLOB}", "unreadable", why, fix))
    return found


def _archetype(column: ComponentColumn) -> str:
    """The name of Rerun's archetype that the column is part of; "" for those of others."""
    known = column.archetype.removeprefix(_RERUN) if column.archetype.startswith(_RERUN) else ""
    archetype, _, _ = column.component.rpartition(":")
    return known or (archetype if archetype in _STREAMS else "")


def _list(chunks: Chunks, column: ComponentColumn, beside: Mapping[str, ComponentColumn], found: Listing) -> None:
    """The streams of one column, or the reason why it has none."""
    archetype = _archetype(column)
    part = column.component.rpartition(":")[2]
    if archetype in _STREAMS and archetype not in ("Scalars", "Scalar", "TextDocument", "TextLog"):
        if part == _STREAMS[archetype]:
            _list_camera(chunks, column, archetype, found)
        return
    if archetype == "Tensor" and part == "data":
        found.left_out.append(LeftOut(column.name, "unreadable", "tensors are not read", _UNREAD_FIX))
    if archetype == "Tensor" or part != _STREAMS.get(archetype, part):
        return
    for leaf in arrow.leaves(column.type):
        name = ".".join([column.name, *leaf.path])
        if leaf.kind == "number":
            names = next((n for n in _NAMES if n in beside), None) if archetype == "Scalars" else None
            found.add(Vectors(chunks, column, leaf, names))
            if archetype and archetype not in _STREAMS and archetype not in _MEASURED:
                why = f"{archetype}: how the viewer draws the scene, not a measurement"
                found.left_out.append(LeftOut(name, "offered", why, _DRAWN_FIX))
        elif leaf.kind == "text" and (archetype in _STREAMS or not archetype):
            found.add(Texts(chunks, column, leaf))
        elif not archetype:
            found.left_out.append(LeftOut(name, "unreadable", f"values of type {_type(column, leaf)}", _UNREAD_FIX))


def _list_rest(entity: str, beside: Mapping[str, ComponentColumn], found: Listing) -> None:
    """Archetypes of Rerun's of which no column is a stream: bytes and texts that only the viewer uses, and tensors."""
    listed = {item.stream for item in found.left_out} | found.streams.keys()
    parts: dict[str, list[ComponentColumn]] = {}
    for column in beside.values():
        parts.setdefault(_archetype(column), []).append(column)
    for archetype, columns in parts.items():
        streamed = any(name.startswith(f"{c.name}") for c in columns for name in listed)
        if archetype and archetype not in _STREAMS and archetype not in _SHOWN_WITH_OTHERS and not streamed:
            found.left_out.append(
                LeftOut(f"{entity}:{archetype}", "offered", f"{archetype}: telecine does not read it")
            )


def _type(column: ComponentColumn, leaf: ArrowLeaf) -> str:
    return (
        f"{leaf.dtype} are not read" if leaf.path or leaf.dtype != str(column.type) else f"{column.type} are not read"
    )


def _list_camera(chunks: Chunks, column: ComponentColumn, archetype: str, found: Listing) -> None:
    match archetype:
        case "VideoStream":
            found.add(VideoPackets(chunks, column, "VideoStream:codec"))
        case "EncodedImage":
            found.add(CodedImages(chunks, column, "EncodedImage:media_type"))
        case "DepthImage":
            from telecine.sources.rrd.depth import RawDepth

            found.add(RawDepth(chunks, column, "DepthImage:format", "DepthImage:meter"))
        case "EncodedDepthImage":
            from telecine.sources.rrd.depth import CodedDepth

            found.add(CodedDepth(chunks, column, "EncodedDepthImage:media_type", "EncodedDepthImage:meter"))
        case "VideoFrameReference":
            frames = AssetPackets(chunks, column)
            try:
                found.shown.add(frames.video)
                found.add(frames if frames.exact else AssetImages(chunks, column))
            except SourceError as error:
                why = str(error).removeprefix(f"{column.name}: ")
                found.left_out.append(LeftOut(column.name, "unreadable", why))
        case _:
            found.add(RawImages(chunks, column, f"{archetype}:format"))
            if archetype == "SegmentationImage":
                found.left_out.append(LeftOut(column.name, "offered", _LABELS_WHY, _LABELS_FIX))
