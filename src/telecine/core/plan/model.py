"""What to take from a recording and how to resample it. A plan is data: it compares, hashes, pickles and prints.

Parsed once, from YAML or from flags; every mistake is reported together with its path. Nothing here opens a
recording: `bind.py` decides whether a plan fits one.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from telecine.core.align import How
from telecine.core.copying.damage import Policy
from telecine.core.errors import PlanError
from telecine.core.plan.derived import Derived
from telecine.core.plan.episodes import EpisodeSpan, Split, Trim
from telecine.core.plan.fields import Duration, Limit, Model, Phase, StatsSettings, format_duration
from telecine.core.plan.labels import LabelRule, label_columns
from telecine.core.plan.operators import Operators
from telecine.core.recording import Codec, ColourOrder, Rotation
from telecine.core.text.documents import Body as PlanBody
from telecine.core.text.documents import keys_of, mistakes, read_mapping, suggest, to_yaml
from telecine.core.text.html import table
from telecine.core.text.numbers import counted, fraction_of
from telecine.core.text.pages import page
from telecine.core.text.task_text import task_problem

IMAGES = "observation.images."
STATE = "observation.state"
RESERVED = ("timestamp", "frame_index", "episode_index", "index", "task_index", "task")
Dtype = Literal[
    "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "string"
]  # fmt: skip


def _parse_sources(value: Any) -> Any:
    items = value if isinstance(value, list | tuple) else [value]
    return [{"stream": item} if isinstance(item, str) else item for item in items]


def _parse_task(value: Any) -> Any:
    return {"constant": value} if isinstance(value, str) else value


def _parse_rate(value: Any) -> Any:
    if value is None:
        return None
    rate = fraction_of(str(value))
    if rate <= 0:
        raise ValueError(f"{value!r} is no rate; give counts a second, more than 0")
    return str(rate)


class Take(Operators):
    """What a feature takes from one stream."""

    stream: str = Field(description="Name of the stream, or its entity path when that is unambiguous.")
    fields: tuple[int | str, ...] | None = Field(None, description="Elements by index or name; all if absent.")
    timeline: str | None = Field(None, description="Timeline of this stream when not the plan's.")
    offset: Duration = Field(0, description="Added to every timestamp of this stream, e.g. -12ms of camera latency.")


class Video(Model):
    """How a camera is stored."""

    preset: Literal["train", "lerobot", "archive", "images"] = Field(
        "train",
        description="train: H.264 for fast random reads; lerobot: AV1 as LeRobot records; images: PNG.",
    )
    copy_policy: Literal["auto", "always", "never"] = Field(
        "auto",
        alias="copy",
        description="auto: copy packets when that is exact and reads fast enough; always: whenever exact.",
    )
    codec: Codec | None = Field(None, description="Codec of the dataset; default: the source's when copying.")
    crf: int | None = Field(None, ge=0, le=63, description="Constant rate factor of the encoder.")
    gop: int | None = Field(None, ge=1, le=1000, description="Frames from keyframe to keyframe.")
    size: tuple[int, int] | None = Field(None, description="[width, height] in px to resize to; depth must have it.")
    jpeg_color: ColourOrder | None = Field(
        None, description="bgr: exchange red and blue of compressed frames; default: as the format usually has them."
    )
    turn: Rotation | None = Field(None, description="How to make frames upright; default: as the format has them.")
    slack: Phase = Field(
        "auto",
        description="How far from its row a frame other than the aligned one may be where that lets it be copied; "
        "auto: 1.5 periods of the camera, and 0 for frames on a grid.",
    )
    damage: Policy = Field(
        "reject",
        description="What damage costs: reject: the recording; cut: the rest of the episode; encode: nothing, rows "
        "during it show the last whole frame, as far as `limit` lets them.",
    )
    check: Literal["headers", "pictures"] = Field(
        "headers",
        description="How damage is looked for before anything is written; pictures: by decoding each frame once.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size is not None and min(self.size) < 2:
            raise ValueError(f"size {list(self.size)} is [width, height] in px, both at least 2")
        if self.slack != "auto" and self.slack < 0:
            raise ValueError(f"slack is {format_duration(self.slack)}; it cannot be negative")
        return self


class Feature(Operators):
    """One feature of the dataset, made of one or several streams, concatenated in the order given."""

    key: str
    sources: Annotated[tuple[Take, ...], BeforeValidator(_parse_sources)] = Field(alias="from")
    how: How = Field("hold", description="hold: last sample at or before the tick (causal).")
    limit: Limit = Field("auto", description="Oldest sample accepted: a duration, auto or none.")
    missing: Literal["trim", "error"] = Field("trim", description="What to do when a stream starts late or ends early.")
    repeats: Literal["refused", "allowed"] = Field(
        "refused", description="With limit none: whether a stream of steady rate may show one sample for long."
    )
    dtype: Dtype | None = Field(None, description="Default: float32 for floats, else that of the stream.")
    names: tuple[str, ...] | None = Field(None, description="One name per element; default: the stream's.")
    width: int | None = Field(None, ge=1, description="Numbers it has; recordings with more or fewer are rejected.")
    video: Video | None = Field(None, description="Overrides the plan's `video` for this camera.")
    shift: int = Field(
        0, ge=0, le=1000, description="Rows later from which values are taken: 1 makes the next state the action."
    )
    relative_to: str | None = Field(
        None, description="Key of the feature (`state` for observation.state) whose values at the row are subtracted."
    )

    @property
    def reference(self) -> str | None:
        """The key that `relative_to` means."""
        return STATE if self.relative_to == "state" else self.relative_to


class Clock(Model):
    """Where the ticks of an episode lie."""

    timeline: str = Field(description="Name of the timeline all timestamps are read from.")
    rate: Annotated[str | None, BeforeValidator(_parse_rate)] = Field(
        None, description="Counts per second of a sequence timeline, which has no unit of its own."
    )
    follow: str | None = Field(None, description="Take the timestamps of this stream as ticks instead of a grid.")
    tolerance: float = Field(0.01, gt=0, le=0.5, description="Accepted relative difference of measured rate and fps.")
    phase: Phase = Field("auto", description="First tick: this long after the start; auto: fitted to the cameras.")
    keep: str | None = Field(None, description="Name of an extra float64 column: seconds from the first tick.")


class Task(Model):
    """Where the task text comes from: exactly one of the three."""

    constant: str | None = None
    stream: str | None = Field(None, alias="from", description="A text stream, held from when it was logged.")
    recordings: tuple[tuple[str, str], ...] | None = Field(None, description="Recording id or file name: text.")

    @model_validator(mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and isinstance(value.get("recordings"), Mapping):
            return {**value, "recordings": sorted(value["recordings"].items())}
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(v is not None for v in (self.constant, self.stream, self.recordings)) != 1:
            raise ValueError("give exactly one of: a text, {from: STREAM} or {recordings: {ID: TEXT}}")
        if self.constant is not None and (problem := task_problem(self.constant)):
            raise ValueError(problem)
        return self


def _parse_features(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return [{"key": key, **(body if isinstance(body, Mapping) else {"from": body})} for key, body in value.items()]


class Plan(Model):
    """The whole of what a conversion does to a recording.

    >>> plan = parse_plan("{fps: 30, clock: {timeline: sim}, features: {action: /action}, task: pick}")
    >>> plan.to_dict()["task"], parse_plan(plan.to_yaml()) == plan
    ({'constant': 'pick'}, True)
    """

    fps: int = Field(ge=1, le=1000, description="Rows per second; LeRobot stores it as an integer.")
    clock: Clock
    features: Annotated[tuple[Feature, ...], BeforeValidator(_parse_features)]
    task: Annotated[Task, BeforeValidator(_parse_task)]
    split: Split | None = Field(None, description="Several episodes out of one recording.")
    trim: Trim | None = Field(None, description="Leave out idle time at the start and the end of episodes.")
    derived: tuple[Derived, ...] = Field((), description=f"Columns computed from others: {page('derived')}")
    labels: tuple[LabelRule, ...] = Field((), description="What spans of the recordings are: subtasks and the like.")
    robot_type: str | None = None
    layout: Literal["v3.0", "v2.1", "gr00t"] = Field(
        "v3.0", description="Of the dataset: LeRobot's current one, its last one, or that with GR00T's modality.json."
    )
    video: Video = Field(default_factory=lambda: Video.model_validate({}), description="How cameras are stored.")
    stats: StatsSettings = Field(
        default_factory=lambda: StatsSettings.model_validate({}), description="Further statistics."
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        problems = [*_key_problems(self.features), *_feature_problems(self.features)]
        problems += _relative_problems(self.stats.relative, {f.key: f for f in self.features})
        problems += _derived_problems(self.derived)
        for key in sorted(label_columns(self.labels) & {f.key for f in self.features}):
            problems.append(f"labels: they make the column {key}, which features have too; leave one of them out")
        if not self.features:
            problems.append("features: none given; a dataset needs at least one")
        if self.clock.keep is not None and self.clock.keep in {*RESERVED, *(f.key for f in self.features)}:
            problems.append(f"clock.keep: {self.clock.keep!r} is taken; choose another column name")
        if self.clock.follow is not None and self.clock.phase != "auto":
            problems.append("clock.phase: has no meaning with `follow`, whose stream gives the ticks; remove one")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def video_of(self, feature: Feature) -> Video:
        """The feature's own `video`, else the plan's."""
        return feature.video if feature.video is not None else self.video

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the shape of the YAML file; defaults left out."""
        body = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        body["features"] = {f.pop("key"): f for f in body["features"]}
        if "recordings" in body["task"]:
            body["task"]["recordings"] = dict(body["task"]["recordings"])
        return body

    def _repr_html_(self) -> str:
        rows = [(f.key, ", ".join(s.stream for s in f.sources), f.how, f.limit) for f in self.features]
        task = self.task.constant or self.task.stream or "one per recording"
        head = f"plan: {self.fps} fps on {self.clock.timeline}; task: {task}"
        return table(head, ("feature", "streams", "how", "limit"), rows)

    def to_yaml(self) -> str:
        """Text that `parse_plan` reads back as an equal plan."""
        return to_yaml(self.to_dict())

    def digest(self) -> str:
        """Hex SHA-256 over every value of the plan, defaults included."""
        body = self.model_dump_json(by_alias=True)
        return hashlib.sha256(json.dumps(json.loads(body), sort_keys=True).encode()).hexdigest()


def _key_problems(features: Iterable[Feature]) -> Iterable[str]:
    seen: set[str] = set()
    for f in features:
        where = f"features.{f.key}"
        if f.key in seen:
            yield f"{where}: given twice"
        seen.add(f.key)
        if f.key in RESERVED:
            yield f"{where}: this column is written by telecine itself; choose another key"
        if not re.fullmatch(r"[^\s/\\]{1,200}", f.key) or f.key.startswith("."):
            yield f"{where}: keys hold no blanks and no slashes (LeRobot makes statistics paths of them)"


def _derived_problems(derived: Sequence[Derived]) -> Iterable[str]:
    keys = [one.key for one in derived]
    for key in dict.fromkeys(keys):
        if key in RESERVED or key.startswith(IMAGES) or keys.count(key) > 1:
            yield f"derived.{key}: no name for a computed column, or given twice; choose another key"


def _feature_problems(features: Sequence[Feature]) -> Iterable[str]:
    for f in features:
        where = f"features.{f.key}"
        if f.dtype in ("bool", "string") and f.key.startswith(("observation", "action")):
            yield (
                f"{where}: {f.dtype} under observation* or action* crashes LeRobot's training; "
                f"use another key, e.g. 'info.{f.key.rpartition('.')[2]}'"
            )
        if not f.sources:
            yield f"{where}.from: no stream given"
        if f.how in ("linear", "slerp") and f.dtype not in (None, "float32", "float64"):
            yield f"{where}.how: {f.how} makes fractions, which {f.dtype} cannot hold; use hold or nearest"
        if f.key.startswith(IMAGES) and len(f.sources) > 1:
            yield f"{where}.from: a camera is one stream, got {len(f.sources)}"
        yield from _operator_problems(f, {other.key: other for other in features}, where)
        if f.names is not None and len(set(f.names)) != len(f.names):
            yield f"{where}.names: names repeat"


def _relative_problems(relative: Iterable[str], features: Mapping[str, Feature]) -> Iterable[str]:
    for key in relative:
        if key not in features or key.startswith(IMAGES) or key == STATE:
            yield f"stats.relative: {key!r} is no feature that something can be subtracted from{suggest(key, features)}"
        elif features[key].reference is not None:
            yield f"stats.relative: {key} is relative already (relative_to), so stats.json is what you need"
        elif STATE not in features:
            yield f"stats.relative: there is no {STATE} to subtract; add it to the features"


def _operator_problems(f: Feature, features: Mapping[str, Feature], where: str) -> Iterable[str]:
    values = f.reference is not None or f.changes_values or any(take.changes_values for take in f.sources)
    if f.key.startswith(IMAGES) and (values or f.shift):
        yield f"{where}: operators on values and rows have no meaning for a camera; remove them"
    if values and f.dtype is not None and not f.dtype.startswith("float"):
        yield f"{where}.dtype: operators make fractions, which {f.dtype} cannot hold; leave it out"
    if f.reference is None:
        return
    reference = features.get(f.reference)
    if reference is None or reference is f or f.reference.startswith(IMAGES):
        yield f"{where}.relative_to: {f.relative_to!r} is no other feature of numbers{suggest(f.reference, features)}"
    elif reference.reference is not None or reference.shift:
        yield f"{where}.relative_to: {f.reference} is itself relative or shifted; name a feature that is neither"


def mapped(feature: Feature) -> str:
    """What the plan does to the values of a feature, for the report; "" for nothing."""
    parts = [f"{take.stream}: {take.described}" for take in feature.sources if take.changes_values]
    parts += [feature.described] if feature.changes_values else []
    parts += [f"{counted(feature.shift, 'row')} later, the last {feature.shift} left out"] if feature.shift else []
    parts += [f"less {feature.reference} of the row"] if feature.reference else []
    return "; ".join(parts)


def make_plan(body: PlanBody) -> Plan:
    """The plan that plain values in the shape of the YAML file describe.

    Args:
        body: the values; https://telecine-robotics.github.io/telecine/plan/ explains the keys, `telecine.schema()`
            states them.

    Returns:
        The plan, frozen and checked.

    Raises:
        PlanError: names every mistake with its path and, for a misspelt word, the nearest known one.

    >>> body = {"fps": 30, "clock": {"timeline": "sim"}, "features": {"action": "/action"}, "task": "pick"}
    >>> make_plan(body).features[0].key
    'action'
    """
    try:
        return Plan.model_validate(body)
    except ValidationError as error:
        problems = mistakes(error, known_keys(), partial(_place, body))
    raise PlanError(f"the plan has {counted(len(problems), 'mistake')}:\n  " + "\n  ".join(problems))


def parse_plan(text: str) -> Plan:
    """The plan in YAML `text`, such as a file that `telecine inspect --plan` wrote.

    Args:
        text: at most 1 MB; plain data only, no tags and no aliases.

    Returns:
        The plan, frozen and checked.

    Raises:
        PlanError: it is not YAML, or names every mistake with its path.

    >>> parse_plan("{fps: 30, clock: {timeline: sim}, features: {action: /action}, task: pick}").fps
    30
    """
    return make_plan(read_plan(text))


def read_plan(text: str) -> dict[str, Any]:
    """The plain values of a plan in YAML `text`, not yet checked. Raises: PlanError when it is no mapping."""
    return read_mapping(text, "plan", "start from `telecine inspect RECORDINGS --plan plan.yaml`")


def _place(body: PlanBody, loc: tuple[int | str, ...]) -> list[str]:
    """The path of a mistake, a feature by its key."""
    path = [str(p) for p in loc if not str(p).startswith(("function-", "tagged-", "literal["))]
    features = body.get("features")
    keys = list(features) if isinstance(features, Mapping) else []
    if len(loc) > 1 and loc[0] == "features" and isinstance(loc[1], int) and keys:
        path[1] = str(keys[loc[1]])
    return path


def known_keys() -> list[str]:
    """Every key that a plan file may use, at any level."""
    return [
        key
        for key in keys_of(Plan, Clock, Feature, Take, Task, Video, Split, EpisodeSpan, Trim, LabelRule, Derived)
        if key != "key"
    ]
