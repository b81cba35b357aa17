"""Packets taken out of video files decode to the same frames, from every keyframe."""

from fractions import Fraction

import av
import numpy as np
import pytest

from support.hdf5 import film, mp4
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import SourceError, VideoError
from telecine.sources.shared.timing import Timing
from telecine.sources.shared.video_file import VideoFileStream
from telecine.video.decode import frames
from telecine.video.demux import Mp4Facts, film_facts, packets, read_film
from telecine.video.frames.colour import to_rgb


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_every_picture_of_a_file_comes_out_of_its_packets(tmp_path, codec):
    mp4(tmp_path / "f.mp4", np.repeat(np.repeat(film(24), 2, 1), 2, 2), 30, codec)
    stream = VideoFileStream("cam", str(tmp_path / "f.mp4"), Timing(fps=None))
    index = index_packets(stream.packets("step"), stream.schema.encoding)
    assert not index.problems
    assert np.array_equal(index.display, film_facts(stream.path).display)
    with av.open(stream.path) as source:
        expected = [to_rgb(f) for f in source.decode(video=0)]
    shown = [to_rgb(f) for f in frames(stream, np.arange(24), "step", index=index)]
    assert len(shown) == len(expected) == 24
    for mine, theirs in zip(shown, expected, strict=True):
        assert np.array_equal(mine, theirs)


def test_a_part_of_the_packets_is_that_part(tmp_path):
    mp4(tmp_path / "f.mp4", film(12), 30)
    path = str(tmp_path / "f.mp4")
    stream = VideoFileStream("cam", path, Timing())
    assert list(stream.packets("step", 3, 7)) == list(packets(path))[3:7]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_a_file_read_once_gives_its_facts_and_its_packets(tmp_path, codec):
    path = str(tmp_path / "f.mp4")
    mp4(tmp_path / "f.mp4", np.repeat(np.repeat(film(12), 2, 1), 2, 2), 30, codec)
    facts, (read_as, held) = read_film(path, lambda name, packets: (name, list(packets)))
    assert read_as == facts.codec
    for name in Mp4Facts.__dataclass_fields__:
        assert np.array_equal(getattr(facts, name), getattr(film_facts(path), name))
    assert list(map(bytes, held)) == list(packets(path))
    assert facts.pts_ns.tolist() == [round(Fraction(number, 30) * 10**9) for number in facts.display.tolist()]


def test_a_film_that_starts_before_the_recording_has_stamps_before_it(tmp_path):
    mp4(tmp_path / "f.mp4", film(12), 30)
    stream = VideoFileStream("cam", str(tmp_path / "f.mp4"), Timing(), first=4, rows=12)
    assert stream.times("step").tolist() == list(range(-4, 8))
    with pytest.raises(SourceError, match="no clock 'time'"):
        stream.times("time")


def test_a_codec_that_no_dataset_holds_is_named(tmp_path):
    mp4(tmp_path / "f.mp4", film(4), 30, "mpeg4")
    assert film_facts(str(tmp_path / "f.mp4")).codec is None
    assert read_film(str(tmp_path / "f.mp4"), lambda *_: "read")[1] is None
    assert VideoFileStream("cam", str(tmp_path / "f.mp4"), Timing()).schema.encoding == "mpeg4"


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path, share):
    mp4(tmp_path / "f.mp4", film(12), 30)
    data = (tmp_path / "f.mp4").read_bytes()
    (tmp_path / "f.mp4").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(VideoError):
        film_facts(str(tmp_path / "f.mp4"))


def test_sound_alone_is_no_film(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        out.mux(out.add_stream("aac", rate=48000).encode(None))
    with pytest.raises(VideoError):
        film_facts(str(tmp_path / "a.mp4"))
