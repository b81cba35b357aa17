"""What LeRobot logs to Rerun, and datasets that Rerun imported, come back with their names, order and rate."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import dataset, video
from support.pictures import draw_frame_id
from support.rrd import Vectors, Video, write_rrd
from telecine.conversion.pipeline import convert
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many

JOINTS = ("shoulder_pan.pos", "shoulder_lift.pos", "elbow_flex.pos", "wrist_flex.pos", "wrist_roll.pos", "gripper.pos")
N = 60
T = np.arange(N, dtype=np.int64) * 33_333_333 + 1_700_000_000_000_000_000

pytestmark = pytest.mark.usefixtures("rerun")


def proposed(paths: list[Path]) -> Any:
    return inspect_many(paths, proposing=partial(propose, task_text="pick")).proposal


def names_of(root: Path) -> dict[str, Any]:
    return {feature.key: feature.names for feature in Dataset(root).features}


def lerobot_log(path: Path, order: tuple[str, ...] = JOINTS, ident: str = "one") -> None:
    """As LeRobot's `log_rerun_data`: an entity per joint, observation first, then action, frame by frame."""
    from fractions import Fraction

    import av
    import rerun as rr

    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 30)
    stream = rr.RecordingStream("lerobot", recording_id=ident, send_properties=False)
    stream.save(str(path))
    for i, stamp in enumerate(T.tolist()):
        stream.set_time("real_time", timestamp=stamp / 1e9)
        for number, joint in enumerate(order):
            stream.log(f"observation.{joint}", rr.Scalars(number + i / 100))
            stream.log(f"action.{joint}", rr.Scalars(10 + number + i / 100))
        frame = av.VideoFrame.from_ndarray(draw_frame_id(i, 0, 0, 64, 48), format="rgb24").reformat(format="yuvj420p")
        frame.pts = i
        (packet,) = encoder.encode(frame) or [None]
        assert packet is not None
        stream.log("observation.front", rr.EncodedImage(contents=bytes(packet), media_type="image/jpeg"))
    stream.flush()
    stream.disconnect()


def test_lerobots_own_log_comes_back_with_its_names_in_its_order(tmp_path: Path) -> None:
    lerobot_log(tmp_path / "in.rrd")
    report = convert([tmp_path / "in.rrd"], tmp_path / "out", proposed([tmp_path]).plan)
    assert report.ok
    names = names_of(tmp_path / "out")
    assert names["action"] == names["observation.state"] == JOINTS
    assert "observation.images.front" in names
    rows = Dataset(tmp_path / "out").rows(0)
    assert rows["action"][0].as_py() == pytest.approx([10, 11, 12, 13, 14, 15], abs=0.02)


def test_recordings_that_log_joints_in_other_orders_are_sorted_by_name(tmp_path: Path) -> None:
    lerobot_log(tmp_path / "a.rrd")
    lerobot_log(tmp_path / "b.rrd", JOINTS[::-1], "two")
    plan = proposed([tmp_path]).plan
    taken = [take.stream.partition(":")[0] for take in next(f for f in plan.features if f.key == "action").sources]
    assert taken == [f"/action.{joint}" for joint in [*sorted(JOINTS[:-1]), "gripper.pos"]]


def test_numbers_in_names_count_by_value(tmp_path: Path) -> None:
    joints = {f"/action/joint_{i}": Vectors(T, np.full((N, 1), i)) for i in (10, 9, 1)}
    one = {f"/action/joint_{i}": joints[f"/action/joint_{i}"] for i in (9, 10, 1)}
    write_rrd(tmp_path / "a.rrd", joints, recording_id="a")
    write_rrd(tmp_path / "b.rrd", one, recording_id="b")
    plan = proposed([tmp_path]).plan
    assert [t.stream.partition(":")[0][-2:] for t in plan.features[0].sources] == ["_1", "_9", "10"]


@pytest.mark.parametrize("metadata", [True, False])
def test_a_dataset_that_rerun_imported_comes_back_with_its_rate(tmp_path: Path, metadata: bool) -> None:
    """Without the metadata of LeRobotReader, what the video states has to do."""
    import rerun as rr

    reader_class = getattr(pytest.importorskip("rerun.experimental"), "LeRobotReader", None)
    if reader_class is None:
        pytest.skip("needs rerun-sdk 0.38 or newer: LeRobotReader")
    dataset.write(
        tmp_path / "first",
        [dataset.episode(20, i, clips=dataset.two_cameras(tmp_path, 20, i)) for i in range(2)],
        fps=dataset.FPS,
    )
    reader = reader_class(tmp_path / "first")
    for number in reader.episodes():
        stream = rr.RecordingStream("imported", recording_id=f"episode_{number}", send_properties=False)
        (tmp_path / "in").mkdir(exist_ok=True)
        stream.save(str(tmp_path / "in" / f"{number}.rrd"))
        rr.send_chunks(reader.stream(number), recording=stream)
        if metadata:
            rr.send_chunks([reader.metadata()], recording=stream)
        stream.flush()
        stream.disconnect()
    proposal = inspect_many([tmp_path / "in"]).proposal
    assert proposal.missing == ()
    plan = proposal.plan
    assert (plan.clock.timeline, plan.clock.rate, plan.fps) == ("frame_index", str(dataset.FPS), dataset.FPS)
    assert convert([tmp_path / "in"], tmp_path / "out", plan).ok
    first, out = Dataset(tmp_path / "first"), Dataset(tmp_path / "out")
    assert [e.length for e in out.episodes] == [e.length for e in first.episodes]
    assert {k for k in names_of(tmp_path / "first") if "images" in k} <= names_of(tmp_path / "out").keys()
    for row in ("action", "observation.state"):
        assert out.rows(1)[row].to_pylist() == first.rows(1)[row].to_pylist()


def test_a_counter_of_another_name_or_videos_that_differ_need_a_rate(tmp_path: Path) -> None:
    packets = video.x264(N, gop=10)
    steps = {"step": np.arange(N)}
    write_rrd(tmp_path / "a.rrd", {"/action": Vectors(steps, np.zeros((N, 2))), "/cam": Video(steps, packets)})
    assert any("counts steps" in text for text in proposed([tmp_path]).missing)
