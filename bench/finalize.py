"""What joining parts costs for very many episodes: `finalize` of synthetic parts, and opening what it made.

    python bench/finalize.py --episodes 200000 --parts 20 [--cameras 1] [--work FOLDER]

One part is made of real, converted episodes of 10 rows (14 joints, action, cameras), repeated; all parts are links to
it, with manifests of their own. `finalize` then does all that it does: every row and every line of meta/episodes is
read, numbered anew and written, videos are linked. It runs in one process, so that its CPU seconds and its peak are all
there is.
Beside it: pyarrow alone reads and writes the same files of rows.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from measure import Cost, run
from pictures import FPS
from recordings import Recorded, h264, scene

ROWS = 10
REAL = 25
"""Episodes that are converted; all others repeat them."""
MOST = 1000 * REAL
"""Of a part: it is joined of repeated ones, of which there are 1000 at most."""
STREAMS = {"observation.state": "/observation/state", "action": "/action"}
SMALL = {"size": [64, 48]}


def main() -> int:
    """Measure, and print what it costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--child", choices=("prepare", "finalize", "pyarrow", "open"))
    given = parser.parse_args()
    if given.child == "prepare":
        prepare(given.work, given.episodes, given.parts, given.cameras)
        return 0
    if given.child:
        print(json.dumps(CHILDREN[given.child](given.work)))
        return 0
    with tempfile.TemporaryDirectory(prefix="telecine-finalize-") as scratch:
        measure(given.work or Path(scratch), given.episodes, given.parts, given.cameras)
    return 0


def measure(folder: Path, episodes: int, parts: int, cameras: int) -> None:
    """Make the parts, join them, and print."""
    if episodes // parts > MOST:
        sys.exit(f"a part has at most {MOST} episodes here: --parts {-(-episodes // MOST)}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "out"
    asked = ["--episodes", str(episodes // parts), "--parts", str(parts), "--cameras", str(cameras), "--work", folder]
    run([sys.executable, Path(__file__), "--child", "prepare", *asked], folder / "prepare.log")  # its memory is no part
    joined, cost = child("finalize", target, folder)
    rows, alone = child("pyarrow", target, folder)
    opened, opening = child("open", target, folder)
    count = joined["episodes"]
    size = sum(path.stat().st_size for path in (target / "meta").rglob("*") if path.is_file())
    print(f"{count} episodes of {ROWS} rows in {parts} parts, {cameras} cameras, load {os.getloadavg()[0]:.0f}")
    print(f"finalize, one process: {cost}")
    ratio = joined["rows_s"] / rows["rows_s"]
    print(f"  rows: {joined['rows_s']:.1f} CPU-s, pyarrow alone {rows['rows_s']:.1f} ({alone.peak_bytes / 1e6:.0f} MB)")
    print(f"  rows: {ratio:.2f} times pyarrow")
    metadata = (cost.cpu_s - joined["rows_s"] - joined["start_s"]) * 1000 / count
    print(f"  everything else: {metadata:.2f} CPU-ms an episode; meta/ has {size / 1e6:.0f} MB")
    print(f"open_dataset, its length and its last episode: {opening}, {opened['rows']} rows")


def child(what: str, target: Path, folder: Path) -> tuple[dict[str, float], Cost]:
    """A process of its own, and what it printed."""
    cost = run([sys.executable, Path(__file__), "--child", what, "--work", target], folder / f"{what}.log")
    return json.loads(cost.output.splitlines()[-1]), cost


def finalized(target: Path) -> dict[str, float]:
    """Join, with the CPU seconds that rewriting rows took of it, and those before it began."""
    from telecine.conversion.shards import finalize, join
    from telecine.run.executor import serial

    began, spent, inner = time.process_time(), [0.0], join._write_rows

    def timed(*given: object) -> object:
        before = time.process_time()
        try:
            return inner(*given)
        finally:
            spent[0] += time.process_time() - before

    join._write_rows = timed
    made = finalize.finalize(target, executor=serial)
    assert made.published, made
    return {"episodes": made.episodes, "rows_s": spent[0], "start_s": began}


def by_pyarrow(target: Path) -> dict[str, float]:
    """Read and write the rows of all parts with pyarrow alone."""
    spent = 0.0
    for number, source in enumerate(sorted((job_of(target)).glob("shard-*/data/*/*.parquet"))):
        before = time.process_time()
        table = pq.read_table(source, use_threads=False)
        pq.write_table(table, target.parent / f"alone-{number % 2}.parquet")
        spent += time.process_time() - before
    return {"rows_s": spent}


def opened(target: Path) -> dict[str, float]:
    """Open the dataset and read its last episode."""
    import telecine as tc

    dataset = tc.open_dataset(target)
    return {"episodes": len(dataset), "rows": len(dataset[-1].rows["action"])}


CHILDREN = {"finalize": finalized, "pyarrow": by_pyarrow, "open": opened}


def job_of(target: Path) -> Path:
    """Where the parts are."""
    return target.parent / f".{target.name}.telecine" / "job-new"


def prepare(folder: Path, episodes: int, parts: int, cameras: int) -> None:
    """A conversion into `folder / "out"` in parts of so many episodes, of which all are done."""
    import telecine as tc

    recordings = folder / "in"
    names = [f"camera{number}" for number in range(cameras)]
    packets = {name: list(h264(scene(number, FPS))) for number, name in enumerate(names)}
    for episode in range(REAL):
        record(recordings, episode, packets)
    plan = plan_of(names)
    first = folder / "first"
    tc.convert(recordings, first, plan, shard="1/1", workers=0)
    several = episodes // REAL
    repeat(first, folder / "several", several)
    tc.finalize(folder / "several", workers=0)
    in_one_file(folder / "several")
    copy_job(job_of(first), folder / "several", job_of(folder / "out"), parts)
    shutil.rmtree(job_of(folder / "several"))


def record(folder: Path, episode: int, packets: dict[str, list[bytes]]) -> None:
    """An episode of a second. packets: by camera."""
    import rerun as rr
    from recordings import _in_parts

    with Recorded(folder, episode, 1) as recording:
        for name, own in packets.items():
            recording.log(f"/camera/{name}", rr.VideoStream(codec=rr.VideoCodec.H264), static=True)
            _in_parts(recording, f"/camera/{name}", FPS, own, lambda part: rr.VideoStream.columns(sample=part))


def plan_of(cameras: list[str]) -> Any:
    """Ten rows a second."""
    import telecine as tc

    features: dict[str, object] = {key: {"from": key_of} for key, key_of in STREAMS.items()}
    features |= {f"observation.images.{name}": {"from": f"/camera/{name}", "video": SMALL} for name in cameras}
    body = {"fps": ROWS, "clock": {"timeline": "real_time"}, "task": {"from": "/task"}, "features": features}
    return tc.make_plan(body)


def repeat(first: Path, target: Path, times: int) -> None:
    """The job of one part, with so many parts that are links to that one."""
    copy_job(job_of(first), job_of(first) / "shard-001", job_of(target), times)


def copy_job(job: Path, part: Path, there: Path, parts: int) -> None:
    """A job like `job` in the folder `there`, of so many parts, each of them the dataset `part`."""
    from telecine.conversion.shards import job as jobs
    from telecine.conversion.shards import manifest as manifests
    from telecine.core.shards import Shard
    from telecine.storage.local import LocalStore

    own = jobs.read_job(LocalStore(job), "bench/finalize.py")
    assert own is not None
    refs = jobs.read_refs(LocalStore(job), own, own.paths)
    asked = replace(own.request, shards=parts)
    own = jobs.named(replace(own, request=asked), refs)
    jobs.write_job(LocalStore(there), own, refs)
    model = manifests.read_manifest(LocalStore(job), "shard-001")
    assert model is not None
    info = json.loads((part / "meta" / "info.json").read_text())
    files = tuple(
        manifests.PartFile(path.relative_to(part).as_posix(), path.stat().st_size, "")
        for path in sorted(part.rglob("*"))
        if path.is_file() and (not path.is_relative_to(part / "videos") or "chunk-000" in path.parts)
    )
    for number in range(1, parts + 1):
        shard = Shard(number, parts)
        shutil.copytree(part, there / shard.name, copy_function=os.link)
        counts = {"episodes": info["total_episodes"], "rows": info["total_frames"]}
        told = replace(model, job=own.id, shard=str(shard), files=files, **counts)
        manifests.write_manifest(LocalStore(there), told, shard.name)


def in_one_file(root: Path) -> None:
    """All rows in one file of a row group an episode, as a writer leaves a part; meta/episodes says so."""
    data = sorted((root / "data").glob("*/*.parquet"))
    rows = pa.concat_tables([pq.read_table(path) for path in data]).combine_chunks()
    shutil.rmtree(root / "data")
    (root / "data/chunk-000").mkdir(parents=True)
    pq.write_table(rows, root / "data/chunk-000/file-000.parquet", row_group_size=ROWS, compression="snappy")
    for path in sorted((root / "meta/episodes").glob("*/*.parquet")):
        table = pq.read_table(path)
        for name in [n for n in table.column_names if n.endswith("/chunk_index")]:
            position = table.schema.get_field_index(name)
            zeros = pa.array([0] * table.num_rows, table.schema.field(name).type)
            table = table.set_column(position, table.schema.field(name), zeros)
        pq.write_table(table, path, row_group_size=100, compression="snappy")


if __name__ == "__main__":
    sys.exit(main())
