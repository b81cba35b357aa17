"""hf:// as a source and a target, against a server that answers as the Hub does."""

import pytest

import telecine as tc
from conftest import needs
from support.hub import fake_hub
from support.shards import rows_of, write_runs
from telecine.core.errors import DatasetError, StoreError
from telecine.core.text.addresses import store_address
from telecine.storage import addressed
from telecine.storage.addressed import open_store

# Of the HTTP library, for how the Hub's client uploads large files.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(scratch, tmp_path, monkeypatch):
    needs("huggingface_hub", "hub")
    with fake_hub() as server:
        for name, value in server.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        for name, value in (("ENDPOINT", server.url), ("HF_HUB_DISABLE_XET", True), ("HF_HUB_OFFLINE", False)):
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        monkeypatch.setattr("telecine.storage.attempts.FIRST_PAUSE_S", 0.01)
        addressed._store.cache_clear()
        yield server
        addressed._store.cache_clear()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = write_runs(tmp_path_factory.mktemp("runs") / "recordings", count=7)
    return folder, tc.inspect(str(folder / "run-05")).plan


def test_a_repository_is_a_store(hub, tmp_path):
    store = open_store(store_address("hf://datasets/me/mine"))
    assert (store.head("a/b.txt"), list(store.list("a/"))) == (None, [])
    store.put("a/b.txt", b"hello")
    found = store.head("a/b.txt")
    assert (found.size_bytes, len(found.tag)) == (5, 40)
    assert (store.get("a/b.txt"), store.get_range("a/b.txt", 1, 3)) == (b"hello", b"el")
    assert [f.key for f in store.list()] == ["a/b.txt"]
    store.get_file("a/b.txt", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"hello"
    assert (store.put_if_absent("new", b"1"), store.put_if_absent("new", b"2")) == (True, False)
    store.delete("new")
    store.delete("new")
    assert sorted(hub.files) == ["a/b.txt"]
    for read in (store.get, lambda key: store.get_file(key, tmp_path / "x")):
        with pytest.raises(FileNotFoundError):
            read("nothing")


def test_recordings_of_a_repository_give_the_same_dataset(hub, runs, tmp_path):
    folder, plan = runs
    for path in folder.rglob("*"):
        if path.is_file():
            hub.files[f"raw/{path.relative_to(folder)}"] = path.read_bytes()
    tc.convert(folder, tmp_path / "local", plan, workers=0)
    report = tc.convert("hf://datasets/me/mine/raw", tmp_path / "there", plan, workers=0)
    assert len(report.episodes) == 4
    assert rows_of(tmp_path / "there") == rows_of(tmp_path / "local")


def test_a_dataset_is_one_commit_with_the_tag(hub, runs, tmp_path):
    folder, plan = runs
    address = "hf://datasets/me/mine"
    report = tc.convert(folder, address, plan, workers=0)
    assert (report.root, len(hub.commits)) == (address, 1)
    assert "meta/info.json" in hub.commits[0]
    assert any(path.endswith("/tag/main") or "/tag/" in path for _, path, _ in hub.told)
    assert tc.inspect(address).frames == report.rows
    with pytest.raises(DatasetError, match="exists and is not empty"):
        tc.convert(folder, address, plan, workers=0)
    tc.convert(folder / "run-05", address, plan, workers=0, overwrite=True)
    assert len(tc.open_dataset(address)) == 1
    hub.files["other/x"] = b""
    with pytest.raises(DatasetError, match="holds no dataset"):
        tc.convert(folder, f"{address}/other", plan, workers=0, overwrite=True)


def test_a_token_is_in_no_message(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_averyveryverysecrettoken")
    hub.refuses = "hf_averyveryverysecrettoken may not"
    with pytest.raises(StoreError) as caught:
        open_store(store_address("hf://datasets/me/mine")).get("x")
    assert "secrettoken" not in str(caught.value)
    assert "HF_TOKEN" in str(caught.value)
