"""Damaged LeRobot datasets as recordings; read in another process, since pyarrow may wait for ever or end it."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from support.old_dataset import write_old
from telecine.core.errors import SourceError
from telecine.sources.shared.timing import Timing
from telecine.sources.shared.video_file import VideoFileStream
from telecine.video.demux import Mp4Facts

READ = """
import sys
from pathlib import Path
from support.mutants import read
from telecine.core.errors import TelecineError
try:
    read("lerobot", Path(sys.argv[1]))
    print("complete")
except TelecineError as error:
    print("named:", error)
"""


def outcome(path, most_s=120):
    """What became of reading all of a dataset; an error when that takes two minutes, usually it is two seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, path],
        capture_output=True, text=True, timeout=most_s, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_column_that_is_said_to_have_no_gaps_but_is_stored_with_them_ends_in_a_name(tmp_path):
    """One bit, of mutant 7840: pyarrow 26 waits for ever in a filtered read, and ends the process by statistics."""
    root = write_old(tmp_path / "old", (3, 2))
    assert outcome(root) == "complete\n"
    rows = root / "data/chunk-000/episode_000000.parquet"
    # SchemaElement in the compact protocol: repetition_type OPTIONAL (zigzag 1) or REQUIRED, then the name.
    name = b"\x18\x0depisode_index"
    data = rows.read_bytes()
    assert data.count(b"\x25\x02" + name) == 1
    rows.write_bytes(data.replace(b"\x25\x02" + name, b"\x25\x00" + name))
    assert outcome(root).startswith(f"named: {root}")


@pytest.fixture
def mostly_hidden(tmp_path):
    """Of the fuzz harness's lerobot 407: an edit list that hides 4 of 6 frames, of a recording of 2 rows."""
    path = tmp_path / "f.mp4"
    path.write_bytes(b"x")

    def stream(timing):
        made = VideoFileStream("/top", str(path), timing, rows=2)
        vars(made)["_facts"] = Mp4Facts(
            "h264", "h264", 64, 48, np.arange(6), np.arange(6) == 0, np.arange(6), np.arange(6), hidden=4
        )
        return made

    return stream


def test_more_hidden_frames_than_rows_lie_before_the_first_row(mostly_hidden):
    assert mostly_hidden(Timing(Fraction(10))).times("time").tolist() == [i * 10**8 for i in range(-4, 2)]
    assert mostly_hidden(Timing(Fraction(10))).times("step").tolist() == list(range(-4, 2))


def test_more_hidden_frames_than_stamps_are_refused(mostly_hidden):
    stamped = mostly_hidden(Timing(stamps=np.array([5, 9])))
    with pytest.raises(SourceError, match="hides 4 frames before its first, more than the recording has timestamps"):
        stamped.times("timestamp")
