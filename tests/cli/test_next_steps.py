"""What commands print to be typed next: each is one line that runs as it stands, whatever the width of the terminal."""

import json
import re
import shlex
from pathlib import Path

import pytest

from support.dataset import episode, write
from support.printed_commands import commands
from support.terminal import printed
from telecine.cli.screen.layout import show_sentence, show_table
from telecine.cli.screen.next_steps import after_dataset
from telecine.cli.screen.tables import console
from telecine.core.text.task_text import TASK_TO_GIVE, task_problem

WIDTHS = (60, 80, 120)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a demo, made once, and what making it printed."""
    pytest.importorskip("rerun", reason="needs rerun: pip install 'telecine[rrd]'")
    folder = tmp_path_factory.mktemp("next")
    return folder, printed(folder, 60, "demo", "--episodes", "1", "--seconds", "2")


def test_every_command_that_the_demo_prints_runs_as_it_stands(demo: tuple[Path, str]) -> None:
    folder, text = demo
    steps = [shlex.split(line) for line in commands(text)]
    assert [step[0] for step in steps] == ["telecine"] * 5 + ["lerobot-train"]
    assert steps[1][-1] == "--dry-run"
    before = sorted(folder.iterdir())
    for step in steps[:5]:
        if step[1] != "view":  # runs until it is stopped; the tests of the page start it
            printed(folder, None, *step[1:])
    assert sorted(folder.iterdir()) == before
    assert {"--dataset.root=telecine-demo/dataset", "--policy.push_to_hub=false"} < set(steps[5])


def test_a_command_is_one_line_at_every_width(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    texts = [printed(folder, width, "inspect", "telecine-demo/recordings") for width in (*WIDTHS, None)]
    assert len({tuple(commands(text)) for text in texts}) == 1
    assert all("/observation/joint_positions:Scalars:scalars\n" in text for text in texts[:2])
    (step,) = commands(texts[0])
    assert len(step) > max(WIDTHS)
    made = printed(folder, 80, *shlex.split(step)[1:])
    assert [line.split()[1] for line in commands(made)[:3]] == ["inspect", "view", "verify"]
    printed(folder, None, *shlex.split(commands(made)[2])[1:])


def test_a_plan_that_was_written_is_what_is_used_next(demo: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = demo
    said = printed(folder, 80, "inspect", "telecine-demo/recordings", "--plan", "mine.yaml")
    assert commands(said) == ["telecine convert telecine-demo/recordings out --plan mine.yaml"]
    printed(folder, None, "convert", "telecine-demo/recordings", str(tmp_path / "out"), "--plan", "mine.yaml")


@pytest.mark.parametrize("text", ["", "  ", "...", TASK_TO_GIVE])
def test_words_that_stand_for_a_task_are_refused(text: str) -> None:
    assert task_problem(text)
    assert not task_problem("pick up the cube")


def test_a_table_keeps_names_whole_and_leaves_out_what_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("/a/very/long/name/of/a/stream/that/has/to/be/typed", "joint " * 12, "0"), ("/b", "short", "0")]
    out = console()
    out.width = 60
    show_table(out, ("stream", "more", "gaps"), rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == rows[0][0]
    assert "gaps" not in " ".join(lines)
    assert max(map(len, lines)) <= 60
    out.width = 200
    show_table(out, ("stream", "more", "gaps"), rows)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_what_was_inspected_is_looked_at_and_trained_on_whatever_its_name(tmp_path: Path) -> None:
    root = write(tmp_path / "inspected" / "picks", [episode(3, 0)])
    words = [command.split()[:2] for _, command in after_dataset(root, inspected=True)]
    assert [word[0] for word in words] == ["telecine", "lerobot-train"]
    assert words[0][1] == "view"


def test_of_a_layout_that_todays_lerobot_does_not_read_its_own_is_made(tmp_path: Path) -> None:
    root = write(tmp_path / "picks", [episode(3, 0)])
    info = json.loads((root / "meta/info.json").read_text())
    (root / "meta/info.json").write_text(json.dumps({**info, "codebase_version": "v2.1"}))
    steps = after_dataset(root, inspected=True)
    assert [command for _, command in steps] == [f"telecine view {root}", f"telecine convert {root} {root}_v3"]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sentence_is_broken_between_words_and_a_command_in_it_not_at_all(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = console()
    out._force_terminal, out.width = True, width  # what rich asks its environment for
    sentence = "words of a sentence and /a/name/that/is/typed " * 4
    show_sentence(out, f"  [bold]warning[/bold] {sentence}")
    lines = capsys.readouterr().out.splitlines()
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert len(plain) > 1
    assert all(len(line) <= width for line in plain)
    assert all(line.startswith("    ") for line in plain[1:])
    assert " ".join(" ".join(plain).split()) == f"warning {sentence.strip()}"
    for command in (
        "by: telecine convert " + "a.rrd " * 40 + "OUT",
        "give " + "it " * 40 + '--task-text "DESCRIBE THE TASK"',
    ):
        show_sentence(out, command)
        assert capsys.readouterr().out.count("\n") == 1
