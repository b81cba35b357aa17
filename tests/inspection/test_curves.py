"""Curves for people: what shares an axis, how far an axis reaches, and what is written on it."""

import numpy as np
import pytest

from support.dataset import episode, write
from telecine.dataset.reader import open_dataset
from telecine.inspection.curves import COLOURS, LEAST_RANGE, Axis, axes_of, draw_curves, limits, range_of
from telecine.lerobot_format.paths import PLAN

STATE, ACTION = COLOURS


def test_state_and_action_share_an_axis_only_where_the_element_has_one_name():
    values = {STATE: np.zeros((3, 2)), ACTION: np.ones((3, 2))}
    axes = axes_of(values, {STATE: ["elbow", "gripper"], ACTION: ["gripper", "speed"]})
    assert [(a.name, list(a.curves)) for a in axes] == [
        ("elbow", [STATE]),
        ("gripper", [STATE, ACTION]),
        ("speed", [ACTION]),
    ]
    assert [a.name for a in axes_of(values, {})] == ["state 0", "state 1", "action 0", "action 1"]


def test_what_hardly_moves_is_drawn_as_the_little_that_it_is():
    noise = Axis("a", {STATE: 3 + 1e-4 * np.sin(np.arange(99.0))})
    low, high = limits(noise, widest=2.0)
    assert high - low == pytest.approx(0.11)
    assert (low + high) / 2 == pytest.approx(3, abs=1e-4)
    low, high = limits(noise, widest=0.0)
    assert high - low == pytest.approx(1.1 * LEAST_RANGE)
    low, high = limits(Axis("b", {STATE: np.array([0.0, np.nan, 2.0])}), widest=2.0)
    assert (low, high) == pytest.approx((-0.1, 2.1))
    nothing = Axis("c", {STATE: np.full(3, np.nan)})
    assert limits(nothing, widest=2.0) is None
    assert range_of(nothing) == 0


def test_a_page_names_units_and_keeps_its_colours(tmp_path, matplotlib, monkeypatch):
    from matplotlib.figure import Figure

    root = write(tmp_path / "set", [episode(12)])
    (root / PLAN).parent.mkdir(parents=True, exist_ok=True)
    (root / PLAN).write_text("features: {action: {from: {stream: /a, units: deg to rad}}}\n")
    made = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: made.append(figure))
    assert draw_curves(open_dataset(root), 0, tmp_path / "x.png", "episode 0", [])
    (figure,) = made
    titles = [axes.get_title() for axes in figure.axes]
    assert any(title.endswith(" [rad]") for title in titles)
    drawn = {line.get_color() for axes in figure.axes for line in axes.lines}
    assert drawn <= set(COLOURS.values())
    assert "no unit is stated" not in figure.get_suptitle()
