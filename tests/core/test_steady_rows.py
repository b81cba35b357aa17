"""Rows of a camera that can be copied."""

import numpy as np

from telecine.core.copying.decide import decide
from telecine.core.copying.match import windows
from telecine.core.copying.splice import Splice
from telecine.core.copying.steady_rows import steady_rows
from telecine.core.video import FrameFormat, PacketIndex, VideoSettings

FRAME = 33_333_333
WISH = VideoSettings("h264", "auto", 20, 5, "train")


def index(count, gop=30, repeats=None):
    key = np.zeros(count, bool)
    key[::gop] = True
    room = None if repeats is None else np.full(count, repeats)
    formats = (FrameFormat("h264", 64, 48, "yuv420p"),)
    return PacketIndex(key, np.arange(count), np.zeros(count, bool), np.ones(count, np.int64), formats, repeats=room)


def drifting(count, fps):
    """(windows, index): a camera at `fps` against 30 rows a second, with jitter."""
    stamps = (np.arange(count) / fps * 1e9).astype(np.int64)
    stamps += np.random.default_rng(0).integers(-3_000_000, 3_000_001, count)
    ticks = np.arange(30, count - 30) * FRAME
    return windows(stamps, ticks[ticks < stamps[-1]], FRAME * 3 // 2, causal=True)


def test_a_camera_that_runs_fast_is_copied_without_encoding_anything():
    allowed = drifting(3000, 30.03)
    rows = steady_rows(allowed, np.arange(3000), index(3000), WISH)
    splice = decide(rows, index(3000), WISH)
    assert isinstance(splice, Splice)
    assert np.sum(np.diff(rows) > 1) == 3
    assert splice.encoded <= 1 + 30 - rows[0] % 30


def test_a_camera_that_runs_slow_repeats_by_skipped_frames():
    allowed = drifting(3000, 29.97)
    rows = steady_rows(allowed, np.arange(3000), index(3000, repeats=1), WISH)
    splice = decide(rows, index(3000, repeats=1), WISH)
    assert isinstance(splice, Splice)
    assert splice.repeated == 3


def test_what_cannot_be_copied_keeps_the_rows_that_hold_chose():
    allowed = drifting(3000, 29.97)
    never = VideoSettings("h264", "never", 20, 5, "train")
    np.testing.assert_array_equal(steady_rows(allowed, np.arange(3000), index(3000), never), allowed.wanted)
    fast = windows(np.arange(900) * FRAME // 2, np.arange(1, 440) * FRAME, FRAME, causal=True)
    np.testing.assert_array_equal(steady_rows(fast, np.arange(900), index(900), WISH), fast.wanted)


def test_frames_that_are_missing_are_bridged():
    frames = np.setdiff1d(np.arange(900), np.arange(95, 120))
    stamps = np.arange(900)[frames] * FRAME
    allowed = windows(stamps, np.arange(60, 840) * FRAME, FRAME * 3 // 2, causal=True)
    rows = steady_rows(allowed, frames, index(900, repeats=99), WISH)
    splice = decide(frames[rows], index(900, repeats=99), WISH)
    assert isinstance(splice, Splice)
    assert (splice.encoded, splice.repeated) == (0, 25)
