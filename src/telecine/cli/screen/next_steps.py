"""What to type next: whole commands, each alone on its line, so that it can be pasted."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.text import Text

from telecine.cli.screen import loudness
from telecine.cli.typed import typed
from telecine.core.findings import Finding
from telecine.core.text.addresses import as_typed, is_stored
from telecine.core.text.numbers import counted
from telecine.core.text.visible import visible
from telecine.lerobot_format.paths import INFO, VERSION
from telecine.lerobot_format.train import train_command

Step = tuple[str, str]
"""What a command does, and the command, quoted for a shell."""


def show_steps(out: Console, steps: Iterable[Step], title: str = "next") -> None:
    """For each step what it does, and below it the command.

    No line break is put into a command, however narrow the terminal is.
    """
    steps = list(steps)
    if loudness.quiet() or not steps:
        return
    out.print(f"\n[bold]{title}[/bold]")
    for what, command in steps:
        out.print(Text(f"  {visible(what)}"), soft_wrap=True)
        out.print(Text(f"    {visible(command)}"), soft_wrap=True)


def command(*words: str | Path) -> str:
    """Words quoted for a shell."""
    return shlex.join(str(as_typed(word)) for word in words)


def frames_not_compared(root: str | Path) -> str:
    """What is left to `verify` by commands that decode no frame, or few, for another reason."""
    return f"frames were not compared with their statistics, which `{command('telecine', 'verify', root)}` does"


def without_dry_run() -> list[Step]:
    """The command that was typed, as it does the work."""
    words = typed(without="--dry-run")
    return [("do it", command(*words))] if words else []


def recovering(findings: Iterable[Finding], *more: str) -> list[Step]:
    """The command that was typed, so that it takes what is whole of damaged recordings, where there are any."""
    damaged = sum("--recover" in finding.fix for finding in findings)
    words = typed(more=["--recover", *more])
    what = f"take what is whole of {counted(damaged, 'damaged recording')}, too"
    return [(what, command(*words))] if damaged and words else []


def installing(findings: Iterable[Finding]) -> list[Step]:
    """The extras that recordings need, each once: telecine's alone, as a message may name a file of any name."""
    found = dict.fromkeys(extra for finding in findings for extra in _EXTRA.findall(finding.message))
    return [("install what reads them, then run this again", extra) for extra in found]


_EXTRA = re.compile(r"needs: (pip install 'telecine\[[a-z0-9]+\]')$")


def viewing(root: str | Path, what: str = "look at it in the browser") -> Step:
    """The page of `telecine view`, and what it needs where that is not there."""
    is_there = all(find_spec(name) for name in ("starlette", "uvicorn"))
    return (what if is_there else f"{what}, after pip install 'telecine[view]'", command("telecine", "view", root))


def after_dataset(
    root: Path, against: Sequence[str] = (), *, recover: bool = False, inspected: bool = False
) -> list[Step]:
    """Look at the dataset, verify it, train on it.

    recover: it was made of damaged files, too. inspected: what it holds was told already.
    """
    found = [*(word for path in against for word in ("--against", path)), *(["--recover"] if recover else [])]
    steps = [
        ("what it holds: tasks, episodes, defects", command("telecine", "inspect", root)),
        viewing(root),
        (
            "compare it with the recordings, row by row",
            command("telecine", "verify", root, *found),
        ),
    ]
    if is_stored(root):
        return [*([] if inspected else steps[:1]), *(steps[2:] if against else ())]
    info = json.loads((root / INFO).read_text(encoding="utf-8"))
    looks = (steps if against else steps[:2])[1 if inspected else 0 :]
    if (version := info.get("codebase_version")) != VERSION:
        text = f"make LeRobot {VERSION} of it, for trainers that do not read {version}"
        return [*looks, (text, command("telecine", "convert", root, f"{root}_v3"))]
    features = info["features"]
    cameras = any(feature["dtype"] in ("video", "image") for feature in features.values())
    name = root.resolve().name or "dataset"
    train = train_command(f"local/{name}", cameras=cameras, root=root)
    choose = "" if cameras else ", with the policy that you choose in the place of POLICY"
    return [*looks, (f"train on it, where LeRobot is installed{choose}", train)]
