"""Datasets that are good in other ways, and damage that only they can have."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.dataset import COLUMNS, FPS, TOP, clip, episode, two_cameras, write
from telecine.core.stats import camera_stats
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.finding_log import MOST
from telecine.dataset.verify.verify import verify
from telecine.sources import registry
from telecine.video.encode import encode
from telecine.video.presets import video_settings

DATA = "data/chunk-000/file-000.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
VIDEO = f"videos/{TOP}/chunk-000/file-000.mp4"


@pytest.fixture(scope="module")
def good_images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    episodes = [episode(n, i, clips=two_cameras(folder, n, i, preset="images")) for i, n in enumerate((9, 1, 4))]
    return write(folder / "dataset", episodes)


@pytest.fixture
def images(good_images, tmp_path):
    """A dataset with frames in the rows, to spoil."""
    return Path(shutil.copytree(good_images, tmp_path / "dataset"))


@pytest.fixture
def dataset(tmp_path):
    """Two episodes with one camera, to spoil."""
    return write(
        tmp_path / "dataset", [episode(n, i, clips=[clip(tmp_path, TOP, n, episode=i)]) for i, n in enumerate((9, 6))]
    )


def spoil_frames(root, change):
    """Write the rows again, with other bytes in each frame of the first camera."""
    with pq.ParquetFile(root / DATA) as file:
        groups = [file.read_row_group(i) for i in range(file.num_row_groups)]
    with pq.ParquetWriter(root / DATA, groups[0].schema) as writer:
        for table in groups:
            position = table.column_names.index(TOP)
            cells = [change(dict(cell)) for cell in table.column(TOP).to_pylist()]
            writer.write_table(
                table.set_column(position, table.schema.field(TOP), pa.array(cells, table.schema.field(TOP).type))
            )


def remux(root, tracks):
    """Write the first video again, as `tracks` tracks of one file."""
    with av.open(str(root / VIDEO)) as source, av.open(str(root / "spoilt.mp4"), "w") as target:
        streams = [target.add_stream_from_template(source.streams.video[0], opaque=True) for _ in range(tracks)]
        for packet in source.demux(video=0):
            if packet.pts is None:
                continue
            data, pts, dts, key = bytes(packet), packet.pts, packet.dts, packet.is_keyframe
            for stream in streams:
                copy = av.Packet(data)
                copy.pts, copy.dts, copy.duration, copy.time_base = pts, dts, packet.duration, packet.time_base
                copy.is_keyframe, copy.stream = key, stream
                target.mux(copy)
    (root / "spoilt.mp4").replace(root / VIDEO)


def turn(root):
    """Rotate the track by a quarter: the matrix in its header, FFmpeg's 16.16 numbers."""
    data = bytearray((root / VIDEO).read_bytes())
    upright = np.array([0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000], ">i4").tobytes()
    quarter = np.array([0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000], ">i4").tobytes()
    at = data.index(upright, data.index(b"tkhd"))
    data[at : at + len(upright)] = quarter
    (root / VIDEO).write_bytes(data)


def errors(root, code, depth="sample"):
    return [f for f in verify(root, decode=depth) if f.severity == "error" and f.code == code]


@pytest.mark.parametrize("depth", ["all", "sample", "none"])
def test_frames_in_rows_have_no_findings(good_images, depth):
    assert verify(good_images, decode=depth) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cell: cell | {"bytes": None}, "found no bytes"),
        (lambda cell: cell | {"bytes": cell["bytes"][:60]}, "damaged"),
        (lambda cell: cell | {"bytes": b"text"}, "damaged"),
    ],
)
def test_frames_in_rows_that_cannot_be_decoded_are_found(images, change, words):
    spoil_frames(images, change)
    assert any(words in f.message for f in errors(images, "verify-values"))


def test_frames_in_rows_of_another_size_are_found(images):
    info = json.loads((images / "meta/info.json").read_text())
    info["features"][TOP]["shape"] = [64, 48, 3]
    (images / "meta/info.json").write_text(json.dumps(info))
    assert "found (48, 64), declared is (64, 48)" in errors(images, "verify-values")[0].message


def test_other_frames_in_rows_than_the_statistics_tell_are_found(images):
    other = pq.read_table(images / DATA).column("observation.images.wrist").to_pylist()
    info = json.loads((images / "meta/info.json").read_text())
    info["features"][TOP]["shape"] = info["features"]["observation.images.wrist"]["shape"]
    (images / "meta/info.json").write_text(json.dumps(info))
    white = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 255, np.uint8), format="rgb24")
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 96, 64, "rgb24", 1
    packets = [*encoder.encode(white), *encoder.encode(None)]
    assert len(other) == 14
    spoil_frames(images, lambda cell: cell | {"bytes": bytes(packets[0])})
    assert any("as in the frames" in f.message for f in errors(images, "verify-stats"))


def test_a_column_of_frames_that_is_no_struct_is_found(images):
    table = pq.read_table(images / DATA)
    text = pa.array(["x"] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index(TOP), TOP, text), images / DATA)
    assert any("struct<bytes" in f.message for f in errors(images, "verify-structure", "none"))


def test_a_missing_file_of_frames_is_told_once(images):
    (images / DATA).unlink()
    findings = verify(images)
    assert [f.where for f in findings if f.severity == "error"] == [DATA]


def test_frames_that_no_row_shows_are_explained_by_the_provenance(tmp_path):
    clips = [replace(clip(tmp_path, TOP, 20, episode=i), preroll=3) for i in range(3)]
    root = write(tmp_path / "dataset", [episode(15, i, clips=[c]) for i, c in enumerate(clips)])
    assert verify(root, decode="all") == []
    (root / "meta/telecine/provenance.parquet").unlink()
    assert "expected 0.000000 s (frame 0)" in errors(root, "verify-video")[0].message


def test_many_episodes_are_sampled(tmp_path):
    episodes = [episode(3, i, clips=[clip(tmp_path, TOP, 3, episode=i)]) for i in range(8)]
    assert verify(write(tmp_path / "dataset", episodes)) == []


def test_a_long_video_of_several_episodes_is_found(tmp_path):
    histogram = clip(tmp_path, TOP, 2).histogram
    coded = clip(tmp_path, TOP, 1100)
    episodes = [episode(n, i, fps=1, clips=[replace(coded, histogram=histogram)]) for i, n in enumerate((1100, 1100))]
    root = write(tmp_path / "dataset", episodes, fps=1)
    assert verify(root, decode="none") == []
    table = pq.read_table(root / EPISODES)
    for key, values in (("file_index", [0, 0]), ("from_timestamp", [0.0, 1100.0]), ("to_timestamp", [1100.0, 2200.0])):
        name = f"videos/{TOP}/{key}"
        table = table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, root / EPISODES)
    assert any("compares times as float32" in f.message for f in errors(root, "verify-video", "none"))


def test_a_second_track_is_found(dataset):
    remux(dataset, tracks=2)
    assert any("found 2 tracks" in f.message for f in errors(dataset, "verify-video"))


def test_a_rotation_is_found(dataset):
    turn(dataset)
    assert any("rotation" in f.message for f in errors(dataset, "verify-video", "none"))


def test_a_codec_that_lerobots_tools_do_not_know_is_a_warning(dataset):
    with av.open(str(dataset / VIDEO)) as source:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    with av.open(str(dataset / VIDEO), "w") as target:
        stream = target.add_stream("mpeg4", rate=FPS, options={"bf": "0", "g": "5", "qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")))
        target.mux(stream.encode(None))
    assert any(f.severity == "warning" and "codec mpeg4" in f.message for f in verify(dataset))


class Array2D(pa.ExtensionType):
    """As Hugging Face `datasets` registers it when it is imported."""

    def __init__(self, kind):
        super().__init__(kind, "datasets.features.features.Array2DExtensionType")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, kind, told):
        return cls(kind)


@pytest.fixture
def registered():
    kind = Array2D(pa.list_(pa.list_(pa.float32())))
    try:
        pa.register_extension_type(kind)
    except pa.ArrowKeyError:
        yield  # `datasets` was imported by another test
        return
    yield
    pa.unregister_extension_type(kind.extension_name)


def test_columns_of_several_dimensions_are_plain_whoever_else_is_imported(tmp_path, registered):
    one = episode(5, columns=COLUMNS)
    root = write(tmp_path / "dataset", [one])
    assert isinstance(pq.read_schema(root / DATA).field("pose").type, pa.BaseExtensionType)
    assert verify(root) == []
    assert Dataset(root).rows(0).column("pose").to_pylist() == one.rows.column("pose").to_pylist()
    with registry.open(registry.find([root]).refs[0]) as recording:
        values = recording.streams["/pose"].take(np.arange(5), "time")
    assert values.tolist() == one.rows.column("pose").to_pylist()


def test_depth_is_not_judged_by_its_colours(dataset):
    info = json.loads((dataset / "meta/info.json").read_text())
    info["features"][TOP]["info"]["is_depth_map"] = True
    (dataset / "meta/info.json").write_text(json.dumps(info))
    gray = camera_stats(np.ones((1, 256), np.int64), 9).lists()
    stats = json.loads((dataset / "meta/stats.json").read_text())
    stats[TOP] = gray | {"count": [15]}
    (dataset / "meta/stats.json").write_text(json.dumps(stats))
    table = pq.read_table(dataset / EPISODES)
    for name, value in gray.items():
        position = table.column_names.index(f"stats/{TOP}/{name}")
        counts = [[9], [6]] if name == "count" else [value, value]
        field = table.schema.field(position)
        table = table.set_column(position, field, pa.array(counts, field.type))
    pq.write_table(table, dataset / EPISODES)
    (found,) = verify(dataset)  # that colours are no depth, and nothing of how they look
    assert "12 bits" in found.message


def test_times_within_lerobots_tolerance_are_a_warning(dataset):
    table = pq.read_table(dataset / DATA)
    times = table.column("timestamp").to_numpy().copy()
    times[3] += np.float32(2e-5)
    pq.write_table(
        table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(times)), dataset / DATA
    )
    findings = [f for f in verify(dataset) if f.code == "verify-timestamps"]
    assert [f.severity for f in findings] == ["warning"]


def test_stale_statistics_of_indices_are_a_warning(dataset):
    stats = json.loads((dataset / "meta/stats.json").read_text())
    stats["index"]["mean"] = [0.0]
    stats["episode_index"]["q50"] = [99.0]
    stats["task_index"]["q50"] = [0.0, 0.0]
    (dataset / "meta/stats.json").write_text(json.dumps(stats))
    findings = verify(dataset)
    assert {(f.code, f.severity) for f in findings} == {("verify-stats", "warning")}
    assert len(findings) == 3


def test_missing_extras_are_warnings(dataset):
    info = json.loads((dataset / "meta/info.json").read_text())
    info["splits"] = {}
    info["features"]["action"]["names"] = ["a"]
    (dataset / "meta/info.json").write_text(json.dumps(info))
    table = pq.read_table(dataset / DATA)
    pq.write_table(table.replace_schema_metadata(None), dataset / DATA)
    findings = verify(dataset)
    assert [f.severity for f in findings] == ["warning"] * 3


def test_a_dataset_without_action_is_a_warning(tmp_path):
    one = episode(4)
    rows = one.rows.drop_columns(["action"])
    root = write(tmp_path / "dataset", [replace(one, rows=rows, columns=one.columns[1:])])
    assert [(f.severity, f.code) for f in verify(root)] == [("warning", "verify-structure")]


def test_findings_of_one_kind_are_counted_beyond_the_first(dataset):
    table = pq.read_table(dataset / EPISODES)
    many = pa.concat_tables([table] * (MOST + 2))
    pq.write_table(many, dataset / EPISODES)
    findings = [f for f in verify(dataset) if f.code == "verify-index"]
    assert len(findings) == MOST + 1
    assert "more findings of this kind" in findings[-1].message


def test_a_folder_that_is_not_there_is_said(tmp_path):
    (finding,) = verify(tmp_path / "nothing")
    assert "there is no such folder" in finding.message


def test_progress_is_told_in_bytes_that_add_up(dataset):
    class Told:
        def __init__(self):
            self.total, self.done, self.labels = 0, 0, []

        def begin(self, total_bytes, phase, items=0):
            self.total = total_bytes

        def advance(self, done_bytes, label):
            self.done += done_bytes
            self.labels.append(label)

    told = Told()
    verify(dataset, progress=told)
    assert told.total == told.done > 0
    assert told.labels == ["rows", VIDEO]


@pytest.mark.parametrize("codec", ["h264", "av1"])
@pytest.mark.parametrize("size", [(16, 16), (96, 64)])
def test_a_codec_takes_detail_of_noise_and_that_is_no_damage(tmp_path, codec, size):
    pixels = np.random.default_rng(0).integers(0, 256, (8, *size[::-1], 3), np.uint8)
    frames = (av.VideoFrame.from_ndarray(rgb, format="rgb24") for rgb in pixels)
    noise = encode(
        frames, video_settings("train", codec), FPS, count=8, key=TOP, path=str(tmp_path / "noise.clip"), why="a test"
    )
    root = write(tmp_path / "dataset", [episode(8, 0, clips=[noise])])
    assert verify(root) == verify(root, decode="all") == []
