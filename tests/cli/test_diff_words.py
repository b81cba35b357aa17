"""What `diff` tells people: numbers and words, no values of Python."""

import re

import pytest
from typer.testing import CliRunner

from support.dataset import everything, write
from telecine.cli.main import app


@pytest.fixture
def told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "picks", everything(tmp_path, (20, 7, 33, 12)))
    flags = (
        "--delete",
        "1",
        "--trim",
        "0:5..",
        "--split",
        "2:15",
        "--task",
        "3=place the cube",
        "--success",
        "3=true",
    )
    assert CliRunner().invoke(app, ["edit", "picks", "curated", *flags, "-q"]).exit_code == 0
    return CliRunner().invoke(app, ["diff", "picks", "curated"])


def test_episodes_rows_and_facts_are_told_in_words_with_the_next_step(told):
    assert told.exit_code == 1
    lines = told.output.splitlines()
    assert "episodes removed: 1" in lines
    assert "episodes trimmed: 0, now 0, rows 5 to 19" in lines
    assert "episodes split: 2, now 1, rows 0 to 14, and 2, rows 15 to 32" in lines
    (relabelled,) = [line for line in lines if line.startswith("episodes relabelled: ")]
    assert re.fullmatch(
        r"episodes relabelled: 3, now 3: tasks [\w ]+ -> place the cube, success \w+ -> true", relabelled
    )
    assert "{" not in told.output
    assert lines[-2].startswith("  look at the second in the browser"), "and what it needs, where that is not there"
    assert lines[-1] == "    telecine view curated"


def test_equal_datasets_need_no_next_step(told):
    same = CliRunner().invoke(app, ["diff", "picks", "picks"])
    assert same.exit_code == 0
    assert same.output.endswith("\nequal in content\n")
