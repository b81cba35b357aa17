"""The index of a coded stream, held against what a decoder makes of the same stream."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import video
from telecine.core.bitstream.packets import front, index_packets, is_self_contained, with_parameter_sets
from telecine.core.errors import VideoError
from telecine.core.streams.from_keyframe import from_first_keyframe

OPEN = {
    "h264 open": lambda n: video.x264(n, bframes=3, preset="veryfast", params="open-gop=1:b-adapt=0"),
    "hevc open": lambda n: video.x265(n, bframes=3, params="b-adapt=0"),
}
OTHERS = {
    "h264 refresh": lambda n: video.x264(n, params="intra-refresh=1"),
    "h264 odd": lambda n: video.x264(n, size=(130, 98)),
    "h264 frames of an interlaced sequence": lambda n: video.x264(n, params="interlaced=1"),
    "hevc odd": lambda n: video.x265(n, size=(130, 98)),
    "hevc leading": lambda n: video.x265(n, bframes=3, params="open-gop=0:radl=2:b-adapt=0"),
    "hevc pyramid": lambda n: video.x265(n, bframes=6, params="rc-lookahead=20:open-gop=0:b-adapt=0:b-pyramid=1"),
    "hevc several references": lambda n: video.x265(n, params="ref=4"),
    "av1 odd": lambda n: video.svtav1(n, size=(131, 97)),
}
ALL = {**video.STREAMS, **OPEN, **OTHERS}


@functools.cache
def stream(name, count=33):
    return tuple(ALL[name](count))


def codec_of(name):
    return name.split()[0]


@pytest.mark.parametrize("name", ALL)
def test_display_order_is_that_of_the_decoder(name):
    packets = stream(name)
    index = index_packets(packets, codec_of(name))
    frames = video.decode(packets, codec_of(name))
    assert [f.pts for f in frames] == np.argsort(index.display).tolist()
    assert sorted(index.display.tolist()) == list(range(len(packets)))
    assert index.problems == ()


@pytest.mark.parametrize("name", ALL)
def test_formats_are_those_of_the_decoder(name):
    packets = stream(name)
    (fmt,) = index_packets(packets, codec_of(name)).formats
    frame = video.decode(packets[:1], codec_of(name))[0]
    assert (fmt.codec, fmt.width, fmt.height, fmt.pix_fmt) == (
        codec_of(name),
        frame.width,
        frame.height,
        frame.format.name,
    )
    assert fmt.matrix == "unspecified"


@pytest.mark.parametrize("name", video.STREAMS)
def test_keyframes_are_those_of_the_decoder_when_groups_are_closed(name):
    packets = stream(name)
    index = index_packets(packets, codec_of(name))
    keys = sorted(f.pts for f in video.decode(packets, codec_of(name)) if f.key_frame)
    assert np.flatnonzero(index.keyframe).tolist() == keys == [0, 10, 20, 30]
    assert not index.open_gop
    assert not index.intra_refresh
    assert index.longest_gop == 10
    assert index.sizes.tolist() == [len(p) for p in packets]


@pytest.mark.parametrize("name", video.STREAMS)
def test_decoding_can_start_at_every_keyframe(name):
    packets = list(with_parameter_sets(stream(name), codec_of(name)))
    index = index_packets(packets, codec_of(name))
    for key in np.flatnonzero(index.keyframe).tolist():
        assert [i for i, _ in video.shown_ids(packets[key:], codec_of(name))] == list(range(key, len(packets)))


@pytest.mark.parametrize("name", OPEN)
def test_pictures_that_others_refer_across_are_no_keyframes(name):
    index = index_packets(stream(name), codec_of(name))
    assert np.flatnonzero(index.keyframe).tolist() == [0]
    assert index.open_gop


def test_a_clean_random_access_picture_without_leading_pictures_is_a_keyframe():
    packets = video.x265(21)
    assert packets[10][packets[10].rindex(b"\0\0\1") + 3] >> 1 == 21
    index = index_packets(packets, "hevc")
    assert np.flatnonzero(index.keyframe).tolist() == [0, 10, 20]
    assert np.flatnonzero(index.counts_on).tolist() == [10, 20]
    _, later = from_first_keyframe(index_packets(packets[1:], "hevc"))
    assert np.flatnonzero(later.counts_on).tolist() == [0, 10]
    assert not index.open_gop


def test_intra_refresh_is_noticed():
    index = index_packets(stream("h264 refresh"), "h264")
    assert index.intra_refresh
    assert np.flatnonzero(index.keyframe).tolist() == [0]


def test_b_frames_that_nothing_refers_to_are_disposable():
    for name in ("h264 b-frames", "hevc closed"):
        packets = stream(name)
        index = index_packets(packets, codec_of(name))
        assert index.reorder_delay == 2
        kept = [p for p, free in zip(packets, index.disposable, strict=True) if not free]
        expected = sorted(index.display[~index.disposable].tolist())
        assert 0 < len(kept) < len(packets)
        assert [i for i, _ in video.shown_ids(kept, codec_of(name))] == expected


@pytest.mark.parametrize(
    ("make", "codec", "pix_fmt", "matrix"),
    [
        (lambda: video.x264(2, pix_fmt="yuvj420p"), "h264", "yuvj420p", "unspecified"),
        (lambda: video.x264(2, pix_fmt="yuv420p10le"), "h264", "yuv420p10le", "unspecified"),
        (lambda: video.x264(2, pix_fmt="yuv422p"), "h264", "yuv422p", "unspecified"),
        (lambda: video.x264(2, pix_fmt="yuv444p"), "h264", "yuv444p", "unspecified"),
        (lambda: video.x264(2, pix_fmt="gray"), "h264", "yuv420p", "unspecified"),
        (lambda: video.x264(2, params="colormatrix=bt709"), "h264", "yuv420p", "bt709"),
        (lambda: video.x264(2, params="colormatrix=smpte170m"), "h264", "yuv420p", "bt601"),
        (lambda: video.x264(2, params="colormatrix=YCgCo:colorprim=bt709"), "h264", "yuv420p", "other"),
        (lambda: video.x264(2, params="sar=3/2:overscan=show:cqm=jvt"), "h264", "yuv420p", "unspecified"),
        (lambda: video.x264(2, pix_fmt="yuv444p", params="cqm=jvt"), "h264", "yuv444p", "unspecified"),
        (lambda: video.x265(2, pix_fmt="yuvj420p"), "hevc", "yuvj420p", "unspecified"),
        (lambda: video.x265(2, pix_fmt="yuv444p10le"), "hevc", "yuv444p10le", "unspecified"),
        (lambda: video.x265(2, pix_fmt="gray"), "hevc", "gray", "unspecified"),
        (lambda: video.x265(2, params="colormatrix=bt2020nc"), "hevc", "yuv420p", "bt2020"),
        (lambda: video.x265(2, params="scaling-list=default:temporal-layers=3"), "hevc", "yuv420p", "unspecified"),
        (lambda: video.x265(2, params=r"sar=20\:11:overscan=show"), "hevc", "yuv420p", "unspecified"),
        (lambda: video.x265(2, params="vui-hrd-info=0:lossless=1"), "hevc", "yuv420p", "unspecified"),
        (lambda: video.svtav1(2, pix_fmt="yuv420p10le"), "av1", "yuv420p10le", "unspecified"),
        (lambda: video.svtav1(2, params="color-range=1"), "av1", "yuvj420p", "unspecified"),
        (lambda: video.svtav1(2, params="matrix-coefficients=bt709"), "av1", "yuv420p", "bt709"),
    ],
)
def test_sampling_depth_range_and_matrix_are_read(make, codec, pix_fmt, matrix):
    packets = make()
    (fmt,) = index_packets(packets, codec).formats
    assert (fmt.pix_fmt, fmt.matrix) == (pix_fmt, matrix)
    shown = video.decode(packets, codec)[0].format.name
    assert shown == (pix_fmt if codec != "av1" else pix_fmt.replace("yuvj", "yuv"))


def test_no_packets_give_an_empty_index():
    index = index_packets([], "h264")
    assert (index.count, index.reorder_delay, index.longest_gop, index.formats) == (0, 0, 0, ())


def test_every_format_met_is_listed_once_in_order():
    packets = [*stream("h264"), *stream("h264 odd"), *stream("h264")]
    formats = index_packets(packets, "h264").formats
    assert [(f.width, f.height) for f in formats] == [video.SIZE, (130, 98)]


@pytest.mark.parametrize("name", ["h264", "h264 b-frames", "hevc closed", "hevc several references"])
def test_a_lost_reference_picture_is_a_problem_of_the_packet_after_it(name):
    packets = list(stream(name))
    index = index_packets(packets, codec_of(name))
    lost = next(i for i in range(3, 9) if not index.disposable[i])
    problems = index_packets(packets[:lost] + packets[lost + 1 :], codec_of(name)).problems
    assert problems
    assert min(i for i, _ in problems) >= lost
    assert "missing" in problems[0][1]
    assert max(i for i, _ in problems) < 12


@pytest.mark.parametrize("name", ["h264", "hevc closed"])
def test_a_packet_sent_twice_is_a_problem(name):
    packets = list(stream(name))
    ((at, what),) = index_packets([*packets[:4], *packets[3:]], codec_of(name)).problems
    assert (at, what) == (4, "it is shown at the same time as packet 3")


@pytest.mark.parametrize("name", ["h264", "hevc closed", "av1"])
def test_empty_packets_and_packets_without_a_picture_are_problems(name):
    packets = list(stream(name))
    packets[5:6] = [packets[5], b""]
    index = index_packets(packets, codec_of(name))
    assert index.problems[0] == (6, "it is empty")
    assert sorted(index.display.tolist()) == list(range(len(packets)))


def test_parameter_sets_alone_are_no_picture():
    packets = list(stream("h264"))
    sets = packets[0][: packets[0].index(b"\0\0\1\x65")]
    assert (1, "it holds no frame") in index_packets([packets[0], sets], "h264").problems


def test_length_prefixed_packets_are_told_from_annex_b():
    packet = (5).to_bytes(4, "big") + b"\x41abcd"
    with pytest.raises(VideoError, match=r"none of 2 packets can be read as H.264: .*not in Annex B form"):
        index_packets([packet, packet], "h264")


def test_streams_of_another_codec_are_refused_or_damaged_throughout():
    for name in ("h264", "hevc closed", "av1"):
        for codec in {"h264", "hevc", "av1"} - {codec_of(name)}:
            with pytest.raises(VideoError, match="none of 33 packets can be read as"):
                index_packets(stream(name), codec)


def test_a_stream_that_was_joined_late_is_readable_from_its_first_keyframe():
    packets = stream("h264")[4:]
    index = index_packets(packets, "h264")
    assert np.flatnonzero(index.keyframe).tolist() == [6, 16, 26]
    assert [i for i, _ in index.problems] == list(range(6))
    assert "needs picture parameter set 0, which was not sent before it" in index.problems[0][1]


def test_fields_are_a_problem():
    packets = list(stream("h264 frames of an interlaced sequence"))
    at = packets[3].index(b"\0\0\1\x41") + 4
    # first_mb, slice_type 5, pps 0 and frame_num 3 in 4 bits stand before field_pic_flag
    header = int.from_bytes(packets[3][at : at + 2], "big") | 1 << (15 - 11)
    packets[3] = packets[3][:at] + header.to_bytes(2, "big") + packets[3][at + 2 :]
    assert index_packets(packets, "h264").problems[0] == (3, "interlaced fields are not supported")


def test_a_packet_that_lost_its_first_slice_is_a_problem():
    packets = list(stream("h264 slices"))
    packets[2] = packets[2][packets[2].index(b"\0\0\1", 8) :]
    assert index_packets(packets, "h264").problems[0] == (2, "it begins in the middle of a frame")
    packets = list(map(bytearray, stream("hevc closed")))
    packets[2][packets[2].index(b"\0\0\1") + 5] &= 0x7F  # first_slice_segment_in_pic_flag
    assert index_packets(packets, "hevc").problems[0] == (2, "it begins in the middle of a frame")


@pytest.mark.parametrize("name", ["h264", "hevc closed", "av1"])
def test_memory_views_are_read_like_bytes(name):
    packets = stream(name)
    one, two = index_packets(packets, codec_of(name)), index_packets(map(memoryview, packets), codec_of(name))
    assert one.display.tolist() == two.display.tolist()
    assert one.formats == two.formats
    views = [memoryview(p) for p in packets]
    assert list(map(bytes, with_parameter_sets(views, codec_of(name)))) == list(packets)


@pytest.mark.parametrize("name", ["h264", "h264 b-frames", "h264 slices", "hevc closed", "av1"])
def test_keyframes_get_the_parameter_sets_that_they_lack(name):
    codec = codec_of(name)
    packets = video.headers_once(stream(name), codec)
    assert [is_self_contained(p, codec) for p in packets] == [True] + [False] * 32
    filled = list(with_parameter_sets(packets, codec))
    for i, (before, after) in enumerate(zip(packets, filled, strict=True)):
        if i in (10, 20, 30):
            assert is_self_contained(after, codec)
            assert video.shown_ids(filled[i:], codec)[0] == (i, 0)
        else:
            assert after is before
    assert [n for n, _ in video.shown_ids(filled, codec)] == list(range(33))


@pytest.mark.parametrize("name", ["h264", "hevc closed", "av1"])
def test_the_front_of_a_packet_says_what_the_stream_is(name):
    codec = codec_of(name)
    packet = bytes(stream(name)[0]) + bytes(range(1, 256)) * 100
    found = front(packet, codec)
    assert packet.startswith(found)
    assert is_self_contained(found, codec)
    if codec == "av1":
        assert found == packet
        return
    assert 4096 < len(found) < len(packet) - 10_000
    sets_alone = packet[: len(found) - 4096]
    assert front(sets_alone, codec) == sets_alone, "without a slice it is all of the packet"


def test_a_delimiter_stays_in_front_and_a_missing_set_goes_behind_those_it_builds_on():
    delimiter, packets = b"\0\0\0\1\x09\xf0", video.headers_once(stream("h264"), "h264")
    sps, pps = (u for u in packets[0].replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if u and u[0] & 31 in (7, 8))
    four = b"\0\0\0\1"
    key = packets[10]
    for own, expected in (
        (b"", four + sps + four + pps),
        (four + sps, four + sps + four + pps),
        (four + pps, four + sps + four + pps),
    ):
        _, filled = with_parameter_sets([packets[0], delimiter + own + key], "h264")
        assert filled == delimiter + expected + key


def test_a_changed_sequence_parameter_set_takes_its_picture_parameter_sets_away():
    small, large = stream("h264"), stream("h264 odd")
    sps = large[0].replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1]
    packets = [*small[:10], b"\0\0\0\1" + sps + video.headers_once(small, "h264")[10]]
    ((at, what),) = index_packets(packets, "h264").problems
    assert at == 10
    assert "needs picture parameter set 0" in what


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@given(data=st.data())
def test_damaged_bytes_become_problems_and_never_raise(codec, data):
    name = {"h264": "h264 b-frames", "hevc": "hevc closed", "av1": "av1"}[codec]
    packets = [bytearray(p) for p in stream(name)[:14]]
    for _ in range(data.draw(st.integers(1, 6))):
        packet = packets[data.draw(st.integers(0, len(packets) - 1))]
        if packet:
            at = data.draw(st.integers(0, min(len(packet) - 1, 120)))
            match data.draw(st.sampled_from(["flip", "cut", "insert"])):
                case "flip":
                    packet[at] ^= 1 << data.draw(st.integers(0, 7))
                case "cut":
                    del packet[at:]
                case _:
                    packet[at:at] = data.draw(st.binary(max_size=9))
    check_any(codec, list(map(bytes, packets)))


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@given(packets=st.lists(st.binary(max_size=60).map(lambda b: b"\0\0\1" + b) | st.binary(max_size=60), max_size=6))
def test_arbitrary_bytes_never_raise_anything_but_a_video_error(codec, packets):
    check_any(codec, packets)
    check_any(codec, [*stream({"h264": "h264", "hevc": "hevc closed", "av1": "av1"}[codec])[:2], *packets])


def check_any(codec, packets):
    filled = list(with_parameter_sets(packets, codec))
    assert len(filled) == len(packets)
    for packet in packets:
        assert is_self_contained(packet, codec) in (True, False)
    try:
        index = index_packets(packets, codec)
    except VideoError:
        return
    assert sorted(index.display.tolist()) == list(range(len(packets)))
    assert index.keyframe.shape == index.disposable.shape == index.sizes.shape == (len(packets),)
    assert all(0 <= i < len(packets) and what for i, what in index.problems)
    assert all(0 < f.width <= 16384 and 0 < f.height <= 16384 for f in index.formats)
