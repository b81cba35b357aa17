"""Datasets edited: every kept row shows its frame, every kept packet is the same bits, and nothing else changes."""

import hashlib
import json
import shutil
import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.dataset import COLUMNS, TOP, WRIST, episode, everything, two_cameras, write
from support.old_dataset import CAMERA as OLD_CAMERA
from support.old_dataset import write_old
from support.pictures import read_frame_id
from telecine.core.depth import DepthScale
from telecine.core.edit.model import make_edit
from telecine.core.errors import DatasetError, EditError
from telecine.core.plan.model import Video
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.editing.edit import edit
from telecine.editing.inputs import EDITS, InputDataset
from telecine.lerobot_format.read import read_statistics_of
from telecine.video.demux import packets
from telecine.video.encode import encode
from telecine.video.mp4_reader import decode_at, depth_at
from telecine.video.presets import depth_settings

DEPTH = "observation.images.depth"
LENGTHS = (20, 7, 33, 12)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    return write(folder / "picks", everything(folder, LENGTHS))


def shown(root, key=TOP):
    """(frame, episode) that each row of each episode shows, as the frames themselves say."""
    dataset = Dataset(root)
    found = []
    for number, facts in enumerate(dataset.episodes):
        path, first = dataset.frame(key, number, 0)
        frames = decode_at(str(path), range(first, first + facts.length))
        found.append([read_frame_id(rgb)[:2] for _, rgb in frames])
    return found


def test_deleting_an_episode_imports_no_pandas(source, tmp_path):
    code = (
        "import sys; from telecine.editing.edit import edit; before = 'pandas' in sys.modules; "
        "edit(sys.argv[1], sys.argv[2], delete='1'); sys.exit('pandas' in sys.modules and not before)"
    )
    assert not subprocess.run([sys.executable, "-c", code, source, tmp_path / "out"], check=False).returncode


def expected(*spans):
    return [[(row, number) for row in range(start, stop)] for number, start, stop in spans]


def hashes(path):
    return [hashlib.sha256(bytes(p)).hexdigest() for p in packets(str(path))]


def rows(root, number, key):
    return Dataset(root).rows(number, [key]).column(key).to_pylist()


def test_a_deleted_episode_is_gone_and_the_others_are_the_same_bits(source, tmp_path):
    done = edit(source, tmp_path / "out", delete="1")
    assert (done.ok, done.dropped, done.encoded_frames) == (True, ("1",), 0)
    for key in (TOP, WRIST):
        assert shown(tmp_path / "out", key) == expected((0, 0, 20), (2, 0, 33), (3, 0, 12))
        old, new = (hashes(root / f"videos/{key}/chunk-000/file-000.mp4") for root in (source, tmp_path / "out"))
        assert new == old[:20] + old[27:]
    for number, was in enumerate((0, 2, 3)):
        for column in COLUMNS:
            assert rows(tmp_path / "out", number, column.key) == rows(source, was, column.key)
    assert verify(tmp_path / "out", decode="all") == []
    assert Dataset(tmp_path / "out").tasks == ("pick up the cube", "put it down")


def test_an_edit_without_a_change_links_every_video(source, tmp_path):
    done = edit(source, tmp_path / "out")
    assert (done.linked_files, done.copied_frames, done.encoded_frames) == (2, 0, 0)
    video = f"videos/{TOP}/chunk-000/file-000.mp4"
    assert (source / video).stat().st_ino == (tmp_path / "out" / video).stat().st_ino
    assert json.loads((source / "meta/info.json").read_text()) == json.loads(
        (tmp_path / "out/meta/info.json").read_text()
    )
    there, here = (json.loads((root / "meta/stats.json").read_text()) for root in (source, tmp_path / "out"))
    assert set(there) == set(here)
    for key in there:
        for name in there[key]:
            assert np.allclose(there[key][name], here[key][name], atol=0 if "observation.images" not in key else 0.02)


def test_cuts_keep_every_frame_outside_the_group_they_go_through(source, tmp_path):
    done = edit(source, tmp_path / "out", trim="2:3..29", split="0:10")
    spans = ((0, 0, 10), (0, 10, 20), (1, 0, 7), (2, 3, 29), (3, 0, 12))
    assert shown(tmp_path / "out") == expected(*spans)
    assert shown(tmp_path / "out", WRIST) == expected(*spans)
    assert done.encoded_frames == 2 * 2  # rows 3 and 4 before the keyframe at 5, in both cameras
    old, new = (hashes(root / f"videos/{TOP}/chunk-000/file-000.mp4") for root in (source, tmp_path / "out"))
    assert new[:27] == old[:27]
    assert new[29:53] == old[32:56]
    assert rows(tmp_path / "out", 3, "action") == rows(source, 2, "action")[3:29]
    assert rows(tmp_path / "out", 3, "frame_index") == list(range(26))
    assert rows(tmp_path / "out", 3, "timestamp") == pytest.approx(np.arange(26) / 30)
    assert verify(tmp_path / "out", decode="all") == []


def test_marks_reach_rows_tasks_and_facts(source, tmp_path):
    marks = {"success": ["0-2=true", "3=false"], "tag": "2=a,b", "outcome": "3=slipped"}
    edit(source, tmp_path / "out", task=["1=wipe", "put it down=lay it down"], **marks)
    dataset = Dataset(tmp_path / "out")
    assert [e.tasks for e in dataset.episodes] == [
        ("pick up the cube",), ("wipe",), ("pick up the cube",), ("lay it down",)]  # fmt: skip
    assert dataset.tasks == ("pick up the cube", "wipe", "lay it down")
    assert [rows(tmp_path / "out", n, "next.success")[-1] for n in range(4)] == [True, True, True, False]
    facts = dataset.provenance
    assert [f["success"] for f in facts] == [True, True, True, False]
    assert (facts[2]["tags"], facts[3]["outcome"]) == (["a", "b"], "slipped")
    assert verify(tmp_path / "out", decode="all") == []
    again = edit(tmp_path / "out", tmp_path / "good", where="success == true and 'a' not in tags", task="wipe=dust")
    assert again.dropped == ("2", "3")
    assert Dataset(tmp_path / "good").tasks == ("pick up the cube", "dust")
    assert len(list((tmp_path / "good" / EDITS).iterdir())) == 2


def test_features_are_renamed_and_dropped_everywhere(source, tmp_path):
    edit(
        source,
        tmp_path / "out",
        rename=["observation.state=observation.joints", f"{TOP}=observation.images.front"],
        drop=["wrench", WRIST, "note"],
    )
    dataset = Dataset(tmp_path / "out")
    keys = [c.key for c in dataset.features]
    assert {"observation.joints", "observation.images.front"} <= set(keys)
    assert not {"observation.state", "wrench", "note", TOP, WRIST} & set(keys)
    assert rows(tmp_path / "out", 1, "observation.joints") == rows(source, 1, "observation.state")
    assert shown(tmp_path / "out", "observation.images.front") == expected(
        (0, 0, 20), (1, 0, 7), (2, 0, 33), (3, 0, 12)
    )
    assert verify(tmp_path / "out", decode="all") == []


def test_a_camera_can_be_coded_anew(source, tmp_path):
    body = f"edit: 1\ncameras: {{{WRIST}: {{crop: [0, 0, 64, 64], size: [32, 32], codec: av1}}}}\n"
    (tmp_path / "e.yaml").write_text(body)
    done = edit(source, tmp_path / "out", edits=[tmp_path / "e.yaml"])
    assert done.encoded_frames == sum(LENGTHS)
    info = json.loads((tmp_path / "out/meta/info.json").read_text())["features"][WRIST]
    assert (info["shape"], info["info"]["video.codec"]) == ([32, 32, 3], "av1")
    assert verify(tmp_path / "out", decode="all") == []


@pytest.mark.parametrize(
    "options", [{"preset": "archive", "codec": "h264"}, {"codec": "hevc"}, {"codec": "av1"}, {"preset": "images"}]
)
def test_every_codec_is_cut(tmp_path, options):
    episodes = [episode(n, i, clips=two_cameras(tmp_path, n, i, **options)) for i, n in enumerate((17, 9))]
    write(tmp_path / "in", episodes)
    edit(tmp_path / "in", tmp_path / "out", trim="0:4..15", order="1,0")
    assert verify(tmp_path / "out", decode="all") == []
    if options.get("preset") != "images":
        assert shown(tmp_path / "out") == expected((1, 0, 9), (0, 4, 15))
    assert rows(tmp_path / "out", 1, "action") == rows(tmp_path / "in", 0, "action")[4:15]


def depth_clip(folder, count, number):
    """A clip whose frames are all one depth, in mm: 500 and 20 a row, 1000 an episode."""
    mm = (np.full((48, 64), 500 + 20 * row + 1000 * number, np.uint16) for row in range(count))
    frames = (av.VideoFrame.from_ndarray(one, format="gray16le") for one in mm)
    how = {"count": count, "key": DEPTH, "path": str(folder / f"depth-{number}.clip"), "why": "made for a test"}
    return encode(frames, depth_settings(Video(), DepthScale()), 30, **how)


def slices(path):
    """Of each packet of H.265 the units that hold frames; parameter sets may stand before any keyframe."""
    found = []
    for packet in map(bytes, packets(str(path))):
        units, at = [], 0
        while at < len(packet):
            stop = at + 4 + int.from_bytes(packet[at : at + 4])
            units += [packet[at + 4 : stop]] if packet[at + 4] >> 1 < 32 else []
            at = stop
        found.append(units)
    return found


def test_depth_is_cut_without_loss_and_its_statistics_follow(tmp_path):
    write(tmp_path / "in", [episode(n, i, clips=[depth_clip(tmp_path, n, i)]) for i, n in enumerate(LENGTHS[:3])])
    done = edit(tmp_path / "in", tmp_path / "out", trim="2:3..29", split="0:11", delete="1")
    before, after = Dataset(tmp_path / "in"), Dataset(tmp_path / "out")

    def codes(dataset, number):
        path, first = dataset.frame(DEPTH, number, 0)
        length = dataset.episodes[number].length
        return [shown for _, shown in depth_at(str(path), range(first, first + length))]

    wanted = codes(before, 0) + codes(before, 2)[3:29]
    assert np.array_equal(np.concatenate([codes(after, n) for n in range(3)]), wanted)
    old, new = (slices(root / f"videos/{DEPTH}/chunk-000/file-000.mp4") for root in (tmp_path / "in", tmp_path / "out"))
    assert (new[:11], new[12:20], new[21:]) == (old[:11], old[12:20], old[31:56])
    assert done.encoded_frames == 2
    stats = read_statistics_of(tmp_path / "out", [2])[0][DEPTH]
    assert stats["min"][0][0][0] == pytest.approx(500 + 20 * 3 + 2000, rel=0.01)
    assert stats["max"][0][0][0] == pytest.approx(500 + 20 * 28 + 2000, rel=0.02)
    assert verify(tmp_path / "out", decode="all") == []


def test_images_in_rows_are_cut_byte_for_byte(tmp_path):
    clips = [two_cameras(tmp_path, n, i, preset="images") for i, n in enumerate(LENGTHS[:3])]
    write(tmp_path / "in", [episode(n, i, clips=clips[i]) for i, n in enumerate(LENGTHS[:3])])
    edit(tmp_path / "in", tmp_path / "out", delete="1", trim="2:3..29", split="0:11")

    def images(root, number):
        return [value["bytes"] for value in rows(root, number, TOP)]

    wanted = images(tmp_path / "in", 0) + images(tmp_path / "in", 2)[3:29]
    assert [data for n in range(3) for data in images(tmp_path / "out", n)] == wanted
    assert verify(tmp_path / "out", decode="all") == []


def test_videos_behind_links_are_linked_themselves(source, tmp_path):
    """As in the Hub's cache, whose snapshots are symbolic links to blobs."""
    blobs, snapshot = tmp_path / "picks/blobs", tmp_path / "picks/snapshots/1a2b"
    shutil.copytree(source, blobs)
    for path in sorted(blobs.rglob("*")):
        link = snapshot / path.relative_to(blobs)
        link.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            link.symlink_to(path)
    edit(snapshot, tmp_path / "out")
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_symlink()]
    video = f"videos/{TOP}/chunk-000/file-000.mp4"
    assert (tmp_path / "out" / video).stat().st_ino == (blobs / video).stat().st_ino
    assert verify(tmp_path / "out") == []


def test_in_place_is_one_step_and_readers_keep_the_old_state(source, tmp_path):
    edit(source, tmp_path / "set")
    video = tmp_path / f"set/videos/{TOP}/chunk-000/file-000.mp4"
    with video.open("rb") as opened:
        edit(tmp_path / "set", in_place=True, delete="0")
        assert hashlib.sha256(opened.read()).digest() == hashlib.sha256(
            (source / f"videos/{TOP}/chunk-000/file-000.mp4").read_bytes()).digest()  # fmt: skip
    assert shown(tmp_path / "set") == expected((1, 0, 7), (2, 0, 33), (3, 0, 12))
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(source, tmp_path):
    asked = {"trim": "2:3..29", "split": "0:10"}
    seen = edit(source, tmp_path / "out", dry_run=True, **asked)
    assert list(tmp_path.iterdir()) == []
    done = edit(source, tmp_path / "out", **asked)
    assert not seen.written
    for name in ("episodes", "rows", "linked_files", "copied_frames", "encoded_frames"):
        assert getattr(seen, name) == getattr(done, name)


def test_an_edit_of_another_dataset_is_refused(source, tmp_path):
    edit(source, tmp_path / "a", delete="3")
    edit(source, tmp_path / "b", delete="0")
    made_for_a = tmp_path / "a.yaml"
    named = InputDataset("a", Dataset(tmp_path / "a")).named().model_dump()
    made_for_a.write_text(make_edit({"inputs": [named], "episodes": {"0": {"drop": True}}}).to_yaml())
    with pytest.raises(EditError, match="is not the dataset that the edit was made for"):
        edit(tmp_path / "b", tmp_path / "out", edits=[made_for_a])
    edit(tmp_path / "a", tmp_path / "c", delete="0")
    with pytest.raises(EditError, match="has 2 episodes, the edit is for 3"):
        edit(tmp_path / "c", tmp_path / "out", edits=[made_for_a])
    assert edit(tmp_path / "a", tmp_path / "out", edits=[made_for_a]).dropped == ("0",)


def test_an_edit_of_an_older_revision_is_refused(source, tmp_path):
    edit(source, tmp_path / "set")
    named = InputDataset("set", Dataset(tmp_path / "set")).named().model_dump()
    newer, older = (
        make_edit({"revision": revision, "inputs": [named], "episodes": {str(revision): {"success": True}}})
        for revision in (3, 2)
    )
    edit(tmp_path / "set", in_place=True, edits=[newer])
    with pytest.raises(EditError, match="is revision 2, and revision 3 was applied already .*edits/0002.yaml"):
        edit(tmp_path / "set", in_place=True, edits=[older])
    assert Dataset(tmp_path / "set").provenance[2]["success"] is None


@pytest.mark.parametrize("in_place", [False, True])
def test_an_older_layout_is_edited_by_way_of_v3(tmp_path, in_place):
    old, out = write_old(tmp_path / "old", (30, 12, 40)), tmp_path / ("old" if in_place else "new")
    wanted = [Dataset(old, versions=("v2.1",)).rows(n, ["action"]).column("action").to_pylist() for n in range(3)]
    done = edit(old, None if in_place else out, in_place=in_place, delete="1", trim="2:3..29")
    (said,) = (f for f in done.findings if f.code == "edit-converted")
    assert "is v2.1; the new dataset is v3.0" in said.message
    assert shown(out, OLD_CAMERA) == expected((0, 0, 30), (2, 3, 29))
    assert [rows(out, n, "action") for n in range(2)] == [wanted[0], wanted[2][3:29]]
    assert verify(out, decode="all") == []
    assert [p.name for p in tmp_path.iterdir() if p.name != "old"] == ([] if in_place else ["new"])


def test_what_cannot_be_is_refused_before_anything_is_written(source, tmp_path):
    for flags, why in (
        ({"delete": "0-3"}, "every episode is left out"),
        ({"delete": "9"}, "there is no episode 9"),
        ({"colour": "red"}, "there is no colour"),
        ({"edits": [tmp_path / "none.yaml"]}, "cannot be read"),
    ):
        with pytest.raises(EditError, match=why):
            edit(source, tmp_path / "out", **flags)
    with pytest.raises(EditError, match="--in-place"):
        edit(source, delete="0")
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").touch()
    with pytest.raises(DatasetError, match="exists and is not empty"):
        edit(source, tmp_path / "there")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_a_source_named_as_the_new_dataset_is_replaced_only_when_asked(source, tmp_path):
    edit(source, tmp_path / "set")
    for dry_run in (False, True):
        with pytest.raises(DatasetError, match="exists and is not empty"):
            edit(tmp_path / "set", tmp_path / "set", delete="0", dry_run=dry_run)
    assert len(Dataset(tmp_path / "set").episodes) == 4
    edit(tmp_path / "set", tmp_path / "set", delete="0", overwrite=True)
    assert shown(tmp_path / "set") == expected((1, 0, 7), (2, 0, 33), (3, 0, 12))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_two_edits_compose(source, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("compose")
    number = data.draw(st.integers(0, 3))
    first = data.draw(st.integers(0, LENGTHS[number] - 2))
    last = data.draw(st.integers(first + 2, LENGTHS[number]))
    edit(source, folder / "a", keep=str(number), trim=f"{number}:{first}..{last}")
    middle = data.draw(st.integers(1, last - first - 1))
    edit(folder / "a", folder / "b", split=f"0:{middle}")
    assert shown(folder / "b") == expected((number, first, first + middle), (number, first + middle, last))
    assert verify(folder / "b") == []
