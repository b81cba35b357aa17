"""The recorder's own files: the contract of every source, and what only such a file can be like."""

import struct

import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine.core.recording import Ref, Schema
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.options import RecorderOptions
from telecine.sources import registry
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.format import CLOCK, MAGIC, Record, SpoolStream
from telecine.sources.recorder_spool.spool_file import SpoolFile
from telecine.testing import FileSourceContract
from telecine.video.decode import raw_frame
from telecine.video.frames.colour import to_rgb

FRONT = "observation.images.front"


def write_spool(path, *, frames=12, complete=True, stamps=None, preset="train"):
    """An episode with every kind of stream, as the recorder leaves it."""
    folder = path.parent / f".{path.name}.live"
    folder.mkdir()
    live = LiveEpisode("lift", folder, RecorderOptions(20, preset=preset), names={"action": ["a", "b"]})
    for number in range(frames) if stamps is None else range(len(stamps)):
        stamp = number * 50_000_000 if stamps is None else stamps[number]
        live.add(
            stamp,
            {
                "action": np.array([number, -number], np.float32),
                "info.mode": "auto" if number < 6 else "händisch",
                FRONT: draw_frame_id(number, 3, 0, 96, 64),
                "observation.images.depth": np.full((32, 48), 1000 + number, np.uint16),
                "observation.images.far": np.full((32, 48), 1 + number / 8, np.float32),
            },
        )
    if complete:
        live.finish({"success": True, "interrupted": False})
    else:
        live._flush()
        live._stop()
    live.close()
    live.file.path.rename(path)
    live.abandon()


class TestRecorderSpool(FileSourceContract):
    @pytest.fixture
    def places(self, tmp_path):
        write_spool(tmp_path / "episode_9.spool")
        write_spool(tmp_path / "episode_10.spool", preset="images")
        return [str(tmp_path)]


def opened(path):
    (ref,) = registry.find([path]).refs
    return registry.open(ref)


def frame_numbers(stream):
    rows = np.arange(len(stream.times(CLOCK)))
    return [read_frame_id(to_rgb(raw_frame(image)))[0] for image in stream.take(rows, CLOCK)]


def test_a_file_gives_what_was_added(tmp_path):
    write_spool(tmp_path / "a.spool")
    with opened(tmp_path / "a.spool") as recording:
        rows = np.arange(12)
        streams = recording.streams
        assert streams["action"].schema.names == ("a", "b")
        np.testing.assert_array_equal(streams["action"].take(rows, CLOCK), np.stack([rows, -rows], 1).astype("f4"))
        assert streams["info.mode"].take(rows, CLOCK) == ["auto"] * 6 + ["händisch"] * 6
        assert streams[FRONT].kind == "video"
        assert streams[FRONT].times(CLOCK).tolist() == (rows * 50_000_000).tolist()
        (far,) = streams["observation.images.far"].take(np.array([4]), CLOCK)
        assert np.frombuffer(far.data, "<f4").tolist() == [1.5] * 32 * 48
        assert streams["observation.images.depth"].schema.unit == "mm"
        assert dict(recording.attrs)["success"] == "true"
        assert streams["task"].take(np.zeros(1, int), CLOCK) == ["lift"]
        assert recording.notes == ()


def test_a_file_without_an_end_gives_all_that_is_whole_and_reports_it(tmp_path):
    write_spool(tmp_path / "a.spool", complete=False)
    whole = (tmp_path / "a.spool").read_bytes()
    (tmp_path / "b.spool").write_bytes(whole + struct.pack("<IIHBB", 10**6, 0, 0, Record.PACKET, 0) + b"torn")
    for name in ("a.spool", "b.spool"):
        with opened(tmp_path / name) as recording:
            ((code, text),) = recording.notes
            assert code == "source-truncated"
            assert recording.attrs["interrupted"] == "true"
            assert len(recording.streams[FRONT].times(CLOCK)) == 12
    assert "its last 16 bytes are not whole" in text


def test_a_record_with_a_wrong_checksum_ends_the_file(tmp_path):
    path = tmp_path / "a.spool"
    write_spool(path, complete=False)
    data = bytearray(path.read_bytes())
    last = next(s for s in layout.scan(str(path)).streams if s.stream.name == "action").samples[-1]
    data[last.offset + last.size - 1] ^= 1
    path.write_bytes(data)
    assert layout.scan(str(path)).whole_bytes < last.offset


def test_frames_that_came_out_of_order_are_shown_by_their_stamps(tmp_path):
    order = [0, 1, 3, 2, 5, 4, 6, 7, 9, 8]
    write_spool(tmp_path / "a.spool", stamps=[number * 50_000_000 for number in order])
    with opened(tmp_path / "a.spool") as recording:
        stream = recording.streams[FRONT]
        assert stream.kind == "image"
        assert stream.backwards(CLOCK) == 3
        assert frame_numbers(stream) == [order.index(n) for n in range(10)]


def test_frames_that_no_encoder_took_follow_those_that_are_coded(tmp_path):
    folder = tmp_path / "live"
    folder.mkdir()
    live = LiveEpisode("lift", folder, RecorderOptions(20))
    for number in range(6):
        live.add(number * 50_000_000, {FRONT: draw_frame_id(number, 3, 0, 96, 64)})
    live._stop()
    for number in (4, 5, 6, 7):  # 4 and 5 are coded as well
        live.file.add_frame(0, number * 50_000_000, number, draw_frame_id(number, 3, 0, 96, 64).data)
    live.close()
    with opened(folder / "episode.spool") as recording:
        assert frame_numbers(recording.streams[FRONT]) == list(range(8))


def spool_with(path, *records):
    file = SpoolFile(path, {"task": "lift", "id": "x"})
    for record in records:
        file._append(layout.record(*record))
    file.close()
    return path


NUMBERS = SpoolStream("action", "vector", Schema("float32", (2,)))


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([(Record.SAMPLES, 7, b"")], "SAMPLES record is not expected"),
        ([(Record.STREAM, 0, b'{"name": "a"}')], "'kind' is missing"),
        ([(Record.STREAM, 0, NUMBERS.to_json().replace(b"float32", b"object"))], "numbers of type"),
        ([(Record.STREAM, 0, NUMBERS.to_json().replace(b"[2]", b"[999999, 999999]"))], "shape"),
        ([(Record.STREAM, 0, NUMBERS.to_json()), (Record.PACKET, 0, b"12345678")], "PACKET record"),
        ([(Record.EPISODE, 0, b"{}")], "EPISODE"),
        ([(Record.END, 0, b"[]")], "not a JSON object"),
    ],
)
def test_what_no_recorder_writes_is_refused_with_its_place(tmp_path, records, said):
    path = spool_with(tmp_path / "a.spool", *records)
    (finding,) = registry.find([path]).findings
    assert finding.severity == "error"
    assert said in finding.message
    assert "byte" in finding.message


@pytest.mark.parametrize(
    "payload", [b"", b"\xff\xff\xff\xff", struct.pack("<Iq", 1, 0), struct.pack("<Iq", 1, 0) + b"12345"]
)
def test_samples_of_another_size_are_refused(tmp_path, payload):
    path = spool_with(tmp_path / "a.spool", (Record.STREAM, 0, NUMBERS.to_json()), (Record.SAMPLES, 0, payload))
    recording = registry.open(Ref("recorder_spool", str(path)))
    with pytest.raises(registry.SourceError, match="action is damaged"):
        recording.streams["action"].times(CLOCK)


def test_a_file_that_shrinks_while_it_is_read_is_noticed(tmp_path):
    write_spool(tmp_path / "a.spool")
    recording = opened(tmp_path / "a.spool")
    (tmp_path / "a.spool").write_bytes(MAGIC)
    with pytest.raises(registry.SourceError, match="shorter than when it was opened"):
        list(recording.streams[FRONT].packets(CLOCK))
