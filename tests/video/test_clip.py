"""The scratch file between a worker and the writer."""

import os
from io import FileIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import video
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import VideoError
from telecine.video.clip import ClipWriter, copied_clip, read_clip

PACKETS = [(bytes([i % 251]) * (i * 37 % 4000), (i * 7) % 1000, i % 10 == 0) for i in range(700)]


def write(path, packets):
    with ClipWriter(str(path)) as writer:
        for packet in packets:
            writer.add(*packet)
    return writer


def read(path):
    return [(bytes(data), display, keyframe) for data, display, keyframe in read_clip(str(path))]


@given(st.lists(st.tuples(st.binary(max_size=99), st.integers(0, 2**40), st.booleans()), max_size=40))
def test_packets_come_back_as_they_were_added(tmp_path_factory, packets):
    path = tmp_path_factory.getbasetemp() / "clip"
    writer = write(path, packets)
    assert read(path) == packets
    assert writer.frames == len(packets)
    assert writer.size_bytes == sum(len(p[0]) for p in packets)


def test_many_packets_are_read_in_small_parts(tmp_path):
    path = tmp_path / "clip"
    write(path, PACKETS)
    assert read(path) == PACKETS
    parts = {id(data.obj) for data, _, _ in list(read_clip(str(path)))}
    assert 2 <= len(parts) < 10


def test_a_disk_that_takes_a_part_of_a_packet_gets_the_rest(tmp_path, monkeypatch):
    path = tmp_path / "clip"

    class Slow(FileIO):
        def write(self, data):
            return super().write(memoryview(data)[:1000])

    monkeypatch.setattr("telecine.video.clip.FileIO", Slow)
    write(path, PACKETS)
    assert read(path) == PACKETS


def test_large_packets_do_not_wait_for_a_full_batch(tmp_path):
    path = tmp_path / "clip"
    with ClipWriter(str(path)) as writer:
        for i in range(3):
            writer.add(bytes(3 << 20), i, False)
            assert path.stat().st_size >= (i + 1) * (3 << 20) - (1 << 20)
    assert [len(data) for data, _, _ in read_clip(str(path))] == [3 << 20] * 3


def test_memory_views_are_taken_and_given(tmp_path):
    path = tmp_path / "clip"
    write(path, [(memoryview(b"xabcx")[1:4], 0, True)])
    ((data, _, _),) = read_clip(str(path))
    assert isinstance(data, memoryview)
    assert data == b"abc"


def test_views_stay_valid_after_the_reader_has_moved_on(tmp_path):
    path = tmp_path / "clip"
    write(path, PACKETS)
    views = [data for data, _, _ in read_clip(str(path))]
    assert [bytes(v) for v in views] == [p[0] for p in PACKETS]


@pytest.mark.parametrize("part", [0, 1, 7, 0.2, 0.5, 0.9, -9, -1])
def test_a_truncated_clip_is_refused_before_its_first_packet(tmp_path, part):
    path = tmp_path / "clip"
    write(path, PACKETS)
    size = path.stat().st_size
    os.truncate(path, int(part * size) if isinstance(part, float) else part % size)
    with pytest.raises(VideoError, match="the clip cannot be read"):
        next(read_clip(str(path)))


def test_a_clip_left_by_an_error_cannot_be_read(tmp_path):
    path = tmp_path / "clip"

    def packets():
        yield from PACKETS
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(path, packets())
    with pytest.raises(VideoError, match="the clip cannot be read"):
        next(read_clip(str(path)))


def test_a_missing_clip_is_a_video_error(tmp_path):
    with pytest.raises(VideoError, match="nothing"):
        next(read_clip(str(tmp_path / "nothing")))


def test_another_arrow_file_is_not_a_clip(tmp_path):
    path = tmp_path / "other"
    table = pa.table({"a": [1]})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(VideoError, match="not a clip"):
        next(read_clip(str(path)))


def test_a_folder_that_is_not_there_is_a_video_error(tmp_path):
    with pytest.raises(VideoError, match="cannot be written"), ClipWriter(str(tmp_path / "no" / "clip")):
        pass


@pytest.mark.parametrize("count", [1, 700])
def test_a_full_disk_is_a_video_error(count):
    with pytest.raises(VideoError, match="cannot be written"):
        write("/dev/full", PACKETS[:count])


@pytest.mark.parametrize(("name", "alone"), [("hevc bframes=0", [False, True, True]), ("h264", [False, False, False])])
def test_copied_packets_whose_keyframe_counts_on_start_a_file(tmp_path, name, alone):
    codec = name.split()[0]
    packets = video.STREAMS[name](30)
    index = index_packets(packets, codec)
    runs = [slice(first, first + 10) for first in (0, 10, 20)]
    clips = [copied_clip(str(tmp_path / "clip"), packets[run], index, run, key="cam") for run in runs]
    assert [clip.starts_file for clip in clips] == alone
    spliced = [video.make_clip(packets, codec, tmp_path / "other", first=r.start, stop=r.stop) for r in runs]
    assert [clip.starts_file for clip in spliced] == alone
