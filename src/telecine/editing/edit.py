"""One edit applied: staged, verified, then there at once. The source is not changed, unless that was asked for."""

import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from telecine.core.derive.functions import NO_TOOLS, Toolbox
from telecine.core.edit.flags import EditFlags, combined, edit_of_flags
from telecine.core.edit.labels import edit_of_labels
from telecine.core.edit.model import Edit, make_edit, parse_edit
from telecine.core.edit.resolve import resolve
from telecine.core.edit.table import edit_of_table
from telecine.core.errors import DatasetError, EditError, PlanError, raised_as
from telecine.core.findings import Finding, has_errors, with_notes
from telecine.core.labels.table import MOST_LABELS
from telecine.core.text.documents import read_mapping
from telecine.core.text.numbers import counted
from telecine.dataset.assembly.assemble import Assembled, assemble, foresee
from telecine.dataset.assembly.selection import Selection
from telecine.dataset.open_files import WRITE_ERRORS
from telecine.dataset.staging import Asker, Staging, require_writable
from telecine.dataset.verify.changes import verify_changes
from telecine.dataset.writer import write_error
from telecine.editing.converted import opened_inputs
from telecine.editing.derived_columns import derived_columns
from telecine.editing.inputs import EDITS, InputDataset, check_fingerprints
from telecine.editing.label_findings import label_findings
from telecine.lerobot_format.paths import Limits


@dataclass(frozen=True, slots=True)
class EditReport:
    """What an edit did, or would do.

    >>> import telecine as tc
    >>> tc.edit("dataset", "curated", delete="0", dry_run=True).written
    False
    """

    root: str
    inputs: tuple[str, ...]
    written: bool
    """False for a dry run."""
    episodes: int
    rows: int
    dropped: tuple[str, ...]
    """Episodes of the inputs of which nothing stays."""
    linked_files: int
    """Videos that are the same files as before."""
    copied_frames: int
    """Into new files, bit for bit."""
    encoded_frames: int
    """Re-encoded."""
    new_bytes: int
    """Of new video files, about."""
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """True when the new dataset is there and sound, or would be."""
        return not has_errors(self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ok": self.ok, **asdict(self)}


def edit(
    dataset: str | Path,
    out: str | Path | None = None,
    *,
    edits: Sequence[str | Path | Edit] = (),
    in_place: bool = False,
    dry_run: bool = False,
    overwrite: bool = False,
    tools: Toolbox = NO_TOOLS,
    **flags: Any,
) -> EditReport:
    """The dataset `out` made of episodes of `dataset`, or `dataset` itself replaced; see `telecine.edit`.

    Raises: EditError, DatasetError.
    """
    if (out is None) is not in_place:
        raise EditError("give a folder for the new dataset or --in-place (in_place=True), not both and not neither")
    target = dataset if out is None else out
    with opened_inputs([dataset], None if dry_run else Path(target).resolve()) as opened:
        (given,) = opened.datasets
        whole = whole_edit(given, edits, flags)
        done = apply_edit(whole, given, target, overwrite=overwrite or in_place, dry_run=dry_run, tools=tools)
    return replace(done, findings=(*opened.findings, *done.findings))


def whole_edit(given: InputDataset, edits: Sequence[str | Path | Edit], flags: Mapping[str, Any]) -> Edit:
    """All that files, values and flags say of the dataset as one edit. Raises: EditError, DatasetError."""
    others = {name: value for name, value in flags.items() if name not in ("task_map", "labels")}
    task_map = flags.get("task_map")
    texts = [] if task_map is None else [(str(task_map), make_edit({"tasks": _task_map(Path(task_map))}))]
    texts += [(str(path), _labels(Path(path), given)) for path in _listed(flags.get("labels"))]
    flagged = edit_of_flags(flags_of(others), [given.source])
    whole = combined([*_read(edits, given), *texts, ("the flags", flagged)])
    if len(whole.labels) > MOST_LABELS:
        raise EditError(
            f"{counted(len(whole.labels), 'label')} in one edit; at most {MOST_LABELS}, so make several edits of them"
        )
    return whole


def _listed(paths: Any) -> list[Any]:
    return [paths] if isinstance(paths, str | Path) else list(paths or ())


def _labels(path: Path, given: InputDataset) -> Edit:
    """The labels of a table. Raises: EditError naming file and line."""
    with raised_as(EditError, f"{path}: the table of labels cannot be read", OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
    return edit_of_labels(text, str(path), [given.source])


def _task_map(path: Path) -> dict[str, Any]:
    with raised_as(EditError, f"{path}: the table of tasks cannot be read", OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
    with raised_as(EditError, str(path), PlanError):
        return read_mapping(text, "table of tasks", "write a line per task, `old text: new text`")


def flags_of(flags: Mapping[str, Any]) -> EditFlags:
    """Flags as keywords; a text alone stands for a list of one. Raises: EditError for one that there is not."""
    known = EditFlags.__dataclass_fields__
    unknown = sorted(set(flags) - set(known))
    if unknown:
        raise EditError(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    single = {"order", "where"}
    listed: dict[str, Any] = {
        name: value if name in single else [value] if isinstance(value, str) else list(value)
        for name, value in flags.items()
        if value is not None
    }
    return EditFlags(**listed)


def _read(edits: Sequence[str | Path | Edit], given: InputDataset) -> list[tuple[str, Edit]]:
    """Edits with their names, those in files read. Raises: EditError naming the file."""
    found: list[tuple[str, Edit]] = []
    for number, entry in enumerate(edits):
        if isinstance(entry, Edit):
            found.append((f"edit {number + 1}", entry))
            continue
        path = Path(entry)
        with raised_as(EditError, f"{path}: the edit cannot be read", OSError, UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
        try:
            is_table = path.suffix.lower() == ".csv"
            found.append((str(path), edit_of_table(text, [given.source]) if is_table else parse_edit(text)))
        except EditError as error:
            raise EditError(f"{path}: {error}") from error
    return found


def apply_edit(
    edit: Edit,
    given: InputDataset,
    out: str | Path,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    tools: Toolbox = NO_TOOLS,
) -> EditReport:
    """The dataset at `out` that an edit makes of `given`, in whose place it may be with `overwrite`.

    Raises: as `edit`.
    """
    inputs = (given,)
    check_fingerprints(edit, inputs)
    return assembled(edit, inputs, selection_of(edit, inputs, tools), out, overwrite=overwrite, dry_run=dry_run)


def assembled(
    edit: Edit,
    inputs: tuple[InputDataset, ...],
    selection: Selection,
    out: str | Path,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
) -> EditReport:
    """The dataset at `out` of what was selected, verified before it is shown. Raises: DatasetError."""
    began = time.monotonic()
    target, asker = Path(out).resolve(), Asker("--overwrite")
    if dry_run:
        require_writable(target, overwrite=overwrite, asker=asker)
        return _report(out, inputs, selection, foresee(selection), written=False)
    with raised_as(DatasetError, f"{target}: cannot be written", OSError):
        stage = Staging(target, overwrite=overwrite, asker=asker)
    with closing(stage):
        try:
            with TemporaryDirectory(prefix="edit-", dir=stage.scratch) as scratch:
                made = assemble(selection, stage.folder, Path(scratch), Limits())
            _note_edit(edit, inputs, stage.folder)
        except WRITE_ERRORS as error:
            raise write_error(target, error) from error
        findings = _checked(stage.folder, target, made, inputs, selection)
        findings += label_findings(edit, selection, stage.folder, target)
        with raised_as(DatasetError, f"{target}: cannot be written", OSError):
            stage.publish()
    done = _report(out, inputs, selection, made, written=True)
    return replace(done, findings=(*done.findings, *findings), seconds=time.monotonic() - began)


def selection_of(edit: Edit, inputs: tuple[InputDataset, ...], tools: Toolbox = NO_TOOLS) -> Selection:
    """What an edit takes from the inputs. Raises: EditError."""
    sources = [given.source for given in inputs]
    episodes = resolve(edit, sources)
    rename, drop = edit.features.rename, set(edit.features.drop)
    keys = tuple({key: rename.get(key, key) for key in source.features if key not in drop} for source in sources)
    old = {new: key for key, new in rename.items()}
    for key in edit.cameras:
        for given in inputs:
            column = next((c for c in given.dataset.features if c.key == old.get(key, key)), None)
            if column is not None and column.dtype == "image":
                raise EditError(
                    f"cameras.{key}: its frames are images in the rows, which stay as they are; leave it out"
                )
            if column is not None and column.shape[-1] == 1:
                raise EditError(f"cameras.{key}: depth stays as it is, without loss; leave it out")
    datasets = tuple(given.dataset for given in inputs)
    derived = edit.features.add
    columns = derived_columns(derived, datasets[0], tools) if derived else ()
    return Selection(
        datasets, episodes, keys, edit.tasks, edit.cameras, edit.label_texts, derived, columns, tools,
    )  # fmt: skip


def _note_edit(edit: Edit, inputs: tuple[InputDataset, ...], folder: Path) -> None:
    """Keep the edit in the dataset, behind those that made its input."""
    home = folder / EDITS
    home.mkdir(parents=True, exist_ok=True)
    number = len(list(home.glob("*.yaml"))) + 1
    named = tuple(given.named().model_copy(update={"path": Path(given.path).resolve().name}) for given in inputs)
    text = edit.model_copy(update={"inputs": named}).to_yaml()
    (home / f"{number:04d}.yaml").write_text(text, encoding="utf-8")


def _checked(
    folder: Path, target: Path, made: Assembled, inputs: Sequence[InputDataset], selection: Selection
) -> list[Finding]:
    """What is to be told of the new dataset. Raises: DatasetError naming the input's episode where it is not sound."""
    findings = verify_changes(folder, made.new_episodes, made.new_videos)
    if not has_errors(findings):
        return findings
    errors = [replace(f, message=f.message.replace(f"{folder}/", "")) for f in findings if f.severity == "error"]
    first, whose, paths = errors[0], errors[0].where, [given.path for given in inputs]
    if first.episode is not None:
        number, episode = selection.episodes[first.episode].source
        whose, paths = f"{paths[number]} episode {episode}{f' {first.key}' if first.key else ''}", [paths[number]]
    text = f"{target}: the result would not be sound, so it was not written: {whose}: {first.message}"
    commands = " or ".join(f"`telecine repair {shlex.quote(path)}`" for path in paths)
    fix = f"see what {commands} can save"
    raise with_notes(DatasetError(f"{text}; {fix}"), [replace(error, fix=fix) for error in errors])


def _report(
    out: str | Path, inputs: tuple[InputDataset, ...], selection: Selection, made: Assembled, *, written: bool
) -> EditReport:
    staying = {episode.source for episode in selection.episodes}
    dropped = tuple(
        f"{number}/{index}" if len(inputs) > 1 else str(index)
        for number, given in enumerate(inputs)
        for index in range(len(given.dataset.episodes))
        if (number, index) not in staying
    )
    remarks = tuple(Finding("video-encoded", "info", str(out), text) for text in made.why)
    return EditReport(
        str(out),
        tuple(given.path for given in inputs),
        written,
        len(selection.episodes),
        sum(episode.length for episode in selection.episodes),
        dropped,
        made.linked_files,
        made.copied_frames,
        made.encoded_frames,
        made.new_bytes,
        (*remarks, *made.findings),
        0.0,
    )
