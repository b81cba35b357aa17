"""`telecine.repair`: what `telecine repair` does, with the same words."""

from collections.abc import Sequence
from pathlib import Path

from telecine.commands.stores import stores
from telecine.recovery import repair as recovery
from telecine.recovery.conflicts import Trust
from telecine.recovery.repair import Repair
from telecine.sources.shared.confinement import check_dataset, links_followed


def repair(
    dataset: str | Path,
    apply: str | Path | None = None,
    *,
    task: str | None = None,
    without: Sequence[str] = (),
    trust: Trust | Sequence[Trust] | None = None,
    follow_links: bool = False,
) -> Repair:
    """What of a broken dataset can be saved; with `apply`, save it into a copy. `dataset` is never changed.

    Args:
        dataset: the folder of a broken LeRobot dataset, whoever wrote it.
        apply: the new folder for the repaired copy; None writes nothing.
        task: the text for rows whose own is lost.
        without: features to leave out, e.g. a lost camera.
        trust: whom to believe where "rows", "meta" and "video" disagree; without it nothing is written where both of
            two may be right. Of several the first that a conflict is about decides it.
        follow_links: read files that links in the dataset lead to outside.

    Returns:
        What is `wrong`, what was `found` (recovered, changed, lost, in conflict), and what verification finds in the
        copy (`after`). `answers` are what `trust` can be where you have to decide.

    Raises:
        DatasetError: no episode can be recovered, or `apply` exists or cannot be written.

    >>> import telecine as tc
    >>> tc.repair("dataset").ok
    True
    """
    with links_followed(follow_links), stores() as here:
        root = here.dataset(dataset)
        there = None if apply is None else here.target(apply, overwrite=False)
        check_dataset(root)
        return here.done(recovery.repair(root, there, task=task, without=without, trust=trust))
