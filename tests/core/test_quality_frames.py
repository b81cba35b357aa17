"""Defects planted in the frames of episodes, each found in its rows, and none in what is sound."""

from dataclasses import replace

import numpy as np
import pytest

from telecine.core.findings import Finding
from telecine.core.quality.camera_checks import (
    CameraSamples,
    Shown,
    camera_findings,
    rows_between,
    seen_pairs,
    suspects,
)
from telecine.core.quality.compare_cameras import camera_comparisons, facts_of_camera, joined_cameras
from telecine.core.quality.explained import without_explained
from telecine.core.quality.frame_facts import frame_facts, reduced_to_means

COUNT, STEP = 60, 10
TOP, WRIST = "observation.images.top", "observation.images.wrist"


def texture(seed, size=(96, 128)):
    """A background of wide stripes with fine lines in them."""
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.uniform(60, 180, (1, size[1] // 16)), np.ones((size[0], 16)))
    lines = np.where(np.arange(size[1]) % 7 == 0, 40, 0)
    return np.clip(coarse + lines, 0, 255).astype(np.uint8)


def film(seed=0, count=COUNT, scene=0):
    """(count, 96, 128) uint8: an arm, which is a bright block, moves over a background."""
    rng = np.random.default_rng(seed)
    speed, start = rng.uniform(0.7, 1.3), rng.uniform(0, 20)
    frames = np.repeat(texture(scene)[None], count, axis=0)
    for row in range(count):
        x = int(start + speed * row * 80 / count)
        frames[row, 20 + int(10 * np.sin(row / 9 + seed)) :, x : x + 20][:40] = 250
    return frames


def blurred(frame):
    made = frame.astype(float)
    for axis in (0, 1):
        made = sum(np.roll(made, k, axis) for k in range(-4, 5)) / 9
    return made.astype(np.uint8)


def samples_of(frames, motion=0.01):
    rows = sorted({*range(0, len(frames), STEP), 1, len(frames) - 1})
    moved = None if motion is None else np.diff(rows) * motion
    return CameraSamples(2, TOP, np.array(rows), frame_facts([frames[r] for r in rows]), moved)


def found(frames, motion=0.01):
    samples = samples_of(frames, motion)
    listed = suspects(samples)
    between = rows_between(samples, listed)
    fine = frame_facts([frames[r] for r in between]) if between else None
    return [(f.code, f.rows) for f in camera_findings(samples, listed, between, fine)]


def spoiled(change, start=14, stop=41, seed=0):
    frames = film(seed)
    frames[start:stop] = [change(frame) for frame in frames[start:stop]]
    return frames


def torn(frame):
    made = frame.copy()
    made[40:] = 10
    return made


def shifted(frame):
    made = frame.copy()
    made[39:] = 255 - np.roll(frame[39:], 50, axis=1)
    return made


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_found_in_frames_of_motion(seed):
    assert found(film(seed, scene=seed)) == []
    assert found(film(seed), motion=None) == []


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("look-dark", np.zeros_like),
        ("look-white", lambda frame: np.full_like(frame, 254)),
        ("look-dim", lambda frame: (frame * 0.2).astype(np.uint8)),
        ("look-blurred", blurred),
        ("look-torn", torn),
        ("look-torn", shifted),
    ],
)
def test_stretches_are_found_to_the_row(code, change):
    assert found(spoiled(change)) == [(code, (14, 41))]
    assert found(spoiled(change, 37, 60)) == [(code, (37, 60))]


def test_a_frozen_stretch_is_found_to_the_row():
    frames = film()
    frames[14:45] = frames[14]
    assert found(frames) == [("look-frozen", (14, 45))]
    assert found(frames, motion=0.0) == [], "the robot stands still"
    assert found(frames, motion=None) == [], "nobody knows whether it moves"


def test_a_whole_episode_is_found_without_rows_between():
    still = np.repeat(film()[:1], COUNT, axis=0)
    assert found(still) == [("look-frozen", (0, COUNT))]
    assert found(still, motion=None) == [("look-frozen", (0, COUNT))]
    assert found(still, motion=0.0) == []
    assert found(np.zeros_like(still)) == [("look-dark", (0, COUNT))]
    alone = CameraSamples(0, TOP, np.array([0]), frame_facts([still[0]]), np.array([]))
    assert suspects(alone) == []


def test_light_that_changes_slowly_is_no_finding():
    frames = film()
    fade = np.concatenate([np.linspace(1, 0.3, 30), np.linspace(0.3, 1, 30)])
    frames = (frames * fade[:, None, None]).astype(np.uint8)
    assert found(frames) == []


def episodes(count=8, **changed):
    """Facts of both cameras in as many episodes; changed: e3=(top, wrist) films of episode 3."""
    cameras = {TOP: [], WRIST: []}
    rows = [*range(0, COUNT, STEP), COUNT - 1]
    rows.insert(1, 1)
    for number in range(count):
        films = changed.get(f"e{number}", (film(number), film(number + 50, scene=7)))
        for key, frames in zip(cameras, films, strict=True):
            cameras[key].append(facts_of_camera(rows, frame_facts([frames[r] for r in rows])))
    return {key: joined_cameras(parts) for key, parts in cameras.items()}


def compared(cameras, count=8):
    return [(f.code, f.episode, f.key) for f in camera_comparisons(cameras, range(count), [COUNT] * count)]


def test_nothing_is_found_between_sound_episodes():
    assert compared(episodes()) == []
    assert compared(episodes(1), 1) == []


def test_copies_exchanged_cameras_and_odd_episodes_are_found():
    assert compared(episodes(e5=(film(2), film(52, scene=7)))) == [("look-copy", 5, TOP)]
    assert compared(episodes(e3=(film(53, scene=7), film(3)))) == [("look-cameras", 3, TOP)]
    dim = (film(4) * 0.2).astype(np.uint8)
    assert compared(episodes(e4=(dim, film(54, scene=7)))) == [("look-dim", 4, TOP)]
    soft = np.stack([blurred(frame) for frame in film(4)])
    assert compared(episodes(e4=(soft, film(54, scene=7)))) == [("look-blurred", 4, TOP)]
    odd = {f"e{i}": ((film(i) * 0.2).astype(np.uint8), film(i + 50, scene=7)) for i in range(4)}
    assert compared(episodes(**odd)) == [], "two usual kinds of light"


def test_an_episode_in_which_only_a_small_thing_lies_elsewhere_is_no_copy():
    other = film(2)
    other[:, 70:72, 100:102] += 40
    assert compared(episodes(e5=(film(2), film(55, scene=7)))) == [("look-copy", 5, TOP)]
    assert compared(episodes(e5=(other, film(55, scene=7)))) == []


def test_cameras_upside_down_mirrored_or_fading_are_found():
    for turned in (film(4)[:, ::-1, ::-1], film(4)[:, :, ::-1]):
        assert compared(episodes(e4=(turned, film(54, scene=7)))) == [("look-cameras", 4, TOP)]
    (said,) = camera_comparisons(episodes(e4=(film(4)[:, ::-1, ::-1], film(54, scene=7))), range(8), [COUNT] * 8)
    assert said.message == "the camera is rotated 180 degrees, beside most episodes"
    fading = (film(4) * np.linspace(1, 0.2, COUNT)[:, None, None]).astype(np.uint8)
    assert compared(episodes(e4=(fading, film(54, scene=7)))) == [("look-dim", 4, TOP)]
    all_fade = {
        f"e{i}": ((film(i) * np.linspace(1, 0.2, COUNT)[:, None, None]).astype(np.uint8), film(i + 50, scene=7))
        for i in range(8)
    }
    assert compared(episodes(**all_fade)) == [], "a lamp that is part of the task"
    assert compared(episodes(3, e1=(film(1)[:, ::-1, ::-1], film(51, scene=7))), 3) == [], (
        "too few to say what is usual"
    )


@pytest.mark.parametrize("side", ["right", "upper"])
def test_frames_of_which_a_half_is_lost_are_torn(side):
    frames = film()
    half = (slice(None), slice(66, None)) if side == "right" else (slice(None, 50), slice(None))
    frames[14:41][(slice(None), *half)] = 30
    assert found(frames) == [("look-torn", (14, 41))]


def test_frames_of_noise_are_torn():
    frames = film()
    frames[14:41] = np.random.default_rng(0).integers(0, 256, (27, 96, 128))
    assert found(frames) == [("look-torn", (14, 41))]


@pytest.mark.parametrize("cell", [2, 4])
def test_a_pattern_that_is_seen_from_afar_and_then_from_near_is_not_torn(cell):
    near = (128 + 90 * np.sin(np.arange(128) / 6))[None] * np.ones((96, 1))
    far = np.kron(np.random.default_rng(0).integers(60, 200, (49, 65)), np.ones((cell, cell)))[1:97, 1:129]
    share = np.clip((np.arange(COUNT) - 15) / 8, 0, 1)[:, None, None]
    frames = ((1 - share) * far + share * near).astype(np.uint8)
    frames[:] = [np.roll(frame, 11 * row, axis=1) for row, frame in enumerate(frames)]
    detail = frame_facts(list(frames)).detail
    assert detail[0] > 4 * np.median(detail)
    assert [code for code, _ in found(frames) if code == "look-torn"] == []


def test_a_first_frame_of_the_episode_before_is_found():
    first = film(5)
    first[0] = film(4)[-1]
    cameras = episodes(e5=(first, film(55, scene=7)))
    assert compared(cameras) == [("look-first-frame", 5, TOP)]
    apart = camera_comparisons(cameras, [*range(5), 7, 8, 9], [COUNT] * 8)
    assert list(apart) == [], "the episode before could not be read"


def test_cameras_of_other_sizes_are_not_compared():
    rows = [0, 1, 59]
    parts = [facts_of_camera(rows, frame_facts(list(film()[rows][:, :size]))) for size in (96, 48)]
    assert joined_cameras(parts) is None
    small = frame_facts([np.zeros((30, 30), np.uint8), np.zeros((30, 30), np.uint8)])
    wide = facts_of_camera([0, 1], small)
    assert wide.mean.shape == (1, 12, 15)
    tall = facts_of_camera([0, 1], frame_facts([np.zeros((16, 20), np.uint8)] * 2))
    both = {TOP: joined_cameras([wide] * 4), WRIST: joined_cameras([tall] * 4)}
    assert list(camera_comparisons(both, range(4), [2] * 4)) == []


@pytest.mark.parametrize("size", [(37, 41), (240, 320), (1080, 1920)])
def test_frames_are_reduced_to_means(size):
    grey = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    small = reduced_to_means(grey)
    (height, width), factor = small.shape, max(round(min(size) / 60), 2)
    whole = grey[: height * factor, : width * factor].reshape(height, factor, width, factor)
    np.testing.assert_allclose(small, whole.mean(axis=(1, 3)), atol=1e-4)
    assert len(frame_facts([grey[:, :3], grey[:, :3]])) == 2, "frames of a few pixels too"


def test_facts_of_some_episodes_are_theirs():
    own = episodes(3)[TOP]
    assert own.of([0, 2]).brightness.tolist() == own.brightness[[0, 2]].tolist()


def test_one_defect_is_one_finding():
    def finding(code, key=None, rows=(0, 10), episode=1):
        return Finding(code, "warning", "e", "m", episode=episode, key=key, rows=rows)

    spike, far = finding("look-spikes", "a", (3, 4)), finding("look-range", "a", (3, 4))
    assert without_explained([far, spike]) == [spike]
    other = finding("look-range", "b", (3, 4))
    assert without_explained([other, spike]) == [other, spike]
    apart = finding("look-range", "a", (5, 6))
    assert without_explained([apart, spike]) == [apart, spike]
    unplaced = finding("look-range", "a", None)
    assert without_explained([unplaced, spike]) == [spike]
    copy, frames = finding("look-copy"), finding("look-copy", TOP)
    assert without_explained([copy, frames]) == [copy]
    assert without_explained([frames]) == [frames]
    short = finding("look-short", None, (0, 10))
    unmoved = [finding(code, "a", (0, 10)) for code in ("look-dead", "look-gripper")]
    assert without_explained([*unmoved, short]) == [short], "it was over before they could move"


def shown_by(others):
    """What the camera showed in other episodes: (motion, change, where it changes most) of each pair."""
    motion, change, spot = (np.array(column, float) for column in zip(*others, strict=True))
    return Shown(np.full(len(motion), 9), np.arange(len(motion)), motion, change, spot)


def test_a_camera_that_stands_is_told_only_where_others_show_such_motion():
    frames = film()
    frames[14:45] = frames[14]
    samples = samples_of(frames)
    moving = shown_by([(0.1, 5, 120)] * 6)
    assert [s.kind for s in suspects(replace(samples, shown=moving))] == ["frozen"]
    hidden = shown_by([(0.1, 5, 120)] * 3 + [(0.1, 0.1, 2)] * 3)
    assert suspects(replace(samples, shown=hidden)) == [], "the other arm moves, which this camera does not show"
    still = samples_of(np.repeat(film()[:1], COUNT, axis=0))
    assert [s.kind for s in suspects(replace(still, shown=moving))] == ["frozen"]
    assert suspects(replace(still, shown=hidden)) == []
    assert [s.kind for s in suspects(replace(still, shown=shown_by([(9, 5, 120)])))] == ["frozen"], "nothing to compare"


def test_something_flat_that_leaves_the_lower_edge_is_not_torn():
    frames = film()
    for row in range(COUNT):
        frames[row, max(96 - 2 * row, 40) :] = 130
    tops = [int(np.flatnonzero((f[:, 0] == 130) & (f[:, 70] == 130))[0]) if row else 96 for row, f in enumerate(frames)]
    assert tops == sorted(tops, reverse=True)
    assert not [f for f in found(frames) if f[0] == "look-torn"]


def covered(row, frame):
    """Something grey comes in from below, as a hand does, stays, and goes."""
    height = int(48 * np.clip(min(row - 14, 45 - row) / 8, 0, 1))
    made = frame.copy()
    made[96 - height :] = (90 + 20 * np.sin(np.arange(128) / 9)).astype(np.uint8)
    return made


def test_light_hands_and_noise_that_people_know_are_no_findings():
    frames = film()
    assert found(np.stack([covered(row, frame) for row, frame in enumerate(frames)])) == []
    assert found(spoiled(lambda frame: (frame * 0.7).astype(np.uint8), 20, 40)) == []
    noise = np.random.default_rng(0).normal(0, 4, frames.shape)
    noisy = np.clip(frames + noise, 0, 255).astype(np.uint8)
    assert found(noisy) == []
    noisy[14:45] = noisy[14]
    assert found(noisy) == [("look-frozen", (14, 45))]


def test_dark_rows_are_found_where_light_fades_too():
    level = np.interp(np.arange(COUNT), [10, 19, 30, 39], [1, 0.02, 0.02, 1])
    ((code, rows),) = found((film() * level[:, None, None]).astype(np.uint8))
    assert code == "look-dark"
    assert rows[0] in range(18, 22)
    assert rows[1] in range(29, 33)


def test_pairs_of_frames_that_are_black_or_white_show_nothing():
    frames = film(count=4)
    frames[1] = 0
    assert seen_pairs(frame_facts(list(frames))).tolist() == [False, False, True]
    frames[3] = 255
    assert not seen_pairs(frame_facts(list(frames))).any()
