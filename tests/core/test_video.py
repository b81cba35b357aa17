"""What an index of packets tells."""

from dataclasses import replace

import numpy as np

from telecine.core.video import FrameFormat, PacketIndex

H264 = FrameFormat("h264", 64, 48, "yuv420p")


def index(count=30, gop=10, *, display=None, start=0):
    key = np.zeros(count, bool)
    key[start::gop] = True
    shown = np.arange(count) if display is None else np.asarray(display)
    return PacketIndex(key, shown, np.zeros(count, bool), np.ones(count, np.int64), (H264,))


def test_the_index_tells_delay_and_longest_gop():
    assert index(25, 10).longest_gop == 10
    assert index(25, 10, start=30).longest_gop == 25
    assert index(5, 5, display=[0, 3, 1, 2, 4]).reorder_delay == 1
    empty = index(0)
    assert (empty.longest_gop, empty.reorder_delay, empty.count) == (0, 0, 0)


def test_a_keyframe_counted_on_from_others_may_not_stand_behind_other_video():
    plain = index(20)
    assert not plain.must_start_file(10)
    counted = replace(plain, counts_on=np.arange(20) == 10)
    assert [counted.must_start_file(packet) for packet in (0, 10)] == [False, True]
