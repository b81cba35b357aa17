"""Clips of copied, repeated and encoded frames, held against what a decoder makes of the source."""

import functools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from support import pictures, video
from telecine.core.bitstream.h264 import H264
from telecine.core.bitstream.packets import index_packets, is_self_contained
from telecine.core.copying.decide import decide
from telecine.core.copying.splice import Copied, Encoded, Repeated, Splice, shown
from telecine.core.errors import VideoError
from telecine.core.video import Encode, FrameFormat, VideoSettings
from telecine.video.clip import read_clip
from telecine.video.encoder import ColourTags
from telecine.video.frames.histogram import Histogram
from telecine.video.reencode import reencode
from telecine.video.splice import splice

DEPTHS = {"h264 b-frames": 2, "hevc closed": 2, "hevc shallow": 1}
EITHER = ["h264", "h264 b-frames", "hevc closed", "av1"]


def packets_of(path):
    return [bytes(data) for data, _, _ in read_clip(path)]


@pytest.mark.parametrize("name", video.STREAMS)
def test_a_clip_holds_the_packets_as_they_are(tmp_path, name):
    codec = name.split()[0]
    packets = video.STREAMS[name](25)
    clip = video.make_clip(packets, codec, tmp_path / "clip")
    index = index_packets(packets, codec)
    stored = list(read_clip(clip.path))
    assert [bytes(data) for data, _, _ in stored] == packets
    assert [display for _, display, _ in stored] == index.display.tolist()
    assert [i for i, (_, _, key) in enumerate(stored) if key] == [0, 10, 20]
    assert (clip.frames, clip.preroll, clip.gop, clip.copied, clip.why) == (25, 0, 10, True, "exact")
    assert clip.format == index.formats[0]
    assert clip.reorder_delay == index.reorder_delay == DEPTHS.get(name, 0)
    assert clip.size_bytes == sum(map(len, packets))
    assert (clip.key, clip.encoder) == ("observation.images.cam", {})


@pytest.mark.parametrize("name", EITHER)
def test_a_part_of_a_stream_is_shown_from_its_own_start(tmp_path, name):
    codec = name.split()[0]
    clip = video.make_clip(video.STREAMS[name](40), codec, tmp_path / "clip", first=10, stop=30, preroll=3, count=15)
    stored = list(read_clip(clip.path))
    assert sorted(display for _, display, _ in stored) == list(range(20))
    assert video.shown_ids(packets_of(clip.path), codec) == [(10 + i, 0) for i in range(20)]
    assert (clip.frames, clip.preroll) == (20, 3)


@pytest.mark.parametrize("name", EITHER)
def test_headers_that_were_sent_once_are_put_before_every_keyframe(tmp_path, name):
    codec = name.split()[0]
    packets = video.headers_once(video.STREAMS[name](40), codec)
    clip = video.make_clip(packets, codec, tmp_path / "clip", first=10, stop=30)
    stored = packets_of(clip.path)
    assert [i for i, data in enumerate(stored) if is_self_contained(data, codec)] == [0, 10]
    assert video.shown_ids(stored, codec) == [(10 + i, 0) for i in range(20)]


@pytest.mark.parametrize("name", EITHER)
def test_colours_are_those_of_pictures_that_rows_show(tmp_path, name):
    codec = name.split()[0]
    packets = video.STREAMS[name](40)
    clip = video.make_clip(packets, codec, tmp_path / "clip", preroll=12, count=12)
    histogram = Histogram()
    for frame in video.decode(packets, codec)[12:24]:
        histogram.add(frame.to_ndarray(format="rgb24"))
    assert clip.sampled == 12
    assert np.array_equal(clip.histogram, histogram.counts)


def test_a_start_without_a_keyframe_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"/cam cannot be copied: .*starts neither at a keyframe"):
        video.make_clip(video.x264(20), "h264", tmp_path / "clip", first=3)


def test_a_run_of_packets_that_leaves_a_picture_out_is_refused(tmp_path):
    packets = video.STREAMS["h264 b-frames"](30)
    with pytest.raises(VideoError, match="leaves out frames"):
        video.make_clip(packets, "h264", tmp_path / "clip", stop=2)


@pytest.mark.parametrize(
    ("decision", "rows"),
    [
        (Splice((Copied(0, 10),), preroll=3), range(3, 11)),
        (Splice((Copied(0, 10),)), [0, 1, 3]),
        (Splice(()), []),
        (Splice((Copied(3, 5),)), [3, 4]),
        (Splice((Copied(0, 3), Repeated(1, 1))), [0, 1, 2, 1]),
    ],
)
def test_runs_that_do_not_show_the_rows_are_refused(tmp_path, decision, rows):
    with pytest.raises(VideoError, match="cannot be copied"):
        video.make_splice(video.x264(10), "h264", tmp_path / "clip", decision, rows)


def test_a_stream_that_ends_before_its_index_is_refused(tmp_path):
    packets = video.x264(20)
    index = index_packets(packets, "h264")
    with pytest.raises(VideoError, match="ends after 15 of 20 packets"):
        video.make_splice(packets[:15], "h264", tmp_path / "clip", Splice((Copied(0, 20),)), range(20), index)


def test_two_picture_formats_are_refused(tmp_path):
    packets = [*video.x264(10), *video.x264(10, size=(160, 96))]
    with pytest.raises(VideoError, match="2 frame formats"):
        video.make_clip(packets, "h264", tmp_path / "clip")


@pytest.mark.parametrize("name", ["h264", "h264 main cabac", "h264 b-frames", "av1"])
@pytest.mark.parametrize("at", [0, 10, 11])
def test_a_truncated_packet_among_the_sampled_ones_is_a_video_error(tmp_path, name, at):
    codec = name.split()[0]
    packets = video.STREAMS[name](12)
    index = index_packets(packets, codec)
    packets[at] = packets[at][: max(len(packets[at]) * 2 // 3, 9)]
    with pytest.raises(VideoError, match=r"damaged|not decoded"):
        video.make_splice(packets, codec, tmp_path / "clip", Splice((Copied(0, 12),)), range(12), index)


def full_range(count):
    tags = {"color_range": 2, "colorspace": 5, "color_primaries": 6, "color_trc": 6}
    return video.x264(count, pix_fmt="yuvj420p", tags=tags)


BT709 = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
NOT_SPLICED = ["hevc shallow", "hevc closed", "hevc bframes=0"]
"""B-frames, and keyframes that count on."""
SPLICED = {
    **{name: make for name, make in video.STREAMS.items() if name not in NOT_SPLICED},
    "h264 counted": video.x264_counted,
    "h264 cavlc": lambda n: video.x264(n, preset="veryfast", params="cabac=0:ref=3:weightp=2"),
    "h264 openh264": video.openh264,
    "h264 openh264 slices": lambda n: video.openh264(n, slices=2),
    "h264 headers once": lambda n: video.headers_once(video.x264(n), "h264"),
    "h264 full range": full_range,
    "h264 bt709": lambda n: video.x264(n, tags=BT709),
    "hevc bt709": lambda n: video.x265(n, params="open-gop=0", tags=BT709),
    "hevc full range": lambda n: video.x265(n, params="open-gop=0", pix_fmt="yuvj420p"),
    "hevc headers once": lambda n: video.headers_once(video.x265(n, params="open-gop=0"), "hevc"),
    "av1 headers once": lambda n: video.headers_once(video.svtav1(n), "av1"),
}
"""Streams of which parts may be re-encoded."""
CASES = [pytest.param(name, marks=video.OPENH264) if "openh264" in name else name for name in SPLICED]
REPEATING = [name for name in SPLICED if name.startswith("h264") and name != "h264 b-frames"]
COUNT = 34


def name_of(case):
    return case if isinstance(case, str) else case.values[0]


@functools.cache
def source(name):
    """(packets, index, planes of each frame in display order)."""
    codec = name.split()[0]
    packets = SPLICED[name](COUNT)
    planes = [frame.to_ndarray() for frame in video.decode(packets, codec)]
    return packets, index_packets(packets, codec), planes


def spliced(name, rows, path, copy="always"):
    """(runs, frame of each place, whether it was re-encoded, planes) of the clip of these rows."""
    packets, index, _ = source(name)
    rows = np.asarray(rows, np.int64)
    decision = decide(rows, index, VideoSettings(name.split()[0], copy, 20, 5, "train"))
    assert isinstance(decision, Splice), decision
    clip = video.make_splice(packets, name.split()[0], path, decision, rows, index)
    stored = list(read_clip(clip.path))
    assert clip.frames == len(stored)
    assert clip.gop == max(np.diff([*(i for i, (_, _, key) in enumerate(stored) if key), len(stored)]))
    read = index_packets([data for data, _, _ in stored], name.split()[0])
    assert (read.problems, read.formats) == ((), index.formats)
    assert read.display.tolist() == [display for _, display, _ in stored]
    frames = video.decode([bytes(data) for data, _, _ in stored], name.split()[0])
    assert [stored[frame.pts][1] for frame in frames] == list(range(len(stored)))
    assert {(f.format.name, int(f.colorspace), int(f.color_range)) for f in frames} == tags(name)
    again = np.concatenate([np.full(length(run), isinstance(run, Encoded)) for run in decision.runs])
    return decision.runs, shown(decision, rows, index), again, [frame.to_ndarray() for frame in frames]


def length(run):
    match run:
        case Copied(first, stop) | Encoded(first, stop):
            return stop - first
        case Repeated(_, times):
            return times


def tags(name):
    frames = video.decode(source(name)[0][:3], name.split()[0])
    return {(f.format.name, int(f.colorspace), int(f.color_range)) for f in frames}


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return 10 * np.log10(255**2 / error) if error else np.inf


def check(name, rows, path):
    """Copied and repeated frames are those of the source to the bit, the others nearly."""
    runs, places, again, planes = spliced(name, rows, path)
    originals = source(name)[2]
    for place, picture in enumerate(places.tolist()):
        if again[place]:
            assert psnr(planes[place], originals[picture]) >= 40
        else:
            assert np.array_equal(planes[place], originals[picture])
    return runs


TWICE_AND_NOT = [0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 20, 21, 21, 21, 22, 23, 24, 25, 26, 27]


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_copied_to_the_bit_and_encoded_again_closely(tmp_path, name):
    runs = check(name, TWICE_AND_NOT, tmp_path / "clip")
    kinds = [type(run) for run in runs]
    assert Encoded in kinds
    assert (Repeated in kinds) == (name in REPEATING)
    if name in REPEATING:
        # Two frames before the keyframe 20 are left out without encoding any; counts have room for one repeat.
        again = [Encoded(13, 18), Encoded(20, 28)] if name == "h264 counted" else [Encoded(13, 18)]
        assert [run for run in runs if isinstance(run, Encoded)] == again


@pytest.mark.parametrize("name", [case for case in CASES if name_of(case) in REPEATING])
def test_a_repeated_picture_is_the_one_before_to_the_bit(tmp_path, name):
    runs, places, again, planes = spliced(
        name, [0, 0, *range(1, 14), 13, *range(14, 30), 29, 29, 29], tmp_path / "clip"
    )
    assert not again.any()
    assert sum(isinstance(run, Repeated) for run in runs) == 3
    for (one, two), (a, b) in zip(pairwise(places.tolist()), pairwise(planes), strict=True):
        assert one != two or np.array_equal(a, b)


def test_repeats_cost_next_to_nothing(tmp_path):
    packets = source("h264")[0]
    plain = video.make_clip(packets, "h264", tmp_path / "plain")
    runs = (Copied(0, 5), Repeated(4, 2), Copied(5, COUNT))
    clip = video.make_splice(packets, "h264", tmp_path / "clip", Splice(runs), [*range(5), 4, 4, *range(5, COUNT)])
    assert clip.size_bytes - plain.size_bytes < 50


@st.composite
def patterns(draw):
    """Rows of a camera that drops and repeats frames."""
    steps = draw(st.lists(st.sampled_from([1] * 8 + [0, 0, 2, 3]), min_size=1, max_size=50))
    rows = draw(st.integers(0, 12)) + np.cumsum([0, *steps])
    return rows[rows < COUNT]


@pytest.mark.parametrize("name", NOT_SPLICED)
def test_streams_that_other_pictures_would_confuse_are_encoded_as_a_whole(name):
    index = index_packets(video.STREAMS[name](COUNT), "hevc")
    decision = decide(np.array(TWICE_AND_NOT), index, VideoSettings("hevc", "always", 20, 5, "train"))
    assert isinstance(decision, Encode)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=patterns(), name=st.sampled_from(["h264 main cabac", "h264 counted", "h264 b-frames", "hevc idr"]))
def test_any_pattern_of_drops_and_repeats_shows_its_rows(tmp_path, rows, name):
    decision = decide(rows, source(name)[1], VideoSettings(name.split()[0], "always", 20, 5, "train"))
    assume(isinstance(decision, Splice))
    check(name, rows, tmp_path / "clip")


def test_a_run_may_begin_with_the_last_picture_of_its_group(tmp_path):
    # The decoder has read the next group by the time it gives that frame.
    check("h264 counted", [*range(6), 6, 7, 9, 12, *range(13, 20)], tmp_path / "clip")


NOISE = [np.random.default_rng(i).integers(0, 256, (96, 128, 3), dtype=np.uint8) for i in range(24)]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@pytest.mark.parametrize("material", ["scene", "noise"])
def test_no_picture_encoded_again_is_below_40_db(tmp_path, codec, material):
    shots = NOISE if material == "noise" else [pictures.scene(i, 128, 96) for i in range(24)]
    packets, index = pictures.to_video(shots, codec, gop=12)
    rows = [*range(2), *range(4, 12), *range(13, 24)]
    runs = (Copied(0, 2), Encoded(2, 10), Encoded(10, 21))
    clip = video.make_splice(packets, codec, tmp_path / "clip", Splice(runs), rows, index)
    before = [frame.to_ndarray() for frame in video.decode(packets, codec)]
    after = [frame.to_ndarray() for frame in video.decode(packets_of(clip.path), codec)]
    assert min(psnr(a, before[row]) for a, row in zip(after[2:], rows[2:], strict=True)) >= 40


def test_pictures_encoded_again_have_parameter_sets_of_their_own(tmp_path):
    packets = video.x264(20, params="sps-id=31")
    runs = (Copied(0, 3), Encoded(3, 8), Copied(10, 20))
    clip = video.make_splice(packets, "h264", tmp_path / "clip", Splice(runs), [0, 1, 2, 5, 6, 7, 8, 9, *range(10, 20)])
    readers = []
    for at in (0, 3, 8):
        readers.append(H264())
        readers[-1].read(packets_of(clip.path)[at])
    assert [(set(r.sequence_sets), set(r.picture_sets)) for r in readers] == [({31}, {31}), ({30}, {30}), ({31}, {31})]


def test_keyframes_of_long_encoded_runs_are_at_most_30_apart(tmp_path):
    packets = video.x264(75, gop=75)
    runs = (Copied(0, 2), Encoded(2, 72))
    clip = video.make_splice(packets, "h264", tmp_path / "clip", Splice(runs), [0, 1, *range(3, 73)])
    assert [i for i, (_, _, key) in enumerate(read_clip(clip.path)) if key] == [0, 2, 32, 62]


def test_a_damaged_packet_before_pictures_encoded_again_is_a_video_error(tmp_path):
    packets = video.x264(20)
    index = index_packets(packets, "h264")
    packets[4] = packets[4][: len(packets[4]) // 2]
    runs = (Copied(0, 7), Encoded(7, 9), Copied(10, 20))
    with pytest.raises(VideoError, match="damaged"):
        video.make_splice(packets, "h264", tmp_path / "clip", Splice(runs), [*range(7), 8, 9, *range(10, 20)], index)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"count": 4}, "libx264 gave 3 packets for 4 frames"),
        ({"fmt": FrameFormat("h264", 128, 96, "yuv420p", "bt709")}, "frames re-encoded are"),
    ],
)
def test_pictures_encoded_again_that_do_not_fit_are_a_video_error(change, what):
    frames = video.decode(video.x264(3), "h264")
    fmt = change.pop("fmt", FrameFormat("h264", 128, 96, "yuv420p"))
    options = {"count": 3, "gop": 30, "number": 31, "colour": ColourTags(), "key": "k", **change}
    with pytest.raises(VideoError, match=what):
        list(reencode(iter(frames), fmt, 30, **options))


class Once:
    """A stream that counts how often its packets are read."""

    def __init__(self, inner):
        self.inner, self.read = inner, 0
        self.name, self.kind, self.schema, self.clocks = inner.name, inner.kind, inner.schema, inner.clocks

    def packets(self, clock, start=0, stop=None):
        for data in self.inner.packets(clock, start, stop):
            self.read += 1
            yield data


class Data(bytes):
    """A packet; how many are held, and were at most."""

    alive = most = 0

    def __new__(cls, *args):
        Data.alive += 1
        Data.most = max(Data.most, Data.alive)
        return super().__new__(cls, *args)

    def __del__(self):
        Data.alive -= 1


class Fleeting(Once):
    """A stream that keeps nothing."""

    def packets(self, clock, start=0, stop=None):
        return map(Data, self.inner.packets(clock, start, stop))


def test_packets_of_one_group_are_held_however_long_the_stream(tmp_path):
    packets = video.x264(40) * 40
    index = index_packets(packets, "h264")
    rows = np.array([row for row in range(len(packets)) if row % 100 != 15])
    decision = decide(rows, index, VideoSettings("h264", "auto", 20, 5, "train"))
    stream = Fleeting(video.stream(packets, "h264"))
    Data.most = Data.alive
    splice(stream, video.CLOCK, index, decision, rows, 30, key="k", path=str(tmp_path / "clip"), why="")
    assert decision.encoded
    assert 10 <= Data.most <= 256 + 2 * 10  # a batch of the clip, and a group or two


@pytest.mark.parametrize("name", ["h264", "h264 headers once", "h264 b-frames", "av1"])
def test_packets_are_read_in_one_pass_whatever_is_encoded_again(tmp_path, name):
    packets, index, _ = source(name)
    codec, rows = name.split()[0], np.array([row for row in range(COUNT) if row not in (5, 16, 24)])
    decision = decide(rows, index, VideoSettings(codec, "always", 20, 5, "train"))
    stream = Once(video.stream(packets, codec))
    splice(stream, video.CLOCK, index, decision, rows, 30, key="k", path=str(tmp_path / "clip"), why="")
    assert sum(isinstance(run, Encoded) for run in decision.runs) == 3
    assert stream.read <= COUNT + 1  # the first once more, for its parameter sets
