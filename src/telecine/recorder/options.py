"""What a recorder is asked for: what a plan can state, per feature. Checked when the recorder is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from telecine.core.errors import PlanError
from telecine.core.grid import SECOND
from telecine.core.plan.fields import format_duration
from telecine.core.plan.model import IMAGES, Plan, make_plan
from telecine.core.video import VideoSettings
from telecine.recorder.frame_queue import Behind
from telecine.sources.recorder_spool.format import CLOCK
from telecine.video.presets import Preset, video_settings

PerText: TypeAlias = str | Mapping[str, str] | None
PerAge: TypeAlias = float | str | Mapping[str, float | str] | None
"""One value for all features, or one by name."""
OnExit = Literal["keep", "discard"]


@dataclass(frozen=True, slots=True)
class RecorderOptions:
    """How episodes are recorded and resampled. Durations are seconds (0.5) or texts ("500ms").

    names: of the elements of vectors, by feature.
    rates: samples per second of streams that do not run at `fps`, for finding wrong units of stamps.
    max_age: the oldest sample that a row may show: a duration, "auto" or "none" (`limit` in a plan).
    how, missing, video: as in a plan. clock: the keys of a plan's `clock` besides `timeline`.
    min_rows: part of the expected rows below which an episode is rejected.
    """

    fps: int
    robot_type: str | None = None
    preset: Preset = "train"
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    max_age: PerAge = None
    how: PerText = None
    missing: PerText = None
    video: Mapping[str, Any] | None = None
    clock: Mapping[str, Any] | None = None
    min_rows: float = 0.9
    when_behind: Behind = "spill"

    def __post_init__(self) -> None:
        if not 0 <= self.min_rows <= 1:
            raise PlanError(f"min_rows is {self.min_rows}, expected a part of the rows from 0 to 1")
        wrong = {key: hz for key, hz in self.rates.items() if not hz > 0}
        if wrong:
            raise PlanError(f"rates: {wrong} are no samples per second")
        require_one_of("when_behind", self.when_behind, Behind)
        ages = self.max_age if isinstance(self.max_age, Mapping) else {"all features": self.max_age}
        wrong = {key: age for key, age in ages.items() if isinstance(age, int | float) and not age > 0}
        if wrong:
            raise PlanError(f"max_age: {wrong} are no ages; they are seconds above 0, or texts")
        self.plan(self.declared or ("action",))

    @property
    def declared(self) -> tuple[str, ...]:
        """Every feature that an option names: it has to be there in each episode."""
        options = (self.names, self.rates, self.max_age, self.how, self.missing, self._by_camera)
        return tuple(dict.fromkeys(key for option in options if isinstance(option, Mapping) for key in option))

    @property
    def _by_camera(self) -> Mapping[str, Any]:
        """Video settings by feature; {} where they are the same for all."""
        video = self.video or {}
        return video if any(key.startswith(IMAGES) for key in video) else {}

    def plan(self, keys: Iterable[str]) -> Plan:
        """Every stream as the feature of its name. Raises: PlanError naming every mistake in the options."""
        body: dict[str, Any] = {
            "fps": self.fps,
            "clock": {**(self.clock or {}), "timeline": CLOCK},
            "features": {key: self._feature(key) for key in keys},
            "task": {"from": "task"},
            "video": {"preset": self.preset, **({} if self._by_camera else self.video or {})},
        }
        return make_plan(body | ({} if self.robot_type is None else {"robot_type": self.robot_type}))

    def _feature(self, key: str) -> dict[str, Any]:
        feature: dict[str, Any] = {"from": key, "how": _of(self.how, key) or "hold"}
        max_age: float | str | None = _of(self.max_age, key)
        if max_age is not None:
            feature["limit"] = max_age if isinstance(max_age, str) else f"{round(max_age * SECOND)}ns"
            if feature["limit"] == "none":
                feature["repeats"] = "allowed"
        if (missing := _of(self.missing, key)) is not None:
            feature["missing"] = missing
        if key in self._by_camera:
            feature["video"] = {"preset": self.preset, **self._by_camera[key]}
        return feature

    def video_of(self, plan: Plan) -> VideoSettings:
        """How frames of the camera that is the only feature of `plan` are encoded. Raises: PlanError."""
        video = plan.video_of(plan.features[0])
        return video_settings(video.preset, video.codec, video.crf, video.gop, size=video.size, copy=video.copy_policy)


def require_one_of(name: str, value: str, choices: Any) -> None:
    """Nothing, when the value is one of the literals. Raises: PlanError with all of them."""
    if value not in get_args(choices):
        raise PlanError(f"{name}: {value!r} is not one of {', '.join(get_args(choices))}")


def _of(option: Any, key: str) -> Any:
    """What an option states for a feature; None for nothing."""
    return option.get(key) if isinstance(option, Mapping) else option


def duration_text(ns: int) -> str:
    """As options and plans take it, rounded up to a millisecond."""
    return format_duration(-(-ns // 1_000_000) * 1_000_000)
