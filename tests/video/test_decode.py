"""Decoding gives the frame of each row, once, and never a wrong one without a word."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import video
from support.pictures import (
    colour_patches,
    draw_frame_id,
    flat_jpeg,
    raw_picture,
    read_frame_id,
    to_coded,
    to_jpeg,
    to_video,
)
from telecine.core.bitstream.packets import index_packets
from telecine.core.errors import VideoError
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.core.video import FrameFormat, PacketIndex
from telecine.video.decode import IMAGE_DECODERS, frames
from telecine.video.frames.colour import to_rgb

CLOCK = "real_time"
COUNT = 24


def image_stream(pictures):
    times = np.arange(len(pictures), dtype=np.int64)
    return MemoryStream("/camera", "image", Schema("uint8", (0, 0, 3)), {CLOCK: times}, pictures)


def video_stream(packets, codec):
    times = np.arange(len(packets), dtype=np.int64)
    return MemoryStream("/camera", "video", Schema("uint8", encoding=codec), {CLOCK: times}, packets)


def shown(stream, rows, index=None):
    """The frame numbers that the frames carry."""
    found = frames(stream, np.asarray(rows, np.int64), CLOCK, index=index)
    return [read_frame_id(to_rgb(frame))[0] for frame in found]


def coded(encoding, count=6, first=0):
    """Frames that carry their number."""
    return [Image(to_coded(draw_frame_id(first + i, 1, 2, 160, 64), encoding), encoding) for i in range(count)]


class Opened:
    """A stream that notes which frames or packets were asked for."""

    def __init__(self, stream):
        self.stream, self.name, self.kind, self.schema = stream, stream.name, stream.kind, stream.schema
        self.taken = []

    def take(self, rows, clock):
        for row, value in zip(rows.tolist(), self.stream.take(rows, clock), strict=True):
            self.taken.append(row)
            yield value

    def packets(self, clock, start=0, stop=None):
        for number, data in enumerate(self.stream.packets(clock, start, stop), start):
            self.taken.append(number)
            yield data


@pytest.mark.parametrize("encoding", IMAGE_DECODERS)
def test_coded_pictures_come_by_row(encoding):
    assert shown(image_stream(coded(encoding)), [0, 0, 2, 3, 3, 5]) == [0, 0, 2, 3, 3, 5]


@pytest.mark.parametrize("encoding", ["rgb24", "nv12", "yuyv422", "gray16le"])
def test_raw_pictures_come_by_row(encoding):
    pictures = [raw_picture(draw_frame_id(i, 1, 2, 161, 63), encoding) for i in range(4)]
    assert shown(image_stream(pictures), [1, 3, 3]) == [1, 3, 3]


def test_encodings_may_change_from_picture_to_picture():
    pictures = [coded("jpeg")[0], raw_picture(draw_frame_id(1, 1, 2, 160, 64), "rgb24"), coded("png", first=2)[0]]
    assert shown(image_stream(pictures), [0, 1, 2]) == [0, 1, 2]


def test_pictures_that_no_row_shows_are_not_read():
    stream = Opened(image_stream(coded("jpeg")))
    assert shown(stream, [1, 1, 4]) == [1, 1, 4]
    assert stream.taken == [1, 4]


def test_pictures_are_read_one_at_a_time():
    stream = Opened(image_stream(coded("jpeg")))
    found = frames(stream, np.arange(6), CLOCK)
    next(found)
    assert stream.taken == [0]


def test_repeated_rows_give_the_same_frame():
    first, second, third = frames(image_stream(coded("jpeg")), np.array([2, 2, 3]), CLOCK)
    assert first is second
    assert second is not third


def test_no_rows_give_no_frames():
    assert shown(image_stream(coded("jpeg")), []) == []
    packets = video.x264(4)
    assert shown(video_stream(packets, "h264"), [], index_packets(packets, "h264")) == []


@pytest.mark.parametrize("rows", [[-1, 0], [3, 2]])
def test_missing_or_falling_rows_are_a_mistake_of_the_caller(rows):
    with pytest.raises(ValueError, match="non-decreasing"):
        next(frames(image_stream(coded("jpeg")), np.array(rows), CLOCK))


def test_memoryviews_are_decoded():
    pictures = [Image(memoryview(p.data), p.encoding) for p in coded("jpeg")]
    assert shown(image_stream(pictures), [4]) == [4]


@pytest.mark.parametrize("share", [0, 0.02, 0.3, 0.6, 0.98])
@pytest.mark.parametrize("encoding", IMAGE_DECODERS)
def test_truncated_pictures_are_refused_by_number(encoding, share):
    pictures = coded(encoding)
    pictures[3] = Image(pictures[3].data[: int(len(pictures[3].data) * share)], encoding)
    with pytest.raises(VideoError, match=r"/camera: frame 3 "):
        shown(image_stream(pictures), range(6))


def test_a_jpeg_without_its_end_marker_is_whole():
    pictures = [Image(p.data[:-2], p.encoding) for p in coded("jpeg")]
    assert shown(image_stream(pictures), [5]) == [5]


def test_padding_after_a_jpeg_is_ignored():
    pictures = [Image(p.data + bytes(100), p.encoding) for p in coded("jpeg")]
    assert shown(image_stream(pictures), [5]) == [5]


def test_flipped_bits_in_a_png_are_found_by_its_checksum():
    data = bytearray(coded("png")[0].data)
    data[len(data) // 2] ^= 4
    with pytest.raises(VideoError, match="frame 0"):
        shown(image_stream([Image(bytes(data), "png")]), [0])


def test_unknown_encodings_are_refused_with_those_known():
    with pytest.raises(VideoError, match=r"'jpeg2000' is not supported; known are jpeg, png"):
        shown(image_stream([Image(b"x", "jpeg2000")]), [0])
    with pytest.raises(VideoError, match="'vp9' is not supported; known are h264"):
        shown(video_stream([b"x"], "vp9"), [0], index_packets(video.x264(1), "h264"))


def test_turned_pictures_come_upright():
    blocks = np.array([[10, 80, 160], [40, 200, 250]], np.uint8)[..., None]
    (frame,) = frames(image_stream([Image(flat_jpeg(blocks, orientation=6), "jpeg")]), np.array([0]), CLOCK)
    assert (frame.width, frame.height) == (16, 24)


def test_video_needs_its_index():
    with pytest.raises(ValueError, match="packet index"):
        shown(video_stream(video.x264(2), "h264"), [0])


def av1(count, *, gop, params=""):
    """AV1 with effort: from preset 9 up the encoder leaves out changes of flat areas."""
    pictures = [draw_frame_id(i, 0, 0, 160, 96) for i in range(count)]
    return to_video(pictures, "av1", gop=gop, extra=params)[0]


STREAMS = video.STREAMS | {
    "av1": av1,
    "av1 low delay": lambda n, gop: av1(n, gop=gop, params="pred-struct=1"),
}


@pytest.fixture(scope="module")
def streams():
    """name -> (stream, index) of 24 frames in groups of 8."""
    made = {}
    for name, make in STREAMS.items():
        codec = name.split()[0]
        packets = make(COUNT, gop=8)
        made[name] = video_stream(packets, codec), index_packets(packets, codec)
    return made


@pytest.mark.parametrize("name", STREAMS)
def test_video_pictures_come_by_row(streams, name):
    stream, index = streams[name]
    assert shown(stream, range(COUNT), index) == list(range(COUNT))
    assert shown(stream, [3, 3, 4, 9, 22], index) == [3, 3, 4, 9, 22]
    assert shown(stream, [COUNT - 1], index) == [COUNT - 1]


@pytest.mark.parametrize("name", ["h264 b-frames", "hevc closed", "av1"])
@given(st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=12).map(sorted))
def test_any_rows_of_reordered_video_show_themselves(streams, name, rows):
    stream, index = streams[name]
    assert shown(stream, rows, index) == rows


def test_decoding_starts_at_the_last_keyframe_and_skips_unneeded_groups():
    packets = video.x264(40, gop=8)
    stream = Opened(video_stream(packets, "h264"))
    assert shown(stream, [10, 34], index_packets(packets, "h264")) == [10, 34]
    assert set(stream.taken) == {*range(8, 11), *range(32, 35)}


def test_video_is_decoded_as_it_is_asked_for():
    packets = video.x264(40, gop=40)
    stream = Opened(video_stream(packets, "h264"))
    found = frames(stream, np.arange(40), CLOCK, index=index_packets(packets, "h264"))
    next(found)
    assert len(stream.taken) <= 2


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_parameter_sets_that_come_once_are_enough(codec):
    packets = {"h264": video.x264, "hevc": video.x265}[codec](24, gop=8)
    kinds = {"h264": (lambda n: n & 31, {7, 8}), "hevc": (lambda n: n >> 1 & 63, {32, 33, 34})}[codec]
    bare = [packets[0], *(without(p, *kinds) for p in packets[1:])]
    assert len(b"".join(bare)) < len(b"".join(packets))
    assert shown(video_stream(bare, codec), [18, 20], index_packets(bare, codec)) == [18, 20]


def without(packet, kind, kinds):
    """The packet less its NAL units of these kinds."""
    units = [u for u in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if u]
    return b"".join(b"\0\0\0\1" + unit for unit in units if kind(unit[0]) not in kinds)


def without_vui(sps):
    """A Main profile SPS that does not tell how far its frames are reordered (ITU-T H.264, 7.3.2.1.1)."""
    data = sps.replace(b"\0\0\3", b"\0\0")
    text = "".join(f"{byte:08b}" for byte in data)
    at = 32

    def numbers(count):
        nonlocal at
        for _ in range(count):
            at += 2 * (text.index("1", at) - at) + 1

    numbers(4)  # id, frame number bits, order type 0, order bits
    numbers(1)  # references
    at += 1
    numbers(2)  # width, height
    at += 2  # frames only, direct inference
    cropped = text[at] == "1"
    at += 1
    numbers(4 if cropped else 0)
    bits = text[:at] + "01"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_reordered_video_that_does_not_say_so_is_whole():
    packets = []
    for packet in video.x264(24, gop=24, bframes=3, profile="main", preset="medium", params="b-adapt=0"):
        units = [u for u in packet.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if u]
        packets.append(b"".join(b"\0\0\0\1" + (without_vui(u) if u[0] & 31 == 7 else u) for u in units))
    index = index_packets(packets, "h264")
    assert index.reorder_delay
    assert shown(video_stream(packets, "h264"), range(24), index) == list(range(24))


def test_pictures_before_the_first_keyframe_are_refused():
    packets = video.x264(24, gop=8)[3:]
    index = index_packets(packets, "h264")
    stream = video_stream(packets, "h264")
    with pytest.raises(VideoError, match=r"frame 2 comes before any keyframe \(the first is packet 5\)"):
        shown(stream, [2, 6], index)
    assert shown(stream, [5, 6], index) == [8, 9]


def test_a_stream_without_keyframe_is_refused():
    packets = video.x264(8)[1:]
    index = PacketIndex(
        np.zeros(7, np.bool_), np.arange(7), np.zeros(7, np.bool_), np.ones(7, np.int64),
        (FrameFormat("h264", 128, 96, "yuv420p"),),
    )  # fmt: skip
    with pytest.raises(VideoError, match="there is none"):
        shown(video_stream(packets, "h264"), [2], index)


def test_open_groups_are_decoded_in_sequence():
    packets = video.x265(COUNT, gop=8, bframes=3, params="b-adapt=0")
    index = index_packets(packets, "hevc")
    assert index.open_gop
    assert shown(video_stream(packets, "hevc"), range(COUNT), index) == list(range(COUNT))
    assert shown(video_stream(packets, "hevc"), [17], index) == [17]


def test_an_open_group_at_the_start_gives_what_can_be_shown():
    packets = video.x265(COUNT, gop=8, bframes=3, params="b-adapt=0")
    cut = packets[int(np.flatnonzero(index_packets(packets, "hevc").display >= 8)[0]) :]
    index = index_packets(cut, "hevc")
    stream = video_stream(cut, "hevc")
    last = index.count - 1
    assert not index.keyframe.any()
    assert shown(stream, [last], index) == [COUNT - 1]
    with pytest.raises(VideoError, match="does not give its frame"):
        shown(stream, [0], index)


def test_intra_refresh_is_decoded_from_the_first_packet():
    packets = video.x264(COUNT, gop=8, params="intra-refresh=1")
    index = index_packets(packets, "h264")
    assert index.intra_refresh
    assert shown(video_stream(packets, "h264"), [20, 23], index) == [20, 23]


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_damaged_packets_are_never_shown(streams, codec):
    stream, index = streams[{"h264": "h264", "hevc": "hevc bframes=0", "av1": "av1 low delay"}[codec]]
    packets = list(stream.values)
    packets[11] = packets[11][: len(packets[11]) // 2]
    with pytest.raises(VideoError, match=r"/camera: (packet|frame) 11 .*; (repair|each packet)"):
        shown(video_stream(packets, codec), range(COUNT), index)
    assert shown(video_stream(packets, codec), [*range(11), *range(16, 24)], index)[:11] == list(range(11))


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_packets_of_noise_are_refused(streams, codec):
    """FFmpeg 8 reports H.265 that refers to a lost packet, not the packet."""
    stream, index = streams[{"h264": "h264", "hevc": "hevc bframes=0", "av1": "av1 low delay"}[codec]]
    packets = list(stream.values)
    packets[11] = b"\0\0\1\xff" + bytes(range(200))
    with pytest.raises(VideoError, match="/camera: packet 1[12] "):
        shown(video_stream(packets, codec), range(COUNT), index)


def test_what_the_headers_say_is_damaged_is_not_decoded():
    packets = video.x264(COUNT, gop=8)
    del packets[11]
    index = index_packets(packets, "h264")
    stream = video_stream(packets, "h264")
    with pytest.raises(VideoError, match="packet 11 is damaged: a frame before it is missing"):
        shown(stream, range(16), index)
    assert shown(stream, [3, 16], index) == [3, 17]


def test_a_stream_that_ends_early_is_refused():
    packets = video.x264(8)
    with pytest.raises(VideoError, match="5 packets found, 8 needed"):
        shown(video_stream(packets[:5], "h264"), range(8), index_packets(packets, "h264"))


def test_rows_beyond_the_stream_are_a_mistake_of_the_caller():
    packets = video.x264(4)
    with pytest.raises(ValueError, match="frame 4 asked for, the stream has 4"):
        shown(video_stream(packets, "h264"), [4], index_packets(packets, "h264"))


def test_gray_video_is_limited_range():
    packets = video.x264(3, pix_fmt="gray")
    index = index_packets(packets, "h264")
    found = list(frames(video_stream(packets, "h264"), np.arange(3), CLOCK, index=index))
    white = max(int(to_rgb(frame).max()) for frame in found)
    assert white >= 230


def test_a_bad_marker_in_a_jpeg_stream_does_not_spoil_the_next():
    good = to_jpeg(colour_patches(64, 48))
    stream = image_stream([Image(b"no frame", "jpeg"), Image(good, "jpeg")])
    with pytest.raises(VideoError, match="frame 0"):
        list(frames(stream, np.array([0, 1]), CLOCK))
    (frame,) = frames(stream, np.array([1]), CLOCK)
    assert isinstance(frame, av.VideoFrame)
