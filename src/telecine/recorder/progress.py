"""What a recorder does, in the terminal, four times a second."""

import shutil
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from telecine.core.grid import SECOND
from telecine.core.text.numbers import counted
from telecine.recorder.live_streams import LiveCamera

if TYPE_CHECKING:
    from telecine.recorder.recorder import Recorder

_PER_SECOND = 4


class RecordingDisplay:
    """A table that is drawn by a thread of its own on stderr until `close`."""

    def __init__(self, recorder: "Recorder", console: Console | None = None) -> None:
        self._live = Live(
            get_renderable=lambda: table(recorder),
            console=console or Console(stderr=True),
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def close(self) -> None:
        """Draw no more."""
        self._live.stop()


def table(recorder: "Recorder") -> Table:
    """Episode and rows; samples, rate, age and queue of each stream; the disk's free space."""
    live = recorder.running_episode
    free = shutil.disk_usage(recorder.root.absolute().parent).free / 1e9
    first, newest = (live.first_ns, live.newest_ns) if live is not None else (None, None)
    seconds = 0.0 if first is None or newest is None else (newest - first) / SECOND
    state = (
        "no episode"
        if live is None
        else f"{escape(live.task)}, {seconds:.1f} s, {counted(round(seconds * recorder.fps), 'row')}"
    )
    out = Table(
        title=f"{escape(recorder.root.name)}: episode {recorder.num_episodes}, {state}",
        caption=(
            f"{counted(recorder.num_episodes, 'episode')}, {len(recorder.rejected)} rejected; disk: {free:.1f} GB free"
        ),
    )
    for name in ("stream", "samples", "rate", "age", "waiting", "on disk", "dropped"):
        out.add_column(name, justify="left" if name == "stream" else "right")
    now = time.monotonic()
    for stream in live.streams if live is not None else ():
        span = ((stream.stamps.newest_ns or 0) - (stream.first_ns or 0)) / SECOND
        rate = f"{(stream.stamps.count - 1) / span:.1f} Hz" if span > 0 else ""
        queue = stream.queue if isinstance(stream, LiveCamera) else None
        waits = ("", "", "") if queue is None else (str(queue.waiting), str(queue.on_disk), str(queue.dropped))
        age = f"{(now - stream.arrived_s) * 1e3:.0f} ms"
        out.add_row(escape(stream.name), str(stream.stamps.count), rate, age, *waits)
    return out
