r"""The layout of a .spool file: a log of records that is only ever appended to, so that a power cut costs its end.

    file    "telecine spool 1\n", then records
    record  payload length u32 | CRC-32 of all that follows u32 | stream u16 | kind u8 | 0 u8 | payload; little-endian

    EPISODE  JSON: task, fps, names ...; the first record
    STREAM   JSON of a `SpoolStream`; the n-th of them describes stream n
    SAMPLES  count u32, stamps int64[count] ns, then the values: numbers packed in the stream's dtype and shape, or
             text as lengths u32[count] and UTF-8
    PACKET   stamp int64 ns, then frame n of the stream as it was coded, where n counts the stream's packets
    FRAME    stamp int64 ns, frame number u32, then pixels not yet coded; a later PACKET of that number replaces it
    END      JSON: success, interrupted; a file without it was cut off

Samples and frames stand in the order in which they were added; their stamps may go back. A record whose CRC is wrong
ends the file: what comes after a torn write was never confirmed to be on disk. Own format of telecine, version 1.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from telecine.core.errors import SourceError
from telecine.core.recording import Array, Buffer, Schema
from telecine.core.text.numbers import counted
from telecine.sources.shared.checksum import crc32

MAGIC = b"telecine spool 1\n"
SUFFIX = ".spool"
CLOCK = "time"
"""The one clock of a recorder: ns on whatever clock its caller uses."""
Kind = Literal["vector", "text", "image", "video"]
VIDEO = ("h264", "hevc", "av1")
RAW = {"uint8": "rgb24", "uint16": "gray16le", "float32": "grayf32le"}
"""How FFmpeg names frames that are not coded, by their dtype."""
_IMAGES = ("png", *RAW.values())
_HEAD = struct.Struct("<IIHBB")
_STAMP = struct.Struct("<q")
_FRAME = struct.Struct("<qI")
_COUNT = struct.Struct("<I")
_MOST_JSON_BYTES = 1 << 20
_MOST_STREAMS = 1 << 15


class Record(IntEnum):
    """What a record holds."""

    EPISODE = 1
    STREAM = 2
    SAMPLES = 3
    PACKET = 4
    FRAME = 5
    END = 6


@dataclass(frozen=True, slots=True)
class SpoolStream:
    """One stream: `schema` is that of `core.recording`, with the size of frames as they were added."""

    name: str
    kind: Kind
    schema: Schema

    @property
    def frame_bytes(self) -> int:
        """Of one frame that is not coded."""
        return prod(self.schema.shape) * np.dtype(self.schema.dtype).itemsize

    def to_json(self) -> bytes:
        """The payload of its STREAM record."""
        plain = {key: value for key, value in asdict(self.schema).items() if key not in ("order", "turn")}
        return json.dumps({"name": self.name, "kind": self.kind, **plain}, ensure_ascii=False).encode()


def stream_of(payload: bytes) -> SpoolStream:
    """The inverse of `to_json`. Raises: ValueError, KeyError or TypeError for what no recorder writes."""
    plain = json.loads(payload)
    kind, dtype, shape = plain["kind"], str(plain["dtype"]), tuple(int(n) for n in plain["shape"])
    names, encoding = plain["names"], plain["encoding"]
    known = {"vector": (None,), "text": (None,), "image": _IMAGES, "video": VIDEO}[kind]
    if encoding not in known:
        raise ValueError(f"{kind} stream with encoding {encoding!r}")
    if kind == "vector" and np.dtype(dtype).kind not in "fiub":
        raise ValueError(f"numbers of type {dtype!r}")
    if kind in ("image", "video") and dtype not in RAW:
        raise ValueError(f"frames of type {dtype!r}")
    if any(n < 0 for n in shape) or prod(shape) > 1 << 28 or (kind in ("image", "video") and len(shape) != 3):
        raise ValueError(f"a {kind} stream of shape {shape}")
    schema = Schema(dtype, shape, None if names is None else tuple(map(str, names)), plain["unit"], encoding)
    return SpoolStream(str(plain["name"]), kind, schema)


def record(kind: Record, stream: int, *parts: Buffer) -> list[Buffer]:
    """The pieces of one record, in the order in which they are written."""
    tail = struct.pack("<HBB", stream, kind, 0)
    crc, size = crc32(tail), 0
    for part in parts:
        crc, size = crc32(part, crc), size + len(memoryview(part).cast("B"))
    return [struct.pack("<II", size, crc) + tail, *parts]


def samples(stamps: list[int], values: Array | list[str]) -> list[Buffer]:
    """The payload of a SAMPLES record."""
    head = _COUNT.pack(len(stamps)) + np.array(stamps, "<i8").tobytes()
    if isinstance(values, list):
        coded = [text.encode("utf-8", "surrogatepass") for text in values]
        return [head, np.array([len(text) for text in coded], "<u4").tobytes(), *coded]
    return [head, np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()]


def packet(stamp_ns: int, data: Buffer) -> list[Buffer]:
    """The payload of a PACKET record."""
    return [_STAMP.pack(stamp_ns), data]


def frame(stamp_ns: int, number: int, pixels: Buffer) -> list[Buffer]:
    """The payload of a FRAME record; its pixels start `FRAME_OFFSET` bytes behind the start of the record."""
    return [_FRAME.pack(stamp_ns, number), pixels]


FRAME_OFFSET = _HEAD.size + _FRAME.size


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where bytes lie in the file."""

    offset: int
    size: int


@dataclass(slots=True)
class StreamContent:
    """What a file holds of one stream: where its samples are, or the stamp and place of each coded frame."""

    stream: SpoolStream
    samples: list[Chunk] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    packets: list[Chunk] = field(default_factory=list)
    raw: dict[int, tuple[int, Chunk]] = field(default_factory=dict)
    """Number -> (stamp, pixels) of frames of which no packet follows."""

    @property
    def is_empty(self) -> bool:
        """No sample and no frame."""
        return not (self.samples or self.packets or self.raw)


@dataclass(frozen=True, slots=True)
class SpoolContent:
    """What a file holds, its samples and frames by place."""

    episode: dict[str, Any]
    streams: tuple[StreamContent, ...]
    end: dict[str, Any] | None
    """None for a file that was cut off, or is still being written."""
    whole_bytes: int
    """Up to where the file's records are whole."""


def scan(path: str, *, verify: bool = False) -> SpoolContent:
    """The table of contents of a file, up to its last whole record.

    verify: check the CRC of samples and frames of files with an END as well; those of files without one always are.

    Raises: SourceError when it is no .spool file, or not one sample of it is whole.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SourceError(f"{path}: not a .spool file of telecine's recorder")
            found = _scan(file, path, verify=verify)
            return found if verify or found.end is not None else _scan(file, path, verify=True)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error


def _scan(file: BufferedIOBase, path: str, *, verify: bool) -> SpoolContent:
    file.seek(len(MAGIC))
    episode: dict[str, Any] | None = None
    streams: list[StreamContent] = []
    end: dict[str, Any] | None = None
    whole = len(MAGIC)
    for kind, number, chunk, payload in _records(file, verify=verify):
        try:
            if episode is None:
                episode = _mapping(payload) if kind == Record.EPISODE else _refuse(kind)
            elif kind == Record.STREAM:
                streams.append(StreamContent(stream_of(payload)))
                _ = _refuse(kind) if len(streams) > _MOST_STREAMS else None
            elif kind == Record.END:
                end = _mapping(payload)
            elif kind == Record.EPISODE or number >= len(streams):
                _refuse(kind)
            else:
                _add(streams[number], kind, chunk, payload)
        except (ValueError, KeyError, TypeError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else error
            raise SourceError(f"{path}: damaged at byte {chunk.offset}: {what}") from error
        whole = chunk.offset + chunk.size
        if end is not None:
            break
    if episode is None:
        raise SourceError(f"{path}: cut off before its first record")
    return SpoolContent(episode, tuple(streams), end, whole)


def _records(file: BufferedIOBase, *, verify: bool) -> Iterator[tuple[Record, int, Chunk, bytes]]:
    """(kind, stream, payload's place, payload) of every whole record; of large ones only what the index needs."""
    size = file.seek(0, 2)
    at = len(MAGIC)
    while at + _HEAD.size <= size:
        file.seek(at)
        head = file.read(_HEAD.size)
        length, crc, stream, code, _ = _HEAD.unpack(head)
        at += _HEAD.size
        if length > size - at or code not in Record.__members__.values():
            return
        kind = Record(code)
        small = kind in (Record.EPISODE, Record.STREAM, Record.END)
        if small and length > _MOST_JSON_BYTES:
            return
        payload = file.read(length if small or verify else min(length, _FRAME.size))
        if (small or verify) and crc32(payload, crc32(head[8:])) != crc:
            return
        yield kind, stream, Chunk(at, length), payload
        at += length


def _add(content: StreamContent, kind: Record, chunk: Chunk, payload: bytes) -> None:
    """Note a record of samples or of a frame. Raises: ValueError, struct.error."""
    coded = content.stream.kind in ("image", "video")
    if kind == Record.SAMPLES and not coded:
        content.samples.append(chunk)
    elif kind == Record.PACKET and coded and chunk.size >= _STAMP.size:
        content.raw.pop(len(content.packets), None)
        content.stamps.append(_STAMP.unpack_from(payload)[0])
        content.packets.append(Chunk(chunk.offset + _STAMP.size, chunk.size - _STAMP.size))
    elif kind == Record.FRAME and coded and chunk.size == _FRAME.size + content.stream.frame_bytes:
        stamp, number = _FRAME.unpack_from(payload)
        if number >= len(content.packets):
            content.raw[number] = stamp, Chunk(chunk.offset + _FRAME.size, chunk.size - _FRAME.size)
    else:
        raise ValueError(f"a {kind.name} record of {counted(chunk.size, 'byte')} in a {content.stream.kind} stream")


def _mapping(payload: bytes) -> dict[str, Any]:
    plain = json.loads(payload)
    if not isinstance(plain, dict):
        raise TypeError("not a JSON object")
    return plain


def _refuse(kind: Record) -> Any:
    raise ValueError(f"a {kind.name} record is not expected here")


def samples_of(payload: bytes, stream: SpoolStream) -> tuple[Array, Array | list[str]]:
    """((n,) int64 stamps in ns, n values) of a SAMPLES record. Raises: ValueError."""
    count = _COUNT.unpack_from(payload)[0] if len(payload) >= _COUNT.size else -1
    start = _COUNT.size + 8 * count
    if count < 0 or start > len(payload):
        raise ValueError("a record of samples that is shorter than its timestamps")
    stamps = np.frombuffer(payload, "<i8", count, _COUNT.size).astype(np.int64)
    if stream.kind == "text":
        return stamps, _texts(payload, start, count)
    dtype = np.dtype(stream.schema.dtype)
    if len(payload) - start != count * dtype.itemsize * prod(stream.schema.shape):
        raise ValueError(f"{counted(len(payload) - start, 'byte')} of values for {counted(count, 'sample')}")
    values = np.frombuffer(payload, dtype.newbyteorder("<"), offset=start)
    return stamps, values.reshape(count, *stream.schema.shape).astype(dtype)


def _texts(payload: bytes, start: int, count: int) -> list[str]:
    if start + 4 * count > len(payload):
        raise ValueError("a record of texts that is shorter than their lengths")
    lengths = np.frombuffer(payload, "<u4", count, start).tolist()
    at, texts = start + 4 * count, []
    if at + sum(lengths) != len(payload):
        raise ValueError("lengths of texts that do not add up")
    for length in lengths:
        texts.append(payload[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return texts
