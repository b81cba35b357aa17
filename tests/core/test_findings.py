"""Findings."""

import pytest

from telecine.core.findings import Finding, has_errors


def test_a_finding_reads_as_one_line_with_what_to_do_next():
    finding = Finding("align-gap", "warning", "a.rrd /joints", "1 gap", "lower `limit`")
    assert str(finding) == "warning align-gap a.rrd /joints: 1 gap -> lower `limit`"
    assert str(Finding("align-gap", "info", "x", "y")) == "info align-gap x: y"


def test_an_undocumented_code_is_refused():
    with pytest.raises(ValueError, match="unknown finding code 'align-gpa'"):
        Finding("align-gpa", "info", "x", "y")


def test_only_errors_are_errors():
    warning = Finding("align-gap", "warning", "x", "y")
    assert not has_errors([warning])
    assert has_errors([warning, Finding("verify-stats", "error", "x", "y")])
