"""Any MP4 as a stranger sees it."""

from fractions import Fraction

import av
import numpy as np
import pytest

from support import video
from telecine.core.errors import VideoError
from telecine.video.append import VideoFile
from telecine.video.demux import track
from telecine.video.frame_reader import FrameReader
from telecine.video.frames.colour import to_rgb
from telecine.video.mp4_reader import decode_all, decode_at, probe_file

EITHER = ["h264", "h264 b-frames", "hevc closed", "av1", "av1 low delay"]


def ours(path, name, count=45, gop=10):
    codec = name.split()[0]
    file = VideoFile(path, 30)
    file.append(video.make_clip(video.STREAMS[name](count, gop=gop), codec, path.with_suffix(".clip")))
    file.close()
    return str(path)


def theirs(path, count=12, *, rate=30, shift=0, skip=(), audio=False, options=None, rotate=0, pix_fmt="yuv420p"):
    """A video as PyAV's encoder and muxer make it."""
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=rate, options={"bf": "0", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *video.SIZE, pix_fmt
        if rotate:
            stream.set_display_rotation(rotate)
        sound = sink.add_stream("aac", rate=48000) if audio else None
        for i in range(count):
            if i in skip:
                continue
            frame = av.VideoFrame.from_ndarray(video.picture(i), format="rgb24")
            frame.pts, frame.time_base = i + shift, Fraction(1, rate)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            silence.sample_rate, silence.pts = 48000, 0
            sink.mux(sound.encode(silence))
            sink.mux(sound.encode(None))
    return str(path)


@pytest.mark.parametrize("name", EITHER)
@pytest.mark.parametrize(
    "numbers", [[0], [44], [0, 44], [7, 8, 9, 10, 11], [40, 3, 19, 3, 20, 21, 2, 30, 29], list(range(45)), []]
)
def test_wanted_pictures_come_once_each_in_order(tmp_path, name, numbers):
    path = ours(tmp_path / "v.mp4", name)
    got = [(n, video.picture_id(p)) for n, p in decode_at(path, numbers)]
    assert got == [(n, (n, 0)) for n in sorted(set(numbers))]


@pytest.mark.parametrize("name", EITHER)
def test_a_single_keyframe_is_no_obstacle(tmp_path, name):
    path = ours(tmp_path / "v.mp4", name, gop=100)
    assert probe_file(path).keyframes.tolist() == [0]
    assert [video.picture_id(p) for _, p in decode_at(path, [2, 40, 44])] == [(2, 0), (40, 0), (44, 0)]


def test_keyframes_that_decoding_cannot_begin_at_are_no_obstacle(tmp_path):
    """Open groups of pictures: x264 marks their I-frames as keyframes, and strictly they need what comes before."""
    options = {"bf": "3", "g": "12", "x264-params": "b-adapt=0:open-gop=1:scenecut=0"}
    path = theirs(tmp_path / "v.mp4", 40, options=options)
    assert len(probe_file(path).keyframes) > 1
    for numbers in ([0, 25, 39], [14], [39]):
        assert [(n, video.picture_id(p)[0]) for n, p in decode_at(path, numbers)] == [(n, n) for n in numbers]
    with FrameReader(path) as reader:
        for number in (20, 39, 21, 22, 3):
            assert video.picture_id(to_rgb(reader.at(number)))[0] == number


def test_pictures_have_height_width_and_three_channels(tmp_path):
    path = ours(tmp_path / "v.mp4", "h264", 3)
    for picture in decode_all(path):
        assert (picture.shape, picture.dtype) == ((96, 128, 3), np.uint8)


def test_a_picture_past_the_end_is_a_video_error(tmp_path):
    path = ours(tmp_path / "v.mp4", "h264", 5)
    with pytest.raises(VideoError, match="there is no frame 5"):
        list(decode_at(path, [5]))


def test_facts_of_another_muxer_are_read(tmp_path):
    facts = probe_file(theirs(tmp_path / "v.mp4", audio=True, options={"g": "5"}))
    assert (facts.codec, facts.frames, facts.average_rate, facts.off_grid) == ("h264", 12, 30, None)
    assert (facts.tracks, facts.has_audio) == (2, True)
    assert facts.keyframes.tolist() == [0, 5, 10]


def test_b_frames_of_another_muxer_are_read(tmp_path):
    path = theirs(tmp_path / "v.mp4", 30, options={"bf": "3"})
    assert probe_file(path).off_grid is None
    assert [video.picture_id(p) for _, p in decode_at(path, [0, 13, 14, 29])] == [(0, 0), (13, 0), (14, 0), (29, 0)]


def test_a_hole_and_a_late_start_are_off_the_grid(tmp_path):
    facts = probe_file(theirs(tmp_path / "hole.mp4", skip=(4,)))
    assert facts.frames == 11
    assert facts.off_grid is not None
    facts = probe_file(theirs(tmp_path / "late.mkv", shift=6))
    assert facts.off_grid == (0, pytest.approx(0.2))


def test_a_playlist_is_no_video_whatever_its_name(tmp_path):
    """FFmpeg goes by what is in a file, and would read the file that the text names."""
    theirs(tmp_path / "inner.mp4")
    script = tmp_path / "video.mp4"
    script.write_text("ffconcat version 1.0\nfile inner.mp4\n")
    for read in (probe_file, track):
        with pytest.raises(VideoError, match="no MP4, Matroska, AVI or MPEG-TS file"):
            read(str(script))


def test_a_picture_off_the_grid_is_not_taken_for_another(tmp_path):
    path = theirs(tmp_path / "hole.mp4", skip=(4,))
    with pytest.raises(VideoError, match="by the mean rate of .* frames are missing or at unequal distances"):
        list(decode_at(path, [5]))


def test_turned_pictures_are_noticed(tmp_path):
    if not hasattr(av.video.stream.VideoStream, "set_display_rotation"):
        path = tmp_path / "v.mp4"
        theirs(path)
        data = path.read_bytes()
        at = data.index(b"tkhd") + 4 + 40
        one = (1 << 16).to_bytes(4, "big")
        minus = (-(1 << 16)).to_bytes(4, "big", signed=True)
        turned = bytes(4) + one + bytes(4) + minus + bytes(4)
        path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    else:
        theirs(tmp_path / "v.mp4", rotate=90)
    assert abs(probe_file(str(tmp_path / "v.mp4")).rotation) == 90


@pytest.mark.parametrize("read", [probe_file, lambda p: list(decode_all(p)), lambda p: list(decode_at(p, [0]))])
def test_what_is_no_video_is_a_video_error(tmp_path, read):
    nothing, junk, sound = tmp_path / "nothing.mp4", tmp_path / "junk.mp4", tmp_path / "sound.mp4"
    junk.write_bytes(b"junk" * 100)
    with av.open(str(sound), "w") as sink:
        stream = sink.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        silence.sample_rate, silence.pts = 48000, 0
        sink.mux(stream.encode(silence))
        sink.mux(stream.encode(None))
    for path, what in ((nothing, "cannot be read as video"), (junk, "cannot be read as video"), (sound, "no video")):
        with pytest.raises(VideoError, match=f"{path.name}: .*{what}"):
            read(str(path))


@pytest.mark.parametrize("read", [lambda p: list(decode_all(p)), lambda p: list(decode_at(p, [3, 7]))])
@pytest.mark.parametrize(("name", "whole"), [("h264 main cabac", 1 / 3), ("h264 b-frames", 1 / 3), ("av1", 0)])
def test_a_damaged_picture_is_a_video_error(tmp_path, name, whole, read):
    path = ours(tmp_path / "v.mp4", name, 20)
    read(path)
    with av.open(path) as source:
        packets = [p for p in source.demux(source.streams.video[0]) if p.size]
        at, size = packets[3].pos, packets[3].size
    data = bytearray((tmp_path / "v.mp4").read_bytes())
    left = int(whole * size)
    data[at + left : at + size] = b"\xff" * (size - left)
    (tmp_path / "v.mp4").write_bytes(data)
    with pytest.raises(VideoError, match=r"v.mp4"):
        read(path)


def test_a_file_cut_short_is_a_video_error(tmp_path):
    path = ours(tmp_path / "v.mp4", "h264")
    data = (tmp_path / "v.mp4").read_bytes()
    (tmp_path / "v.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"v.mp4"):
        list(decode_all(path))
    (tmp_path / "v.mp4").write_bytes(data[:300])
    with pytest.raises(VideoError, match=r"v.mp4"):
        probe_file(path)
