"""CALVIN's play data: an npz file for each step, segments with sentences."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from support.hdf5 import patch_colours, patches, ramp
from support.proposed import convert_proposed, shown_frame
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.testing import SourceContract

FIRST, STEPS = 358_482, 20
SEGMENTS = ((FIRST, FIRST + 7), (FIRST + 9, FIRST + 15))
SENTENCES = ["push the slider to the left", "lift the red block"]


def write(folder: Path, annotations=True, sessions=((FIRST, FIRST + 11), (FIRST + 12, FIRST + 19))) -> Path:
    """As CALVIN's recorder does, with small frames."""
    folder.mkdir(parents=True)
    for i in range(STEPS):
        np.savez_compressed(
            folder / f"episode_{FIRST + i:07d}.npz", actions=ramp(STEPS, 7, 1)[i], rel_actions=ramp(STEPS, 7, 2)[i],
            robot_obs=ramp(STEPS, 15, 3, "float64")[i], scene_obs=ramp(STEPS, 24, 4)[i], rgb_static=patches(i),
            rgb_gripper=patches(i, 32, 32), rgb_tactile=np.zeros((16, 12, 6), np.uint8),
            depth_static=np.full((48, 64), 0.5 + i / 100, np.float32), depth_tactile=np.zeros((16, 12, 2), np.float32),
        )  # fmt: skip
    np.save(folder / "ep_start_end_ids.npy", np.array(sessions))
    if annotations:
        (folder / "lang_annotations").mkdir()
        body = {
            "language": {"ann": SENTENCES, "task": ["a", "b"], "emb": np.zeros((2, 1, 384), np.float32)},
            "info": {"episodes": [], "indx": list(SEGMENTS)},
        }
        np.save(folder / "lang_annotations/auto_lang_ann.npy", np.array(body, dtype=object), allow_pickle=True)
    return folder


def test_annotated_segments_are_the_episodes_with_their_sentences(tmp_path):
    write(tmp_path / "in/training")
    plan, dataset = convert_proposed(tmp_path / "in", tmp_path / "out")
    assert plan.fps == 30
    assert [e.length for e in dataset.episodes] == [8, 7]
    assert [e.tasks[0] for e in dataset.episodes] == SENTENCES
    assert np.array_equal(np.stack(dataset.rows(1)["action"].to_pylist()).astype("f4"), ramp(STEPS, 7, 2)[9:16])
    state = np.stack(dataset.rows(0)["observation.state"].to_pylist())
    assert np.allclose(state, ramp(STEPS, 15, 3)[:8])
    shown = shown_frame(dataset, "observation.images.static", 3, 1)
    assert patch_colours(shown) == [0, 1, 2]
    assert shown[2].min(axis=1).argmax() == 12
    assert set(dataset.cameras) == {"observation.images.static", "observation.images.gripper"}


def test_how_much_of_the_play_is_annotated_is_said_and_without_annotations_it_is_read(tmp_path):
    folder = write(tmp_path / "validation")
    found = registry.find([folder])
    assert "15 of 20 steps" in found.findings[0].message
    (folder / "lang_annotations").rename(tmp_path / "away")
    found = registry.find([folder])
    assert ([ref.id for ref in found.refs], found.findings) == (["/session_0", "/session_1"], ())
    with registry.open(found.refs[1]) as recording:
        assert len(recording.streams["/robot_obs"].times("step")) == 8
        assert "/task" not in recording.streams
        assert recording.streams["/depth_static"].schema.unit == "m"
        left = {item.stream: item for item in recording.left_out}
        assert left["/rgb_tactile"].what == left["/depth_tactile"].what == "unreadable"
        assert "12-bit depth" in left["/depth_static"].fix


class _Hostile:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_hostile_annotations_run_nothing_and_the_play_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write(tmp_path / "a")
    place = folder / "lang_annotations/auto_lang_ann.npy"
    np.save(place, np.array({"language": _Hostile()}, dtype=object), allow_pickle=True)
    found = registry.find([folder])
    assert [ref.id for ref in found.refs] == ["/session_0", "/session_1"]
    assert "nothing of it was run" in found.findings[0].message
    assert not (tmp_path / "pwned").exists()


def _replace(folder, number, **arrays):
    place = folder / f"episode_{FIRST + number:07d}.npz"
    with np.load(place) as stored:
        kept = dict(stored)
    np.savez_compressed(place, **{**kept, **arrays})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / f"episode_{FIRST + 2:07d}.npz").unlink(), "1 of the 8 steps"),
        (lambda folder: (folder / f"episode_{FIRST + 2:07d}.npz").write_bytes(b"PK\3\4x"), f"{FIRST + 2:07d}.npz"),
        (lambda folder: _replace(folder, 2, robot_obs=np.zeros(9)), "unlike before"),
        (lambda folder: _replace(folder, 2, robot_obs=np.array([None])), "holds objects"),
    ],
)
def test_damage_costs_the_segment_and_is_named(tmp_path, damage, said):
    folder = write(tmp_path / "a")
    damage(folder)
    refs = registry.find([folder]).refs
    with pytest.raises(SourceError) as failure, registry.open(refs[0]) as recording:
        recording.streams["/robot_obs"].take(np.arange(8), "step")
    assert said in str(failure.value)
    with registry.open(refs[1]) as recording:
        assert recording.streams["/robot_obs"].take(np.arange(7), "step").shape == (7, 15)


def test_an_archive_that_promises_too_much_is_refused(tmp_path):
    folder = write(tmp_path / "a")
    place = folder / f"episode_{FIRST:07d}.npz"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("robot_obs.npy", bytes(70 << 20))
    with pytest.raises(SourceError, match="taken for damage"):
        registry.open(registry.find([folder]).refs[0])


@pytest.mark.parametrize("ids", [np.zeros((2, 3), int), np.zeros(4), np.array([{}, {}], dtype=object)])
def test_a_list_of_sessions_of_another_kind_is_named(tmp_path, ids):
    folder = write(tmp_path / "a", annotations=False)
    np.save(folder / "ep_start_end_ids.npy", ids, allow_pickle=True)
    found = registry.find([folder])
    assert found.refs == ()
    assert "ep_start_end_ids.npy" in found.findings[0].message


def test_annotations_of_another_kind_are_said(tmp_path):
    folder = write(tmp_path / "a")
    np.save(folder / "lang_annotations/auto_lang_ann.npy", np.array({"language": {}}, dtype=object), allow_pickle=True)
    assert "no list of annotations" in registry.find([folder]).findings[0].message
    for name in ("/session_9", "/other"):
        with pytest.raises(SourceError, match="holds no recording"):
            registry.open(Ref("calvin", str(folder), name))


def test_a_pickle_of_an_array_of_objects_is_a_list(tmp_path):
    from telecine.sources.pickles.plain_pickle import load_plain

    (tmp_path / "x.pkl").write_bytes(pickle.dumps(np.array([{"a": 1}, ["b"]], dtype=object)))
    assert load_plain(tmp_path / "x.pkl") == [{"a": 1}, ["b"]]


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, tmp_path):
        return [str(write(tmp_path / "a"))]


@pytest.mark.parametrize("session", [(0, 1 << 62), (-5, 3), (9, 2), (0, 2_000_000)])
def test_sessions_of_steps_without_end_are_damage(tmp_path, session):
    write(tmp_path / "training", annotations=False, sessions=(session,))
    found = registry.find([tmp_path])
    assert found.refs == ()
    assert ["are damage" in finding.message for finding in found.findings] == [True]
