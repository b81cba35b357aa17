"""Who installed telecine with pip has none of the repository's files: what is said names pages of the site instead."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

import telecine
from telecine.cli.main import app
from telecine.core.text.pages import SITE, page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "telecine"
OF_THE_REPOSITORY = re.compile(r"\b(?:docs|examples|tests|bench|src)/|\b[A-Z_]{3,}\.md\b|\bREADME\b")
THE_CARD = "README.md"
"""A file of every dataset, too."""


def said_by(tree: ast.Module) -> Iterator[str]:
    """The texts of a module but docstrings."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


@pytest.fixture(scope="module")
def texts():
    return list(shown())


def shown() -> Iterator[tuple[str, str]]:
    """(where, text) of everything that an installed telecine can show: messages, topics, help, docstrings."""
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.suffix == ".py":
            yield from ((name, text) for text in said_by(ast.parse(path.read_text(encoding="utf-8"))))
        elif path.suffix in (".txt", ".json", ".yaml", ".js", ".html"):
            yield name, path.read_text(encoding="utf-8")
    program = typer.main.get_command(app)
    for name, command in {**program.commands, **program.commands["record"].commands}.items():
        yield f"telecine {name} --help", command.get_help(click.Context(command, info_name=name))
    yield "telecine", telecine.__doc__
    for name in telecine.__all__:
        public = getattr(telecine, name)
        for one in (public, *(vars(public).values() if isinstance(public, type) else ())):
            yield f"telecine.{name}", getattr(one, "__doc__", None) or ""


def test_nothing_that_is_said_names_a_file_that_is_not_installed(texts):
    without_urls = ((where, re.sub(r"https?://\S+", "", text).replace(THE_CARD, "")) for where, text in texts)
    found = [f"{where}: {named[0]}" for where, text in without_urls if (named := OF_THE_REPOSITORY.search(text))]
    assert not found


def test_every_page_that_is_named_is_there(texts):
    named = {url for _, text in texts for url in re.findall(rf"{SITE}(\w*)", text) if url}
    calls = [re.findall(r"""\bpage\(["'](\w+)["']\)""", path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    named |= {name for found in calls for name in found}
    assert {"plan", "labels", "so101", "findings"} <= named
    assert not [name for name in named if not (ROOT / "docs" / f"{name}.md").is_file()]


def test_the_site_is_that_of_the_configuration():
    assert f"site_url: {SITE}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert page("plan") == f"{SITE}plan/"


@pytest.mark.parametrize("text", ["see docs/plan.md", "the README says", "CONTRIBUTING.md", "run bench/speed.py"])
def test_the_law_knows_such_a_file(text):
    assert OF_THE_REPOSITORY.search(text)
