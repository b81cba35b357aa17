"""Names, paths and headers made to do harm: nothing is written outside the target, nothing big is made of a number."""

import json
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.hdf5 import replay_buffer
from support.robot import ORIGIN_NS, Camera, jittered, joints, logged_camera, robot_plan, write_robot
from support.rrd import Texts, Vectors, write_rrd
from telecine.cli.main import app
from telecine.conversion.pipeline import convert
from telecine.core.errors import PlanError, VideoError
from telecine.core.plan.model import make_plan, parse_plan
from telecine.core.recording import Image, MemoryStream, Schema
from telecine.dataset.reader import Dataset
from telecine.sources import registry
from telecine.video.decode import frames

NAMES = ["..", "../../../../outside", "a/../b", "two\nlines", "back\\slash", "%00", "x" * 4000, "CON", "~", "$HOME"]


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def named(path, names):
    """A recording whose entities have these names, as Rerun escapes them, all of them cameras and joints."""
    import rerun as rr

    times, values = joints(1.0)
    camera = logged_camera(Camera(jittered(15), "jpeg"), 0)
    logged = {"/task": Texts(ORIGIN_NS + times[:1], ["go"])}
    for name in names:
        entity = "/" + rr.escape_entity_path_part(name)
        logged[f"{entity}/joints"] = Vectors(ORIGIN_NS + times, values)
        logged[f"{entity}/camera"] = camera
    return write_rrd(path, logged, recording_id="../../id\nof two lines")


@pytest.mark.usefixtures("rerun")
def test_names_of_streams_and_recordings_never_become_paths(tmp_path):
    named(tmp_path / "in" / "a.rrd", NAMES)
    (ref,) = registry.find([tmp_path / "in"]).refs
    with registry.open(ref) as recording:
        cameras = sorted(name for name, stream in recording.streams.items() if stream.kind == "image")
        vectors = sorted(name for name, stream in recording.streams.items() if stream.kind == "vector")
    assert len(cameras) == len(vectors) == len(NAMES)
    features = {f"observation.images.c{i}": name for i, name in enumerate(cameras[:3])}
    features |= {"action": vectors[0], "observation.state": {"from": vectors}}
    plan = {"fps": 30, "clock": {"timeline": "real_time"}, "features": features, "task": {"from": "/task"}}
    before = tree(tmp_path / "in")
    report = convert([tmp_path / "in"], tmp_path / "out", make_plan(plan))
    assert report.ok, report
    assert tree(tmp_path / "in") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    assert Dataset(tmp_path / "out").provenance[0]["recording_id"] == "../../id\nof two lines"


@pytest.mark.usefixtures("rerun")
def test_a_proposed_plan_of_such_names_can_be_read_again(tmp_path):
    named(tmp_path / "a.rrd", NAMES)
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "a.rrd"), "--plan", str(tmp_path / "plan.yaml")])
    assert done.exit_code in (0, 1), done.output
    if (tmp_path / "plan.yaml").exists():
        keys = [feature.key for feature in parse_plan((tmp_path / "plan.yaml").read_text()).features]
        assert not [key for key in keys if set(key) & set("/\\\n\0 ") or key.startswith(".")]


@pytest.mark.usefixtures("rerun")
def test_the_problems_of_a_rejected_recording_stand_on_lines_and_no_name_begins_one(tmp_path):
    named(tmp_path / "a.rrd", ["a"])
    plan = {"fps": 30, "clock": {"timeline": "real_time"}, "features": {"action": "/x", "note": "/y"}, "task": "x"}
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    given = ["convert", str(tmp_path / "a.rrd"), str(tmp_path / "out"), "--plan", str(tmp_path / "plan.yaml")]
    done = CliRunner().invoke(app, [*given, "--workers", "0"])
    lines = done.output.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("    ")] == [
        "features.action.from:", "features.note.from:", "telecine"
    ]  # fmt: skip  # the last one is the next step
    assert "id\\nof" in done.output  # in the recording's id, as `named` writes it
    assert not [line for line in lines if line.startswith("of two")]


@pytest.mark.parametrize("key", ["../x", "a/b", "a\\b", "a\nb", ".hidden", "", "x" * 201])
def test_a_feature_whose_key_cannot_be_a_folder_is_refused(key):
    with pytest.raises(PlanError, match="keys hold no blanks and no slashes"):
        make_plan(robot_plan(features={key: "/joints"}))


@pytest.mark.usefixtures("rerun")
def test_links_are_followed_once_and_loops_end(tmp_path):
    folder = tmp_path / "recordings"
    write_robot(folder / "a.rrd", {"front": Camera(jittered(10), "jpeg")})
    (folder / "again.rrd").symlink_to(folder / "a.rrd")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "nowhere.rrd").symlink_to(tmp_path / "gone.rrd")
    found = registry.find([folder])
    assert len(found.refs) == 1
    assert [f.where for f in found.findings if f.severity == "error"] == [str(folder / "nowhere.rrd")]


def huge_png(width: int, height: int) -> bytes:
    """A sound PNG of a few hundred bytes that says it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (0x7FFFFFFF, 0x7FFFFFFF), (1, 0x7FFFFFFF)])
def test_a_picture_of_absurd_size_is_refused_before_it_is_made(size):
    pictures = [Image(huge_png(*size), "png")]
    stream = MemoryStream(
        "/cam", "image", Schema("uint8", (0, 0, 3), encoding="png"), {"t": np.zeros(1, np.int64)}, pictures
    )
    with pytest.raises(VideoError, match="/cam: frame 0"):
        list(frames(stream, np.zeros(1, np.int64), "t"))


def test_a_plan_file_without_end_is_not_read_to_its_end(tmp_path):
    if not Path("/dev/zero").exists():
        pytest.skip("outside this repository: no endless file on this system")
    done = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "out"), "--plan", "/dev/zero"])
    assert done.exit_code == 2
    assert "larger than" in done.output


COMMANDS = (
    "inspect ADDRESS", "verify ADDRESS", "verify IN --against ADDRESS", "repair ADDRESS", "repair IN --apply ADDRESS",
    "diff ADDRESS IN", "diff IN ADDRESS", "merge IN ADDRESS OUT", "merge IN IN ADDRESS", "edit ADDRESS OUT --delete 0",
    "edit IN ADDRESS --delete 0", "push ADDRESS me/x", "push IN ADDRESS", "convert ADDRESS OUT", "convert IN ADDRESS",
    "convert IN ADDRESS --shard 1/2", "convert IN OUT --plan ADDRESS", "convert IN OUT --labels ADDRESS",
    "convert IN OUT --spans ADDRESS", "finalize ADDRESS", "record sim ADDRESS", "demo ADDRESS", "view ADDRESS",
)  # fmt: skip


@pytest.mark.parametrize(
    "address", ["s3://me:pa55word@bucket/x", "https://me:pa55word@h/x", "s3://b/x?token=hf_pa55word1"]
)
@pytest.mark.parametrize("words", COMMANDS)
def test_a_secret_in_an_address_is_never_shown(words, address, tmp_path):
    (tmp_path / "in").mkdir()
    given = {"ADDRESS": address, "IN": str(tmp_path / "in"), "OUT": str(tmp_path / "out")}
    done = CliRunner().invoke(app, [given.get(word, word) for word in words.split()])
    assert done.exit_code
    assert "pa55word" not in done.output


class Harm:
    """Leaves a file when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


@pytest.mark.parametrize("coding", [{"filters": [{"id": "pickle"}]}, {"compressor": {"id": "pickle"}}])
@pytest.mark.parametrize("dtype", [None, "|O"])
def test_a_zarr_array_that_is_pickled_is_refused_unread(tmp_path, zarr, coding, dtype):
    replay_buffer(zarr, tmp_path / "a.zarr")
    for array in (tmp_path / "a.zarr").rglob(".zarray"):
        told = json.loads(array.read_text()) | {"filters": None, "compressor": None} | coding
        array.write_text(json.dumps(told | ({"dtype": dtype} if dtype else {})))
        for chunk in array.parent.iterdir():
            if chunk != array and chunk.is_file():
                chunk.write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    found = registry.find([tmp_path / "a.zarr"])
    assert found.refs == ()
    assert found.findings[0].severity == "error"
    assert not (tmp_path / "harmed").exists()


def test_no_source_file_loads_what_can_run_code():
    """Pickle only goes between our own processes; arrays and YAML are never loaded in a form that can hold code."""
    root = Path(__file__).parents[2] / "src" / "telecine"
    allowed = {"run/ipc.py", "run/worker.py", "testing.py", "sources/pickles/plain_pickle.py"}  # refuses all names
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8").replace("ast.literal_eval(", "")  # reads literals and nothing else
        name = path.relative_to(root).as_posix()
        assert name in allowed or "pickle." not in text.replace("allow_pickle", ""), name
        assert "allow_pickle=True" not in text, name
        for loader in ("yaml.load(", "yaml.unsafe_load", "yaml.full_load", "marshal.loads", "eval(", "exec("):
            assert loader not in text, f"{name}: {loader}"
