"""What a display can say of the time that is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine.core.progress import PhaseState
from telecine.core.text.numbers import bytes_text, duration_text


@given(st.integers(1, 10**12), st.floats(0.01, 1), st.floats(0.1, 1e5))
def test_at_a_steady_rate_the_time_left_is_what_it_will_take(total, share, took_s):
    state = PhaseState("converting", total, 1, began_s=5.0, done_bytes=max(int(total * share), 1))
    left = state.left_s(5.0 + took_s)
    assert left == pytest.approx(took_s * (1 / state.share - 1))
    assert state.bytes_per_s(5.0 + took_s) * (took_s + left) == pytest.approx(total)


def test_nothing_done_says_nothing_and_a_phase_without_bytes_is_done():
    assert PhaseState("converting", 10, 1, began_s=0.0).left_s(1.0) is None
    assert PhaseState("converting", 10, 1, began_s=1.0).bytes_per_s(1.0) == 0
    assert PhaseState("converting", 0, 0, began_s=0.0).share == 1
    assert PhaseState("converting", 10, 1, began_s=0.0, done_bytes=12).share == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3599.6, "1 h"), (7300, "2 h 2 min")],
)
def test_durations_are_written_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_sizes_are_written_in_the_largest_unit():
    assert [bytes_text(n) for n in (0, 1000, 2.5e9, 7e13)] == ["0 B", "1.0 kB", "2.5 GB", "70000.0 GB"]
