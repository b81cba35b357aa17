"""What tells a file from what it was before."""

import os

from telecine.core.file_state import state_from


def test_a_change_is_seen_whatever_the_file_says_of_its_time(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1234")
    before = state_from("a", path.stat())
    assert before == state_from("a", path.stat())
    assert before[0] == "a"
    stamps = path.stat()
    path.write_bytes(b"12345")
    os.utime(path, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    after = state_from("a", path.stat())
    assert (after[3], after[2]) == (before[3], 5)
    assert after != before
