"""The rules of the house that a reader of the whole tree would check by eye."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import telecine
from telecine.core.findings import CODES

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
CORE = [path for path in SOURCES if "core" in path.relative_to(ROOT / "src" / "telecine").parts[:1]]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
CORE_MAY_IMPORT = {"numpy", "pyarrow", "pydantic", "telecine", "yaml"}
CORE_MAY_NOT_IMPORT = {"asyncio", "io", "logging", "os", "pathlib", "shutil", "socket", "subprocess", "sys", "tempfile"}


def tracked_texts() -> Iterator[tuple[str, str]]:
    """(name, text) of every text file that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def lines_matching(pattern: str) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def where(path: Path) -> str:
    return str(path.relative_to(ROOT))


in_a_checkout = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="outside this repository: no git checkout")


def test_the_version_is_the_one_installed() -> None:
    assert importlib.metadata.version("telecine") == telecine.__version__


def test_the_public_names_are_there_listed_and_documented() -> None:
    assert [name for name in telecine.__all__ if not hasattr(telecine, name)] == []
    assert set(telecine.__all__) <= set(dir(telecine))
    explained = re.findall(r"^\| `(?:tc\.)?(\w+)", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(telecine.__all__) <= set(explained)


@in_a_checkout
def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    # In two pieces, so that this file passes its own test.
    assert lines_matching(r"(?<![\w.])/(?:wo" r"rk|ro" r"ot|ho" r"me|Use" r"rs|tmp/\w)/?\w") == []


@in_a_checkout
def test_no_tracked_file_names_a_package_registry() -> None:
    assert lines_matching(r"(?i)py" r"pi\.org|python" r"hosted|index" r"-url|find" r"-links") == []


@in_a_checkout
def test_nothing_is_left_unfinished() -> None:
    assert lines_matching(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b|raise NotImplemented" r"Error") == []


def test_the_core_imports_only_values() -> None:
    allowed = (sys.stdlib_module_names - CORE_MAY_NOT_IMPORT) | CORE_MAY_IMPORT
    assert [
        f"{where(path)} imports {name}"
        for path in CORE
        for name in sorted(imported(path))
        if name.split(".")[0] not in allowed
        or (name.startswith("telecine") and not name.startswith(("telecine.core", "telecine._version")))
    ] == []


def test_every_third_party_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime = project["dependencies"] + [
        requirement
        for extra, requirements in project["optional-dependencies"].items()
        for requirement in requirements
        if extra not in {"lint", "reference", "training"}
    ]
    declared = {re.split(r"[^\w-]", requirement)[0].lower().replace("-", "_") for requirement in runtime}
    declared.add("isaaclab")  # not needed, but there: `recorder/isaac/terms.py` is imported by programs of Isaac Lab
    other_names = {"yaml": "pyyaml", "rerun": "rerun_sdk", "rerun_bindings": "rerun_sdk", "datafusion": "rerun_sdk",
                   "google": "protobuf"}  # fmt: skip
    assert [
        f"{where(path)} imports {name}"
        for path in SOURCES
        for name in sorted({full.split(".")[0] for full in imported(path)} - sys.stdlib_module_names)
        if other_names.get(name, name) not in declared
    ] == []


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_finding_has_a_section_in_the_docs(code: str) -> None:
    headings = re.findall(r"^#+ .*$", (ROOT / "docs" / "findings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert any(re.search(rf"(?<![\w-]){re.escape(code)}(?![\w-])", heading) for heading in headings)


def test_the_docs_explain_no_finding_that_does_not_exist() -> None:
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    explained = re.findall(r"^#+ `?([a-z]+-[a-z-]+)`?\s*$", text, re.MULTILINE)
    assert [code for code in explained if code not in CODES] == []


def test_no_source_file_is_longer_than_a_sitting() -> None:
    lengths = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    assert [
        f"{where(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.body[0].lineno > LONGEST_FUNCTION
    ] == []


def test_no_public_class_name_stands_in_two_files() -> None:
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(where(path))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_every_folder_says_what_it_is_for() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    assert [
        where(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ] == []


def test_the_changelog_speaks_of_this_version_or_the_next() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert any("Unreleased" in heading or telecine.__version__ in heading for heading in headings)


def test_the_readme_states_the_test_command_that_the_gate_runs() -> None:
    assert "pip install -e '.[all,test,reference]' && " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_floor_of_the_gate_is_the_floor_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = dict(re.findall(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", " ".join(project["dependencies"])))
    pins = re.findall(r"^([\w-]+)==([\d.]+?)(?:\.\*)?$", (ROOT / ".ci" / "floor.txt").read_text(), re.MULTILINE)
    tested = dict(pins)
    assert {name: version for name, version in lowest.items() if not version.startswith(tested.get(name, "?"))} == {}
