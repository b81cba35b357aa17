"""What the plan says of colours and way up goes before what the source says."""

import numpy as np
import pytest

from telecine.core.recording import Image, MemoryStream, Schema
from telecine.core.streams.orientation import Oriented, orientation_text


def camera(encoding, **kw):
    stamps = {"time": np.array([0, 10, 5], np.int64)}
    frames = [Image(bytes([i]), encoding, **kw) for i in range(3)]
    return MemoryStream("cam", "image", Schema("uint8", (0, 0, 0), encoding=encoding), stamps, frames)


@pytest.mark.parametrize(
    ("encoding", "order", "expected"), [("jpeg", "bgr", "bgr"), ("jpeg", None, "rgb"), ("rgb24", "bgr", "rgb")]
)
def test_only_compressed_frames_get_another_colour_order(encoding, order, expected):
    seen = Oriented(camera(encoding), order, None)
    assert {p.order for p in seen.take(np.arange(3), "time")} == {expected}
    assert seen.schema.order == expected


def test_the_plan_can_take_a_turn_back():
    seen = Oriented(camera("rgb24", turn="rotate180"), None, "none")
    assert {p.turn for p in seen.take(np.arange(3), "time")} == {"none"}
    assert Oriented(camera("rgb24"), "bgr", None).schema.turn == "none"
    assert Oriented(camera("rgb24"), None, "flip").schema.turn == "flip"


def test_everything_else_is_the_streams_own():
    stream = camera("jpeg")
    seen = Oriented(stream, "bgr", "flip")
    assert (seen.name, seen.kind, seen.static) == (stream.name, "image", False)
    assert (dict(seen.clocks), seen.backwards("time")) == (dict(stream.clocks), 1)
    assert seen.times("time").tolist() == [0, 5, 10]
    assert [bytes(p.data) for p in seen.take(np.arange(3), "time")] == [b"\0", b"\2", b"\1"]


def test_what_is_done_is_told():
    assert orientation_text(Schema("uint8")) == ""
    assert (
        orientation_text(Schema("uint8", order="bgr", turn="rotate180"))
        == "red and blue exchanged, rotated 180 degrees"
    )
