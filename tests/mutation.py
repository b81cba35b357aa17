"""Random mutants of the code, each tried by the tests of its module: `python tests/mutation.py core --count 500`.

A mutant is one change of one expression: a comparison, an operator, a number, a truth value, a condition. It lives in
the memory of a process that runs the tests that reach its line, so no file changes and several runs do not meet.
Which tests do is measured first; `--reached FILE` keeps that for the next run. A mutant that they let live is a line
with its place, its change and the number that makes it again (`--only NUMBER`). docs/testing.md has the scores.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
CPU_S = 120
"""More than this is a mutant that does not end, which tests notice."""

OTHERS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.FloorDiv,), ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,), ast.Mod: (ast.Mult,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.Invert: (ast.UAdd,),
    ast.USub: (ast.UAdd,),
}  # fmt: skip
"""Operator -> what stands in its place."""


def changes(tree: ast.Module) -> list[tuple[ast.AST, str, Callable[[], None]]]:
    """Every change that can be made of a module: (the node, what it is, what makes it)."""
    found: list[tuple[ast.AST, str, Callable[[], None]]] = []
    for node in _code(tree):
        if isinstance(node, ast.Compare):
            for place, operator in enumerate(node.ops):
                found += [(node, *_swap(node.ops, place, operator, other)) for other in OTHERS.get(type(operator), ())]
        elif isinstance(node, ast.BinOp | ast.BoolOp | ast.UnaryOp | ast.AugAssign):
            found += [(node, *_set(node, "op", other())) for other in OTHERS.get(type(node.op), ())]
            if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                found.append((node, *_set(node, "op", ast.Not(), node.operand)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
            value = node.value
            values = (not value,) if isinstance(value, bool) else (value + 1, value * 2)
            found += [(node, *_set(node, "value", other)) for other in values if other != value]
        elif isinstance(node, ast.If | ast.IfExp | ast.While):
            found += [(node.test, *_set(node, "test", ast.Constant(value))) for value in (True, False)]
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            found.append((node, *_set(node, "value", ast.Constant(None))))
    return found


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations and what stands under `if TYPE_CHECKING`."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.AST):
                yield child
                yield from _code(child)


def _swap(operators: list[ast.cmpop], place: int, old: ast.cmpop, other: type) -> tuple[str, Callable[[], None]]:
    return f"{type(old).__name__} -> {other.__name__}", lambda: operators.__setitem__(place, other())


def _set(node: ast.AST, field: str, value: object, *inner: ast.expr) -> tuple[str, Callable[[], None]]:
    old = getattr(node, field)
    if inner:  # `not x` becomes `not not x`
        return "Not -> nothing", lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), copy.deepcopy(inner[0])))
    return f"{field} {_short(old)} -> {_short(value)}", lambda: setattr(node, field, value)


def _short(value: object) -> str:
    if not isinstance(value, ast.AST):
        return repr(value)
    return ast.unparse(value)[:60] if isinstance(value, ast.expr) else type(value).__name__


def mutant(package: str, number: int) -> tuple[Path, int, str, ast.Module]:
    """(file, line, what is changed, the changed module) of a number; files weigh as many as they have changes."""
    files = sorted((SOURCE / "telecine" / package).rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}
    chosen = random.Random(number)
    places = [(path, place) for path, tree in trees.items() for place in range(len(changes(tree)))]
    path, place = chosen.choice(places)
    node, what, make = changes(trees[path])[place]
    make()
    return path, node.lineno, what, ast.fix_missing_locations(trees[path])  # type: ignore[attr-defined]


def measured(package: str, where: list[str], data: Path) -> Path:
    """Coverage's data of all tests, which have to pass: which test reaches which line."""
    coverage = [f"--cov=telecine.{package}", "--cov-context=test", "--cov-report="]
    os.environ["COVERAGE_FILE"] = str(data)
    if not passes([*coverage, *(str(ROOT / name) for name in where)]):
        sys.exit(f"error: {' '.join(where)} fails without any change")
    return data


def tests_of(path: Path, line: int, data: Path, where: list[str]) -> list[str]:
    """The tests that reach a line; for one that runs when its module is imported, all tests that name the module."""
    import coverage

    reached = coverage.CoverageData(str(data))
    reached.read()
    contexts = reached.contexts_by_lineno(str(path))
    begins = max((known for known in contexts if known <= line), default=line)  # of a statement of several lines
    tests = {context.partition("|")[0] for context in contexts.get(begins, ())}
    module = module_of(path)
    if "" in tests:
        files = sorted(path for name in where for path in (ROOT / name).rglob("test_*.py"))
        return [str(path) for path in files if module in path.read_text(encoding="utf-8")] or list(map(str, files))
    return sorted(tests, key=lambda test: (module.rpartition(".")[2] not in test, test))


def module_of(path: Path) -> str:
    """The name a file is imported by."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module as changed code."""

    def __init__(self, module: str, path: Path, tree: ast.Module) -> None:
        self.module, self.path, self.tree = module, path, tree

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.module else None

    def exec_module(self, module) -> None:
        exec(compile(self.tree, self.path, "exec"), module.__dict__)


def passes(tests: list[str], mutated: _Mutated | None = None) -> bool:
    """Whether tests pass, in a copy of this process, with a changed module or as all is."""
    child = os.fork()
    if not child:
        os.setsid()
        if mutated is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
            sys.meta_path.insert(0, mutated)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        sys.modules["torchcodec"] = None  # type: ignore[assignment]  # or conftest.py starts pytest anew, unchanged
        import pytest

        quiet = ["-q", "-x", "-n0", "-pno:cacheprovider", "--hypothesis-profile=gate", "--rootdir", str(ROOT)]
        os._exit(min(int(pytest.main([*quiet, *tests])), 100))
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a stuck test left
    return os.waitstatus_to_exitcode(status) == 0


def main() -> None:
    """Try as many as asked for; say the score and who lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", help="core, editing, dataset ...")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--only", type=int, help="this one alone")
    parser.add_argument("--tests", nargs="+", help="folders of tests [default: tests/PACKAGE]")
    parser.add_argument("--reached", type=Path, help="which test reaches which line; measured where it does not exist")
    given = parser.parse_args()
    sys.path[:0] = [str(SOURCE), str(ROOT / "tests")]
    import numpy as np  # noqa: F401 - loaded once, for all copies
    import pyarrow as pa  # noqa: F401
    import pydantic  # noqa: F401

    numbers = range(given.first, given.first + given.count) if given.only is None else [given.only]
    where, verdicts = given.tests or [f"tests/{given.package}"], Counter[bool]()
    with tempfile.TemporaryDirectory() as temporary:
        data = given.reached or Path(temporary) / "reached"
        data = data if data.exists() else measured(given.package, where, data)
        for number in numbers:
            tried(number, given, data, where, verdicts)
    print(f"{verdicts[False]} of {sum(verdicts.values())} killed")


def tried(number: int, given: argparse.Namespace, data: Path, where: list[str], verdicts: Counter[bool]) -> None:
    """One mutant, added to the verdicts, and said if it lives."""
    path, line, what, tree = mutant(given.package, number)
    tests = tests_of(path, line, data, where)
    living = not tests or passes(tests, _Mutated(module_of(path), path, tree))
    verdicts[living] += 1
    if living or given.only is not None:
        by = f"{len(tests)} tests" if tests else "no test reaches it"
        end = "lives" if living else "killed"
        print(f"{number}: {end}: {path.relative_to(ROOT)}:{line}: {what} ({by})", flush=True)
    if sum(verdicts.values()) % 10 == 0:
        print(f"{verdicts[False]} of {sum(verdicts.values())} killed", flush=True)


if __name__ == "__main__":
    main()
