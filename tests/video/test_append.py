"""One MP4 that grows by clips."""

import dataclasses
import hashlib
from fractions import Fraction

import numpy as np
import pytest

from support import video
from telecine.core.bitstream import packets
from telecine.core.errors import VideoError
from telecine.video.append import VideoFile
from telecine.video.mp4_reader import decode_all, probe_file


def boxes(data):
    """{path of a box: its content} of an MP4."""
    found = {}

    def walk(begin, end, above):
        while begin + 8 <= end:
            size = int.from_bytes(data[begin : begin + 4], "big")
            name = f"{above}/{data[begin + 4 : begin + 8].decode('latin1')}"
            found[name] = data[begin + 8 : begin + size]
            if name.rsplit("/", 1)[1] in ("moov", "trak", "mdia", "minf", "stbl", "edts"):
                walk(begin + 8, begin + size, name)
            begin += max(size, 8)

    walk(0, len(data), "")
    return found


def write(path, clips, fps=30):
    file = VideoFile(path, fps)
    starts = [file.append(clip) for clip in clips]
    file.close()
    return file, starts


def clips_of(name, folder, counts=(25, 21, 13)):
    codec = name.split()[0]
    return [
        video.make_clip(video.STREAMS[name](n, episode=e), codec, folder / f"clip{e}", preroll=3 if e == 1 else 0)
        for e, n in enumerate(counts)
    ]


@pytest.mark.parametrize("name", video.STREAMS)
def test_clips_follow_each_other_without_a_gap(tmp_path, name):
    file, starts = write(tmp_path / "v.mp4", clips_of(name, tmp_path))
    assert starts == [0, 28, 46]
    facts = probe_file(str(tmp_path / "v.mp4"))
    assert (facts.codec, facts.width, facts.height, facts.pix_fmt) == (name.split()[0], *video.SIZE, "yuv420p")
    assert (facts.frames, facts.average_rate, facts.off_grid) == (59, Fraction(30), None)
    assert (facts.tracks, facts.has_audio, facts.rotation) == (1, False, 0)
    assert facts.duration == Fraction(59, 30)
    assert facts.keyframes.tolist() == [0, 10, 20, 25, 35, 45, 46, 56]
    assert file.frames == 59
    assert [video.picture_id(p) for p in decode_all(str(tmp_path / "v.mp4"))] == [
        (i, e) for e, n in enumerate((25, 21, 13)) for i in range(n)
    ]


@pytest.mark.parametrize("name", video.STREAMS)
def test_the_same_clips_give_the_same_bytes(tmp_path, name):
    clips = clips_of(name, tmp_path, (12, 5))
    sums = []
    for i in range(2):
        write(tmp_path / f"{i}.mp4", clips)
        sums.append(hashlib.sha256((tmp_path / f"{i}.mp4").read_bytes()).hexdigest())
    assert sums[0] == sums[1]


@pytest.mark.parametrize("fps", [1, 10, 15, 24, 25, 30, 50, 60, 100, 120, 240])
def test_the_rate_is_exact_and_the_timescale_fine(tmp_path, fps):
    write(tmp_path / "v.mp4", clips_of("h264", tmp_path, (9,)), fps)
    facts = probe_file(str(tmp_path / "v.mp4"))
    assert (facts.average_rate, facts.off_grid) == (fps, None)
    timescale = int.from_bytes(boxes((tmp_path / "v.mp4").read_bytes())["/moov/trak/mdia/mdhd"][12:16], "big")
    assert timescale >= 10_000
    assert timescale % fps == 0
    assert (timescale // fps).bit_count() == 1


def test_the_index_stands_in_front_and_times_are_one_run(tmp_path):
    write(tmp_path / "v.mp4", clips_of("h264", tmp_path))
    found = boxes((tmp_path / "v.mp4").read_bytes())
    assert list(found).index("/moov") < list(found).index("/mdat")
    assert found["/moov/trak/mdia/minf/stbl/stts"] == bytes([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 59, 0, 0, 2, 0])
    assert "/moov/trak/edts" not in found
    assert "/moov/trak/mdia/minf/stbl/ctts" not in found
    assert found["/moov/mvhd"][4:12] == bytes(8)


def test_b_frames_are_shifted_by_an_edit_list(tmp_path):
    file, _ = write(tmp_path / "v.mp4", clips_of("h264 b-frames", tmp_path))
    found = boxes((tmp_path / "v.mp4").read_bytes())
    assert file.reorder_delay == 2
    assert int.from_bytes(found["/moov/trak/edts/elst"][12:16], "big") == 2 * 512


def test_a_clip_may_have_fewer_b_frames_than_the_first_but_not_deeper_ones(tmp_path):
    deep, flat = (
        video.make_clip(video.STREAMS[name](14, episode=e), "h264", tmp_path / f"{e}")
        for e, name in enumerate(["h264 b-frames", "h264"])
    )
    _, starts = write(tmp_path / "v.mp4", [deep, flat, deep])
    assert starts == [0, 14, 28]
    assert probe_file(str(tmp_path / "v.mp4")).off_grid is None
    shown = [video.picture_id(p) for p in decode_all(str(tmp_path / "v.mp4"))]
    assert shown == [(i, e) for e in (0, 1, 0) for i in range(14)]
    file = VideoFile(tmp_path / "w.mp4", 30)
    file.append(flat)
    assert not file.accepts(deep)
    with pytest.raises(VideoError, match="B-frames 2 deep, the file holds .*B-frames 0 deep; start a new file"):
        file.append(deep)
    file.close()


def test_h265_clips_must_have_equally_deep_b_frames(tmp_path):
    deep, flat = (
        video.make_clip(video.STREAMS[name](14), "hevc", tmp_path / name) for name in ("hevc shallow", "hevc bframes=0")
    )
    for first, second in ((deep, flat), (flat, deep)):
        file = VideoFile(tmp_path / "v.mp4", 30)
        file.append(first)
        assert file.accepts(first)
        assert not file.accepts(second)
        file.close()


def test_a_clip_that_starts_with_a_clean_random_access_picture_starts_a_file(tmp_path):
    # Its order is 10, as is that of the last frame of the first clip: FFmpeg 7.1 would lose it.
    first = video.make_clip(video.x265(11), "hevc", tmp_path / "first")
    second = video.make_clip(video.x265(30, episode=1), "hevc", tmp_path / "second", first=10)
    file, _ = write(tmp_path / "v.mp4", [first])
    assert not file.accepts(second)
    with pytest.raises(VideoError, match="start a new file"):
        write(tmp_path / "w.mp4", [first, second])
    write(tmp_path / "v.mp4", [second, first])
    assert [video.picture_id(p) for p in decode_all(str(tmp_path / "v.mp4"))] == [
        *((i, 1) for i in range(10, 30)),
        *((i, 0) for i in range(11)),
    ]


def test_clips_of_another_kind_are_refused_beforehand(tmp_path):
    (clip,) = clips_of("h264", tmp_path, (5,))
    file = VideoFile(tmp_path / "v.mp4", 30)
    assert file.accepts(clip)
    assert file.append(clip) == 0
    assert file.accepts(clip)
    for changed in ({"width": 64}, {"height": 64}, {"codec": "hevc"}, {"pix_fmt": "yuvj420p"}, {"matrix": "bt709"}):
        other = dataclasses.replace(clip, format=dataclasses.replace(clip.format, **changed))
        assert not file.accepts(other)
        with pytest.raises(VideoError, match=r"v.mp4: observation.images.cam is .* the file holds H.264 128x96"):
            file.append(other)
    assert file.append(clip) == 5
    file.close()
    assert probe_file(str(tmp_path / "v.mp4")).frames == 10


def test_png_pictures_are_refused(tmp_path):
    (clip,) = clips_of("h264", tmp_path, (5,))
    file = VideoFile(tmp_path / "v.mp4", 30)
    with pytest.raises(VideoError, match="PNG"):
        file.append(dataclasses.replace(clip, format=dataclasses.replace(clip.format, codec="png")))
    file.close()


def test_a_truncated_clip_leaves_the_file_whole(tmp_path):
    good, bad = clips_of("h264", tmp_path, (25, 21))
    file = VideoFile(tmp_path / "v.mp4", 30)
    file.append(good)
    (tmp_path / "clip1").write_bytes((tmp_path / "clip1").read_bytes()[:-20])
    with pytest.raises(VideoError, match="cannot be read"):
        file.append(bad)
    assert file.append(good) == 25
    file.close()
    assert probe_file(str(tmp_path / "v.mp4")).frames == 50


def test_a_clip_that_holds_less_than_announced_is_an_error(tmp_path):
    (clip,) = clips_of("h264", tmp_path, (5,))
    file = VideoFile(tmp_path / "v.mp4", 30)
    with pytest.raises(VideoError, match="holds 5 frames, 6 were announced"):
        file.append(dataclasses.replace(clip, frames=6))
    file.close()


@pytest.mark.parametrize("name", ["h264", "h264 slices", "hevc closed", "av1"])
def test_the_size_so_far_is_that_of_the_file_nearly(tmp_path, name):
    file, _ = write(tmp_path / "v.mp4", clips_of(name, tmp_path))
    assert file.size_bytes == pytest.approx((tmp_path / "v.mp4").stat().st_size, rel=0.1)


def test_one_clip_of_one_picture_is_a_file(tmp_path):
    write(tmp_path / "v.mp4", clips_of("h264", tmp_path, (1,)))
    facts = probe_file(str(tmp_path / "v.mp4"))
    assert (facts.frames, facts.average_rate, facts.off_grid, facts.duration) == (1, 30, None, Fraction(1, 30))


def test_nothing_appended_is_no_file(tmp_path):
    write(tmp_path / "v.mp4", [])
    assert not (tmp_path / "v.mp4").exists()


def test_a_first_packet_without_headers_is_a_video_error(tmp_path):
    clip = video.make_clip(video.x264(5), "h264", tmp_path / "clip")
    other = video.make_clip(video.x265(5), "hevc", tmp_path / "other")
    file = VideoFile(tmp_path / "v.mp4", 30)
    with pytest.raises(VideoError, match=r"v.mp4: cannot be written"):
        file.append(dataclasses.replace(clip, path=other.path))
    file.close()


def test_a_folder_that_is_not_there_is_a_video_error(tmp_path):
    (clip,) = clips_of("h264", tmp_path, (5,))
    file = VideoFile(tmp_path / "no" / "v.mp4", 30)
    with pytest.raises(VideoError, match=r"no/v.mp4: cannot be written"):
        file.append(clip)
    file.close()


@pytest.mark.parametrize("count", [1, 50])
def test_a_full_disk_is_a_video_error_at_the_latest_when_closing(tmp_path, count):
    (clip,) = clips_of("h264", tmp_path, (60,))
    file = VideoFile("/dev/full", 30)

    def fill():
        for _ in range(count):
            file.append(clip)
        file.close()

    with pytest.raises(VideoError, match="cannot be written"):
        fill()


def test_only_keyframes_carry_the_sync_flag(tmp_path):
    packets = video.x264(30, bframes=3, preset="veryfast", params="open-gop=1:b-adapt=0")
    write(tmp_path / "v.mp4", [video.make_clip(packets, "h264", tmp_path / "clip")])
    marked = boxes((tmp_path / "v.mp4").read_bytes())["/moov/trak/mdia/minf/stbl/stss"]
    assert marked == bytes([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1])


LARGE = {"pictures": np.random.default_rng(0).integers(0, 256, (4, 192, 256, 3), np.uint8), "size": (256, 192)}
TAGS = {"color_primaries": 1, "color_trc": 1, "colorspace": 1, "color_range": 2}


@pytest.mark.parametrize(
    ("name", "others"),
    [
        *((name, {}) for name in video.STREAMS),
        *((name, {"tags": TAGS}) for name in video.STREAMS),
        ("h264", {"params": "sar=4/3"}),
        ("hevc bframes=0", {"tags": {"sample_aspect_ratio": Fraction(4, 3)}}),
        ("h264 main cabac", {"pix_fmt": "yuvj420p"}),
    ],
)
def test_the_front_of_a_keyframe_describes_the_file_as_all_of_it_does(tmp_path, monkeypatch, name, others):
    codec = name.split()[0]
    stream = video.STREAMS[name](4, **LARGE, **others)
    assert len(stream[0]) > 2 * packets._FRONT_BYTES
    assert codec == "av1" or len(packets.front(stream[0], codec)) < len(stream[0])
    clip = video.make_clip(stream, codec, tmp_path / "clip")
    write(tmp_path / "front.mp4", [clip])
    monkeypatch.setattr(packets, "_FRONT_BYTES", 1 << 30)
    write(tmp_path / "whole.mp4", [clip])
    assert (tmp_path / "front.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_front_that_says_too_little_is_not_all_that_is_read(tmp_path, monkeypatch):
    clip = video.make_clip(video.STREAMS["h264"](4, **LARGE), "h264", tmp_path / "clip")
    monkeypatch.setattr(packets, "_FRONT_BYTES", 8)
    write(tmp_path / "v.mp4", [clip])
    facts = probe_file(str(tmp_path / "v.mp4"))
    assert (facts.width, facts.height, facts.frames) == (256, 192, 4)
