"""What a recording states of its outcome, as facts and as columns."""

import numpy as np
import pytest

from telecine.core.outcome import OUTCOME, SUCCESS, facts_of, outcome_stream
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
