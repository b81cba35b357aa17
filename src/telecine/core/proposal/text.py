"""A proposal as text: the plan file with comments, and the command line that does the same."""

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from telecine.core.plan.model import IMAGES
from telecine.core.proposal.propose import Proposal
from telecine.core.proposal.timeline import NO_TIMELINE
from telecine.core.text.task_text import TASK_TO_GIVE

RATE_TO_GIVE = "HZ"
_FLAGS = {"action": "--action", "observation.state": "--state"}
VIDEO_HINT = (
    "How cameras are stored. The defaults are:",
    "video:",
    "  preset: train    # or lerobot (AV1 as LeRobot records), archive (fewest bytes), images (PNG)",
    "  copy: auto       # or always (whenever exact), never",
    "To scale frames add `size: [width, height]`.",
)


def plan_yaml(proposal: Proposal) -> str:
    """The plan as YAML with comments, which `parse_plan` reads back as `proposal.plan`.

    While something is missing the text names it, and `parse_plan` refuses it. A guessed `fps` stands in a comment:
    `convert` takes a rate that is given in its place, or guesses the same from the recordings.
    """
    body, comments = proposal.body, proposal.comments
    lines = [
        "# A plan for telecine, proposed from what the recordings hold. Check it, change it, then:",
        "#   telecine convert RECORDINGS OUT --plan THIS_FILE",
        *_comments("To add: ", proposal.missing),
        *_comments("A guess: ", proposal.guesses),
        "",
        *_comments("", comments.get("fps", ())),
        *([f"# fps: {body['fps']}   (a guess)"] if proposal.fps_guessed else _yaml({"fps": body["fps"]})),
        "",
        *_comments("", comments.get("clock", ())),
        *_yaml({"clock": body["clock"]}),
        "",
        "features:" if body["features"] else "features: {}",
    ]
    for key, feature in body["features"].items():
        block = [*_comments("", comments.get(key, ())), *_yaml({key: feature})]
        lines += [f"  {line}" for line in block]
    lines += ["", *_yaml({"split": body["split"]})] if "split" in body else []
    lines += ["", *_comments("", comments.get("task", ()))]
    lines += _yaml({"task": body["task"]}) if "task" in body else ["# task: ..."]
    lines += ["", *_yaml({"robot_type": body["robot_type"]})] if "robot_type" in body else []
    lines += ["", *(f"# {line}" for line in VIDEO_HINT)] if any(k.startswith(IMAGES) for k in body["features"]) else []
    if "unused" in comments:
        lines += ["", "# Not used:", *_comments("  ", comments["unused"])]
    return "\n".join(lines) + "\n"


def _yaml(body: Mapping[str, Any]) -> list[str]:
    # Unfolded, so that indenting the lines changes no value. PyYAML 6 does not read back all line breaks it writes.
    text = yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=1_000_000)
    if not text.replace("\n", "").isprintable() or "\n\n" in text:
        text = yaml.safe_dump(dict(body), sort_keys=False, default_style='"', width=1_000_000)
    return text.rstrip("\n").split("\n")


def _comments(lead: str, sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        # YAML allows only printable characters, in comments too.
        plain = "".join(c if c.isprintable() else "?" for c in sentence)
        wrapped = textwrap.wrap(plain, 108, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(wrapped):
            yield f"#   {line}" if number else f"# {lead}{line}"


def command_line(proposal: Proposal, paths: Sequence[str], out: str, plan_file: str | None = None) -> str:
    """The `telecine convert` command for this proposal, quoted for a shell.

    Words in capitals stand for what is missing.
    It uses `plan_file`, which is there; without one flags, or where they cannot say it all, a file that `telecine
    inspect --plan` writes.
    """
    body, names = proposal.body, proposal.short
    if plan_file or not _fits_flags(body):
        lag = ["--lag"] if _has_offset(body) else []  # was measured: the plan file gets it in the same way
        inspect = ["telecine", "inspect", *paths, *lag, "--plan", "plan.yaml"]
        convert = ["telecine", "convert", *paths, out, "--plan", plan_file or "plan.yaml"]
        convert += ["--rate", RATE_TO_GIVE] if proposal.counting and "rate" not in body["clock"] else []
        convert += [] if body.get("task") else ["--task-text", TASK_TO_GIVE]
        return shlex.join(convert) if plan_file else f"{shlex.join(inspect)} && {shlex.join(convert)}"
    parts = ["telecine", "convert", *paths, out]
    parts += [] if proposal.counting and proposal.fps_guessed else ["--fps", str(body["fps"])]
    if body["clock"]["timeline"] != NO_TIMELINE:
        parts += ["--index", body["clock"]["timeline"]]
    if proposal.counting or "rate" in body["clock"]:
        parts += ["--rate", body["clock"].get("rate", RATE_TO_GIVE)]
    for key, feature in _plain(body["features"]).items():
        flag = "--video" if key.startswith(IMAGES) else _FLAGS.get(key, "--feature")
        lead = {"--video": f"{key.removeprefix(IMAGES)}:", "--feature": f"{key}="}.get(flag, "")
        for name in [feature] if isinstance(feature, str) else feature:
            parts += [flag, lead + names[name]]
    task = body.get("task")
    parts += ["--task", names[task["from"]]] if isinstance(task, dict) else ["--task-text", task or TASK_TO_GIVE]
    parts += ["--robot-type", body["robot_type"]] if "robot_type" in body else []
    return shlex.join(parts)


def _has_offset(body: Mapping[str, Any]) -> bool:
    taken = (f["from"] for f in body["features"].values() if isinstance(f, Mapping))
    return any(isinstance(one, Mapping) and "offset" in one for one in taken)


def _fits_flags(body: Mapping[str, Any]) -> bool:
    task = body.get("task")
    plain = all(isinstance(f, str | list) for f in _plain(body["features"]).values())
    return plain and "split" not in body and not (isinstance(task, dict) and "from" not in task)


def _plain(features: Mapping[str, Any]) -> dict[str, Any]:
    """The features, depth by its stream alone: that it has no video settings matters only beside settings for all."""
    named = {
        k: f["from"] for k, f in features.items() if isinstance(f, Mapping) and f == {"from": f["from"], "video": {}}
    }
    return {**features, **named}
