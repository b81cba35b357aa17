"""A finished dataset onto the Hugging Face Hub, with the tag by which LeRobot finds its version.

One upload call is used, `upload_folder`, which all versions of the Hub's client have (`upload_large_folder` came and
went). It sends no content that the Hub has already: not in a commit, and not left by an upload that was interrupted.
"""

import glob
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from telecine.core.errors import DatasetError
from telecine.core.text.secrets import scrubbed
from telecine.lerobot_format.paths import VERSION

PART_FILES = 100
"""Files in one commit of a large folder: what the Hub's guide for large repositories recommends."""
PART_BYTES = 4 << 30
"""And their size, so that an interruption costs the hashing, and at worst the transfer, of this much."""

_ADVICE = "; the Hub cannot be reached: see to the network (HF_ENDPOINT, HF_HUB_OFFLINE), then the same command goes on"


def push(
    root: Path,
    repo_id: str,
    *,
    private: bool | None,
    branch: str | None,
    tag_version: bool,
    push_videos: bool,
    allow_patterns: Sequence[str] | str | None,
    upload_large_folder: bool,
) -> None:
    """Create the repository when there is none, upload the folder, and move the version's tag to it.

    `upload_large_folder`: in several commits, the metadata last, so that an interrupted push leaves what it committed
    and the next one goes on there. Otherwise in one commit.

    Raises:
        DatasetError: huggingface_hub is not installed, or the Hub refused or was not reached.
    """
    hub = _hub()
    api = hub.HfApi()
    where = {"repo_id": repo_id, "repo_type": "dataset"}
    ignored = [] if push_videos else ["videos/*"]
    parts: list[Sequence[str] | str | None] = [allow_patterns]
    if upload_large_folder:
        wanted = [name for name in files(root) if _passes(name, allow_patterns, ignored)]
        parts = [[glob.escape(name) for name in part] for part in _parts(root, wanted)]
    with _refusals_named(hub, root, repo_id):
        api.create_repo(**where, private=private, exist_ok=True)
        if branch is not None:
            api.create_branch(**where, branch=branch, exist_ok=True)
        for patterns in parts:
            folder = {"folder_path": str(root), "revision": branch, "allow_patterns": patterns}
            api.upload_folder(**where, **folder, ignore_patterns=[*ignored])
        if tag_version:
            _tag(hub, api, where, branch)


def require_reachable(root: Path, repo_id: str) -> None:
    """Nothing, when the Hub answers. Raises: DatasetError as `push`, before any work is done."""
    hub = _hub()
    with _refusals_named(hub, root, repo_id):
        hub.HfApi().repo_exists(repo_id, repo_type="dataset")


@contextmanager
def _refusals_named(hub: Any, root: Path, repo_id: str) -> Iterator[None]:
    # The client lets errors of its HTTP library through, another one in each major version: the bases of its own.
    # Invalid names and full storage are its ValueError; its upload threads raise RuntimeError.
    refusals = (*hub.errors.HfHubHTTPError.__bases__, OSError, ValueError, RuntimeError)
    try:
        yield
    except refusals as error:
        text = _reason(error)
        shown = scrubbed(text, hub.get_token())
        # Chained, the error would show in a traceback what was taken out of the message.
        advice = "" if isinstance(error, hub.errors.HfHubHTTPError | ValueError) else _ADVICE
        raise DatasetError(f"{root} was not pushed to {repo_id}: {shown}{advice}") from (
            error if shown == text else None
        )


def files(root: Path) -> list[str]:
    """What is pushed, as POSIX paths below `root`: every file but Git's and the client's own bookkeeping.

    Data and videos come first and the metadata last, so that no commit names files that are not there yet.
    """
    names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    pushed = [name for name in names if not {".git", ".cache"} & set(name.split("/")[:-1])]
    return sorted(pushed, key=lambda name: (not name.startswith(("data/", "videos/", "images/")), name))


def _passes(name: str, allow: Sequence[str] | str | None, ignore: Sequence[str]) -> bool:
    """By the rules of the Hub's client: `*` matches "/" too, and a folder's name with "/" all that is in it."""
    allowed = [allow] if isinstance(allow, str) else allow
    chosen = allowed is None or any(_matches(name, pattern) for pattern in allowed)
    return chosen and not any(_matches(name, pattern) for pattern in ignore)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, f"{pattern}*" if pattern.endswith("/") else pattern)


def _parts(root: Path, names: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for name in names:
        more = (root / name).stat().st_size
        if part and (len(part) == PART_FILES or size + more > PART_BYTES):
            yield part
            part, size = [], 0
        part.append(name)
        size += more
    if part:
        yield part


def _tag(hub: Any, api: Any, where: dict[str, str], branch: str | None) -> None:
    with suppress(hub.errors.RevisionNotFoundError):  # the first push of this repository
        api.delete_tag(**where, tag=VERSION)
    api.create_tag(**where, tag=VERSION, revision=branch)


def _reason(error: BaseException) -> str:
    """The error with its cause, since the upload threads' own names the file and its cause the reason."""
    text = str(error) or type(error).__name__
    cause = error.__cause__
    return (
        f"{text} {str(cause) or type(cause).__name__}"
        if cause is not None and isinstance(error, RuntimeError)
        else text
    )


def _hub() -> Any:
    try:
        importlib.import_module("huggingface_hub.errors")
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise DatasetError("pushing to the Hub needs: pip install huggingface_hub, or 'telecine[hub]'") from error
