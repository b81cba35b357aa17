"""What lies in a given folder besides recordings: FIFOs, sockets, links that lead away or round, names of any kind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import telecine as tc
from support import hdf5 as made_hdf5
from support.dataset import episode, write
from support.mcap import some_messages, write_mcap
from support.robosandbox import write_run
from telecine.core.errors import DatasetError, SourceError
from telecine.sources import registry
from telecine.sources.border import UnexpectedError, border
from telecine.sources.shared.confinement import confined, open_regular

CODE = "from telecine.cli.main import main; import sys; sys.argv[0] = 'telecine'; main()"


def telecine(*words, **options):
    command = [sys.executable, "-c", CODE, *map(os.fspath, words)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **options)


@pytest.fixture
def given(tmp_path, mcap):
    folder = tmp_path / "in"
    folder.mkdir()
    write_mcap(folder / "good.mcap", some_messages(20))
    return folder


def said(folder, **options) -> dict[str, tuple[str, str]]:
    """Name -> (code, message) of every finding; the good recording is there."""
    found = registry.find([folder], **options)
    assert "good.mcap" in [Path(ref.path).name for ref in found.refs]
    return {Path(f.where).name: (f.code, f.message) for f in found.findings}


def test_what_is_no_regular_file_is_passed_over_with_a_word(given):
    os.mkfifo(given / "pipe.mcap")
    os.mkfifo(given / "pipe")
    (given / "zero.bag").symlink_to("/dev/zero")
    (given / "round.rrd").symlink_to("round.rrd")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(given / "s.mcap"))
        found = said(given)
    assert {name: code for name, (code, _) in found.items()} == {
        "pipe.mcap": "source-skipped", "pipe": "source-skipped", "s.mcap": "source-skipped",
        "round.rrd": "source-skipped", "zero.bag": "source-skipped",
    }  # fmt: skip
    assert "is a FIFO" in found["pipe.mcap"][1]
    assert "is a socket" in found["s.mcap"][1]
    assert "symbolic links" in found["round.rrd"][1]
    assert "is a device" in found["zero.bag"][1]
    assert "source-skipped" in said(given, follow_links=True)["zero.bag"]


@pytest.mark.parametrize("name", ["metadata.yaml", "zarr.json", ".zgroup", "meta/info.json", "events.jsonl"])
def test_a_fifo_that_a_folder_is_known_by_is_never_opened(given, name):
    place = given / "run" / name
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    done = telecine("inspect", given, "--json")
    assert json.loads(done.stdout)["recordings"]


def test_a_typed_fifo_is_an_error(given, tmp_path):
    os.mkfifo(tmp_path / "pipe.mcap")
    with pytest.raises(SourceError, match="is a FIFO, not a regular file"):
        registry.find([tmp_path / "pipe.mcap"])
    done = telecine("convert", tmp_path / "pipe.mcap", tmp_path / "out")
    assert b"is a FIFO" in done.stderr
    with pytest.raises(SourceError, match="is a FIFO"):
        open_regular(tmp_path / "pipe.mcap")


def test_links_out_of_a_given_folder_are_refused_until_a_person_allows_them(given, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    write_mcap(outside / "other.mcap", some_messages(20))
    (given / "link.mcap").symlink_to(outside / "other.mcap")
    (given / "folder").symlink_to(outside)
    (given / "up").symlink_to("..")
    found = said(given)
    assert found["link.mcap"][0] == "source-outside"
    assert "--follow-links" in found["link.mcap"][1]
    assert found["folder"][0] == found["up"][0] == "source-skipped"
    allowed = registry.find([given], follow_links=True)
    assert sorted({os.path.realpath(ref.path) for ref in allowed.refs}) == sorted(
        os.path.realpath(p) for p in (given / "good.mcap", outside / "other.mcap")
    )
    assert all(ref.follow_links for ref in allowed.refs)


def test_a_typed_path_may_be_a_link_and_links_may_stay_inside(given, tmp_path):
    (tmp_path / "typed").symlink_to(given)
    (tmp_path / "typed.mcap").symlink_to(given / "good.mcap")
    (given / "again.mcap").symlink_to("good.mcap")
    for typed in ("typed", "typed.mcap"):
        found = registry.find([tmp_path / typed])
        assert (len(found.refs), found.findings) == (1, ())


def test_a_hugging_face_snapshot_may_lead_into_its_own_blobs(given, tmp_path):
    repo = tmp_path / "hub" / "datasets--a--b"
    snapshot = repo / "snapshots" / "0123"
    (repo / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (given / "good.mcap").rename(repo / "blobs" / "f00")
    (snapshot / "good.mcap").symlink_to("../../blobs/f00")
    (snapshot / "bad.mcap").symlink_to("/etc/passwd")
    assert said(snapshot)["bad.mcap"][0] == "source-outside"
    assert confined(snapshot).holds(snapshot / "good.mcap")


ODD_NAMES = (b"not\xffutf8.mcap", b"two\nlines.mcap", b"\x1b[31mred.mcap", "\u202ecam.mcap".encode())


def test_odd_names_are_read_and_shown_escaped_by_every_command(given, tmp_path):
    for name in ODD_NAMES:
        write_mcap(given / "x", some_messages(20))
        (given / "x").rename(given / os.fsdecode(name))
    out = tmp_path / "out"
    plan = tmp_path / "p.yaml"
    assert telecine("inspect", given, "--plan", plan).returncode == 0
    done = [
        telecine("inspect", given),
        telecine("convert", given, out, "--plan", plan, "--task-text", "x", "--dry-run"),
        telecine("convert", given, out, "--plan", plan, "--task-text", "x"),
        telecine("verify", out, "--against", given),
        telecine("inspect", out),
    ]
    for ended in done:
        text = ended.stdout + ended.stderr
        assert b"Traceback" not in text, text.decode(errors="replace")
        assert b"\x1b" not in text
        assert "\u202e".encode() not in text
        assert b"two\nlines" not in text
        assert ended.returncode == 0, text.decode(errors="replace")
    shown = json.loads(telecine("inspect", given, "--json").stdout)
    assert len(shown["recordings"]) == 1 + len(ODD_NAMES)


class Panic(BaseException):
    """As PyO3 raises for a panic in Rust."""


Panic.__name__ = "PanicException"


@pytest.mark.parametrize(
    "error", [OverflowError("a"), RecursionError(), ZeroDivisionError(), MemoryError(), SystemError("b"), Panic("c")]
)
def test_whatever_is_raised_while_a_recording_is_read_is_its_own_error(error):
    with pytest.raises(UnexpectedError, match=rf"^one.mcap: {type(error).__name__}"), border("one.mcap"):
        raise error


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_stops_the_program_goes_through_the_border(stop):
    with pytest.raises(stop), border("one.mcap"):
        raise stop


def moved_outside(path, tmp_path):
    """The file is a link to a copy of itself that lies elsewhere."""
    outside = tmp_path / "outside" / path.name
    outside.parent.mkdir(exist_ok=True)
    path.rename(outside)
    path.symlink_to(outside)


def errors_of(path, **options):
    """What is said of the recordings in a folder, when they are found and opened."""
    found = registry.find([path], **options)
    said = [finding.message for finding in found.findings if finding.severity == "error"]
    for ref in found.refs:
        try:
            registry.open(ref).close()
        except SourceError as error:
            said.append(str(error))
    return said


SIDE_FILES = {
    "droid": ("metadata_x.json", "recordings/MP4/111.mp4"),
    "agibot": ("task_info/task_327.json", "observations/327/64/videos/head_color.mp4"),
    "maniskill": ("a.json",),
}


@pytest.mark.parametrize(("layout", "name"), [(k, name) for k, names in SIDE_FILES.items() for name in names])
def test_files_beside_an_hdf5_file_may_not_lead_elsewhere(tmp_path, h5py, layout, name):
    folder = tmp_path / "in"
    folder.mkdir()
    getattr(made_hdf5, layout)(h5py, folder if layout == "agibot" else folder / "a.h5")
    moved_outside(folder / name, tmp_path)
    said = errors_of(folder)
    assert said
    assert all("outside of" in text and "--follow-links" in text for text in said)
    assert errors_of(folder, follow_links=True) == []


@pytest.mark.parametrize("name", ["episode.json", "events.jsonl", "result.json", "video.mp4"])
def test_no_file_of_a_run_may_lead_elsewhere(tmp_path, name):
    run = write_run(tmp_path / "in" / "run", 4)
    moved_outside(run / name, tmp_path)
    found = registry.find([tmp_path / "in"])
    said = [f"{finding.where} {finding.message}" for finding in found.findings]
    assert found.refs == ()
    assert any("outside of" in text and name in text for text in said)
    assert registry.find([tmp_path / "in"], follow_links=True).refs != ()


@pytest.mark.parametrize("name", ["meta/info.json", "meta/tasks.parquet", "data/chunk-000/file-000.parquet"])
def test_no_file_of_a_dataset_may_lead_elsewhere(tmp_path, name):
    root = write(tmp_path / "in" / "dataset", [episode(5)])
    moved_outside(root / name, tmp_path)
    found = registry.find([tmp_path / "in"])
    assert found.refs == ()
    assert any("outside of" in finding.message for finding in found.findings)
    assert registry.find([tmp_path / "in"], follow_links=True).refs != ()


@pytest.fixture
def leading_out(tmp_path):
    """A dataset, sound but for a link to a file beside it; and a sound one."""
    root = write(tmp_path / "in" / "dataset", [episode(5)])
    moved_outside(root / "data/chunk-000/file-000.parquet", tmp_path)
    return root, write(tmp_path / "other", [episode(5)])


COMMANDS = {
    "verify": lambda bad, good, out, **how: tc.verify(bad, **how),
    "inspect": lambda bad, good, out, **how: tc.inspect(bad, **how),
    "repair": lambda bad, good, out, **how: tc.repair(bad, out, **how),
    "edit": lambda bad, good, out, **how: tc.edit(bad, out, task="0=other", **how),
    "in place": lambda bad, good, out, **how: tc.edit(bad, in_place=True, task="0=other", **how),
    "merge": lambda bad, good, out, **how: tc.merge([good, bad], out, **how),
    "diff": lambda bad, good, out, **how: tc.diff(good, bad, **how),
    "push": lambda bad, good, out, **how: tc.push(bad, "me/name", dry_run=True, **how),
}


@pytest.mark.parametrize("flags", [(), ("--card",)])
def test_inspect_of_a_dataset_follows_links_when_told_on_the_command_line(leading_out, flags):
    refused = telecine("inspect", leading_out[0], *flags)
    assert (refused.returncode, b"--follow-links" in refused.stderr) == (1, True), refused.stderr
    allowed = telecine("inspect", leading_out[0], "--follow-links", *flags)
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_follows_a_link_out_of_a_dataset_unless_a_person_allows_it(leading_out, tmp_path, name):
    with pytest.raises(DatasetError, match=r"file-000\.parquet leads to .*outside of .*--follow-links"):
        COMMANDS[name](*leading_out, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    COMMANDS[name](*leading_out, tmp_path / "out", follow_links=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_fifo_in_a_dataset_is_never_opened(tmp_path, name):
    bad, good = (write(tmp_path / name, [episode(5)]) for name in ("bad", "good"))
    (bad / "data/chunk-000/file-000.parquet").unlink()
    os.mkfifo(bad / "data/chunk-000/file-000.parquet")
    with pytest.raises(DatasetError, match="is a FIFO"):
        COMMANDS[name](bad, good, tmp_path / "out", follow_links=True)
