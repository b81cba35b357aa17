"""One piece of work that the page asked for, in a process of its own: `python -m telecine.viewer.job`.

A line of JSON on standard input says what; each line of standard output is an event: `progress` (done and total bytes),
then `done` with the report, or `failed`. When standard input ends, the work is given up, what it staged is removed, and
the process ends: so it ends with the server, too, however that ended.
"""

import json
import os
import signal
import subprocess  # nosec B404  # starts Rerun's viewer, no shell
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from telecine.core.errors import PlanError, TelecineError
from telecine.core.plan.model import make_plan
from telecine.core.text.visible import visible
from telecine.dataset.staging import workspace

EVERY_S = 0.25
STARTS_WITHIN_S = 4.0
"""A viewer that says nothing so long has started."""
_out = threading.Lock()


def tell(event: str, **values: Any) -> None:
    """Write one event."""
    with _out:
        sys.stdout.write(json.dumps({"event": event, **values}, default=str) + "\n")
        sys.stdout.flush()


class Telling:
    """A `Progress` that writes events."""

    def __init__(self) -> None:
        self._total, self._done = 0, 0

    def begin(self, total_bytes: int, phase: str, items: int = 0) -> None:
        """Start at zero; bytes alone say how far it is."""
        del items
        self._total, self._done = total_bytes, 0
        tell("progress", done=0, total=total_bytes, label=phase)

    def advance(self, done_bytes: int, label: str) -> None:
        """Move on."""
        self._done += done_bytes
        tell("progress", done=self._done, total=self._total, label=visible(label.rpartition("/")[2][:60]))

    def finish(self, items: int = 1) -> None:
        """Bytes say enough."""


def findings(path: str) -> list[dict[str, Any]]:
    """What the quality checks notice in the dataset at `path`."""
    from telecine.inspection.quality import check_dataset

    return [asdict(finding) for finding in check_dataset(path, progress=Telling())]


def edit(path: str, out: str, file: str, dry_run: bool) -> dict[str, Any]:
    """What `telecine edit PATH OUT --edit FILE` does."""
    from telecine.editing.edit import edit as edit_dataset

    expected = edit_dataset(path, out, edits=[file], dry_run=True)
    rows = sum(file.stat().st_size for file in Path(path, "data").rglob("*.parquet"))
    body = {**expected.to_dict(), "rows_bytes": rows}
    if dry_run:
        return body
    with _measured(workspace(Path(out).resolve()) / "stage", expected.new_bytes + rows):
        return edit_dataset(path, out, edits=[file]).to_dict()


class _measured:  # noqa: N801 - used like a function
    """Inside, events tell how much of `total` bytes is in `folder`."""

    def __init__(self, folder: Path, total: int) -> None:
        self._folder, self._total = folder, max(total, 1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            done = sum(_new_bytes(file) for file in self._folder.rglob("*"))
            tell("progress", done=min(done, self._total), total=self._total)


def _new_bytes(file: Path) -> int:
    """Of a file that is no link to one that was there."""
    try:
        state = file.stat()
    except OSError:
        return 0  # it moved on just now
    return state.st_size if file.is_file() and state.st_nlink == 1 else 0


def convert(paths: list[str], out: str, plan: Mapping[str, Any], dry_run: bool) -> dict[str, Any]:
    """What `telecine convert PATHS OUT --plan PLAN` does."""
    from telecine.conversion import dry_run as forecasts
    from telecine.conversion.pipeline import Options
    from telecine.conversion.pipeline import convert as convert_recordings

    whole = make_plan(plan)
    if dry_run:
        return forecasts.dry_run(paths, whole, Options(workers=0)).to_dict()
    return convert_recordings(paths, out, whole, Options(), progress=Telling()).to_dict()


def lag(path: str) -> list[dict[str, Any]]:
    """What `telecine inspect PATH --lag` measures: a row for each camera and for the action, each also in words."""
    from telecine.inspection.lag_of_path import lag_rows

    return [{**row.to_dict(), "text": row.text} for row in lag_rows(path)]


def rerun(path: str, episode: int, folder: str, program: list[str]) -> dict[str, Any]:
    """Rerun's viewer, begun with the one episode: a dataset of it alone, whose video is copied."""
    from telecine.editing.edit import edit as edit_dataset

    out = Path(folder) / f"episode-{episode}"
    edit_dataset(path, out, keep=str(episode), overwrite=True)
    said, quiet = Path(folder) / "viewer.log", subprocess.DEVNULL
    with said.open("wb") as log:
        viewer = subprocess.Popen(  # noqa: S603 # nosec B603  # a program of this environment and no shell
            [*program, str(out)], stdin=quiet, stdout=quiet, stderr=log, start_new_session=True
        )
    if why := _why_ended(viewer, said):
        viewer.kill()
        raise TelecineError(why)
    return {"ok": True}


def _why_ended(viewer: "subprocess.Popen[bytes]", said: Path) -> str:
    """What a viewer says that cannot start, without a display for one; "" of one that goes on, or ended well."""
    until = time.monotonic() + STARTS_WITHIN_S
    while viewer.poll() is None and time.monotonic() < until:
        if error := _error_in(said):  # after which it need not end
            return error
        time.sleep(0.1)
    return (_error_in(said) or f"it ended with code {viewer.returncode}") if viewer.returncode else ""


def _error_in(said: Path) -> str:
    lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line[:500] for line in lines if line.startswith("Error: ")), "")


WORK: Mapping[str, Callable[..., Any]] = {
    "findings": findings,
    "edit": edit,
    "convert": convert,
    "lag": lag,
    "rerun": rerun,
}


def _give_up_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
    os._exit(130)  # it does not end by itself


def main() -> int:
    """Do what the first line of standard input says."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start deaf to it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asked = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_give_up_at_end_of_input, daemon=True).start()
        done = WORK[asked.pop("work")](**asked)
    except KeyboardInterrupt:
        tell("cancelled")
        return 130
    except TelecineError as error:
        notes = [visible(note) for note in getattr(error, "__notes__", ())]
        tell("failed", error=visible(str(error), keep="\n"), notes=notes, wrong=isinstance(error, PlanError))
        return 1
    tell("done", report=done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
