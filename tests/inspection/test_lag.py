"""`inspect --lag`: cameras after joints, joints after the action; and what cannot be told."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from support.motion import MS, joints
from support.pictures import to_jpeg
from telecine.cli.main import app
from telecine.core.grid import SECOND, Grid
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import propose
from telecine.core.quality.lag_estimate import lag_of
from telecine.core.recording import Image, MemoryStream, Recording, Ref, Schema
from telecine.inspection.lag import lag_in_recording, measure_lag, spread
from telecine.inspection.lag_row import LagRow, lag_findings, with_offsets
from telecine.run.executor import Lost

CLOCK, STATE, FRONT = "time", "observation.state", "observation.images.front"
SIZE = (96, 120)


def frame(values):
    """What a camera sees of joints: a few soft blocks, each where its joint is."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    rgb = np.full((*SIZE, 3), 60, np.float32) + 20 * np.sin(x / 5)[..., None]
    for number, value in enumerate(values[:4]):
        at = 60 + 18 * float(value)
        inside = np.clip(12 - np.abs(x - at), 0, 1) * (np.abs(y - 12 - 24 * number) < 9)
        rgb += inside[..., None] * 120
    return np.clip(rgb, 0, 255).astype(np.uint8)


def images(path, lag_ns, *, fps=30, jitter_ns=0, seed=0, drift=0.0):
    """(stamps, frames) of a camera whose stamps are late, off by chance, and drift by a part of the time."""
    rng = np.random.default_rng([seed, 3])
    taken = np.arange(path.times[0], path.times[-1], SECOND // fps)
    values = np.stack([np.interp(taken, path.times, column) for column in path.values.T], axis=1)
    late = lag_ns + (drift * (taken - taken[0])).astype(np.int64)
    stamps = np.sort(taken + late + rng.integers(-jitter_ns, jitter_ns + 1, len(taken)))
    return stamps.astype(np.int64), [Image(to_jpeg(frame(v), quality=4), "jpeg") for v in values]


def vector(name, path):
    schema = Schema("float64", (path.values.shape[1],))
    return MemoryStream(name, "vector", schema, {CLOCK: path.times}, path.values)


def camera(stamps, frames, **schema):
    return MemoryStream(
        "/front", "image", Schema("uint8", (*SIZE, 3), encoding="jpeg", **schema), {CLOCK: stamps}, frames
    )


def recording(*streams, rows=None, name="take"):
    return Recording(Ref("mem", name), {s.name: s for s in streams}, rows=rows)


def plan(**features):
    known = {STATE: "/joints", FRONT: "/front"}
    return make_plan({"fps": 30, "clock": {"timeline": CLOCK}, "features": known | features, "task": "move"})


def said(made, chosen, key=FRONT):
    """What one recording says of a feature."""
    answer = lag_in_recording(made, chosen)
    (stretches,) = (own for row, own in answer.rows if row.key == key)
    return lag_of({answer.label: stretches}, grain_ns=answer.grain_ns)


@pytest.mark.parametrize(("lag_ns", "fps"), [(130 * MS, 30), (-80 * MS, 15)])
def test_a_camera_is_late_by_what_its_stamps_are_late(lag_ns, fps):
    path = joints(4, seconds=8)
    made = recording(vector("/joints", path), camera(*images(path, lag_ns, fps=fps, jitter_ns=5 * MS)))
    lag = said(made, plan())
    assert lag.ms * MS == pytest.approx(lag_ns, abs=10 * MS)
    assert lag.interval_ms[0] <= lag_ns / MS <= lag.interval_ms[1]


def test_a_clock_that_drifts_over_a_recording_is_told():
    path = joints(9, seconds=40)
    made = recording(vector("/joints", path), camera(*images(path, 0, fps=15, drift=0.0025)))
    lag = said(made, plan())
    assert lag.drifts == {"take": pytest.approx(85, abs=25)}
    assert lag.ms == pytest.approx(50, abs=12)
    row = LagRow("/front", FRONT, STATE, lag.ms, lag.interval_ms, "", drifts=lag.drifts)
    (finding,) = lag_findings([row])
    assert (finding.code, finding.recording, finding.stream) == ("lag-drift", "take", "/front")


def test_only_stretches_of_a_long_recording_are_decoded():
    path = joints(2, seconds=400)
    stamps = np.arange(0, 399 * SECOND, SECOND // 30)
    asked = []

    class Asked(MemoryStream):
        def take(self, rows, clock):
            asked.extend(rows.tolist())
            return (Image(to_jpeg(np.zeros((16, 16, 3), np.uint8)), "jpeg") for _ in rows)

    made = Asked("/front", "image", Schema("uint8", (16, 16, 3), encoding="jpeg"), {CLOCK: stamps}, [])
    lag = said(recording(vector("/joints", path), made), plan())
    assert lag.why == "too little motion: the camera shows none"
    assert len(asked) < 8 * 8.1 * 30
    assert min(asked) < 50 * 30
    assert max(asked) > 350 * 30


def test_the_state_follows_the_action():
    path = joints(4, seconds=8)
    state = vector("/joints", type(path)(path.times + 60 * MS, path.values))
    made = recording(state, vector("/action", path), camera(*images(path, 0)[:2]))
    lag = said(made, plan(action="/action"), "action")
    assert lag.ms == pytest.approx(60, abs=3)


def test_an_action_of_other_elements_is_not_compared():
    path = joints(4, seconds=5)
    other = type(path)(path.times, path.values[:, :3])
    made = recording(vector("/joints", path), vector("/action", other), camera(*images(path, 0)))
    why = said(made, plan(action="/action"), "action").why
    assert why == "the action has 3 elements, observation.state has 6: they are not the same joints"


def test_without_a_state_cameras_are_compared_with_the_action():
    path = joints(4, seconds=8)
    chosen = make_plan(
        {"fps": 30, "clock": {"timeline": CLOCK}, "features": {"action": "/joints", FRONT: "/front"}, "task": "move"}
    )
    answer = lag_in_recording(recording(vector("/joints", path), camera(*images(path, 40 * MS))), chosen)
    ((row, stretches),) = answer.rows
    assert row.against == "action"
    assert lag_of({"a": stretches}).ms == pytest.approx(40, abs=10)


def test_several_streams_make_one_state_of_chosen_elements():
    path = joints(4, seconds=8)
    slow = type(path)(path.times[::3], path.values[::3, 3:])
    made = recording(vector("/joints", path), vector("/more", slow), camera(*images(path, 40 * MS)))
    chosen = plan(**{STATE: {"from": [{"stream": "/joints", "fields": [0, 1, 2]}, "/more"]}})
    assert said(made, chosen).ms == pytest.approx(40, abs=10)


def test_samples_that_are_no_numbers_are_left_out():
    path = joints(4, seconds=8)
    values = path.values.copy()
    values[5::50] = np.nan
    made = recording(vector("/joints", type(path)(path.times, values)), camera(*images(path, 40 * MS)))
    assert said(made, plan()).ms == pytest.approx(40, abs=10)


def test_rows_for_stamps_widen_the_interval():
    path = joints(4, seconds=8)
    streams = vector("/joints", path), camera(*images(path, 40 * MS, fps=15))
    own, rows = said(recording(*streams), plan()), said(recording(*streams, rows=Grid(0, 120, 15)), plan())
    assert rows.interval_ms[1] - rows.interval_ms[0] > own.interval_ms[1] - own.interval_ms[0]


def odd(kind):
    """A recording of which nothing can be said of the camera, and why not."""
    path = joints(4, seconds=5)
    stamps, frames = images(path, 0)
    still = type(path)(path.times, np.ones_like(path.values))
    match kind:
        case "depth":
            return recording(
                vector("/joints", path), camera(stamps, frames, unit="mm")
            ), "frames of depth are not compared"
        case "one frame":
            return recording(
                vector("/joints", path), camera(stamps[:1], frames[:1])
            ), "the camera has 1 frame, two are the least"
        case "apart":
            later = camera(stamps + 60 * SECOND, frames)
            return recording(
                vector("/joints", path), later
            ), "the camera has 1 frame while the joints are known, two are the least"
        case "no samples":
            none = MemoryStream("/joints", "vector", Schema("float64", (6,)), {CLOCK: stamps[:0]}, np.zeros((0, 6)))
            return recording(none, camera(stamps, frames)), "observation.state has no samples"
        case "static":
            fixed = MemoryStream("/joints", "vector", Schema("float64", (6,)), {}, np.zeros((1, 6)))
            return recording(fixed, camera(stamps, frames)), "observation.state does not change with time"
        case "damaged":
            return recording(vector("/joints", path), camera(stamps, [Image(b"no", "jpeg")] * len(frames))), "damaged"
        case "codec":
            video = MemoryStream(
                "/front", "video", Schema("uint8", (), encoding="mpeg4"), {CLOCK: stamps}, [b""] * len(stamps)
            )
            return recording(vector("/joints", path), video), "/front: mpeg4 video is not supported; supported: h264,"
        case "sizes":
            frames[7] = Image(to_jpeg(np.zeros((64, 64, 3), np.uint8)), "jpeg")
            return recording(vector("/joints", path), camera(stamps, frames)), "the frame size changes"
    return recording(vector("/joints", still), camera(stamps, frames)), "too little motion: the joints stand still"


@pytest.mark.parametrize(
    "kind", ["depth", "one frame", "apart", "no samples", "static", "damaged", "codec", "sizes", "joints still"]
)
def test_what_cannot_be_told_has_its_reason(kind):
    made, why = odd(kind)
    lag = said(made, plan())
    assert lag.ms is None
    assert why in lag.why


def test_an_action_without_samples_is_not_compared():
    path = joints(4, seconds=5)
    none = MemoryStream("/action", "vector", Schema("float64", (6,)), {CLOCK: path.times[:0]}, np.zeros((0, 6)))
    made = recording(vector("/joints", path), none, camera(*images(path, 0)))
    assert said(made, plan(action="/action"), "action").why == "action has no samples"


def test_at_most_24_recordings_are_looked_at_from_the_first_to_the_last():
    refs = [Ref("mem", f"{n}") for n in range(100)]
    chosen = spread(refs)
    assert (len(chosen), chosen[0], chosen[-1]) == (24, refs[0], refs[-1])
    assert spread(refs[:3]) == tuple(refs[:3])
    assert spread([]) == ()


def test_a_recording_whose_process_died_is_no_lag():
    proposal = propose([])
    proposal = type(proposal)(**{**{k: getattr(proposal, k) for k in proposal.__slots__}, "plan": plan()})
    (row,) = measure_lag(
        [Ref("mem", "a")], proposal, executor=lambda fn, items, tell: iter([Lost(i, "killed") for i in items])
    )
    assert (row.ms, row.why, row.text) == (None, "killed", "cannot tell: killed")


def test_a_recording_that_cannot_be_opened_is_no_lag(tmp_path):
    proposal = propose([])
    proposal = type(proposal)(**{**{k: getattr(proposal, k) for k in proposal.__slots__}, "plan": plan()})
    (row,) = measure_lag([Ref("hdf5", str(tmp_path / "none.hdf5"))], proposal)
    assert row.ms is None
    assert row.why


def test_without_a_plan_each_camera_says_what_is_missing():
    proposal = propose([])
    body = {"clock": {"timeline": "step"}, "features": {FRONT: "/front"}}
    proposal = type(proposal)(**{**{k: getattr(proposal, k) for k in proposal.__slots__}, "body": body})
    (row,) = measure_lag([], proposal)
    assert row.ms is None
    assert row.why == "; ".join(proposal.missing)


@pytest.mark.parametrize("task", [{}, {"task": "move"}])
def test_no_lag_depends_on_the_task(task):
    body = {"fps": 30, "clock": {"timeline": CLOCK}, "features": {STATE: "/joints", FRONT: "/front"}, **task}
    proposal = propose([])
    proposal = type(proposal)(**{**{k: getattr(proposal, k) for k in proposal.__slots__}, "body": body})
    (row,) = measure_lag([], proposal)
    assert (row.stream, row.why) == ("/front", "nothing could be read")


ROWS = (
    LagRow("/front", FRONT, STATE, 131.4, (120.0, 142.0), ""),
    LagRow("/wrist", "observation.images.wrist", STATE, 4.0, (-6.0, 14.0), ""),
    LagRow("/top", "observation.images.top", STATE, None, None, "too little motion"),
    LagRow("/action", "action", STATE, 60.0, (50.0, 70.0), ""),
)


def test_a_camera_gets_the_offset_that_takes_its_lag_away_and_nothing_else_does():
    features = {row.key: row.stream for row in ROWS} | {STATE: "/joints", FRONT: {"from": "/front", "limit": "none"}}
    body = {"fps": 30, "clock": {"timeline": CLOCK}, "features": features, "task": "move"}
    proposal = propose([])
    proposal = type(proposal)(
        **{**{k: getattr(proposal, k) for k in proposal.__slots__}, "body": body, "plan": make_plan(body)}
    )
    made = with_offsets(proposal, ROWS)
    assert made.body["features"] == features | {
        FRONT: {"from": {"stream": "/front", "offset": "-131ms"}, "limit": "none"}
    }
    (take,) = next(f for f in made.plan.features if f.key == FRONT).sources
    assert take.offset == -131 * MS
    assert made.comments[FRONT] == ("measured 131 ms (120 to 142) after observation.state; the offset takes that away",)


def test_an_episode_unlike_the_others_is_named_by_its_place():
    row = LagRow("/front", FRONT, STATE, 5.0, (0.0, 10.0), "", odd={"take_3": 160.0})
    (finding,) = lag_findings([row])
    assert (finding.code, finding.recording, finding.stream) == ("lag-unlike", "take_3", "/front")
    assert finding.message == "the lag of /front is 160 ms, in the other episodes 5 ms"
    row = LagRow(f"/{FRONT}", FRONT, STATE, 5.0, (0.0, 10.0), "", odd={"set#/episode_3": 160.0})
    (finding,) = lag_findings([row])
    assert (finding.episode, finding.key, finding.recording) == (3, FRONT, None)


def test_rows_read_as_sentences():
    assert ROWS[0].text == "+131 ms (+120 to +142) after observation.state"
    assert ROWS[2].text == "cannot tell: too little motion"
    assert ROWS[3].text == "observation.state follows after 60 ms (50 to 70)"
    assert ROWS[2].to_dict()["ms"] is None
    assert ROWS[0].to_dict()["interval_ms"] == [120.0, 142.0]


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("mujoco", "rerun")
def test_the_offset_of_the_plan_takes_the_lag_of_simulated_recordings_away(tmp_path):
    takes, file, out = tmp_path / "takes", tmp_path / "plan.yaml", tmp_path / "set"
    size = ("--size", "96x72", "--seconds", "5", "--episodes", "3")
    run("record", "sim", takes, "--as", "rrd", "--spoil", "lag=131ms", "--spoil", "jitter=5ms", *size)
    rows = {r["key"]: r for r in json.loads(run("inspect", takes, "--lag", "--json", "--plan", file))["lag"]}
    for key in (FRONT, "observation.images.wrist"):
        low, high = rows[key]["interval_ms"]
        assert low <= 131 <= high
        assert high - low <= 40
    assert f"offset: {-round(rows[FRONT]['ms'])}ms\n" in file.read_text(encoding="utf-8")
    run("convert", takes, out, "--plan", file)
    for row in json.loads(run("inspect", out, "--lag", "--json"))["lag"]:
        if row["key"] != "action":
            assert abs(row["ms"]) < 1000 / 30 / 2
    assert "/observation.images.front" in run("inspect", out, "--lag")
    assert "--lag --plan" in run("inspect", takes, "--lag")
