"""What is in an MP4, as a stream that can be copied: the frames of the copy are those of the file."""

import av
import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine.core.copying.decide import decide
from telecine.core.copying.splice import Splice
from telecine.core.errors import VideoError
from telecine.video import mp4_stream
from telecine.video.append import VideoFile
from telecine.video.mp4_reader import decode_all
from telecine.video.mp4_stream import CLOCK, open_film
from telecine.video.presets import video_settings
from telecine.video.splice import splice

CODERS = {
    "h264": ("libx264", {"bf": "0", "g": "10"}),
    "h264 with B-frames": ("libx264", {"bf": "2", "g": "10", "sc_threshold": "0"}),
    "hevc": ("libx265", {"x265-params": "keyint=10:bframes=0:log-level=none"}),
    "av1": ("libsvtav1", {"g": "10", "preset": "12"}),
}


def film(path, coder, options, count=30):
    with av.open(str(path), "w") as target:
        stream = target.add_stream(coder, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(draw_frame_id(number, 0, 0, 64, 48), format="rgb24")))
        target.mux(stream.encode(None))
    return str(path)


@pytest.mark.parametrize("name", CODERS)
def test_a_file_that_is_too_large_for_memory_gives_the_same_packets(tmp_path, name, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "1")
    path = film(tmp_path / "film.mp4", *CODERS[name])
    held = open_film(path)
    monkeypatch.setattr(mp4_stream, "HELD_BYTES", 0)
    large = open_film(path)
    assert large.times(CLOCK).tolist() == held.times(CLOCK).tolist()
    for first, last in ((0, 30), (10, 20), (13, 17), (20, 30)):
        ours, theirs = ([bytes(p) for p in film.packets(CLOCK, first, last)] for film in (large, held))
        assert len(ours) == last - first
        assert ours == theirs


@pytest.mark.parametrize("name", CODERS)
def test_a_part_of_a_file_is_copied_picture_by_picture(tmp_path, name, monkeypatch):
    monkeypatch.setenv("SVT_LOG", "1")
    opened = open_film(film(tmp_path / "film.mp4", *CODERS[name]))
    assert (opened.codec, opened.hidden, len(opened.times(CLOCK))) == (name.split()[0], 0, 30)
    assert (opened.schema.shape, opened.static, opened.backwards(CLOCK)) == ((48, 64, 3), False, 0)
    rows = np.arange(10, 24)
    decision = decide(rows, opened.index, video_settings("train", opened.codec, copy="always"))
    assert isinstance(decision, Splice)
    clip = splice(opened, CLOCK, opened.index, decision, rows, 30, key="k", path=str(tmp_path / "part.clip"), why="")
    target = VideoFile(tmp_path / "part.mp4", 30)
    first = target.append(clip)
    target.close()
    shown = [read_frame_id(rgb)[0] for rgb in decode_all(str(tmp_path / "part.mp4"))]
    assert shown[first : first + len(rows)] == rows.tolist()


def test_a_codec_that_cannot_be_copied_is_refused(tmp_path):
    path = film(tmp_path / "film.mp4", "mpeg4", {})
    with pytest.raises(VideoError, match="codec mpeg4 cannot be copied; only h264, hevc, av1 can"):
        open_film(path)


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "film.mp4"
    film(path, *CODERS["h264"])
    with (
        av.open(str(path)) as source,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as t,
    ):
        stream = t.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            packet.stream = stream
            if packet.pts is not None:
                t.mux(packet)
    whole = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VideoError, match="cut"):
        open_film(str(tmp_path / "cut.mp4"))
