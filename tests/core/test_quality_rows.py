"""Defects planted in the numbers of one episode, each found in its rows, and none in what is sound."""

import numpy as np
import pytest

from telecine.core.errors import PlanError
from telecine.core.quality.episode_rows import ACTION, STATE, EpisodeNumbers
from telecine.core.quality.jumps import clipped_findings, jump_findings, spike_findings
from telecine.core.quality.stillness import deaf_findings, repeated_findings, stuck_findings
from telecine.core.quality.stretches import named, usual_step
from telecine.core.quality.table import ALL, chosen
from telecine.core.quality.task_texts import spelling_findings, task_findings

CHECKS = (stuck_findings, deaf_findings, spike_findings, jump_findings, clipped_findings, repeated_findings)
FPS = 30


def motion(count=120, width=4, seed=0):
    """(state, action) of smooth motion with a bit of noise; the state is two rows behind the action."""
    rng = np.random.default_rng(seed)
    time = np.arange(count + 2)[:, None] / FPS
    path = sum(
        rng.normal(size=width) * np.sin(time * rng.uniform(1, 4, width) + rng.uniform(0, 6, width)) for _ in range(4)
    )
    return path[:-2] + rng.normal(size=(count, width)) * 1e-4, path[2:]


def rows_of(state, action=None, names=None):
    values = {STATE: state} if action is None else {STATE: state, ACTION: action}
    listed = names or tuple(f"joint_{i}" for i in range(state.shape[1]))
    return EpisodeNumbers(3, FPS, values, dict.fromkeys(values, listed))


def found(rows):
    return [(f.code, f.key, f.rows) for check in CHECKS for f in check(rows)]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_in_smooth_motion(seed):
    assert found(rows_of(*motion(seed=seed))) == []
    assert found(rows_of(motion(seed=seed)[0])) == []


def test_telemetry_that_stands_and_catches_up_is_one_finding():
    state, action = motion()
    state[40:70], action[40:70] = state[40], action[40]
    assert found(rows_of(state, action)) == [("look-stuck", STATE, (40, 70))]
    (said,) = stuck_findings(rows_of(state, action))
    assert said.message == "state and action stand exactly still for 1.0 s while the robot moves"
    assert said.episode == 3


def test_a_state_that_stands_to_the_end_while_the_action_moves_is_stuck():
    state, action = motion()
    state[80:] = state[80]
    assert found(rows_of(state, action)) == [("look-stuck", STATE, (80, 120))]


def test_an_action_that_stands_while_the_state_moves_is_stuck():
    state, action = motion()
    action[40:70] = action[40]
    assert found(rows_of(state, action)) == [("look-stuck", ACTION, (40, 70))]
    assert found(rows_of(action)) == [("look-stuck", STATE, (40, 70))], "it catches up"


def test_a_robot_that_waits_is_not_stuck():
    state, action = motion()
    wait = np.repeat(state[60:61], 30, axis=0)
    held = np.concatenate([state[:61], wait, state[61:]])
    asked = np.concatenate([action[:61], np.repeat(action[60:61], 30, axis=0), action[61:]])
    assert not [f for f in found(rows_of(held, asked)) if f[0] == "look-stuck"]


def test_numbers_that_come_at_a_lower_rate_are_not_stuck():
    state, action = motion(300)
    slow = np.repeat(state[::15], 15, axis=0)
    assert not [f for f in found(rows_of(slow, action)) if f[0] == "look-stuck"]


def test_a_gripper_that_holds_an_object_is_not_stuck():
    state, action = motion()
    state[50:], action[50:] = state[50], action[50]
    action[50:, 3] = np.linspace(action[50, 3], action[50, 3] - 3, 70)
    assert not [f for f in found(rows_of(state, action)) if f[0] == "look-stuck"]


@pytest.mark.parametrize("length", [1, 2])
def test_spikes_are_found_and_steps_are_none(length):
    state, action = motion()
    state[50 : 50 + length, 2] += 9
    assert found(rows_of(state, action)) == [("look-spikes", STATE, (50, 50 + length))]
    state, action = motion()
    action[50:, 2] += 9
    assert found(rows_of(state, action)) == [], "an action may be a step"


def test_a_switch_that_is_on_for_a_moment_is_no_spike():
    state, action = motion()
    state[:, 3], action[:, 3] = 0.0, 0.0
    state[50:52, 3] = action[50:52, 3] = 1.0
    assert found(rows_of(state, action)) == []


def test_a_push_that_another_element_confirms_is_no_spike():
    state, _ = motion()
    state[:, 1] = 0.01 * state[:, 0]
    state[50, 1] += 2
    assert found(rows_of(state)) == [("look-spikes", STATE, (50, 51))]
    state[:, 2] = np.cumsum(state[:, 1])
    assert not [f for f in found(rows_of(state)) if f[0] == "look-spikes"]
    other = np.column_stack([np.concatenate([[0], np.cumsum(state[:-1, 1])]), state[:, 3]])
    assert not [f for f in found(rows_of(other, state[:, [1, 3]])) if f[0] == "look-spikes"]


def test_a_jump_that_stays_is_found():
    state, action = motion()
    state[50:, 2] += 3
    assert found(rows_of(state, action)) == [("look-jump", STATE, (49, 51))]
    (said,) = jump_findings(rows_of(state, action))
    assert said.message == f"joint_2: from {state[49, 2]:.4g} to {state[50, 2]:.4g} within a row, to stay there"
    assert not list(jump_findings(EpisodeNumbers(0, FPS, {}, {})))
    assert not list(jump_findings(rows_of(state[48:53])))
    late = motion()[0]
    late[-1, 0] += 9
    assert not list(jump_findings(rows_of(late))), "nobody knows whether it stays"


def test_a_jump_that_the_action_asked_for_is_none():
    state, action = motion()
    state[50:, 2] += 3
    assert found(rows_of(state, action)) == [("look-jump", STATE, (49, 51))]
    action[48:, 2] += 3
    assert found(rows_of(state, action)) == []


def test_an_encoder_that_lost_a_turn_jumps_and_an_angle_within_one_does_not():
    state, _ = motion()
    state[:, 2] *= 0.2
    state[50:, 2] += 2 * np.pi
    assert found(rows_of(state)) == [("look-jump", STATE, (49, 51))]
    angle = np.linspace(2, 4, 120)
    state[:, 2] = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    assert found(rows_of(state)) == []


def test_a_joint_that_is_dead_from_some_row_on_is_found():
    state, action = motion()
    state[60:, 1] = state[60, 1]
    (said,) = deaf_findings(rows_of(state, action))
    assert (said.code, said.key, said.rows) == ("look-dead", STATE, (60, 120))
    assert said.message == "joint_1: no motion in the last 2.0 s, though the action asks for it"
    names = ("a", "gripper", "c", "d")
    assert not list(deaf_findings(rows_of(state, action, names))), "a gripper holds what it grasped"
    assert not list(deaf_findings(rows_of(state))), "nothing says that it should move"
    state[110:, 1] += 0.1
    assert not list(deaf_findings(rows_of(state, action))), "it was held up"
    action[60:, 1] = action[60, 1]
    state[60:, 1] = state[60, 1]
    assert not list(deaf_findings(rows_of(state, action))), "it was asked to stand"


def test_a_crest_that_a_coarse_sensor_shows_flat_is_not_cut_off():
    state, action = motion()
    state[:, 0] = (action[:, 0] / 0.05).round() * 0.05
    assert found(rows_of(state, action * 1.2)) == []


def test_a_jump_within_slow_motion_is_found_although_other_motion_is_fast():
    time = np.linspace(0, 3, 120)[:, None]
    state = np.hstack([np.sin(time * rate) + 0.02 * time for rate in (1.0, 1.3)])
    state[80:100] += np.linspace(0, 1, 20)[:, None] ** 2 * 1.2
    state[100:] += 1.2
    slow = state.copy()
    state[20:, 0] += 0.5
    assert found(rows_of(slow)) == []
    assert found(rows_of(state)) == [("look-jump", STATE, (19, 21))]


def test_a_joint_cut_off_below_its_command_is_found():
    state, action = motion()
    limit = np.quantile(state[:, 1], 0.85)
    state[:, 1] = np.minimum(state[:, 1], limit)
    rows = np.flatnonzero(state[:, 1] == limit)
    (said,) = [f for f in found(rows_of(state, action)) if f[0] == "look-clipped"]
    assert said[:2] == ("look-clipped", STATE)
    assert said[2][0] >= rows[0] - 2
    assert said[2][1] <= rows[-1] + 3
    alone = [f for f in found(rows_of(state)) if f[0] == "look-clipped"]
    assert len(alone) <= 1, "without an action only one that is cut off several times"


def test_an_action_cut_off_twice_is_information():
    state, _ = motion()
    wave = np.sin(np.arange(120)[:, None] / 9) * [1.0, 2.0, 1.5, 1.0] + 1e-4 * state
    wave[:, 0] = np.minimum(wave[:, 0], 0.5)
    (said,) = clipped_findings(EpisodeNumbers(0, FPS, {ACTION: wave}, {ACTION: tuple("abcd")}))
    assert (said.severity, said.key) == ("info", ACTION)
    gripper = EpisodeNumbers(0, FPS, {ACTION: wave}, {ACTION: ("gripper", "b", "c", "d")})
    assert not list(clipped_findings(gripper))


def test_motion_that_begins_at_its_end_is_not_cut_off():
    wave = np.cos(np.arange(120)[:, None] / 9) * [1.0, 2.0]
    wave[:6, 0] = 1.2
    assert not list(clipped_findings(rows_of(wave, wave + 1)))


def test_state_and_action_that_stand_at_overlapping_rows_are_one_finding():
    state, action = motion()
    state[40:70], action[35:45] = state[40], action[35]
    assert [f[0] for f in found(rows_of(state, action)) if f[0] == "look-stuck"] == ["look-stuck"]


def test_a_joint_that_comes_to_rest_at_its_end_is_not_cut_off():
    time = np.linspace(0, 1, 60)
    rise = time**3 * (10 - 15 * time + 6 * time**2)
    column = np.concatenate([rise, np.ones(40), rise[::-1]])
    state = np.column_stack([column, 2 * column]) + np.random.default_rng(0).normal(size=(160, 2)) * 0
    assert not list(clipped_findings(rows_of(state, state.copy())))


def test_rows_that_come_again_are_found():
    state, action = motion()
    state[60:80], action[60:80] = state[40:60], action[40:60]
    assert ("look-repeated", None, (60, 80)) in found(rows_of(state, action))
    assert not list(repeated_findings(EpisodeNumbers(0, FPS, {}, {})))
    still = np.ones((60, 3))
    assert not list(repeated_findings(rows_of(still)))


def test_steps_and_names_of_few_elements():
    assert usual_step(np.zeros((3, 2))).tolist() == [0, 0]
    assert named(tuple("abcdef"), np.ones(6, bool)) == "a, b, c, d and 2 more"


def test_tasks_that_say_nothing_are_named():
    tasks = [("pick the cube",), ("",), ("TBD",), (), ("Pick the cube.",), ("pick the cube",), ("...",), ("n/a",)]
    lengths = [10] * len(tasks)
    assert [f.episode for f in task_findings(tasks, lengths)] == [1, 2, 3, 7]
    (said,) = spelling_findings(tasks, lengths)
    assert (said.episode, said.rows) == (4, (0, 10))
    assert "'Pick the cube.' of 1 episode is spelled 'pick the cube' in 2" in said.message


def test_checks_are_chosen_by_code_and_family():
    assert chosen([]) == chosen(["all"]) == ALL
    assert chosen(["look-dark,frozen"]) == {"look-dark", "look-frozen"}
    assert "look-dead" in chosen(["episodes"])
    with pytest.raises(PlanError, match=r"--checks 'frozne' is no check; did you mean .*frozen"):
        chosen(["frozne"])
    with pytest.raises(PlanError, match=r"'xyz' is no check; give rows, tasks, frames, episodes, all, or a code"):
        chosen(["xyz"])


def test_a_jump_that_overshoots_and_stays_is_no_spike():
    state, _ = motion(count=400)
    state[200:202, 1] += 1000
    state[202:, 1] += 600
    assert list(spike_findings(rows_of(state))) == []


def wrapped(values):
    """Angles that go on beyond half a turn."""
    turning = values.copy()
    turning[:, 0] = (np.arange(len(values)) * 0.05 + np.pi) % (2 * np.pi) - np.pi
    return turning


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda v: np.round(v / 0.05) * 0.05, None),
        (lambda v: v + np.random.default_rng(1).normal(size=v.shape) * 0.02, None),
        (lambda v: np.repeat(v[::3], 3, axis=0)[: len(v)], None),
        (lambda v: np.concatenate([v[:50], np.repeat(v[50:51], 45, axis=0), v[50:]]), None),
        (wrapped, None),
        (lambda v: np.column_stack([v[:, :3] * 0, np.interp(np.arange(len(v)), [40, 60], [0, 1])]), None),
        (lambda v: np.column_stack([v[:, :3], np.arange(len(v)) > 60]), ("a", "b", "c", "gripper")),
    ],
    ids=["coarse", "noise", "slower", "pause", "turns", "gripper alone", "switch"],
)
def test_ways_to_move_and_to_record_that_are_sound_are_no_findings(change, names):
    state, action = motion(300)
    assert found(rows_of(change(state), change(action), names)) == []
