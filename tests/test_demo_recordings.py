"""The demo's recordings: what a robot would log, the same for the same seed, and all that a conversion needs."""

import sys
from itertools import combinations

import numpy as np
import pytest

from telecine.conversion.cameras import prepare
from telecine.core.bitstream.packets import index_packets
from telecine.core.copying.splice import Splice
from telecine.core.errors import SourceError
from telecine.core.proposal.propose import propose
from telecine.inspection.recordings import inspect_many
from telecine.samples.arm import CUBE_M, JOINTS, LAG_S, commanded, cube_at, pose, random_task, reached
from telecine.samples.draw import fill_polygon, fill_rod, write
from telecine.samples.recordings import FRONT, JOINT_STATE, WRIST, write_demo_recordings
from telecine.samples.scene import COLOURS, front_frame, wrist_frame
from telecine.sources import registry
from telecine.video.decode import frames
from telecine.video.demo_camera import h264_packets
from telecine.video.frames.colour import to_rgb

SECONDS = 2.0
CLOCK = "real_time"
CAMERAS = ("/camera/front:VideoStream:sample", "/camera/wrist:VideoStream:sample")
TASK = "/language_instruction:TextDocument:text"


@pytest.fixture(scope="module")
def written(rerun, tmp_path_factory):
    return write_demo_recordings(tmp_path_factory.mktemp("demo") / "new", episodes=2, seconds=SECONDS)


def content(path):
    """Stream name -> (stamps, values or packets)."""
    with registry.open(registry.find([str(path)]).refs[0]) as recording:
        held = {}
        for name, stream in recording.streams.items():
            times = stream.times(CLOCK)
            rows = np.arange(times.size)
            values = (
                [bytes(p) for p in stream.packets(CLOCK)]
                if stream.kind == "video"
                else np.asarray(stream.take(rows, CLOCK)).tolist()
            )
            held[name] = (times.tolist(), values)
        return held


@pytest.fixture(scope="module")
def contents(written):
    return [content(path) for path in written]


def any_task(seed=0, seconds=8.0):
    return random_task(seconds, np.random.default_rng(seed))


def coloured(picture, colour):
    """(n, 2) rows and columns of pixels in about that hue."""
    wanted = np.array(COLOURS[colour], float)
    unit = picture / np.maximum(np.linalg.norm(picture.astype(float), axis=-1, keepdims=True), 1)
    return np.argwhere(unit @ (wanted / np.linalg.norm(wanted)) > 0.99)


def test_no_two_streams_share_a_stamp(contents):
    for streams in contents:
        for (_, (a, _)), (_, (b, _)) in combinations(streams.items(), 2):
            assert not set(a) & set(b)


def test_every_stream_moves_forward_at_its_own_rate(contents):
    rates = {name: (len(times), np.diff(times).min()) for name, (times, _) in contents[0].items() if len(times) > 1}
    assert {name: count for name, (count, _) in rates.items()} == {
        "/action:Scalars:scalars": 100,
        "/camera/front:VideoStream:sample": 60,
        "/camera/wrist:VideoStream:sample": 60,
        "/observation/gripper:Scalars:scalars": 120,
        "/observation/joint_positions:Scalars:scalars": 400,
    }
    assert all(step > 0 for _, step in rates.values())


def test_cameras_jitter_and_one_is_off_by_a_thousandth():
    rng = np.random.default_rng(0)
    front, wrist = FRONT.times(60, rng), WRIST.times(60, rng)
    assert 0.0005 < np.std(np.diff(front)) < 0.004
    assert np.polyfit(np.arange(front.size), front, 1)[0] == pytest.approx(1 / 30, rel=1e-4)
    assert np.polyfit(np.arange(wrist.size), wrist, 1)[0] == pytest.approx(1 / 29.97, rel=1e-4)


def test_the_same_seed_gives_the_same_and_another_does_not(rerun, tmp_path, contents):
    again = write_demo_recordings(tmp_path, episodes=1, seconds=SECONDS)
    assert content(again[0]) == contents[0]
    other = write_demo_recordings(tmp_path, episodes=1, seconds=SECONDS, seed=5)
    assert content(other[0]) != contents[0]
    assert contents[0] != contents[1]


def test_every_episode_has_its_own_task_and_id(written, contents):
    assert [c[TASK][1] for c in contents] == [
        ["Pick up the red cube and put it on the tray."],
        ["Pick up the green cube and put it on the tray."],
    ]
    found = registry.find([str(written[0].parent)])
    assert [(r.id, r.path) for r in found.refs] == [(f"demo-0-{i}", str(p)) for i, p in enumerate(written)]
    assert found.findings == ()


def test_nothing_is_odd_and_the_proposal_is_a_whole_plan(written):
    seen = inspect_many(written)
    assert seen.findings == ()
    plan = propose(seen.recordings).plan
    assert plan is not None
    assert [f.key for f in plan.features] == [
        "action", "observation.state", "observation.images.front", "observation.images.wrist",
    ]  # fmt: skip
    assert (plan.fps, plan.clock.timeline, plan.task.stream) == (30, CLOCK, TASK)
    (joints,) = [s for s in seen.recordings[0].streams if "joint" in s.name]
    assert joints.names == JOINTS


def test_both_cameras_can_be_copied(written):
    plan = propose(inspect_many(written[:1]).recordings).plan
    with registry.open(registry.find([str(written[0])]).refs[0]) as recording:
        prepared = prepare(recording, plan)
    assert [type(c.decision) for c in prepared.cameras] == [Splice, Splice]
    assert prepared.resampled.grid.count >= SECONDS * 30 - 3


def test_the_video_shows_the_drawn_scene(written):
    """Decoded pictures are those that were drawn for the times they are stamped with."""
    task = random_task(SECONDS, np.random.default_rng([0, 0]))
    with registry.open(registry.find([str(written[0])]).refs[0]) as recording:
        for name, draw in zip(CAMERAS, (front_frame, wrist_frame), strict=True):
            stream = recording.streams[name]
            index = index_packets(stream.packets(CLOCK), "h264")
            assert index.reorder_delay == 0
            assert index.longest_gop == 10
            rows = np.array([0, 31, 59])
            times = (stream.times(CLOCK)[rows] - 1_768_471_200 * 10**9) / 1e9
            for time, frame in zip(times, frames(stream, rows, CLOCK, index=index), strict=True):
                label = f"{name[8:13].upper()} EPISODE 0  {time:05.2f} S"
                drawn = draw(task, time, "red", label).astype(int)
                assert np.abs(to_rgb(frame) - drawn).mean() < 3


def test_the_file_holds_no_time_of_its_own(written):
    seen = inspect_many(written[:1]).recordings[0]
    assert seen.clock_names() == (CLOCK,)
    assert dict(seen.attrs).keys() <= {"application_id"}


@pytest.mark.parametrize(("episodes", "seconds"), [(0, 8.0), (1, 0.5)])
def test_too_little_is_refused(tmp_path, episodes, seconds):
    with pytest.raises(ValueError, match="at least 1"):
        write_demo_recordings(tmp_path, episodes=episodes, seconds=seconds)


def test_without_rerun_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(SourceError, match=r"pip install 'telecine\[rrd\]'"):
        write_demo_recordings(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_every_task_is_within_reach_and_moves_smoothly(seed):
    angles = commanded(any_task(seed), np.linspace(0, 8, 401))
    assert np.isfinite(angles).all()
    assert np.abs(np.diff(angles[:, :7], axis=0)).max() < 0.08


def test_the_hand_points_down_and_follows_its_command():
    task = any_task()
    for time in np.linspace(0, 8, 17):
        at = pose(reached(task, np.array([time]))[0, :7])
        assert at.axes[:, 2] == pytest.approx([0, 0, -1], abs=1e-9)
        assert reached(task, np.array([time])) == pytest.approx(commanded(task, np.array([time - LAG_S])))


def test_the_cube_is_carried_by_the_hand_from_its_place_to_the_tray():
    task = any_task()
    first, middle, last = (cube_at(task, t)[0] for t in (0.0, 5.0, 8.0))
    assert first == pytest.approx([*task.cube, CUBE_M / 2])
    assert middle == pytest.approx(pose(reached(task, np.array([5.0]))[0, :7]).tip)
    assert last[:2] == pytest.approx(task.tray)
    assert middle[2] > first[2]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_front_camera_sees_the_cube_move_to_the_other_side(colour):
    task = any_task()
    before, after = (coloured(front_frame(task, t, colour, " "), colour) for t in (0.0, 8.0))
    assert len(before) > 60
    assert len(after) > 60
    assert np.abs(before.mean(axis=0) - after.mean(axis=0)).max() > 40


def test_the_wrist_camera_sees_the_cube_grow():
    task = any_task()
    sizes = [len(coloured(wrist_frame(task, t, "red", " "), "red")) for t in (0.2, 2.0, 3.0)]
    assert 100 < sizes[0] < sizes[1] < sizes[2]


def test_the_time_counter_changes_with_time():
    one, two = (front_frame(any_task(), 1.0, "red", f"FRONT  {t} S") for t in ("01.00", "01.03"))
    changed = np.argwhere((one != two).any(axis=-1))
    assert changed.size
    assert changed[:, 0].max() < 24


def test_a_polygon_covers_its_area_either_way_round():
    for step in (1, -1):
        picture = np.zeros((40, 40, 3), np.uint8)
        fill_polygon(picture, np.array([[10, 5], [30, 5], [30, 25], [10, 25]], float)[::step], (100, 200, 50))
        assert picture[15, 20].tolist() == [100, 200, 50]
        assert picture[15, 35].tolist() == [0, 0, 0]
        assert picture.sum() / 350 == pytest.approx(400, rel=0.02)


def test_a_rod_is_round_and_lightest_in_the_middle():
    picture = np.zeros((40, 40, 3), np.uint8)
    fill_rod(picture, np.array([[10, 20], [30, 20]], float), (6, 6), (200, 200, 200))
    across = picture[:, 20, 0]
    assert across[20] == 200
    assert 100 < across[15] < across[17] < 200
    assert across[10] == across[30] == 0


def test_what_lies_outside_the_picture_changes_nothing():
    picture = np.full((20, 20, 3), 7, np.uint8)
    fill_polygon(picture, np.array([[30, 30], [40, 30], [40, 40]], float), (255, 0, 0))
    fill_rod(picture, np.array([[-30, 5], [-20, 5]], float), (3, 3), (255, 0, 0))
    assert np.unique(picture).tolist() == [7]


def test_letters_are_cut_at_the_edge_and_unknown_ones_are_blank():
    picture = np.full((30, 30, 3), 90, np.uint8)
    write(picture, "E?E?E", (20, 20))
    assert set(np.unique(picture[20:, 20:])) == {30, 245}
    assert np.unique(picture[:20]).tolist() == [90]
    blank = np.full((20, 20, 3), 90, np.uint8)
    write(blank, "?", (0, 0))
    assert 245 not in blank


def test_a_camera_that_saw_nothing_sends_nothing():
    assert h264_packets([], 30, gop=10) == []


def test_the_joint_sensor_never_goes_back_in_time():
    assert np.diff(JOINT_STATE.times(20, np.random.default_rng(1))).min() > 0
