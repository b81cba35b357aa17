"""The result as a table, on the terminal and between the markers of docs/benchmarks.md."""

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
PACKAGES = (
    "telecine",
    "rerun-sdk",
    "lerobot",
    "torchcodec",
    "av",
    "pyarrow",
    "numpy",
    "mcap",
    "mcap-ros2-support",
    "rosbags",
)


@dataclass(frozen=True)
class Row:
    """One comparison. `met` is None where no goal was set."""

    topic: str
    what: str
    ours: str
    theirs: str
    ratio: str
    goal: str = ""
    met: bool | None = None


def show(rows: list[Row]) -> str:
    """A Markdown table."""
    lines = ["| | measured | telecine | compared with | ratio | goal | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        verdict = {True: "met", False: "**missed**", None: ""}[row.met]
        lines.append(f"| {row.topic} | {row.what} | {row.ours} | {row.theirs} | {row.ratio} | {row.goal} | {verdict} |")
    return "\n".join(lines)


def machine() -> str:
    """What the numbers were measured on, without its name."""
    cpu = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        found = re.search(r"^model name\s*: (.*)$", facts.read_text(encoding="utf-8"), re.MULTILINE)
        cpu = found[1] if found else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {cpu}, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def versions() -> str:
    """Packages of this environment; the peer's are in its row."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def write(rows: list[Row]) -> None:
    """Replace what stands between the markers."""
    text = DOCUMENT.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{DOCUMENT.name} needs one {BEGIN} and one {END}")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    result = f"{BEGIN}\n\n{machine()}.\n{versions()}.\n\n{show(rows)}\n\n{END}"
    DOCUMENT.write_text(head + result + tail, encoding="utf-8")
