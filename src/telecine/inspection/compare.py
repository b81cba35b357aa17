"""A dataset against the recordings it was made of: sampled rows and frames, found a second time by plain search.

Deliberately shares no alignment code with the conversion: samples are found by plain search over plain lists, so
that a mistake in one of the two shows. Frames are compared with the source's, and with its neighbours.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from telecine.conversion.discovery import find, split_refs
from telecine.conversion.pipeline import Options
from telecine.conversion.video_index import Indexes, index_videos
from telecine.core.copying.damage import frames_of
from telecine.core.copying.match import reach_of
from telecine.core.data.columns import column_of, reference_elements
from telecine.core.errors import DatasetError, TelecineError
from telecine.core.findings import Finding, has_errors, placed
from telecine.core.plan.bind import Binding, BoundFeature, Source, bind
from telecine.core.plan.model import Plan, parse_plan
from telecine.core.recording import Recording, Ref
from telecine.core.text.numbers import counted, counted_of
from telecine.dataset.assembly.metadata import CROPPED
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.paths import PLAN, PLANS
from telecine.sources.part_cache import none_left_open, opened
from telecine.sources.shared.fingerprint import digest, stamp_of
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb
from telecine.video.frames.depth import to_codes
from telecine.video.mp4_reader import decode_at, depth_at

ROWS = 25
"""Rows compared per episode, spread from the first to the last."""
FRAMES = 4
"""Frames compared per camera and episode."""
ELSEWHERE = "give the folder of the recordings"
NOT_GIVEN = "its recording is not among the given ones"
_NAMED = 5
FAR = 24.0
"""Mean absolute difference (0 to 255) above which a coded frame cannot be the source's,"""
APART = 0.8
"""unless it is so much nearer to that one than to those beside it."""


@dataclass(frozen=True, eq=False, slots=True)
class _Case:
    """One episode and the recording it came from."""

    dataset: Dataset
    episode: int
    plan: Plan
    binding: Binding
    ticks: npt.NDArray[np.int64]
    later: npt.NDArray[np.int64]
    """The ticks, and those behind them that shifted features show."""
    copied: dict[str, bool]
    """Camera: whether its packets were copied."""
    where: str


@none_left_open()
def compare(root: str | Path, paths: Sequence[str | Path], options: Options = Options()) -> list[Finding]:
    """What differs between the dataset at `root` and the recordings at `paths`; `telecine.diff` is its new name.

    Args:
        root: the folder of a dataset that telecine converted.
        paths: the recordings.
        options: `recover` and `token`.

    Returns:
        Findings, each with `episode`, `key` and `rows`.

    Raises:
        DatasetError: the dataset does not say what it was made of. SourceError: there is no recording.

    >>> compare("dataset", ["recordings"])
    []
    """
    dataset = Dataset(root)
    plans = _plans(dataset)
    found = find(paths, **options.access).refs
    refs = {made_by: split_refs(found, plan).refs for made_by, plan in plans.items()}
    findings: list[Finding] = []
    for origin in dataset.provenance:
        where = f"episode {origin['episode_index']} ({origin['source']})"
        made_by = str(origin.get("plan_digest"))
        made_by = made_by if made_by in plans else ""
        plan, alike = plans[made_by], _of_its_name(refs[made_by], origin)
        named = [r for r in alike if r.id == origin["recording_id"] and _holds(r, int(origin["start_ns"]))]
        ref = named[0] if len(named) == 1 else next((r for r in named if _is_source(r, origin) is not False), None)
        differences = [] if ref is None else _differences(dataset, plan, ref, origin, where)
        if ref is None or (has_errors(differences) and _is_source(ref, origin) is False):
            missing = Finding("verify-against", "warning", where, _not_given(alike, origin), ELSEWHERE)
            findings.append(replace(missing, episode=int(origin["episode_index"]), recording=str(origin["source"])))
            continue
        findings += placed(differences, episode=int(origin["episode_index"]), recording=ref.label)
    done, known = compared(dataset, findings)
    return [_nothing(root, known, findings)] if known and not done else findings


def _differences(dataset: Dataset, plan: Plan, ref: Ref, origin: dict[str, Any], where: str) -> list[Finding]:
    found: list[Finding] = []
    try:
        with opened(ref) as recording:
            found += _compare_episode(dataset, plan, recording, origin, where)
    except TelecineError as error:
        found.append(Finding("verify-against", "error", where, f"cannot be compared: {error}"))
    return found


def _nothing(root: str | Path, known: int, missing: Sequence[Finding]) -> Finding:
    """The error where no recording is the one that the dataset was made of; it names them."""
    text = f"nothing was compared: none of the {counted(known, 'recording')} it was made of is among the given ones"
    names = list(dict.fromkeys(f"{f.recording}{f.message.removeprefix(NOT_GIVEN)}" for f in missing))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Finding("verify-against", "error", str(root), f"{text}: {', '.join(names[:_NAMED])}{more}", ELSEWHERE)


def compared(dataset: Dataset, findings: Iterable[Finding]) -> tuple[int, int]:
    """(recordings that `compare` found, recordings that the dataset was made of)."""
    known = {_recording(origin) for origin in dataset.provenance}
    elsewhere = {f.episode for f in findings if f.fix == ELSEWHERE}
    found = (o for o in dataset.provenance if int(o["episode_index"]) not in elsewhere)
    return len({_recording(origin) for origin in found}), len(known)


def _recording(origin: dict[str, Any]) -> tuple[str, str, str]:
    """What tells recordings apart that were made in several folders under one name."""
    return str(origin["source"]), str(origin["recording_id"]), str(origin.get("source_sha256"))


def _plans(dataset: Dataset) -> dict[str, Plan]:
    """The plans that episodes were made with, by digest; "" is the last one."""
    path = dataset.root / PLAN
    if not path.is_file() or not dataset.provenance:
        unknown = "holds no plan and provenance, so it was not converted by telecine"
        raise DatasetError(f"{dataset.root}: {unknown}; compare it with a dataset: `telecine diff` with two of them")
    earlier = (dataset.root / PLANS).glob("*.yaml")
    plans = {path.stem: parse_plan(path.read_text(encoding="utf-8")) for path in sorted(earlier)}
    return plans | {"": parse_plan(path.read_text(encoding="utf-8"))}


def _of_its_name(refs: Sequence[Ref], origin: dict[str, Any]) -> list[Ref]:
    """What was found in files of the name that the episode's recording had."""
    return [r for r in refs if r.path.replace("\\", "/").rstrip("/").rpartition("/")[2] == origin["source"]]


def _not_given(alike: Sequence[Ref], origin: dict[str, Any]) -> str:
    """That an episode's recording was not found; `alike` are files of its name."""
    others = list(dict.fromkeys(r.path for r in alike if _is_source(r, origin) is False))
    if not others:
        return NOT_GIVEN
    what = "has its name and holds something else" if len(others) == 1 else "have its name and hold something else"
    return f"{NOT_GIVEN}; {', '.join(others)} {what}"


def _is_source(ref: Ref, origin: dict[str, Any]) -> bool | None:
    """Whether the files hold what they held when the episode was made of them; None where that is not known."""
    stamp = stamp_of(ref) if origin.get("source_sha256") else None
    return None if stamp is None else digest(stamp) == origin["source_sha256"]


def _holds(ref: Ref, start_ns: int) -> bool:
    """Whether an episode that starts then is this one, where a recording holds several."""
    return ref.part is None or ref.part.start_ns <= start_ns <= ref.part.stop_ns


def _compare_episode(
    dataset: Dataset, plan: Plan, recording: Recording, origin: dict[str, Any], where: str
) -> Iterator[Finding]:
    recording, indexes, _ = index_videos(recording, plan)
    binding = bind(plan, recording)
    count, start = int(origin["ticks"]), int(origin["start_ns"])
    most = count + max(bound.feature.shift for bound in binding.features)
    if binding.follow is None:
        step = Fraction(10**9, plan.fps)
        ticks = np.array([start + int(i * step + Fraction(1, 2)) for i in range(most)], np.int64)
    else:
        stamps = np.array(sorted(set(binding.follow.times().tolist())), np.int64)
        ticks = stamps[stamps >= start][:most]
    copied = {str(c["key"]): bool(c["copied"]) for c in origin["cameras"]}
    case = _Case(dataset, int(origin["episode_index"]), plan, binding, ticks[:count], ticks, copied, where)
    cropped = {str(c["key"]) for c in origin["cameras"] if c["why"] == CROPPED}
    computed = {one.key for one in plan.derived}  # whose values are not the recording's
    for bound in (bound for bound in binding.features if bound.feature.key not in computed):
        if bound.feature.key in cropped:
            text = f"{bound.feature.key}: cropped by an edit, so its frames were not compared"
            yield Finding("verify-against", "info", where, text, key=bound.feature.key)
        elif bound.is_camera:
            yield from _compare_frames(case, bound, indexes)
        else:
            yield from _compare_rows(case, bound)
    if origin.get("relabelled"):
        text = "its tasks were changed by an edit, so they were not compared"
        yield Finding("verify-against", "info", where, text, key="task_index")
    else:
        yield from _compare_task(case)


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(i * (count - 1) / max(most - 1, 1)) for i in range(min(count, most))})


def _expected_row(source: Source, how: str, tick: int, times: list[int]) -> int:
    """By plain search: the last stamp at or before the tick, or the nearest one."""
    if source.stream.static:
        return 0
    row = bisect_right(times, tick) - 1
    if how != "nearest":
        return row
    after = bisect_left(times, tick)
    if after < len(times) and (row < 0 or times[after] - tick < tick - times[row]):
        row = bisect_right(times, times[after]) - 1
    return row


def _compare_rows(case: _Case, bound: BoundFeature) -> Iterator[Finding]:
    key, how = bound.feature.key, bound.feature.how
    if how in ("linear", "slerp"):
        return  # a blend has no one sample to be equal to; the laws of `between` cover it
    stored = case.dataset.rows(case.episode, [key]).column(key).to_pylist()
    wrong: list[tuple[int, Any, Any]] = []
    picked = _spread(len(stored), ROWS)
    shown = case.later[np.array(picked, np.int64) + bound.feature.shift]
    values = (
        _sample(bound.sources[0], how, shown) if bound.is_text else _numbers(case, bound, shown, case.ticks[picked])
    )
    for number, row in enumerate(picked):
        expected = values[number]
        got = stored[row]
        same = got == expected if bound.is_text else _close(np.ravel(np.array(got)), expected)
        if not same:
            wrong.append((row, got, expected))
    if wrong:
        row, got, expected = wrong[0]
        text = (
            f"{key}: {counted_of(len(wrong), len(picked), 'sampled row', 'differs', 'differ')}, first row "
            f"{row}: {got} instead of {expected}"
        )
        yield Finding("verify-against", "error", case.where, text, "convert again", key=key, rows=(row, row + 1))


def _numbers(
    case: _Case, bound: BoundFeature, shown: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64]
) -> list[npt.NDArray[Any]]:
    """Vectors at the ticks `shown`, as the plan maps them, less those of their reference at `ticks`."""
    samples = [_sample(source, bound.feature.how, shown) for source in bound.sources]
    mapping = bound.element_map
    values = [np.concatenate([np.ravel(v[number]) for v in samples]) for number in range(len(shown))]
    values = values if mapping is None else [mapping.apply(one) for one in values]
    other = next((b for b in case.binding.features if b.feature.key == bound.feature.reference), None)
    if other is None:
        return values
    elements = reference_elements(column_of(bound), column_of(other))
    return [a - b[elements] for a, b in zip(values, _numbers(case, other, ticks, ticks), strict=True)]


def _close(got: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    return got.shape == expected.shape and bool(np.allclose(got.astype(float), expected.astype(float), rtol=1e-6))


def _sample(source: Source, how: str, ticks: npt.NDArray[np.int64]) -> list[Any]:
    times = source.times().tolist()
    rows = np.array([_expected_row(source, how, int(t), times) for t in ticks], np.int64)
    stream = source.stream
    assert stream.kind in ("vector", "text")
    taken = stream.take(rows, source.clock)
    if source.columns is None:
        return list(taken)
    return [np.asarray(value)[list(source.columns)] for value in taken]


def _compare_task(case: _Case) -> Iterator[Finding]:
    indices = case.dataset.rows(case.episode, ["task_index"]).column("task_index").to_pylist()
    picked = _spread(len(indices), ROWS)
    task = case.binding.task
    expected = [task] * len(picked) if isinstance(task, str) else _sample(task, "hold", case.ticks[picked])
    for row, text in zip(picked, expected, strict=True):
        if case.dataset.tasks[indices[row]] != text:
            got = case.dataset.tasks[indices[row]]
            message = f"row {row}: task {got!r} instead of {text!r}"
            yield Finding("verify-against", "error", case.where, message, key="task_index", rows=(row, row + 1))
            return


def _compare_frames(case: _Case, bound: BoundFeature, indexes: Indexes) -> Iterator[Finding]:
    source, key = bound.sources[0], bound.feature.key
    if not any(f.key == key and f.dtype == "video" for f in case.dataset.features):
        return  # PNG in Parquet: `verify` decodes them, and no video resampled them
    stream = source.stream
    assert stream.kind in ("image", "video")
    times = source.times().tolist()
    for row in _spread(len(case.ticks), FRAMES):
        allowed, others = _allowed_frames(case, bound, times, int(case.ticks[row]))
        around = sorted({*allowed, *others})
        path, frame = case.dataset.frame(key, case.episode, row)
        depth = case.dataset.depth(key)
        ((_, shown),) = (depth_at if depth else decode_at)(str(path), [frame])
        size = (shown.shape[1], shown.shape[0])
        numbers = np.array(around, np.int64)
        numbers = numbers if stream.kind == "image" else frames_of(stream, numbers)
        shots = frames(stream, numbers, source.clock, index=indexes.get((stream.name, source.clock)))
        plain = (to_codes(f, depth, key) if depth else to_rgb(f, size) for f in shots)
        distance = {r: _distance(shown, frame) for r, frame in zip(around, plain, strict=True)}
        best = min(distance, key=lambda r: distance[r])
        nearest = min(distance[r] for r in allowed)
        # Noise is coded far from itself, and yet nearer than to any other noise.
        is_far = nearest > FAR and not (others and nearest < APART * min(distance[r] for r in others))
        if is_far or nearest > 1.5 * distance[best] + 1.0:
            text = f"{key}: row {row} shows another frame than number {allowed[-1]} of {stream.name}"
            if best not in allowed:
                text += f"; number {best} is nearer"
            yield Finding("verify-against", "error", case.where, text, "convert again", key=key, rows=(row, row + 1))
            return


def _allowed_frames(case: _Case, bound: BoundFeature, times: list[int], tick: int) -> tuple[list[int], list[int]]:
    """(frames that a row may show, frames beside them), in order.

    One, as for any sample; where packets were copied also those that the plan's slack allows.
    """
    feature = bound.feature
    expected = _expected_row(bound.sources[0], feature.how, tick, times)
    allowed = {expected}
    if case.copied.get(feature.key):
        causal, slack = feature.how == "hold", case.plan.video_of(feature).slack
        reach = reach_of(slack, np.array(times, np.int64), 10**9 // case.plan.fps, causal=causal)
        first, last = bisect_left(times, tick - reach), bisect_right(times, tick if causal else tick + reach)
        allowed |= set(range(first, last))
    beside = {min(allowed) - 1, max(allowed) + 1}
    return sorted(allowed), sorted(r for r in beside if 0 <= r < len(times))


def _distance(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.mean(np.abs(a.astype(np.int16) - b.astype(np.int16))))
