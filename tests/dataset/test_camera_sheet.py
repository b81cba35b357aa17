"""Whoever writes a dataset puts the picture of its cameras there, for the card; a failure costs nothing else."""

import shutil

import av
import pytest

import telecine as tc
from support.dataset import TOP, WRIST, clip, episode, write
from support.pictures import read_frame_id
from support.robot import Camera, jittered, robot_plan, write_robot
from telecine.conversion.camera_sheet import draw_by
from telecine.core.errors import VideoError
from telecine.core.findings import has_errors
from telecine.dataset import camera_frames
from telecine.dataset.verify.verify import verify
from telecine.lerobot_format.paths import SHEET
from telecine.run.executor import Lost

SIZE = (240, 180)
"""Of cameras that are as large as the picture shows each."""


def dataset(root, folder, *, episodes=2, **options):
    """Two cameras, the second less high."""
    return write(root, [
        episode(40, i, clips=[clip(folder, TOP, 40, episode=i, size=SIZE, **options),
                              clip(folder, WRIST, 40, episode=i, camera=1, size=(240, 120), **options)])
        for i in range(episodes)
    ])  # fmt: skip


def shown(root):
    """The cameras in the picture: (frame, episode, camera) of each. None without a picture; the card says the same."""
    text = (root / "README.md").read_text()
    assert (f"![Cameras]({SHEET})" in text) == (root / SHEET).is_file()
    assert not has_errors(verify(root))
    if not (root / SHEET).is_file():
        return None
    with av.open(str(root / SHEET)) as picture:
        rgb = next(picture.decode(video=0)).to_ndarray(format="rgb24")
    assert rgb.shape == (180, 480, 3)
    return read_frame_id(rgb[:, :240]), read_frame_id(rgb[:120, 240:])


@pytest.mark.parametrize("preset", ["train", "images"])
def test_it_shows_every_camera_in_the_middle_of_the_first_episode(tmp_path, preset):
    assert shown(dataset(tmp_path / "out", tmp_path, preset=preset)) == ((20, 0, 0), (20, 0, 1))


def test_it_shows_the_keyframe_before_the_middle_where_others_cost_decoding(tmp_path):
    assert shown(dataset(tmp_path / "out", tmp_path, gop=16)) == ((16, 0, 0), (16, 0, 1))


def test_a_frame_of_the_episode_is_shown_where_the_keyframe_is_before_it(tmp_path):
    root = dataset(tmp_path / "out", tmp_path, gop=100, episodes=1)
    tc.edit(root, tmp_path / "cut", trim="0:10..40")
    assert shown(root)[0] == (0, 0, 0)
    assert shown(tmp_path / "cut")[0][0] >= 10


def test_without_cameras_there_is_none(tmp_path):
    assert shown(write(tmp_path / "out", [episode(40)])) is None


def test_edited_and_merged_datasets_have_one_of_their_own_first_episode(tmp_path):
    root = dataset(tmp_path / "out", tmp_path)
    tc.edit(root, tmp_path / "edited", delete="0")
    assert shown(tmp_path / "edited")[0] == (20, 1, 0)
    tc.merge([tmp_path / "edited", root], tmp_path / "merged")
    assert shown(tmp_path / "merged")[0] == (20, 1, 0)
    tc.edit(root, in_place=True, drop=[TOP, WRIST])
    assert shown(root) is None


def test_a_repaired_copy_has_one(tmp_path):
    root = dataset(tmp_path / "out", tmp_path)
    shutil.rmtree(root / "meta/telecine")
    (root / "meta/stats.json").unlink()
    tc.repair(root, tmp_path / "whole")
    assert shown(tmp_path / "whole") == ((20, 0, 0), (20, 0, 1))


@pytest.fixture
def recordings(rerun, tmp_path):
    for number in range(2):
        write_robot(
            tmp_path / f"recordings/r{number}.rrd", {"front": Camera(jittered(30, seed=number))}, episode=number
        )
    return tmp_path / "recordings"


PLAN = tc.make_plan(robot_plan("front"))


def test_finalize_links_that_of_the_first_part_and_decodes_nothing(recordings, tmp_path, monkeypatch):
    tc.convert(recordings, tmp_path / "whole", PLAN, workers=0)
    for number in (2, 1):
        tc.convert(recordings, tmp_path / "out", PLAN, shard=(number, 2), workers=0)
    monkeypatch.setattr("telecine.video.mp4_reader.opened_video", lambda path: pytest.fail("a video was opened"))
    tc.finalize(tmp_path / "out", workers=0)
    assert (tmp_path / "out" / SHEET).read_bytes() == (tmp_path / "whole" / SHEET).read_bytes()
    assert (tmp_path / "out" / SHEET).stat().st_nlink == 2  # the part's own
    assert SHEET in (tmp_path / "out/README.md").read_text()


def test_a_picture_that_fails_is_a_finding_of_a_dataset_that_is_whole(recordings, tmp_path, monkeypatch):
    def refuse(rgb):
        raise VideoError("no picture today")

    monkeypatch.setattr(camera_frames, "to_jpeg", refuse)
    report = tc.convert(recordings, tmp_path / "out", PLAN, workers=0)
    assert report.ok
    (found,) = [f for f in report.findings if f.code == "card-cameras"]
    assert found.severity == "warning"
    assert "no picture today" in found.message
    assert not (tmp_path / "out" / SHEET).exists()
    assert "![" not in (tmp_path / "out/README.md").read_text()
    assert not list((tmp_path / "out/meta/telecine").glob("*.new"))
    edited = tc.edit(tmp_path / "out", tmp_path / "edited", delete="0")
    assert edited.ok
    assert "card-cameras" in {f.code for f in edited.findings}


def test_a_process_that_dies_of_it_is_a_finding_too(tmp_path):
    (found,) = draw_by(lambda fn, items, tell: iter([Lost(item, "it was killed") for item in items]), tmp_path)
    assert "it was killed" in found.message
