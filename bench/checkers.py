"""What other checkers of LeRobot datasets find on defects made on purpose, beside `inspect`: for docs/quality.md.

    python tests/consumers/install.py rdq robovet lerobot-doctor robot-report-card     # once, an environment each
    python bench/checkers.py [FOLDER]                        # sets are made there, and kept

Each of 40 kinds of defect stands alone in an episode of one of five sets of eleven episodes (`record sim --spoil`, as
tests/inspection/test_spoiled.py has them). "yes": the checker names that episode in something that is no praise, be it
as "unusual", without saying what or where. "false": sound episodes that it names, of 15; what it says of a whole set
names no episode. Of rdq also `--video-full`, which decodes every frame. No CUDA, no network.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from consumers.install import program
from inspection.test_spoiled import EPISODES, FIRST, SETS
from telecine.recorder.sim.record import record
from telecine.recorder.sim.spoil import Spoil

Named = set[int]
Checker = Callable[[Path, Path], Named]


def made(folder: Path) -> list[Path]:
    """The five sets, made where they are not there yet."""
    roots = []
    for kinds in SETS:
        root = folder / kinds[0]
        if not root.exists():
            spoil = [Spoil(kind, FIRST + at) for at, kind in enumerate(kinds)]
            record(root, episodes=EPISODES, seconds=5.0, fps=20, size=(160, 120), spoil=spoil)
        roots.append(root)
    return roots


def run(*command: str | Path) -> str:
    """What it prints; checkers say by their exit code that they found something."""
    hidden = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "COLUMNS": "400", "NO_COLOR": "1"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | hidden
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode not in (0, 1, 2) or "Traceback" in done.stderr:
        print(f"{command[0]}: exit {done.returncode}\n{done.stderr[-800:]}", file=sys.stderr)
    return done.stdout


def episodes_of(entries: Iterable[dict[str, Any]]) -> Named:
    return {int(number) for entry in entries for number in entry.get("episodes") or []}


def rdq(root: Path, out: Path) -> Named:
    run(program("rdq", "rdq"), "check", root, "--json", out)
    return episodes_of(json.loads(out.read_text())["findings"])


def rdq_video(root: Path, out: Path) -> Named:
    run(program("rdq", "rdq"), "check", root, "--video-full", "--json", out)
    return episodes_of(json.loads(out.read_text())["findings"])


def robovet(root: Path, out: Path) -> Named:
    run(program("robovet", "robovet"), "doctor", root, "--json", out)
    return episodes_of(r for r in json.loads(out.read_text())["results"] if r["severity"] in ("WARN", "FAIL"))


def lerobot_doctor(root: Path, out: Path) -> Named:
    """It says episodes in its texts only; "10/10 episodes shorter" names none."""
    out.write_text(run(program("lerobot-doctor", "lerobot-doctor"), "check", root, "--json"))
    messages = [m for check in json.loads(out.read_text())["checks"] for m in check["messages"]]
    texts = [m["message"] for m in messages if m["severity"] != "PASS"]
    named = {int(n) for text in texts for n in re.findall(r"[Ee]pisode (\d+)\b", text)}
    pairs = [pair for text in texts if "duplicate" in text for pair in re.findall(r"\((\d+), (\d+)\)", text)]
    return named | {int(later) for _, later in pairs}


def report_card(root: Path, out: Path) -> Named:
    out.write_text(run(program("robot-report-card", "rrc"), "score", root, "--json"))
    return {e["episode_index"] for e in json.loads(out.read_text())["episodes"] if e["reasons"] or e["hard_flags"]}


def telecine(root: Path, out: Path) -> Named:
    command = [sys.executable, "-m", "telecine", "inspect", str(root), "--json"]
    out.write_text(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    found = json.loads(out.read_text())["findings"]
    return {f["episode"] for f in found if f["code"].startswith("look-") and f["episode"] is not None}


CHECKERS: dict[str, Checker] = {
    "rdq": rdq,
    "rdq --video-full": rdq_video,
    "lerobot-doctor": lerobot_doctor,
    "robot-report-card": report_card,
    "robovet": robovet,
    "telecine": telecine,
}


def versions() -> str:
    code = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    names = ("rdq", "lerobot-doctor", "robot-report-card", "robovet")
    return ", ".join(f"{name} {run(program(name), '-c', code, name).strip()}" for name in names)


def main(folder: Path) -> None:
    roots = made(folder)
    named: dict[str, list[Named]] = {}
    for name, check in CHECKERS.items():
        began = os.times()
        named[name] = [check(root, folder / f"{root.name}-{name.replace(' ', '')}.json") for root in roots]
        spent = os.times().children_user + os.times().children_system
        spent -= began.children_user + began.children_system
        print(f"{name}: {spent:.1f} CPU-s", file=sys.stderr)
    print(versions())
    print(f"\n| defect | {' | '.join(CHECKERS)} |\n|---{'|---' * len(CHECKERS)}|")
    for place, kinds in enumerate(SETS):
        for at, kind in enumerate(kinds):
            said = ["yes" if FIRST + at in sets[place] else "-" for sets in named.values()]
            print(f"| {kind} | {' | '.join(said)} |")
    sound = {*range(FIRST), EPISODES - 1}
    totals = [sum(FIRST + at in s for s, kinds in zip(sets, SETS, strict=True) for at in range(len(kinds)))
              for sets in named.values()]  # fmt: skip
    false = [sum(len(s & sound) for s in sets) for sets in named.values()]
    print(f"| of {sum(map(len, SETS))} | {' | '.join(map(str, totals))} |")
    print(f"| false, of {len(sound) * len(SETS)} | {' | '.join(map(str, false))} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
