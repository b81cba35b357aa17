"""What telecine says is in the field's words, with one unit for one thing: a law over the texts in `src`."""

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from telecine.core.text.numbers import counted

SRC = Path(__file__).parents[1] / "src"
NO_CODEC = "".join(f"(?<!{before} )" for before in ("group of", "groups of", "reference", "redundant"))
"""Before "picture", which is the standards' own word there."""
BANNED = {
    # what is not said: what is said instead, and why
    r"\b[Ss]tamps?\b": "timestamp: the word of LeRobot, ROS and Rerun",
    rf"{NO_CODEC}\bpictures?\b(?! order| parameter|:|/)": "frame: a picture is one of a codec's",
    r"\b(?:died|dead|killed|dies)\b": "terminated: of a process",
    r"\b(?:upside|half a turn|turned)\b": "rotated 180 degrees, flipped or mirrored: which one is meant",
    r"\b(?:lateness|tardy|belated)\b": "delay, or lag",
    r"\b(?:unshown|untaken|left lying)\b": "unused: samples that no row shows",
    r"\b(?:used again|shown twice)\b": "reused: rows that show the sample of the row before",
    r"\b(?:erased?|thrown away)\b": "deleted",
    r"\b[KMGT]iB\b": "kB, MB, GB: a size has one style, that of bytes_text",
    r"\d ?(?:Kb|KB|Mb|Gb)\b": "kB, MB, GB",
    r"\d%(?!\d)|\{\}%": "26 %: percent_text puts a space before the sign",
    r"\((?:e?s|ies)\)": "counted: 1 row, 2 rows",
    r"\b[Hh]ertz\b|\bsecs?\b|\bmins\b": "Hz, s, min: units are symbols",
    r"\b(?:does|do|is|are|can|would|wo|have|has)n't\b": "does not: read at a glance by who learned English later",
}

AFTER_NUMBERS = """
different empty equal expected finished first frame last lost missing more moving new old other packed row sampled
unused whole wrong
"""
"""What may stand between a number and its noun."""
NO_PLURALS = """
backwards bits degrees fps days copies
changes comes counts differs does ends exists features fills follows gets gives goes has hides holds leads leaves
lets lies lists looks makes means moves names needs opens places reaches reads refers runs says shows splits stalls
stands starts stays stops stores takes unpacks was
"""
"""Units and words of other kinds; verbs, which follow a name."""
SIZES = {"height", "size[1]"}
"""The second number of "640x480 pixels"."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of what may be shown: strings of several words, with {} for values; no docstring, no pattern."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            passed |= {id(one.value) for one in body if isinstance(one, ast.Expr)}
        if id(node) in passed:
            continue
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for value in node.values for part in ast.walk(value)}
            yield node.lineno, "".join(_said(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, node.value


def _said(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    spec = ast.unparse(part.format_spec) if isinstance(part, ast.FormattedValue) and part.format_spec else ""
    return "{}%" if "%" in spec and "%Y" not in spec else "{}"


@cache
def said() -> tuple[tuple[str, str], ...]:
    """(place, text) of all, but markup and what another program prints in our place."""
    return tuple(
        (f"{path.relative_to(SRC)}:{line}", text)
        for path in sorted(SRC.rglob("*.py"))
        if "compat" not in path.parts
        for line, text in texts(path)
        if not text.lstrip().startswith("<") and "style=" not in text
    )


@pytest.mark.parametrize("word", BANNED)
def test_nothing_that_is_said_has(word):
    found = [f"{place}: {text[:120]!r}" for place, text in said() if re.search(word, text)]
    assert not found, f"say {BANNED[word]}:\n" + "\n".join(found)


def test_the_law_sees_texts_and_not_docstrings(tmp_path):
    path = tmp_path / "said.py"
    path.write_text(
        '"""A stamp of it."""\nraise ValueError(f"{3} stamps go {0.5:.0%} back")\nX = "a stamp too"\nY = "stamp"\n'
    )
    assert sorted(texts(path)) == [(2, "{} stamps go {}% back"), (3, "a stamp too")]
    for word, text in {r"\b[Ss]tamps?\b": "2 stamps", r"\((?:e?s|ies)\)": "3 row(s)", r"\b[KMGT]iB\b": "3 MiB"}.items():
        assert word in BANNED
        assert re.search(word, text)


def plurals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) where a number stands before a plural that it need not be; no limits in capitals, no rates."""
    between, others = "|".join(AFTER_NUMBERS.split()), set(NO_PLURALS.split())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for value, after in itertools.pairwise(parts):
            if not isinstance(value, ast.FormattedValue) or not isinstance(after, ast.Constant):
                continue
            noun = re.match(rf" (?:(?:{between}) )*([a-z]+[a-rt-z]s)\b", str(after.value))
            told = ast.unparse(value.value)
            fixed = value.format_spec is not None or re.fullmatch(r"[A-Z_]+", told) is not None or told in SIZES
            if noun is not None and not fixed and (noun[1] not in others or told.startswith("len(")):
                yield node.lineno, f"{{{told}}}{noun[0]}"


def test_one_of_a_thing_is_singular():
    files = sorted(SRC.rglob("*.py"))
    found = [f"{path.relative_to(SRC)}:{line}: {text}" for path in files for line, text in plurals(path)]
    assert not found, "say counted(number, noun), or list the verb in NO_PLURALS:\n" + "\n".join(found)


def test_the_law_sees_numbers_before_plurals(tmp_path):
    path = tmp_path / "said.py"
    path.write_text(
        'A = f"{n} rows, {len(x)} more episodes, {name} has, {MOST} rows"\n'
        'B = f"{rate:g} rows a second, {w}x{height} pixels, {a} runs, {len(a)} runs"\n'
    )
    assert list(plurals(path)) == [(1, "{n} rows"), (1, "{len(x)} more episodes"), (2, "{len(a)} runs")]
    assert [counted(n, "row is", "rows are") for n in (0, 1, 2)] == ["0 rows are", "1 row is", "2 rows are"]
