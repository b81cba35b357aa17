"""CALVIN's play data: an npz file for each step, segments with sentences."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from support.hdf5 import patch_colours, ramp
from support.proposed import convert_proposed, shown_frame
from support.robot_folders import CALVIN_FIRST as FIRST
from support.robot_folders import CALVIN_STEPS as STEPS
from support.robot_folders import SENTENCES
from support.robot_folders import calvin as write
from telecine.core.errors import SourceError
from telecine.core.recording import Ref
from telecine.sources import registry
from telecine.testing import SourceContract


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


CONFIG = "env:\n  _target_: calvin_env.envs.play_table_env.PlayTableSimEnv\n  robot_cfg: ${robot}\n  control_freq: %s\n"


def notes(folder):
    with registry.open(registry.find([folder]).refs[0]) as recording:
        return [text for _, text in recording.notes if "steps a second" in text], recording


def test_the_rate_is_that_of_the_environment_whose_configuration_lies_beside(tmp_path):
    """`render_low_freq.py` writes the other rate there, and names of six digits."""
    folder = write(tmp_path / "slow", config=CONFIG % 15, digits=6)
    assert notes(folder)[0] == []
    plan, dataset = convert_proposed(folder, tmp_path / "out")
    assert (plan.fps, [e.length for e in dataset.episodes]) == (15, [8, 7])


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "environment; if"),
        ("env: 3", "environment; if"),
        (CONFIG % "fast", "environment; if"),
        (CONFIG % 0, "env.control_freq is 0"),
        (CONFIG % ".nan", "env.control_freq is nan"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("\t: {", "cannot be read"),
        ("#" * (1 << 20) + "\n", "is longer than"),
    ],
)
def test_a_rate_that_nothing_states_is_said_to_be_assumed(tmp_path, config, said):
    ((text,), recording) = notes(write(tmp_path / "a", config=config))
    assert said in text
    assert text.startswith("30 steps a second")
    assert recording.streams["/robot_obs"].times("time").tolist()[1] == 33_333_333


def test_segments_are_found_beside_embeddings_of_any_model(tmp_path):
    folder = write(tmp_path / "a")
    (folder / "lang_annotations").rename(folder / "lang_BERT")
    assert [ref.id for ref in registry.find([folder]).refs] == ["/segment_0", "/segment_1"]
    (folder / "lang_BERT/auto_lang_ann.npy").rename(folder / "auto_lang_ann.npy")
    assert [ref.id for ref in registry.find([folder]).refs] == ["/segment_0", "/segment_1"]


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


@pytest.mark.parametrize("session", [(0, (1 << 62)), (-5 - FIRST, 3), (9, 2), (0, 2_000_000)])
def test_sessions_of_steps_without_end_are_damage(tmp_path, session):
    write(tmp_path / "training", annotations=False, sessions=(session,))
    found = registry.find([tmp_path])
    assert found.refs == ()
    assert ["are damage" in finding.message for finding in found.findings] == [True]
