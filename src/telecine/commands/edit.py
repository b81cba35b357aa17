"""`telecine.edit` and `telecine.merge`: what the commands do, with the same words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from telecine.commands.stores import stores
from telecine.commands.tools import tools_of
from telecine.core.edit.model import Edit
from telecine.core.errors import EditError
from telecine.core.text.addresses import is_stored, require_local
from telecine.editing.edit import EditReport
from telecine.editing.edit import edit as edit_one
from telecine.editing.into import IntoReport, share_out
from telecine.editing.merge import merge as merge_all
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
        EditError: an edit or flag is wrong, does not fit the dataset, or contradicts another one.
        DatasetError: the dataset is damaged, the target exists, the result is not sound, or the disk refuses; then
            nothing has changed.

    >>> import telecine as tc
    >>> tc.edit("dataset", "curated", delete="1", trim="0:2..6").rows
    4
    """
    tools = tools_of(flags.pop("functions", None), flags.pop("urdf", None))
    how: dict[str, Any] = {"edits": edits, "dry_run": dry_run, "overwrite": overwrite, "tools": tools, **flags}
    with links_followed(follow_links), stores() as here:
        root: str | Path = here.changed(dataset, dry_run=dry_run) if in_place else here.dataset(dataset)
        if into is None:
            there = None if out is None else here.target(out, overwrite=overwrite, dry_run=dry_run)
            return here.done(edit_one(root, there, in_place=in_place, **how))
        if out is None or in_place:
            raise EditError("into: name a folder for the new datasets; in_place does not go with it")
        if is_stored(out):
            raise EditError(f"into: {out}: name a folder of this machine, and upload each dataset with telecine edit")
        require_local(out)
        return here.done(share_out(root, out, into, seed=seed, **how))


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
    """One dataset of all episodes of several, in the order given. No video is decoded, or copied where links do.

    Args:
        datasets: folders of LeRobot datasets; of rates that are multiples of the slowest, whose rows are then taken.
        out: folder of the new one.
        rename: "B:old=new", where B is the folder's name or its number from 0: a feature under another key.
        require_equal: refuse features that are not in all of them; else those are left out, and named.
        dry_run: say what would happen, write nothing.
        overwrite: replace the dataset at `out`.
        follow_links: read files that links in the datasets lead to outside.

    Returns:
        What was done; features that were left out are among its findings.

    Raises:
        EditError: a rate is no multiple of the slowest, or a feature has another type, size or order of elements in
            one of them.
        DatasetError: an input is damaged, the target exists, the result is not sound, or the disk refuses.

    >>> import telecine as tc
    >>> tc.merge(["dataset", "dataset"], "twice").episodes
    4
    """
    with stores() as here:
        roots = [here.dataset(dataset) for dataset in datasets]
        there = here.target(out, overwrite=overwrite, dry_run=dry_run)
        done = merge_all(
            roots, there, rename=rename, require_equal=require_equal, dry_run=dry_run, overwrite=overwrite,
            follow_links=follow_links,
        )  # fmt: skip
        return here.done(done)
