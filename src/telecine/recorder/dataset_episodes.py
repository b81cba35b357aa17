"""A finished episode's file into the dataset: resampled, checked, coded and published, as every conversion does."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from telecine.conversion.cameras import Prepared, code, prepare
from telecine.conversion.report import EpisodeReport
from telecine.core.errors import AlignError, DatasetError
from telecine.core.outcome import WORDS
from telecine.core.plan.model import Plan
from telecine.core.recording import Recording, Ref
from telecine.dataset.existing import ExistingDataset, read_existing
from telecine.dataset.writer import DatasetWriter
from telecine.recorder.appending import Expected, options_for
from telecine.recorder.episode import LiveEpisode
from telecine.recorder.options import RecorderOptions
from telecine.recorder.trimmed import Trimmed, pause_text, pauses, stops, trimmed
from telecine.sources.recorder_spool import format as layout
from telecine.sources.recorder_spool.source import NAME, TASK, recording_of


@dataclass(frozen=True, slots=True)
class Ending:
    """How an episode ended, as the file's END has it and `core.outcome.facts_of` reads it."""

    success: bool | None
    interrupted: bool = False
    cause: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        success = {} if self.success is None else {"success": self.success}
        outcome = "interrupted" if self.interrupted else WORDS[self.success]
        return {**success, "outcome": outcome, "interrupted": self.interrupted, "error_cause": self.cause}


class DatasetEpisodes:
    """The dataset at `root` that episodes are added to, one commit each.

    count: episodes in it. rows: of all of them. options: with what the dataset states. expected: of its features; None
    before its first episode.

    Raises: DatasetError where no episode with these options could be added to it.
    """

    def __init__(self, root: Path, options: RecorderOptions, *, appending: bool, overwrite: bool) -> None:
        self._root, self._appending, self._overwrite = root, appending, overwrite
        self._last: ExistingDataset | None = read_existing(root.resolve(), None) if appending else None
        self.options = options_for(root, options, self._last) if self._last else options
        self.expected = Expected.of(self._last.features) if self._last else None
        self._plans: dict[tuple[str, ...], tuple[Plan, str]] = {}
        self.count = self._last.episodes if self._last else 0
        self.rows = self._last.frames if self._last else 0

    def write(self, file: Path, live: LiveEpisode, *, strict: bool) -> EpisodeReport:
        """Add the episode in the file; it is in the dataset when this returns. Raises: TelecineError."""
        ref = Ref(NAME, f"{self._root.name}/{self.count}", live.id)
        content = layout.scan(str(file))
        if content.end is None:
            raise DatasetError(f"{file}: what was recorded is not whole on disk any more")
        recording = recording_of(ref, content, str(file))
        self._check_declared(recording)
        plan, plan_yaml = self._plan(recording)
        prepared, cut = self._prepared(recording, plan, strict=strict)
        episode = code(prepared, plan, live.folder, threads=os.cpu_count() or 1)
        findings = [f for f in episode.findings if f.code != "align-trimmed"]
        findings += [*cut.findings(live.label), *live.problems]
        episode = replace(episode, findings=tuple(findings))
        with self._writer() as writer:
            index = writer.add(episode)
            writer.commit(plan_yaml=plan_yaml)
        self._appending = True
        self.count, self.rows = self.count + 1, self.rows + episode.grid.count
        self._last = writer.written()
        self.expected = Expected.of(self._last.features)
        return EpisodeReport.of(index, replace(episode, findings=(*findings, *writer.drawn)))

    def _check_declared(self, recording: Recording) -> None:
        absent = [key for key in self.options.declared if key not in recording.streams]
        if absent:
            raise AlignError(f"{', '.join(absent)}: no sample was added, though the recorder's options name it")

    def _prepared(self, recording: Recording, plan: Plan, *, strict: bool) -> tuple[Prepared, Trimmed]:
        """Raises: TelecineError in the recorder's words."""
        trimmed(recording, plan).check(self.options.min_rows, strict=False)
        try:
            prepared = prepare(recording, plan)
        except AlignError as error:
            text = pause_text(pauses(recording, plan), stops(recording, plan))
            raise AlignError(text or str(error)) from error
        cut = trimmed(recording, plan, prepared.resampled.grid)
        cut.check(self.options.min_rows, strict=strict)
        return prepared, cut

    def _plan(self, recording: Recording) -> tuple[Plan, str]:
        """Every stream as the feature of its name. With its YAML."""
        keys = tuple(name for name in recording.streams if name != TASK)
        if keys not in self._plans:
            plan = self.options.plan(keys)
            self._plans[keys] = plan, plan.to_yaml()
        return self._plans[keys]

    def _writer(self) -> DatasetWriter:
        last, self._last = self._last, None  # of no use after a failure
        fps, robot_type = self.options.fps, self.options.robot_type
        if self._appending:
            return DatasetWriter.append(self._root, fps=fps, robot_type=robot_type, last=last)
        return DatasetWriter.create(
            self._root, fps=fps, robot_type=robot_type, overwrite=self._overwrite, outcomes=True
        )
