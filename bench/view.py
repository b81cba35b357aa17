"""How soon the page of `telecine view` shows a dataset of 50,000 episodes, and how long a seek takes.

    python bench/view.py             # needs playwright and Debian's chromium

Prints JSON: `list_s` from the address to the list of all episodes, `list_cpu_s` what the server computes for it;
`seek_ms` at the median and 95th percentile, from the key to the frame that is coded for the row; `next_ms` to the next
episode; `memory_mb` of the server at its peak.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.dataset import TOP, WRIST, clip, episode, write

EPISODES, SEEKS = 50_000, 60


def large(root: Path) -> Path:
    """A dataset of four episodes whose metadata name 50,000, all of them the rows and frames of these four."""
    cameras = ((TOP, 0), (WRIST, 1))
    shown = [
        [clip(root.parent, key, 300, episode=n, camera=c, size=(320, 240)) for key, c in cameras] for n in range(4)
    ]
    write(root, [episode(300, n, clips=clips) for n, clips in enumerate(shown)])
    path = next((root / "meta" / "episodes").rglob("*.parquet"))
    table = pq.read_table(path)
    take = np.arange(EPISODES) % table.num_rows
    many = table.take(pa.array(take))
    numbers = pa.array(np.arange(EPISODES))
    many = many.set_column(many.column_names.index("episode_index"), "episode_index", numbers)
    with path.open("wb") as sink:
        pq.write_table(many, sink)
    info = json.loads((root / "meta/info.json").read_text())
    info |= {"total_episodes": EPISODES, "total_frames": EPISODES * 300}
    (root / "meta/info.json").write_text(json.dumps(info))
    return root


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def cpu_s(pid: int) -> float:
    """Of a process so far; hardly depends on what else the machine does, unlike time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(root: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "telecine", "view", str(root), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
            began, spent = time.perf_counter(), cpu_s(server.pid)
            page.goto(address)
            page.wait_for_selector("#list [data-episode]")
            listed, spent = time.perf_counter() - began, cpu_s(server.pid) - spent
            page.wait_for_selector("body[data-ready]", state="attached")
            page.wait_for_function(SHOWN, arg=0)
            nodes = page.evaluate("document.querySelectorAll('*').length")
            seeks = [page.evaluate(SEEK, int(row)) for row in np.random.default_rng(0).integers(0, 300, SEEKS)]
            turned = [page.evaluate(TURN) for _ in range(10)]
            browser.close()
        found = {
            "list_s": listed,
            "list_cpu_s": spent,
            "nodes": nodes,
            "seek_ms": np.median(seeks),
            "seek_p95_ms": np.percentile(seeks, 95),
        }
        return {**{k: round(float(v), 3) for k, v in found.items()}, "next_ms": round(float(np.median(turned)), 1),
                "memory_mb": round(peak_mb(server.pid))}  # fmt: skip
    finally:
        server.terminate()
        server.wait()


SHOWN = "row => [...document.querySelectorAll('figure[data-camera]')].every(f => f.dataset.shown === String(row))"
SEEK = f"""async row => {{
  const shown = {SHOWN}, began = performance.now();
  page.seek(row);
  while (!shown(row)) await new Promise(resolve => requestAnimationFrame(resolve));
  return performance.now() - began;
}}"""
TURN = f"""async () => {{
  const shown = {SHOWN}, began = performance.now();
  page.turn(1);
  do await new Promise(resolve => requestAnimationFrame(resolve)); while (!shown(0));
  const took = performance.now() - began;
  await new Promise(resolve => setTimeout(resolve, 400));
  return took;
}}"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(large(Path(folder) / "large"))))
