"""What is no task text."""

import pytest

from telecine.core.text.task_text import TASK_TO_GIVE, task_problem


@pytest.mark.parametrize(
    ("text", "why"),
    [("pick up the cube", ""), (" ", "is empty"), ("...", "still the words"), (f" {TASK_TO_GIVE} ", "still the words")],
)
def test_a_task_is_words_of_somebody(text, why):
    assert why in task_problem(text)
    assert bool(task_problem(text)) is bool(why)
