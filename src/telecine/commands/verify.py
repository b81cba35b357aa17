"""`telecine.verify` and `telecine.diff`: what `telecine verify` does, with the same words."""

from pathlib import Path

from telecine.commands.convert import Paths, path_list, reading_options
from telecine.commands.stores import copies_gone, is_stored_dataset, stores
from telecine.core.findings import Finding, Findings, has_errors
from telecine.core.progress import Progress
from telecine.dataset.verify.frames import Depth
from telecine.dataset.verify.verify import verify as verify_files
from telecine.inspection.compare import compare
from telecine.lerobot_format.paths import INFO
from telecine.sources.paths import require_there
from telecine.sources.shared.confinement import check_dataset, links_followed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from telecine.editing.diff import DatasetDiff


def verify(
    out: str | Path,
    against: Paths | None = None,
    *,
    decode: Depth = "sample",
    recover: bool = False,
    follow_links: bool = False,
    catalog_token: str | None = None,
    catalog_token_file: str | Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Everything that would hurt in training with the dataset `out`, whoever wrote it; empty when nothing would.

    Args:
        out: the folder of a LeRobot v3.0 dataset.
        against: also compare with these recordings, which it was made of; only a dataset that is sound by itself.
        decode: frames of every row ("all"), of a few rows of a few episodes in each file ("sample"), or none.
        recover: read damaged recordings up to their last whole message.
        follow_links: read files that links and names in recordings lead to outside.
        catalog_token: access token of a catalog server that `against` names.
        catalog_token_file: a file with it.
        progress: gets how far the work is, in bytes.

    Returns:
        Findings; with severity error it is not fit for training. A table in a notebook.

    Raises:
        DatasetError: a link in the dataset leads outside; `against` is given and the dataset does not say what it was
            made of.
        SourceError: `against` holds no recording.

    >>> import telecine as tc
    >>> tc.verify("dataset", against="recordings")
    []
    """
    recordings = [] if against is None else path_list(against)
    for path in recordings:  # before any work
        require_there(path)
    with stores() as here, copies_gone():
        root = here.dataset(out)
        with links_followed(follow_links):
            check_dataset(root)
        findings: list[Finding] = verify_files(root, decode=decode, progress=progress)
        if against is not None and not has_errors(findings):
            given = {"recover": recover, "follow_links": follow_links, "catalog_token": catalog_token}
            options = reading_options(catalog_token_file, **given)
            findings += compare(root, recordings, options)
        return Findings(here.done(findings))


def diff(
    out: str | Path,
    other: Paths,
    *,
    frames: bool = True,
    follow_links: bool = False,
    catalog_token: str | None = None,
    catalog_token_file: str | Path | None = None,
) -> "Findings | DatasetDiff":
    """What differs between a dataset and another one, by content, or the recordings that it was made of, by samples.

    Args:
        out: the folder of a LeRobot v3.0 dataset.
        other: the folder of another dataset; or recordings, or folders of them.
        frames: compare the videos of two datasets, too.
        follow_links: read files that links and names in recordings lead to outside.
        catalog_token: access token of a catalog server.
        catalog_token_file: a file with it.

    Returns:
        For two datasets a `DatasetDiff`: `.equal`, and the episodes that changed. For recordings findings, each with
        `episode`, `key` and `rows` ([start, stop) within the episode); empty when nothing differs.

    Raises:
        DatasetError: a dataset is damaged, or does not say what it was made of. SourceError: there is no recording.

    >>> import telecine as tc
    >>> tc.diff("dataset", "recordings")
    []
    """
    with stores() as here, copies_gone():
        root = here.dataset(out)
        if isinstance(other, (str, Path)) and (is_stored_dataset(other) or (Path(other) / INFO).is_file()):
            from telecine.editing.diff import diff as diff_datasets

            there = here.dataset(other)
            with links_followed(follow_links):
                check_dataset(root)
                check_dataset(there)
            return here.done(diff_datasets(root, there, frames=frames))
        options = reading_options(catalog_token_file, follow_links=follow_links, catalog_token=catalog_token)
        return Findings(here.done(compare(root, path_list(other), options)))
