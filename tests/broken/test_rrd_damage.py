"""Damaged .rrd files: always noticed, never a crash, and with --recover everything whole is read."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from support.rrd import Vectors, Video, merge_rrd, write_rrd
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.sources.rrd.framing import CHUNK, END, STORE_INFO, frames
from telecine.testing import read_all

T = np.arange(40, dtype=np.int64) * 10**7
CLOCK = "real_time"
JOINTS = "/joints:Scalars:scalars"

pytestmark = pytest.mark.usefixtures("rerun")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, rerun: ModuleType) -> bytes:
    """A small recording of 8 messages with data."""
    path = tmp_path_factory.mktemp("whole") / "whole.rrd"
    logged = {"/joints": Vectors(T, T[:, None] / 1e9), "/cam": Video(T, [bytes([i]) * 9 for i in range(40)])}
    return write_rrd(path, logged, recording_id="r", rows_per_chunk=10).read_bytes()


def frames_of(data: bytes) -> list[tuple[int, int, int]]:
    """(kind, start of the header, end) of every message."""
    import io

    return [(f.kind, f.start - 16, f.start + f.length) for f in frames(io.BytesIO(data), len(data))]


def test_a_cut_anywhere_is_named(whole: bytes, tmp_path: Path) -> None:
    """Around every message border and at 300 other places; every byte is in tests/sources/test_rrd_framing.py."""
    boundaries = {end for kind, _, end in frames_of(whole) if kind != END} | {12}
    near = {end + step for end in boundaries | {len(whole)} for step in (-17, -16, -2, -1, 1, 15, 16, 17)}
    sizes = near | set(random.Random(0).sample(range(len(whole)), 300)) | set(range(40))
    path = tmp_path / "cut.rrd"
    # at a border whole messages without an end are left: see the recording in progress below
    for size in sorted(sizes & set(range(len(whole))) - boundaries):
        path.write_bytes(whole[:size])
        (finding,) = registry.find([path]).findings
        assert finding.severity == "error", size
        assert finding.code == ("source-truncated" if size > 2 else "source-unreadable"), size


def test_a_cut_says_what_is_whole_and_how_to_get_it(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.rrd"
    third = [span for span in frames_of(whole) if span[0] == CHUNK][2]
    path.write_bytes(whole[: third[1] + 20])
    found = registry.find([path])
    assert found.refs == ()
    (finding,) = found.findings
    assert "2 messages" in finding.message
    assert f"{third[1]} of {third[1] + 20} bytes)" in finding.message
    assert "--recover" in finding.fix
    with pytest.raises(SourceError, match="--recover"):
        registry.open(Ref("rrd", str(path), "r"))


def test_recover_reads_exactly_the_whole_messages(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.rrd"
    spans = frames_of(whole)
    chunks = [span for span in spans if span[0] == CHUNK]
    last_info = max(end for kind, _, end in spans if kind == STORE_INFO)
    for number, (_, start, end) in enumerate(chunks):
        if start < last_info:
            continue
        for size in (start + 1, start + 16, end - 1):
            path.write_bytes(whole[:size])
            joints, packets = recovered(path)
            assert joints + packets == sum(_rows(whole, chunks[:number])), size


def recovered(path: Path) -> tuple[int, int]:
    """(joint samples, packets) with --recover; the note is there when the recording opens."""
    found = registry.find([path], recover=True)
    if not found.refs:
        return 0, 0
    with registry.open(found.refs[0]) as recording:
        assert [code for code, _ in recording.notes][:1] == ["source-recovered"]
        counts = []
        for name in (JOINTS, "/cam:VideoStream:sample"):
            stream: Any = recording.streams.get(name)
            counts.append(0 if stream is None or not stream.clocks else len(stream.times(CLOCK)))
            if stream is not None and stream.kind == "video" and stream.clocks:
                assert len(list(stream.packets(CLOCK))) == counts[-1]
        return counts[0], counts[1]


def _rows(data: bytes, spans: Sequence[tuple[int, int, int]]) -> list[int]:
    """Rows of data in each message: 10, or 0 for the static codec."""
    import pyarrow as pa

    from telecine.sources.rrd.messages import _fields, _unpacked

    counts = []
    for _, start, end in spans:
        parts = dict(_fields(memoryview(data)[start + 16 : end]))
        with pa.ipc.open_stream(_unpacked(parts[5], parts)) as reader:  # type: ignore[arg-type]
            timed = CLOCK in reader.schema.names
            counts.append(sum(batch.num_rows for batch in reader) if timed else 0)
    return counts


def test_the_temporary_copy_goes_when_the_recording_is_closed(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / "cut.rrd"
    path.write_bytes(whole[:-40])
    with registry.open(registry.find([path], recover=True).refs[0]) as recording:
        assert len(list(scratch.iterdir())) == 1
        assert len(recording.streams[JOINTS].times(CLOCK)) == 40
    assert list(scratch.iterdir()) == []


def test_a_healthy_file_is_read_the_same_with_recover(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fine.rrd"
    path.write_bytes(whole)
    (plain,), (careful,) = registry.find([path]).refs, registry.find([path], recover=True).refs
    with registry.open(plain) as a, registry.open(careful) as b:
        assert b.notes == ()
        assert read_all(a) == read_all(b)


def test_a_recording_in_progress_is_read_with_a_warning(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "running.rrd"
    end = next(start for kind, start, _ in frames_of(whole) if kind == END)
    path.write_bytes(whole[:end])
    found = registry.find([path])
    assert [(f.code, f.severity) for f in found.findings] == [("source-truncated", "warning")]
    with registry.open(found.refs[0]) as recording:
        assert len(recording.streams[JOINTS].times(CLOCK)) == 40


def test_a_sector_of_garbage_in_the_middle_is_named_and_recovered_up_to_it(whole: bytes, tmp_path: Path) -> None:
    chunks = [span for span in frames_of(whole) if span[0] == CHUNK]
    _, start, end = chunks[4]
    path = tmp_path / "bad.rrd"
    path.write_bytes(whole[: start + 60] + b"\xaa" * (end - start - 60) + whole[end:])
    said = rf"message 4 at byte {start}: .*--recover"
    # the framing is whole, so it is found when data is first read
    with registry.open(registry.find([path]).refs[0]) as recording, pytest.raises(SourceError, match=said):
        recording.streams[JOINTS].times(CLOCK)
    assert sum(recovered(path)) == sum(_rows(whole, chunks[:4]))


def test_zeros_after_a_power_loss_are_named_and_recovered(whole: bytes, tmp_path: Path) -> None:
    chunks = [span for span in frames_of(whole) if span[0] == CHUNK]
    path = tmp_path / "zeros.rrd"
    path.write_bytes(whole[: chunks[5][1]] + bytes(4096))
    (finding,) = registry.find([path]).findings
    assert "4080 bytes, no footer, behind the end marker" in finding.message
    assert sum(recovered(path)) == sum(_rows(whole, chunks[:5]))


def test_a_damaged_table_of_contents_is_named_and_recovered(whole: bytes, tmp_path: Path) -> None:
    end = next(start for kind, start, _ in frames_of(whole) if kind == END)
    path = tmp_path / "toc.rrd"
    path.write_bytes(whole[: end + 40] + b"\xaa" * 30 + whole[end + 70 :])
    (finding,) = registry.find([path]).findings
    assert finding.severity == "error"
    assert recovered(path) == (40, 40)


def test_glued_files_are_named_with_the_right_tool(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "glued.rrd"
    path.write_bytes(whole + whole)
    (finding,) = registry.find([path]).findings
    assert "rerun rrd merge" in finding.message


def test_a_file_that_vanishes_after_it_was_found_is_a_source_error(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "soon_gone.rrd"
    path.write_bytes(whole)
    ref = registry.find([path]).refs[0]
    path.unlink()
    with pytest.raises(SourceError, match="No such file"):
        registry.open(ref)


def test_a_file_that_was_replaced_names_what_it_holds_now(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    path.write_bytes(whole)
    with pytest.raises(SourceError, match="no recording 'other' in this file; it holds: r"):
        registry.open(Ref("rrd", str(path), "other"))


def test_a_blueprint_alone_is_no_error(tmp_path: Path) -> None:
    import rerun.blueprint as rrb

    layout = rrb.Blueprint(rrb.TimeSeriesView())
    layout.save("test", str(tmp_path / "layout.rbl"))
    write_rrd(tmp_path / "a.rrd", {"/j": Vectors(T, np.zeros((40, 1)))})
    assert registry.find([tmp_path]).findings == ()
    (tmp_path / "layout.rbl").rename(tmp_path / "layout.rrd")
    (finding,) = registry.find([tmp_path / "layout.rrd"]).findings
    assert (finding.code, finding.severity) == ("source-empty", "warning")


def test_a_blueprint_beside_the_data_is_skipped(tmp_path: Path) -> None:
    import rerun.blueprint as rrb

    rrb.Blueprint(rrb.TimeSeriesView()).save("telecine-tests", str(tmp_path / "layout.rrd"))
    write_rrd(tmp_path / "a.rrd", {"/j": Vectors(T, np.zeros((40, 1)))}, recording_id="r")
    merged = merge_rrd(tmp_path / "both.rrd", [tmp_path / "layout.rrd", tmp_path / "a.rrd"])
    assert [ref.id for ref in registry.find([merged]).refs] == ["r"]


def test_a_recording_without_data_says_so(tmp_path: Path) -> None:
    path = write_rrd(tmp_path / "empty.rrd", {}, name="nothing in it", recording_id="r")
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert dict(recording.streams) == {}
        assert recording.notes[0][0] == "source-empty"


FLIPS = """
import random, sys
from pathlib import Path
from telecine.sources import registry
from telecine.core.errors import SourceError
from telecine.testing import read_all

for path in map(Path, sys.stdin.read().split()):
    for recover in (False, True):
        found = registry.find([path], recover=recover)
        for ref in found.refs:
            try:
                with registry.open(ref) as recording:
                    for stream in recording.streams.values():
                        try:
                            for clock in stream.clocks:
                                stream.times(clock)
                        except SourceError:
                            pass
            except SourceError:
                pass
    print(path.name, flush=True)
"""


def test_flipped_bytes_end_in_an_error_or_in_data_never_in_a_crash(whole: bytes, tmp_path: Path) -> None:
    """In another process, because rerun-sdk aborts on Arrow data that contradicts itself.

    Every byte of the framing, and sectors of payload: what disks do. Single bits inside Arrow's own tables are in
    tests/sources/test_rrd_framing.py, against our check alone.
    """
    spans = frames_of(whole)
    rng = random.Random(1)
    broken: list[bytes] = []
    for _, start, end in rng.sample(spans, 5):
        for at in (*range(start, start + 24, 3), end - 1):
            broken.append(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
    for size in (64, 512):
        for fill in (bytes(size), rng.randbytes(size)):
            broken += [whole[:at] + fill + whole[at + size :] for at in rng.sample(range(12, len(whole) - size), 6)]
    names = []
    for number, data in enumerate(broken):
        names.append(tmp_path / f"{number}.rrd")
        names[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FLIPS],
        input=" ".join(map(str, names)), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.split() == [name.name for name in names], done.stderr[-2000:]
    assert done.returncode == 0


def test_a_table_of_contents_that_would_end_the_process_is_refused_before(whole: bytes, tmp_path: Path) -> None:
    """rerun-sdk aborts on column names with a zero byte; so this is only asked of our check, never of it."""
    from telecine.sources.rrd.messages import damaged_contents

    path = tmp_path / "names.rrd"
    end = next(start for kind, start, _ in frames_of(whole) if kind == END)
    at = whole.index(b"VideoStream:sample", end)
    path.write_bytes(whole[:at] + b"\0" + whole[at + 1 :])
    with path.open("rb") as file:
        assert damaged_contents(file, len(whole)) == "a column name holds a zero byte"
    (finding,) = registry.find([path]).findings
    assert "table of contents: a column name holds a zero byte" in finding.message
    assert recovered(path) == (40, 40)
    path.write_bytes(whole)
    with path.open("rb") as file:
        assert damaged_contents(file, len(whole)) == ""


PAIRS = {
    "timestamp": (pa.timestamp("us"), pa.timestamp("ns")),
    "in a list": (pa.list_(pa.timestamp("us")), pa.list_(pa.timestamp("ns"))),
    "in a struct": (pa.struct({"a": pa.duration("us")}), pa.struct({"a": pa.duration("ns")})),
    "duration": (pa.duration("us"), pa.duration("ns")),
    "float": (pa.float32(), pa.float64()),
}  # fmt: skip


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("value", [4, 20, 0x80])
def test_a_unit_that_does_not_exist_is_refused_before(kind: str, value: int) -> None:
    """Mutants 771 and 9586 of the long form: pyarrow reads over it, rerun-sdk ends the process."""
    from telecine.sources.rrd.messages import problem_of

    one, two = (_message(pa.schema([("x", pa.int32()), ("t", unit)])) for unit in PAIRS[kind])
    sound: set[bytes] = set()
    assert problem_of(one, sound) == problem_of(two, sound) == ""
    (at,) = (i for i, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
    assert problem_of(one[:at] + bytes([value]) + one[at + 1 :], sound) == (
        f"a column of a type with unit {value}, which does not exist"
    )


def test_chunks_of_one_entity_are_told_apart_by_all_but_their_ids() -> None:
    """Schemas are looked at once, whatever the id of the chunk; a short id hides nothing."""
    from telecine.sources.rrd.messages import problem_of

    def named(chunk_id: bytes, column: str = "t") -> bytes:
        return _message(pa.schema([(column, pa.int32())], {"rerun:id": chunk_id}))

    sound: set[bytes] = set()
    for number in range(3):
        assert problem_of(named(b"chunk_%032x" % number), sound) == ""
    assert len(sound) == 1
    assert "zero byte" in problem_of(named(b"chunk_%032x" % 4, "a\0"), sound)
    assert problem_of(named(b"t"), sound) == problem_of(named(b"u", "u"), sound) == ""
    assert len(sound) == 3


def _message(schema: pa.Schema) -> bytes:
    """As an .rrd file holds it, without compression: fields 2, 4 and 5 of ArrowMsg."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema):
        pass
    payload = sink.getvalue().to_pybytes()
    size = len(payload)
    assert 128 <= size < 1 << 14
    return bytes([0x10, 1, 0x20, 1, 0x2A, size & 127 | 128, size >> 7]) + payload
