"""Files of one recording id: layers, rolled files, copies, and two runs under one id. All written by rerun-sdk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.rrd import Encoded, Texts, Vectors, Video, merge_rrd, write_rrd
from telecine.core.errors import SourceError
from telecine.core.recording import Recording
from telecine.sources import registry
from telecine.sources.rrd.chunks import StoredChunks
from telecine.sources.shared import fingerprint

N = 20
T = np.arange(N, dtype=np.int64) * 10_000_000 + 1_700_000_000_000_000_000
SECOND = 1_000_000_000
VALUES = np.random.default_rng(0).random((N, 2))
BLOBS = [b"\xff\xd8\xff" + bytes([i]) * 50 for i in range(N)]
CLOCK = "real_time"

pytestmark = pytest.mark.usefixtures("rerun")


def robot(shift_ns: int = 0, values: Any = VALUES) -> dict[str, Any]:
    return {"/joints": Vectors(T + shift_ns, values, names=("a", "b")), "/task": Texts(None, ["pick"])}


def cameras(shift_ns: int = 0) -> dict[str, Any]:
    return {"/cam": Encoded(T + shift_ns, BLOBS), "/film": Video(T + shift_ns, [bytes([i + 1]) * 9 for i in range(N)])}


def found(folder: Path) -> tuple[list[str], dict[str, str], Any]:
    """(files of each recording, message by finding code, references)."""
    seen = registry.find([folder])
    files = ["+".join(Path(path).stem for path in (ref.path, *ref.layers)) for ref in seen.refs]
    return files, {f.code: f.message for f in seen.findings}, seen.refs


def opened(folder: Path) -> Recording:
    (ref,) = registry.find([folder]).refs
    return registry.open(ref)


def values_of(recording: Recording, name: str, clock: str = CLOCK) -> Any:
    stream: Any = recording.streams[name]
    return stream.take(np.arange(len(stream.times(clock))), clock)


@pytest.mark.parametrize("footers", [True, False])
def test_layers_of_two_processes_are_one_recording(tmp_path: Path, footers: bool) -> None:
    write_rrd(tmp_path / "robot.rrd", robot(), write_footer=footers, name="take one")
    write_rrd(tmp_path / "cams.rrd", cameras(3_000_000), write_footer=footers)
    files, messages, (ref,) = found(tmp_path)
    assert files == ["cams+robot"]
    assert "2 files are one recording" in messages["source-layers"]
    assert set(ref.names) == {"recording", "cams.rrd", "cams", "robot.rrd", "robot"}
    assert ref.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    with registry.open(ref) as recording:
        assert sorted(s.partition(":")[0] for s in recording.streams) == ["/cam", "/film", "/joints", "/task"]
        assert np.array_equal(values_of(recording, "/joints:Scalars:scalars"), VALUES)
        assert recording.streams["/joints:Scalars:scalars"].schema.names == ("a", "b")
        assert [bytes(i.data) for i in values_of(recording, "/cam:EncodedImage:blob")] == BLOBS
        assert recording.attrs["name"] == "take one"


def test_a_recording_rolled_over_several_files_is_one(tmp_path: Path) -> None:
    for part in range(3):
        shift = part * N * 10_000_000
        write_rrd(tmp_path / f"roll_{part}.rrd", robot(shift, VALUES + part) | cameras(shift), rows_per_chunk=7)
    files, messages, _ = found(tmp_path)
    assert files == ["roll_0+roll_1+roll_2"]
    assert set(messages) == {"source-layers"}
    recording = opened(tmp_path)
    assert np.array_equal(
        values_of(recording, "/joints:Scalars:scalars"), np.concatenate([VALUES, VALUES + 1, VALUES + 2])
    )
    film: Any = recording.streams["/film:VideoStream:sample"]
    assert [bytes(p)[0] for p in film.packets(CLOCK)] == [i + 1 for i in range(N)] * 3
    assert np.all(np.diff(film.times(CLOCK)) == 10_000_000)


def test_a_copy_is_noticed_and_read_once(tmp_path: Path) -> None:
    write_rrd(tmp_path / "a.rrd", robot() | cameras())
    shutil.copy(tmp_path / "a.rrd", tmp_path / "b.rrd")
    merge_rrd(tmp_path / "c.rrd", [tmp_path / "a.rrd"])  # the same rows in other bytes
    assert (tmp_path / "c.rrd").read_bytes() != (tmp_path / "a.rrd").read_bytes()
    seen = registry.find([tmp_path])
    assert [Path(ref.path).name for ref in seen.refs] == ["a.rrd"]
    assert seen.refs[0].layers == ()
    assert sorted(Path(f.where).name for f in seen.findings if f.code == "source-duplicate-id") == ["b.rrd", "c.rrd"]
    assert all(f.severity == "warning" for f in seen.findings)


def test_rows_that_two_files_hold_are_read_once(tmp_path: Path) -> None:
    """A merge of two layers beside one of them and a third: what is whole covers what is a part of it."""
    write_rrd(tmp_path / "parts" / "robot.rrd", robot())
    write_rrd(tmp_path / "parts" / "cams.rrd", cameras())
    write_rrd(tmp_path / "late.rrd", robot(SECOND, VALUES + 1))
    merge_rrd(tmp_path / "both.rrd", list((tmp_path / "parts").iterdir()))
    files, messages, (ref,) = found(tmp_path)
    assert files == ["both+late"]
    assert "also in" in messages["source-duplicate-id"]
    with registry.open(ref) as recording:
        assert np.array_equal(values_of(recording, "/joints:Scalars:scalars"), np.concatenate([VALUES, VALUES + 1]))


def test_two_runs_under_one_id_are_refused_and_the_advice_helps(tmp_path: Path) -> None:
    write_rrd(tmp_path / "one.rrd", robot() | cameras())
    write_rrd(tmp_path / "two.rrd", robot(5_000_000, VALUES + 1) | cameras(5_000_000))
    files, messages, _ = found(tmp_path)
    assert files == []
    assert "'recording' but not one recording: /joints:Scalars:scalars" in messages["source-clash"]
    assert "same times on 'real_time'" in messages["source-clash"]
    (finding,) = registry.find([tmp_path]).findings
    assert (finding.severity, "one.rrd" in finding.where, "two.rrd" in finding.where) == ("error", True, True)
    command = finding.fix.partition("rerun rrd route ")[2].partition(";")[0].split()
    words = {"NEW_ID": "second", "FILE": str(tmp_path / "two.rrd"), "NEW_FILE": str(tmp_path / "three.rrd")}
    environment = {"RERUN_ANALYTICS": "0", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    route = [sys.executable, "-m", "rerun", "rrd", "route", *(words.get(word, word) for word in command)]
    subprocess.run(route, check=True, capture_output=True, env=environment)
    (tmp_path / "two.rrd").unlink()
    assert found(tmp_path)[:2] == (["one", "three"], {})
    assert {ref.id for ref in registry.find([tmp_path]).refs} == {"recording", "second"}


def test_runs_that_differ_only_by_a_counter_are_refused(tmp_path: Path) -> None:
    """The clock that counts begins anew, though the other one tells the runs apart."""
    for run in range(2):
        stamps = {CLOCK: T + run * SECOND, "step": np.arange(N)}
        write_rrd(tmp_path / f"{run}.rrd", {"/joints": Vectors(stamps, VALUES + run)})
    _, messages, _ = found(tmp_path)
    assert "'step'" in messages["source-clash"]


def test_other_static_values_in_two_files_are_refused(tmp_path: Path) -> None:
    write_rrd(tmp_path / "one.rrd", robot())
    write_rrd(tmp_path / "two.rrd", cameras() | {"/task": Texts(None, ["place"])})
    assert "/task:TextDocument:text is static" in found(tmp_path)[1]["source-clash"]


def test_images_at_the_same_times_are_refused_when_they_are_all_that_is_shared(tmp_path: Path) -> None:
    write_rrd(tmp_path / "one.rrd", robot() | {"/cam": Encoded(T, BLOBS)})
    write_rrd(tmp_path / "two.rrd", {"/cam": Encoded(T + 1, BLOBS)})
    assert "/cam:EncodedImage:blob" in found(tmp_path)[1]["source-clash"]


def test_a_clash_that_only_reading_shows_spoils_that_stream_alone(tmp_path: Path) -> None:
    write_rrd(tmp_path / "one.rrd", {"/joints": Vectors(T, VALUES), "/cam": Encoded(T, BLOBS)})
    write_rrd(tmp_path / "two.rrd", {"/joints": Vectors(T + SECOND, VALUES), "/cam": Encoded(T + 1, BLOBS)})
    recording = opened(tmp_path)
    with pytest.raises(SourceError, match=r"/cam:EncodedImage:blob: several files hold different data"):
        recording.streams["/cam:EncodedImage:blob"].times(CLOCK)
    assert len(recording.streams["/joints:Scalars:scalars"].times(CLOCK)) == 2 * N


def test_a_change_of_any_file_is_a_change_of_the_recording(tmp_path: Path) -> None:
    write_rrd(tmp_path / "robot.rrd", robot())
    write_rrd(tmp_path / "cams.rrd", cameras())
    (ref,) = registry.find([tmp_path]).refs
    before = fingerprint.stamp_of(ref)
    assert before is not None
    digest = fingerprint.digest(before)
    write_rrd(tmp_path / "robot.rrd", robot(1))
    after = fingerprint.stamp_of(ref)
    assert after is not None
    assert after != before
    assert fingerprint.digest(after) != digest


def test_a_recording_of_properties_only_is_no_episode_and_its_properties_stay(tmp_path: Path) -> None:
    write_rrd(tmp_path / "parts" / "root.rrd", {}, recording_id="root", properties={"robot": {"robot_type": "so100"}})
    for i in range(2):
        write_rrd(tmp_path / "parts" / f"{i}.rrd", robot(), recording_id=f"episode_{i}", name=f"Episode {i}")
    merge_rrd(tmp_path / "all.rrd", sorted((tmp_path / "parts").iterdir()))
    shutil.rmtree(tmp_path / "parts")
    files, messages, refs = found(tmp_path)
    assert ([ref.id for ref in refs], files) == (["episode_0", "episode_1"], ["all", "all"])
    assert "its properties go to" in messages["source-properties"]
    with registry.open(refs[1]) as recording:
        assert (recording.attrs["robot_type"], recording.attrs["name"]) == ("so100", "Episode 1")


def test_properties_in_a_file_of_their_own_are_a_layer(tmp_path: Path) -> None:
    write_rrd(tmp_path / "data.rrd", robot())
    write_rrd(tmp_path / "label.rrd", {}, properties={"episode": {"success": True}})
    files, messages, (ref,) = found(tmp_path)
    assert (files, set(messages)) == (["data+label"], {"source-layers"})
    with registry.open(ref) as recording:
        assert recording.attrs["success"] == "True"


def test_properties_alone_are_still_an_empty_recording(tmp_path: Path) -> None:
    write_rrd(tmp_path / "label.rrd", {}, properties={"episode": {"success": True}})
    (ref,) = registry.find([tmp_path]).refs
    with registry.open(ref) as recording:
        assert [code for code, _ in recording.notes] == ["source-empty"]


def test_files_that_were_opened_are_closed_when_a_later_one_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rrd(tmp_path / "a.rrd", robot())
    write_rrd(tmp_path / "b.rrd", cameras())
    (ref,) = registry.find([tmp_path]).refs
    (tmp_path / "b.rrd").unlink()
    closed: list[Any] = []
    monkeypatch.setattr(StoredChunks, "close", lambda chunks: closed.append(chunks))
    with pytest.raises(SourceError, match="b.rrd: cannot be read"):
        registry.open(ref)
    assert len(closed) == 1
