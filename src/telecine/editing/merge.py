"""Several datasets as one: no video is touched, rows are renumbered, tasks unified, what does not fit is named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from telecine.core.edit.model import Edit, EditInput
from telecine.core.edit.resolve import resolve
from telecine.core.errors import EditError
from telecine.core.findings import Finding
from telecine.core.label import LANGUAGE, STYLES
from telecine.core.labels.numbered import SUBTASK_INDEX
from telecine.core.text.documents import suggest
from telecine.dataset.assembly.selection import Selection
from telecine.editing.converted import opened_inputs
from telecine.editing.edit import EditReport, assembled
from telecine.editing.inputs import InputDataset
from telecine.lerobot_format.metadata import INDEX_KEYS
from telecine.lerobot_format.subtasks import SUBTASKS
from telecine.sources.shared.confinement import links_followed

LABEL_STYLES = {style.column: name for name, style in STYLES.items() if name in ("intervention", "reward", "done")}
"""Columns of labels that are numbers of each row -> the style that fills them."""


def merge(
    datasets: Sequence[str | Path],
    out: str | Path,
    *,
    rename: Sequence[str] = (),
    require_equal: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
    follow_links: bool = False,
) -> EditReport:
    """One dataset of all episodes of several, in the order given; see `telecine.merge`.

    Raises: EditError, DatasetError.
    """
    if len(datasets) < 2:
        raise EditError("merge: name two datasets or more, and the folder of the new one behind them")
    target = None if dry_run else Path(out).resolve()
    with links_followed(follow_links), opened_inputs(datasets, target) as opened:
        selection, left_out = _selected(opened.datasets, rename, require_equal=require_equal)
        edit = Edit(inputs=tuple(EditInput(path=given.path) for given in opened.datasets))
        done = assembled(edit, opened.datasets, selection, out, overwrite=overwrite, dry_run=dry_run)
        findings = (*opened.findings, *_remarks(opened.datasets, left_out), *done.findings)
    return replace(done, findings=findings)


def _selected(
    inputs: tuple[InputDataset, ...], rename: Sequence[str], *, require_equal: bool
) -> tuple[Selection, list[tuple[str, list[str]]]]:
    """(all episodes with the features that all have, what is left out of each input). Raises: EditError."""
    names = _renames(rename, inputs)
    problems = [*_different(inputs, names)]
    keys, left_out = _common(inputs, names)
    if require_equal:
        problems += [f"{where}: {', '.join(found)} is not in all of them" for where, found in left_out]
    problems += _subtask_tables(inputs, keys)
    if not keys[0]:
        problems.append("they have no feature in common")
    if problems:
        raise EditError("the datasets do not go together:\n  " + "\n  ".join(problems))
    episodes = resolve(Edit(), [given.source for given in inputs])
    return Selection(tuple(given.dataset for given in inputs), episodes, keys), left_out


def _renames(texts: Sequence[str], inputs: Sequence[InputDataset]) -> list[dict[str, str]]:
    """For each input, every key there -> its key in the new dataset."""
    names = [{key: key for key in given.source.features} for given in inputs]
    known = {name: at for at, given in enumerate(inputs) for name in (Path(given.path).name, given.path.rstrip("/"))}
    for text in texts:
        where, colon, pair = text.partition(":")
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (colon and equals and old and new):
            raise EditError(f"--rename: {text!r} is not of the form DATASET:OLD=NEW")
        is_number = where.isascii() and where.isdigit() and len(where) < 6
        number = int(where) if is_number else known.get(where.rstrip("/"), -1)
        if not 0 <= number < len(inputs):
            raise EditError(f"--rename: there is no input {where!r}{suggest(where, known)}")
        if old not in names[number]:
            raise EditError(f"--rename: {inputs[number].path} has no feature {old!r}{suggest(old, names[number])}")
        names[number][old] = new
    for given, mapping in zip(inputs, names, strict=True):
        twice = sorted(key for key in mapping.values() if list(mapping.values()).count(key) > 1)
        if twice or not set(INDEX_KEYS).isdisjoint(mapping.values()):
            raise EditError(f"--rename: {given.path} would have {', '.join(twice or INDEX_KEYS)} twice")
    return names


def _different(inputs: Sequence[InputDataset], names: Sequence[dict[str, str]]) -> Iterator[str]:
    """Features of one key that are not the same thing."""
    for key in names[0].values():
        columns = []
        for given, mapping in zip(inputs, names, strict=True):
            old = next((there for there, new in mapping.items() if new == key), None)
            columns += [(given, c) for c in given.dataset.features if c.key == old]
        kinds = {(c.dtype, c.shape) for _, c in columns}
        if len(kinds) > 1:
            listed = ", ".join(f"{given.path} {c.dtype} {'x'.join(map(str, c.shape))}" for given, c in columns)
            yield f"{key}: {listed}; drop or rename it in one of them with `telecine edit`"
        scales = {given.dataset.depth(c.key) for given, c in columns}
        if len(scales) > 1:
            yield f"{key}: its depth is in other units or steps: {' / '.join(map(str, scales))}"
        orders = {c.names for _, c in columns if c.names is not None}
        if len(orders) > 1:
            yield f"{key}: its elements have other names or another order: {' / '.join(map(str, sorted(orders)))}"


def _subtask_tables(inputs: Sequence[InputDataset], keys: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Numbers of subtasks, which LeRobot had before its columns of language, that mean other texts in each dataset."""
    if all(SUBTASK_INDEX in mapping for mapping in keys):
        paths = [given.dataset.root / SUBTASKS for given in inputs]
        if len({path.read_bytes() if path.is_file() else b"" for path in paths}) > 1:
            yield f"{SUBTASK_INDEX}: {SUBTASKS} differs between them; `telecine edit --drop {SUBTASK_INDEX}` first"


def _common(
    inputs: Sequence[InputDataset], names: Sequence[dict[str, str]]
) -> tuple[tuple[dict[str, str], ...], list[tuple[str, list[str]]]]:
    """(for each input the keys that all have, what is left out of each)."""
    every = dict.fromkeys(key for mapping in names for key in mapping.values())
    shared = [key for key in every if key in LANGUAGE or all(key in mapping.values() for mapping in names)]
    keys = tuple({old: new for new in shared for old in mapping if mapping[old] == new} for mapping in names)
    left_out = [
        (given.path, [old for old, new in mapping.items() if new not in shared])
        for given, mapping in zip(inputs, names, strict=True)
    ]
    return keys, [(path, found) for path, found in left_out if found]


def _remarks(inputs: Sequence[InputDataset], left_out: list[tuple[str, list[str]]]) -> Iterator[Finding]:
    for path, found in left_out:
        text = f"{', '.join(found)} left out: not in all datasets"
        fix = "rename it with --rename DATASET:OLD=NEW if it is there under another key"
        labels = [key for key in found if key in LABEL_STYLES]
        fix += "".join(f"; {_labelling(key, inputs)}" for key in labels)
        yield Finding("dataset-mismatch", "warning", path, text, fix)
    robots = {str(given.dataset.robot_type) for given in inputs}
    if len(robots) > 1:
        text = f"the robots differ: {', '.join(sorted(robots))}; the new dataset says {inputs[0].dataset.robot_type}"
        yield Finding("dataset-mismatch", "warning", inputs[0].path, text)


def _labelling(key: str, inputs: Sequence[InputDataset]) -> str:
    """How to give the datasets without a column of labels what only people know: the value of their rows."""
    lacking = [given for given in inputs if key not in given.source.features]
    lines = (
        f'for {given.path} [{{"episode": "0-{len(given.dataset) - 1}", "start": 0, '
        f'"style": "{LABEL_STYLES[key]}", "value": 0}}]'
        for given in lacking
    )
    how = "say what the others' rows are: telecine edit OLD NEW --labels FILE.json, with"
    return f"to keep {key}, {how} {', '.join(lines)}"
