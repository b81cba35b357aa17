"""One dataset shared out into several, such as train and val."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from telecine.core.derive.functions import NO_TOOLS, Toolbox
from telecine.core.edit.flags import combined
from telecine.core.edit.model import Edit, make_edit
from telecine.core.edit.partition import parse_shares, partition
from telecine.core.edit.resolve import resolve
from telecine.core.errors import EditError
from telecine.editing.converted import opened_inputs
from telecine.editing.edit import EditReport, apply_edit, whole_edit
from telecine.editing.inputs import InputDataset


@dataclass(frozen=True, slots=True)
class IntoReport:
    """The datasets that one was shared out into."""

    seed: int
    parts: dict[str, EditReport]

    @property
    def ok(self) -> bool:
        """True when all of them are there and sound."""
        return all(part.ok for part in self.parts.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"ok": self.ok, "seed": self.seed, "parts": {name: p.to_dict() for name, p in self.parts.items()}}


def share_out(
    dataset: str | Path,
    out: str | Path,
    into: str,
    *,
    seed: int = 0,
    edits: Sequence[str | Path | Edit] = (),
    dry_run: bool = False,
    overwrite: bool = False,
    tools: Toolbox = NO_TOOLS,
    **flags: Any,
) -> IntoReport:
    """Datasets OUT/NAME for "NAME=SHARE,NAME=SHARE": by task, no recording in two of them, the same for one seed.

    edits, flags: applied before, as by `edit`.

    Raises: EditError, DatasetError as `edit`; those that were written before an error stay.
    """
    target = None if dry_run else Path(out).resolve()
    with opened_inputs([dataset], target) as opened:
        (given,) = opened.datasets
        whole = whole_edit(given, edits, flags)
        if whole.order is not None:
            raise EditError("--order and --into exclude each other; leave one out")
        _keep_source(dataset, out, parse_shares(into))
        parts = {}
        for name, edit in _edits(whole, given, into, seed).items():
            done = apply_edit(edit, given, Path(out) / name, overwrite=overwrite, dry_run=dry_run, tools=tools)
            parts[name] = replace(done, findings=(*opened.findings, *done.findings))
    return IntoReport(seed, parts)


def _edits(whole: Edit, given: InputDataset, into: str, seed: int) -> dict[str, Edit]:
    """The edit that makes each part. Raises: EditError."""
    staying = sorted({episode.source[1] for episode in resolve(whole, [given.source])})
    numbers = partition([given.source.episodes[n] for n in staying], parse_shares(into), seed=seed)
    rest = whole.model_copy(update={"episodes": {}})
    edits = {}
    for name, chosen in numbers.items():
        kept = {staying[position] for position in chosen}
        others = {str(n): {"drop": True} for n in staying if n not in kept}
        own = make_edit({"episodes": {**whole.to_dict().get("episodes", {}), **others}})
        edits[name] = combined([("the edit", rest), (name, own)])
    return edits


def _keep_source(dataset: str | Path, out: str | Path, names: Iterable[str]) -> None:
    """Raises: EditError when a part would take the place of the dataset that the other parts are made of."""
    source = Path(dataset).resolve()
    for name in names:
        if (Path(out) / name).resolve() == source:
            raise EditError(f"into: {name} would replace {dataset}, which the other parts need; name another folder")
