"""Every command that telecine prints is the same at any width, and runs as it stands, where it was printed."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import telecine as tc
from support.cli import telecine
from support.printed_commands import commands, parse
from support.robosandbox import write_run
from telecine.cli.help.examples import EXAMPLES
from telecine.cli.help.topic_commands import TOPICS
from telecine.cli.screen import tables
from telecine.cli.typed import remember
from telecine.core.text.task_text import TASK_TO_GIVE

WIDTHS = (60, 80, 120, tables.FILE_WIDTH)
"""Of terminals, and what a pipe has; tests/support/terminal.py has real ones."""
FLAGS = ("--fps", "30", "--index", "sim", "--state", "/robot_joints", "--action", "/action", "--task-text", "pick")
NOT_RUN = {
    "telecine view": "serves until it is stopped: tests/viewer",
    r"telecine push (?!.*--dry-run)": "needs an account: tests/cli/test_push.py has a Hub of its own",
    "lerobot-train": "another program: tests/reference trains with it",
    "pip install": "changes the environment: .ci/run runs them",
    r".* >>? ": "a shell's redirection: tests/cli/test_help.py",
    r".*(--append|--catalog-url|bags/|\.rrd|observation\.images\.cam)": "other recordings: tests/test_docs.py",
    r"telecine demo": "needs rerun: tests/cli/test_next_steps.py",
    r"telecine record sim": "needs mujoco: below",
    r"telecine [a-z]+ \.\.\.": "stands for what was typed",
}
"""Commands that are parsed and not run, by how they begin -> why, and where they are."""
ANSWERS = ("diff", "repair", "finalize")
"""Commands whose exit code 1 is an answer."""
MADE = (
    (("convert", "dataset"), "dataset"),
    (("edit", "curated"), "curated"),
    (("inspect", "plan.yaml"), "plan.yaml"),
)
"""Words of commands in help -> what such a command makes, which is removed before: nothing is overwritten."""
STANDS_FOR = {"RECORDINGS": "recordings", "IN": "recordings", "DATASET": "dataset", TASK_TO_GIVE: "pick it up"}
"""What help says, for what is typed."""


@dataclass(frozen=True)
class Case:
    """What is typed, its exit code, and what the first command is that it prints."""

    words: str
    code: int = 0
    first: str = ""


CASES = [
    Case("inspect recordings", first="convert"),
    Case("inspect dataset", first="view"),
    Case("inspect broken", 1, "repair"),
    Case("convert recordings out --task-text 'pick it up'", first="inspect"),
    Case("convert recordings out --dry-run", first="convert"),
    Case("convert mixed out", 1, "inspect"),
    Case(f"convert recordings out {shlex.join(FLAGS).replace('/robot_joints', '/robot_joint')}", 2, "inspect"),
    Case("convert recordings", 2, "convert"),
    Case("convert recordings/run_0 recordings/run_1", 2, "convert"),
    Case("convert recordings out --fps 29.97", 2),
    Case("convert nowhere out", 1),
    Case("convert recordings dataset", 1),
    Case("convert recordings parts --shard 2/3", 0, "finalize"),
    Case("finalize parts --dry-run", 0, "convert"),
    Case("finalize parts", 1, "convert"),
    Case("finalize whole", 0, "inspect"),
    Case("verify dataset", first="view"),
    Case("verify dataset --against recordings", first="view"),
    Case("verify dataset --against mixed", 0, "view"),
    Case("verify broken", 1, "repair"),
    Case("verify nowhere", 1),
    Case("repair broken", 1),
    Case("repair broken --apply mended", 1),
    Case("repair lost", 1, "repair"),
    Case("repair lost --apply mended", 0, "inspect"),
    Case("edit dataset curated --delete 1 --dry-run", first="edit"),
    Case("edit dataset curated --delete 1", first="diff"),
    Case("edit dataset dataset --delete 1", 1),
    Case("merge monday tuesday both", first="inspect"),
    Case("merge monday slow both", 2, "convert"),
    Case("push dataset you/picks --license mit --dry-run"),
    *[Case(f"help {topic}") for topic in TOPICS],
    *[Case(f"{name} --help") for name in EXAMPLES if name != "sim"],
    Case("record sim --help"),
    Case("record sim --as run runs --episodes 1 --seconds 2 --size 64x48", 0, "convert"),
    Case("record sim picks --episodes 1 --seconds 2 --size 64x48", 0, "inspect"),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with what the commands of help and of the cases name."""
    folder = tmp_path_factory.mktemp("sandbox")
    for name, count in (("recordings", 10), ("mixed", 2)):
        for number in range(count):
            write_run(
                folder / name / f"run_{number}",
                190,
                actions=True,
                pictures=0,
                episode={"episode_id": f"{name}{number}"},
            )
    write_run(folder / "mixed" / "run_9", 0, pictures=0)
    tc.convert(folder / "recordings", folder / "dataset", workers=0)
    tc.convert(folder / "recordings" / "run_0", folder / "slow", fps=20, workers=0)
    for name, kept in (("monday", "0-1"), ("tuesday", "5-6"), ("lost", "0-3"), ("broken", "0-3")):
        tc.edit(folder / "dataset", folder / name, keep=kept)
    (folder / "broken" / "data" / "chunk-000" / "file-000.parquet").write_bytes(b"PAR1")
    (folder / "lost" / "meta" / "stats.json").unlink()
    plan = folder / "plan.yaml"
    tc.inspect(folder / "recordings", plan=plan)
    tc.convert(folder / "recordings", folder / "parts", plan, shard=(1, 3), workers=0)
    for number in (1, 2):
        tc.convert(folder / "recordings", folder / "whole", plan, shard=(number, 2), workers=0)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_commands_that_are_printed_are_whole_and_run(case, sandbox, tmp_path, monkeypatch, request):
    if case.words == "inspect --help":
        request.getfixturevalue("matplotlib")  # one of its examples draws curves
    if case.words.startswith("record sim ") and not case.words.endswith("--help"):
        pytest.importorskip("mujoco", reason="needs mujoco: pip install 'telecine[sim]'")
    found = set()
    for width in WIDTHS:
        monkeypatch.setattr(tables, "FILE_WIDTH", width)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.chdir(shutil.copytree(sandbox, tmp_path / str(width)))
        code, screen = typed(shlex.split(case.words))
        assert code == case.code, screen
        found.add(tuple(commands(screen)))
    assert len(found) == 1
    (printed,) = found
    ours = [command.split()[1] for command in printed if command.startswith("telecine")]
    assert not case.first or ours[:1] == [case.first], screen
    if case.words.endswith(" --help"):
        assert set(EXAMPLES[case.words.split()[-2]]) <= set(printed)
    for command in printed:
        runs_or_parses(command)


def typed(words):
    """(exit code, all that a command prints)."""
    remember(words)
    code, said, wrong = telecine(*words)
    remember([])
    return code, said + wrong


def runs_or_parses(command):
    """Pastes a command into a terminal, or lets the parser read it where it cannot run here."""
    for part in command.split(" && "):
        words = [STANDS_FOR.get(word, word) for word in shlex.split(part)]
        if any(re.match(pattern, part) for pattern in NOT_RUN):
            if words[0] == "telecine" and "..." not in words:
                parse(part.partition(" >")[0])
            continue
        for flag, name in MADE:
            if {*flag} <= {*words} and Path(name).is_dir():
                shutil.rmtree(name)
            elif {*flag} <= {*words}:
                Path(name).unlink(missing_ok=True)
        code, screen = typed(words[1:])
        assert code == 0 or (code == 1 and words[1] in ANSWERS), screen


def test_what_is_not_run_is_still_printed():
    """A reason that no command needs any more is to be taken out."""
    texts = " ".join(line for lines in EXAMPLES.values() for line in lines)
    assert all(name in texts for name in ("telecine demo", "record sim", ">>", "--append", "bags/", "cam"))
