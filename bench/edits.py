"""What edits and merges cost beside LeRobot's own tool and beside what has to be done at least, in one run."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from measure import Cost, best, run
from report import Row
from topics import BENCH, Place, telecine

EPISODES, MANY, EACH = 20, 10_000, 500
DATASETS = 20
"""Merged, each of EPISODES episodes."""
THEIRS = "lerobot-edit-dataset"


def editing(place: Place) -> list[Row]:
    """Episodes deleted of few and of many, and datasets merged."""
    return [*_few(place), *_many(place), *_merged(place)]


def _few(place: Place) -> list[Row]:
    source = _made(place, EPISODES)
    theirs = _lerobot(place, source, "delete_episodes", "--operation.episode_indices", "[3, 11]")
    ours, bare = _turns(place, lambda: _edit(place, source, "3,11"), lambda: _limit(place, source))
    what = f"2 of {EPISODES} episodes deleted (300 rows, cameras 320x240 and 640x480), whole command"
    ratio = theirs.cpu_s / ours.cpu_s
    their_row = Row(
        "edit", what, str(ours), f"{theirs} ({THEIRS})", f"{ratio:.0f}x less CPU", "at least 20x", ratio >= 20
    )
    return [their_row, _least_row(what, ours, bare, None)]


def _many(place: Place) -> list[Row]:
    source = _made(place, EACH, MANY // EACH)
    ours, bare = _turns(place, lambda: _edit(place, source, str(MANY // 2)), lambda: _limit(place, source))
    what = f"1 of {MANY:,} episodes deleted"
    sizes = (f"{ours.peak_bytes / 1e6:.0f} MB", f"{bare.peak_bytes / 1e6:.0f} MB")
    memory = Row("edit", f"{what}, peak memory", *sizes, "", "under 500 MB", ours.peak_bytes < 500e6)
    return [_least_row(what, ours, bare, 1.5), memory]


def _merged(place: Place) -> list[Row]:
    one = _made(place, EPISODES)
    sources = [place.inputs / f"merged-{number:02d}" for number in range(DATASETS)]
    for source in sources:
        if not source.exists():
            run(["cp", "-r", one, source], place.fresh("copy-set"))
    few = sources[: DATASETS // 4]
    _turns(place, lambda: _merge(place, few), lambda: _copies(place, few))  # so that all have read the files once
    ours, bare = _turns(place, lambda: _merge(place, sources), lambda: _copies(place, sources))
    part, _ = _turns(place, lambda: _merge(place, few), lambda: _copies(place, few))
    names = str([f"bench/{source.name}" for source in sources])
    roots = str([str(source) for source in sources])
    theirs = _lerobot(place, one, "merge", "--operation.repo_ids", names, "--operation.roots", roots)
    what = f"{DATASETS} datasets of {EPISODES} episodes merged"
    wall = ours.wall_s / bare.wall_s
    copied = f"{bare} (`cp -r` of them, until it is on disk)"
    return [
        Row("edit", what, str(ours), f"{theirs} ({THEIRS})", f"{theirs.cpu_s / ours.cpu_s:.1f}x less CPU"),
        Row("edit", what, str(ours), copied, f"{wall:.2f}x of its time", "at most 1.2x", wall <= 1.2),
        Row(
            "edit",
            f"{what}, against {len(few)} of them",
            str(ours),
            str(part),
            f"{ours.cpu_s / part.cpu_s:.1f}x the CPU",
        ),
    ]


def _least_row(what: str, ours: Cost, bare: Cost, at_most: float | None) -> Row:
    ratio = ours.cpu_s / bare.cpu_s
    least = f"{bare} (rewriting the Parquet files with pyarrow, linking the others)"
    goal, met = ("", None) if at_most is None else (f"at most {at_most:g}x", ratio <= at_most)
    return Row("edit", what, str(ours), least, f"{ratio:.1f}x", goal, met)


def _made(place: Place, episodes: int, copies: int = 1) -> Path:
    """A dataset of edit_sets.py, kept with the recordings."""
    folder = place.inputs / f"edit-{episodes}-{copies}"
    if not folder.exists():
        place.inputs.mkdir(parents=True, exist_ok=True)
        run([sys.executable, BENCH / "edit_sets.py", folder, str(episodes), str(copies)], place.fresh("make-edit"))
    return folder


def _turns(place: Place, *ways: Callable[[], Cost]) -> list[Cost]:
    """The cheapest run of each way, in turns."""
    turns = [[way() for way in ways] for _ in range(place.repeat)]
    return [best(costs) for costs in zip(*turns, strict=True)]


def _edit(place: Place, source: Path, episodes: str) -> Cost:
    return _once(place, lambda out: [telecine(), "edit", source, out, "--delete", episodes])


def _limit(place: Place, source: Path) -> Cost:
    return _once(place, lambda out: [sys.executable, BENCH / "edit_limit.py", source, out])


def _merge(place: Place, sources: list[Path]) -> Cost:
    return _once(place, lambda out: [telecine(), "merge", *sources, out])


def _copies(place: Place, sources: list[Path]) -> Cost:
    """telecine waits until the new dataset is on disk, so this does."""
    copy = 'mkdir "$0" && cp -r "$@" "$0" && find "$0" -type f -exec sync {} +'
    return _once(place, lambda out: ["sh", "-c", copy, out, *sources])


def _once(place: Place, command: Callable[[Path], list[str | Path]]) -> Cost:
    """What it takes; what it made goes again."""
    out = place.fresh("edited")
    cost = run(command(out), out.with_suffix(out.suffix + ".log"))
    shutil.rmtree(out)
    return cost


def _lerobot(place: Place, source: Path, operation: str, *options: str) -> Cost:
    """LeRobot's tool, once: it takes minutes."""
    out = place.fresh("lerobot-edit")
    where = ["--repo_id", "bench/a", "--root", source] if operation != "merge" else []
    command = [Path(sys.executable).parent / THEIRS, *where, "--new_repo_id", "bench/b", "--new_root", out]
    environment = {"HF_HOME": str(place.scratch / "hf-edit")}
    cost = run([*command, "--operation.type", operation, *options], out.with_suffix(".log"), environment)
    if not list(out.rglob("*.parquet")):
        sys.exit(f"{THEIRS} made nothing:\n{cost.output[-3000:]}")
    return cost
