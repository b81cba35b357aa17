"""What `telecine help WORD` knows of words that are neither topic nor command: formats, codes, pages of the site."""

import re
from collections.abc import Iterator

from telecine.core.findings import CODES
from telecine.core.text.pages import page

PAGES = {
    "alignment": "Which sample a row gets: hold, nearest, linear; gaps and limits",
    "api": "Python: every function of telecine, in notebooks and scripts",
    "benchmarks": "Benchmarks: speed and memory of everything",
    "consumers": "Trainers, readers and checkers of our datasets: LeRobot, openpi, GR00T",
    "damaged_input": "Damaged input: what becomes of broken files",
    "derived": "Derived columns: add computed features, delta actions, kinematics of a URDF",
    "edit": "Edit datasets: delete, trim, split, merge, diff, task texts",
    "exit_codes": "Exit codes, command by command",
    "findings": "Findings: every code of warnings and errors, and what to do",
    "hdf5": "HDF5, zarr and LeRobot datasets: robomimic, ALOHA, LIBERO, UMI, Isaac Lab",
    "how_to": "Recipes: another rate (fps), size, codec, layout; publish on the Hub",
    "isaaclab": "Record from Isaac Lab (simulation)",
    "labels": "Labels: subtasks, plans, interventions, rewards",
    "messages": "Messages: MCAP, ROS 2 bags (rosbag2), ROS 1 bags, protobuf",
    "oss_server_lerobot": "Come from oss_server_lerobot",
    "plan": "The plan: every key, with units, streams and tasks",
    "quality": "Quality of a dataset: what inspect looks for, lag of cameras",
    "record": "Record live, or a simulated robot (sim, simulation)",
    "reliability": "Crashes, full disks, resume, what a run leaves: provenance, card, report",
    "repair": "Repair a broken dataset",
    "rerun": "Rerun recordings: .rrd files and catalog servers",
    "rerun_export": "Come from rerun_export",
    "rerun_lerobot": "Come from rerun-lerobot",
    "rlds": "RLDS (TensorFlow Datasets): Open X-Embodiment, Bridge, DROID, LIBERO",
    "robosandbox": "Come from RoboSandbox: its run folders",
    "scale": "A cluster, many machines and stores: shards, Slurm, Ray, S3, GCS, Azure, hf://",
    "security": "Security: what files of others can do, secrets in addresses",
    "so101": "SO-100, SO-101 and LeRobot's logs in Rerun, teleoperation",
    "systems": "Systems and versions: Python, Linux, macOS, Windows",
    "terminal": "The terminal: words of tables, progress, colours",
    "testing": "What is tested, and how",
    "troubleshooting": "Something went wrong: messages and what to do",
    "tutorials": "Tutorials, step by step: Rerun, ROS, HDF5, RLDS, simulation, live, a cluster",
    "video": "Video: copy or encode, codecs, presets, keyframes, quality",
    "view": "The page of telecine view: look, decide, write edits",
}
"""Page of the site -> what is on it, with the words by which people look for it."""
_FEWEST_LETTERS = 2


def about(word: str, formats: str) -> str:
    r"""Rows of the topic `formats` and pages with the word, or what a finding's code means; "" where there is nothing.

    >>> print(about("minari", "  Minari   Arrow   -\n"), end="")
    recordings that are read: format, files, extra
      Minari   Arrow   -
    """
    if word in CODES:
        return f"{word}: {CODES[word]}\n{page('findings')}#{word}\n"
    parts = [part for part in re.split(r"[^a-z0-9]+", word.lower()) if len(part) >= _FEWEST_LETTERS]
    rows = [row for row in _rows(formats) if _has(row, parts)]
    pages = [(name, what) for name, what in PAGES.items() if _has(f"{name.replace('_', ' ')} {name} {what}", parts)]
    text = f"recordings that are read: format, files, extra\n{''.join(rows)}" if rows else ""
    if pages:
        listed = "".join(f"  {what}\n    {page(name)}\n" for name, what in pages)
        text += f"{chr(10) if text else ''}explained in\n{listed}"
    return text


def words(formats: str) -> list[str]:
    """What `about` knows, for the nearest of them."""
    return sorted({*CODES, *re.findall(r"[a-z][a-z0-9]+", " ".join([formats, *PAGES, *PAGES.values()]).lower())})


def _rows(formats: str) -> Iterator[str]:
    """Rows of the table, each with the lines that go on with it."""
    yield from re.findall(r"^  \S.*\n(?:    +\S.*\n)*", formats, re.MULTILINE)


def _has(text: str, parts: list[str]) -> bool:
    """Whether each part begins a word of the text; `ros2` is `ROS 2` as well."""
    spaced = [re.sub(r"(?<=[a-z])(?=\d)", " ?", part) for part in parts]
    return bool(parts) and all(re.search(rf"\b{part}", text.lower()) for part in spaced)
