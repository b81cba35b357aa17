"""What has to be installed before Isaac Lab's handler can be imported. Imports nothing but Python's own modules."""

import importlib
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

MODULES = ("numpy", "pyarrow", "av", "pydantic", "yaml")
"""What the handler imports, in the order in which one can spoil another."""
FITTING = {"pyarrow": "pyarrow>=18,<=25.0.1"}
"""What to install when a package is there and cannot be imported: pyarrow 26 refuses numpy 1.26, which Isaac Lab 2.3
pins, when it is imported and not when it is installed."""


def missing_packages() -> list[str]:
    """What keeps the handler from working here, each with the command that mends it."""
    problems = [_instruction(what, requirement) for what, requirement in _unmet()] or _broken()
    if find_spec("isaaclab") is None:
        problems.append(
            "isaaclab is not installed here: run this with Isaac Lab's own Python, "
            "./isaaclab.sh -p -m telecine.record.isaaclab SCRIPT.py ..."
        )
    return problems


def stop_if_missing() -> None:
    """End the program with code 1 after telling what is missing, if anything is. Raises: SystemExit."""
    if problems := missing_packages():
        sys.stderr.write("".join(f"error: {problem}\n" for problem in problems))
        raise SystemExit(1)


def _instruction(what: str, requirement: str) -> str:
    return f'{what}: "{sys.executable}" -m pip install "{requirement}"'


def _unmet() -> list[tuple[str, str]]:
    """(what is wrong, requirement) of telecine's own dependencies that are not there or too old."""
    found = []
    for requirement in (r for r in requires("telecine") or () if ";" not in r):
        match = re.match(r"([\w.-]+?)>=([\d.]+)$", requirement.replace(" ", ""))
        if match is None:
            continue
        name, least = match.groups()
        try:
            there = version(name)
        except PackageNotFoundError:
            found.append((f"{name} is not installed", requirement))
            continue
        if _numbers(there) < _numbers(least):
            found.append((f"{name} {there} is too old", requirement))
    return found


def _numbers(text: str) -> tuple[int, ...]:
    """(1, 26, 4) of "1.26.4rc1"; zeros at the end do not count."""
    leading = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in leading.group().split(".")] if leading else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _broken() -> list[str]:
    problems = []
    for module in MODULES:
        try:
            importlib.import_module(module)
        except ImportError as error:
            problems.append(_instruction(f"{module} cannot be imported ({error})", FITTING.get(module, module)))
    return problems
