"""An index of a coded stream from its headers, and packets that can be decoded from any keyframe.

Both read bytes that may be damaged anywhere: what cannot be understood becomes a problem of that packet.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

import numpy as np

from telecine.core.bitstream import av1, h264, hevc
from telecine.core.bitstream.access_unit import AccessUnit, Entry
from telecine.core.bitstream.bits import HeaderError
from telecine.core.bitstream.nal import START, Leading, ParameterSet, ParameterSets, leading
from telecine.core.bitstream.pskip import repeatable
from telecine.core.errors import VideoError
from telecine.core.grid import Rows
from telecine.core.recording import Buffer, Codec
from telecine.core.text.numbers import counted
from telecine.core.video import Flags, FrameFormat, PacketIndex

NAMES: dict[Codec, str] = {"h264": "H.264", "hevc": "H.265", "av1": "AV1"}
_READERS: dict[Codec, type[h264.H264 | hevc.Hevc | av1.Av1]] = {"h264": h264.H264, "hevc": hevc.Hevc, "av1": av1.Av1}
_AV1_DELIMITER, _AV1_SEQUENCE = 2, 1
_FRONT_BYTES = 4096


def index_packets(packets: Iterable[Buffer], codec: Codec) -> PacketIndex:
    """What the headers of the packets, in decode order, tell without decoding. No packets: an empty index.

    Raises:
        VideoError: there are packets, but not one of them can be read.
    """
    read = _READERS[codec]().read
    units: list[AccessUnit] = []
    sizes: list[int] = []
    formats: list[FrameFormat] = []
    for packet in packets:
        unit = read(packet)
        units.append(unit)
        sizes.append(len(packet))
        if unit.format is not None and (not formats or unit.format is not formats[-1]):
            formats.append(unit.format)
    if units and not formats:
        raise VideoError(
            f"none of {counted(len(units), 'packet')} can be read as {NAMES[codec]}: packet 0: {units[0].problem}"
        )
    return _index(units, sizes, tuple(dict.fromkeys(formats)))


def _index(units: Sequence[AccessUnit], sizes: Sequence[int], formats: tuple[FrameFormat, ...]) -> PacketIndex:
    if not units:
        nothing, never = np.empty(0, np.int64), np.empty(0, np.bool_)
        return PacketIndex(keyframe=never, display=nothing, disposable=never, sizes=nothing, formats=())
    orders, restarts, entries, references, layers, leadings, _, problems, repeats, fixed, repeated = zip(
        *units, strict=True
    )
    period, order = np.cumsum(np.array(restarts, np.int64)), np.array(orders, np.int64)
    shown = np.lexsort((order, period))
    display = np.empty(len(units), np.int64)
    display[shown] = np.arange(len(units))
    keyframe, open_gop = _keyframes(entries, leadings)
    layer = np.array(layers)
    often, why_not = repeatable(order, np.array(restarts, np.bool_), display, np.array(repeats, np.int64), fixed)
    return PacketIndex(
        keyframe=keyframe,
        display=display,
        disposable=~np.array(references, np.bool_) & (layer == layer.max()),
        sizes=np.array(sizes, np.int64),
        formats=formats,
        open_gop=open_gop,
        intra_refresh="refresh" in entries and int(keyframe.sum()) <= 1,
        problems=_problems(problems, repeated, period[shown], order[shown], shown),
        repeats=often if often.any() else None,
        no_repeats=why_not,
        counts_on=_counts_on(entries),
        entry_points=None if formats[0].codec == "av1" else np.array([e in ("key", "cra", "open") for e in entries]),
    )


def _keyframes(entries: Sequence[Entry], leadings: Sequence[bool]) -> tuple[Flags, bool]:
    """(where decoding can start for good, whether it seems to start elsewhere too).

    A clean random access picture (CRA) counts when no leading picture follows it before the next entry point:
    nothing then refers across it.
    """
    keyframe = np.array([entry in ("key", "cra") for entry in entries])
    starts = np.flatnonzero(keyframe)
    after = np.flatnonzero(leadings)
    owners = starts[np.searchsorted(starts, after[after > starts[0]]) - 1] if starts.size else starts
    crossed = [i for i in np.unique(owners).tolist() if entries[i] == "cra"]
    keyframe[crossed] = False
    return keyframe, bool(crossed) or "open" in entries


def _counts_on(entries: Sequence[Entry]) -> Flags | None:
    return np.array([entry == "cra" for entry in entries]) if "cra" in entries else None


def _problems(
    problems: Sequence[str], repeated: Sequence[bool], period: Rows, order: Rows, shown: Rows
) -> tuple[tuple[int, str], ...]:
    """Those of single packets, and packets that share a position; period, order and shown are in display order.

    Pictures that only repeat the one before may share theirs: which of them comes first cannot be seen.
    """
    found = [(i, problem) for i, problem in enumerate(problems) if problem]
    same = (np.diff(period) == 0) & (np.diff(order) == 0)
    for before, after in zip(shown[:-1][same].tolist(), shown[1:][same].tolist(), strict=True):
        if not problems[before] and not problems[after] and not repeated[after]:
            found.append((after, f"it is shown at the same time as packet {before}"))
    return tuple(sorted(found))


def with_parameter_sets(packets: Iterable[Buffer], codec: Codec) -> Iterator[Buffer]:
    """The packets, with every keyframe preceded by all parameter sets in force; most pass through untouched.

    Encoders that send their headers once make streams that can be decoded from the first packet only.
    """
    return _av1_with_sequence(packets) if codec == "av1" else _nal_with_sets(packets, h264 if codec == "h264" else hevc)


def with_unit(packet: Buffer, unit: bytes) -> bytes:
    """A packet of H.264 with one more NAL unit behind its own parameter sets, of which it has some."""
    found = leading(packet, h264.IS_SLICE)
    own_end = max(end for begin, end in found[1] if h264.rank(found[0][begin]) >= 0)
    return _with_units(packet, found, h264.IS_DELIMITER, (), (unit,), own_end)


def front(packet: Buffer, codec: Codec) -> bytes:
    """The packet up to some KB of its first slice: all that says what the stream is; AV1 has no such front."""
    if codec == "av1":
        return bytes(packet)
    start = leading(packet, h264.IS_SLICE if codec == "h264" else hevc.IS_SLICE)[2]
    return bytes(packet if start < 0 else packet[: start + _FRONT_BYTES])


def is_self_contained(packet: Buffer, codec: Codec) -> bool:
    """Whether the packet brings a parameter set of every kind."""
    if codec == "av1":
        return any(obu.kind == _AV1_SEQUENCE for obu in _obus(packet))
    module, ranks = (h264, 2) if codec == "h264" else (hevc, 3)
    data, units, _ = leading(packet, module.IS_SLICE)
    return len({module.rank(data[begin]) for begin, _ in units} - {-1}) == ranks


def _nal_with_sets(packets: Iterable[Buffer], codec: ModuleType) -> Iterator[Buffer]:
    sets: ParameterSets[ParameterSet] = ParameterSets(codec.parameter_set)
    last = max(codec.RANKS.values())
    for packet in packets:
        found = leading(packet, codec.IS_SLICE)
        data, units, start = found
        if start >= 0 and not units and not codec.IS_KEYFRAME[data[start]]:  # nearly all packets
            yield packet
            continue
        own = [(begin, end) for begin, end in units if codec.rank(data[begin]) >= 0]
        sent = set()
        for begin, end in own:
            try:
                sent.add(sets.add(data[begin:end]).key)
            except HeaderError:  # the index reports it; the decoder gets it as it came
                continue
        missing = sorted(key for key in sets.active if key not in sent)
        if start < 0 or not codec.IS_KEYFRAME[data[start]] or not missing:
            yield packet
            continue
        early = [sets.active[key].raw for key in missing if key[0] < last or not own]
        late = [sets.active[key].raw for key in missing if key[0] == last and own]
        yield _with_units(packet, found, codec.IS_DELIMITER, early, late, own[-1][1] if own else 0)


def _with_units(
    packet: Buffer, found: Leading, is_delimiter: bytes, early: Sequence[bytes], late: Sequence[bytes], own_end: int
) -> bytes:
    """The packet with NAL units put in: `early` ones after a delimiter, `late` ones after its own parameter sets."""
    data, units, _ = found
    front = units[0][1] if units and is_delimiter[data[units[0][0]]] else 0
    middle = max(front, own_end)
    parts = [packet[:front], *(b"\0" + START + unit for unit in early), packet[front:middle]]
    return b"".join([*parts, *(b"\0" + START + unit for unit in late), packet[middle:]])


def _av1_with_sequence(packets: Iterable[Buffer]) -> Iterator[Buffer]:
    header = b""
    reader = av1.Av1()
    for packet in packets:
        unit = reader.read(packet)
        units = _obus(packet)
        own = [obu for obu in units if obu.kind == _AV1_SEQUENCE]
        if own:
            header = _sized(packet, own[-1])
        if unit.entry != "key" or own:
            yield packet
            continue
        front = units[0].end if units[0].kind == _AV1_DELIMITER else 0
        yield b"".join([packet[:front], header, packet[front:]])


def _obus(packet: Buffer) -> list[av1.Obu]:
    try:
        return av1.obus(packet)
    except HeaderError:
        return []


def _sized(packet: Buffer, obu: av1.Obu) -> bytes:
    """The unit with its size written in it, so that others can follow."""
    if packet[obu.begin] & 2:
        return bytes(packet[obu.begin : obu.end])
    body = bytes(packet[obu.body : obu.end])
    head = bytes(packet[obu.begin : obu.body])
    size, left = b"", len(body)
    while left > 127:
        size, left = size + bytes([left & 127 | 128]), left >> 7
    return bytes([head[0] | 2]) + head[1:] + size + bytes([left]) + body
