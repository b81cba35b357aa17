"""Every command that any text of telecine or of its docs names: it exists, and has the flags that are given to it."""

import ast
from pathlib import Path

import pytest

from support.printed_commands import problems
from telecine.cli.help.examples import EXAMPLES
from telecine.cli.help.topic_commands import TOPICS, topic_text

ROOT = Path(__file__).parents[2]


def strings(path: Path) -> list[str]:
    """Texts of a module, f-strings with something in the place of each value."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in node.values))
    return found


def test_commands_in_texts_of_the_source_exist_with_their_flags():
    sources = sorted((ROOT / "src").rglob("*.py"))
    assert len(sources) > 100
    wrong = [f"{path.name}: {why}" for path in sources for text in strings(path) for why in problems(text)]
    assert wrong == []


def test_commands_in_the_docs_exist_with_their_flags():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert len(pages) > 20
    wrong = [f"{p.name}: {why}" for p in pages for why in problems(p.read_text(encoding="utf-8").replace("\\\n", " "))]
    assert wrong == []


@pytest.mark.parametrize("name", [*EXAMPLES, *TOPICS])
def test_commands_in_examples_and_topics_exist_with_their_flags(name):
    text = "\n".join(EXAMPLES[name]) if name in EXAMPLES else topic_text(name)
    assert problems(text) == []


def test_a_command_that_does_not_exist_and_a_flag_that_is_not_there_are_noticed():
    assert problems("use `telecine inspekt --plan x`")
    assert problems("use telecine inspect in --plann x.yaml")
    assert problems("telecine record sim out --seconds 3 --fast 1")
    assert not problems("telecine inspect in --plan plan.yaml && telecine convert in out --plan plan.yaml")
    assert not problems("telecine reads recordings")
