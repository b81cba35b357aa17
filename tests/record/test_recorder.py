"""The recorder: what is added is in the dataset, whole after every episode, whatever happens to the process."""

import json
import re
import threading

import numpy as np
import pytest

from support.pictures import draw_frame_id, read_frame_id
from telecine import Recorder
from telecine.core.errors import AlignError, DatasetError, PlanError, VideoError
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.inspection.dataset_frames import episode_frames
from telecine.video.live import LiveClip, clip_packets
from telecine.video.presets import video_settings

FRONT = "observation.images.front"


def values(number, episode=0):
    state = np.array([number, np.sin(number / 9)], np.float64)
    return {
        "observation.state": state,
        "action": state + 1,
        FRONT: draw_frame_id(number, episode, 0, 96, 64),
    }


def record(recorder, count=20, episode=0, success=None, task="lift"):
    recorder.start_episode(task)
    for number in range(count):
        recorder.add(number * 10**9 // recorder.fps, values(number, episode))
    return recorder.end_episode(success)


def test_the_dataset_is_whole_after_every_episode(tmp_path):
    with Recorder(tmp_path / "set", fps=20, robot_type="arm", names={"action": ["a", "b"]}) as recorder:
        for number, success in enumerate((True, False, None)):
            report = record(recorder, 20 + number, number, success, task=f"task {number % 2}")
            assert (report.index, report.rows) == (number, 20 + number)
            dataset = Dataset(tmp_path / "set")
            assert [e.length for e in dataset.episodes] == [20, 21, 22][: number + 1]
            assert [f for f in verify(tmp_path / "set") if f.severity == "error"] == []
    assert dataset.tasks == ("task 0", "task 1")
    assert dataset.robot_type == "arm"
    assert [dataset.rows(i).column("next.success")[-1].as_py() for i in range(3)] == [True, False, False]
    assert [row["outcome"] for row in dataset.provenance] == ["success", "failed", "unknown"]
    assert [row["success"] for row in dataset.provenance] == [True, False, None]
    assert next(c.names for c in dataset.features if c.key == "action") == ("a", "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


def test_every_row_has_the_values_and_the_picture_of_its_step(tmp_path):
    with Recorder(tmp_path / "set", fps=20) as recorder:
        record(recorder, 25, 3)
    dataset = Dataset(tmp_path / "set")
    states = np.array(dataset.rows(0).column("observation.state").to_pylist())
    assert states[:, 0].tolist() == list(range(25))
    assert [read_frame_id(p)[:2] for p in episode_frames(dataset, FRONT, 0, 25)] == [(i, 3) for i in range(25)]


def test_streams_at_rates_of_their_own_are_held_never_looked_ahead(tmp_path):
    rng = np.random.default_rng(1)
    taken = {"slow": [], "fast": []}
    with Recorder(tmp_path / "set", fps=30) as recorder:
        recorder.start_episode("lift")
        for time_ns in range(0, 2 * 10**9, 5_000_000):
            recorder.add(time_ns, {"observation.state": [time_ns / 1e9]})
            taken["fast"].append(time_ns / 1e9)
            if time_ns % 50_000_000 == 0:
                at = time_ns + int(rng.integers(0, 4_000_000))
                recorder.add(at, {"action": [at / 1e9]})
                taken["slow"].append(at / 1e9)
        recorder.end_episode()
    dataset = Dataset(tmp_path / "set")
    start = dataset.provenance[0]["start_ns"] / 1e9
    rows = dataset.rows(0)
    for key, stream in (("observation.state", "fast"), ("action", "slow")):
        for row, value in enumerate(rows.column(key).to_pylist()):
            tick = start + row / 30 + 1e-9
            assert value == pytest.approx(max(t for t in taken[stream] if t <= tick), abs=1e-6)


def test_lerobots_way_of_adding_frames(tmp_path):
    with Recorder(tmp_path / "set", fps=7) as recorder:
        for number in range(15):
            recorder.add_frame({**values(number), "task": "stack"})
        assert recorder.end_episode().rows == 15
    assert Dataset(tmp_path / "set").tasks == ("stack",)


def test_pictures_can_be_kept_without_loss(tmp_path):
    with Recorder(tmp_path / "set", fps=20, preset="images") as recorder:
        record(recorder, 6)
    shown = episode_frames(Dataset(tmp_path / "set"), FRONT, 0, 6)
    np.testing.assert_array_equal(shown[4], draw_frame_id(4, 0, 0, 96, 64))


def test_discarding_leaves_nothing(tmp_path):
    with Recorder(tmp_path / "set", fps=20, on_exit="discard") as recorder:
        recorder.start_episode("lift")
        recorder.add(0, values(0))
        recorder.discard_episode()
        recorder.discard_episode()
        assert not (tmp_path / "set").exists()
        record(recorder)
        recorder.start_episode("lift")
        recorder.add(0, values(0))
    assert len(Dataset(tmp_path / "set")) == 1


def test_an_episode_that_cannot_be_written_costs_only_itself_and_is_saved(tmp_path):
    with Recorder(tmp_path / "set", fps=20) as recorder:
        record(recorder)
        recorder.start_episode("lift")
        with pytest.raises(AlignError, match="nothing was added"):
            recorder.end_episode()
        recorder.start_episode("lift")
        for number in range(20):
            recorder.add(number * 50_000_000, {"action": values(number)["action"]})
        with pytest.raises(DatasetError, match=r"expected .* as in the first episode.*telecine convert"):
            recorder.end_episode()
        recorder.start_episode("lift")
        with pytest.raises(PlanError, match="even"):
            recorder.add(0, {FRONT: np.zeros((47, 63, 3), np.uint8)})
        recorder.discard_episode()
        record(recorder, 22)
        assert len(recorder.rejected) == 1
    assert [e.length for e in Dataset(tmp_path / "set").episodes] == [20, 22]


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({FRONT: np.zeros((4, 4), np.uint8)}, "expected uint8"),
        ({FRONT: np.zeros((4, 4, 3))}, "expected uint8"),
        ({"observation.images.depth": np.zeros((15, 17), np.uint16)}, "depth of 17x15 px cannot be stored"),
        ({"note": object()}, "expected numbers"),
        ({"action": [1.0, 2.0, 3.0]}, r"got float64 \(3,\), in the samples before float64 \(2,\)"),
        ({"action": "left"}, "got text"),
        ({"action": [0.0, float("nan")]}, "element 1 is nan"),
        ({"action": np.array([-np.inf, 0.0])}, "element 0 is -inf"),
    ],
)
def test_what_is_no_sample_is_refused_at_once(tmp_path, sample, said):
    with Recorder(tmp_path / "set", fps=20, on_exit="discard") as recorder:
        recorder.start_episode("lift")
        recorder.add(0, values(0))
        with pytest.raises(PlanError, match=said):
            recorder.add(1, sample)


def test_calls_out_of_order_say_what_is_missing(tmp_path):
    recorder = Recorder(tmp_path / "set", fps=20)
    for call in (lambda: recorder.add(0, {}), recorder.end_episode, lambda: recorder.add_frame({})):
        with pytest.raises(DatasetError, match="call start_episode first"):
            call()
    with pytest.raises(DatasetError, match="task is empty"):
        recorder.start_episode(" ")
    recorder.start_episode("lift")
    with pytest.raises(DatasetError, match="end or discard it first"):
        recorder.start_episode("lift")
    recorder.close()
    recorder.close()
    with pytest.raises(DatasetError, match="closed"):
        recorder.start_episode("lift")


def test_an_existing_dataset_is_appended_to_or_replaced_only_when_asked(tmp_path):
    with Recorder(tmp_path / "set", fps=20) as recorder:
        record(recorder)
    with pytest.raises(DatasetError, match=r'exists.*mode="append", or replace it with mode="overwrite"'):
        Recorder(tmp_path / "set", fps=20)
    with Recorder(tmp_path / "set", fps=20, mode="append") as recorder:
        record(recorder, 25)
    assert [e.length for e in Dataset(tmp_path / "set").episodes] == [20, 25]
    with Recorder(tmp_path / "set", fps=20, mode="overwrite") as recorder:
        assert len(Dataset(tmp_path / "set")) == 2
        record(recorder, 30)
        record(recorder, 31)
    assert [e.length for e in Dataset(tmp_path / "set").episodes] == [30, 31]
    with pytest.raises(DatasetError, match="no dataset to append to"):
        Recorder(tmp_path / "other", fps=20, mode="append")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fps": 30}, "it has fps=20, not 30"),
        ({"robot_type": "other"}, "it has robot_type='arm', not 'other'"),
        ({"names": {"action": ["a", "c"]}}, "it has action named a, b, not a, c"),
    ],
)
def test_options_that_no_episode_of_the_dataset_could_have_are_refused_before_one_is_recorded(tmp_path, options, said):
    with Recorder(tmp_path / "set", fps=20, robot_type="arm", names={"action": ["a", "b"]}) as recorder:
        record(recorder)
    with pytest.raises(DatasetError, match=re.escape(said)):
        Recorder(tmp_path / "set", mode="append", **{"fps": 20, **options})
    with Recorder(tmp_path / "set", fps=20, mode="append") as recorder:
        record(recorder)
    dataset = Dataset(tmp_path / "set")
    assert (len(dataset), dataset.info["robot_type"]) == (2, "arm")
    assert dataset.info["features"]["action"]["names"] == ["a", "b"]


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"action": [1.0, 2.0, 3.0]}, r"action: got float64 \(3,\), the dataset has float32 \(2,\)"),
        ({"action": [1, 2]}, r"action: got int64 \(2,\), the dataset has float32 \(2,\)"),
        ({FRONT: np.zeros((32, 64, 3), np.uint8)}, "the dataset has frames of"),
        ({"imu": [1.0]}, "imu: the dataset has no such feature, only observation.state, action"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_a_sample_that_the_dataset_cannot_take_is_refused_at_once(tmp_path, sample, said, again):
    recorder = Recorder(tmp_path / "set", fps=20)
    record(recorder)
    if again:
        recorder.close()
        recorder = Recorder(tmp_path / "set", fps=20, mode="append")
    recorder.start_episode("lift")
    with pytest.raises(PlanError, match=said):
        recorder.add(0, sample)
    recorder.discard_episode()
    record(recorder)
    recorder.close()
    assert len(Dataset(tmp_path / "set")) == 2


def test_a_full_queue_makes_the_caller_wait_and_drops_nothing(tmp_path):
    before = set(threading.enumerate())
    clip = LiveClip(FRONT, video_settings("train"), 30, str(tmp_path / "a.clip"), queued=1)
    for number in range(50):
        clip.add(draw_frame_id(number, 0, 0, 96, 64))
    clip.close()
    assert clip.frames == len(list(clip_packets(clip.path))) == 50
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("telecine")]


def test_an_encoder_that_dies_of_anything_lets_nobody_wait(tmp_path, monkeypatch):
    from telecine.video import live

    def dies(*args, **kwargs):
        raise MemoryError("no room")

    monkeypatch.setattr(live, "open_encoder", dies)
    clip = LiveClip(FRONT, video_settings("train"), 30, str(tmp_path / "a.clip"), queued=1)
    clip.add(draw_frame_id(0, 0, 0, 96, 64))
    with pytest.raises(VideoError, match="MemoryError: no room"):
        clip.close()
    with pytest.raises(VideoError, match="no room"):
        clip.add(draw_frame_id(1, 0, 0, 96, 64))


def test_a_clip_without_pictures_ends_quietly(tmp_path):
    LiveClip(FRONT, video_settings("train"), 30, str(tmp_path / "a.clip")).close()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"mode": "append_if"}, "mode: 'append_if' is not one of new, overwrite, append, append_or_create"),
        ({"on_exit": "ask"}, "on_exit: 'ask' is not one of keep, discard"),
        ({"when_behind": "sleep"}, "when_behind: 'sleep' is not one of spill, wait, drop"),
        ({"max_age": {"action": -1}}, "max_age: .*seconds above 0"),
        ({"max_age": float("nan")}, "max_age: .*seconds above 0"),
        ({"min_rows": 1.5}, "min_rows is 1.5"),
        ({"rates": {"imu": 0}}, "rates: .*no samples per second"),
        ({"how": {"action": "sometimes"}}, "features.action.how: 'sometimes' is not one of"),
        ({"missing": "hold"}, "missing: 'hold' is not one of trim, error"),
        ({"clock": {"nonsense": 1}}, "clock.nonsense: unknown key"),
        ({"video": {"observation.images.front": {"codec": "vp9"}}}, "'vp9' is not one of"),
    ],
)
def test_an_option_that_means_nothing_is_refused_when_the_recorder_is_made(tmp_path, option, said):
    with pytest.raises(PlanError, match=said):
        Recorder(tmp_path / "set", fps=30, **option)
    assert list(tmp_path.iterdir()) == []


def test_options_count_for_each_feature_by_itself(tmp_path):
    front, wrist = "observation.images.front", "observation.images.wrist"
    options = {
        "how": {"action": "linear"},
        "max_age": {wrist: 0.5},
        "video": {front: {"preset": "images"}, wrist: {"codec": "hevc"}},
        "clock": {"phase": "0s"},
        "names": {"action": ["x"]},
    }
    with Recorder(tmp_path / "set", fps=30, on_finding=lambda _: None, **options) as recorder:
        recorder.start_episode("lift")
        with pytest.raises(PlanError, match=r"action: 2 numbers, but 1 name for them \(x\)"):
            recorder.add(0, {"action": [1.0, 2.0]})
        for number in range(40):
            frame = np.full((48, 64, 3), number, np.uint8)
            values = {front: frame} if 20 < number < 30 else {front: frame, wrist: frame}  # 0.33 s
            recorder.add(number * 10**9 // 30, values | ({"action": [float(number)]} if number % 3 == 0 else {}))
        assert recorder.end_episode(strict=True).rows == 40
    dataset = Dataset(tmp_path / "set")
    assert dataset.rows(0).column("action").to_pylist() == pytest.approx(range(40), abs=1e-5)
    assert {c.key: (c.dtype, c.names) for c in dataset.features}["action"] == ("float32", ("x",))
    described = json.loads((tmp_path / "set/meta/info.json").read_text())["features"]
    assert (described[front]["dtype"], described[wrist]["info"]["video.codec"]) == ("image", "hevc")
