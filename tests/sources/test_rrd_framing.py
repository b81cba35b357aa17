"""Walking over .rrd framing and messages, on bytes made by hand: needs no rerun-sdk."""

import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources.rrd import source
from telecine.sources.rrd.framing import CHUNK, END, FRAME, STORE_INFO, Walk, copy_store_infos, frames, trim, walk
from telecine.sources.rrd.messages import first_damaged, problem_of

HEADER = b"RRF2\0\x29\0\0\1\2\0\0"
FOOTER = bytes(range(1, 21)) + b"RRF2FOOT" + b"\1\0\0\0"


def frame(kind: int, payload: bytes) -> bytes:
    return FRAME.pack(kind, len(payload)) + payload


BODY = [frame(STORE_INFO, b"info"), frame(CHUNK, b"a" * 10), frame(CHUNK, b""), frame(CHUNK, b"c" * 3)]
OPEN = HEADER + b"".join(BODY)
WHOLE = OPEN + frame(END, b"table") + FOOTER
OLD = OPEN + frame(END, b"")


def walked(data: bytes) -> Walk:
    return walk(io.BytesIO(data), len(data), "f.rrd")


@pytest.mark.parametrize(
    ("data", "state", "footer"), [(WHOLE, "complete", True), (OLD, "complete", False), (OPEN, "open", False)]
)
def test_healthy_files(data: bytes, state: str, footer: bool) -> None:
    seen = walked(data)
    assert (seen.state, seen.footer, seen.messages, seen.whole_bytes) == (state, footer, 3, len(OPEN))


def test_every_cut_is_known_and_keeps_the_whole_messages() -> None:
    ends = [len(HEADER) + sum(map(len, BODY[:k])) for k in range(len(BODY) + 1)]
    for size in range(4, len(WHOLE)):
        seen = walked(WHOLE[:size])
        whole = max((end for end in ends if end <= size), default=0)
        assert seen.whole_bytes == whole, size
        assert seen.state == ("open" if size in ends else "cut"), size
        assert bool(seen.problem) == (seen.state == "cut"), size


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_header_give_a_verdict(data: bytes) -> None:
    seen = walked(HEADER + data)
    assert len(HEADER) <= seen.whole_bytes <= seen.size_bytes
    assert (seen.state in ("cut", "garbage")) == bool(seen.problem)


@given(st.binary(max_size=20) | st.binary(max_size=20).map(lambda rest: b"RRF" + rest))
def test_any_file_gives_a_verdict_or_a_clear_error(data: bytes) -> None:
    if data[:3] == b"RRF" and data[:4] not in (b"RRF0", b"RRF1") and data[3:4] in (b"", b"2"):
        assert walked(data).size_bytes == len(data)
    else:
        with pytest.raises(SourceError, match=r"^f\.rrd: "):
            walked(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"PK\3\4", "not a Rerun recording"),
        (b"RRF1\0\0\0\0", "before 0.23"),
        (b"RRF7\0\0\0\0", "newer file format"),
    ],
)
def test_what_is_no_rrd_of_our_time_says_so(data: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        walked(data)


@pytest.mark.parametrize(
    ("data", "state", "message"),
    [
        (OPEN + b"\xff" * 16, "garbage", "no message at byte"),
        (OPEN + FRAME.pack(CHUNK, 2**63), "cut", "says it has 9223372036854775808 bytes, 0 are there"),
        (OPEN + bytes(4096), "garbage", "no footer"),
        (WHOLE + WHOLE, "garbage", "rerun rrd merge"),
        (WHOLE[:-1], "cut", "table of contents"),
        (WHOLE[:-1] + b"\7", "garbage", "no footer"),
        (OPEN + frame(END, b"table") + b"x" * 50, "garbage", "50 bytes, no footer, behind the end marker"),
    ],
)
def test_damage_is_described(data: bytes, state: str, message: str) -> None:
    seen = walked(data)
    assert seen.state == state
    assert message in seen.problem
    assert seen.whole_bytes == len(OPEN)


def test_a_message_kind_of_a_newer_rerun_passes() -> None:
    assert walked(HEADER + frame(9, b"new") + BODY[1]).messages == 1


def test_trim_copies_exactly_the_whole_part() -> None:
    target = io.BytesIO()
    trim(io.BytesIO(WHOLE), target, len(OPEN))
    assert target.getvalue() == OPEN
    with pytest.raises(SourceError, match="became shorter"):
        trim(io.BytesIO(WHOLE), io.BytesIO(), len(WHOLE) + 1)


def test_the_small_copy_names_the_recordings_only() -> None:
    target = io.BytesIO()
    copy_store_infos(io.BytesIO(WHOLE), len(WHOLE), target)
    assert target.getvalue() == HEADER + BODY[0]


def test_frames_stop_at_the_end_marker() -> None:
    assert [f.kind for f in frames(io.BytesIO(WHOLE), len(WHOLE))] == [STORE_INFO, CHUNK, CHUNK, CHUNK, END]


def ipc(table: pa.Table | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    table = pa.table({"t": [1, 2, 3], "x": [[1.0], [], [2.0]]}) if table is None else table
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def varint(value: int) -> bytes:
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def message(payload: bytes, size: int | None = None, packed: bool = True, encoding: int = 1) -> bytes:
    """An ArrowMsg as rerun writes it."""
    data = pa.Codec("lz4_raw").compress(payload, asbytes=True) if packed else payload
    size = len(payload) if size is None else size
    head = bytes([2 << 3, 2 if packed else 1]) + bytes([3 << 3]) + varint(size) + bytes([4 << 3, encoding])
    return b"\x0a\x02id" + head + bytes([5 << 3 | 2]) + varint(len(data)) + data + bytes([6 << 3 | 1]) + bytes(8)


@pytest.mark.parametrize("packed", [True, False])
def test_a_whole_message_passes(packed: bool) -> None:
    assert problem_of(message(ipc(), packed=packed), set()) == ""


def test_an_encoding_of_a_newer_rerun_passes() -> None:
    assert problem_of(message(b"new", packed=False, encoding=7), set()) == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (message(ipc(), size=2**40), "cannot unpack to"),
        (message(ipc(), size=10), "Corrupt|corrupt"),
        (b"\x0f", "wire type 7"),
        (b"\xff" * 12, "does not end"),
        (b"\x2a\x7f", "a field of 127 bytes"),
        (message(b"\xff\xff\xff\xff\x00\x00\x01\x00", packed=False), "."),
        (message(ipc(pa.table({"a\0b": [1]}))), "zero byte"),
    ],
)
def test_a_damaged_message_is_described(data: bytes, message: str) -> None:
    import re

    assert re.search(message, problem_of(data, set()))


@given(st.data())
def test_flipped_bytes_never_escape_as_another_error(data: st.DataObject) -> None:
    broken = bytearray(message(ipc(), packed=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(problem_of(bytes(broken), set()), str)


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


def _kind(stream: bytes) -> str:
    try:
        return str(next(iter(pa.ipc.MessageReader.open_stream(stream))).type)
    except (pa.ArrowException, OSError):
        return ""


def test_no_changed_byte_of_a_schema_ends_the_process() -> None:
    """pyarrow takes a message of any type for a schema when asked to, and crashes on what is in it."""
    stream = ipc()
    schema = int.from_bytes(stream[4:8], "little") + 8
    kind = next(at for at in range(8, schema) if _kind(changed(stream, at, 100)) == "unknown")
    for first in (stream, changed(stream, kind, 100)):
        for at in range(8, schema):
            for value in (0, 2, 53, 255):
                assert isinstance(problem_of(message(changed(first, at, value), packed=False), set()), str)
    assert "not with their schema" in problem_of(message(stream[schema:], packed=False), set())


def test_a_column_that_points_outside_its_message_is_found() -> None:
    stream = bytearray(ipc(pa.table({"x": pa.array(range(4096), pa.int64())})))
    at = stream.rindex((4096 * 8).to_bytes(8, "little"), 0, len(stream) - 4096 * 8)
    stream[at : at + 8] = (2**40).to_bytes(8, "little")
    assert problem_of(message(bytes(stream), packed=False), set())


WORDS = pa.array(["abc"] * 11)
DENSE = pa.UnionArray.from_dense(pa.array([0] * 12, pa.int8()), pa.array(range(12), pa.int32()), [pa.array(range(12))])


@pytest.mark.parametrize(
    ("array", "size"),
    [
        (WORDS, 48),
        (WORDS.cast(pa.large_string()), 96),
        (WORDS.cast(pa.binary()), 48),
        (pa.array([[1.0]] * 11), 48),
        (pa.array([[1.0]] * 8, pa.large_list(pa.float64())), 72),
        (pa.array([[("k", 1)]] * 11, pa.map_(pa.string(), pa.int8())), 48),
        (pa.StructArray.from_arrays([WORDS], ["w"]), 48),
        (pa.FixedSizeListArray.from_arrays(WORDS, 1), 48),
        (pa.array([["abc"] * 11]), 48),
        (DENSE, 48),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_offsets_that_end_within_a_number_are_found(array: pa.Array, size: int) -> None:
    stream = ipc(pa.table({"x": array}))
    assert not problem_of(message(stream, packed=False), set())
    at = stream.index(size.to_bytes(8, "little"))
    assert "end within a number" in problem_of(message(changed(stream, at, size + 1), packed=False), set())


def test_the_first_damaged_message_is_counted() -> None:
    good = frame(CHUNK, message(ipc()))
    data = HEADER + good + good + frame(CHUNK, b"\xff" * 12) + good
    assert first_damaged(io.BytesIO(data), len(data)) == (2, len(HEADER) + 2 * len(good), "a number does not end")
    assert first_damaged(io.BytesIO(OPEN[: len(HEADER)] + good), len(HEADER) + len(good)) is None


def test_messages_of_a_file_are_checked_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []

    def first(file: io.BufferedReader, size_bytes: int) -> None:
        checked.append(size_bytes)

    monkeypatch.setattr(source, "first_damaged", first)
    path = tmp_path / "a.rrd"
    ref = Ref("rrd", str(path), "a", 1)
    for data in (OPEN, OPEN, WHOLE):
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
        source._check_messages(ref)
    assert checked == [len(OPEN), len(WHOLE)]
    path.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        source._check_messages(ref)
