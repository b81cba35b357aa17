"""Azure's interface, spoken by Azurite (npm install -g azurite), which Microsoft ships for tests."""

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
import urllib.request
from email.utils import formatdate

import pytest

import telecine as tc
from conftest import needs
from support.shards import assert_equal, write_runs
from support.stores import free_port
from telecine.core.errors import DatasetError
from telecine.core.text.addresses import store_address
from telecine.storage import addressed
from telecine.storage.addressed import open_store

pytestmark = pytest.mark.long
# The account of every Azurite, as its documentation has it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    """The port of a running Azurite."""
    needs("obstore", "cloud")
    if shutil.which("azurite-blob") is None:
        pytest.skip("outside this repository: Azurite: npm install -g azurite")
    port, home = free_port(), tmp_path_factory.mktemp("azurite")
    words = ["azurite-blob", "--blobPort", str(port), "--location", str(home), "--silent", "--skipApiVersionCheck"]
    with (home / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log, cwd=home) as server:
        while server.poll() is None:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        assert server.poll() is None, (home / "log").read_text()
        yield port
        server.terminate()


@pytest.fixture
def container(azurite, tmp_path, monkeypatch):
    """The address of a new container."""
    name = f"c-{time.monotonic_ns()}"
    create_container(azurite, name)
    for variable, value in {
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
        "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{azurite}/{ACCOUNT}",
        "AZURE_ALLOW_HTTP": "true",
        "TELECINE_SCRATCH": str(tmp_path / "scratch"),
    }.items():
        monkeypatch.setenv(variable, value)
    addressed._store.cache_clear()
    yield f"az://{name}"
    addressed._store.cache_clear()


def create_container(port, name):
    """By a request of its own: obstore makes none. Signed as "Authorize with Shared Key" describes it."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    told = f"x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signed = hmac.new(base64.b64decode(KEY), f"PUT{chr(10) * 12}{told}".encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signed).decode()}",
        "Content-Length": "0",
    }
    url = f"http://127.0.0.1:{port}/{ACCOUNT}/{name}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)) as answer:
        assert answer.status == 201


def upload(folder, address):
    store = open_store(store_address(address))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        store.put_file(path.relative_to(folder).as_posix(), path)
    return address


def download(address, folder):
    store = open_store(store_address(address))
    for file in store.list():
        store.get_file(file.key, folder / file.key)
    return folder


def test_datasets_and_parts_in_azure_are_those_of_a_folder(container, tmp_path):
    recordings = write_runs(tmp_path / "recordings", 8)
    plan = tc.inspect(recordings / "run-05").plan
    tc.convert(recordings, tmp_path / "whole", plan, workers=0)
    raw = upload(recordings, f"{container}/raw")
    assert tc.convert(raw, f"{container}/one", plan, workers=0).rows
    assert tc.verify(f"{container}/one") == []
    assert_equal(download(f"{container}/one", tmp_path / "one"), tmp_path / "whole")
    for number in (2, 1):
        tc.convert(raw, f"{container}/parts", plan, shard=(number, 2), workers=0)
    assert tc.finalize(f"{container}/parts", workers=0).published
    assert tc.finalize(f"{container}/parts", workers=0).published
    assert_equal(download(f"{container}/parts", tmp_path / "parts"), tmp_path / "whole")
    with pytest.raises(DatasetError, match="exists and is not empty"):
        tc.convert(raw, f"{container}/one", plan, workers=0)


def test_parts_are_added_to_a_dataset_in_azure(container, tmp_path):
    recordings = write_runs(tmp_path / "recordings", 8)
    plan = tc.inspect(recordings / "run-05").plan
    raw, first = upload(recordings, f"{container}/raw"), ("run-00", "run-05")
    for out in (f"{container}/picks", tmp_path / "one"):
        top = recordings if out == tmp_path / "one" else raw
        tc.convert([f"{top}/{name}" for name in first], out, plan, workers=0)
        if top == recordings:
            tc.convert(recordings, out, plan, append=True, workers=0)
    for number in (2, 1):
        tc.convert(raw, f"{container}/picks", plan, shard=(number, 2), append=True, workers=0)
    for _ in range(2):
        assert tc.finalize(f"{container}/picks", workers=0).ok
    assert tc.verify(f"{container}/picks") == []
    assert_equal(download(f"{container}/picks", tmp_path / "picks"), tmp_path / "one")


def test_the_first_one_wins_and_files_of_several_pieces_come_back(container, tmp_path):
    store = open_store(store_address(f"{container}/x"))
    assert (store.put_if_absent("a", b"1"), store.put_if_absent("a", b"1"), store.put_if_absent("a", b"2")) == (
        True, True, False,
    )  # fmt: skip
    assert (store.get("a"), store.head("b"), [file.key for file in store.list()]) == (b"1", None, ["a"])
    (tmp_path / "large").write_bytes(bytes(range(256)) * (20 << 12))
    store.put_file("large", tmp_path / "large")
    store.get_file("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    store.delete("a")
    store.delete("a")
    assert store.head("a") is None
