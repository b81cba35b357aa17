"""Bad recordings among good ones: named with their reason, the others converted, nothing half-written."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from support.robot import ORIGIN_NS, Camera, jittered, joints, logged_camera, robot_plan, write_robot
from support.rrd import Texts, Vectors, Video, write_rrd
from support.video import x264
from telecine.conversion.pipeline import Options, convert
from telecine.core.errors import DatasetError, SourceError
from telecine.core.plan.model import make_plan

pytestmark = pytest.mark.usefixtures("rerun")


def good(folder, number, **options):
    camera = Camera(jittered(30, seed=number), "x264")
    return write_robot(folder / f"good_{number}.rrd", {"front": camera}, episode=number, **options)


def between_two_good_ones(tmp_path, make_bad):
    """The report of three recordings, the middle one made by `make_bad(path)`."""
    folder = tmp_path / "recordings"
    good(folder, 0)
    make_bad(folder / "good_1_bad.rrd")
    good(folder, 2)
    return convert([folder], tmp_path / "out", make_plan(robot_plan("front")))


def only_rejects(report, code, *said):
    assert not report.ok
    assert [e.recording.rpartition("/")[2].partition("#")[0] for e in report.episodes] == ["good_0.rrd", "good_2.rrd"]
    (rejected,) = report.rejected
    assert "good_1_bad.rrd" in rejected.recording
    assert rejected.reason.code == code
    for text in said:
        assert text in rejected.reason.message
    assert not [f for f in report.findings if f.severity == "error"]


def robot_with(path, *, front=None, joints_values=None, joint_times=None, packets=None):
    """A recording that differs from a good one in one thing. Chunks are short: Rerun's writer sorts within each."""
    camera = front or Camera(jittered(30, seed=1), "x264")
    times, values = joints(2.0)
    stamps = ORIGIN_NS + (times if joint_times is None else joint_times)
    state = values if joints_values is None else joints_values
    video = logged_camera(camera, 1)
    if packets is not None:
        video = Video(video.stamps, packets, codec="h264")
    logged = {
        "/joints": Vectors(stamps, state, names=("time", "sin1", "sin2")),
        "/action": Vectors(ORIGIN_NS + times[::4] + 1_300_000, values[::4, :2]),
        "/task": Texts(ORIGIN_NS + times[:1], ["task 1"]),
        "/camera/front": video,
    }
    return write_rrd(path, logged, recording_id="bad", rows_per_chunk=5)


def test_a_file_that_is_no_rrd(tmp_path):
    report = between_two_good_ones(tmp_path, lambda p: p.write_bytes(b"MCAP0\r\n not an rrd at all" * 50))
    only_rejects(report, "source-unreadable")


def test_an_empty_file(tmp_path):
    only_rejects(between_two_good_ones(tmp_path, lambda p: p.write_bytes(b"")), "source-unreadable")


def test_a_cut_file_is_rejected_and_taken_with_recover(tmp_path):
    def cut(path):
        whole = write_robot(path, {"front": Camera(jittered(60, seed=1), "jpeg")}, episode=1, rows_per_chunk=8)
        whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])

    only_rejects(between_two_good_ones(tmp_path, cut), "source-truncated", "whole")
    again = convert([tmp_path / "recordings"], tmp_path / "more", make_plan(robot_plan("front")), Options(recover=True))
    assert [str(r.reason) for r in again.rejected] == []
    assert again.episodes[1].rows > 10
    assert "source-recovered" in {f.code for f in again.episodes[1].findings}


def test_a_missing_stream_suggests_the_nearest_name(tmp_path):
    def misnamed(path):
        times, values = joints(2.0)
        stamps = ORIGIN_NS + times
        write_rrd(path, {"/jointz": Vectors(stamps, values), "/action": Vectors(stamps, values)}, recording_id="bad")

    report = between_two_good_ones(tmp_path, misnamed)
    only_rejects(report, "plan-mismatch", "no stream '/joints'; did you mean '/jointz'?", "no stream '/camera/front'")


def test_a_camera_missing_in_one_recording(tmp_path):
    report = between_two_good_ones(tmp_path, lambda p: write_robot(p, {}, episode=1, stop_s=1.5))
    only_rejects(report, "plan-mismatch", "features.observation.images.front.from: no stream '/camera/front'")


def test_packets_that_cannot_be_decoded(tmp_path):
    def garbled(path):
        packets = x264(30, episode=1)
        packets[12] = packets[12][:5] + bytes([255] * 40)
        robot_with(path, packets=packets)

    report = between_two_good_ones(tmp_path, garbled)
    only_rejects(report, "video-damaged", "/camera/front", "packet 12")


def test_a_lost_packet_is_noticed_without_decoding(tmp_path):
    def lossy(path):
        packets = x264(31, episode=1)
        robot_with(path, packets=packets[:17] + packets[18:])

    only_rejects(between_two_good_ones(tmp_path, lossy), "video-damaged", "packet 17")


def test_a_start_between_keyframes_is_cut_to_the_first_keyframe_and_reported(tmp_path):
    packets = x264(38, episode=1)
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, packets=packets[8:]))
    assert report.ok
    assert [e.rows for e in report.episodes] == [30, 28, 30]
    assert any("2 packets before the first keyframe" in f.message for f in report.episodes[1].findings)


def test_a_start_between_keyframes_is_an_error_when_the_camera_must_be_whole(tmp_path):
    robot_with(tmp_path / "bad.rrd", packets=x264(38, episode=1)[4:34])
    plan = robot_plan("front", features={"observation.images.front": {"from": "/camera/front", "missing": "error"}})
    report = convert([tmp_path / "bad.rrd"], tmp_path / "out", make_plan(plan))
    assert report.rejected[0].reason.code == "align-missing"
    assert "starts 0." in report.rejected[0].reason.message


def test_another_picture_size_than_the_first_episode(tmp_path):
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, packets=x264(30, size=(64, 48))))
    only_rejects(report, "dataset-mismatch", "observation.images.front", "64x48", "128x96")


def test_pictures_of_two_sizes_in_one_recording(tmp_path):
    packets = x264(20, episode=1) + x264(10, size=(64, 48))
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, packets=packets))
    only_rejects(report, "video-damaged", "64x48")


def test_another_width_of_a_vector(tmp_path):
    _, values = joints(2.0)
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, joints_values=np.hstack([values, values])))
    assert [e.recording.rpartition("#")[2] for e in report.episodes] == ["episode-0", "episode-2"]
    assert "observation.state" in report.rejected[0].reason.message


def test_stamps_of_a_vector_that_go_back_are_sorted_and_reported(tmp_path):
    times, _ = joints(2.0)
    shuffled = times.copy()
    shuffled[40:60] = times[40:60][::-1]
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, joint_times=shuffled))
    assert report.ok
    assert "align-backwards" in {f.code for f in report.episodes[1].findings}


def test_a_video_whose_clock_went_back_is_rejected(tmp_path):
    stamps = jittered(30, seed=1, jitter_ms=0)
    stamps[15:] -= 400_000_000
    camera = Camera(jittered(30, seed=1), "x264", stamps=stamps)
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, front=camera))
    only_rejects(report, "video-damaged", "goes back in time")


def test_a_copy_of_a_recording_is_noticed_and_becomes_no_second_episode(tmp_path):
    folder = tmp_path / "recordings"
    shutil.copy(good(folder, 0), folder / "copy.rrd")
    report = convert([folder], tmp_path / "out", make_plan(robot_plan("front")))
    assert len(report.episodes) == 1
    assert "source-duplicate-id" in {f.code for f in report.findings}
    assert report.ok


def test_nan_in_a_state(tmp_path):
    _, values = joints(2.0)
    values[100:110, 1] = np.nan
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, joints_values=values))
    only_rejects(report, "align-missing", "observation.state", "NaN", "element 1")


def test_streams_that_do_not_overlap(tmp_path):
    times, _ = joints(2.0)
    report = between_two_good_ones(tmp_path, lambda p: robot_with(p, joint_times=times + 60_000_000_000))
    only_rejects(report, "align-missing", "do not overlap")


def test_nothing_usable_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    robot_with(folder / "bad.rrd", packets=[b"\x00\x00\x01"] * 30)
    report = convert([folder], tmp_path / "out", make_plan(robot_plan("front")))
    assert not report.ok
    assert "convert-nothing" in {f.code for f in report.findings}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recordings"]


def test_strict_stops_at_the_first_rejected_recording_and_writes_nothing(tmp_path):
    folder = tmp_path / "recordings"
    good(folder, 0)
    write_robot(folder / "good_1_bad.rrd", {}, episode=1, stop_s=1.5)
    good(folder, 2)
    report = convert([folder], tmp_path / "out", make_plan(robot_plan("front")), Options(strict=True))
    assert (report.ok, report.episodes, len(report.rejected)) == (False, (), 1)
    assert not (tmp_path / "out").exists()


def test_an_existing_target_is_refused_and_stays_as_it_was(tmp_path):
    good(tmp_path / "recordings", 0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("precious")
    with pytest.raises(DatasetError, match="holds no dataset .* name another folder$"):
        convert([tmp_path / "recordings"], tmp_path / "out", make_plan(robot_plan("front")))
    assert (tmp_path / "out" / "thesis.txt").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "recordings"]


def test_overwrite_replaces_a_dataset_as_a_whole(tmp_path):
    folder = tmp_path / "recordings"
    good(folder, 0)
    plan = make_plan(robot_plan("front"))
    convert([folder], tmp_path / "out", plan)
    good(folder, 1)
    report = convert([folder], tmp_path / "out", plan, Options(overwrite=True))
    assert len(report.episodes) == 2
    assert report.ok
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "recordings"]


def test_no_recording_at_all_is_an_error(tmp_path):
    (tmp_path / "recordings").mkdir()
    with pytest.raises(SourceError):
        convert([tmp_path / "recordings"], tmp_path / "out", make_plan(robot_plan("front")))
    with pytest.raises(SourceError, match="nowhere"):
        convert([tmp_path / "nowhere"], tmp_path / "out", make_plan(robot_plan("front")))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("outside this repository: mounting a small file system needs root on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_says_so_and_the_next_run_goes_on(tmp_path, small_disk):
    for number in range(3):
        write_robot(
            tmp_path / "recordings" / f"r{number}.rrd",
            {"front": Camera(jittered(90, seed=number), "png")},
            episode=number,
        )
    plan = make_plan(robot_plan("front", video={"crf": 0, "gop": 1}))
    with pytest.raises(DatasetError, match="no space left") as error:
        convert([tmp_path / "recordings"], small_disk / "out", plan)
    assert "1 finished episode (" in error.value.__notes__[0]
    assert [p.name for p in small_disk.iterdir()] == [".out.telecine"]
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    report = convert([tmp_path / "recordings"], small_disk / "out", plan)
    assert report.ok
    assert [f.message for f in report.findings] == ["taken up from an interrupted run: 1 finished episode"]
    assert [p.name for p in small_disk.iterdir()] == ["out"]


def test_an_unplanned_camera_that_cannot_be_read_changes_nothing(tmp_path):
    times = jittered(30, seed=0)
    unknown = {"/other": Video(ORIGIN_NS + times, x264(30), codec=None)}
    write_robot(tmp_path / "a.rrd", {"front": Camera(times, "x265")}, extra=unknown)
    report = convert([tmp_path / "a.rrd"], tmp_path / "out", make_plan(robot_plan("front")))
    (clip,) = report.episodes[0].clips
    assert (clip.codec, clip.copied) == ("hevc", True)
