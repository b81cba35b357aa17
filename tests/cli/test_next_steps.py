"""What commands print to be typed next: each is one line that runs as it stands, whatever the width of the terminal."""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from telecine.cli.screen.layout import show_table
from telecine.cli.screen.tables import console
from telecine.core.text.task_text import TASK_TO_GIVE, task_problem

WIDTHS = (60, 80, 120)


def printed(folder: Path, width: int | None, *words: str) -> str:
    """What a command prints into a terminal of that width, or into a pipe; in `folder`, with exit code 0."""
    command = [sys.executable, "-m", "telecine", *words]
    if width is None:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")} | {"TERM": "xterm"}
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not data:
            break
        said += data
    os.close(ours)
    assert process.wait() == 0, said.decode()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode()).replace("\r\n", "\n")


def commands(text: str) -> list[str]:
    """The commands of a text: below `next`, each alone on a line that four spaces begin."""
    _, _, steps = text.partition("\nnext\n")
    return [line.strip() for line in steps.splitlines() if line.startswith("    ")]


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
