"""A format whose package is not installed costs the recordings of that format, by name, and no others."""

import json
import sys
import types

import pytest
from typer.testing import CliRunner

from support import mutants
from support.printed_commands import commands
from support.robosandbox import write_run
from telecine.cli.main import app
from telecine.cli.screen.next_steps import installing, viewing
from telecine.conversion.report import rejection
from telecine.core.errors import SourceError, TelecineError
from telecine.core.findings import Finding
from telecine.core.recording import Ref
from telecine.sources.format import MissingExtra

EXTRAS = {
    # format: (makes one file or folder of it, the packages of its extra, the extra's name)
    "rrd": ("rrd", ("rerun", "rerun_bindings"), "rrd"),
    "mcap": ("mcap", ("rosbags",), "ros"),
    "mcap with zstd": ("mcap", ("zstandard",), "mcap"),
    "rosbag": ("rosbag", ("rosbags",), "ros"),
    "rosbag with lz4": ("rosbag", ("lz4",), "mcap"),
    "rosbag2": ("rosbag2", ("rosbags",), "ros"),
    "hdf5": ("hdf5", ("h5py",), "hdf5"),
    "zarr": ("zarr", ("zarr",), "zarr"),
}
NEEDED_TO_WRITE = {"rrd": "rerun", "mcap": "mcap", "rosbag": "mcap", "rosbag2": "mcap", "hdf5": "h5py", "zarr": "zarr"}
FLAGS = ["--fps", "30", "--index", "sim", "--state", "/robot_joints", "--action", "/action", "--task", "/task"]
FLAGS += ["--video", "scene:/scene"]


def telecine(*arguments):
    """(exit code, the JSON object)."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.stdout, result.output
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def without(monkeypatch):
    """Makes packages impossible to import, as in an environment without them."""

    def hide(*packages):
        for name in list(sys.modules):
            if name.split(".")[0] in packages:
                monkeypatch.setitem(sys.modules, name, None)
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)
        from telecine.sources.messages.decoding import types as message_types

        message_types.parse.cache_clear()

    return hide


@pytest.mark.parametrize("case", sorted(EXTRAS))
def test_a_missing_package_rejects_its_recordings_and_the_others_convert(case, tmp_path, request, without):
    name, packages, extra = EXTRAS[case]
    request.getfixturevalue(NEEDED_TO_WRITE[name])
    recordings = tmp_path / "recordings"
    (recordings / "locked").mkdir(parents=True)
    mutants.INPUTS[name](recordings / "locked")
    for number in range(2):
        write_run(recordings / f"run_{number}", 8, actions=True)
    without(*packages)

    code, seen = telecine("inspect", recordings)
    errors = [f for f in seen["findings"] if f["severity"] == "error"]
    assert code == 1
    assert any(f"telecine[{extra}]" in f["message"] and "locked" in f["where"] for f in errors), errors
    assert sum("run_" in r["path"] for r in seen["recordings"]) == 2

    code, report = telecine("convert", recordings, tmp_path / "out", "--workers", "0", *FLAGS)
    named = [r for r in report["rejected"] if f"telecine[{extra}]" in r["reason"]["message"]]
    assert code == 1
    assert named
    assert all("locked" in r["recording"] for r in report["rejected"])
    assert [e["rows"] for e in report["episodes"] if "run_" in e["recording"]] == [8, 8]
    assert (tmp_path / "out" / "meta" / "info.json").is_file()


def test_a_catalog_address_without_the_client_is_rejected_beside_run_folders(tmp_path, catalog, without):
    write_run(tmp_path / "run", 8, actions=True)
    without("datafusion")
    address = "rerun+http://127.0.0.1:9/dataset/robots"
    code, report = telecine("convert", tmp_path / "run", address, tmp_path / "out", "--workers", "0", *FLAGS)
    assert code == 1
    assert [(r["recording"], "telecine[catalog]" in r["reason"]["message"]) for r in report["rejected"]] == [
        (address, True)
    ]
    assert [e["rows"] for e in report["episodes"]] == [8]


def test_when_nothing_can_be_read_the_package_is_named_once_for_all_files(tmp_path, h5py, without):
    for number in range(3):
        (tmp_path / f"{number}").mkdir()
        mutants.INPUTS["hdf5"](tmp_path / f"{number}")
    without("h5py")
    result = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "out")], catch_exceptions=False)
    assert result.exit_code == 1
    assert result.output.count("telecine[hdf5]") <= 2
    assert "more)" in result.output


def test_what_to_install_is_the_next_thing_to_type(tmp_path, h5py, without, monkeypatch):
    mutants.INPUTS["hdf5"](tmp_path)
    without("h5py")
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["inspect", "."], catch_exceptions=False).output
    assert commands(said.partition("\nnext\n")[2]) == ["pip install 'telecine[hdf5]'"]


def test_the_page_says_what_it_needs_before_it_is_asked_for(tmp_path, without):
    pytest.importorskip("uvicorn")
    assert viewing("picks") == ("look at it in the browser", "telecine view picks")
    without("uvicorn")
    assert viewing("picks")[0].endswith("after pip install 'telecine[view]'")


def test_a_file_name_is_no_advice_what_to_install():
    found = Finding("source-unreadable", "error", "x", "needs: pip install evil'telecine[rrd]': the file is empty")
    assert not installing([found])


class DiskOnFire(SourceError):
    """A subclass that nobody listed."""


class OfTheirOwn(SourceError):
    """A third party's, with a code that telecine does not know."""

    code = "their-code"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DiskOnFire("x"), "source-unreadable"),
        (MissingExtra("x"), "source-unreadable"),
        (OfTheirOwn("x"), "source-unreadable"),
        (TelecineError("x"), "convert-failed"),
        (types.new_class("Later", (DiskOnFire,))("x"), "source-unreadable"),
    ],
)
def test_every_error_rejects_its_recording_under_a_known_code(error, code):
    error.add_note("more")
    rejected = rejection(error, Ref("plain", "a.plain", "r"))
    assert (rejected.reason.code, rejected.reason.severity, rejected.reason.message) == (code, "error", "x; more")
