"""An attempt played in MuJoCo: physics between control steps, the commanded targets, and frames of each step."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from telecine.core.grid import tick_at
from telecine.recorder.sim.camera import RayCamera
from telecine.recorder.sim.expert import Attempt
from telecine.recorder.sim.opengl import GlCamera, Render, load_mujoco
from telecine.recorder.sim.scene import CAMERAS, JOINTS, Vector, mjcf
from telecine.video.frames.colour import Rgb

LONGEST_STEP_S = 0.002


class SimCamera(Protocol):
    """One camera of the scene."""

    def begin(self, data: Any) -> None:
        """Before the first frame."""
        ...

    def render(self, data: Any) -> Rgb:
        """(height, width, 3) uint8."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class SimStep:
    """What is known at one control step, before its command acts."""

    time_ns: int
    state: Vector
    """Joints in rad and gripper width in m, arm by arm."""
    action: Vector
    """The targets that the actuators get now, in the same order and units."""
    tips: tuple[Vector, ...]
    """(7,) x, y, z in m and qx, qy, qz, qw of each gripper's tip."""
    thing: Vector
    """(7,) likewise of the object."""
    frames: Mapping[str, Rgb]


class Play:
    """One attempt; `steps` plays it, and `success` and `reason` are right afterwards."""

    def __init__(self, attempt: Attempt, *, fps: int, size: tuple[int, int], render: Render = "auto") -> None:
        """size: (width, height) in px. Raises: SourceError when MuJoCo, or the OpenGL asked for, is not there."""
        self._mujoco, self._gl = load_mujoco(render)
        mujoco = self._mujoco
        self._attempt, self._fps = attempt, fps
        self._substeps = max(round(np.ceil(1 / fps / LONGEST_STEP_S)), 1)
        text = mjcf(attempt.arms, thing=attempt.thing, timestep_s=1 / fps / self._substeps)
        self._model = mujoco.MjModel.from_xml_string(text)
        self._data = mujoco.MjData(self._model)
        self._joints = [self._model.joint(f"{a.prefix}{j}").qposadr[0] for a in attempt.arms for j in JOINTS]
        self._fingers = [self._model.joint(f"{a.prefix}finger_1").qposadr[0] for a in attempt.arms]
        self._cameras = {name: self._camera(name, size) for name in CAMERAS}
        self.success = False
        self.reason = "not played"
        self._reset()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the elements of state and action."""
        return tuple(name for arm in self._attempt.arms for name in arm.names)

    def steps(self, count: int) -> Iterator[SimStep]:
        """`count` control steps, 1 / fps apart."""
        with ThreadPoolExecutor(len(self._cameras)) as pool:
            for number in range(count):
                at_s = number / self._fps
                command = self._attempt.commands(at_s)
                self._data.ctrl[:] = _per_finger(command)
                yield SimStep(
                    time_ns=tick_at(number, self._fps),
                    state=self._state(),
                    action=command,
                    tips=tuple(self._tip(arm.prefix) for arm in self._attempt.arms),
                    thing=self._thing(),
                    frames=self._frames(pool),
                )
                for _ in range(self._substeps):
                    self._mujoco.mj_step(self._model, self._data)
        self.success, self.reason = self._judged()

    def close(self) -> None:
        """Let go of graphics contexts, if there are any."""
        for camera in self._cameras.values():
            if isinstance(camera, GlCamera):
                camera.close()

    def _camera(self, name: str, size: tuple[int, int]) -> SimCamera:
        if self._gl:
            return GlCamera(self._mujoco, self._model, name, size)
        return RayCamera(self._mujoco, self._model, name, size)

    def _frames(self, pool: ThreadPoolExecutor) -> dict[str, Rgb]:
        if self._gl:  # a context belongs to the thread that made it
            return {name: camera.render(self._data) for name, camera in self._cameras.items()}
        made = pool.map(lambda camera: camera.render(self._data), self._cameras.values())
        return dict(zip(self._cameras, made, strict=True))

    def _reset(self) -> None:
        start = self._attempt.commands(0.0)
        per_arm = len(JOINTS) + 1
        for number, (arm, finger) in enumerate(zip(self._attempt.arms, self._fingers, strict=True)):
            part = start[number * per_arm : (number + 1) * per_arm]
            self._data.qpos[self._joints[number * len(JOINTS) : (number + 1) * len(JOINTS)]] = part[:-1]
            self._data.qpos[finger] = part[-1] / 2
            self._data.qpos[self._model.joint(f"{arm.prefix}finger_2").qposadr[0]] = part[-1] / 2
        at = self._model.joint("thing").qposadr[0]
        half = self._attempt.yaw_rad / 2
        self._data.qpos[at : at + 7] = [*self._attempt.position, np.cos(half), 0, 0, np.sin(half)]
        self._mujoco.mj_forward(self._model, self._data)
        for camera in self._cameras.values():
            camera.begin(self._data)

    def _state(self) -> Vector:
        joints = self._data.qpos[self._joints].reshape(len(self._fingers), -1)
        widths = 2 * self._data.qpos[self._fingers][:, None]
        made: Vector = np.concatenate([joints, widths], axis=1).reshape(-1)
        return made

    def _tip(self, prefix: str) -> Vector:
        site = self._data.site(f"{prefix}tip")
        quaternion = np.empty(4)
        self._mujoco.mju_mat2Quat(quaternion, site.xmat)
        return np.concatenate([site.xpos, np.roll(quaternion, -1)])

    def _thing(self) -> Vector:
        body = self._data.body("thing")
        return np.concatenate([body.xpos, np.roll(body.xquat, -1)])

    def _judged(self) -> tuple[bool, str]:
        """Whether the object is where it belongs, and in words."""
        height = float(self._data.body("thing").xpos[2])
        if height < self._attempt.lifted_m:
            return False, f"not lifted: the object is at {height * 1000:.0f} mm"
        holders = self._holders()
        if self._attempt.holder is not None and holders != {self._attempt.holder}:
            return False, f"held by {', '.join(sorted(h.rstrip('_') for h in holders)) or 'nobody'}"
        return True, "lifted" if self._attempt.holder is None else "handed over"

    def _holders(self) -> set[str]:
        """Prefixes of the arms whose fingers touch the object."""
        thing = self._model.geom("thing").id
        found = set()
        for contact in self._data.contact[: self._data.ncon]:
            if thing in (contact.geom1, contact.geom2):
                other = contact.geom1 + contact.geom2 - thing
                parent = self._model.body_parentid[self._model.geom_bodyid[other]]
                name = self._model.body(int(parent)).name
                if name.endswith("hand"):
                    found.add(name.removesuffix("hand"))
        return found


def _per_finger(command: Vector) -> Vector:
    """What actuators get: each finger goes half the width."""
    targets = command.copy()
    targets[len(JOINTS) :: len(JOINTS) + 1] /= 2
    return targets
