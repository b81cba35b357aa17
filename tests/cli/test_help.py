"""What the command line explains by itself: help, examples, topics, completion, -q and -v, progress."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from telecine.cli.help.examples import EXAMPLES
from telecine.cli.help.pages import PAGES
from telecine.cli.help.topic_commands import COMPLETION, TOPICS, topic_text
from telecine.cli.main import app
from telecine.core.edit.model import make_edit
from telecine.core.findings import CODES
from telecine.core.plan.model import make_plan
from telecine.sources.registry import formats

README = Path(__file__).parents[2] / "README.md"
PROGRAM = typer.main.get_command(app)
COMMANDS = {**PROGRAM.commands, **PROGRAM.commands["record"].commands}

SHOWN = ("convert", "edit", "record sim")
"""Commands of which the help is long."""


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "telecine", *words], capture_output=True, text=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "record"])
def test_each_command_has_two_examples_that_parse(name):
    assert len(EXAMPLES[name]) >= 2
    for line in EXAMPLES[name]:
        program, *words = takewhile(lambda word: word not in (">", ">>"), shlex.split(line))
        assert program == "telecine"
        called = ["record", "sim"] if name == "sim" else [name]
        assert words[: len(called)] == called
        COMMANDS[name].make_context(name, words[len(called) :])  # raises for what it does not know


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_ends_with_commands_that_can_be_pasted(flag):
    said = run("edit", flag)
    assert said.returncode == 0
    assert said.stdout.endswith("".join(f"  {line}\n" for line in EXAMPLES["edit"]))
    assert "-q, --quiet" in said.stdout


def test_topics_are_listed_shown_and_refused_by_name():
    listed = run("help").stdout
    assert all(re.search(rf"^  {name} ", listed, re.MULTILINE) for name in (*TOPICS, *PROGRAM.commands))
    assert run("help", "plan").stdout == topic_text("plan")
    assert run("help", "merge").stdout == run("merge", "-h").stdout
    refused = run("help", "qqqq")
    assert refused.returncode == 2
    assert "'qqqq'; there are plan, edit, formats" in refused.stderr
    assert "'simm'; did you mean 'sim'? There are plan, edit" in run("help", "simm").stderr


def said_of(word):
    result = CliRunner().invoke(app, ["help", *word.split()])
    return result.stdout if result.exit_code == 0 else ""


@pytest.mark.parametrize("name", [*PROGRAM.commands, *PROGRAM.commands["record"].commands, "record sim"])
def test_the_name_of_every_command_is_a_topic(name):
    usage = "Usage: telecine record sim" if name == "sim" else f"Usage: telecine {name}"
    assert said_of(name).startswith("Edits" if name == "edit" else usage)


@pytest.mark.parametrize("name", formats())
def test_the_name_of_every_format_is_a_topic(name):
    said = said_of(name)
    assert said.startswith("recordings that are read") or name in said


WORDS = (
    "ros ros2 rosbag bag rerun h5 robomimic libero droid minari calvin gello so101 isaac simulation s3 slurm cluster"
)


@pytest.mark.parametrize(
    "word", [*WORDS.split(), "labels", "python", "exit_codes", "ROS 2", "video", "troubleshooting"]
)
def test_a_natural_word_is_a_topic(word):
    assert said_of(word)


def test_a_code_of_a_finding_is_a_topic():
    assert all(said_of(code).startswith(f"{code}: ") for code in CODES)


def test_the_pages_that_help_knows_are_those_that_there_are():
    there = {path.stem for path in (README.parent / "docs").glob("*.md")}
    assert set(PAGES) == there - {"index"} | {"tutorials"}
    lines = [line for word in PAGES for line in said_of(word).splitlines()]
    assert not [line for line in lines if len(line) > 80]


def test_help_fits_80_columns_and_cuts_no_sentence_short():
    listed = run("help", COLUMNS="80").stdout
    assert "..." not in listed.replace("[ARGS]...", "")
    assert listed.startswith("Usage: telecine [OPTIONS]")
    texts = [listed, *map(topic_text, TOPICS), *(run(*name.split(), "-h", COLUMNS="80").stdout for name in SHOWN)]
    lines = [line for text in texts for line in text.partition("\nExamples:")[0].splitlines()]
    assert not [line for line in lines if len(line) > 80]


def test_arguments_have_one_name_in_usage_in_help_and_in_errors():
    said = run("push", "-h").stdout
    assert said.startswith("Usage: telecine push [OPTIONS] DATASET USER/NAME\n")
    assert re.search(r"^  DATASET +A LeRobot", said, re.MULTILINE)
    assert run("push").stderr.startswith("error: DATASET is missing; ")
    assert "Usage: telecine edit [OPTIONS] DATASET [OUT]" in run("edit", "-h").stdout
    assert not re.search(r"<(str|int|path|list)", "".join(run(*name.split(), "-h").stdout for name in SHOWN))


@pytest.mark.parametrize(("topic", "parse"), [("plan", make_plan), ("edit", make_edit)])
def test_the_example_in_a_topic_is_valid(topic, parse):
    (text,) = re.findall(r"^  (?:fps|edit): .*?(?=^\S)", topic_text(topic), re.MULTILINE | re.DOTALL)
    assert parse(yaml.safe_load(text))


def test_the_formats_in_the_topic_are_those_that_are_read():
    text = topic_text("formats")
    known = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = set(re.findall(r"`(\w+)` \|$", README.read_text(encoding="utf-8"), re.MULTILINE))
    extras = named & known["optional-dependencies"].keys()
    assert extras
    assert all(re.search(rf" {extra}\b", text) for extra in extras)
    assert all(suffix in text for suffix in (".rrd", ".mcap", ".bag", ".db3", ".hdf5", ".h5", ".zarr", ".spool"))


def test_a_shell_completes_commands_and_values():
    assert "telecine" in run("completion", "bash").stdout
    words = {COMPLETION: "complete_bash", "COMP_WORDS": "telecine convert --preset ", "COMP_CWORD": "3"}
    program = Path(sys.executable).with_name("telecine")
    said = subprocess.run([program], capture_output=True, text=True, env={**os.environ, **words})
    assert said.stdout.split() == ["train", "lerobot", "archive", "images"]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A folder with RoboSandbox runs and their dataset, and what converting them printed into pipes."""
    pytest.importorskip("mujoco", reason="needs mujoco: pip install 'telecine[sim]'")
    folder = tmp_path_factory.mktemp("told")
    words = ("--as", "run", "--size", "64x48", "--seconds", "2")
    assert run("record", "sim", str(folder / "runs"), *words).returncode == 0
    return folder, run("convert", str(folder / "runs"), str(folder / "out"))


def test_progress_in_a_pipe_is_a_line_for_each_tenth_at_most(converted):
    _, said = converted
    lines = said.stderr.splitlines()
    converting = [line for line in lines if line.startswith("converting: ")]
    shares = [int(re.match(r"\w+: (\d+) %, \d+ s left, \d of 3 episodes, ", line).group(1)) for line in converting]
    assert shares[-1] == 100
    assert ", 3 of 3 episodes, " in converting[-1]
    assert len({share // 10 for share in shares}) == len(shares) <= 10
    assert [line for line in lines if line.startswith("verifying: ")][-1].startswith("verifying: 100 %")
    assert all(re.search(r" kB of [\d.]+ kB, [\d.]+ [kM]?B/s$", line) for line in converting)


def test_quiet_says_the_result_alone_and_verbose_every_remark(converted):
    folder, normal = converted
    quiet = run("convert", str(folder / "runs"), str(folder / "quiet"), "-q")
    assert quiet.stderr == ""
    assert quiet.stdout.count("\n") < normal.stdout.count("\n") / 2
    assert "3 episodes" in quiet.stdout.splitlines()[-1]
    loud = run("convert", str(folder / "runs"), str(folder / "loud"), "-v").stdout
    assert "info video-copied" in loud
    assert "info video-copied" not in normal.stdout


def test_edit_repair_and_record_end_with_commands_that_run(converted):
    folder, _ = converted
    edited = subprocess.run(
        [sys.executable, "-m", "telecine", "edit", "out", "curated", "--delete", "0"],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "left out: 1 episode (0)" in edited
    assert "2 episodes, 120 rows -> curated, verified" in edited
    steps = [shlex.split(line) for line in edited.partition("\nnext\n")[2].splitlines() if line.startswith("    ")]
    assert [step[:2] for step in steps[:3]] == [["telecine", name] for name in ("diff", "inspect", "view")]
    differs = subprocess.run([sys.executable, "-m", *steps[0]], cwd=folder, capture_output=True, text=True)
    assert (differs.returncode, "removed: 0" in differs.stdout) == (1, True)
    assert differs.stdout.endswith("\nnext\n  look at the second in the browser\n    telecine view curated\n")
    (folder / "curated" / "data" / "chunk-000" / "file-000.parquet").write_bytes(b"PAR1")
    broken = subprocess.run([sys.executable, "-m", "telecine", "repair", "curated"], cwd=folder, capture_output=True)
    assert broken.returncode == 1
    shutil.rmtree(folder / "curated")


def test_a_forgotten_target_is_one_sentence_and_nothing_is_done(converted):
    folder, _ = converted
    before = sorted(folder.rglob("*"))
    for given, advice in (
        (["runs"], "telecine convert runs OUT"),
        (["runs/run_000", "runs/run_001"], "telecine convert runs/run_000 runs/run_001 OUT"),
    ):
        said = subprocess.run(
            [sys.executable, "-m", "telecine", "convert", *given], cwd=folder, capture_output=True, text=True
        )
        assert said.returncode == 2
        assert advice in " ".join(said.stderr.split())
    assert sorted(folder.rglob("*")) == before


def test_a_rate_that_is_no_whole_number_names_the_one_to_ask_for():
    said = run("convert", "in", "out", "--fps", "29.97")
    assert said.returncode == 2
    assert "--fps 30, which takes such cameras" in " ".join(said.stderr.split())
    assert "no number of rows per second" in run("convert", "in", "out", "--fps", "many").stderr
