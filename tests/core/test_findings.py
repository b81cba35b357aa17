"""Findings."""

from dataclasses import asdict

import pytest

from telecine.core.errors import DatasetError
from telecine.core.findings import Finding, FindingSpan, has_errors, placed, with_notes
from telecine.core.text.html import MOST, table


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


def test_an_error_has_a_note_for_each_different_finding_errors_first():
    gap, wrong = Finding("align-gap", "info", "x", "y"), Finding("verify-stats", "error", "x", "z")
    error = with_notes(DatasetError("x"), [gap, wrong, gap])
    assert error.__notes__ == [str(wrong), f"{gap} (and 1 more)"]
    assert error.findings == (gap, wrong, gap)
    assert with_notes(error, [wrong]).__notes__ == [str(wrong), f"{gap} (and 1 more)", str(wrong)]


def test_the_place_names_what_the_file_alone_does_not():
    span = FindingSpan(1_500_000_000, 2_000_000_000, "real_time")
    whole = Finding(
        "align-gap", "info", "a.rrd", "y", episode=3, key="action", stream="/joints", rows=(4, 9), span=span
    )
    assert whole.place == "a.rrd, episode 3, action, /joints, rows 4 to 8, 1.500 to 2.000 s on real_time"
    assert Finding("align-gap", "info", "episode 3 action", "y", episode=3, key="action").place == "episode 3 action"
    assert Finding("align-gap", "info", "a.rrd", "y", rows=(4, 5)).place == "a.rrd, row 4"


def test_notebooks_show_findings_as_a_table_with_everything_escaped():
    one = Finding("align-gap", "warning", "<b>a</b>", "1 gap", "lower `limit`")
    html = one._repr_html_()
    assert html.startswith("<table><caption>1 finding</caption>")
    assert "<td>&lt;b&gt;a&lt;/b&gt;</td><td>1 gap</td><td>lower `limit`</td>" in html


def test_a_long_table_is_cut_and_the_rest_counted():
    html = table("c", ["n"], [[n] for n in range(MOST + 7)])
    assert html.count("<tr>") == MOST + 2
    assert html.endswith("<tr><td>... and 7 more</td></tr></table>")


@pytest.mark.parametrize("span", [None, FindingSpan(1, 2, "time")])
def test_plain_values_are_those_of_asdict(span):
    one = Finding("align-gap", "info", "a.rrd", "y", "z", 3, "action", (4, 9), "a", "/joints", span)
    assert one.to_dict() == asdict(one)
    assert list(one.to_dict()) == list(asdict(one))


def test_a_place_is_added_where_a_finding_has_none():
    bare, full = (
        Finding("align-gap", "info", "a", "y", "z", rows=(1, 2)),
        Finding("align-gap", "info", "a", "y", "z", 3, "k"),
    )
    assert list(placed([bare, full], episode=7, key="action", recording="r")) == [
        Finding("align-gap", "info", "a", "y", "z", 7, "action", (1, 2), "r"),
        Finding("align-gap", "info", "a", "y", "z", 3, "k", None, "r"),
    ]
    (same,) = placed([full], episode=7, key="action")
    assert same is full
