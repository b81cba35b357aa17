"""Rates of several inputs in one dataset: told apart, and what follows for rows."""

import numpy as np
import pytest

from telecine.core.episode import Use
from telecine.core.resample.rates import InputRate, distinct_rates, input_rates, rate_findings, repeated_rows

CAMERA = frozenset({"observation.images.top"})


def use(hz, key="observation.images.top"):
    return Use(key, "/s", 10, hz, 0, 0, 0, 0, 0, 0, 0)


def test_rates_within_two_percent_are_one():
    assert distinct_rates([30.0, 29.97, 15.0, 0.0, 15.2]) == [15.0, 29.97]
    assert distinct_rates([]) == []


def test_inputs_of_one_rate_are_no_finding():
    assert input_rates([("a", [use(30.0)]), ("b", [use(29.97)])], CAMERA) == []
    assert input_rates([], CAMERA) == []
    assert rate_findings([], 30, "out") == []


def test_the_typical_rate_of_each_input_counts_not_a_mean_of_all():
    uses = [("a", [use(15.0)]), ("a", [use(0.0)]), ("a", [use(15.0)]), ("b", [use(30.0)])]
    inputs = input_rates(uses, CAMERA)
    assert inputs == [InputRate("a", 2, 15.0), InputRate("b", 1, 30.0)]
    (found,) = rate_findings(inputs, 30, "out")
    assert (found.code, found.severity, found.where) == ("align-rates", "warning", "out")
    assert "a (2 episodes): 15 Hz, so each sample fills 2 rows, and rows 1, 3, 5 and so on repeat" in found.message
    assert found.message.endswith("b (1 episode): 30 Hz")
    assert found.fix == "set `fps` to 15 and no row repeats"


def test_at_the_slowest_rate_samples_of_the_others_are_in_no_row():
    (found,) = rate_findings([InputRate("a", 1, 15.0), InputRate("b", 1, 30.0)], 15, "out")
    assert "a (1 episode): 15 Hz; b (1 episode): 30 Hz, so 50 % of its samples are in no row" in found.message
    assert found.fix == ""


def test_a_rate_that_is_none_of_the_dataset_is_advised_only_where_it_is_another():
    (found,) = rate_findings([InputRate("a", 1, 4.737), InputRate("b", 1, 5.0)], 5, "out")
    assert found.fix == ""


def test_rates_that_do_not_divide_say_which_rows_repeat():
    (found,) = rate_findings([InputRate("a", 1, 24.0), InputRate("b", 1, 30.0)], 30, "out")
    rows = np.arange(100) * 24 // 30
    repeated = np.flatnonzero(np.diff(rows) == 0)[:3] + 1
    assert f"each sample fills 1 or 2 rows, and rows {', '.join(map(str, repeated))} and so on" in found.message


def test_many_inputs_are_counted_by_rate():
    inputs = [*(InputRate(f"{i}.rrd", 1, 30.0) for i in range(9)), InputRate("slow.rrd", 1, 10.0)]
    (found,) = rate_findings(inputs, 30, "out")
    assert "slow.rrd (1 episode): 10 Hz" in found.message
    assert "0.rrd (1 episode), 1.rrd (1 episode), 2.rrd (1 episode) and 6 more: 30 Hz" in found.message


def test_what_is_sent_when_it_changes_has_no_rate():
    gripper = [("a", [use(3.217, "action")]), ("b", [use(7.9, "action")])]
    assert input_rates(gripper, frozenset()) == []
    whole = [("a", [use(15.0, "action")]), ("b", [use(30.0, "action")])]
    assert [i.hz for i in input_rates(whole, frozenset())] == [15.0, 30.0]
    assert input_rates(whole, CAMERA) == []


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([0, 0, 1], "1"),
        ([0, 0, 1, 1], "1, 3"),
        ([0, 0, 0, 0, 0], "1, 2, 3 ... 4"),
    ],
)
def test_repeated_rows_are_listed(rows, text):
    assert repeated_rows(np.array(rows)) == text
