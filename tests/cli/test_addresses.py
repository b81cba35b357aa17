"""An address as the target never becomes a folder named like its scheme."""

import pytest

from support.cli import telecine


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ("convert", "missing.mcap", "ftp://host/out"),
        ("demo", "ftp://host/out"),
        ("record", "sim", "ftp://host/out"),
        ("record", "sim", "ftp://host/out", "--as", "run"),
        ("inspect", "missing.mcap", "--plan", "ftp://host/plan.yaml"),
    ],
)
def test_an_address_that_cannot_be_written_is_refused_with_2(command, tmp_path, request):
    if command[0] == "record":
        request.getfixturevalue("mujoco")
    code, _, error = telecine(*command)
    assert code == 2, error
    assert "ftp: is the scheme of an address" in error
    assert list(tmp_path.iterdir()) == []


def test_inspect_refuses_an_existing_plan_before_it_reads(tmp_path):
    (tmp_path / "plan.yaml").write_text("fps: 30\n")
    code, _, error = telecine("inspect", "missing.mcap", "--plan", "plan.yaml")
    assert (code, "never overwrites a plan" in error) == (2, True)
