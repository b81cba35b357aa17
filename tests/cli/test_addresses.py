"""An address is a place in a store, or an error that says what to do; never a folder named like its scheme."""

import sys

import pytest
from typer.testing import CliRunner

from support.cli import telecine
from telecine.cli.main import app
from telecine.core.errors import PlanError
from telecine.core.text.addresses import StoreAddress, as_typed, is_stored, store_address, unknown_scheme


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


OF_DATASETS = [
    ("inspect", "{}"),
    ("inspect", "{}", "--card"),
    ("verify", "{}"),
    ("diff", "{}", "here"),
    ("diff", "here", "{}"),
    ("edit", "{}", "out"),
    ("edit", "{}", "--in-place", "--delete", "0"),
    ("edit", "{}", "out", "--into", "a=0.5,b=0.5"),
    ("merge", "{}", "{}", "out"),
    ("repair", "{}"),
    ("push", "{}", "me/mine", "--dry-run"),
    ("view", "{}", "--no-open"),
    ("convert", "{}", "out", "--fps", "30"),
    ("finalize", "{}"),
]
TARGETS = [
    ("convert", "missing.mcap", "{}"),
    ("convert", "missing.mcap", "{}", "--append"),
    ("convert", "missing.mcap", "{}", "--shard", "1/2"),
    ("demo", "{}"),
    ("record", "sim", "{}"),
    ("record", "sim", "{}", "--as", "run"),
    ("inspect", "missing.mcap", "--plan", "{}"),
    ("repair", "here", "--apply", "{}"),
]


def run_with(command, address, request):
    if command[0] == "record":
        request.getfixturevalue("mujoco")
    if command[0] == "view":
        request.getfixturevalue("starlette")
    return telecine(*(word.format(address) for word in command))


@pytest.mark.parametrize("command", [*(c for c in OF_DATASETS if "--card" not in c), *TARGETS])
def test_an_unknown_scheme_is_named_with_those_that_are_known(command, tmp_path, request):
    code, out, error = run_with(command, "ftp://host/place", request)
    assert code in (1, 2), error
    assert "ftp" in out + error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", TARGETS)
def test_a_target_of_an_unknown_scheme_is_refused_with_2(command, request):
    code, _, error = run_with(command, "ftp://host/place", request)
    assert (code, "ftp: is the scheme of an address" in error) == (2, True), error


@pytest.mark.parametrize(
    ("command", "scheme"),
    [
        *((command, "s3") for command in (*OF_DATASETS, *TARGETS)),
        *((command, scheme) for command in (OF_DATASETS[0], TARGETS[0]) for scheme in ("gs", "az", "hf")),
    ],
)
def test_without_the_extra_every_command_says_what_to_install(command, scheme, tmp_path, monkeypatch, request):
    for module in ("obstore", "obstore.store", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("TELECINE_SCRATCH", str(tmp_path / "scratch"))
    code, out, error = run_with(command, f"{scheme}://datasets/me/place", request)
    assert code in (1, 2), error
    local_only = "address, and this command writes to folders"
    extra = "'telecine[hub]'" if scheme == "hf" else "'telecine[cloud]'"
    assert f"pip install {extra}" in out + error or local_only in error
    assert [path.name for path in tmp_path.iterdir() if path.name != "scratch"] == []


def test_inspect_refuses_an_existing_plan_before_it_reads(tmp_path):
    (tmp_path / "plan.yaml").write_text("fps: 30\n")
    code, _, error = telecine("inspect", "missing.mcap", "--plan", "plan.yaml")
    assert (code, "never overwrites a plan" in error) == (2, True)


def test_addresses_are_read_as_typed_and_as_pathlib_leaves_them():
    for text in ("s3://bucket/a/b", "s3:/bucket/a/b", "S3://bucket/a/b/"):
        assert store_address(text) == StoreAddress("s3", "bucket", "a/b")
    whole = store_address("hf://datasets/me/mine@main/raw/x")
    assert (whole.container, whole.key, whole.name) == ("datasets/me/mine@main", "raw/x", "x")
    assert store_address("hf://me/model/x").container == "me/model"
    assert (str(whole.below("y")), str(whole.parent())) == (
        "hf://datasets/me/mine@main/raw/x/y",
        "hf://datasets/me/mine@main/raw",
    )
    assert str(store_address("gs://b")) == "gs://b"
    assert as_typed("data/s3") == "data/s3"
    assert (is_stored("s3"), is_stored("C:/x"), is_stored("rerun+http://h:1/x")) == (False, False, False)
    assert unknown_scheme("s3://b/x") == unknown_scheme("folder") == ""


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("s3://", "BUCKET"),
        ("hf://datasets/me", "hf://datasets/USER/NAME"),
        ("s3://key:secretword@bucket/x", "secrets do not belong"),
        ("s3://bucket/../x", "names and / alone"),
        ("s3://bucket/x?versionId=1", "names and / alone"),
        ("az://c/x?token=abcdefghi", "secrets do not belong"),
    ],
)
def test_what_is_no_place_is_refused(address, why):
    with pytest.raises(PlanError, match=why) as caught:
        store_address(address)
    assert "secretword" not in str(caught.value)
    assert "abcdefghi" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://example.com/x.rrd", "http://example.com/takes/y.mcap", "ftp://e.com/z"])
def test_an_address_of_the_web_is_no_file_whatever_its_end(address):
    said = CliRunner().invoke(app, ["inspect", address])
    assert said.exit_code == 1
    assert "telecine does not know" in said.output
    assert "download files" in said.output
