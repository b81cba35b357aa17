"""Does a proposal convert? Checked against what is known of the recordings it was made from; remedies go into it.

Odd frame sizes and sizes that differ between recordings get `size`; numbers whose count differs the `width` of most,
depth whose size differs the `size` of most.
Recordings that fit no plan for the others (another width, a stream that is not there or damaged) are named with the
command that converts them.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telecine.core.plan.model import IMAGES
from telecine.core.proposal.notes import Notes
from telecine.core.recording_summary import RecordingFacts, StreamSummary, typical
from telecine.core.text.numbers import counted, counted_of

MOST_PATHS = 5
"""Recordings that a command in a message names."""
_UNREADABLE = "cannot be read"


def remedies(features: Mapping[str, Any], recordings: Sequence[RecordingFacts], notes: Notes) -> dict[str, Any]:
    """The features with what they need to convert."""
    return {
        key: _with_size(key, body, recordings, notes) if key.startswith(IMAGES) else _with_width(body, recordings)
        for key, body in features.items()
    }


def note_misfits(names: Sequence[str], recordings: Sequence[RecordingFacts], notes: Notes) -> None:
    """Say which recordings do not fit a plan that uses streams of these `names`, and what converts them.

    Those that lack the same have a command of their own, since others would not fit them either; those that cannot be
    read have none.
    """
    reasons: dict[str, list[str]] = {}
    for name in names:
        for recording, why in _misfits(name, recordings):
            reasons.setdefault(recording.label, []).append(f"{name} {why}")
    groups: dict[tuple[str, ...], list[RecordingFacts]] = {}
    for recording in recordings:
        if recording.label in reasons:
            groups.setdefault(tuple(reasons[recording.label]), []).append(recording)
    for lacks, members in groups.items():
        paths = list(dict.fromkeys(member.path for member in members))
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        is_unreadable = all(_UNREADABLE in why for why in lacks)
        advice = "" if is_unreadable else f"; convert them by themselves{_command(paths)}"
        notes.guesses.append(
            f"{counted_of(len(members), len(recordings), 'recording', 'does', 'do')} not fit and will be "
            f"rejected: {members[0].label} ({'; '.join(lacks)}){more}{advice}"
        )


def _command(paths: Sequence[str]) -> str:
    """A colon and what converts recordings, after how many of them it does not name."""
    more = len(paths) - MOST_PATHS
    unnamed = f" ({more} more go before OUT)" if more > 0 else ""
    return f"{unnamed}: {shlex.join(['telecine', 'convert', *paths[:MOST_PATHS], 'OUT'])}"


def note_rare_cameras(
    known: Sequence[tuple[StreamSummary, int]], recordings: Sequence[RecordingFacts], notes: Notes
) -> None:
    """Say of cameras that at most half of the recordings have that they are a choice: without them, or without others.

    known: every stream, and how many recordings have it.
    """
    for stream, count in known:
        if stream.is_camera and 2 * count <= len(recordings):
            paths = list(dict.fromkeys(r.path for r in recordings if r.stream(stream.name) is not None))
            notes.guesses.append(
                f"{stream.name} is in {count} of {counted(len(recordings), 'recording')} and left out; the "
                "dataset can have it, "
                f"but no other recordings, by{_command(paths)}"
            )


def streams_of(body: Any) -> list[str]:
    """The names of the streams of a feature as the plan file has it."""
    source = body["from"] if isinstance(body, Mapping) else body
    return [source] if isinstance(source, str) else list(source)


def _misfits(name: str, recordings: Sequence[RecordingFacts]) -> Iterator[tuple[RecordingFacts, str]]:
    """Recordings whose stream of that name is not as the others have it."""
    found = [(r, r.stream(name)) for r in recordings]
    there = [s for _, s in found if s is not None]
    usual = typical(there)
    for recording, stream in found:
        if stream is None:
            yield recording, "is missing"
        elif stream.problems and not usual.problems:
            yield recording, f"{_UNREADABLE}: {stream.problems[0]}"
        elif (usual.is_depth or not usual.is_camera) and stream.trait != usual.trait:
            yield recording, f"is {stream.label}, in the others {usual.label}"


def _with_size(key: str, body: Any, recordings: Sequence[RecordingFacts], notes: Notes) -> Any:
    """The camera scaled to one even size, where its frames have an odd one or several.

    Depth is never scaled: where recordings differ it gets the size of most, so that the others are rejected.
    """
    (name,) = streams_of(body)
    found = [s for r in recordings if (s := r.stream(name)) is not None and _size(s) is not None]
    sizes = {_size(s) for s in found}
    usual = _size(typical(found)) if found else None
    if any(s.is_depth for r in recordings if (s := r.stream(name)) is not None):
        own = {"size": list(usual)} if usual is not None and len(sizes) > 1 else {}
        return {**(body if isinstance(body, Mapping) else {"from": body}), "video": own}
    if usual is None:
        return body
    even = (usual[0] // 2 * 2, usual[1] // 2 * 2)
    if len(sizes) == 1 and even == usual:
        return body
    why = (
        "video needs even sizes"
        if len(sizes) == 1
        else f"its size differs between recordings ({counted(len(sizes), 'size')})"
    )
    notes.guesses.append(f"{key}: scaled to {even[0]}x{even[1]}, because {why}; {name} has {usual[0]}x{usual[1]}")
    scaled = {"video": {"size": list(even)}}
    return {**(body if isinstance(body, Mapping) else {"from": body}), **scaled}


def _with_width(body: Any, recordings: Sequence[RecordingFacts]) -> Any:
    """Numbers with their width where recordings differ: the first to be written would set it for all the others."""
    found = [[s for r in recordings if (s := r.stream(name)) is not None] for name in streams_of(body)]
    shapes = [typical(streams).shape for streams in found]
    if all(s.shape == shape for streams, shape in zip(found, shapes, strict=True) for s in streams):
        return body
    if any(len(shape) != 1 for shape in shapes):
        return body
    return {**(body if isinstance(body, Mapping) else {"from": body}), "width": sum(shape[0] for shape in shapes)}


def _size(stream: StreamSummary) -> tuple[int, int] | None:
    return (stream.camera.width, stream.camera.height) if stream.camera and stream.camera.width else None
