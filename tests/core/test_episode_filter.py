"""What `convert --where` can say of a recording before it is aligned."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from support.memory import every, recording, vector
from telecine.core import episode_filter
from telecine.core.episode import Episode
from telecine.core.episode_filter import parse_where, why_not, why_not_before
from telecine.core.errors import PlanError, SourceError
from telecine.core.grid import Grid
from telecine.core.recording import Ref


def plain():
    return recording(vector("a", every(0.1, 5), np.arange(5)))


@pytest.mark.parametrize("where", ["success == true", "rows >= 3", "outcome == 'dropped'"])
def test_nothing_is_said_of_what_is_not_known_yet(where):
    assert why_not_before(where, plain()) is None


def test_a_recording_is_left_out_by_its_name():
    assert why_not_before("recording == 'other'", plain()) == "recording is mem.rrd#rec"


def test_what_cannot_be_read_is_left_to_alignment(monkeypatch):
    def unreadable(given):
        raise SourceError("cut off")

    monkeypatch.setattr(episode_filter, "facts_of", unreadable)
    assert why_not_before("success == true", plain()) is None


def aligned():
    return Episode(Ref("mem", "a"), Grid(0, 5, Fraction(10)), pa.table({"task": ["pick"] * 5}), ())


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("rows >= 5 and task == 'pick'", None),
        ("rows > 5", "rows is 5"),
        ("seconds == 0.5", None),
        ("'pick' in tasks", None),
        ("1 > 2", "it never holds"),
        ("recording == 'r'", None),
    ],
)
def test_an_episode_is_asked_for_its_rows_and_its_task(where, why):
    assert why_not(where, aligned(), "r") == why


def test_what_is_no_expression_is_told_with_the_flag():
    with pytest.raises(PlanError, match="--where: 'rows >' is no expression"):
        parse_where("rows >")


def test_a_recording_that_states_its_success_is_asked_for_it():
    made = plain()
    made.attrs = {"success": "true"}
    assert why_not_before("success == true", made) is None
    assert why_not_before("success == false", made) == "success is true"
