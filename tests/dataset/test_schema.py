import json

import pyarrow as pa

from support.dataset import COLUMNS
from telecine.core.episode import FeatureColumn
from telecine.core.video import FrameFormat
from telecine.lerobot_format import schema
from telecine.lerobot_format.paths import MIB, Limits
from telecine.lerobot_format.schema import CameraSpec, Counts, Features

ENCODER = {
    "video.g": 2, "video.crf": 30, "video.preset": 12, "video.fast_decode": 0, "video.video_backend": "pyav",
    "video.extra_options": {},
}  # fmt: skip
TOP = CameraSpec("observation.images.top", FrameFormat("av1", 64, 48, "yuv420p"), ENCODER)
DEPTHLESS = CameraSpec("observation.images.side", FrameFormat("png", 32, 16, "rgb24"))
FEATURES = Features(COLUMNS, (TOP, DEPTHLESS))


def info(features=FEATURES, **changes):
    options = {"fps": 30, "robot_type": "arm", "limits": Limits()} | changes
    return schema.info(features, Counts(2, 13, 1), **options)


def test_info_has_lerobots_keys_in_lerobots_order():
    assert list(info()) == [
        "codebase_version", "fps", "features", "total_episodes", "total_frames", "total_tasks", "chunks_size",
        "data_files_size_in_mb", "video_files_size_in_mb", "data_path", "video_path", "robot_type", "splits",
    ]  # fmt: skip


def test_info_counts_and_limits_are_those_given():
    written = info(limits=Limits(data_bytes=3 * MIB - 1, video_bytes=1))
    assert (written["total_episodes"], written["total_frames"], written["total_tasks"]) == (2, 13, 1)
    assert written["splits"] == {"train": "0:2"}
    assert (written["data_files_size_in_mb"], written["video_files_size_in_mb"]) == (3, 1)


def test_without_videos_there_is_no_video_path():
    assert info()["video_path"].startswith("videos/{video_key}/")
    assert info(Features(COLUMNS, (DEPTHLESS,)))["video_path"] is None


def test_features_end_with_the_five_index_columns():
    features = info()["features"]
    assert list(features)[-5:] == ["timestamp", "frame_index", "episode_index", "index", "task_index"]
    assert features["timestamp"] == {"dtype": "float32", "shape": [1], "names": None}
    assert features["action"] == {"dtype": "float32", "shape": [3], "names": ["shoulder", "elbow", "gripper"]}


def test_a_camera_entry_has_exactly_the_keys_that_lerobot_compares_when_merging():
    entry = info()["features"][TOP.key]
    assert entry["shape"] == [48, 64, 3]
    assert entry["names"] == ["height", "width", "channels"]
    assert list(entry["info"].items()) == [
        ("video.height", 48), ("video.width", 64), ("video.codec", "av1"), ("video.pix_fmt", "yuv420p"),
        ("video.fps", 30), ("video.channels", 3), ("has_audio", False), *ENCODER.items(), ("is_depth_map", False),
    ]  # fmt: skip


def test_a_camera_in_the_rows_is_an_image_without_codec():
    assert info()["features"][DEPTHLESS.key] == {
        "dtype": "image", "shape": [16, 32, 3], "names": ["height", "width", "channels"],
    }  # fmt: skip


def test_shape_one_is_a_scalar_column_and_more_are_lists():
    assert schema.arrow_type(FeatureColumn("a", "float32", (1,))) == pa.float32()
    assert schema.arrow_type(FeatureColumn("a", "int8", (4,))) == pa.list_(pa.int8(), 4)
    assert schema.arrow_type(FeatureColumn("a", "bool", (2, 3))) == pa.list_(pa.list_(pa.bool_()))


def test_data_columns_are_the_features_without_videos_in_order():
    names = schema.data_schema(FEATURES).names
    assert names == [k for k, entry in info()["features"].items() if entry["dtype"] != "video"]


def test_data_schema_tells_hugging_face_the_types():
    told = json.loads(schema.data_schema(FEATURES).metadata[b"huggingface"])["info"]["features"]
    assert told["action"] == {"feature": {"dtype": "float32", "_type": "Value"}, "length": 3, "_type": "List"}
    assert told["pose"] == {"shape": [2, 3], "dtype": "float32", "_type": "Array2D"}
    assert told["note"] == {"dtype": "string", "_type": "Value"}
    assert told[DEPTHLESS.key] == {"_type": "Image"}
    assert TOP.key not in told


def test_strings_have_no_statistics_and_cameras_have_nested_ones():
    episodes = schema.episodes_schema(FEATURES)
    assert "stats/note/min" not in episodes.names
    assert episodes.field("stats/action/q99").type == pa.list_(pa.float64())
    assert episodes.field(f"stats/{TOP.key}/mean").type == pa.list_(pa.list_(pa.list_(pa.float64())))
    assert episodes.field("stats/index/count").type == pa.list_(pa.int64())
    assert f"videos/{DEPTHLESS.key}/chunk_index" not in episodes.names


def test_tasks_carry_the_pandas_index_that_lerobot_looks_up():
    table = schema.tasks_table(["pick", "put"])
    assert table.column_names == ["task_index", "task"]
    told = json.loads(table.schema.metadata[b"pandas"])
    assert told["index_columns"] == ["task"]
    assert [column["field_name"] for column in told["columns"]] == ["task_index", "task"]
