"""In which order several streams of numbers make one feature."""

from collections.abc import Sequence

from telecine.core.naming import natural, words
from telecine.core.recording_summary import RecordingFacts, StreamSummary

_GRIPPERS = frozenset({"gripper", "grippers"})


def in_order(streams: Sequence[StreamSummary], recordings: Sequence[RecordingFacts]) -> list[StreamSummary]:
    """Grippers last, others by name, numbers in names by their value.

    Single numbers come as the program logged them, which is the order of the robot's own joints, where all recordings
    agree on it.
    """
    ranks = _logged(streams, recordings) if all(s.shape == (1,) for s in streams) else None

    def key(stream: StreamSummary) -> tuple[bool, int, tuple[list[tuple[int, int, str]], str]]:
        return bool(_GRIPPERS & words(stream.name)), ranks[stream.name] if ranks else 0, natural(stream.name)

    return sorted(streams, key=key)


def _logged(streams: Sequence[StreamSummary], recordings: Sequence[RecordingFacts]) -> dict[str, int] | None:
    """Stream -> its place in the order of logging; None where recordings do not know it or differ."""
    orders = set()
    for recording in recordings:
        found = [s for stream in streams if (s := recording.stream(stream.name)) is not None]
        if len(found) == len(streams):
            known = [(s.first_logged, s.name) for s in found if s.first_logged is not None]
            orders.add(tuple(name for _, name in sorted(known)))
    order = orders.pop() if len(orders) == 1 else ()
    return {name: at for at, name in enumerate(order)} if len(order) == len(streams) else None
