"""What a recording states of its outcome, as facts and as columns."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from telecine.core.episode import Episode, EpisodeFacts
from telecine.core.grid import Grid
from telecine.core.outcome import OUTCOME, SUCCESS, decided, facts_of, outcome_stream, stored_facts, with_outcome
from telecine.core.recording import MemoryStream, Part, Recording, Ref, Schema


def text(name, *texts, stamps=None):
    return MemoryStream(name, "text", Schema("string"), {} if stamps is None else {"t": np.array(stamps)}, list(texts))


def recording(*streams, part=None, **attrs):
    return Recording(Ref("f", "/a/b.x", part=part), {s.name: s for s in streams}, attrs)


@pytest.mark.parametrize(
    ("attrs", "success", "outcome"),
    [
        ({}, None, None),
        ({"success": "true"}, True, "success"),
        ({"success": "False"}, False, "failed"),
        ({"outcome": "failed"}, False, "failed"),
        ({"outcome": "unknown"}, None, "unknown"),
        ({"outcome": "timeout"}, None, "timeout"),
        ({"outcome": "timeout", "success": "no"}, False, "timeout"),
        ({"success": "perhaps", "outcome": "success"}, None, "success"),
    ],
)
def test_attributes_state_success_by_known_words_only(attrs, success, outcome):
    facts = facts_of(recording(**attrs))
    assert (facts.success, facts.outcome, facts.interrupted) == (success, outcome, False)


def test_the_cause_of_a_failure_is_kept_and_the_reason_of_a_success_is_none():
    assert facts_of(recording(success="false", reason="slipped")).error_cause == "slipped"
    assert facts_of(recording(success="true", reason="lifted")).error_cause is None
    assert facts_of(recording(success="true", error_cause="late")).error_cause == "late"


def test_an_aborted_run_is_interrupted_and_of_unknown_success():
    facts = facts_of(recording(outcome="interrupted", reason="aborted", tags="a, b,a,"))
    assert (facts.success, facts.interrupted, facts.error_cause, facts.tags) == (None, True, "aborted", ("a", "b"))


def test_the_last_text_of_a_stream_called_outcome_counts():
    found = facts_of(recording(text("/run/outcome:text", "success", "failed", stamps=[5, 9])))
    assert (found.success, found.outcome) == (False, "failed")
    assert facts_of(recording(text("/outcome", "failed"), outcome="success")).success is True
    assert facts_of(recording(text("/outcome", stamps=[]))).outcome is None


def test_two_streams_called_outcome_state_nothing():
    assert outcome_stream({s.name: s for s in (text("/a/outcome", "failed"), text("/b/outcome", "success"))}) is None


def test_what_the_part_states_goes_before_the_recording():
    part = Part(3, 0, 1, success=False)
    facts = facts_of(recording(part=part, success="true", outcome="success"))
    assert (facts.success, facts.outcome, facts.part) == (False, "failed", 3)


def test_the_columns_are_those_that_lerobot_knows():
    assert (SUCCESS.key, SUCCESS.dtype, OUTCOME.dtype) == ("next.success", "bool", "string")


def episode(success=None, outcome=None, own=None):
    rows = pa.table({} if own is None else {SUCCESS.key: pa.array(own)})
    columns = () if own is None else (SUCCESS,)
    grid = Grid(0, 3, Fraction(10))
    return Episode(Ref("f", "/a/b.x"), grid, rows, columns, facts=EpisodeFacts(success, outcome))


def test_columns_of_the_outcome_are_filled_where_the_dataset_has_them():
    keys = {SUCCESS.key: SUCCESS, OUTCOME.key: OUTCOME}
    made = with_outcome(replace(episode(True, "lifted"), rows=pa.table({"x": [1, 2, 3]})), keys)
    assert made.rows.column(SUCCESS.key).to_pylist() == [False, False, True]
    assert made.rows.column(OUTCOME.key).to_pylist() == ["lifted"] * 3
    assert made.columns == (SUCCESS, OUTCOME)
    assert with_outcome(made, {}) is made


def test_the_last_row_of_its_own_column_decides_where_nothing_else_states_it():
    assert decided(episode(own=[False, False, True])).facts == EpisodeFacts(True, "success")
    assert decided(episode(own=[False, True, False])).facts == EpisodeFacts(False, "failed")
    for stated in (episode(False, own=[True]), episode(None, "unknown", own=[True]), episode()):
        assert decided(stated) is stated


def test_stored_values_of_another_type_are_left_out():
    good = {"success": False, "outcome": "late", "interrupted": True, "tags": ["a", 1], "part": 2, "recording": "a.x"}
    assert stored_facts(good) == EpisodeFacts(False, "late", None, True, ("a",), "a.x", 2)
    assert stored_facts({"success": 1, "outcome": 2, "interrupted": "yes", "tags": "a", "part": "0"}) == EpisodeFacts()
