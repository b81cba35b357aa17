"""The checks of a dataset's quality: code, what each reads, how loud it is, and why a policy cares."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from telecine.core.errors import PlanError
from telecine.core.findings import Severity

Family = Literal["rows", "tasks", "frames", "episodes"]
FAMILIES: tuple[Family, ...] = ("rows", "tasks", "frames", "episodes")
"""rows: numbers within an episode. tasks: texts. frames: cameras. episodes: one episode beside the others."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of `inspect DATASET`. severity: of most of its findings. reason: why it is worth a look."""

    code: str
    family: Family
    severity: Severity
    reason: str


CHECKS = (
    Check("look-values", "rows", "error", "training gets NaN loss from the first step"),
    Check("look-width", "rows", "error", "a reader gets other shapes than it was promised"),
    Check("look-timestamps", "rows", "error", "LeRobot cannot find the frames of such rows"),
    Check("look-action-state", "rows", "warning", "a policy learns to stay where it is"),
    Check("look-idle", "rows", "info", "a policy learns to wait"),
    Check("look-stuck", "rows", "warning", "rows repeat old numbers while the robot goes on"),
    Check("look-spikes", "rows", "warning", "normalisation by range or deviation shrinks everything else"),
    Check("look-jump", "rows", "warning", "the same pose has two values"),
    Check("look-clipped", "rows", "warning", "where the robot really was, or should have gone, is lost"),
    Check("look-repeated", "rows", "warning", "time goes back: what follows a state is ambiguous"),
    Check("look-reversed", "rows", "warning", "a policy learns to undo what it should do"),
    Check("look-task", "tasks", "warning", "a policy that reads the task learns nothing from it"),
    Check("look-spelling", "tasks", "warning", "one task counts as several"),
    Check("look-dark", "frames", "warning", "the camera saw nothing"),
    Check("look-white", "frames", "warning", "the camera saw nothing"),
    Check("look-dim", "frames", "warning", "a policy sees another brightness than in the rest"),
    Check("look-frozen", "frames", "warning", "frames are older than their rows say"),
    Check("look-blurred", "frames", "warning", "details that the rest shows are missing"),
    Check("look-torn", "frames", "warning", "frames hold parts of others, or nothing"),
    Check("look-small", "frames", "info", "objects cannot be told apart"),
    Check("look-flash", "frames", "warning", "one row shows something that was not there"),
    Check("look-first-frame", "frames", "warning", "the first row shows the end of another episode"),
    Check("look-cameras", "frames", "warning", "a policy gets one camera's view for the other's"),
    Check("look-copy", "episodes", "warning", "it counts twice, or stands in training and evaluation"),
    Check("look-dead", "episodes", "warning", "the joint moved, its number did not"),
    Check(
        "look-gripper",
        "episodes",
        "warning",
        "nothing was grasped, or its number was not recorded, or means the contrary",
    ),
    Check("look-constant", "episodes", "info", "a deviation of zero: normalisation divides by it"),
    Check("look-units", "episodes", "warning", "the same pose has two values"),
    Check("look-order", "episodes", "warning", "a policy gets one joint for another"),
    Check("look-lag", "episodes", "warning", "action and state belong to different times"),
    Check("look-range", "episodes", "warning", "normalisation by range shrinks everything else"),
    Check("look-short", "episodes", "warning", "it was over before anything can have happened"),
    Check("look-long", "episodes", "info", "something else was going on"),
)
"""In the order of docs/quality.md."""
CODES = tuple(check.code for check in CHECKS)
ALL = frozenset(CODES)


def chosen(words: Iterable[str]) -> frozenset[str]:
    """The codes that `--checks` asks for: codes, with or without "look-", families, and "all"; all without any.

    >>> sorted(chosen(["dark", "tasks"]))
    ['look-dark', 'look-spelling', 'look-task']

    Raises: PlanError naming the nearest word that means something.
    """
    listed = [word.strip() for text in words for word in text.split(",") if word.strip()]
    found: set[str] = set() if listed else set(ALL)
    for word in listed:
        full = word if word.startswith("look-") else f"look-{word}"
        if word == "all":
            found |= ALL
        elif word in FAMILIES:
            found |= {check.code for check in CHECKS if check.family == word}
        elif full in ALL:
            found.add(full)
        else:
            from telecine.core.text.documents import suggest  # loads pydantic

            near = suggest(word, (*FAMILIES, *CODES, "all"))
            names = ", ".join(FAMILIES)
            raise PlanError(f"--checks {word!r} is no check{near or f'; give {names}, all, or a code'}")
    return frozenset(found)
