"""A clip as runs: what the runs show, and which runs are refused."""

from dataclasses import replace

import numpy as np
import pytest

from telecine.core.copying.splice import Copied, Encoded, Repeated, Splice, shown, splice_obstacle, stored
from telecine.core.video import FrameFormat, PacketIndex

H264 = FrameFormat("h264", 64, 48, "yuv420p")


def index(count=30, gop=10, *, display=None):
    key = np.zeros(count, bool)
    key[::gop] = True
    order = np.arange(count) if display is None else np.asarray(display)
    return PacketIndex(key, order, np.zeros(count, bool), np.ones(count, np.int64), (H264,))


def test_runs_show_their_frames_one_after_the_other():
    rows = np.array([0, 1, 2, 2, 2, 3, 5, 6, 10, 11])
    splice = Splice((Copied(0, 3), Repeated(2, 2), Copied(3, 4), Encoded(6, 8), Copied(10, 12)))
    np.testing.assert_array_equal(shown(splice, rows, index()), rows)
    assert (splice.copied, splice.repeated, splice.encoded) == (6, 2, 2)


def test_copied_b_frames_are_shown_in_display_order():
    stored = index(5, 5, display=[0, 2, 1, 4, 3])
    np.testing.assert_array_equal(shown(Splice((Copied(0, 3),)), np.arange(3), stored), [0, 1, 2])


def test_no_runs_show_nothing():
    assert shown(Splice(()), np.arange(0), index()).size == 0


@pytest.mark.parametrize(
    "runs",
    [
        (Copied(3, 5),),
        (Copied(0, 3), Copied(4, 6)),
        (Copied(0, 3), Encoded(3, 4), Copied(3, 5)),
        (Copied(10, 10),),
        (Copied(20, 31),),
        (Repeated(0, 1),),
        (Copied(0, 3), Repeated(1, 1)),
        (Copied(0, 3), Repeated(2, 0)),
        (Encoded(4, 4),),
        (Encoded(28, 31),),
    ],
)
def test_runs_that_break_a_rule_are_refused(runs):
    with pytest.raises(ValueError, match="run|is not within|starts neither|does not follow"):
        shown(Splice(runs), np.arange(30), index())


def test_a_copied_run_with_a_hole_is_refused():
    with pytest.raises(ValueError, match="leaves out frames"):
        shown(Splice((Copied(0, 2),)), np.arange(2), index(5, 5, display=[0, 2, 1, 4, 3]))


def test_packets_of_runs_have_their_places_one_run_after_the_other():
    splice = Splice((Copied(0, 3), Repeated(2, 2), Encoded(5, 10), Copied(5, 7)))
    display, keyframe = stored(splice, index(10, 5, display=[0, 2, 1, 4, 3, 5, 6, 7, 8, 9]), 3)
    assert display.tolist() == [0, 2, 1, *range(3, 12)]
    assert np.flatnonzero(keyframe).tolist() == [0, 5, 8, 10]
    assert [part.size for part in stored(Splice(()), index(), 3)] == [0, 0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"formats": (FrameFormat("hevc", 64, 48, "yuv420p"),)}, ""),
        ({"formats": (FrameFormat("hevc", 64, 48, "yuv420p"),), "display": np.array([0, 2, 1])}, "B-frames"),
        ({"formats": (FrameFormat("h264", 64, 48, "yuvj420p", "bt709"),)}, ""),
        ({"counts_on": np.array([False, False, False])}, ""),
        ({"counts_on": np.array([False, False, True])}, "CRA"),
        ({"display": np.array([0, 2, 1])}, ""),
    ],
)
def test_frames_encoded_again_are_refused_where_they_would_not_fit(changes, why):
    obstacle = splice_obstacle(replace(index(3, 3), **changes))
    assert obstacle == "" if not why else why in obstacle
