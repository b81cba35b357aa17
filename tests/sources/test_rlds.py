"""RLDS datasets, as TensorFlow Datasets stores them."""

import json
import zlib
from itertools import pairwise

import numpy as np
import pytest

from support import rlds as make
from support.hdf5 import patch_colours, patches, ramp
from support.proposed import convert_proposed, shown_frame
from telecine.conversion.pipeline import convert
from telecine.core.errors import SourceError
from telecine.core.outcome import facts_of
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many
from telecine.sources import registry
from telecine.testing import SourceContract

SHARDS = [[make.episode(0), make.episode(1, 4)], [make.episode(2, 5)]]


@pytest.fixture
def bridge(crc32c, tmp_path):
    return make.dataset(tmp_path, SHARDS)


def opened(place, number=0):
    return registry.open(registry.find([place]).refs[number])


class TestContract(SourceContract):
    @pytest.fixture
    def places(self, bridge):
        return [str(bridge)]


def test_each_record_of_each_shard_is_an_episode_in_order(bridge):
    found = registry.find([bridge.parent.parent])
    assert found.findings == ()
    assert [ref.id for ref in found.refs] == ["/train-0-0", "/train-0-1", "/train-1-0"]
    assert {ref.format for ref in found.refs} == {"rlds"}


def test_a_shard_can_be_given_by_itself(bridge):
    shard = next(bridge.glob("*-00001-of-*"))
    assert [ref.id for ref in registry.find([shard]).refs] == ["/train-1-0"]


def test_the_newest_of_several_versions_is_read_and_the_others_named(crc32c, tmp_path):
    for version in ("0.9.0", "0.10.0"):
        make.dataset(tmp_path, [[make.episode(0)]], version=version)
    found = registry.find([tmp_path])
    assert [ref.path.split("/")[-2] for ref in found.refs] == ["0.10.0"]
    assert "0.9.0 left out" in found.findings[0].message


def test_values_texts_and_facts_are_those_of_the_episode(bridge):
    with opened(bridge, 1) as recording:
        action = recording.streams["/action"]
        assert np.array_equal(action.take(np.arange(4), "step"), ramp(4, 7, 1))
        assert action.schema.names == ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
        assert list(recording.streams["/language_instruction"].take(np.array([3]), "step")) == [make.TASKS[1]]
        assert recording.streams["/is_last"].take(np.arange(4), "step").tolist() == [[False]] * 3 + [[True]]
        assert list(recording.streams["/episode_metadata/file_path"].take(np.array([0]), "")) == ["/robot/1"]
        assert recording.attrs["split"] == "train"


def test_every_value_of_the_record_is_a_stream_or_left_out(crc32c, tmp_path):
    place = make.dataset(tmp_path, [[make.episode(0, blank=True)]])
    with opened(place) as recording:
        accounted = set(recording.streams) | {item.stream for item in recording.left_out}
    assert accounted == {f"/{key.removeprefix('steps/')}" for key in make.episode(0)}


def test_mutated_records_end_in_a_name_or_are_read(bridge):
    shard = next(bridge.glob("*-00001-of-*"))
    whole = make.example(make.episode(2, 5))
    random = np.random.default_rng(0)
    outcomes = {"read": 0, "named": 0}
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(random.integers(1, 8)):
            data[random.integers(0, 400)] = random.integers(0, 256)
        make.tfrecord(shard, [bytes(data)])
        try:
            with opened(shard) as recording:
                for stream in recording.streams.values():
                    clock = "step" if "step" in stream.clocks else ""
                    list(stream.take(np.arange(len(stream.times(clock))), clock))
            outcomes["read"] += 1
        except SourceError:
            outcomes["named"] += 1
    assert min(outcomes.values()) > 0
    assert sum(outcomes.values()) == 200


def test_the_rate_is_that_of_a_known_dataset_and_never_guessed_for_others(bridge, tmp_path):
    with opened(bridge) as recording:
        times = recording.streams["/action"].times("time")
        assert {b - a for a, b in pairwise(times.tolist())} == {200_000_000}
        assert [code for code, _ in recording.notes] == ["source-assumed"]
    other = make.dataset(tmp_path / "other", SHARDS, name="my_robot")
    proposal = propose(inspect_many([other]).recordings)
    assert proposal.plan is None
    assert "--rate" in proposal.missing[0]


def test_the_unedited_way_gives_rows_frames_and_tasks_of_every_episode(bridge, tmp_path):
    _, dataset = convert_proposed(bridge, tmp_path / "out")
    assert [e.length for e in dataset.episodes] == [6, 4, 5]
    assert [t for e in dataset.episodes for t in e.tasks] == [make.TASKS[0], make.TASKS[1], make.TASKS[0]]
    rows = dataset.rows(1)
    assert np.array_equal(np.stack(rows["action"].to_pylist()), ramp(4, 7, 1))
    assert rows["next.reward"].to_pylist() == [0, 0, 0, 1]
    shown = shown_frame(dataset, "observation.images.image_0", 3)
    assert patch_colours(shown) == [0, 1, 2]
    assert np.abs(shown.astype(int) - patches(3)).mean() < 12


def test_array_record_holds_the_same(crc32c, tmp_path):
    pytest.importorskip("array_record")
    one = make.dataset(tmp_path / "a", SHARDS)
    other = make.dataset(tmp_path / "b", SHARDS, container="array_record")
    with opened(one, 2) as first, opened(other, 2) as second:
        names = sorted(first.streams)
        assert names == sorted(second.streams)
        for name in ("/action", "/reward"):
            assert np.array_equal(*(r.streams[name].take(np.arange(5), "step") for r in (first, second)))


def test_a_camera_that_the_episode_does_not_have_is_left_out_and_named(crc32c, tmp_path):
    place = make.dataset(tmp_path, [[make.episode(0, blank=True), make.episode(1)]])
    with opened(place) as recording:
        assert "/observation/image_1" not in recording.streams
        assert any(
            item.stream == "/observation/image_1" and "no such camera" in item.why for item in recording.left_out
        )
    with opened(place, 1) as recording:
        assert "/observation/image_1" in recording.streams


def test_a_dict_of_actions_is_put_together_without_the_end_flag(crc32c, tmp_path):
    parts = {"world_vector": make.tensor(3), "rotation_delta": make.tensor(3), "terminate_episode": make.tensor(3)}
    episode = {name: value for name, value in make.episode(0).items() if name != "steps/action"}
    episode |= {f"steps/action/{name}": ramp(6, 3, i) for i, name in enumerate(parts)}
    place = make.dataset(tmp_path, [[episode]], name="some_robot", step={**make.STEP, "action": parts})
    with opened(place) as recording:
        assert recording.features["action"] == ("/action/world_vector", "/action/rotation_delta")


def test_a_dict_of_states_is_put_together_and_a_plan_without_any_says_so(crc32c, tmp_path):
    parts = {"joints": make.tensor(3), "speeds": make.tensor(3)}
    episode = {name: value for name, value in make.episode(0).items() if name != "steps/observation/state"}
    for name, key in (("proprio", "observation.state"), ("arm", "")):
        values = {f"steps/observation/{name}/{part}": ramp(6, 3, i) for i, part in enumerate(parts)}
        cameras = {camera: make.STEP["observation"][camera] for camera in ("image_0", "image_1")}
        step = {**make.STEP, "observation": {**cameras, name: parts}}
        place = make.dataset(tmp_path / name, [[episode | values]], name="some_robot", step=step)
        proposal = propose(inspect_many([place]).recordings)
        with opened(place) as recording:
            both = tuple(f"/observation/{name}/{part}" for part in parts)
            assert recording.features.get(key) == (both if key else None)
        (said,) = [guess for guess in proposal.guesses if guess.startswith("observation.state:")] or [""]
        assert key or (", ".join(both) in said and said.endswith("name one with --state"))
        assert bool(said) is not bool(key)


def test_numbers_that_are_stored_as_packed_bytes_are_read(crc32c, tmp_path):
    pose = make.tensor(7, encoding="zlib")
    packed = [zlib.compress(row.astype("<f4").tobytes()) for row in ramp(6, 7, 3)]
    bomb = [zlib.compress(bytes(1 << 20))] * 6
    step = {**make.STEP, "pose": pose, "bomb": pose}
    place = make.dataset(tmp_path, [[{**make.episode(0), "steps/pose": packed, "steps/bomb": bomb}]], step=step)
    with opened(place) as recording:
        assert np.array_equal(recording.streams["/pose"].take(np.arange(6), "step"), ramp(6, 7, 3))
        assert any(item.stream == "/bomb" and "instead of 28" in item.why for item in recording.left_out)


@pytest.mark.parametrize(
    ("spec", "values", "why"),
    [
        (make.tensor(7), ramp(5, 7), "6 steps of the shape (7,) need 42"),
        (make.tensor(7), [b"no number"] * 6, "byte strings where"),
        (make.image(), [b"no picture"] * 6, "neither JPEG nor PNG"),
        (make.image("float32"), [b"\x89PNG\r\n\x1a\n"] * 6, "float32 stored as the bits"),
        (make.TEXT, [b"one"], "expected one byte string"),
        (make.Leaf(sequence={"feature": make.tensor(2), "length": "-1"}), ramp(9, 2), "not fixed"),
        (make.Leaf(pythonClassName="a.b.Audio", audio={}), [b""] * 6, "kind Audio"),
        (make.tensor(2, encoding="lz77"), [b""] * 6, "'lz77' is not read"),
        (make.tensor(2, dtype="complex64"), ramp(6, 2), "complex64"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason_and_hides_nothing(crc32c, tmp_path, spec, values, why):
    step = {**make.STEP, "odd": spec}
    place = make.dataset(tmp_path, [[{**make.episode(0), "steps/odd": values}]], step=step)
    with opened(place) as recording:
        assert {"/action", "/observation/image_0"} <= set(recording.streams)
        assert [item.what for item in recording.left_out if item.stream == "/odd" and why in item.why] == ["unreadable"]


def test_a_wrong_checksum_costs_its_episode_and_no_other(bridge, tmp_path):
    shard = next(bridge.glob("*-00000-of-*"))
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(SourceError, match=r"train-0-0.*checksum is wrong"):
        opened(bridge)
    report = convert([bridge], tmp_path / "out", propose(inspect_many([bridge]).recordings).plan)
    assert [r.recording.rpartition("/")[2] for r in report.rejected] == ["train-0-0"]
    assert [e.length for e in Dataset(tmp_path / "out").episodes] == [4, 5]


@pytest.mark.parametrize(("cut", "word"), [(-3, "ends within record 1"), (None, "the length of record 1")])
def test_a_damaged_shard_gives_its_whole_episodes_and_says_how_many_are_lost(bridge, cut, word):
    shard = next(bridge.glob("*-00000-of-*"))
    data = bytearray(shard.read_bytes())
    if cut is None:
        data[16 + int.from_bytes(data[:8], "little") + 1] ^= 0xFF
    shard.write_bytes(data[:cut])
    found = registry.find([bridge])
    assert [ref.id for ref in found.refs] == ["/train-0-0", "/train-1-0"]
    assert [f.severity for f in found.findings] == ["error"]
    assert word in found.findings[0].message
    assert "1 of 2 episodes is lost" in found.findings[0].message


@pytest.mark.parametrize("kept", [0, 1])
def test_a_shard_that_ends_between_records_says_how_many_are_lost(bridge, kept):
    shard = next(bridge.glob("*-00000-of-*"))
    data = shard.read_bytes()
    shard.write_bytes(data[: kept * (16 + int.from_bytes(data[:8], "little"))])
    found = registry.find([bridge])
    assert len(found.refs) == kept + 1
    assert [(f.code, f.severity) for f in found.findings] == [("source-truncated", "error")]
    assert f"it ends after {kept} record" in found.findings[0].message
    assert ("2 of 2 episodes are lost", "1 of 2 episodes is lost")[kept] in found.findings[0].message


@pytest.mark.parametrize(("value", "fact"), [(np.array([1]), True), (np.array([0]), False), ([b"failed"], False)])
def test_success_in_the_metadata_is_the_outcome(crc32c, tmp_path, value, fact):
    place = make.dataset(tmp_path, [[{**make.episode(0), "episode_metadata/success": value}]])
    with opened(place) as recording:
        assert facts_of(recording).success is fact


def test_missing_shards_are_counted_in_one_finding(bridge):
    next(bridge.glob("*-00000-of-*")).unlink()
    found = registry.find([bridge])
    assert [ref.id for ref in found.refs] == ["/train-1-0"]
    assert "1 of 2 shards is missing, with 2 episodes" in found.findings[0].message


@pytest.mark.parametrize("template", ["../../{DATASET}", "/etc/passwd", "..", "a/{SPLIT}"])
def test_a_template_leads_nowhere_else(bridge, template):
    info = json.loads((bridge / "dataset_info.json").read_text())
    info["splits"][0]["filepathTemplate"] = template
    (bridge / "dataset_info.json").write_text(json.dumps(info))
    found = registry.find([bridge])
    assert found.refs == ()
    assert "no name of a shard" in found.findings[0].message


@pytest.mark.parametrize("text", ["[]", "{", "[" * 10_000, '{"featuresDict": {"features": 7}}', "{}"])
def test_metadata_that_cannot_be_understood_is_named(bridge, text):
    (bridge / "features.json").write_text(text)
    with pytest.raises(SourceError, match=r"features\.json"):
        opened(bridge)


def test_features_within_features_without_end_are_no_recursion(bridge):
    body = '{"featuresDict": {"features": {"steps": ' * 300 + "{}" + "}}}" * 300
    (bridge / "features.json").write_text(body)
    with pytest.raises(SourceError, match="`steps`|cannot be read"):
        opened(bridge)


def test_packed_numbers_are_unpacked_when_they_are_asked_for(crc32c, tmp_path, monkeypatch):
    """Those of all steps together may be far more than the file says."""
    from telecine.sources.rlds import episode as reader

    monkeypatch.setattr(reader, "CACHE_BYTES", 100)
    rows = ramp(6, 7)
    values = {**make.episode(0), "steps/action": [zlib.compress(row.tobytes()) for row in rows]}
    make.dataset(tmp_path, [[values]], step={**make.STEP, "action": make.tensor(7, encoding="zlib")})
    with registry.open(registry.find([tmp_path]).refs[0]) as recording:
        assert isinstance(recording.streams["/action"].part.array, reader._PackedRows)
        assert np.array_equal(recording.streams["/action"].take(np.array([1, 4]), "step"), rows[[1, 4]])
