"""How soon the page of `telecine view` shows a dataset of 50,000 episodes, and how long a seek takes.

    python bench/view.py             # needs playwright and Debian's chromium

Prints JSON: `list_s` from the address to the list of all episodes, `list_cpu_s` what the server computes for it, the
least of three starts;
`seek_ms` at the median and 95th percentile, from the key to the frame that is coded for the row; `next_ms` to the next
episode; `memory_mb` of the server at its peak. The limit, in the same browser: `bare_list_s` of a page that asks for
the same list as a file and shows its first episode; `bare_seek_ms` of two bare videos sought alike.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from report import Row
from topics import Place

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.dataset import TOP, WRIST, clip, episode, write

EPISODES, SEEKS = 50_000, 60
MOST_S = 240
STARTS = 3
"""Of which the least counts: what another program did to the machine is no property of the page."""


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


@contextmanager
def started(command: list[str], **how: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that is ended afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **how)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def measured(root: Path) -> dict[str, float]:
    """What the page of the dataset takes, and the limit."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
        page.goto("about:blank")
        found = of_page(root, page)
        found |= of_bare(root, page)
        browser.close()
    return {name: round(float(value), 3) for name, value in found.items()}


@contextmanager
def listed(root: Path, page: Any) -> Iterator[tuple[int, float, float]]:
    """A server whose list is on the screen: (process, seconds from its address to the list, CPU seconds of it)."""
    with started([sys.executable, "-m", "telecine", "view", str(root), "--no-open"]) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        began, spent = time.perf_counter(), cpu_s(server.pid)
        page.goto(address, wait_until="commit")
        page.wait_for_selector("#list [data-episode]")
        yield server.pid, time.perf_counter() - began, cpu_s(server.pid) - spent


def of_page(root: Path, page: Any) -> dict[str, float]:
    """Of `telecine view`, from the moment that its address is there."""
    firsts = []
    for _ in range(STARTS - 1):
        with listed(root, page) as (_pid, *first):
            firsts.append(first)
    with listed(root, page) as (pid, *first):
        firsts.append(first)
        page.wait_for_selector("body[data-ready]", state="attached")
        page.wait_for_function(SHOWN, arg=0)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        (root.parent / "list.json").write_text(page.evaluate(ASKED))
        seeks = [page.evaluate(SEEK, int(row)) for row in np.random.default_rng(0).integers(0, 300, SEEKS)]
        turned = [page.evaluate(TURN) for _ in range(10)]
        memory = peak_mb(pid)
    least, cpu = (min(values) for values in zip(*firsts, strict=True))
    return {"list_s": least, "list_cpu_s": cpu, "nodes": nodes, "seek_ms": np.median(seeks),
            "seek_p95_ms": np.percentile(seeks, 95), "next_ms": np.median(turned), "memory_mb": memory}  # fmt: skip


def of_bare(root: Path, page: Any) -> dict[str, float]:
    """The limit: the same list as a file, and the same videos sought, by a page that does nothing else."""
    videos = [str(path.relative_to(root.parent)) for path in sorted(root.rglob("*.mp4"))][:2]
    (root.parent / "bare.html").write_text(BARE)
    with started([sys.executable, str(Path(__file__).with_name("ranges.py")), str(root.parent)]) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        firsts = []
        for _ in range(STARTS):
            began = time.perf_counter()
            page.goto(f"{address}/bare.html", wait_until="commit")
            page.wait_for_selector("#list div")
            firsts.append(time.perf_counter() - began)
        page.evaluate(BARE_VIDEOS, videos)
        rows = np.random.default_rng(0).integers(0, 300, SEEKS)
        seeks = [page.evaluate(BARE_SEEK, int(row)) for row in rows]
    return {"bare_list_s": min(firsts), "bare_seek_ms": np.median(seeks)}


def viewing(place: Place) -> list[Row]:
    """First list, seek and memory of the page; ends after `MOST_S` whatever happens."""
    if find_spec("playwright") is None or shutil.which("chromium") is None:
        print("view is not measured: it needs playwright and chromium", file=sys.stderr)
        return []
    folder = place.inputs / "view"
    try:
        command = [sys.executable, __file__, str(folder)]
        got = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=MOST_S).stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        print(f"view is not measured: {error}", file=sys.stderr)
        return []
    first = f"{got['list_s']:.2f} s ({got['list_cpu_s']:.2f} CPU-s of the server)"
    rows = [
        ("first list of 50,000 episodes", first, f"{got['bare_list_s']:.2f} s (the list as a file, a bare page)",
         f"{got['list_s'] / got['bare_list_s']:.1f}x", "at most 1 s", got["list_s"] <= 1),
        ("seek in two H.264 cameras, median", f"{got['seek_ms']:.0f} ms, {got['seek_p95_ms']:.0f} ms at 95 %",
         f"{got['bare_seek_ms']:.0f} ms (two bare videos)", f"{got['seek_ms'] / got['bare_seek_ms']:.1f}x",
         "at most 60 ms", got["seek_ms"] <= 60),
        ("next episode, prefetched", f"{got['next_ms']:.0f} ms", "", "", "", None),
        ("server with 50,000 episodes, peak memory", f"{got['memory_mb']:.0f} MB", "", "", "at most 300 MB",
         got["memory_mb"] <= 300),
    ]  # fmt: skip
    return [Row("view", *row) for row in rows]


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

ASKED = "async () => (await fetch(`/api/dataset/0/episodes`)).text()"
BARE = """<!doctype html><div id="list"></div><script type="module">
const data = await (await fetch("/list.json")).json(), row = document.createElement("div");
row.textContent = data.tasks[data.task[0]] + " " + data.lengths[0];
document.querySelector("#list").append(row);
</script>"""
BARE_VIDEOS = """async paths => {
  globalThis.videos = paths.map(path => {
    const video = document.createElement("video");
    video.muted = true;
    video.src = path;
    document.body.append(video);
    return video;
  });
  await Promise.all(videos.map(video => new Promise(resolve => video.addEventListener("loadeddata", resolve))));
}"""
BARE_SEEK = """async row => {
  const began = performance.now();
  await Promise.all(videos.map(video => new Promise(resolve => {
    video.requestVideoFrameCallback(resolve);
    setTimeout(resolve, 1000); // of the row that is shown already, none comes
    video.currentTime = (row + 0.5) / 30;
  })));
  return performance.now() - began;
}"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "large" / "meta" / "info.json").exists():
            large(folder / "large")
        print(json.dumps(measured(folder / "large")))
