"""LeRobot reads what a conversion wrote: every row, every frame, in both of its decoders.

Frames carry their number and values their time, so a shift of one frame or one tick fails.
"""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from support.pictures import read_frame_id
from support.robot import ORIGIN_NS, Camera, jittered, mode_signal, robot_plan, write_robot
from telecine.conversion.pipeline import convert
from telecine.core.plan.model import make_plan

pytestmark = pytest.mark.usefixtures("rerun")
LENGTHS = (40, 55, 31)


def made(tmp_path, episodes, plan):
    """(report, root) of the converted recordings; `episodes` are lists of arguments to `write_robot`."""
    folder = tmp_path / "recordings"
    for number, (cameras, options) in enumerate(episodes):
        write_robot(folder / f"episode_{number:02d}.rrd", cameras, episode=number, **options)
    report = convert([folder], tmp_path / "dataset", make_plan(plan))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    return report, tmp_path / "dataset"


def picture_number(item, key):
    """(frame, episode, camera) that LeRobot's frame shows."""
    return read_frame_id(np.round(item[key].numpy().transpose(1, 2, 0) * 255).astype(np.uint8))


def check_rows(root, episodes, lerobot_dataset, *, fps=30):
    """Every row: the last sample and the last frame at or before its tick, found by plain search."""
    origins = pq.read_table(root / "meta" / "telecine" / "provenance.parquet").to_pylist()
    for backend in ("torchcodec", "pyav"):
        dataset = lerobot_dataset(root, backend)
        row = 0
        for number, ((cameras, _), origin) in enumerate(zip(episodes, origins, strict=True)):
            start = (origin["start_ns"] - ORIGIN_NS) / 1e9
            for i in range(origin["ticks"]):
                item, tick = dataset[row], start + i / fps
                assert (int(item["episode_index"]), int(item["frame_index"])) == (number, i)
                assert float(item["timestamp"]) == pytest.approx(i / fps, abs=1e-5)
                assert -2e-6 <= tick - float(item["observation.state"][0]) < 0.005 + 2e-6
                assert float(item["observation.state"][1]) == pytest.approx(
                    np.sin(float(item["observation.state"][0])), abs=1e-4
                )
                assert -2e-6 <= tick - float(item["action"][0]) < 0.02 + 2e-6
                for name, camera in cameras.items():
                    expected = shown_at(camera, tick)
                    assert picture_number(item, f"observation.images.{name}") == (expected, number, camera.ordinal)
                row += 1
        assert row == len(dataset)


def shown_at(camera, tick):
    """The number of the last frame stamped at or before the tick (1 us for rounding)."""
    stamps = np.asarray(camera.times if camera.stamps is None else camera.stamps) / 1e9
    order = np.argsort(stamps, kind="stable")
    position = int(np.flatnonzero(stamps[order] <= tick + 1e-6)[-1])
    numbers = range(len(stamps)) if camera.numbers is None else camera.numbers
    # The k-th stamp belongs to the k-th frame in display order, which is how `numbers` counts.
    return int(numbers[position]) % 65536


def one_to_one(store, **options):
    """Three episodes of different length, one camera that maps one frame to one row."""
    return [({"front": Camera(jittered(n, seed=n), store, **options)}, {}) for n in LENGTHS]


@pytest.mark.parametrize("store", ["x264", "x264-b", "x265", "av1"])
def test_copied_video_shows_each_row_its_own_picture(tmp_path, store, lerobot_dataset, conformance):
    episodes = one_to_one(store)
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert [c.copied for e in report.episodes for c in e.clips] == [True] * 3
    assert [e.rows for e in report.episodes] == list(LENGTHS)
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id", *(() if store == "x264" else ("--no-tools",)))


@pytest.mark.parametrize("store", ["jpeg", "png", "rgb24", "nv12"])
def test_encoded_pictures_show_each_row_its_own_picture(tmp_path, store, lerobot_dataset, conformance):
    episodes = one_to_one(store)
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert not any(c.copied for e in report.episodes for c in e.clips)
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id", *(() if store == "jpeg" else ("--no-tools",)))


@pytest.mark.parametrize(
    ("preset", "codec"), [("lerobot", "av1"), ("archive", "av1"), ("train", "hevc"), ("images", "png")]
)
def test_every_preset_shows_each_row_its_own_picture(tmp_path, preset, codec, lerobot_dataset, conformance):
    episodes = one_to_one("jpeg")
    video = {"preset": preset} if preset != "train" else {"preset": preset, "codec": codec, "crf": 32, "gop": 15}
    report, root = made(tmp_path, episodes, robot_plan("front", video=video))
    assert {c.codec for e in report.episodes for c in e.clips} == {codec}
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id", "--no-tools")


def test_two_cameras_with_different_phases_and_formats(tmp_path, lerobot_dataset, conformance):
    episodes = [
        (
            {
                "front": Camera(jittered(n, seed=n), "x264", ordinal=0),
                "wrist": Camera(jittered(n, seed=n + 9, start_s=0.511), "jpeg", ordinal=1),
            },
            {},
        )
        for n in LENGTHS
    ]
    report, root = made(tmp_path, episodes, robot_plan("front", "wrist"))
    assert [[c.copied for c in e.clips] for e in report.episodes] == [[True, False]] * 3
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--no-tools")


def early_cameras(store):
    """Joints start 15 frames after the camera, between its keyframes 10 and 20."""
    episodes = []
    for n in LENGTHS:
        times = jittered(n, seed=n)
        camera = Camera(times, store, numbers=np.arange(n) - 15)
        episodes.append(({"front": camera}, {"start_s": (times[14] + times[15]) / 2e9}))
    return episodes


@pytest.mark.parametrize("store", ["x264", "x264-b", "x265", "av1"])
def test_a_camera_that_starts_early_is_copied_from_its_next_keyframe(tmp_path, store, lerobot_dataset, conformance):
    episodes = early_cameras(store)
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert all(c.copied and c.preroll == 0 and "5 re-encoded" in c.why for e in report.episodes for c in e.clips)
    assert [e.rows for e in report.episodes] == [n - 15 for n in LENGTHS]
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id", *(() if store == "x264" else ("--no-tools",)))


def test_copy_always_keeps_the_pictures_before_the_first_row_without_loss(tmp_path, lerobot_dataset):
    episodes = early_cameras("x264")
    report, root = made(tmp_path, episodes, robot_plan("front", video={"copy": "always"}))
    assert all(c.copied and c.preroll == 5 for e in report.episodes for c in e.clips)
    check_rows(root, episodes, lerobot_dataset)


def test_a_camera_that_starts_late_shortens_the_episode(tmp_path, lerobot_dataset, conformance):
    episodes = [({"front": Camera(jittered(n, seed=n, start_s=1.2), "x264")}, {}) for n in LENGTHS]
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert [e.rows for e in report.episodes] == list(LENGTHS)
    assert all("align-trimmed" in {f.code for f in e.findings} for e in report.episodes)
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id", "--no-tools")


def test_a_dropped_frame_repeats_its_predecessor_and_shifts_nothing(tmp_path, lerobot_dataset, conformance):
    episodes = []
    for n in LENGTHS:
        kept = np.delete(np.arange(n), 17)
        episodes.append(({"front": Camera(jittered(n, seed=n)[kept], "jpeg", numbers=kept)}, {}))
    video = [({"front": Camera(c["front"].times, "x264")}, o) for c, o in episodes]
    for name, case in (("jpeg", episodes), ("x264", video)):
        report, root = made(tmp_path / name, case, robot_plan("front"))
        assert [e.rows for e in report.episodes] == list(LENGTHS)
        assert all(u.repeated == 1 for e in report.episodes for u in e.uses if u.key.endswith("front"))
        assert all(c.copied and "1 shown again" in c.why for e in report.episodes for c in e.clips) == (name == "x264")
        check_rows(root, case, lerobot_dataset)
        conformance(root, "--no-tools")


def test_two_pictures_with_one_stamp_count_as_the_last(tmp_path, lerobot_dataset):
    episodes = []
    for n in LENGTHS:
        stamps = jittered(n, seed=n)
        stamps[20] = stamps[21]
        episodes.append(({"front": Camera(stamps, "x264")}, {}))
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert all("align-duplicates" in {f.code for f in e.findings} for e in report.episodes)
    check_rows(root, episodes, lerobot_dataset)


def test_a_camera_of_2997_fps_does_not_drift_against_its_rows(tmp_path, lerobot_dataset):
    times = jittered(1100, fps=30_000 / 1001, jitter_ms=0)
    episodes = [({"front": Camera(times, "x264", gop=30)}, {})]
    report, root = made(tmp_path, episodes, robot_plan("front"))
    assert report.rows == pytest.approx(1100 * 1.001, abs=1.5)
    check_rows(root, episodes, lerobot_dataset)


@pytest.mark.parametrize("fps", [10, 50])
def test_rows_come_at_exactly_the_fps_asked_for(tmp_path, fps, lerobot_dataset):
    episodes = one_to_one("x264")
    report, root = made(tmp_path, episodes, robot_plan("front", fps=fps))
    assert [e.rows for e in report.episodes] == [pytest.approx(n * fps / 30, abs=1.5) for n in LENGTHS]
    check_rows(root, episodes, lerobot_dataset, fps=fps)


def test_following_the_camera_gives_one_row_a_picture(tmp_path, lerobot_dataset):
    episodes = one_to_one("x264")
    plan = robot_plan("front", clock={"follow": "/camera/front", "tolerance": 0.03, "keep": "measured_s"})
    report, root = made(tmp_path, episodes, plan)
    assert [e.rows for e in report.episodes] == list(LENGTHS)
    dataset = lerobot_dataset(root)
    row = 0
    for number, (cameras, _) in enumerate(episodes):
        times = cameras["front"].times
        for i in range(len(times)):
            item = dataset[row]
            assert picture_number(item, "observation.images.front")[:2] == (i, number)
            assert float(item["measured_s"]) == pytest.approx((times[i] - times[0]) / 1e9, abs=1e-6)
            assert 0 <= times[i] / 1e9 - float(item["observation.state"][0]) < 0.005 + 2e-6
            row += 1


def test_tasks_text_and_bool_features_arrive_as_they_were(tmp_path, lerobot_dataset, conformance):
    episodes = []
    for n in LENGTHS:
        stop = n / 30 + 0.8
        tasks = {0.2: "pick the cube", 1.0: "place it"}
        options = {"tasks": tasks, "stop_s": stop, "extra": mode_signal(stop)}
        episodes.append(({"front": Camera(jittered(n, seed=n), "x264")}, options))
    features = {"gripper_closed": {"from": "/gripper_closed", "dtype": "bool"}, "phase": "/phase"}
    _, root = made(tmp_path, episodes, robot_plan("front", features=features))
    info = json.loads((root / "meta" / "info.json").read_text())
    assert info["features"]["gripper_closed"]["dtype"] == "bool"
    dataset = lerobot_dataset(root)
    origins = pq.read_table(root / "meta" / "telecine" / "provenance.parquet").to_pylist()
    row = 0
    for origin in origins:
        start = (origin["start_ns"] - ORIGIN_NS) / 1e9
        for i in range(origin["ticks"]):
            item, tick = dataset[row], start + i / 30
            sample = int((tick - 0.2 + 1e-6) / 0.1)
            assert item["task"] == ("pick the cube" if tick < 1.0 else "place it")
            assert bool(item["gripper_closed"]) == bool(sample % 2)
            assert item["phase"] == f"phase {sample // 5}"
            row += 1
    check_rows(root, episodes, lerobot_dataset)
    conformance(root, "--frame-id")


def test_the_same_recordings_give_the_same_bytes(tmp_path):
    episodes = [({"front": Camera(jittered(20), "x264"), "wrist": Camera(jittered(20), "jpeg")}, {})]
    _, first = made(tmp_path, episodes, robot_plan("front", "wrist"))
    convert([tmp_path / "recordings"], tmp_path / "again", make_plan(robot_plan("front", "wrist")))
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    for name in files:
        assert (first / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name
