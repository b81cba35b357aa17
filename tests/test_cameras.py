"""From stamps to clips: cameras as they really are, copied as far as it goes."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import memory, video
from telecine.conversion.cameras import code, prepare
from telecine.conversion.report import EpisodeReport
from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.damage import damaged_frames
from telecine.core.copying.splice import Splice
from telecine.core.errors import AlignError, VideoError
from telecine.core.plan.model import make_plan
from telecine.core.recording import MemoryStream, Part, Schema
from telecine.video.clip import read_clip

FRAME = 33_333_333
COUNT = 90
GOP = 15


@cache
def packets(name="h264", count=COUNT, gop=GOP):
    return tuple(video.STREAMS[name](count, gop=gop))


def camera(stamps, data=None, codec="h264"):
    data = packets() if data is None else data
    schema = Schema("uint8", (96, 128, 3), encoding=codec)
    return MemoryStream("/cam", "video", schema, {memory.CLOCK: np.asarray(stamps, np.int64)}, list(data))


def plan(limit="10s", how="hold", **options):
    feature = {"from": "/cam", "how": how, "limit": limit, "video": {"codec": "h264", "copy": "always", **options}}
    features = {"observation.images.cam": feature, "action": {"from": "/action"}}
    return make_plan({"fps": 30, "clock": {"timeline": memory.CLOCK}, "features": features, "task": "t"})


def recorded(stream):
    """The camera beside an action that outlasts it."""
    times = stream.times(memory.CLOCK)
    span = memory.every(50.0, (int(times[-1]) + 2 * FRAME) / 1e9, max(int(times[0]) / 1e9 - 0.1, 0.0))
    return memory.recording(stream, memory.ramp("/action", span))


def made(stream, wanted, folder):
    """(camera, episode) of the recording converted as far as its clip."""
    prepared = prepare(recorded(stream), wanted)
    return prepared.cameras[0], code(prepared, wanted, folder, lambda _: None)


def shown(clip, codec="h264"):
    """The number on every frame of a clip."""
    return [number for number, _ in video.shown_ids([bytes(data) for data, _, _ in read_clip(clip.path)], codec)]


def steady(count=COUNT, fps=30.0):
    return (1e9 + np.arange(count) * 1e9 / fps).astype(np.int64)


@st.composite
def real_cameras(draw):
    """(n,) stamps of a camera that jitters, drifts against 30 fps, loses frames and stops now and then."""
    fps = draw(st.sampled_from([30.0, 30_000 / 1001, 30.03, 29.5, 31.0]))
    jitter = draw(st.sampled_from([0, 2_000_000, 9_000_000]))
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(-jitter, jitter + 1, COUNT)
    steps = np.ones(COUNT)
    for lost in draw(st.lists(st.integers(1, COUNT - 1), max_size=4)):
        steps[lost] += draw(st.sampled_from([1, 1, 2, 9]))
    return (1e9 + np.cumsum(steps) * 1e9 / fps).astype(np.int64) + noise


@settings(max_examples=40, deadline=None)
@given(real_cameras(), st.sampled_from(["hold", "nearest"]), st.sampled_from(["auto", "always"]))
def test_every_row_shows_a_picture_of_its_time_in_order(tmp_path_factory, stamps, how, copy):
    stream = camera(np.sort(stamps))
    chosen, episode = made(stream, plan(how=how, copy=copy), tmp_path_factory.mktemp("clips"))
    times, ticks = stream.times(memory.CLOCK), episode.grid.ticks()
    off = ticks - times[chosen.rows]
    plain = np.searchsorted(times, ticks, side="right") - 1
    assert np.all(np.diff(chosen.rows) >= 0)
    if how == "hold":
        assert np.all(off >= 0)
        assert np.all((off <= FRAME * 3 // 2 + 1) | (chosen.rows == plain))
    (clip,) = episode.clips
    pictures = shown(clip)[clip.preroll :][: chosen.rows.size]
    np.testing.assert_array_equal(pictures, chosen.rows)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["h264 b-frames", "hevc idr", "av1 low delay"]), real_cameras(), st.booleans())
def test_other_streams_show_each_row_its_picture_too(tmp_path_factory, name, stamps, always):
    codec = name.partition(" ")[0]
    stream = camera(np.sort(stamps), packets(name), codec)
    wanted = plan(codec=codec, copy="always" if always else "auto")
    chosen, episode = made(stream, wanted, tmp_path_factory.mktemp("clips"))
    (clip,) = episode.clips
    np.testing.assert_array_equal(shown(clip, codec)[clip.preroll :][: chosen.rows.size], chosen.rows)


def report_of(episode):
    return EpisodeReport.of(0, episode).clips[0]


def test_a_drifting_camera_is_copied_with_repeats_and_the_report_counts_them(tmp_path):
    chosen, episode = made(camera(steady(fps=29.0)), plan(), tmp_path)
    told = report_of(episode)
    assert told.copied
    assert told.why == "4 shown again by skipped frames"
    assert (told.pictures.copied, told.pictures.repeated, told.pictures.left_out, told.pictures.encoded) == (
        90,
        4,
        0,
        0,
    )
    assert 0 <= told.pictures.age_median_ns <= told.pictures.age_max_ns <= FRAME * 3 // 2
    assert episode.grid.count == chosen.rows.size == 94


def test_a_camera_that_runs_fast_leaves_out_pictures_before_keyframes(tmp_path):
    chosen, episode = made(camera(steady(fps=30.5)), plan(copy="auto"), tmp_path)
    told = report_of(episode)
    assert told.copied
    assert told.why == "1 left out"
    assert (told.pictures.left_out, told.pictures.encoded) == (1, 0)
    assert shown(episode.clips[0]) == chosen.rows.tolist()


def test_where_copying_does_not_pay_rows_are_those_of_hold(tmp_path):
    stamps = np.sort(steady(fps=15.0) + np.random.default_rng(0).integers(-9_000_000, 9_000_000, COUNT))
    chosen, episode = made(camera(stamps, packets("h264 b-frames")), plan(copy="auto"), tmp_path)
    told = report_of(episode)
    assert not told.copied
    assert "of all" in told.why
    assert told.pictures.encoded == chosen.rows.size
    np.testing.assert_array_equal(chosen.rows, np.searchsorted(stamps, episode.grid.ticks(), side="right") - 1)


def test_of_two_pictures_with_one_stamp_the_first_is_never_shown(tmp_path):
    stamps = steady()
    stamps[20] = stamps[21]
    chosen, episode = made(camera(stamps), plan(), tmp_path)
    assert 20 not in chosen.rows
    assert 21 in chosen.rows
    assert report_of(episode).pictures.left_out == 1


def test_no_slack_keeps_nearer_to_hold_and_may_repeat_more(tmp_path):
    rng = np.random.default_rng(1)
    stamps = np.sort(steady(fps=29.97) + rng.integers(-9_000_000, 9_000_000, COUNT))
    loose, _ = made(camera(stamps), plan(), tmp_path)
    tight, _ = made(camera(stamps), plan(slack="0ms"), tmp_path)
    ages = [np.sum(np.diff(c.rows) != 1) for c in (loose, tight)]
    assert ages[0] <= ages[1]


# ---- damage


def lose(data, *numbers):
    return [p for i, p in enumerate(data) if i not in numbers]


def damaged(kind):
    """(packets, stamps) with packet 37 of 90 lost, emptied, or replaced, or the keyframe 45 lost."""
    data, stamps = list(packets()), steady()
    match kind:
        case "lost reference":
            return lose(data, 37), lose(stamps, 37)
        case "lost keyframe":
            return lose(data, 45), lose(stamps, 45)
        case "empty packet":
            return [*data[:37], b"", *data[38:]], stamps
        case "no frame":
            return [*data[:37], b"\0\0\0\1\x09\x10", *data[38:]], stamps
    raise ValueError(kind)


DAMAGE = ["lost reference", "lost keyframe", "empty packet", "no frame"]


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_rejects_with_its_place_before_anything_is_written(kind):
    data, stamps = damaged(kind)
    at = 45 if kind == "lost keyframe" else 37
    with pytest.raises(VideoError, match=rf"packet {at} \(1\.\d+ s after its first frame\): .*damage: cut"):
        prepare(recorded(camera(stamps, data)), plan())


@pytest.mark.parametrize("kind", DAMAGE)
def test_an_episode_can_be_cut_where_damage_begins(tmp_path, kind):
    data, stamps = damaged(kind)
    at = 45 if kind == "lost keyframe" else 37
    chosen, episode = made(camera(stamps, data), plan(damage="cut"), tmp_path)
    assert shown(episode.clips[0]) == chosen.rows.tolist() == list(range(at))
    (told,) = [f for f in episode.findings if f.code == "video-damaged"]
    assert told.severity == "warning"
    assert f"packet {at} " in told.message
    assert "the episode ends before them" in told.message


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_can_be_encoded_over_with_the_last_whole_picture(tmp_path, kind):
    data, stamps = damaged(kind)
    chosen, episode = made(camera(stamps, data), plan(damage="encode"), tmp_path)
    assert not damaged_frames(index_packets(data, "h264"))[chosen.rows].any()
    assert np.all(episode.grid.ticks() >= np.asarray(stamps)[chosen.rows])
    assert episode.grid.count >= 89
    lost = 45 if kind == "lost keyframe" else 37
    upto = 60 if kind == "lost keyframe" else 45
    pictures = shown(episode.clips[0])
    assert sorted(set(pictures)) == [*range(lost), *range(upto, COUNT)]
    # Where the damaged packet still has a place in time, no skipped frame fits before it.
    assert episode.clips[0].encoded == (0 if kind.startswith("lost") else 8)


def test_damage_counts_against_the_limit():
    data, stamps = damaged("lost reference")
    with pytest.raises(AlignError, match="a limit of"):
        prepare(recorded(camera(stamps, data)), plan(limit="100ms", damage="encode"))


def test_damage_that_no_row_shows_rejects_nothing(tmp_path):
    data, stamps = damaged("empty packet")
    recording = memory.recording(camera(stamps, data), memory.ramp("/action", memory.every(50.0, 2.0, 1.0)))
    prepared = prepare(recording, plan())
    assert prepared.cameras[0].rows[-1] < 37


def test_a_stream_without_a_whole_picture_is_rejected_whatever_the_policy():
    first, *others = packets("h264 main cabac")[:15]
    data = [first[: -len(first) // 8], *others]
    with pytest.raises(VideoError, match="which leaves none"):
        prepare(recorded(camera(steady(15), data)), plan(check="pictures", damage="encode"))


def flipped(number, at=0.5):
    """The stream with some bytes in the middle of one packet turned over."""
    data = list(packets("h264 main cabac"))
    middle = int(len(data[number]) * at)
    spoilt_bytes = bytes(b ^ 0xFF for b in data[number][middle : middle + 40])
    data[number] = data[number][:middle] + spoilt_bytes + data[number][middle + 40 :]
    return data


def test_damage_inside_a_picture_is_found_when_all_are_checked(tmp_path):
    stream = camera(steady(), flipped(50))
    prepare(recorded(stream), plan())
    with pytest.raises(VideoError, match=r"packet 50 .*cannot be decoded"):
        prepare(recorded(stream), plan(check="pictures"))
    chosen, episode = made(stream, plan(check="pictures", damage="cut"), tmp_path)
    assert shown(episode.clips[0]) == chosen.rows.tolist() == list(range(50))


def test_a_whole_stream_passes_the_check_of_all_pictures():
    for name in ("h264", "h264 b-frames", "hevc idr", "av1 low delay"):
        codec = name.partition(" ")[0]
        prepared = prepare(recorded(camera(steady(), packets(name), codec)), plan(check="pictures", codec=codec))
        assert isinstance(prepared.cameras[0].decision, Splice)


def test_a_part_of_a_recording_is_cut_by_its_own_damage(tmp_path):
    data, stamps = damaged("empty packet")
    recording = recorded(camera(stamps, data))
    late = Part(1, int(stamps[50]), int(stamps[80]))
    recording = replace(recording, ref=replace(recording.ref, part=late))
    prepared = prepare(recording, plan(damage="cut"))
    assert prepared.cameras[0].rows[0] >= 50
    assert prepared.cameras[0].rows[-1] >= 79


OPEN = {
    "h264 open": lambda n, **o: video.x264(n, bframes=3, params="open-gop=1:b-adapt=0", preset="veryfast", **o),
    "hevc open": lambda n, **o: video.x265(n, bframes=3, params="b-adapt=0", **o),
}


@pytest.mark.parametrize("name", [*video.STREAMS, *OPEN])
def test_a_camera_that_starts_between_keyframes_begins_at_the_next_one(tmp_path, name):
    """From packet 127 on, so that picture order counts are far from zero; headers and keyframe come with frame 135."""
    codec = name.split()[0]
    data = (video.STREAMS | OPEN)[name](180, gop=15)[127:]
    _, episode = made(camera(steady(len(data)), data, codec), plan(codec=codec), tmp_path)
    (clip,) = episode.clips
    assert shown(clip, codec) == list(range(135, 180))
    assert clip.copied == (name not in {*OPEN, "hevc closed"}), clip.why
    (note,) = [f for f in episode.findings if f.code == "video-damaged"]
    assert (note.severity, note.message.split()[0]) == ("warning", str(len(data) - 45))
