"""One episode that differs from the others, and episodes that do not."""

from dataclasses import replace

import numpy as np
import pytest

from core.test_quality_rows import FPS, motion
from telecine.core.quality.compare_rows import row_comparisons
from telecine.core.quality.episode_rows import ACTION, STATE
from telecine.core.quality.row_facts import facts_of, joined, lag_rows

COUNT, LENGTH = 10, 120
NAMES = dict.fromkeys((STATE, ACTION), ("pan", "lift", "elbow", "left_gripper"))
LEVELS = np.array([0.0, 3.0, -4.0, 8.0])
"""What joints are about, which tells them apart."""


def episodes(change=lambda state, action: None, at=6, count=COUNT, keys=(STATE, ACTION)):
    """The facts of ten episodes of smooth motion, one of them changed in place."""
    values = []
    for number in range(count):
        base = motion(LENGTH, seed=0)[0]
        shifted = motion(LENGTH, seed=number + 100)
        state, action = (0.7 * base + 0.3 * part + LEVELS for part in shifted)
        state, action = state.copy(), action + 0
        action[:-2], action[-2:] = state[2:], state[-1]
        if number == at:
            change(state, action)
        values.append({STATE: state, ACTION: action})
    numbers = np.arange(count)
    parts = [
        facts_of(
            {k: np.concatenate([v[k] for v in values[a:b]]) for k in keys}, numbers[a:b], np.full(b - a, LENGTH), FPS
        )
        for a, b in ((0, count // 2), (count // 2, count))
        if b > a
    ]
    return joined(parts)


def found(facts):
    return [(f.code, f.episode, f.key) for f in row_comparisons(facts, NAMES, FPS)]


def test_nothing_is_found_between_episodes_of_one_task():
    assert found(episodes()) == []
    assert found(episodes(count=2)) == []
    assert found(episodes(keys=(STATE,))) == []
    assert found(facts_of({}, np.arange(2), np.array([3, 4]), FPS)) == []


def test_a_copy_is_found_and_two_episodes_without_motion_are_none():
    other = episodes()
    doubled = joined(
        [other, facts_of({k: np.zeros((LENGTH, 4)) for k in (STATE, ACTION)}, np.array([10]), np.array([LENGTH]), FPS)]
    )
    assert not [f for f in found(doubled) if f[0] == "look-copy"]
    same = facts_of({STATE: np.tile(motion()[0], (2, 1))}, np.array([4, 7]), np.array([LENGTH, LENGTH]), FPS)
    assert found(same) == [("look-copy", 7, None)]


def test_a_dead_joint_and_a_gripper_are_found():
    def dead(state, action):
        state[:, 1] = state[0, 1]

    assert found(episodes(dead)) == [("look-dead", 6, STATE)]
    (said,) = row_comparisons(episodes(dead), NAMES, FPS)
    assert "lift: no motion here, though the action asks for it" in said.message
    assert found(episodes(dead, at=0, count=2)) == [("look-dead", 0, STATE)]

    def late(state, action):
        state[:, 3], action[:, 3] = state[0, 3], action[0, 3]
        action[-4:, 3] += 4

    assert found(episodes(late, at=0, count=2)) == [], "a command in the last rows, which nothing can follow yet"

    def gripper(state, action):
        state[:, 3] = action[:, 3] = state[0, 3]

    assert found(episodes(gripper)) == [("look-gripper", 6, STATE), ("look-gripper", 6, ACTION)]

    def still(state, action):
        state[:], action[:] = state[0], action[0]

    assert not [f for f in found(episodes(still)) if f[0] == "look-dead"], "that is idle"


def test_an_element_that_never_changes_is_information():
    facts = facts_of({STATE: np.column_stack([motion()[0], np.ones(120)])}, np.array([0]), np.array([120]), FPS)
    (said,) = row_comparisons(facts, {STATE: (*NAMES[STATE], "spare")}, FPS)
    assert (said.code, said.severity, said.message) == (
        "look-constant",
        "info",
        "no change in 1 episode: spare",
    )


def test_one_row_alone_is_not_constant():
    facts = facts_of({STATE: motion()[0][:1]}, np.array([0]), np.array([1]), FPS)
    assert list(row_comparisons(facts, NAMES, FPS)) == []


@pytest.mark.parametrize(
    ("factor", "meaning"), [(180 / np.pi, "degrees for radians"), (0.001, "mm for m"), (100, "percent")]
)
def test_other_units_are_found(factor, meaning):
    def units(state, action):
        state *= factor

    (said,) = [f for f in row_comparisons(episodes(units), NAMES, FPS) if f.code != "look-lag"]
    assert (said.code, said.episode, said.key) == ("look-units", 6, STATE)
    assert meaning in said.message


def test_another_order_is_found():
    def order(state, action):
        state[:] = state[:, [1, 0, 2, 3]]

    (said,) = [f for f in row_comparisons(episodes(order), NAMES, FPS) if f.code != "look-lag"]
    assert (said.code, said.episode) == ("look-order", 6)
    assert "pan looks like lift; lift looks like pan" in said.message

    def one_too_many(state, action):
        state[:] = state[:, [1, 0, 0, 3]]

    (said,) = [f for f in row_comparisons(episodes(one_too_many), NAMES, FPS) if f.code == "look-order"]
    assert "elbow" not in said.message

    def strange(state, action):
        state[:, :2] += 90

    assert "look-order" not in {code for code, *_ in found(episodes(strange))}


def test_joints_that_turn_to_the_other_side_are_not_exchanged():
    def turn(at, sides):
        values = []
        for number in range(COUNT):
            side = 1.0 if number == at else -1.0
            rise = np.sin(np.linspace(0, np.pi, LENGTH)) * (1 + 0.02 * number)
            column = np.array([side, -side, 3, 1]) if sides else np.array([-1, 1, 3, 1.0])
            values.append(rise[:, None] * column)
        facts = facts_of({STATE: np.concatenate(values)}, np.arange(COUNT), np.full(COUNT, LENGTH), FPS)
        return [f.code for f in row_comparisons(facts, NAMES, FPS) if f.code == "look-order"]

    assert turn(0, sides=True) == []
    assert turn(0, sides=False) == []


def test_a_lag_unlike_the_others_is_found():
    def late(state, action):
        state[12:] = state[:-12].copy()

    assert ("look-lag", 6, STATE) in found(episodes(late))


def test_a_range_far_outside_is_found_with_its_row():
    def far(state, action):
        state[50:60, 2] += np.sin(np.linspace(0, np.pi, 10)) * 90

    (said,) = [f for f in row_comparisons(episodes(far), NAMES, FPS) if f.code == "look-range"]
    assert (said.episode, said.key) == (6, STATE)
    assert said.rows[0] in (54, 55)
    below = row_comparisons(episodes(lambda state, action: np.negative(state, out=state)), NAMES, FPS)
    assert "look-range" in {f.code for f in below}

    def open_wide(state, action):
        state[50, 3] += 90

    assert "look-range" not in {code for code, *_ in found(episodes(open_wide))}


def test_two_ranges_far_outside_do_not_hide_each_other():
    def facts(far):
        values = np.concatenate([motion(LENGTH, seed=number)[0] for number in range(20)])
        for number, size in far.items():
            values[number * LENGTH + 40, 1] = size
        return facts_of({STATE: values}, np.arange(20), np.full(20, LENGTH), FPS)

    def ranges(far):
        return sorted((f.episode, f.rows) for f in row_comparisons(facts(far), NAMES, FPS) if f.code == "look-range")

    assert ranges({}) == []
    assert ranges({3: 400, 9: 400}) == [(3, (40, 41)), (9, (40, 41))]
    assert ranges({3: 90, 9: 4000}) == [(3, (40, 41)), (9, (40, 41))]
    assert ranges({3: 400, 9: 400, 12: 400}) == [], "a way of moving that several episodes have"


def test_a_joint_that_hardly_moves_may_once_move_a_bit():
    values = np.concatenate([motion(LENGTH, seed=number)[0] for number in range(20)])
    values[:, 1] *= 0.01
    values[7 * LENGTH + 40, 1] = 0.4
    facts = facts_of({STATE: values}, np.arange(20), np.full(20, LENGTH), FPS)
    assert not [f for f in row_comparisons(facts, NAMES, FPS) if f.code == "look-range"]


def test_the_lag_of_speeds_is_that_of_the_rows():
    state, action = motion(200)
    assert lag_rows(action, state, 30)[0] == pytest.approx(2, abs=0.3)
    assert lag_rows(state, action, 30)[0] == pytest.approx(-2, abs=0.3)
    assert np.isnan(lag_rows(np.ones_like(state), state, 30)).all(), "the action does not move"
    assert np.isnan(lag_rows(action[:40], state[:40], 30)).all(), "too short"
    assert np.isnan(lag_rows(np.random.default_rng(0).normal(size=state.shape), state, 30)).all(), "nothing in common"


def test_elements_that_rest_do_not_hide_the_lag():
    state, action = motion(200)
    shaking = np.random.default_rng(3).normal(size=(2, 200, 6))
    lag, *_ = lag_rows(np.hstack([action, shaking[0]]), np.hstack([state, shaking[1]]), 30)
    assert lag == pytest.approx(2, abs=0.3)


def test_units_of_half_of_the_episodes_are_found():
    values = [motion(LENGTH, seed=0)[0] + LEVELS * 0.1 for _ in range(8)]
    for number in (1, 3, 6, 7):
        values[number] = np.rad2deg(values[number])
    facts = facts_of({STATE: np.concatenate(values)}, np.arange(8), np.full(8, LENGTH), FPS)
    assert [(c, e) for c, e, _ in found(facts) if c == "look-units"] == [("look-units", n) for n in (1, 3, 6, 7)]


def test_an_action_that_stands_while_the_state_moves_is_dead():
    def stands(state, action):
        action[:] = action[0]

    assert [f for f in found(episodes(stands)) if f[0] in ("look-dead", "look-gripper")] == [("look-dead", 6, ACTION)]


def test_lags_that_fit_nearly_as_well_are_between_low_and_high():
    state, action = motion(200)
    lag, low, high = lag_rows(action, state, 30)
    assert low <= lag <= high
    assert high - low <= 4
    slow = np.cumsum(np.cumsum(np.random.default_rng(1).normal(size=(200, 4)), axis=0), axis=0)
    shaken = slow + 0.5 * np.abs(np.diff(slow, axis=0)).mean() * np.random.default_rng(2).normal(size=slow.shape)
    _, low, high = lag_rows(slow, shaken, 30)
    assert low <= 0 <= high
    assert high - low > 4, "speeds that change slowly, and much that the action does not say"


def test_an_episode_of_which_other_lags_fit_as_well_is_not_unlike():
    facts = episodes()
    for low, high, told in ((7.0, 9.0, True), (1.0, 14.0, False)):
        lags = facts.lag_rows.copy()
        lags[6] = 8.0, low, high
        assert found(replace(facts, lag_rows=lags)) == ([("look-lag", 6, STATE)] if told else [])


def test_keys_of_other_widths_are_left_out():
    one = facts_of({STATE: motion()[0]}, np.array([0]), np.array([120]), FPS)
    two = facts_of({STATE: motion(width=3)[0]}, np.array([1]), np.array([120]), FPS)
    assert joined([one, two]).keys == {}
