"""`telecine.edit` and `telecine.merge`: what the commands do, with the same words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine.commands.tools import tools_of
from telecine.core.edit.model import Edit
from telecine.core.errors import EditError
from telecine.editing.edit import EditReport
from telecine.editing.edit import edit as edit_one
from telecine.editing.into import IntoReport, share_out
from telecine.sources.shared.confinement import links_followed


def edit(
    dataset: str | Path,
    out: str | Path | None = None,
    *,
    edits: Sequence[str | Path | Edit] = (),
    in_place: bool = False,
    into: str | None = None,
    seed: int = 0,
    dry_run: bool = False,
    overwrite: bool = False,
    follow_links: bool = False,
    **flags: Any,
) -> EditReport | IntoReport:
    """A dataset made of episodes of another one: left out, cut, relabelled, renamed. Kept frames are the same bits.

    Args:
        dataset: folder of a LeRobot dataset; of v2.0 or v2.1, the new one is v3.0.
        out: folder of the new one, or None with `in_place`.
        edits: edit files (YAML, JSON, or CSV with a line per episode) and `Edit` values; all apply together.
        in_place: replace the dataset in one step; whoever has its files open goes on reading the old ones.
        into: "train=0.9,val=0.1": several datasets below `out`, by task, no recording in two of them.
        seed: of `into`; the same seed gives the same parts.
        dry_run: say what would be linked, copied, re-encoded, and how big; write nothing.
        overwrite: replace the dataset at `out`.
        follow_links: read files that links in the dataset lead to outside.
        flags: those of `telecine edit`, each a list of texts or one text: delete, keep, trim, split, task, success,
            outcome, tag, rename, drop, add, order, where, task_map (a YAML file of old task text: new one), labels
            (files of CSV or JSON), functions (a Python file, which `add` may use) and urdf (a robot for it).

    Returns:
        What was done; with `into` a report per part.

    Raises:
        EditError: an edit or flag is wrong, does not fit the dataset, or contradicts another one. DatasetError: the
        dataset is damaged, the target exists, the result is not sound, or the disk refuses; then nothing has changed.

    >>> import telecine as tc
    >>> tc.edit("dataset", "curated", delete="1", trim="0:2..6").rows
    4
    """
    tools = tools_of(flags.pop("functions", None), flags.pop("urdf", None))
    how: dict[str, Any] = {"edits": edits, "dry_run": dry_run, "overwrite": overwrite, "tools": tools, **flags}
    with links_followed(follow_links):
        if into is None:
            return edit_one(dataset, out, in_place=in_place, **how)
        if out is None or in_place:
            raise EditError("into: name a folder for the new datasets; in_place does not go with it")
        return share_out(dataset, out, into, seed=seed, **how)
