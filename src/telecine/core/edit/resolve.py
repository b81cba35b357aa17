"""What an edit means for given datasets: the episodes of the new one, in order, or every mistake at once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from telecine.core.edit.model import Edit, EpisodeEdit, Marks, Success
from telecine.core.errors import EditError
from telecine.core.label import Label, label_problems
from telecine.core.plan.model import RESERVED
from telecine.core.text.documents import suggest
from telecine.core.text.numbers import counted

Name = tuple[int, int]
"""(input, episode) of a source episode."""


@dataclass(frozen=True, slots=True)
class SourceEpisode:
    """One episode of an input, as far as edits ask for it."""

    length: int
    """Rows."""
    tasks: tuple[str, ...] = ()
    recording: str = ""
    """File that it was made of; "" where nothing tells."""
    success: bool | None = None
    outcome: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDataset:
    """One input of an edit."""

    path: str
    fps: int
    features: tuple[str, ...]
    """Keys, cameras among them; without the columns that every dataset has."""
    cameras: tuple[str, ...]
    episodes: tuple[SourceEpisode, ...]


@dataclass(frozen=True, slots=True)
class OutputEpisode:
    """One episode of the new dataset: rows [start, stop) of a source episode. None: as in the source."""

    source: Name
    start: int
    stop: int
    task: str | None = None
    success: Success | None = None
    outcome: str | None = None
    tags: tuple[str, ...] | None = None
    labels: tuple[Label, ...] = ()
    """Of rows of the source episode, over those that it has."""
    unlabelled: tuple[Label, ...] = ()
    """Styles that are taken away, and from which rows of the source episode."""

    @property
    def length(self) -> int:
        """Rows."""
        return self.stop - self.start


def resolve(edit: Edit, inputs: Sequence[SourceDataset]) -> tuple[OutputEpisode, ...]:
    """The episodes that the new dataset has, in order.

    Raises: EditError with every mistake: episodes, rows, tasks or features that are not there, and an empty result.
    """
    problems = [*_wrong_inputs(edit, inputs), *_wrong_features(edit, inputs), *_wrong_tasks(edit, inputs)]
    marks: dict[Name, EpisodeEdit] = {}
    for key, entry in edit.episodes.items():
        name = name_of(key, inputs)
        if isinstance(name, str):
            problems.append(f"episodes.{key}: {name}")
        elif name in marks:
            problems.append(f"episodes.{key}: named twice")
        else:
            marks[name] = entry
            problems += (f"episodes.{key}.{text}" for text in _wrong_rows(entry, name, inputs))
    labels, wrong_labels = _labels(edit, inputs)
    problems += wrong_labels
    outputs = {
        name: tuple(_labelled(part, labels.get(name, ())) for part in _outputs(name, marks.get(name), inputs))
        for name, _ in every_episode(inputs)
    }
    staying = {name: parts for name, parts in outputs.items() if parts}
    if not staying and any(dataset.episodes for dataset in inputs):
        problems.append("episodes: every episode is left out, which leaves no dataset; keep at least one")
    order = list(staying)
    if edit.order is not None:
        order, wrong = _ordered(edit.order, staying, inputs)
        problems += wrong
    if problems:
        raise EditError(f"the edit has {counted(len(problems), 'mistake')}:\n  " + "\n  ".join(problems))
    return tuple(part for name in order for part in staying[name])


def name_of(key: str, inputs: Sequence[SourceDataset]) -> Name | str:
    """The episode that a key names; a text why there is none."""
    first, slash, last = key.partition("/")
    number, episode = (first, last) if slash else ("0", first)
    if not slash and len(inputs) > 1:
        return f"there are {counted(len(inputs), 'input')}; write input/episode, e.g. 0/{key}"
    if not all(re.fullmatch(r"\d{1,12}", part, re.ASCII) for part in (number, episode)):
        return 'not of the form "episode" or "input/episode", both numbers from 0'
    name = int(number), int(episode)
    if name[0] >= len(inputs):
        return f"there is no input {name[0]}, only {len(inputs)}"
    if name[1] >= len(inputs[name[0]].episodes):
        return f"there is no episode {name[1]}; {inputs[name[0]].path} has 0 to {len(inputs[name[0]].episodes) - 1}"
    return name


def key_of(name: Name, inputs: Sequence[SourceDataset]) -> str:
    """The key of an episode in an edit of these inputs."""
    return f"{name[0]}/{name[1]}" if len(inputs) > 1 else str(name[1])


def every_episode(inputs: Sequence[SourceDataset]) -> Iterator[tuple[Name, SourceEpisode]]:
    """All episodes of the inputs with their names, in order."""
    for number, dataset in enumerate(inputs):
        yield from (((number, index), episode) for index, episode in enumerate(dataset.episodes))


def _outputs(name: Name, entry: EpisodeEdit | None, inputs: Sequence[SourceDataset]) -> Iterator[OutputEpisode]:
    whole = OutputEpisode(name, 0, inputs[name[0]].episodes[name[1]].length)
    if entry is None:
        yield whole
    elif not entry.drop:
        episode = _marked(whole, entry)
        for part in entry.parts:
            if not part.drop:
                yield _marked(replace(episode, start=part.rows[0], stop=part.rows[1]), part)
        if not entry.parts:
            yield episode


def _marked(episode: OutputEpisode, marks: Marks) -> OutputEpisode:
    said = {name: getattr(marks, name) for name in ("task", "success", "outcome", "tags")}
    return replace(episode, **{name: value for name, value in said.items() if value is not None})


def _labels(edit: Edit, inputs: Sequence[SourceDataset]) -> tuple[dict[Name, list[tuple[bool, Label]]], list[str]]:
    """By episode (whether it is taken away, the label); and every mistake, with its episode and rows."""
    found: dict[Name, list[tuple[bool, Label]]] = {}
    problems = [f"label_texts: {old!r} gets no text" for old, new in edit.label_texts.items() if not new.strip()]
    for number, entry in enumerate(edit.labels):
        name = name_of(entry.episode, inputs)
        if isinstance(name, str):
            problems.append(f"labels.{number}.episode: {entry.episode}: {name}")
            continue
        start, stop = entry.rows or (0, inputs[name[0]].episodes[name[1]].length)
        label = Label(start, stop, entry.style, entry.text, entry.role, entry.camera, entry.value)
        found.setdefault(name, []).append((entry.drop, label))
    for name, own in found.items():
        dataset = inputs[name[0]]
        cameras = [edit.features.rename.get(key, key) for key in dataset.cameras]
        added = [label for drop, label in own if not drop]
        for problem in label_problems(added, dataset.episodes[name[1]].length, cameras):
            rows = f"rows {problem.rows[0]} to {problem.rows[1] - 1}"
            problems.append(f"labels: episode {key_of(name, inputs)}, {rows}: {problem.text}")
    return found, problems


def _labelled(part: OutputEpisode, labels: Sequence[tuple[bool, Label]]) -> OutputEpisode:
    """The episode with its labels; one of its success is a mark, which its last row decides."""
    added = [label for drop, label in labels if not drop]
    last = [label for label in added if label.style == "success" and label.start < part.stop <= label.stop]
    success = bool(last[-1].number) if last and part.success is None else part.success
    own = tuple(label for label in added if label.style != "success")
    return replace(part, success=success, labels=own, unlabelled=tuple(label for drop, label in labels if drop))


def _wrong_rows(entry: EpisodeEdit, name: Name, inputs: Sequence[SourceDataset]) -> Iterator[str]:
    length = inputs[name[0]].episodes[name[1]].length
    for number, part in enumerate(entry.parts):
        if part.rows[1] > length:
            yield (
                f"parts.{number}.rows: {list(part.rows)} ends behind the last of the episode's {counted(length, 'row')}"
            )


def _wrong_inputs(edit: Edit, inputs: Sequence[SourceDataset]) -> Iterator[str]:
    if edit.inputs and len(edit.inputs) != len(inputs):
        yield f"inputs: the edit is of {counted(len(edit.inputs), 'dataset')}, given are {len(inputs)}"


def _wrong_features(edit: Edit, inputs: Sequence[SourceDataset]) -> Iterator[str]:
    known = list(dict.fromkeys(key for dataset in inputs for key in dataset.features))
    rename, drop = edit.features.rename, edit.features.drop
    for kind, keys in (("rename", list(rename)), ("drop", list(drop))):
        for key in keys:
            if key in RESERVED:
                yield f"features.{kind}: {key} is a column that every dataset has"
            elif key not in known:
                yield f"features.{kind}: there is no feature {key!r}{suggest(key, known)}"
    after = [rename.get(key, key) for key in known if key not in drop]
    for key in sorted({key for key in after if after.count(key) > 1} | (set(rename.values()) & set(RESERVED))):
        yield f"features.rename: {key} is there already; drop or rename that one too"
    for key in rename.keys() & set(drop):
        yield f"features: {key} is renamed and dropped"
    cameras = [rename.get(key, key) for dataset in inputs for key in dataset.cameras if key not in drop]
    for key in edit.cameras:
        if key not in cameras:
            yield f"cameras: there is no camera {key!r}{suggest(key, cameras)}"
    added = [one.key for one in edit.features.add]
    for key in dict.fromkeys(added):
        if key in RESERVED or key in after or added.count(key) > 1:
            yield f"features.add: {key} is there already; drop that one too, and its place is taken"
    if not after and known and not added:
        yield "features.drop: nothing would be left"


def _wrong_tasks(edit: Edit, inputs: Sequence[SourceDataset]) -> Iterator[str]:
    known = {task for dataset in inputs for episode in dataset.episodes for task in episode.tasks}
    for task, new in edit.tasks.items():
        if task not in known:
            yield f"tasks: no episode has the task {task!r}{suggest(task, known)}"
        if not new.strip():
            yield f"tasks: {task!r} gets no text"


def _ordered(
    order: Sequence[str], staying: dict[Name, tuple[OutputEpisode, ...]], inputs: Sequence[SourceDataset]
) -> tuple[list[Name], list[str]]:
    """The names in the order asked for, and what is wrong with it."""
    names: list[Name] = []
    problems = []
    for key in order:
        name = name_of(key, inputs)
        if isinstance(name, str):
            problems.append(f"order: {key}: {name}")
        elif name not in staying:
            problems.append(f"order: {key} is left out by the edit itself")
        elif name in names:
            problems.append(f"order: {key} is named twice")
        else:
            names.append(name)
    missing = [key_of(name, inputs) for name in staying if name not in set(names)]
    if missing and not problems:
        more = " ..." if len(missing) > 5 else ""
        problems.append(
            f"order: not in it, but to stay: {counted(len(missing), 'episode')}: {', '.join(missing[:5])}{more}"
        )
    return names, problems
