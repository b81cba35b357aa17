"""A finished dataset onto the Hugging Face Hub, with the tag by which LeRobot finds its version."""

import importlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from telecine.core.errors import DatasetError
from telecine.dataset.layout import VERSION


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

    Raises:
        DatasetError: huggingface_hub is not installed, or the Hub refused.
    """
    hub = _hub()
    api = hub.HfApi()
    where = {"repo_id": repo_id, "repo_type": "dataset"}
    folder: dict[str, Any] = {
        "folder_path": str(root),
        "revision": branch,
        "allow_patterns": allow_patterns,
        "ignore_patterns": None if push_videos else ["videos/*"],
    }
    try:
        api.create_repo(**where, private=private, exist_ok=True)
        if branch is not None:
            api.create_branch(**where, branch=branch, exist_ok=True)
        (api.upload_large_folder if upload_large_folder else api.upload_folder)(**where, **folder)
        if tag_version:
            _tag(hub, api, where, branch)
    except (hub.errors.HfHubHTTPError, hub.errors.HFValidationError, OSError) as error:
        raise DatasetError(f"{root} was not pushed to {repo_id}: {error}") from error


def _tag(hub: Any, api: Any, where: dict[str, str], branch: str | None) -> None:
    with suppress(hub.errors.RevisionNotFoundError):  # the first push of this repository
        api.delete_tag(**where, tag=VERSION)
    api.create_tag(**where, tag=VERSION, revision=branch)


def _hub() -> Any:
    try:
        importlib.import_module("huggingface_hub.errors")
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise DatasetError("pushing to the Hub needs: pip install huggingface_hub, or 'telecine[hub]'") from error
