"""The task of a proposal, as recordings give it: a text stream, or their own properties. Never made up."""

from collections.abc import Sequence

from telecine.core.naming import words
from telecine.core.proposal.notes import Notes
from telecine.core.recording_summary import RecordingFacts, StreamSummary, shared_attr
from telecine.core.text.task_text import TASK_TO_GIVE

TASK_WORDS = ("language_instruction", "instruction", "task", "prompt", "language")
NAMED = ("env", "env_name", "environment", "task_name", "scene")
"""Attributes that may hold the name of the task, but not its text."""
DATASET_TASK = "/task"
"""The stream of a dataset's tasks."""
Task = str | dict[str, str] | dict[str, dict[str, str]]


def choose_task(recordings: Sequence[RecordingFacts], usable: Sequence[StreamSummary], notes: Notes) -> Task | None:
    """The task as the plan file has it, or None, with what could be its name in the comments."""
    task = _of_stream(usable, notes) or _of_attrs(recordings) or _of_datasets(recordings, usable, notes)
    if task is None:
        texts = ", ".join(s.name for s in usable if s.kind == "text")
        hint = f"; the text streams are {texts}" if texts else ""
        give = f'give it with --task-text "{TASK_TO_GIVE}" or `task:` in the plan'
        notes.missing.append(f"no stream tells the task: {give}{hint}")
        if name := _name(recordings):
            notes.comments["task"] = [f"the recordings are named {name!r}; if that says it, put it into words"]
    return task


def _of_stream(streams: Sequence[StreamSummary], notes: Notes) -> dict[str, str] | None:
    """The text stream that holds the task by its name, as the plan names it."""
    texts = [s for s in streams if s.kind == "text" and any(s.texts)]
    for word in TASK_WORDS:
        for stream in texts:
            if word in words(stream.name):
                notes.comments["task"] = [f"{stream.name} says: " + ", ".join(f'"{t}"' for t in stream.texts)]
                return {"from": stream.name}
    return None


def _of_attrs(recordings: Sequence[RecordingFacts]) -> str | dict[str, dict[str, str]] | None:
    """The task as the recordings' own properties give it: one text, or one for each recording."""
    texts = [dict(r.attrs).get("task", "").strip() for r in recordings]
    if not texts or not all(texts):
        return None
    if len(set(texts)) == 1:
        return texts[0]
    ids = [r.id for r in recordings]
    names = [r.id if r.id and ids.count(r.id) == 1 else r.path.rpartition("/")[2] for r in recordings]
    return {"recordings": dict(zip(names, texts, strict=True))} if len(set(names)) == len(names) else None


def _of_datasets(
    recordings: Sequence[RecordingFacts], streams: Sequence[StreamSummary], notes: Notes
) -> dict[str, str] | None:
    """An empty task, where recordings are episodes of LeRobot's datasets, which may have one."""
    if not any(s.name == DATASET_TASK for s in streams) or any(r.format != "lerobot" for r in recordings):
        return None
    notes.comments["task"] = [f"{DATASET_TASK} is empty; policies are conditioned on it, so say what the robot does"]
    return {"from": DATASET_TASK}


def _name(recordings: Sequence[RecordingFacts]) -> str:
    """A name that all recordings share: of their environment, else of their folder or file."""
    for attr in NAMED:
        if name := shared_attr(recordings, attr):
            return name
    parts = [r.path.rstrip("/").split("/") for r in recordings]
    if len({r.path for r in recordings}) == 1:
        return parts[0][-1].partition(".")[0]
    folders = {p[-2] for p in parts if len(p) > 1}
    return folders.pop() if len(folders) == 1 else ""
