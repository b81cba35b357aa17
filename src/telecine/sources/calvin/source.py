"""CALVIN's play data as its simulator wrote it: `training/` or `validation/` with `episode_0000000.npz` for each step.

`ep_start_end_ids.npy` has the first and the last step of each session of play. Where `lang_annotations` is there, its
segments, each with a sentence, are the recordings, since policies train on those; else the sessions are. Other folders
`lang_*` have the same segments with embeddings of other models. A segment is half-open: its second number is the step
behind its last. The rate is the environment's, in `.hydra/merged_config.yaml`.

Sources: github.com/mees/calvin at fa03f01, `dataset/README.md` (keys, shapes, units) and
`automatic_lang_annotator_mp.py` (`label_seq`: step + length); github.com/mees/calvin_env at 797142c, `datarenderer.py`
(files, sessions), `camera.py` (depth in m), `play_table_env.py` and `conf/env/play_table_env.yaml` (`control_freq`),
`scripts/render_low_freq.py` (other rates).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from yaml import YAMLError

from telecine.core.errors import SourceError, raised_as
from telecine.core.file_state import FileState
from telecine.core.findings import Finding
from telecine.core.naming import numbered
from telecine.core.plan.model import IMAGES
from telecine.core.recording import LeftOut, Recording, Ref, Stream
from telecine.core.text.documents import plain_yaml
from telecine.core.text.numbers import counted
from telecine.sources.calvin.step_files import CalvinSteps, read_plain_npy
from telecine.sources.format import Found
from telecine.sources.pickles.plain_pickle import plain_of
from telecine.sources.shared.arrays import ArrayPart, PixelLayout, static, stream_of
from telecine.sources.shared.confinement import confined, open_regular
from telecine.sources.shared.fingerprint import file_state
from telecine.sources.shared.timing import Timing

NAME = "calvin"
SUFFIXES = ()
_SESSIONS = "ep_start_end_ids.npy"
_ANNOTATIONS = "auto_lang_ann.npy"
_ANNOTATED = "lang_annotations"
_CONFIG = ".hydra/merged_config.yaml"
_LARGEST_CONFIG = 1 << 20
_RATE = Fraction(30)
"""What its environment has where no configuration lies beside the steps."""
_MOST_STEPS = 1_000_000
"""Of one session of play: nine hours."""
_ID = re.compile(r"/(?P<kind>segment|session)_(?P<number>\d{1,9})")
_POSE = ("x", "y", "z", "euler_x", "euler_y", "euler_z")
_JOINTS = tuple(f"joint_{i}" for i in range(7))
_NAMES = {
    "/robot_obs": (*(f"tcp_{p}" for p in _POSE), "gripper_width", *_JOINTS, "gripper_action"),
    "/actions": (*_POSE, "gripper"),
    "/rel_actions": (*_POSE, "gripper"),
}
_CAMERAS, _DEPTH = ("rgb_static", "rgb_gripper"), ("depth_static", "depth_gripper")


@dataclass(frozen=True, slots=True)
class _Span:
    """Steps [first, stop), and what is done in them; "" where nothing says it."""

    first: int
    stop: int
    task: str = ""


def claims(path: str) -> bool:
    """True for a folder with steps and the list of their sessions."""
    place = Path(path)
    return place.is_dir() and (place / _SESSIONS).is_file() and next(place.glob("episode_*.npz"), None) is not None


def index(path: str, *, recover: bool, token: str | None = None) -> Found:
    """One Ref per annotated segment, else per session of play; see `Format.index`."""
    del recover, token
    findings: list[Finding] = []
    try:
        kind, spans = _recordings(path)
    except SourceError as error:
        text = f"the sessions of play are read, without a task: {error}"
        findings.append(Finding("source-assumed", "warning", path, text))
        kind, spans = "session", _sessions(path)
    if kind == "segment":
        steps = sum(span.stop - span.first for span in _sessions(path))
        text = (
            f"its {counted(len(spans), 'annotated segment is', 'annotated segments are')} read, "
            f"{_covered(spans)} of {counted(steps, 'step')}; "
            "move the folders `lang_*` away to read the sessions of play as a whole"
        )
        findings.append(Finding("source-assumed", "info", path, text))
    return Found(tuple(Ref(NAME, path, f"/{kind}_{n}") for n in range(len(spans))), tuple(findings))


def _covered(spans: Sequence[_Span]) -> int:
    """How many steps are in a span, however many have them."""
    count = end = 0
    for span in sorted(spans, key=lambda span: span.first):
        count += max(span.stop - max(span.first, end), 0)
        end = max(end, span.stop)
    return count


def open(ref: Ref) -> Recording:  # noqa: A001 - the verb every format has
    """The segment or session that `ref` names; see `Format.open`."""
    span = _span_of(ref)
    steps = CalvinSteps(confined(ref.path), ref.path, range(span.first, span.stop))
    left_out: list[LeftOut] = []
    stated, notes = _stated_rate(ref.path)
    streams = {stream.name: stream for stream in _streams(steps, Timing(stated or _RATE), left_out)}
    if span.task:
        streams["/task"] = static("/task", span.task)
    cameras = {IMAGES + name.removeprefix("rgb_"): (f"/{name}",) for name in _CAMERAS}
    wanted = {"observation.state": ("/robot_obs",), "action": ("/rel_actions",), **cameras}
    features = {key: names for key, names in wanted.items() if names[0] in streams}
    notes += (("source-assumed", "the action is `rel_actions`; `actions` are absolute poses"),)
    return Recording(ref, streams, {"layout": "calvin"}, notes, None, features, left_out=tuple(left_out))


def _stated_rate(path: str) -> tuple[Fraction | None, tuple[tuple[str, str], ...]]:
    """(`env.control_freq` of the configuration that the steps were rendered with, notes where it is not to be had)."""
    place, said = Path(path) / _CONFIG, ""
    try:
        if place.is_file() and (rate := _rate_in(confined(path).check(place))):
            return rate, ()
    except (SourceError, OSError, ValueError, YAMLError) as error:
        said = f" ({_CONFIG} cannot be read: {error})"
    assumed = (
        f"{_RATE} steps a second, the control rate of CALVIN's environment{said}; if not, use --index step and --rate"
    )
    return None, (("source-assumed", assumed),)


def _rate_in(place: str) -> Fraction | None:
    with open_regular(place) as file:
        text = file.read(_LARGEST_CONFIG + 1)
    if len(text) > _LARGEST_CONFIG:
        raise ValueError(f"it is longer than {_LARGEST_CONFIG} bytes")
    body = plain_yaml(text.decode())
    env = body.get("env") if isinstance(body, dict) else None
    rate = env.get("control_freq") if isinstance(env, dict) else None
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return None
    if not 0 < rate <= 1000:
        raise ValueError(f"env.control_freq is {rate}")
    return Fraction(rate).limit_denominator(1000)


def _streams(steps: CalvinSteps, timing: Timing, left_out: list[LeftOut]) -> Iterator[Stream]:
    for name, (shape, dtype) in steps.members.items():
        layout = PixelLayout(unit="m") if name in _DEPTH else PixelLayout()
        part = ArrayPart(f"/{name}", steps.column(name), 0, len(steps), timing)
        made = stream_of(part, layout, _names) if dtype.kind in "biuf" else None
        if made is None or (made.kind == "vector" and len(shape) > 1):
            why = f"{dtype} of shape {shape} at each step is neither numbers nor frames"
            left_out.append(LeftOut(part.name, "unreadable", why))
            continue
        if name in _DEPTH:
            why = "depth in m: policies for colour fail on it"
            fix = f"--video NAME:{part.name} stores it as 12-bit depth"
            left_out.append(LeftOut(part.name, "offered", why, fix, training=True))
        yield made


def _names(name: str, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    known = _NAMES.get(name, ())
    if len(shape) != 1:
        return None
    return known if len(known) == shape[0] else numbered(name.removeprefix("/"), shape[0])


def _span_of(ref: Ref) -> _Span:
    match = _ID.fullmatch(ref.id)
    if match is None:
        raise SourceError(f"{ref.path}: holds no recording {ref.id!r}")
    spans = _sessions(ref.path) if match["kind"] == "session" else _recordings(ref.path)[1]
    if int(match["number"]) >= len(spans):
        raise SourceError(f"{ref.path}: holds no recording {ref.id!r}, only {len(spans)}")
    return spans[int(match["number"])]


def _recordings(path: str) -> tuple[str, Sequence[_Span]]:
    """("segment" or "session", the spans of the recordings). Raises: SourceError for annotations of another kind."""
    folders = [Path(path) / _ANNOTATED, *sorted(Path(path).glob("lang_*")), Path(path)]
    place = next((file for folder in folders if (file := folder / _ANNOTATIONS).is_file()), None)
    if place is None:
        return "session", _sessions(path)
    confined(path).check(place)
    return "segment", _annotated(file_state(str(place)))


@lru_cache(maxsize=2)
def _annotated(state: FileState) -> tuple[_Span, ...]:
    place = Path(state[0])
    with raised_as(SourceError, f"{place}: is no list of annotations", KeyError, TypeError, ValueError, IndexError):
        (body,) = read_plain_npy(place, plain_of)
        texts, spans = body["language"]["ann"], np.asarray(body["info"]["indx"], np.int64).reshape(-1, 2)
        if len(texts) != len(spans) or not len(spans):
            raise ValueError(f"{counted(len(texts), 'sentence')} for {counted(len(spans), 'segment')}")
        return tuple(_span(place, int(a), int(b) - 1, str(t).strip()) for (a, b), t in zip(spans, texts, strict=True))


def _sessions(path: str) -> tuple[_Span, ...]:
    place = Path(path) / _SESSIONS
    confined(path).check(place)
    ids = read_plain_npy(place, None)
    if not isinstance(ids, np.ndarray) or ids.ndim != 2 or ids.shape[1] != 2 or ids.dtype.kind not in "iu":
        raise SourceError(f"{place}: is no list of first and last steps")
    return tuple(_span(place, first, last) for first, last in sorted(ids.tolist()))


def _span(place: Path, first: int, last: int, task: str = "") -> _Span:
    """The steps from `first` to `last`. Raises: SourceError for numbers that no recording has."""
    if not (0 <= first <= last < 1 << 53 and last - first < _MOST_STEPS):
        raise SourceError(f"{place}: says steps {first} to {last}; more than {_MOST_STEPS}, or none, are damage")
    return _Span(first, last + 1, task)
