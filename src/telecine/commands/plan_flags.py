"""Flags into a plan: they override the keys of the plan that is given, or make one when there is none."""

import shlex
from collections.abc import Mapping
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from telecine.commands.flag_table import PlanFlags
from telecine.core.errors import PlanError, raised_as
from telecine.core.labels.table import MOST_LABELS, label_fields, label_lines
from telecine.core.plan.model import IMAGES, Plan, make_plan, read_plan
from telecine.core.plan.spans_csv import spans_of_csv
from telecine.core.text.documents import MAX_YAML_BYTES, suggest
from telecine.core.text.numbers import counted, fraction_of

if TYPE_CHECKING:
    from telecine.core.proposal.propose import Proposal

PRESET = "preset:"
"""Before the name of a plan that ships with telecine, where the path of a plan file can stand."""
PlanLike: TypeAlias = "Plan | Proposal | Mapping[str, Any] | str | Path"
"""A plan, a proposal, the plain values of a plan file, or the path of one."""


def plan_of(flags: PlanFlags, plan: "PlanLike | None", proposal: "Proposal | None" = None) -> Plan:
    """The plan that `plan` (or `proposal`) and flags describe together. Raises: PlanError naming every mistake."""
    body = _body_of(plan) if plan is not None else _proposed(proposal)
    if "fps" not in body and flags.fps is None and (fps := _fps_of(flags, proposal)) is not None:
        body["fps"] = fps
    clock = {"timeline": flags.index, "follow": flags.follow, "rate": flags.rate}
    _add(body, "clock", _given(clock))
    _add(body, "features", _features(flags))
    video = {k: getattr(flags, k) for k in ("preset", "copy", "codec", "crf", "gop", "jpeg_color", "turn", "damage")}
    video["size"] = None if flags.size is None else size_of(flags.size)
    _add(body, "video", _given(video))
    body |= _given({"split": _split(flags)}) | ({} if flags.trim is None else {"trim": {"still": flags.trim}})
    body |= _given({"fps": flags.fps, "task": _task(flags), "robot_type": flags.robot_type, "layout": flags.layout})
    if flags.add:
        pairs = [
            _pair(item, "=", "--add", "KEY=EXPR, e.g. action=relative(action, observation.state)") for item in flags.add
        ]
        body["derived"] = [*body.get("derived", ()), *({"key": key.strip(), "value": value} for key, value in pairs)]
    if flags.labels is not None:
        body["labels"] = [*body.get("labels", ()), *_labels(flags.labels)]
    if plan is None:
        _check_complete(body, proposal)
    try:
        return make_plan(body)
    except PlanError as error:
        if isinstance(plan, str | Path):
            raise PlanError(f"{plan}: {error}") from error
        raise


def _add(body: dict[str, Any], key: str, given: dict[str, Any]) -> None:
    """Put `given` over the mapping at `key`; what is no mapping stays, for the plan's own check to name it."""
    there = body.get(key, {})
    if given and isinstance(there, dict):
        body[key] = {**there, **given}


def wants_proposal(flags: PlanFlags, plan: "PlanLike | None") -> bool:
    """True when neither plan nor flags say what to take, so that the recordings themselves have to."""
    return plan is None and not (flags.action or flags.state or flags.video or flags.index or flags.follow)


def lacks_fps(flags: PlanFlags, plan: "PlanLike | None") -> bool:
    """True for a plan file whose `fps` is a comment, because it is a guess, and that no flag completes."""
    return plan is not None and flags.fps is None and flags.rate is None and "fps" not in _body_of(plan)


def _fps_of(flags: PlanFlags, proposal: "Proposal | None") -> int | None:
    """Rows a second where the plan has none: the rate that is given, else what the recordings suggest."""
    if flags.rate is not None:
        return max(round(rate_of(flags.rate)), 1)
    return None if proposal is None else int(proposal.body["fps"])


def rate_of(text: str) -> Fraction:
    """Counts a second of a text like 30 or 29.97 or 30000/1001. Raises: PlanError."""
    try:
        rate = fraction_of(text)
    except ValueError:
        rate = Fraction(0)
    if rate <= 0:
        raise PlanError(f"--rate {text!r} is not a number of steps a second, e.g. 30 or 29.97")
    return rate


def check_flags(flags: PlanFlags) -> None:
    """Nothing, when every flag can be read. Raises: PlanError, before any recording is looked at."""
    _features(flags)
    if flags.size is not None:
        size_of(flags.size)
    if flags.rate is not None:
        rate_of(flags.rate)
    _split(flags)
    _task(flags)
    if flags.labels is not None:
        _labels(flags.labels)


def _task(flags: PlanFlags) -> Any:
    if flags.task is not None and flags.task_text is not None:
        raise PlanError("--task names a stream, --task-text gives the text itself; use one of them")
    if isinstance(flags.task, str) and flags.task.startswith("/"):
        return {"from": flags.task}
    return flags.task if flags.task is not None else flags.task_text


def text_of_task(flags: PlanFlags) -> str | None:
    """The task's text where flags give it."""
    task = _task(flags)
    return task if isinstance(task, str) else None


def _proposed(proposal: "Proposal | None") -> dict[str, Any]:
    return {"features": {}} if proposal is None else dict(proposal.body)


def _body_of(plan: "PlanLike") -> dict[str, Any]:
    """The plain values of a plan, to be changed."""
    if isinstance(plan, str | Path):
        return _read(_preset(str(plan)) if str(plan).startswith(PRESET) else Path(plan))
    if isinstance(plan, Mapping):
        return dict(plan)
    return plan.to_dict() if isinstance(plan, Plan) else dict(plan.body)


def _preset(name: str) -> Path:
    """The file of a plan that ships with telecine, for a dataset that many people have."""
    folder = Path(str(files("telecine") / "plan_presets"))
    known = sorted(place.stem for place in folder.glob("*.yaml"))
    wanted = name.removeprefix(PRESET)
    if wanted not in known:
        raise PlanError(f"{name}: there is no such plan{suggest(wanted, known)}; there are {', '.join(known)}")
    return folder / f"{wanted}.yaml"


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        write = f"telecine inspect RECORDINGS --plan {shlex.quote(str(path))}"
        raise PlanError(f"{path}: there is no such plan; write one with `{write}`")
    with (
        raised_as(PlanError, f"{path}: the plan cannot be read", OSError, UnicodeDecodeError),
        path.open(encoding="utf-8") as file,
    ):
        text = file.read(MAX_YAML_BYTES + 1)  # the parser refuses more, so no more is read
    try:
        return read_plan(text)
    except PlanError as error:
        raise PlanError(f"{path}: {error}") from error


def _split(flags: PlanFlags) -> dict[str, Any] | None:
    """The rule of at most one of the three flags."""
    rules: dict[str, Any] = _given({"gaps": flags.split_gaps, "marker": flags.split_marker})
    if flags.spans is not None:
        with raised_as(PlanError, f"{flags.spans}: the table of spans cannot be read", OSError, UnicodeDecodeError):
            rules["spans"] = spans_of_csv(flags.spans.read_text(encoding="utf-8"), str(flags.spans))
    return rules or None


def _labels(path: Path) -> list[dict[str, Any]]:
    """The labels of a table as the plan has them. Raises: PlanError naming file and line."""
    with raised_as(PlanError, f"{path}: the table of labels cannot be read", OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
    found = []
    for place, cells in label_lines(text, str(path), named_by="recording"):
        span: dict[str, Any] = {name: cells[name] for name in ("recording", "start", "stop") if name in cells}
        found.append({"start": "0s", **span, **label_fields(cells, place)})
    if len(found) > MOST_LABELS:
        raise PlanError(
            f"{path}: {counted(len(found), 'label')}; a plan holds at most {MOST_LABELS}: convert first, then "
            "`telecine edit --labels` in several parts"
        )
    return found


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _features(flags: PlanFlags) -> dict[str, Any]:
    features: dict[str, Any] = {}
    for key, streams, names in (
        ("action", flags.action, flags.action_names),
        ("observation.state", flags.state, flags.state_names),
    ):
        if streams:
            features[key] = {"from": list(streams), **_given({"names": split_names(names)})}
        elif names is not None:
            raise PlanError(f"names for {key} given, but no stream; add --{key.rpartition('.')[2]} STREAM")
    for item in flags.video:
        key, stream = _pair(item, ":", "--video", "key:path, e.g. front:/camera/front")
        features[IMAGES + key.removeprefix(IMAGES)] = {"from": stream}
    for item in flags.feature:
        key, stream = _pair(item, "=", "--feature", "KEY=STREAM, e.g. next.reward=/reward:Scalars:scalars")
        features.setdefault(key, {"from": []})["from"].append(stream)
    return features


def split_names(text: str | None) -> list[str] | None:
    """Names from a comma-separated list."""
    return None if text is None else [name.strip() for name in text.split(",")]


def _pair(text: str, separator: str, flag: str, form: str) -> tuple[str, str]:
    key, found, stream = text.partition(separator)
    if not (key and found and stream):
        raise PlanError(f"{flag} {text!r} is not of the form {form}")
    return key, stream


def size_of(text: str) -> list[int]:
    """[width, height] in px of a text like 320x240. Raises: PlanError."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise PlanError(f"--size {text!r} is not of the form WIDTHxHEIGHT, e.g. 320x240")
    return [int(width), int(height)]


def _check_complete(body: dict[str, Any], proposal: "Proposal | None") -> None:
    missing = [m for m in proposal.missing if "--task-text" not in m] if proposal is not None else []
    if "fps" not in body:
        missing.append("--fps N (rows per second)")
    if "timeline" not in body.get("clock", {}):
        missing.append("--index TIMELINE (the clock of all timestamps)")
    if not body["features"]:
        missing.append("--action, --state or --video STREAM (what to take)")
    if "task" not in body:
        missing.append("--task STREAM or --task-text TEXT (policies are conditioned on it)")
    if missing:
        raise PlanError(
            "the plan is not complete; give --plan FILE, or:\n  "
            + "\n  ".join(missing)
            + "\n`telecine inspect RECORDINGS` proposes all of it"
            + _unreadable(proposal.unreadable if proposal is not None else {})
        )


def _unreadable(streams: Mapping[tuple[str, str], str]) -> str:
    """Why the recordings themselves do not complete it."""
    if not streams:
        return ""
    (recording, stream), why = next(iter(streams.items()))
    where = "" if why.startswith(recording) else f"{recording} {stream}: "
    first = ", the first" if len(streams) > 1 else ""
    return f"\n{counted(len(streams), 'stream')} cannot be read{first}: {where}{why}"
