"""A folder and a bucket are the same store: the same keys, the same answers, the same errors."""

from urllib.parse import parse_qs

import pytest

from support.stores import KEY, SECRET
from telecine.core.errors import StoreError
from telecine.core.text.addresses import store_address
from telecine.storage import cloud
from telecine.storage.addressed import open_store
from telecine.storage.local import LocalStore


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return LocalStore(tmp_path / "store")
    return open_store(store_address(request.getfixturevalue("bucket").address("some/folder")))


def test_what_is_put_is_there(store):
    assert (store.head("a/b.txt"), list(store.list())) == (None, [])
    store.put("a/b.txt", b"hello")
    store.put("c.txt", b"")
    assert (store.get("a/b.txt"), store.get("c.txt"), store.get_range("a/b.txt", 1, 3)) == (b"hello", b"", b"el")
    found = store.head("a/b.txt")
    assert (found.key, found.size_bytes, bool(found.tag)) == ("a/b.txt", 5, True)
    assert [(f.key, f.size_bytes) for f in store.list()] == [("a/b.txt", 5), ("c.txt", 0)]
    assert [f.key for f in store.list("a/")] == ["a/b.txt"]
    assert [f.key for f in store.list("a/b")] == ["a/b.txt"]
    assert list(store.list("b")) == []


def test_a_large_folder_is_listed_by_the_folders_in_it(bucket, proxy, monkeypatch):
    monkeypatch.setattr(cloud, "PAGE", 3)
    store = open_store(store_address(bucket.address("top")))
    keys = ["a.txt", *(f"{folder}/{number}.txt" for folder in "bcd" for number in range(4))]
    for key in (*keys, "../topper/x"):
        bucket.put(f"top/{key}".replace("top/../", ""))

    def asked():
        found = [parse_qs(path.partition("?")[2]) for method, path in proxy.seen if method == "GET"]
        return {one["prefix"][0] for one in found}

    proxy.reset()
    assert [file.key for file in store.list()] == keys
    assert asked() == {"top/", "top/b/", "top/c/", "top/d/"}
    monkeypatch.setattr(cloud, "_MOST_FOLDERS", 2)
    proxy.reset()
    assert [file.key for file in store.list()] == keys
    assert asked() == {"top/"}


def test_a_tag_tells_contents_apart(store):
    store.put("x", b"one")
    first = store.head("x").tag
    store.put("x", b"more")
    assert store.head("x").tag != first


def test_the_first_one_wins(store):
    assert store.put_if_absent("x", b"one") is True
    assert store.put_if_absent("x", b"two") is False
    assert store.get("x") == b"one"


def test_files_of_several_pieces_go_and_come(store, tmp_path, monkeypatch):
    monkeypatch.setattr("telecine.storage.pieces.PIECE", 1 << 20)
    content = bytes(range(256)) * (41 << 10)
    (tmp_path / "here").write_bytes(content)
    store.put_file("big", tmp_path / "here")
    store.get_file("big", tmp_path / "new" / "there")
    assert (tmp_path / "new" / "there").read_bytes() == content
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["there"]


def test_what_is_absent_is_not_found_and_not_missed(store, tmp_path):
    for read in (store.get, lambda key: store.get_file(key, tmp_path / "x"), lambda key: store.get_range(key, 0, 1)):
        with pytest.raises(FileNotFoundError):
            read("nothing")
    store.delete("nothing")
    store.put("x", b"")
    store.delete("x")
    assert store.head("x") is None


def test_a_range_beyond_the_end_is_an_error(store):
    store.put("x", b"12345")
    with pytest.raises(StoreError, match="x"):
        store.get_range("x", 3, 9)


@pytest.mark.parametrize("how", ["error", "close", "cut", "lost"])
def test_a_bucket_that_fails_now_and_then_is_asked_again(bucket, proxy, tmp_path, how):
    store = open_store(store_address(bucket.address("f")))
    (tmp_path / "file").write_bytes(b"content" * 1000)
    proxy.reset(every=3, how=how)
    for number in range(6):
        store.put(f"{number}", b"%d" % number)
        assert store.put_if_absent(f"new-{number}", b"mine-%d" % number)
        store.put_file(f"file-{number}", tmp_path / "file")
        assert store.get(f"{number}") == b"%d" % number
        store.get_file(f"file-{number}", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"content" * 1000
    assert proxy.failed > 10
    assert len(list(store.list())) == 18


@pytest.mark.parametrize("how", ["error", "close", "cut"])
def test_a_bucket_that_always_fails_is_named_after_a_few_tries(bucket, proxy, tmp_path, how):
    store = open_store(store_address(bucket.address("f")))
    store.put("x", b"content" * 100)
    proxy.reset(every=1, how=how, only=("GET",))
    with pytest.raises(StoreError, match=rf"^s3://{bucket.name}/f/x: failed 5 times"):
        store.get("x")
    with pytest.raises(StoreError, match=rf"^s3://{bucket.name}/f/x: failed 5 times"):
        store.get_file("x", tmp_path / "x")
    assert list(tmp_path.glob("x*")) == []


def test_a_bucket_that_does_not_answer_in_time_is_named(bucket, proxy, monkeypatch):
    monkeypatch.setattr("telecine.storage.cloud._CALL_S", 0.2)
    store = open_store(store_address(bucket.address("f")))
    bucket.put("f/x", b"content")
    proxy.reset(every=1, how="slow", only=("GET",))
    with pytest.raises(StoreError, match=rf"^s3://{bucket.name}/f/x: failed 5 times"):
        store.get("x")


def test_a_range_of_another_content_is_refused(store):
    store.put("x", b"one")
    tag = store.head("x").tag
    assert store.get_range("x", 0, 3, tag=tag) == b"one"
    store.put("x", b"other")
    with pytest.raises(StoreError, match="changed while it was read"):
        store.get_range("x", 0, 3, tag=tag)


def test_a_bucket_that_is_not_there_is_named(bucket):
    with pytest.raises(StoreError, match="no such bucket"):
        open_store(store_address("s3://never-made/x")).get("a")


def test_http_needs_to_be_allowed(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StoreError, match="s3://"):
        open_store(store_address(bucket.address("x"))).get("a")


def test_azure_without_an_account_says_what_to_set(bucket):
    with pytest.raises(StoreError, match="set AZURE_STORAGE_ACCOUNT_NAME"):
        open_store(store_address("az://container/x"))


def test_no_message_has_a_credential(bucket, proxy):
    store = open_store(store_address(bucket.address("x")))
    said = f"<Error><AWSAccessKeyId>{KEY}</AWSAccessKeyId> signed with {SECRET} Bearer abcdefghij</Error>"
    proxy.instead = (403, said.encode())
    with pytest.raises(StoreError) as caught:
        store.get("a")
    text = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)
    assert "refused" in text
    assert "AWS_ACCESS_KEY_ID" in text
    assert SECRET not in text
    assert KEY not in text
    assert "abcdefghij" not in text
    assert SECRET not in repr(store) + repr(vars(store))
