"""Says at the first step, not after the first demonstration, that a recording would fail or hold nothing.

Isaac Lab makes its handler before there is an observation, and hands over an episode when it ends. So the recorder
manager's step is followed by one look at what it has recorded.
"""

import functools
import logging
import sys
from typing import Any

MANAGER = "isaaclab.managers.recorder_manager"
_MARK = "_telecine_checks"
log = logging.getLogger("telecine.isaaclab")


def watch() -> None:
    """Have recorder managers show the first step to handlers of ours; nothing where Isaac Lab is not loaded."""
    manager = getattr(sys.modules.get(MANAGER), "RecorderManager", None)
    if manager is not None and not getattr(manager, _MARK, False):
        manager.record_post_step = _followed(manager.record_post_step)
        setattr(manager, _MARK, True)


def _followed(original: Any) -> Any:
    @functools.wraps(original)
    def record_post_step(self: Any) -> None:
        original(self)
        for name in ("_dataset_file_handler", "_failed_episode_dataset_file_handler"):
            check = getattr(getattr(self, name, None), "check_step", None)
            if check is not None:
                check(self.get_episode(0))

    return record_post_step


def warn_if_nothing(cfg: Any, terms: Any) -> None:
    """Say that a recorder manager with this configuration and these terms will write nothing, where that is so."""
    mode = getattr(cfg, "dataset_export_mode", None)
    if getattr(mode, "name", "") == "EXPORT_NONE":
        log.warning("nothing will be recorded: dataset_export_mode is EXPORT_NONE; set EXPORT_ALL, for instance")
    elif terms is not None and not terms:
        log.warning(
            "nothing will be recorded: the recorder configuration has no term; derive it from "
            "ActionStateRecorderManagerCfg, for instance"
        )
