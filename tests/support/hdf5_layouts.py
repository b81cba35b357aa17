"""What a dataset of each layout of demonstration files has to hold, in the arrays of the file itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from support import hdf5 as make


@dataclass(frozen=True)
class Expected:
    """One layout. write: (h5py or zarr, folder) -> the file; rows: of the file's arrays, by episode."""

    write: Callable[[Any, Path], Path]
    groups: tuple[str, ...] = ("",)
    state: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    fps: int = 20
    task: str | None = None
    success: tuple[bool | None, ...] = (None,)
    rows: slice = field(default_factory=lambda: slice(None))
    action_rows: slice | None = None
    rate: int | None = None
    spans: tuple[tuple[int, int], ...] = ()
    """Rows [first, stop) of each episode, where the file holds them one after the other."""
    library: str = "h5py"

    def convert_flags(self) -> dict[str, Any]:
        """What `convert` has to be given: the file does not say it."""
        return {"rate": self.rate, **({} if self.task else {"task": "go"})}

    def arrays(self, file: Any, episode: int) -> tuple[np.ndarray, np.ndarray]:
        """(state, action) of an episode, float32, as the file's own library reads them."""
        group = file["data"] if self.library == "zarr" else file if self.spans else file[self.groups[episode] or "/"]
        span = slice(*self.spans[episode]) if self.spans else slice(None)
        state = _side_by_side([np.asarray(group[name])[span] for name in self.state], self.rows, None)
        rows = self.action_rows or self.rows
        action = _side_by_side([np.asarray(group[name])[span] for name in self.action], rows, len(state))
        return state, action

    def first_shown(self, episode: int) -> int:
        """The number that the frame of an episode's first row shows."""
        return (self.rows.start or 0) + (self.spans[episode][0] if self.spans else 0)

    def open(self, library: Any, path: Path) -> Any:
        """The file, by its own library."""
        return library.File(path) if self.library == "h5py" else library.open_group(str(path), mode="r")


def _side_by_side(arrays: list[np.ndarray], rows: slice, count: int | None) -> np.ndarray:
    """Rows of several arrays as one; those that are as many as the rows wanted are taken whole."""
    taken = [a if len(a) == count else a[rows] for a in arrays]
    return np.concatenate([a.reshape(len(a), -1) for a in taken], axis=1).astype("f4")


DEMOS = ("data/demo_0", "data/demo_1", "data/demo_2", "data/demo_10")
POSE = tuple(f"obs/robot0_{part}" for part in ("eef_pos", "eef_quat", "gripper_qpos"))
ARMS = ("left_arm_joint_states", "left_ee_joint_states", "right_arm_joint_states", "right_ee_joint_states")
HAND = ("robot0_eef_pos", "robot0_eef_rot_axis_angle", "robot0_gripper_width")
LAYOUTS = {
    "isaaclab": Expected(
        lambda h5, at: make.isaaclab(h5, at / "x.hdf5", demos=(2, 10, 0, 1)), DEMOS,
        ("obs/joint_pos", "obs/gripper_pos"), ("actions",), success=(True, False, True, True),
    ),
    "robomimic": Expected(
        lambda h5, at: make.robomimic(h5, at / "x.hdf5", control_freq=25), ("data/demo_1", "data/demo_2"), POSE,
        ("actions",), fps=25, success=(None, None),
    ),
    "robocasa": Expected(
        lambda h5, at: make.robomimic(h5, at / "x.hdf5", control_freq=25, ep_lang="stack"),
        ("data/demo_1", "data/demo_2"), POSE, ("actions",), fps=25, task="stack", success=(None, None),
    ),
    "mimicgen": Expected(
        lambda h5, at: make.robomimic(h5, at / "x.hdf5", mimicgen=True), ("data/demo_1", "data/demo_2"), POSE,
        ("actions",), success=(None, None),
    ),
    "robosuite": Expected(
        lambda h5, at: make.robosuite(h5, at / "x.hdf5"), ("data/demo_1",), ("states",), ("actions",)
    ),
    "libero": Expected(
        lambda h5, at: make.libero(h5, at / "x.hdf5"), ("data/demo_0",), ("obs/ee_states", "obs/gripper_states"),
        ("actions",), task="lift the cube",
    ),
    "maniskill": Expected(
        lambda h5, at: make.maniskill(h5, at / "x.h5"), ("traj_0", "traj_1"), ("obs/agent/qpos",), ("actions",),
        success=(False, True), rows=slice(0, 7), action_rows=slice(None),
    ),
    "aloha": Expected(
        lambda h5, at: make.aloha(h5, at / "x.hdf5"), state=("observations/qpos",), action=("action",), fps=50
    ),
    "robomind": Expected(
        lambda h5, at: make.robomind(h5, at / "h5_agilex_3rgb" / "x.hdf5"), fps=30,
        state=("puppet/joint_position_left", "puppet/joint_position_right"),
        action=("master/joint_position_left", "master/joint_position_right"),
    ),
    "robotwin": Expected(
        lambda h5, at: make.robotwin(h5, at / "x.hdf5"), state=tuple(f"state/{arm}" for arm in ARMS),
        action=tuple(f"action/{arm}" for arm in ARMS), fps=15, task="Pick up the cup.",
    ),
    "robotwin-older": Expected(
        lambda h5, at: make.robotwin_older(h5, at / "data" / "x.hdf5"), state=("joint_action/vector",),
        action=("joint_action/vector",), fps=10, rate=10, task="Lift it.", rows=slice(0, 5), action_rows=slice(1, 6),
    ),
    "droid": Expected(
        lambda h5, at: make.droid(h5, at / "x" / "trajectory.h5"), rows=slice(2, 11), fps=15, success=(True,),
        state=("observation/robot_state/joint_positions", "observation/robot_state/gripper_position"),
        action=("action/joint_position", "action/gripper_position"), task="Put the marker in the cup",
    ),
    "agibot": Expected(
        lambda h5, at: make.agibot(h5, at), state=("state/joint/position", "state/head/position"), fps=30,
        action=("action/joint/position", "action/head/position"), task="Picking items", rows=slice(1, 10),
    ),
    "d4rl": Expected(
        lambda h5, at: make.d4rl(h5, at / "x.hdf5"), ("episode_0", "episode_1"), ("observations",), ("actions",),
        rate=20, success=(None, None), spans=((0, 5), (5, 12)),
    ),
    "diffusion-policy": Expected(
        lambda zarr, at: make.replay_buffer(zarr, at / "x.zarr", timestamps=True), ("episode_0", "episode_1"),
        ("state",), ("action",), fps=10, success=(None, None), spans=((0, 5), (5, 12)), library="zarr",
    ),
    "umi": Expected(
        lambda zarr, at: make.replay_buffer(zarr, at / "x.zarr", umi=True), ("episode_0", "episode_1"), HAND, HAND,
        rate=20, success=(None, None), spans=((0, 5), (5, 12)), rows=slice(0, -1), action_rows=slice(1, None),
        library="zarr",
    ),
}  # fmt: skip
BLIND = ("robosuite", "d4rl")
"""Those that store no camera."""
