"""Defects of a few rows, rows that run backwards, grippers that mean the contrary: found in place, nowhere else."""

import numpy as np
import pytest

from core.test_quality_rows import FPS, motion, rows_of
from telecine.core.quality.brief_frames import Brief, brief_findings, brief_stretches, places
from telecine.core.quality.episode_rows import STATE, EpisodeNumbers
from telecine.core.quality.gripper_sense import gripper_findings
from telecine.core.quality.reversed_rows import reversed_findings
from telecine.core.quality.row_facts import facts_of
from telecine.core.quality.shifted_lines import shifted_frames
from telecine.core.quality.stillness import leaps_after, stuck_findings

PIXELS = (24, 32)


def scene(count=30, step=1.5, seed=0):
    """(count, height, width) of a pattern that moves a bit in each frame."""
    pattern = np.kron(np.random.default_rng(seed).uniform(40, 200, (12, 60)), np.ones((4, 4)))
    rows = np.arange(count)[:, None, None] * step
    columns = np.arange(PIXELS[1])[None, None, :] + rows
    whole, part = columns.astype(int), columns % 1
    line = np.arange(PIXELS[0])[None, :, None]
    return (pattern[line, whole] * (1 - part) + pattern[line, whole + 1] * part).astype(np.float32)


def packets(count=60):
    """(sizes, keys) of a camera that moves all the time, with a keyframe in five."""
    sizes = np.random.default_rng(0).integers(400, 500, count)
    keys = np.arange(count) % 5 == 0
    return np.where(keys, 2500, sizes), keys


def test_five_rows_that_stand_and_then_have_what_was_missed_are_stuck():
    state, action = motion()
    state[40:45], action[40:45] = state[40], action[40]
    (said,) = stuck_findings(rows_of(state, action))
    assert (said.key, said.rows) == (STATE, (40, 45))
    assert "exactly still for 0.2 s" in said.message


def with_an_arm_at_rest(values, width=8):
    """Beside elements of an arm that moves only in the last rows."""
    rest = np.zeros((len(values), width))
    rest[-10:] += np.arange(10)[:, None] * np.linspace(0.01, 0.02, width)
    return np.concatenate([rest, values], axis=1)


def test_one_arm_that_stands_for_five_rows_is_stuck_while_the_other_rests():
    state, action = (with_an_arm_at_rest(values) for values in motion(width=3))
    assert list(stuck_findings(rows_of(state, action))) == []
    state[40:45], action[40:45] = state[40], action[40]
    (said,) = stuck_findings(rows_of(state, action))
    assert said.rows == (40, 45)


def test_rows_of_one_arm_that_run_backwards_are_found_while_the_other_rests():
    state, action = (with_an_arm_at_rest(values) for values in motion(width=3))
    assert list(reversed_findings(rows_of(state, action))) == []
    for values in (state, action):
        values[30:60] = values[30:60][::-1].copy()
    (said,) = reversed_findings(rows_of(state, action))
    assert said.rows == (30, 60)


def test_a_robot_that_stops_for_five_rows_and_goes_on_from_there_is_not_stuck():
    state, action = motion()
    waits = [np.concatenate([v[:40], np.repeat(v[39:40], 5, axis=0), v[40:]]) for v in (state, action)]
    assert list(stuck_findings(rows_of(*waits))) == []


@pytest.mark.parametrize("seed", range(10))
def test_rows_that_run_backwards_are_found(seed):
    state, action = motion(seed=seed, width=6)
    assert list(reversed_findings(rows_of(state, action))) == []
    for values in (state, action):
        values[30:60] = values[30:60][::-1].copy()
    (said,) = reversed_findings(rows_of(state, action))
    assert said.rows == (30, 60)


def test_angles_that_begin_anew_after_a_turn_do_not_run_backwards():
    time = np.arange(120)[:, None] / FPS
    turning = (time * [4.0, 4.1] + 1) % (2 * np.pi)
    assert list(reversed_findings(rows_of(turning))) == []
    assert list(reversed_findings(rows_of(np.zeros((10, 2))))) == []


def test_commands_that_are_on_or_off_do_not_run_backwards():
    row = np.arange(120)
    on = row // 20 % 2
    switched = np.stack([2 * on, 2 - 2 * on, np.sin(row * 2 * np.pi / 40)], axis=1)
    assert list(reversed_findings(rows_of(switched))) == []


def test_values_that_stand_aside_for_a_while_or_are_of_no_robot_do_not_run_backwards():
    state, _ = motion(width=6)
    aside = state.copy()
    aside[30:60] += 5
    assert list(reversed_findings(rows_of(aside))) == []
    light = EpisodeNumbers(3, FPS, {"light": state}, {"light": tuple("abcdef")})
    assert list(reversed_findings(light)) == []


def grippers(change=None, tasks=("pick",) * 8):
    """What is said of eight episodes that open and close; change(number, values) one in place."""
    values = []
    for number in range(8):
        course = np.clip(np.linspace(3, -2, 60) + 0.1 * number, 0, 1)
        both = np.stack([np.linspace(0, 1, 60), course], axis=1)
        if change:
            change(number, both)
        values.append(both)
    facts = facts_of({STATE: np.concatenate(values)}, np.arange(8), np.full(8, 60), FPS)
    return [
        (f.code, f.episode, f.key) for f in gripper_findings(facts, {STATE: ("arm", "gripper")}, [(t,) for t in tasks])
    ]


@pytest.mark.parametrize("turn", [lambda v: 1 - v, np.negative], ids=["range", "sign"])
def test_a_gripper_of_the_contrary_sense_is_found_within_its_task(turn):
    def change(number, values):
        if number == 5:
            values[:, 1] = turn(values[:, 1])

    assert grippers() == []
    assert grippers(change) == [("look-gripper", 5, STATE)]
    other = ("pick",) * 5 + ("put back",) + ("pick",) * 2
    assert grippers(change, other) == []


def test_a_contrary_gripper_that_closes_on_nothing_is_found_beside_others_that_hold_something():
    def change(number, values):
        values[:, 1] = 1 - values[:, 1] if number == 5 else np.maximum(values[:, 1], 0.5)

    def closes(number, values):
        if number != 5:
            values[:, 1] = np.maximum(values[:, 1], 0.5)

    def often(number, values):
        change(number, values)
        if number in (2, 3):
            values[:, 1] = 2 * values[:, 1] - 1

    assert grippers(change) == grippers(often) == [("look-gripper", 5, STATE)]
    assert grippers(closes) == [], "it closes on nothing, and means what it means elsewhere"


def test_grippers_that_differ_anyway_say_nothing():
    assert grippers(lambda number, v: v[:, 1].__setitem__(slice(None), v[::-1, 1] if number % 2 else v[:, 1])) == []


def test_grippers_that_never_move_say_nothing():
    assert grippers(lambda number, v: v[:, 1].fill(0.5)) == []


def test_packets_say_where_a_frame_stands_or_is_unlike_the_others():
    sizes, keys = packets()
    path = np.arange(60.0)
    assert places(sizes, keys, FPS, path) == []
    stands, flashes = sizes.copy(), sizes.copy()
    stands[21:25] = 30
    stands[26] = 700
    flashes[33:35] = 1600
    assert places(stands, keys, FPS, path) == [(15, 30)]
    assert places(stands, keys, FPS, None) == places(stands, keys, FPS, np.minimum(path, 20)) == []
    assert [a <= 33 < b for a, b in places(flashes, keys, FPS, path)] == [True, True]
    assert places(sizes[:5], keys[:5], FPS, path[:5]) == []
    around_a_key = sizes.copy()
    around_a_key[[19, 21, 22, 23]] = 300, 12, 12, 700
    assert [a <= 20 and b >= 23 for a, b in places(around_a_key, keys, FPS, path)] == [True]
    flashes[31:40] = 1600  # a scene that has become richer
    assert places(flashes, keys, FPS, path) == []


def test_a_frame_that_stands_and_a_flash_are_found_to_the_row():
    small = scene()
    assert brief_stretches(small) == []
    stands = small.copy()
    stands[12:17] = small[12]
    assert brief_stretches(stands) == [Brief("frozen", 12, 17)]
    for long in (1, 2):
        flash = scene(step=0.5) / 2
        flash[14 : 14 + long] += 90
        assert brief_stretches(flash) == [Brief("flash", 14, 14 + long)]


def test_a_camera_that_stops_or_lights_that_go_on_are_no_defect():
    small = scene()
    waits = np.concatenate([small[:12], np.repeat(small[12:13], 5, axis=0), small[12:]])
    assert brief_stretches(waits) == brief_stretches(small[:6]) == []
    lit = scene(step=0.5) / 2
    lit[14:] += 60
    lit[14] += 60
    assert brief_stretches(lit) == []


def test_steps_near_the_ends_leap_after_nothing():
    assert not leaps_after(np.ones((20, 2)), 2, 4).any()


def test_what_is_told_already_and_what_a_slow_camera_does_are_not_told():
    small, path = scene(), np.arange(30.0)

    def said(frames, told=()):
        found = brief_findings((3, "camera"), range(30), frames, path=path, told=told)
        return [(f.code, f.rows, f.message) for f in found]

    stands = small.copy()
    stands[12:17] = small[12]
    text = "frozen: one frame stands for 5 rows, then what was missed comes at once"
    assert said(stands) == [("look-frozen", (12, 17), text)]
    assert said(stands, [(10, 20)]) == []
    flash = small / 2
    flash[14] += 90
    assert said(flash) == [("look-flash", (14, 15), "a flash: one row unlike those before and after, which are alike")]


def test_lower_lines_that_stand_aside_are_found_where_a_camera_stands():
    small = np.repeat(scene(1), 12, axis=0)
    assert not shifted_frames(small, small).any()
    torn = small.copy()
    torn[4:7, 12:] = np.roll(small[4:7, 12:], 4, axis=2)
    assert np.flatnonzero(shifted_frames(torn, torn)).tolist() == [4, 5, 6]
    moved = small.copy()
    moved[4:7] = np.roll(small[4:7], 4, axis=2)
    assert not shifted_frames(moved, moved).any()
    assert not shifted_frames(scene(12), scene(12)).any()
