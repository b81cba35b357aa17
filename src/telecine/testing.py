"""What every source has to keep, as tests to inherit. Ships with telecine; needs pytest.

A format of your own is right when this passes:

    # conftest.py
    import pytest
    pytest.register_assert_rewrite("telecine.testing")

    # test_myformat.py
    from telecine.testing import FileSourceContract

    class TestMyFormat(FileSourceContract):
        @pytest.fixture
        def places(self, tmp_path):
            write_my_recording(tmp_path / "take_9.my")
            write_my_recording(tmp_path / "take_10.my")
            return [str(tmp_path)]

`places` holds the paths that a user would give to `telecine convert`. Give at least two recordings, with every
kind of stream that the format can hold: what is not there is not tested. `SourceContract` is for sources that are no
files, such as servers; `FileSourceContract` adds damaged files.
"""

# ruff: noqa: D102 - the names of the tests are sentences

import pickle  # nosec B403  # for tests
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telecine.core.errors import SourceError
from telecine.core.grid import Rows
from telecine.core.recording import STATIC_NS, Image, Recording, Ref, Stream
from telecine.core.text.numbers import counted
from telecine.sources import registry

__all__ = ["FileSourceContract", "SourceContract", "read_all"]


def read_all(recording: Recording) -> dict[str, Any]:
    """Everything a recording holds, as plain values that compare: stream -> what it is, and its samples by clock.

    Reads all into memory: for small recordings only.
    """
    return {name: _read(stream) for name, stream in recording.streams.items()}


def _read(stream: Stream) -> Any:
    facts = (stream.kind, stream.schema, dict(stream.clocks), stream.static)
    samples = {
        clock: (stream.times(clock).tolist(), _samples(stream, clock, np.arange(len(stream.times(clock)))))
        for clock in _clocks(stream)
    }
    return facts, samples


def _clocks(stream: Stream) -> list[str]:
    return ["any clock"] if stream.static else sorted(stream.clocks)


def _samples(stream: Stream, clock: str, rows: Rows) -> list[Any]:
    match stream.kind:
        case "vector":
            taken = stream.take(rows, clock)
            return [(taken.dtype.str, row.tolist()) for row in taken]
        case "text":
            return list(stream.take(rows, clock))
        case "image":
            return [_plain(image) for image in stream.take(rows, clock)]
        case _:
            packets = [bytes(packet) for packet in stream.packets(clock)]
            return [packets[row] for row in rows]


def _plain(image: Image) -> tuple[Any, ...]:
    return bytes(image.data), image.encoding, image.width, image.height, image.matrix


class SourceContract:
    """Inherit, and give the fixture `places`."""

    @pytest.fixture
    def places(self) -> Sequence[str]:
        """Paths, folders or addresses of healthy recordings, at least two."""
        pytest.fail("override the fixture `places`: it says which recordings the contract is tested on")

    @pytest.fixture
    def refs(self, places: Sequence[str]) -> Sequence[Ref]:
        """The recordings at `places`."""
        found = registry.find(places)
        assert not [f for f in found.findings if f.severity == "error"], "give healthy recordings"
        assert len(found.refs) >= 2, "give at least two recordings"
        return found.refs

    def test_the_order_of_recordings_never_changes(self, places: Sequence[str], refs: Sequence[Ref]) -> None:
        assert list(registry.find(list(reversed(places))).refs) == list(refs)
        assert list(registry.find([*places, *places]).refs) == list(refs)

    def test_every_recording_has_a_label_of_its_own(self, refs: Sequence[Ref]) -> None:
        assert len({ref.label for ref in refs}) == len(refs)

    def test_refs_travel_between_processes(self, refs: Sequence[Ref]) -> None:
        for ref in refs:
            sent = pickle.dumps(ref)
            assert pickle.loads(sent) == ref  # noqa: S301  # nosec B301  # our own bytes
            assert len(sent) < 4096

    def test_reading_twice_gives_the_same(self, refs: Sequence[Ref]) -> None:
        for ref in refs:
            with registry.open(ref) as first, registry.open(ref) as second:
                assert read_all(first) == read_all(second)
                assert read_all(first) == read_all(second)  # and again from the same streams

    def test_streams_carry_the_name_they_are_found_under(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            assert stream.name == name
            assert stream.kind in ("vector", "text", "image", "video")

    def test_times_are_integers_that_never_go_back(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            for clock in _clocks(stream):
                times = stream.times(clock)
                assert times.dtype == np.int64, name
                assert (np.diff(times) >= 0).all(), name
                assert 0 <= stream.backwards(clock) <= max(len(times) - 1, 0), name

    def test_a_static_stream_has_one_sample_on_any_clock(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            if stream.static:
                assert dict(stream.clocks) == {}, name
                assert stream.times("whatever").tolist() == [STATIC_NS], name

    def test_every_clock_named_has_samples_and_no_other_is_taken(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            assert all(len(stream.times(clock)) for clock in stream.clocks), name
            if not stream.static:
                with pytest.raises(SourceError, match="no such clock"):
                    stream.times("no such clock")

    def test_take_gives_the_rows_asked_for_in_their_order(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            for clock in _clocks(stream):
                count = len(stream.times(clock))
                every = _samples(stream, clock, np.arange(count))
                assert len(every) == count, name
                for rows in _choices(count):
                    assert _samples(stream, clock, rows) == [every[row] for row in rows], name

    def test_vectors_have_the_shape_and_type_they_promise(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            if stream.kind != "vector":
                continue
            for clock in _clocks(stream):
                taken = stream.take(np.arange(len(stream.times(clock))), clock)
                assert taken.shape == (len(stream.times(clock)), *stream.schema.shape), name
                assert taken.dtype == stream.schema.dtype, name
                names = stream.schema.names
                assert names is None or len(names) == int(np.prod(stream.schema.shape)), name

    def test_images_come_lazily_and_name_their_encoding(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            if stream.kind != "image":
                continue
            for clock in _clocks(stream):
                images = stream.take(np.arange(len(stream.times(clock))), clock)
                assert isinstance(images, Iterator), name
                assert all(image.encoding for image in images), name

    def test_video_has_one_packet_for_each_time(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            if stream.kind != "video":
                continue
            for clock in _clocks(stream):
                assert stream.schema.encoding in ("h264", "hevc", "av1"), name
                every = [bytes(packet) for packet in stream.packets(clock)]
                assert len(every) == len(stream.times(clock)), name
                middle = len(every) // 2
                part = [bytes(packet) for packet in stream.packets(clock, 1, middle)]
                assert part == every[1:middle], name

    def test_what_was_read_outlives_the_next_read(self, refs: Sequence[Ref]) -> None:
        for _, name, stream in _each(refs):
            if stream.kind != "video":
                continue
            for clock in _clocks(stream):
                held = list(stream.packets(clock))
                assert [bytes(p) for p in held] == [bytes(p) for p in stream.packets(clock)], name

    def test_closing_twice_is_harmless(self, refs: Sequence[Ref]) -> None:
        with registry.open(refs[0]) as recording:
            pass
        if recording.close is not None:
            recording.close()

    def test_a_closed_recording_answers_or_says_so(self, refs: Sequence[Ref]) -> None:
        with registry.open(refs[0]) as recording:
            pass
        for stream in recording.streams.values():
            try:
                for clock in _clocks(stream):
                    stream.times(clock)
            except SourceError:
                continue

    def test_a_recording_that_is_not_there_is_a_source_error(self, refs: Sequence[Ref]) -> None:
        gone = Ref(refs[0].format, refs[0].path + "-gone", "nobody")
        with pytest.raises(SourceError):
            registry.open(gone)


class FileSourceContract(SourceContract):
    """The contract for formats that are files: damage is always noticed and never harmful."""

    def cuts(self, size_bytes: int) -> Sequence[int]:
        """Lengths to cut a file of `size_bytes` to. Override to add what is special in your format."""
        return sorted({*range(min(size_bytes, 64)), *np.linspace(0, size_bytes - 1, 120, dtype=int).tolist()})

    @pytest.fixture
    def file(self, refs: Sequence[Ref]) -> Path:
        """The smallest of the files."""
        return min((Path(ref.path) for ref in refs), key=lambda path: path.stat().st_size)

    def test_a_file_is_claimed_by_its_content_under_any_name(self, file: Path, tmp_path: Path) -> None:
        renamed = tmp_path / "renamed.bin"
        renamed.write_bytes(file.read_bytes())
        assert len(registry.find([renamed]).refs) >= 1

    def test_a_cut_file_is_noticed_wherever_it_is_cut(self, file: Path, tmp_path: Path) -> None:
        whole = file.read_bytes()
        damaged = tmp_path / f"cut{file.suffix}"
        for size in self.cuts(len(whole)):
            damaged.write_bytes(whole[:size])
            assert _noticed(damaged), f"cut to {size} of {counted(len(whole), 'byte')} and nothing reports it"

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0" * 100, b"hello, world\n" * 50, bytes(range(256)) * 8],
        ids=["empty", "zeros", "text", "bytes"],
    )
    def test_what_is_no_recording_is_named(self, file: Path, tmp_path: Path, content: bytes) -> None:
        wrong = tmp_path / f"wrong{file.suffix}"
        wrong.write_bytes(content)
        found = registry.find([wrong])
        assert found.refs == ()
        assert [finding.severity for finding in found.findings] == ["error"]
        assert found.findings[0].where == str(wrong)

    def test_one_bad_file_does_not_hide_the_others(self, file: Path, places: Sequence[str]) -> None:
        before = registry.find(places)
        bad = file.parent / f"bad{file.suffix}"
        bad.write_bytes(b"")
        found = registry.find([*places, str(bad)])
        assert found.refs == before.refs
        assert [f.where for f in found.findings if f.severity == "error"] == [str(bad)]


def _each(refs: Sequence[Ref]) -> Iterator[tuple[Ref, str, Stream]]:
    for ref in refs:
        with registry.open(ref) as recording:
            for name, stream in recording.streams.items():
                yield ref, name, stream


def _choices(count: int) -> Iterator[Rows]:
    """Rows as alignment asks for them: none, some left out, some repeated; non-decreasing."""
    random = np.random.default_rng(count)
    yield np.zeros(0, np.int64)
    if count:
        yield np.sort(random.integers(0, count, size=2 * count)).astype(np.int64)
        yield np.arange(0, count, 3, dtype=np.int64)
        yield np.full(4, count - 1, np.int64)


def _noticed(path: Path) -> bool:
    """True when finding, opening or reading reports a problem."""
    found = registry.find([path])
    if found.findings:
        return True
    try:
        for ref in found.refs:
            with registry.open(ref) as recording:
                read_all(recording)
                if recording.notes:
                    return True
    except SourceError:
        return True
    return False
