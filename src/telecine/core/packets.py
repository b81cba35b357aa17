"""An index of a coded stream from its headers, and packets that can be decoded from any keyframe.

Both look at bytes that may be damaged anywhere: what cannot be understood becomes a problem of that packet.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

import numpy as np

from telecine.core import av1, h264, hevc
from telecine.core.bits import HeaderError
from telecine.core.errors import VideoError
from telecine.core.nal import START, Leading, ParameterSets, leading
from telecine.core.recording import Buffer, Codec
from telecine.core.time import Rows
from telecine.core.unit import Unit
from telecine.core.video import Flags, PacketIndex, PictureFormat

NAMES: dict[Codec, str] = {"h264": "H.264", "hevc": "H.265", "av1": "AV1"}
_READERS: dict[Codec, type[h264.H264 | hevc.Hevc | av1.Av1]] = {"h264": h264.H264, "hevc": hevc.Hevc, "av1": av1.Av1}
_AV1_DELIMITER, _AV1_SEQUENCE = 2, 1


def index_packets(packets: Iterable[Buffer], codec: Codec) -> PacketIndex:
    """What the headers of the packets, in decode order, tell without decoding. No packets: an empty index.

    Raises:
        VideoError: there are packets, but not one of them can be read.
    """
    read = _READERS[codec]().read
    units: list[Unit] = []
    sizes: list[int] = []
    for packet in packets:
        units.append(read(packet))
        sizes.append(len(packet))
    formats = tuple(dict.fromkeys(unit.format for unit in units if unit.format is not None))
    if units and not formats:
        raise VideoError(f"none of {len(units)} packets can be read as {NAMES[codec]}: packet 0: {units[0].problem}")
    return _index(units, sizes, formats)


def _index(units: Sequence[Unit], sizes: Sequence[int], formats: tuple[PictureFormat, ...]) -> PacketIndex:
    count = len(units)
    period = np.cumsum(np.fromiter((u.restart for u in units), np.int64, count))
    order = np.fromiter((u.order for u in units), np.int64, count)
    shown = np.lexsort((order, period))
    display = np.empty(count, np.int64)
    display[shown] = np.arange(count)
    keyframe, open_gop = _keyframes(units)
    layers = np.fromiter((u.layer for u in units), np.int64, count)
    unreferred = np.fromiter((not u.reference for u in units), np.bool_, count)
    return PacketIndex(
        keyframe=keyframe,
        display=display,
        disposable=unreferred & (layers == np.max(layers, initial=0)),
        sizes=np.array(sizes, np.int64),
        formats=formats,
        open_gop=open_gop,
        intra_refresh=any(u.entry == "refresh" for u in units) and int(keyframe.sum()) <= 1,
        problems=_problems(units, period, order, shown),
    )


def _keyframes(units: Sequence[Unit]) -> tuple[Flags, bool]:
    """(where decoding can start for good, whether it seems to start elsewhere too).

    A clean random access picture (CRA) counts when no leading picture follows it before the next entry point:
    nothing then refers across it.
    """
    keyframe = np.fromiter((u.entry in ("key", "cra") for u in units), np.bool_, len(units))
    open_gop = False
    entry = 0
    for i, unit in enumerate(units):
        if unit.entry in ("key", "cra"):
            entry = i
        elif unit.entry == "open":
            open_gop = True
        elif unit.leading and units[entry].entry == "cra":
            keyframe[entry] = False
            open_gop = True
    return keyframe, open_gop


def _problems(units: Sequence[Unit], period: Rows, order: Rows, shown: Rows) -> tuple[tuple[int, str], ...]:
    found = [(i, unit.problem) for i, unit in enumerate(units) if unit.problem]
    same = (np.diff(period[shown]) == 0) & (np.diff(order[shown]) == 0)
    for before, after in zip(shown[:-1][same].tolist(), shown[1:][same].tolist(), strict=True):
        if not units[before].problem and not units[after].problem:
            found.append((after, f"it is shown at the same time as packet {before}"))
    return tuple(sorted(found))


def with_parameter_sets(packets: Iterable[Buffer], codec: Codec) -> Iterator[Buffer]:
    """The packets, with every keyframe preceded by all parameter sets in force; most pass through untouched.

    Encoders that send their headers once make streams that can be decoded from the first packet only.
    """
    return _av1_with_sequence(packets) if codec == "av1" else _nal_with_sets(packets, h264 if codec == "h264" else hevc)


def is_self_contained(packet: Buffer, codec: Codec) -> bool:
    """Whether the packet brings a parameter set of every kind."""
    if codec == "av1":
        return any(obu.kind == _AV1_SEQUENCE for obu in _obus(packet))
    module, ranks = (h264, 2) if codec == "h264" else (hevc, 3)
    found = leading(packet, module.IS_SLICE)
    return len({module.rank(found.data[begin]) for begin, _ in found.units} - {-1}) == ranks


def _nal_with_sets(packets: Iterable[Buffer], codec: ModuleType) -> Iterator[Buffer]:
    sets: ParameterSets[h264.Sps | h264.Pps | hevc.Vps | hevc.Sps | hevc.Pps] = ParameterSets(codec.parameter_set)
    last = max(codec.RANKS.values())
    for packet in packets:
        found = leading(packet, codec.IS_SLICE)
        own = [(begin, end) for begin, end in found.units if codec.rank(found.data[begin]) >= 0]
        sent = set()
        for begin, end in own:
            try:
                sent.add(sets.add(found.data[begin:end]).key)
            except HeaderError:  # the index reports it; the decoder gets it as it came
                continue
        missing = sorted(key for key in sets.active if key not in sent)
        if found.slice < 0 or not codec.IS_KEYFRAME[found.data[found.slice]] or not missing:
            yield packet
            continue
        early = [sets.active[key].raw for key in missing if key[0] < last or not own]
        late = [sets.active[key].raw for key in missing if key[0] == last and own]
        yield _with_units(packet, found, codec.IS_DELIMITER, early, late, own[-1][1] if own else 0)


def _with_units(
    packet: Buffer, found: Leading, is_delimiter: bytes, early: Sequence[bytes], late: Sequence[bytes], own_end: int
) -> bytes:
    """The packet with NAL units put in: `early` ones after a delimiter, `late` ones after its own parameter sets."""
    front = 0
    if found.units and is_delimiter[found.data[found.units[0][0]]]:
        front = found.units[0][1]
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
