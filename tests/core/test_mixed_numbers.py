"""Types of numbers that are joined, and marks of episodes that are truth values."""

import pytest

from telecine.core.data.columns import _common
from telecine.core.plan.episodes import _plain


@pytest.mark.parametrize(
    ("dtypes", "joined"),
    [
        (["int64", "int64"], "int64"),
        (["int64", "float32"], "float32"),
        (["int64", "uint8"], "float32"),
        (["bool", "int64"], "float32"),
        (["float64", "float64"], "float32"),
    ],
)
def test_only_numbers_of_one_whole_type_keep_it(dtypes, joined):
    assert _common(dtypes, "action") == joined
    assert _common(dtypes[::-1], "action") == joined


def test_a_truth_value_in_a_plan_is_compared_with_the_number_that_a_recording_holds():
    assert (_plain(True), _plain(False), _plain(3), _plain("on")) == ("1", "0", "3", "on")
