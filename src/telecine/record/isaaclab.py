"""Where users import Isaac Lab's handler from; also `python -m telecine.record.isaaclab SCRIPT`."""

if __name__ == "__main__":  # before the handler's own imports, one of which may be missing
    import sys

    from telecine.recorder.isaac.__main__ import main

    sys.exit(main())

from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler
from telecine.recorder.isaac.install import install

__all__ = ["LeRobotDatasetFileHandler", "install"]
