"""The peer, rerun-lerobot 0.3.0, in an environment of its own: its rerun-sdk and ours cannot share one."""

import subprocess
import sys
import venv
from pathlib import Path

from measure import Cost, run

REQUIREMENTS = ["rerun-lerobot==0.3.0", "rerun-sdk[datafusion]>=0.34,<0.37"]
HOME = Path(__file__).parents[1] / ".ci" / "env-peer"
COLUMNS = ["--action", "/action:Scalars:scalars", "--state", "/observation/state:Scalars:scalars"]


def installed() -> Path:
    """The peer's command; its environment is made on first use."""
    command = HOME / "bin" / "rerun-lerobot"
    if not command.exists():
        print("installing the peer into its own environment (some minutes, once)", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=True)
        subprocess.run([HOME / "bin" / "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return command


def versions() -> str:
    """The peer's and its rerun-sdk's."""
    names = ("rerun-lerobot", "rerun-sdk")
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {names}), sep=', ')"
    asked = subprocess.run([HOME / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def convert(recordings: Path, out: Path, cameras: list[str]) -> Cost:
    """The peer's own conversion of a folder of recordings."""
    videos = [part for name in cameras for part in ("--video", f"{name}:/camera/{name}")]
    command = [installed(), "--rrd-dir", recordings, "--output", out, "--dataset-name", "bench", "--fps", "30"]
    options = ["--index", "real_time", *COLUMNS, "--task", "/task:TextDocument:text", *videos]
    cost = run([*command, *options], out.with_suffix(".log"), {"HF_LEROBOT_HOME": str(out.parent / "hf")})
    if not list(out.rglob("*.parquet")):
        sys.exit(f"the peer converted nothing:\n{cost.output[-3000:]}")
    return cost
