"""Where users import the handler's recorder term from. Imports Isaac Lab."""

from telecine.recorder.isaac.terms import LeRobotTerm, LeRobotTermCfg

__all__ = ["LeRobotTerm", "LeRobotTermCfg"]
