"""Depth in videos of other codecs than LeRobot's, such as the 16-bit frames of AgiBot World 2026: left out by name."""

from typing import get_args

from telecine.core.errors import SourceError
from telecine.core.recording import Codec, Stream


def check_depth(stream: Stream) -> None:
    """Nothing, when the depth is in a codec that is read. Raises: ValueError."""
    try:
        found = stream.schema.encoding
    except SourceError:  # asking the stream says so
        return
    codecs = get_args(Codec)
    if found not in codecs:
        raise ValueError(f"depth as {found} video, which is not read; supported: {', '.join(codecs)}")
