"""rerun-lerobot's guided start: the columns of a dataset that can become action, state, task and cameras."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telecine.conversion.discovery import nothing_readable
from telecine.core.errors import PlanError
from telecine.core.proposal.propose import Proposal
from telecine.core.recording_summary import StreamSummary, across
from telecine.core.text.numbers import counted
from telecine.inspection.recordings import inspect_many
from telecine.sources.rrd.catalog import dataset_url

_ARROW = {"timestamp": "timestamp[ns]", "duration": "duration[ns]", "sequence": "int64"}
MOST_LISTED = 30


@dataclass(frozen=True)
class ColumnCandidate:
    """A column that can become a feature: `entity:Archetype:field`, the archetype, and how many numbers a row has."""

    name: str
    component: str
    dim: int | None


@dataclass(frozen=True)
class TimelineCandidate:
    """A timeline, its Arrow type, and whether it is time rather than a count of steps."""

    name: str
    arrow_type: str
    is_temporal: bool


@dataclass
class DatasetInspection:
    """What a dataset offers for each part of a conversion."""

    dataset_name: str | None = None
    num_segments: int | None = None
    timelines: list[TimelineCandidate] = field(default_factory=list)
    action_state_candidates: list[ColumnCandidate] = field(default_factory=list)
    task_candidates: list[ColumnCandidate] = field(default_factory=list)
    video_paths: list[str] = field(default_factory=list)
    proposal: Proposal | None = None
    """What telecine would convert."""

    def guess_index(self) -> str | None:
        """The timeline that telecine proposes."""
        names = [timeline.name for timeline in self.timelines]
        proposed = "" if self.proposal is None else self.proposal.timeline
        return proposed if proposed in names else next(iter(names), None)

    def guess_action_and_state(self) -> tuple[str | None, str | None]:
        """The first column that telecine proposes for each; None where it proposes none."""
        return self._first("action"), self._first("observation.state")

    def _first(self, key: str) -> str | None:
        return next(iter(self.columns(key)), None)

    def columns(self, key: str) -> list[str]:
        """The columns that telecine proposes for a feature, in order."""
        plan = None if self.proposal is None else self.proposal.body["features"].get(key)
        source = plan["from"] if isinstance(plan, dict) else plan
        return [source] if isinstance(source, str) else list(source or ())

    def format_report(self, *, suggested_command: str | None = None) -> str:
        """The inspection as text, with the command at its end."""
        count = "" if self.num_segments is None else f", {self.num_segments} segment(s)"
        lines = [f"Dataset {self.dataset_name or ''}{count}".rstrip(), "", *self._columns_listed()]
        lines += ["", "Timelines (--index):"]
        lines += _listed([(t.name, t.arrow_type + ("" if t.is_temporal else ", counts steps")) for t in self.timelines])
        lines += ["", "Task texts (--task):", *_listed([(c.name, c.component) for c in self.task_candidates])]
        lines += ["", "Cameras (--video KEY:PATH):", *_listed([(f"{_key(p)}:{p}", "") for p in self.video_paths])]
        if suggested_command is not None:
            lines += ["", "Command to start from:", suggested_command]
        return "\n".join(lines)

    def _columns_listed(self) -> Iterator[str]:
        yield "Numbers (--action, --state):"
        shown = self.action_state_candidates[:MOST_LISTED]
        numbers = ["? numbers" if c.dim is None else counted(c.dim, "number") for c in shown]
        yield from _listed([(c.name, f"{n}, {c.component}") for c, n in zip(shown, numbers, strict=True)])
        more = len(self.action_state_candidates) - len(shown)
        if more > 0:
            yield f"  and {more} more, in `action_state_candidates`"


def _listed(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {what}".rstrip() for name, what in rows] or ["  none"]


def _key(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or "camera"


def inspect_source(path: str | Path, *, dataset_name: str | None, token: str | None = None) -> DatasetInspection:
    """What recordings in a folder, or a dataset on a server, offer. Raises: SourceError when there are none."""
    seen = inspect_many([path], token=token)
    if not seen.recordings:
        raise nothing_readable([path], seen.findings)
    streams = [stream for stream, _ in across(seen.recordings)]
    stated = {item.stream for recording in seen.recordings for item in recording.left_out}
    vectors = [s for s in streams if s.kind == "vector" and not s.static and s.name not in stated]
    clocks = {c.name: c.kind for s in streams for c in s.clocks}
    timelines = [TimelineCandidate(name, _ARROW[kind], kind != "sequence") for name, kind in sorted(clocks.items())]
    return DatasetInspection(
        dataset_name,
        len(seen.recordings),
        sorted(timelines, key=lambda timeline: not timeline.is_temporal),
        [ColumnCandidate(s.name, _component(s), s.shape[0] if len(s.shape) == 1 else None) for s in vectors],
        [ColumnCandidate(s.name, _component(s), None) for s in streams if s.kind == "text"],
        sorted(s.entity for s in streams if s.is_camera),
        seen.proposal,
    )


def _component(stream: StreamSummary) -> str:
    return stream.name.partition(":")[2].rpartition(":")[0]


def inspect_rrd_dataset(rrd_dir: str | Path, *, dataset_name: str = "rrd_dataset") -> DatasetInspection:
    """What the recordings in a folder offer.

    Raises:
        PlanError: (a ValueError) it is no folder. SourceError: it holds no recording.
    """
    if not Path(rrd_dir).is_dir():
        raise PlanError(f"{rrd_dir} is not a folder")
    return inspect_source(rrd_dir, dataset_name=dataset_name)


def inspect_catalog_dataset(*, catalog_url: str, dataset_name: str, token: str | None = None) -> DatasetInspection:
    """What a dataset on a catalog server offers, by its name. Raises: SourceError."""
    return inspect_source(dataset_url(catalog_url, dataset_name), dataset_name=dataset_name, token=token)


def inspect_dataset_url(dataset_url: str, *, token: str | None = None) -> DatasetInspection:
    """What the dataset at an address offers. Raises: SourceError."""
    return inspect_source(dataset_url, dataset_name=None, token=token)


def suggest_command(inspection: DatasetInspection, *, source_args: Sequence[str], output: str) -> str:
    """The command with what telecine proposes, one flag a line."""
    fps = 30 if inspection.proposal is None else inspection.proposal.body["fps"]
    flags = [["--output", output], ["--fps", str(fps)], ["--index", inspection.guess_index() or "TIMELINE"]]
    for flag, key in (("--action", "action"), ("--state", "observation.state")):
        flags += [[flag, column] for column in inspection.columns(key) or ["ENTITY:ARCHETYPE:FIELD"]]
    task = {} if inspection.proposal is None else inspection.proposal.body.get("task", {})
    flags += [["--task", task["from"]]] if isinstance(task, dict) and "from" in task else []
    flags += [["--video", f"{_key(path)}:{path}"] for path in inspection.video_paths]
    parts = [" ".join(map(shlex.quote, part)) for part in (["telecine-rerun-lerobot", *source_args], *flags)]
    return "  " + " \\\n    ".join(parts)
