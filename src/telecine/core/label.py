"""A label says what rows [start, stop) of an episode are: a subtask, an intervention, something that was said. Pure.

The styles of language, where rows of each are stored, and who speaks are those of LeRobot 0.6.1 and main
(`lerobot/datasets/language.py`, `lerobot/annotations/steerable_pipeline`); `phase` is ours, and stored like a subtask.
The other styles are columns of numbers that LeRobot's tools know: `intervention` (`lerobot/rollout`), `next.reward`,
`next.done`, `next.success` (`lerobot/utils/constants.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from telecine.core.dataclass import dataclass
from telecine.core.text.numbers import counted

PERSISTENT = "language_persistent"
"""Column of what holds from a time on until another of its kind comes; the same list in every row of an episode."""
EVENTS = "language_events"
"""Column of what happens in one row."""
LANGUAGE = (PERSISTENT, EVENTS)

StyleName = Literal[
    "subtask", "plan", "memory", "motion", "phase", "task_aug", "interjection", "vqa", "trace", "speech",
    "intervention", "reward", "done", "success",
]  # fmt: skip
ROLES = ("user", "assistant", "system", "tool")
HUMAN, POLICY = ("human", "teleop", "operator", "expert"), ("policy", "autonomous", "robot", "auto")
_VALUES = dict.fromkeys((*HUMAN, "true", "yes", "1", "success", "succeeded", "done"), 1.0)
_VALUES |= dict.fromkeys((*POLICY, "false", "no", "0", "failure", "failed"), 0.0)


@dataclass(frozen=True, slots=True)
class Style:
    """What a style needs, and where it is stored."""

    column: str
    role: str = ""
    """Who speaks where nobody says so; "" for numbers."""
    exclusive: bool = True
    """No row has two of one role and camera."""
    needs_camera: bool = False

    @property
    def is_language(self) -> bool:
        """Stored as language, with a text or calls of tools; else a number for each row."""
        return self.column in LANGUAGE


STYLES: dict[str, Style] = {
    **dict.fromkeys(("subtask", "plan", "memory", "motion", "phase"), Style(PERSISTENT, "assistant")),
    "task_aug": Style(PERSISTENT, "user", exclusive=False),
    "interjection": Style(EVENTS, "user"),
    "vqa": Style(EVENTS, "user", needs_camera=True),
    "trace": Style(EVENTS, "assistant", needs_camera=True),
    "speech": Style(EVENTS, "assistant"),
    "intervention": Style("intervention"),
    "reward": Style("next.reward"),
    "done": Style("next.done"),
    "success": Style("next.success"),
}
assert set(STYLES) == set(get_args(StyleName))


@dataclass(frozen=True, slots=True)
class Label:
    """What rows [start, stop) of an episode are; in a `TimedLabels`, what [start, stop) ns are.

    style: one of `STYLES`; of datasets that others wrote, any. An event happens at `start`.
    text: the words. role: who says them, "" for the style's own. camera: the key of the camera they are about.
    value: of `intervention`, `reward`, `done`, `success`: the number of its rows.
    tool_calls: JSON texts, as a chat model calls tools. of_events: the column of a style that is not in `STYLES`.

    >>> Label(30, 60, "subtask", "grasp the cube").spoken_by
    'assistant'
    """

    start: int
    stop: int
    style: str
    text: str | None = None
    role: str = ""
    camera: str | None = None
    value: float | None = None
    tool_calls: tuple[str, ...] = ()
    of_events: bool = False

    @property
    def kind(self) -> Style:
        """What its style needs."""
        return STYLES.get(self.style, Style(EVENTS if self.of_events else PERSISTENT, "assistant"))

    @property
    def spoken_by(self) -> str:
        """The role, as it is stored."""
        return self.role or self.kind.role

    @property
    def selector(self) -> tuple[str, str, str]:
        """What LeRobot finds it by: two of one selector must not hold at once where the style is exclusive."""
        return (self.style, self.spoken_by, self.camera or "")

    @property
    def is_event(self) -> bool:
        """Stored in the row in which it starts, and in no other."""
        return self.kind.column == EVENTS

    @property
    def number(self) -> float | None:
        """The value of its rows: given, or what its text means (`human` against `policy`); None for language."""
        if self.kind.is_language:
            return None
        return self.value if self.value is not None else _VALUES.get((self.text or "").strip().lower())


@dataclass(frozen=True, slots=True)
class TimedLabels:
    """What a recording itself says, on one of its clocks: labels whose start and stop are ns of that clock."""

    clock: str
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class LabelProblem:
    """What is wrong with the labels of rows [start, stop) of an episode."""

    rows: tuple[int, int]
    text: str


def label_problems(labels: Iterable[Label], count: int, cameras: Sequence[str] = ()) -> Iterator[LabelProblem]:
    """What is wrong with the labels of an episode of `count` rows and these cameras; nothing where all is well.

    >>> [p.text for p in label_problems([Label(5, 12, "subtask", "grasp")], 10)]
    ['subtask [5, 12) ends behind the last of 10 rows']
    """
    ordered = sorted(labels, key=lambda label: (label.selector, label.start, label.stop))
    for label in ordered:
        for text in _own_problems(label, count, cameras):
            yield LabelProblem((label.start, label.stop), f"{label.style} [{label.start}, {label.stop}) {text}")
    latest: dict[tuple[str, str, str], Label] = {}
    for label in ordered:
        one = latest.get(label.selector)
        if one is not None and label.kind.exclusive and label.start < (one.start + 1 if one.is_event else one.stop):
            rows = (label.start, max(label.start + 1, min(one.stop, label.stop)))
            both = f"{_named(one)} and {_named(label)}"
            yield LabelProblem(rows, f"{one.style}: {both} hold at once, of which a reader finds neither")
        if label.start < label.stop and (one is None or label.stop > one.stop):
            latest[label.selector] = label


def _named(label: Label) -> str:
    return f"{(label.text or str(label.number))!r} [{label.start}, {label.stop})"


def _own_problems(label: Label, count: int, cameras: Sequence[str]) -> Iterator[str]:
    style = label.kind
    if not 0 <= label.start < label.stop:
        yield "holds no row; write [start, stop), start < stop"
    elif label.stop > count:
        yield f"ends behind the last of {counted(count, 'row')}"
    if style.is_language and not (label.text or "").strip() and not label.tool_calls:
        yield "has no text"
    if not style.is_language and label.number is None:
        yield f"has neither a value nor a text that means one ({', '.join(_VALUES)})"
    if style.is_language and label.spoken_by not in ROLES:
        yield f"has the role {label.role!r}, not one of {', '.join(ROLES)}"
    if style.needs_camera and label.camera is None:
        yield "is about what a camera shows; say which with `camera`"
    if label.camera is not None and label.style in STYLES and not style.needs_camera:
        yield f"has a camera, which only {', '.join(n for n, s in STYLES.items() if s.needs_camera)} may have"
    if style.needs_camera and label.camera is not None and label.camera not in cameras:
        yield f"names the camera {label.camera!r}; there are {', '.join(cameras) or 'none'}"
