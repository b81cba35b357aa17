"""Files of metadata that say what rows mean and do not follow from them: they go into the copy as they are."""

import json
from collections.abc import Collection
from pathlib import Path

from telecine.core.errors import DatasetError
from telecine.lerobot_format.paths import DERIVED
from telecine.lerobot_format.subtasks import SUBTASKS, read_subtasks
from telecine.recovery.repair_log import RepairLog


def side_files(root: Path, keys: Collection[str], log: RepairLog) -> dict[str, bytes]:
    """Name -> bytes: the texts of subtasks, and how columns were computed. keys: the columns of the copy."""
    found: dict[str, bytes] = {}
    try:
        if read_subtasks(root, keys):
            found[SUBTASKS] = (root / SUBTASKS).read_bytes()
    except DatasetError as error:
        log.lost(SUBTASKS, f"the texts of its subtasks: {error}")
    if (root / DERIVED).is_file():
        try:
            there = {key: entry for key, entry in json.loads((root / DERIVED).read_bytes()).items() if key in keys}
        except (OSError, ValueError, AttributeError) as error:
            log.lost(DERIVED, f"how its columns were computed: {error}")
        else:
            found[DERIVED] = json.dumps(there, indent=4, ensure_ascii=False).encode()
    return found
