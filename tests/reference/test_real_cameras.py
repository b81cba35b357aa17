"""Cameras as they really are, converted and read by LeRobot: drift, jitter, lost frames, damage, odd starts."""

import json
from functools import cache

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.pictures import read_frame_id
from support.robot import ORIGIN_NS, Camera, jittered, robot_plan, write_robot
from telecine.conversion.cameras import prepare
from telecine.conversion.pipeline import convert
from telecine.core.plan.model import make_plan
from telecine.sources.registry import find
from telecine.sources.registry import open as open_recording

pytestmark = pytest.mark.usefixtures("rerun")
FRAME_S = 1 / 30
LONG = pytest.mark.long


def made(tmp_path, cameras, **video):
    """(report, root) of one recording per camera."""
    folder = tmp_path / "recordings"
    for number, camera in enumerate(cameras):
        write_robot(folder / f"episode_{number:02d}.rrd", {"front": camera}, episode=number)
    report = convert([folder], tmp_path / "dataset", make_plan(robot_plan("front", video=video)))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    return report, tmp_path / "dataset"


def numbers_shown(root, lerobot_dataset, backend):
    """[[number on the frame of each row] of each episode], by LeRobot's dataset."""
    dataset = lerobot_dataset(root, backend)
    shown = {}
    for row in range(len(dataset)):
        item = dataset[row]
        rgb = np.round(item["observation.images.front"].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
        number, episode, _ = read_frame_id(rgb)
        assert episode == int(item["episode_index"])
        shown.setdefault(episode, []).append(number)
    return [shown[i] for i in sorted(shown)]


def check(root, cameras, lerobot_dataset):
    """Every row of both decoders: a frame from before its tick, in order, at most half a tick older than held."""
    origins = pq.read_table(root / "meta" / "telecine" / "provenance.parquet").to_pylist()
    every = [numbers_shown(root, lerobot_dataset, backend) for backend in ("torchcodec", "pyav")]
    assert every[0] == every[1]
    for camera, origin, shown in zip(cameras, origins, every[0], strict=True):
        numbers = np.arange(len(camera.times)) if camera.numbers is None else np.asarray(camera.numbers)
        stamps = dict(zip(numbers.tolist(), (np.asarray(camera.times) / 1e9).tolist(), strict=True))
        ticks = (origin["start_ns"] - ORIGIN_NS) / 1e9 + np.arange(origin["ticks"]) * FRAME_S
        taken = np.array([stamps[number] for number in shown])
        held = np.array([max(t for t in stamps.values() if t <= tick + 1e-6) for tick in ticks])
        assert np.all(np.diff(taken) >= 0)
        assert np.all(taken <= ticks + 1e-6)
        assert np.all((ticks - taken <= 1.5 * FRAME_S + 1e-6) | (taken == held))


def pictures(report):
    return [c.pictures for e in report.episodes for c in e.clips]


@pytest.mark.parametrize("store", ["x264", pytest.param("x264-b", marks=LONG), pytest.param("av1", marks=LONG)])
def test_drifting_cameras_show_each_row_a_picture_of_its_time(tmp_path, store, lerobot_dataset, conformance):
    cameras = [
        Camera(jittered(45, fps=29.0, jitter_ms=6, seed=1), store),
        Camera(jittered(45, fps=31.0, jitter_ms=6, seed=2), store),
    ]
    report, root = made(tmp_path, cameras)
    check(root, cameras, lerobot_dataset)
    assert any(p.copied for p in pictures(report))
    assert sum(p.repeated for p in pictures(report)) > 0
    assert sum(p.left_out for p in pictures(report)) > 0
    conformance(root, *(() if store == "x264" else ("--no-tools",)))


@LONG
def test_lost_pictures_are_repeated_without_encoding(tmp_path, lerobot_dataset):
    kept = np.delete(np.arange(90), [13, 14, 40, 41, 42, 77])
    cameras = [Camera(jittered(90, seed=3)[kept], "x264"), Camera(jittered(90, seed=4)[kept], "x264", gop=30)]
    report, root = made(tmp_path, cameras)
    assert [(p.repeated, p.left_out, p.encoded) for p in pictures(report)] == [(6, 0, 0)] * 2
    check(root, cameras, lerobot_dataset)


@cache
def rows_of(times, folder):
    """The frame of each row that a dry run chooses."""
    path = folder / "dry.rrd"
    write_robot(path, {"front": Camera(np.array(times), "x264")})
    with open_recording(find([str(path)]).refs[0]) as recording:
        return prepare(recording, make_plan(robot_plan("front"))).cameras[0].rows.tolist()


def test_pictures_left_out_leave_each_row_its_own_picture(tmp_path, conformance):
    """Frames are numbered by the row that shows them, which is what the conformance check reads."""
    folder = tmp_path / "dry"
    folder.mkdir()
    cameras = []
    for seed in (5, 6):
        times = jittered(50, fps=30.9, jitter_ms=3, seed=seed)
        rows = rows_of(tuple(times.tolist()), folder)
        numbers = 60_000 + np.arange(50)
        numbers[rows] = np.arange(len(rows))
        cameras.append(Camera(times, "x264", numbers=numbers))
    report, root = made(tmp_path, cameras)
    assert all(p.left_out and p.copied for p in pictures(report))
    conformance(root, "--frame-id", "--no-tools")


def test_the_report_and_the_provenance_say_what_was_done(tmp_path):
    report, root = made(tmp_path, [Camera(jittered(70, fps=29.4, seed=1), "x264")])
    (clip,) = report.to_dict()["episodes"][0]["clips"]
    assert set(clip["pictures"]) == {
        "copied",
        "repeated",
        "left_out",
        "encoded",
        "shifted",
        "age_median_ns",
        "age_max_ns",
    }
    (origin,) = pq.read_table(root / "meta" / "telecine" / "provenance.parquet").to_pylist()
    assert origin["cameras"][0]["why"] == clip["why"]
    assert "shown again by skipped frames" in clip["why"]
    assert json.loads((root / "meta" / "info.json").read_text())["total_frames"] == report.rows
