"""Defects made on purpose, so that people and tests see what the quality checks find.

A defect is a generator over the steps of an episode; what it changes, and where, is known beforehand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from telecine.core.errors import PlanError
from telecine.core.plan.fields import parse_duration
from telecine.recorder.sim.play import SimStep
from telecine.recorder.sim.scene import Vector
from telecine.recorder.sim.spoil_cameras import cameras, first_frame, flash, frozen, frozen_all, frozen_briefly, image
from telecine.recorder.sim.spoil_images import blurred, constant, dimmed, mirrored, shifted, torn, upside_down
from telecine.recorder.sim.spoil_where import CAMERA, Make, Steps, Where, brief
from telecine.video.frames.colour import Rgb

STATE, ACTION, IMAGES = "observation.state", "action", "observation.images."
JOINT = 1
"""The joint that is spoiled where one is: it moves in every task."""
STAMPS = ("lag", "jitter", "drift")
"""What is wrong with the stamps of cameras, by a duration: `StampErrors`."""
BOTH_WAYS = 3
"""The one that it is exchanged with."""


@dataclass(frozen=True, slots=True)
class Spoil:
    """One defect that was asked for. episode: None for the middle one, or, of stamps of cameras, for all."""

    kind: str
    episode: int | None = None
    late_ns: int = 0
    """Of `lag`: how much later than the joints the cameras show something; negative: sooner. Of the others in `STAMPS`:
    by how much."""


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A defect that was made: where it is in the episode. code: of the finding that names it, "" where none does."""

    kind: str
    code: str
    episode: int
    key: str | None
    rows: tuple[int, int]


def parse_spoil(text: str) -> Spoil:
    """KIND, KIND@EPISODE, or KIND=DURATION of those in `STAMPS`. Raises: PlanError naming the nearest kind.

    >>> parse_spoil("dark@2")
    Spoil(kind='dark', episode=2, late_ns=0)
    """
    match = re.fullmatch(r"([a-z-]+)(?:=(-?[\d.]+ *[a-z]+))?(?:@(\d+))?", text.strip())
    kind = match.group(1) if match else text
    if match is None or (kind not in KINDS and kind not in STAMPS):
        from telecine.core.text.documents import suggest

        listed = f"{', '.join(KINDS)}, lag=80ms, jitter=5ms, drift=60ms"
        raise PlanError(f"--spoil {text!r} is no defect{suggest(kind, (*KINDS, *STAMPS))}; there are {listed}")
    if (kind in STAMPS) != (match.group(2) is not None):
        raise PlanError(
            f"--spoil {text!r}: {', '.join(STAMPS)} need a duration, nothing else has one: --spoil lag=80ms"
        )
    late_ns = parse_duration(match.group(2)) if match.group(2) else 0
    return Spoil(kind, None if match.group(3) is None else int(match.group(3)), late_ns)


def _with(values: Vector, element: int, value: float) -> Vector:
    made = values.copy()
    made[element] = value
    return made


def _state(steps: Steps, change: Callable[[int, Vector], Vector], *, action: bool = False) -> Steps:
    """Every state, and action where asked, changed by (row, values)."""
    for row, step in enumerate(steps):
        done = replace(step, state=change(row, step.state))
        yield replace(done, action=change(row, step.action)) if action else done


def _stuck(steps: Steps, where: Where) -> Steps:
    held: SimStep | None = None
    for row, step in enumerate(steps):
        if row == where.start:
            held = step
        inside = held is not None and where.start <= row < where.stop
        yield replace(step, state=held.state, action=held.action) if inside and held is not None else step


def _spikes(steps: Steps, where: Where) -> Steps:
    def change(row: int, values: Vector) -> Vector:
        return _with(values, JOINT, values[JOINT] + 4.0) if row == where.start else values

    return _state(steps, change)


def _jump(steps: Steps, where: Where) -> Steps:
    size = 0.6 * max(float(np.ptp(where.planned[:, JOINT])), 0.2)

    def change(row: int, values: Vector) -> Vector:
        return _with(values, JOINT, values[JOINT] + size) if row >= where.start else values

    return _state(steps, change)


def cut(planned: Vector) -> tuple[int, float, float]:
    """(joint, sign, limit) of a limit that cuts off motion at full speed on both sides."""
    best = (-1.0, 0, 1.0, 0.0)
    for joint in range(planned.shape[1]):
        for sign in (1.0, -1.0):
            column = sign * planned[:, joint]
            speed = np.abs(np.diff(column))
            usual = float(np.median(speed[speed > 0])) if (speed > 0).any() else 0.0
            for limit in np.quantile(column, [0.6, 0.7, 0.8, 0.9]):
                beyond = np.flatnonzero(column > limit)
                if usual < 1e-6 or len(beyond) < 8 or beyond[0] < 3 or beyond[-1] > len(column) - 4:
                    continue
                if len(beyond) == beyond[-1] - beyond[0] + 1:
                    steep = float(min(speed[beyond[0] - 2], speed[beyond[-1] + 1])) / usual
                    best = max(best, (steep, joint, sign, float(limit)))
    return best[1], best[2], best[3]


def _clipped(steps: Steps, where: Where) -> Steps:
    joint, sign, limit = cut(where.planned)

    def change(row: int, values: Vector) -> Vector:
        if sign * values[joint] > limit:
            where.changed.append(row)
        return _with(values, joint, sign * min(sign * values[joint], limit))

    return _state(steps, change)


def _range(steps: Steps, where: Where) -> Steps:
    size = 6 * max(float(np.ptp(where.planned[:, JOINT])), 0.5)
    length = where.stop - where.start

    def change(row: int, values: Vector) -> Vector:
        inside = where.start <= row < where.stop
        bump = size * np.sin(np.pi * (row - where.start + 0.5) / length) ** 2 if inside else 0.0
        return _with(values, JOINT, values[JOINT] + bump)

    return _state(steps, change)


def _stuck_briefly(steps: Steps, where: Where) -> Steps:
    start, stop = brief(where)
    return _stuck(steps, replace(where, start=start, stop=stop))


def _reversed(steps: Steps, where: Where) -> Steps:
    """All that the rows of the stretch hold, but their times."""
    held: list[SimStep] = []
    for row, step in enumerate(steps):
        if where.start <= row < where.stop:
            held.append(step)
            if row == where.stop - 1:
                times = [one.time_ns for one in held]
                yield from (replace(one, time_ns=at) for one, at in zip(reversed(held), times, strict=True))
        else:
            yield step


def _inverted(steps: Steps, where: Where) -> Steps:
    """A gripper that says open where it is closed."""
    ends = float(where.planned[:, -1].min() + where.planned[:, -1].max())

    def change(row: int, values: Vector) -> Vector:
        del row
        return _with(values, -1, ends - values[-1])

    return _state(steps, change, action=True)


def _repeated(steps: Steps, where: Where) -> Steps:
    """The last rows before `start` come a second time."""
    start, stop = place_of("repeated", where)
    held: list[SimStep] = []
    for row, step in enumerate(steps):
        held = [*held, step][start - stop :] if row < start else held
        inside = start <= row < stop
        yield replace(held[row - start], time_ns=step.time_ns) if inside else step


def _dead(steps: Steps, where: Where) -> Steps:
    level = float(where.planned[0, JOINT])
    return (replace(step, state=_with(step.state, JOINT, level)) for step in steps)


def _gripper(steps: Steps, where: Where) -> Steps:
    level = float(where.planned[0, -1])
    return (replace(step, state=_with(step.state, -1, level), action=_with(step.action, -1, level)) for step in steps)


def _action_state(steps: Steps, where: Where) -> Steps:
    del where
    return (replace(step, action=step.state) for step in steps)


def _idle(steps: Steps, where: Where) -> Steps:
    """The robot waits for a second and a half before it begins."""
    wait = round(1.5 * where.fps)
    first = next(steps)
    times = [round(row * 1e9 / where.fps) for row in range(where.count)]
    for row in range(min(wait, where.count)):
        yield replace(first, time_ns=times[row])
    for row in range(wait, where.count):
        yield replace(next(steps), time_ns=times[row])
    for _ in steps:  # to the end, so that the attempt is judged
        pass


def _units(steps: Steps, where: Where) -> Steps:
    del where

    def change(row: int, values: Vector) -> Vector:
        del row
        return _with(np.rad2deg(values), -1, values[-1])

    return _state(steps, change, action=True)


def _order(steps: Steps, where: Where) -> Steps:
    del where

    def change(row: int, values: Vector) -> Vector:
        del row
        other = values.copy()
        other[[JOINT, BOTH_WAYS]] = values[[BOTH_WAYS, JOINT]]
        return other

    return _state(steps, change, action=True)


def _late_state(steps: Steps, where: Where) -> Steps:
    late = round(0.4 * where.fps)
    held: list[Vector] = []
    for step in steps:
        held = [*held, step.state][-late - 1 :]
        yield replace(step, state=held[0])


def _same(steps: Steps, where: Where) -> Steps:
    del where
    return steps


_FRONT = IMAGES + CAMERA
KINDS: dict[str, tuple[str, str | None, bool, Make]] = {
    "stuck": ("look-stuck", STATE, False, _stuck),
    "spikes": ("look-spikes", STATE, False, _spikes),
    "jump": ("look-jump", STATE, False, _jump),
    "clipped": ("look-clipped", STATE, False, _clipped),
    "repeated": ("look-repeated", None, False, _repeated),
    "idle": ("look-idle", None, False, _idle),
    "action-state": ("look-action-state", ACTION, True, _action_state),
    "dead": ("look-dead", STATE, True, _dead),
    "gripper": ("look-gripper", STATE, True, _gripper),
    "copy": ("look-copy", None, True, _same),
    "units": ("look-units", STATE, True, _units),
    "order": ("look-order", STATE, True, _order),
    "late-state": ("look-lag", STATE, True, _late_state),
    "range": ("look-range", STATE, False, _range),
    "short": ("look-short", None, True, _same),
    "long": ("look-long", None, True, _same),
    "values": ("look-values", STATE, False, _same),
    "timestamps": ("look-timestamps", "timestamp", False, _same),
    "task": ("look-task", "task", True, _same),
    "placeholder": ("look-task", "task", True, _same),
    "spelling": ("look-spelling", "task", True, _same),
    "dark": ("look-dark", _FRONT, False, image(constant(0))),
    "white": ("look-white", _FRONT, False, image(constant(255))),
    "dim": ("look-dim", _FRONT, False, image(dimmed)),
    "dim-all": ("look-dim", _FRONT, True, image(dimmed, whole=True)),
    "frozen": ("look-frozen", _FRONT, False, frozen),
    "frozen-all": ("look-frozen", _FRONT, True, frozen_all),
    "blurred": ("look-blurred", _FRONT, False, image(blurred)),
    "blurred-all": ("look-blurred", _FRONT, True, image(blurred, whole=True)),
    "torn": ("look-torn", _FRONT, False, image(torn)),
    "first-frame": ("look-first-frame", _FRONT, False, first_frame),
    "cameras": ("look-cameras", _FRONT, True, cameras),
    "stuck-briefly": ("look-stuck", STATE, False, _stuck_briefly),
    "frozen-briefly": ("look-frozen", _FRONT, False, frozen_briefly),
    "flash": ("look-flash", _FRONT, False, flash),
    "shifted": ("look-torn", _FRONT, False, image(shifted)),
    "mirrored": ("look-cameras", _FRONT, True, image(mirrored, whole=True)),
    "upside-down": ("look-cameras", _FRONT, True, image(upside_down, whole=True)),
    "reversed": ("look-reversed", None, False, _reversed),
    "inverted": ("look-gripper", STATE, True, _inverted),
}
"""Kind -> (code of the finding, key, whether it is the whole episode, what makes it)."""


IN_FILES = ("values", "timestamps", "task")
"""What no recorder of ours writes: made in the files of a finished dataset (`spoil_files.py`)."""
EMPTIED = "a task that is going to be empty"


def spoiled_task(kind: str, task: str) -> str:
    """The task of a spoiled episode."""
    return {"task": EMPTIED, "placeholder": "task", "spelling": f"{task.capitalize()}."}.get(kind, task)


def spoiled_count(kind: str, count: int, fps: int) -> int:
    """The rows of a spoiled episode."""
    return {"short": max(fps // 2, 1), "long": 5 * count}.get(kind, count)


def place_of(kind: str, where: Where) -> tuple[int, int]:
    """The rows that a defect spoils."""
    _, _, whole, _ = KINDS[kind]
    match kind:
        case "spikes":
            return where.start, where.start + 1
        case "repeated":
            return where.start, min(where.stop, 2 * where.start)
        case "jump":
            return where.start - 1, where.start + 1
        case "clipped":
            return (where.changed[0], where.changed[-1] + 1) if where.changed else (0, 0)
        case "range":
            return (where.start + where.stop) // 2, (where.start + where.stop) // 2 + 1
        case "idle":
            return 0, round(1.5 * where.fps)
        case "first-frame":
            return 0, 1
        case "flash":
            return (where.start + where.stop) // 2, (where.start + where.stop) // 2 + 1
        case "stuck-briefly" | "frozen-briefly":
            return brief(where)
    return (0, where.count) if whole else (where.start, where.stop)


def stretch_of(count: int) -> tuple[int, int]:
    """The rows that are spoiled where it is a stretch: the second quarter or so, in which every task moves."""
    return round(count * 0.18), round(count * 0.45)


def spoils_of(asked: Sequence[Spoil], number: int, episodes: int) -> list[Spoil]:
    """Those that are to be made in one episode."""
    middle = episodes // 2
    return [s for s in asked if s.episode == number or (s.episode is None and (s.kind in STAMPS or number == middle))]


def late_frames(steps: Steps, late_rows: int) -> Steps:
    """Frames that come so many rows after the numbers of their moment; numbers that do, where it is negative."""
    frames: list[Mapping[str, Rgb]] = []
    numbers: list[SimStep] = []
    for step in steps:
        frames = [*frames, step.frames][-max(late_rows, 0) - 1 :]
        numbers = [*numbers, replace(step, frames={})][-max(-late_rows, 0) - 1 :]
        yield replace(step, frames=frames[0], state=numbers[0].state, action=numbers[0].action)
