"""The benchmarks that compare with LeRobot run, on a second of frames."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support import torchcodec_libs

BENCH = Path(__file__).parents[2] / "bench"


def run(*command: str | Path, **environment: str) -> str:
    words, around = [sys.executable, *map(str, command)], {**os.environ, **environment}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=around)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_both_writers_take_the_same_frames_and_lerobot_reads_them(rerun: object, tmp_path: Path) -> None:
    run(BENCH / "recordings.py", "raw", tmp_path / "raw", "1")
    arrays = [tmp_path / "raw" / f"{name}.npy" for name in ("front", "wrist")]
    run(BENCH / "telecine_writer.py", tmp_path / "telecine", *arrays)
    run(BENCH / "lerobot_writer.py", tmp_path / "lerobot", "h264", *arrays)
    libraries = torchcodec_libs.link_folder(tmp_path)
    environment = {} if libraries is None else torchcodec_libs.environment_with(libraries)
    for who in ("telecine", "lerobot"):
        found = json.loads(run(BENCH / "reads.py", tmp_path / who, *arrays, **environment).splitlines()[-1])
        assert found["psnr_db"] > 30
