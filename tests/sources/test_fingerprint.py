import hashlib
import os

import pytest

from telecine.core.errors import SourceError
from telecine.sources.shared.fingerprint import digest, stamp


def test_a_file_has_the_digest_that_sha256sum_prints(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(stamp(str(tmp_path / "a"))) == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_is_known_by_names_and_contents_wherever_it_is(tmp_path):
    for top in ("one", "two"):
        (tmp_path / top / "deep").mkdir(parents=True)
        (tmp_path / top / "a").write_bytes(b"a")
        (tmp_path / top / "deep/b").write_bytes(b"b")
    assert digest(stamp(str(tmp_path / "one"))) == digest(stamp(str(tmp_path / "two")))
    (tmp_path / "two/deep/b").rename(tmp_path / "two/deep/c")
    assert digest(stamp(str(tmp_path / "one"))) != digest(stamp(str(tmp_path / "two")))


def test_a_change_shows_although_size_and_time_are_put_back(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    first = stamp(str(path))
    path.write_bytes(b"abd")
    os.utime(path, ns=(first[0][3], first[0][3]))
    assert stamp(str(path)) != first
    assert digest(stamp(str(path))) == hashlib.sha256(b"abd").hexdigest()


def test_a_server_has_no_files():
    assert stamp("rerun+http://localhost:51234/dataset/x") is None


def test_what_is_gone_or_no_file_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        stamp(str(tmp_path / "gone"))
    (tmp_path / "a").write_bytes(b"abc")
    there = stamp(str(tmp_path / "a"))
    (tmp_path / "a").unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        digest((("%s" % (tmp_path / "b"), *there[0][1:]),))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="not a regular file"):
        stamp(str(tmp_path / "pipe"))
