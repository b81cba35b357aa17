"""Tables as Rerun's reader gives them, made by hand: no rerun-sdk needed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from support.video import svtav1, x264
from telecine.compat.config import LeRobotConversionConfig, VideoSpec
from telecine.compat.conversion import convert_dataframe_to_episode, infer_features
from telecine.compat.lerobot_dataset import LeRobotDataset
from telecine.compat.table import recording_of
from telecine.core.errors import DatasetError, PlanError, SourceError
from telecine.dataset.reader import Dataset

A, S, T, V = "/a:Scalars:scalars", "/s:Scalars:scalars", "/t:TextDocument:text", "/cam:VideoStream:sample"
CONFIG = LeRobotConversionConfig(fps=10, index_column="t", action=A, state=S, task=T, videos=[])
CAMERA = VideoSpec(key="cam", path="/cam")
STEP = 10_000_000


class Frame:
    """What is used of a DataFusion frame."""

    def __init__(self, table):
        self.table = table

    def schema(self):
        return self.table.schema

    def select(self, *columns):
        return Frame(self.table.select(list(columns)))

    def to_arrow_table(self):
        return self.table


def lists(values, kind):
    return pa.array(values, pa.list_(kind))


def table(rows=100, *, clock=None, codec=0x61766331, packets=None, **columns):
    """`rows` rows 10 ms apart: the action in even rows, the state in odd ones, the text in row 2, packets anywhere."""
    times = np.arange(rows, dtype=np.int64) * STEP
    action = [[float(i), float(-i)] if i % 2 == 0 else None for i in range(rows)]
    state = [[float(i)] if i % 2 else None for i in range(rows)]
    made = {
        "t": pa.array(times, pa.duration("ns")) if clock is None else clock(times),
        A: lists(action, pa.float64()),
        S: lists(state, pa.float64()),
        T: lists([["go"] if i == 2 else None for i in range(rows)], pa.string()),
    }
    if packets is not None:
        made[V] = lists([None if p is None else [np.frombuffer(p, np.uint8)] for p in packets], pa.list_(pa.uint8()))
        made["/cam:VideoStream:codec"] = lists([[codec]] * rows, pa.uint32())
    return pa.table({k: v for k, v in {**made, **columns}.items() if v is not None})


def converted(tmp_path, given, config=CONFIG, **features):
    declared = infer_features(table=given, config=config)
    for key, names in features.items():
        declared[key.replace("_", ".")]["names"] = names
    dataset = LeRobotDataset.create("a/b", config.fps, declared, tmp_path / "out")
    report = convert_dataframe_to_episode(
        Frame(given), config, lerobot_dataset=dataset, segment_id="s", features=declared
    )
    dataset.finalize()
    return Dataset(tmp_path / "out"), report


def test_each_column_keeps_its_own_stamps():
    streams = recording_of(table(), CONFIG, "s").streams
    assert streams[A].times("t").tolist() == list(range(0, 100 * STEP, 2 * STEP))
    assert streams[S].times("t").tolist() == list(range(STEP, 100 * STEP, 2 * STEP))
    assert streams[T].times("t").tolist() == [2 * STEP]


@pytest.mark.parametrize("cuts", [[], [1], [3, 3, 50]])
def test_pieces_of_a_table_make_no_difference(cuts):
    whole = table(packets=[None, *x264(99)])
    bounds = [0, *cuts, 100]
    pieces = pa.concat_tables([whole.slice(a, b - a) for a, b in pairwise(bounds)])
    config = replace(CONFIG, videos=[CAMERA])
    expected, got = (recording_of(t, config, "s").streams for t in (whole, pieces))
    for name in (A, S, T, V):
        assert got[name].times("t").tolist() == expected[name].times("t").tolist()
    assert got[A].values.tolist() == expected[A].values.tolist()
    assert [bytes(p) for p in got[V].values] == [bytes(p) for p in expected[V].values]


def test_rows_hold_the_last_sample_and_start_where_all_have_begun(tmp_path):
    dataset, report = converted(tmp_path, table())
    rows = dataset.rows(0)
    assert rows.column("action").to_pylist()[:3] == [[2.0, -2.0], [12.0, -12.0], [22.0, -22.0]]
    assert rows.column("observation.state").to_pylist()[:3] == [1.0, 11.0, 21.0]
    assert (report.rows, report.tasks) == (10, ("go",))


@pytest.mark.parametrize(
    ("text", "task", "expected"),
    [
        ([["go"]] * 100, T, ("go",)),
        ([["go"]] * 50 + [["stop"]] * 50, T, ("go", "stop")),
        ([None] * 100, T, ("fallback",)),
        ([[]] * 100, T, ("fallback",)),
        (None, T, ("fallback",)),
        ([["go"]] * 100, "", ("fallback",)),
        ([["go"]] * 100, None, ("fallback",)),
    ],
)
def test_the_task_is_held_and_has_a_default(tmp_path, text, task, expected):
    column = None if text is None else lists(text, pa.string())
    config = replace(CONFIG, task=task, task_default="fallback")
    _, report = converted(tmp_path, table(**{T: column}), config)
    assert report.tasks == expected


def test_a_text_that_stands_in_every_row_is_one_sample_without_time():
    streams = recording_of(table(**{T: lists([["go"]] * 100, pa.string())}), CONFIG, "s").streams
    assert streams[T].static
    changing = lists([["go"]] * 60 + [["stop"]] * 40, pa.string())
    assert recording_of(table(**{T: changing}), CONFIG, "s").streams[T].times("t").tolist() == [0, 60 * STEP]


def test_several_columns_are_concatenated_and_named(tmp_path):
    config = replace(CONFIG, action=[A, S], action_names=["x", "y", "z"])
    dataset, _ = converted(tmp_path, table(), config)
    action = dataset.features[0]
    assert (action.shape, action.names) == ((3,), ("x", "y", "z"))
    assert dataset.rows(0).column("action").to_pylist()[0] == [2.0, -2.0, 1.0]


def test_names_given_to_the_features_afterwards_count(tmp_path):
    dataset, _ = converted(tmp_path, table(), action=["left", "right"])
    assert dataset.features[0].names == ("left", "right")


def test_rows_of_any_depth_are_flattened():
    deep = pa.array([[[1.0, 2.0, 3.0]]] * 100, pa.list_(pa.list_(pa.float32(), 3)))
    assert infer_features(table=table(**{A: deep}), config=CONFIG)["action"]["shape"] == (3,)


def test_the_size_of_a_camera_is_that_of_its_first_picture_that_decodes():
    late = x264(100, gop=10)[3:]
    packets = [None, None, None, *late]
    features = infer_features(table=table(packets=packets), config=replace(CONFIG, videos=[CAMERA]))
    assert features["observation.images.cam"]["shape"] == (96, 128, 3)


def test_a_camera_may_be_named_by_its_column_and_stored_as_pictures(tmp_path):
    packets = x264(100)
    spec = VideoSpec(key="cam", path=V, video_format="h264")
    config = replace(CONFIG, videos=[spec], use_videos=False)
    assert infer_features(table=table(packets=packets), config=config)["observation.images.cam"]["dtype"] == "image"
    dataset, report = converted(tmp_path, table(packets=packets), config)
    assert [c.codec for c in report.clips] == ["png"]
    assert dataset.rows(0).column("observation.images.cam").to_pylist()[0]["bytes"][:4] == b"\x89PNG"


def test_identical_pictures_that_stand_alone_are_no_mistake():
    (packet,) = svtav1(1)
    config = replace(CONFIG, videos=[CAMERA])
    assert V in recording_of(table(packets=[packet] * 100, codec=0x61763031), config, "s").streams


def packets_twice():
    return [p for p in x264(50) for _ in range(2)]


def unstated(made):
    return made.drop_columns(["/cam:VideoStream:codec"])


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        (lambda: table(), {"action": "/b:Scalars:scalars"}, r"no column '/b:Scalars:scalars'; did you mean '/[as]:"),
        (lambda: table(), {"index_column": "u"}, "no column 'u'"),
        (lambda: table(), {"videos": [CAMERA]}, "no column '/cam:VideoStream:sample'"),
        (lambda: table(), {"action": T}, "not numbers"),
        (lambda: table(), {"task": A}, "not text"),
        (lambda: table(clock=lambda t: pa.array(t)), {}, "counts steps"),
        (
            lambda: table(clock=lambda t: pa.array([None, *t[1:].tolist()], pa.duration("ns"))),
            {},
            "1 row has no timestamp",
        ),
        (lambda: table(**{A: lists([None] * 100, pa.float64())}), {}, "no row holds a value"),
        (lambda: table(0), {}, "no row holds a value"),
        (lambda: table(packets=[None] * 100), {"videos": [CAMERA]}, "no row holds a video packet"),
        (lambda: table(packets=packets_twice()), {"videos": [CAMERA]}, "50 packets repeat the one before"),
        (
            lambda: table(packets=x264(100)),
            {"videos": [VideoSpec(key="cam", path="/cam", video_format="h265")]},
            "is h265, but the recording holds h264",
        ),
        (
            lambda: table(packets=x264(100)),
            {"videos": [VideoSpec(key="cam", path="/cam", video_format="vp9")]},
            "'vp9' of 'cam' is not one of",
        ),
        (lambda: table(packets=x264(100), codec=0x76703039), {"videos": [CAMERA]}, "0x76703039 is not one of"),
        (lambda: table(), {"action_names": ["one"]}, "action: 1 name for 2 numbers"),
    ],
)
def test_what_cannot_be_used_is_named(given, changes, message):
    with pytest.raises(PlanError, match=message):
        infer_features(table=given(), config=replace(CONFIG, **changes))


def test_rows_of_different_width_are_refused():
    wide = lists([[1.0] * (1 + i // 50) for i in range(100)], pa.float64())
    with pytest.raises(SourceError, match="rows hold 1 to 2 numbers"):
        infer_features(table=table(**{A: wide}), config=CONFIG)


def test_without_a_stated_codec_the_configuration_counts_and_then_h264():
    made = unstated(table(packets=x264(100)))
    assert recording_of(made, replace(CONFIG, videos=[CAMERA]), "s").streams[V].schema.encoding == "h264"
    spec = VideoSpec(key="cam", path="/cam", video_format="av1")
    made = unstated(table(packets=[svtav1(1)[0]] * 100))
    assert recording_of(made, replace(CONFIG, videos=[spec]), "s").streams[V].schema.encoding == "av1"


def test_a_clock_of_timestamps_counts_from_the_epoch():
    made = table(clock=lambda t: pa.array(t // 1000, pa.timestamp("us")))
    streams = recording_of(made, CONFIG, "s").streams
    assert dict(streams[A].clocks) == {"t": "timestamp"}
    assert streams[A].times("t")[:2].tolist() == [0, 2 * STEP]


def test_features_and_fps_must_be_those_of_the_dataset(tmp_path):
    features = infer_features(table=table(), config=CONFIG)
    dataset = LeRobotDataset.create("a/b", 10, features, tmp_path / "out")

    def convert(config, given):
        made = Frame(table(packets=x264(100)))
        convert_dataframe_to_episode(made, config, lerobot_dataset=dataset, segment_id="s", features=given)

    with pytest.raises(PlanError, match="fps"):
        convert(replace(CONFIG, fps=20), features)
    with pytest.raises(PlanError, match="not those the dataset was created with"):
        convert(CONFIG, {"action": features["action"]})
    with pytest.raises(PlanError, match="features lack observation.images.cam"):
        convert(replace(CONFIG, videos=[CAMERA]), features)
    assert dataset.num_episodes == 0


def test_a_segment_of_another_width_or_picture_size_is_refused_and_the_next_one_taken(tmp_path):
    config = replace(CONFIG, videos=[CAMERA])
    good, small = table(packets=x264(100)), table(packets=x264(100, size=(64, 48)))
    wide = table(packets=x264(100), **{A: lists([[1.0, 2.0, 3.0]] * 100, pa.float64())})
    features = infer_features(table=good, config=config)
    dataset = LeRobotDataset.create("a/b", 10, features, tmp_path / "out")

    def convert(given):
        convert_dataframe_to_episode(Frame(given), config, lerobot_dataset=dataset, segment_id="s", features=features)

    with pytest.raises(DatasetError, match=r"cam: got .*\(48, 64, 3\)\), declared .*\(96, 128, 3\)\)"):
        convert(small)
    with pytest.raises(DatasetError, match=r"action: got .*\(3,\)\), declared .*\(2,\)\)"):
        convert(wide)
    convert(good)
    dataset.finalize()
    assert dataset.num_episodes == 1


def test_the_filter_list_names_each_entity_once():
    config = replace(CONFIG, action=[A, S], state=S, videos=[CAMERA])
    assert config.get_filter_list() == (["/a", "/s", "/t", "/cam"], "/a")
