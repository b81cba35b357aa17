"""One table of exit codes for every command, in the code, in the docs and in what the commands do."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from support.cli import telecine
from support.dataset import episode, write
from support.robosandbox import write_run
from telecine.cli import main
from telecine.cli.exit_codes import MEANINGS, Outcome
from telecine.core.findings import Finding

DOCS = (Path(__file__).parents[2] / "docs" / "exit_codes.md").read_text(encoding="utf-8")


def commands(group=None, lead=""):
    """Every command by the words that start it, as click knows it."""
    found = {}
    for name, command in (group or typer.main.get_command(main.app)).commands.items():
        more = getattr(command, "commands", None)
        found |= commands(command, f"{lead}{name} ") if more else {f"{lead}{name}": command}
    return found


def documented(heading):
    """First cell -> second cell of the table under this heading cell."""
    table = DOCS.split(heading)[1].split("\n\n")[0]
    return dict(re.findall(r"^\| `?([^|`]+?)`? \| (.+?) \|$", table, re.MULTILINE))


def test_the_docs_have_the_codes_and_every_command():
    assert documented("| code | meaning |") == {str(code): meaning for code, meaning in MEANINGS.items()}
    assert sorted(documented("| command | exits with 1 when |")) == sorted(commands())


@pytest.mark.parametrize("name", sorted(set(commands()) - {"help", "completion"}))
def test_every_command_takes_fail_on_and_refuses_what_it_does_not_know(name):
    assert "--fail-on" in {flag for parameter in commands()[name].params for flag in parameter.opts}
    needed = [p.name for p in commands()[name].params if p.param_type_name == "argument" and p.required]
    given = ["in", "out"] if name == "convert" else ["me/mine"] * len(needed) or []
    if name == "inspect":
        given = ["in"]
    result = CliRunner().invoke(main.app, [*name.split(), *given, "--fail-on", "warnings"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "did you mean 'warning'?" in result.output


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_exits_2_for_a_flag_that_it_does_not_have(name):
    assert CliRunner().invoke(main.app, [*name.split(), "--no-such-flag"]).exit_code == 2


def test_an_interruption_is_130():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as stopped:
        main._run(interrupted, None)
    assert stopped.value.exit_code == 130


@pytest.fixture
def recordings(tmp_path):
    write_run(tmp_path / "recordings" / "run", 8, actions=True)
    return tmp_path / "recordings"


@pytest.fixture
def dataset(tmp_path):
    return write(tmp_path / "set", [episode(20, 0)])


@pytest.fixture
def broken(dataset):
    (dataset / "meta" / "stats.json").unlink()
    return dataset


def test_each_command_exits_0_when_all_is_done(recordings, dataset, tmp_path, rerun):
    assert telecine("convert", recordings, tmp_path / "out")[0] == 0
    assert telecine("inspect", recordings)[0] == 0
    assert telecine("inspect", dataset)[0] == 0
    assert telecine("verify", dataset)[0] == 0
    assert telecine("repair", dataset)[0] == 0
    assert telecine("schema")[0] == 0
    assert telecine("demo", tmp_path / "demo", "--episodes", "1", "--seconds", "1")[0] == 0


def test_each_command_exits_1_when_something_is_not_done(recordings, broken, tmp_path):
    (recordings / "bad.bag").write_bytes(b"#ROSBAG V2.0\n")
    assert telecine("convert", recordings, tmp_path / "out")[0] == 1
    assert telecine("convert", recordings, tmp_path / "other", "--dry-run")[0] == 1
    assert telecine("inspect", recordings)[0] == 1
    assert telecine("verify", broken)[0] == 1
    assert telecine("repair", broken)[0] == 1
    assert telecine("push", broken, "me/mine", "--dry-run")[0] == 1
    assert telecine("demo", broken)[0] == 1
    assert telecine("record", "sim", broken)[0] == 1


def test_fail_on_makes_findings_a_reason(recordings, tmp_path):
    for number, (values, code) in enumerate(
        [([], 0), (["error"], 0), (["plan-proposed"], 1), (["warning"], 0), (["verify-video", "plan-proposed"], 1)]
    ):
        flags = [flag for value in values for flag in ("--fail-on", value)]
        found = telecine("convert", recordings, tmp_path / f"out{number}", *flags)
        assert (values, found[0]) == (values, code), found[1]
        assert (tmp_path / f"out{number}" / "meta" / "info.json").is_file()


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("warning", (), 0),
        ("warning", ("error",), 0),
        ("warning", ("warning",), 1),
        ("error", ("warning",), 1),
        ("error", ("error",), 1),
        ("info", ("warning", "error"), 0),
        ("info", ("align-gap",), 1),
    ],
)
def test_what_fails_on_what(severity, fail_on, code):
    finding = Finding("align-gap", severity, "r", "x")
    assert Outcome(True, (finding,)).exit_code(fail_on) == code
    assert Outcome(False, ()).exit_code(fail_on) == 1


def test_places_of_findings_are_in_json_and_text(dataset, tmp_path):
    (path,) = (dataset / "data").rglob("*.parquet")
    table = pq.read_table(path)
    stamps = table.column("timestamp").to_pylist()
    stamps[7] += 0.5
    column = table.schema.get_field_index("timestamp")
    changed = pa.array(stamps, pa.float32())
    pq.write_table(table.set_column(column, table.schema.field(column), changed), path)
    code, out, _ = telecine("verify", dataset, "--json")
    (found,) = [f for f in json.loads(out)["findings"] if f["code"] == "verify-timestamps"]
    assert code == 1
    assert (found["episode"], found["key"], found["rows"]) == (0, "timestamp", [7, 8])
    assert (found["recording"], found["stream"], found["span"]) == (None, None, None)
    assert "verify-timestamps episode 0, timestamp, row 7:" in telecine("verify", dataset)[1]
    looked = json.loads(telecine("inspect", dataset, "--json")[1])["findings"]
    assert [(f["episode"], f["rows"]) for f in looked if f["code"] == "look-timestamps"] == [(0, [7, 8])]


def test_findings_on_recordings_name_recording_and_stream(recordings, tmp_path):
    report = json.loads(telecine("convert", recordings, tmp_path / "out", "--json")[1])
    found = {f["code"]: f for e in report["episodes"] for f in e["findings"]}
    copied = found["video-copied"] if "video-copied" in found else found["video-encoded"]
    assert (copied["episode"], copied["stream"]) == (0, "/scene")
    assert copied["key"] == "observation.images.scene"
    assert copied["recording"].endswith("run")


def test_leaving_at_once_keeps_what_was_printed_and_the_code(tmp_path: Path) -> None:
    """The command does not wait for modules to be taken apart; what `atexit` has to do is done."""
    ran = tmp_path / "ran"
    code = (
        "import atexit, pathlib, sys; from telecine.cli.main import main; "
        f"atexit.register(pathlib.Path({str(ran)!r}).touch); sys.argv = ['telecine', *{{}}]; main()"
    )
    for arguments, expected in ((["schema"], 0), (["verify", str(tmp_path / "none")], 1), (["no-such-command"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code.format(arguments)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, ran.exists()) == (expected, True), done.stderr
        assert arguments != ["schema"] or json.loads(done.stdout)["title"] == "telecine plan"
        ran.unlink()
