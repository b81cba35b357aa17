"""The dataset card, README.md: what the Hub shows, and what a person wants to know first. Pure.

A card is replaced only where nobody edited it; the licence and the name on the Hub are there to be filled in. In one
of somebody else (LeRobot's template, a text of one's own) only the licence, where there is none, and the section
between our marks change.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from telecine.core.findings import Finding, grouped
from telecine.core.text.numbers import counted, duration_text
from telecine.lerobot_format.paths import SHEET, VERSION
from telecine.lerobot_format.train import train_command

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
LICENSE_TO_FILL = "# license: which one? apache-2.0, cc-by-4.0, mit ...\n"
NAME_TO_FILL = "USER/NAME"
"""Stands for the name on the Hub."""
_NAME_HINT = "<!-- To fill in: the name on the Hub. `telecine push` does it. -->\n\n"
HOME = "https://github.com/telecine-robotics/telecine"
VISUALIZER = "https://huggingface.co/spaces/lerobot/visualize_dataset"
_PROVENANCE = (
    "The recording and the time span of every episode are in `meta/telecine/provenance.parquet`. Where recordings were "
    "converted, what became of each is beside it in `report.parquet`, what was left out in `left_out.json`. The plan:"
)
_LICENSE = re.compile(r"^license:[ ]*([^\s#]+)[^\n]*\n", re.MULTILINE)
_LICENSE_LINE = re.compile(r"^(?:# )?license:[^\n]*\n", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)^---\n", re.MULTILINE | re.DOTALL)
_DEFECTS = re.compile(r"\n## Defects\n.*?(?=\n## |\Z)", re.DOTALL)
_USE = re.compile(r"\n## Look, load, train\n.*?(?=\n## |\Z)", re.DOTALL)
_REPO = re.compile(rf"{re.escape(VISUALIZER)}\?path=/([\w.-]+/[\w.-]+)/episode_0")
_FROM_A_FOLDER = re.compile(r'^# from a folder: LeRobotDataset\("[^"\n]*", root="FOLDER"\)\n', re.MULTILINE)
_OUTPUT = re.compile(r"--output_dir=outputs/train/\S+")
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+_-]{1,60}")


def card(
    info: Mapping[str, Any],
    tasks: Sequence[str],
    plan_yaml: str | None = None,
    *,
    license: str | None = None,  # noqa: A002 - as the Hub calls it
    defects: Sequence[Finding] | None = None,
    units: Mapping[str, str] = {},
    repo_id: str = NAME_TO_FILL,
    sheet: bool = False,
) -> str:
    """README.md for the dataset that `info` (as in info.json) describes, made by the plan given.

    license: an identifier of the Hub's, such as "apache-2.0"; None: a line to fill. defects: what a check of its
    quality found; None: nobody looked, so the card has no such section. units: of features,
    where they are known. repo_id: its name on the Hub. sheet: whether it
    has the picture of its cameras.
    """
    parts = [
        FRONT_MATTER.replace("{license}", f"license: {license}\n" if license else LICENSE_TO_FILL),
        f"{_what_it_is(info)}\n",
        _facts(info, tasks),
        _use(info, repo_id, sheet=sheet),
        "## Features\n",
        _features(info["features"], units),
        "## Tasks\n",
        "".join(f"{index}. {_cell(task)}\n" for index, task in enumerate(tasks[:TASKS_SHOWN])),
    ]
    if len(tasks) > TASKS_SHOWN:
        parts.append(f"... and {len(tasks) - TASKS_SHOWN} more in `meta/tasks.parquet`.\n")
    if defects is not None:
        parts.append(f"## Defects\n\n{_defects(defects)}")
    if plan_yaml is not None:
        parts.append(f"## How it was made\n\n{_PROVENANCE}\n\n{_code_block(plan_yaml)}")
    return "\n".join(parts)


def _what_it_is(info: Mapping[str, Any]) -> str:
    """A sentence."""
    robot = info.get("robot_type")
    cameras = sum(entry["dtype"] in ("video", "image") for entry in info["features"].values())
    whose = f"the robot `{_cell(robot)}`" if robot else "a robot"
    holds = f"state, action and {counted(cameras, 'camera')}" if cameras else "state and action"
    return (
        f"{counted(info['total_episodes'], 'demonstration')} of {whose}, "
        f"{duration_text(info['total_frames'] / info['fps'])} in all: {holds} at {counted(info['fps'], 'row')} "
        f"a second, in the format of [LeRobot](https://github.com/huggingface/lerobot), written by [telecine]({HOME})."
    )


def _facts(info: Mapping[str, Any], tasks: Sequence[str]) -> str:
    facts = {
        "Episodes": info["total_episodes"],
        "Frames": info["total_frames"],
        "Duration": duration_text(info["total_frames"] / info["fps"]),
        "Frames per second": info["fps"],
        "Robot": info.get("robot_type") or "not given",
        "Tasks": len(tasks),
        "Cameras": sum(entry["dtype"] in ("video", "image") for entry in info["features"].values()),
        "Format": f"LeRobot {info['codebase_version']}",
    }
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in facts.items())


def _use(info: Mapping[str, Any], repo_id: str, *, sheet: bool) -> str:
    """How to look at it, load it and train on it."""
    keys = [key for key, entry in info["features"].items() if entry["dtype"] in ("video", "image")]
    names = ", ".join(f"`{_cell(key)}`" for key in keys)
    picture = f"![Cameras]({SHEET})\n\nFrom the left: {names}.\n\n" if sheet and keys else ""
    trained = f"```sh\n{train_command(repo_id, cameras=bool(keys))}\n```\n"
    if info["codebase_version"] != VERSION:
        trained = f"Layout {info['codebase_version']} is read by LeRobot 0.3.3, openpi and GR00T.\n"
    return f"""## Look, load, train

{_NAME_HINT if repo_id == NAME_TO_FILL else ""}{picture}\
Every episode in the browser: [LeRobot's visualizer]({VISUALIZER}?path=/{repo_id}/episode_0).

```python
from lerobot.datasets.lerobot_dataset import LeRobotDataset

dataset = LeRobotDataset("{repo_id}")
# from a folder: LeRobotDataset("{repo_id}", root="FOLDER")
```

{trained}"""


def _features(features: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """A row for each; a column with units where any is known."""
    known = {
        key: units.get(key) or (entry.get("info") or {}).get("depth_unit") or "" for key, entry in features.items()
    }
    more = (" unit |", "---|") if any(known.values()) else ("", "")
    head = f"| feature | type | shape | names |{more[0]}\n|---|---|---|---|{more[1]}\n"
    rows = (
        _feature_row(item).rstrip("\n") + (f" {_cell(known[item[0]])} |" if more[0] else "") + "\n"
        for item in features.items()
    )
    return head + "".join(rows)


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


def repo_of(text: str) -> str:
    """The name on the Hub that a card of ours has; the one to fill where it has none."""
    found = _REPO.search(text)
    return found[1] if found else NAME_TO_FILL


def is_as_written(text: str, ours: str) -> bool:
    """Whether nobody edited a card but for what is there to be filled in. ours: the card with the same name.

    Defects come with pushing, and cards had no section on how to load them before they were pushed.
    """
    text, ours = (
        _LICENSE_LINE.sub("", _DEFECTS.sub("", card), count=1).replace(_NAME_HINT, "") for card in (text, ours)
    )
    text, ours = (_OUTPUT.sub("", _FROM_A_FOLDER.sub("", card)) for card in (text, ours))
    return text in (ours, _USE.sub("", ours))


def completed(text: str, ours: str) -> str:
    """Somebody's card with the licence of `ours` where it states none, and our facts between marks, once."""
    body, stated = _FRONT.sub("", ours, count=1), license_of(ours)
    if stated is not None and license_of(text) is None:
        text = _with_license(text, stated) if _FRONT.match(text) else _front(ours) + text
    block = f"{BEGIN}\n{body.strip()}\n{END}\n"
    if BEGIN in text and END in text:
        return text[: text.index(BEGIN)] + block + text[text.index(END) + len(END) :].removeprefix("\n")
    return f"{text.rstrip()}\n\n{block}"


def _with_license(text: str, stated: str) -> str:
    """In place of our line to fill, or as the first line of the front matter."""
    line = f"license: {stated}\n"
    return (
        text.replace(LICENSE_TO_FILL, line, 1) if LICENSE_TO_FILL in text else text.replace("---\n", f"---\n{line}", 1)
    )


def _front(text: str) -> str:
    front = _FRONT.match(text)
    return front[0] + "\n" if front else ""


def _cell(text: str) -> str:
    """Text that cannot break out of its line or table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _code_block(text: str) -> str:
    """Text that cannot break out of its block: indented, since a fence could occur in it."""
    return "".join(f"    {line}\n" for line in text.splitlines())
