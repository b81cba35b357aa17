"""The dataset card, README.md: what the Hub shows, and what a person wants to know first. Pure.

A card is replaced only where nobody edited it. In one of somebody else (LeRobot's template, a text of one's own) only
the licence, where there is none, and the section between our marks change.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from telecine.core.findings import Finding, grouped

FRONT_MATTER = """---
{license}tags:
- LeRobot
task_categories:
- robotics
configs:
- config_name: default
  data_files: data/*/*.parquet
---
"""
TASKS_SHOWN = 50
DEFECTS_SHOWN = 30
BEGIN, END = "<!-- telecine: facts -->", "<!-- telecine: end of facts -->"
_LICENSE = re.compile(r"^license:[ ]*([^\s#]+)[^\n]*\n", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
_DEFECTS = re.compile(r"\n## Defects\n.*?(?=\n## |\Z)", re.DOTALL)
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+_-]{1,60}")


def card(
    info: Mapping[str, Any],
    tasks: Sequence[str],
    plan_yaml: str | None = None,
    *,
    license: str | None = None,  # noqa: A002 - as the Hub calls it
    defects: Sequence[Finding] | None = None,
) -> str:
    """README.md for the dataset that `info` (as in info.json) describes, made by the plan given.

    license: an identifier of the Hub's, such as "apache-2.0". defects: what a check of its quality found; None: nobody
    looked, so the card has no such section.
    """
    seconds = info["total_frames"] / info["fps"]
    facts = {
        "Episodes": info["total_episodes"],
        "Frames": info["total_frames"],
        "Duration": f"{int(seconds // 3600)} h {int(seconds // 60 % 60)} min {seconds % 60:.1f} s",
        "Frames per second": info["fps"],
        "Robot": info.get("robot_type") or "not given",
        "Tasks": len(tasks),
        "Cameras": sum(entry["dtype"] in ("video", "image") for entry in info["features"].values()),
        "Format": f"LeRobot {info['codebase_version']}",
    }
    parts = [
        FRONT_MATTER.replace("{license}", f"license: {license}\n" if license else ""),
        "A robot dataset in the [LeRobot](https://github.com/huggingface/lerobot) format, written by telecine.\n",
        "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in facts.items()),
        "## Features\n",
        "| feature | type | shape | names |\n|---|---|---|---|\n"
        + "".join(map(_feature_row, info["features"].items())),
        "## Tasks\n",
        "".join(f"{index}. {_cell(task)}\n" for index, task in enumerate(tasks[:TASKS_SHOWN])),
    ]
    if len(tasks) > TASKS_SHOWN:
        parts.append(f"... and {len(tasks) - TASKS_SHOWN} more in `meta/tasks.parquet`.\n")
    if defects is not None:
        parts.append(f"## Defects\n\n{_defects(defects)}")
    if plan_yaml is not None:
        parts.append(f"## Plan\n\nHow it was made of recordings, see telecine:\n\n{_code_block(plan_yaml)}")
    return "\n".join(parts)


def _feature_row(item: tuple[str, dict[str, Any]]) -> str:
    key, entry = item
    names = ", ".join(_names(entry.get("names")))
    kind = entry["dtype"]
    if "info" in entry:
        kind = f"video ({(entry['info'] or {}).get('video.codec', 'unknown codec')})"
    shape = " x ".join(map(str, entry["shape"]))
    return f"| `{_cell(key)}` | {kind} | {shape} | {_cell(names)} |\n"


def _names(names: Any) -> list[str]:
    """Names of elements: a list, or older datasets' {"motors": [...]}."""
    if isinstance(names, Mapping):
        return [str(name) for group in names.values() for name in (group if isinstance(group, list) else [group])]
    return [str(name) for name in names or ()]


def _defects(found: Sequence[Finding]) -> str:
    """A line for each thing found, with the places; none of them makes the dataset invalid."""
    groups = grouped(found)
    lines = [
        f"- {_cell(f.where)}{f' and {more} more' if more else ''}: {_cell(f.message)} (`{f.code}`)\n"
        for f, more in groups[:DEFECTS_SHOWN]
    ]
    if len(groups) > DEFECTS_SHOWN:
        lines.append(f"- and {len(groups) - DEFECTS_SHOWN} more: `telecine inspect` lists them\n")
    return "".join(lines) or "`telecine inspect` found none.\n"


def license_of(text: str) -> str | None:
    """The licence that a card's front matter states."""
    front = _FRONT.match(text)
    found = _LICENSE.search(front[1]) if front else None
    return found[1].strip("\"'") if found else None


def is_license(text: str) -> bool:
    """Whether it has the form of the Hub's identifiers.

    >>> is_license("cc-by-4.0"), is_license("All rights reserved")
    (True, False)
    """
    return _IDENTIFIER.fullmatch(text) is not None


def as_written(text: str) -> str:
    """A card of ours without what pushing adds: the licence and the defects."""
    return _DEFECTS.sub("", _LICENSE.sub("", text, count=1), count=1)


def completed(text: str, ours: str) -> str:
    """Somebody's card with the licence of `ours` where it states none, and our facts between marks, once."""
    body, stated = _FRONT.sub("", ours, count=1), license_of(ours)
    if stated is not None and license_of(text) is None:
        text = text.replace("---\n", f"---\nlicense: {stated}\n", 1) if _FRONT.match(text) else _front(ours) + text
    block = f"{BEGIN}\n{body.strip()}\n{END}\n"
    if BEGIN in text and END in text:
        return text[: text.index(BEGIN)] + block + text[text.index(END) + len(END) :].removeprefix("\n")
    return f"{text.rstrip()}\n\n{block}"


def _front(text: str) -> str:
    front = _FRONT.match(text)
    return front[0] + "\n" if front else ""


def _cell(text: str) -> str:
    """Text that cannot break out of its line or table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _code_block(text: str) -> str:
    """Text that cannot break out of its block: indented, since a fence could occur in it."""
    return "".join(f"    {line}\n" for line in text.splitlines())
