"""The dataset card, README.md: what the Hub shows, and what a person wants to know first. Pure."""

from typing import Any

FRONT_MATTER = """---
tags:
- LeRobot
task_categories:
- robotics
configs:
- config_name: default
  data_files: data/*/*.parquet
---
"""
TASKS_SHOWN = 50


def card(info: dict[str, Any], tasks: list[str], plan_yaml: str | None = None) -> str:
    """README.md for the dataset that `info` (as in info.json) describes, made by the plan given."""
    seconds = info["total_frames"] / info["fps"]
    facts = {
        "Episodes": info["total_episodes"],
        "Frames": info["total_frames"],
        "Duration": f"{int(seconds // 3600)} h {int(seconds // 60 % 60)} min {seconds % 60:.1f} s",
        "Frames per second": info["fps"],
        "Robot": info["robot_type"] or "not given",
        "Tasks": info["total_tasks"],
        "Format": f"LeRobot {info['codebase_version']}",
    }
    parts = [
        FRONT_MATTER,
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
    if plan_yaml is not None:
        parts.append(f"## Plan\n\nHow it was made of recordings, see telecine:\n\n{_code_block(plan_yaml)}")
    return "\n".join(parts)


def _feature_row(item: tuple[str, dict[str, Any]]) -> str:
    key, entry = item
    names = ", ".join(map(str, entry["names"] or ()))
    kind = entry["dtype"]
    if "info" in entry:
        kind = f"video ({entry['info']['video.codec']})"
    shape = " x ".join(map(str, entry["shape"]))
    return f"| `{_cell(key)}` | {kind} | {shape} | {_cell(names)} |\n"


def _cell(text: str) -> str:
    """Text that cannot break out of its line or table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _code_block(text: str) -> str:
    """Text that cannot break out of its block: indented, since a fence could occur in it."""
    return "".join(f"    {line}\n" for line in text.splitlines())
