"""References, recordings, and streams held in memory or cut at their first keyframe."""

import pickle
from dataclasses import replace

import numpy as np

from telecine.core.recording import STATIC_NS, MemoryStream, Recording, Ref, Schema, first_logged
from telecine.core.streams.from_keyframe import FromKeyframe, from_first_keyframe
from telecine.core.video import PacketIndex


def video(count=6):
    stamps = {"t": np.arange(count, dtype=np.int64) * 10}
    return MemoryStream("cam", "video", Schema("uint8", encoding="h264"), stamps, [bytes([i]) for i in range(count)])


def index(keys, problems=()):
    n = len(keys)
    flags = np.array(keys, bool)
    return PacketIndex(flags, np.arange(n), np.zeros(n, bool), np.ones(n, np.int64), (), problems=problems)


def test_a_token_is_neither_shown_nor_compared():
    ref = Ref("rrd", "rerun://host", "seg", token="s3cret")
    assert "s3cret" not in repr(ref)
    assert ref == Ref("rrd", "rerun://host", "seg")
    assert pickle.loads(pickle.dumps(ref)).token == "s3cret"


def test_a_label_names_the_recording_where_a_file_holds_several():
    assert Ref("rrd", "a.rrd").label == "a.rrd"
    assert Ref("rrd", "a.rrd", "one").label == "a.rrd#one"


def test_leaving_a_recording_lets_go_of_its_file():
    closed = []
    with Recording(Ref("rrd", "a"), {}, close=lambda: closed.append(1)):
        assert not closed
    assert closed == [1]
    with Recording(Ref("rrd", "a"), {}):
        pass


def test_packets_before_the_first_keyframe_are_left_out_with_their_stamps():
    undecodable, rest = from_first_keyframe(index([0, 0, 1, 0, 0, 1], problems=((1, "lost"), (4, "bad"))))
    assert undecodable.tolist() == [0, 1]
    assert rest.keyframe.tolist() == [True, False, False, True]
    assert rest.display.tolist() == [0, 1, 2, 3]
    assert rest.problems == ((2, "bad"),)
    cut = FromKeyframe(video(), undecodable)
    assert cut.times("t").tolist() == [20, 30, 40, 50]
    assert list(cut.packets("t")) == [bytes([i]) for i in (2, 3, 4, 5)]
    assert list(cut.packets("t", 1, 3)) == [bytes([3]), bytes([4])]
    assert (cut.name, cut.kind, cut.static, cut.backwards("t")) == ("cam", "video", False, 0)
    assert cut.schema.encoding == "h264"
    assert list(cut.clocks) == ["t"]


def test_a_stream_that_starts_with_a_keyframe_or_has_none_stays_whole():
    for keys in ([1, 0, 0], [0, 0, 0]):
        made = index(keys)
        undecodable, rest = from_first_keyframe(made)
        assert undecodable.size == 0
        assert rest is made


def test_frames_shown_before_an_open_entry_point_are_left_out_too():
    made = replace(index([0, 0, 0, 0, 0, 0]), display=np.array([0, 4, 2, 3, 1, 5]))
    made = replace(made, entry_points=np.array([0, 1, 0, 0, 0, 0], np.bool_))
    undecodable, rest = from_first_keyframe(made)
    assert undecodable.tolist() == [0, 2, 3, 4]
    assert rest.display.tolist() == [0, 1]
    assert rest.keyframe.tolist() == [True, False]
    cut = FromKeyframe(video(), undecodable)
    assert cut.times("t").tolist() == [40, 50]
    assert list(cut.packets("t")) == [bytes([1]), bytes([5])]
    assert list(cut.packets("t", 1)) == [bytes([5])]


def test_a_static_stream_is_older_than_every_tick():
    static = MemoryStream("s", "vector", Schema("float64", (1,)), {}, np.ones((1, 1)))
    assert static.times("any").tolist() == [STATIC_NS]
    assert static.backwards("any") == 0
    assert static.take(np.zeros(3, np.int64), "any").tolist() == [[1], [1], [1]]


def test_the_order_of_logging_is_known_where_a_stream_knows_it():
    class Logged(FromKeyframe):
        def first_logged(self):
            return 7

    assert first_logged(Logged(video(), np.array([0]))) == 7
    assert first_logged(video()) is None
