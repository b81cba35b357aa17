"""An environment that has just what Isaac Lab's recorder manager and its built-in terms touch, and steps like one."""

from types import SimpleNamespace as Namespace

import numpy as np

HEIGHT, WIDTH = 48, 64


class Episode:
    """What `EpisodeData` is for a handler: nested data, a seed, a verdict."""

    def __init__(self, data, *, success=True, seed=None):
        self.data, self.success, self.seed, self.env_id = data, success, seed, None


def episode(steps=6, *, camera=True, start=0.0, **more):
    """Numbers that all differ, and a camera whose brightness is the step."""
    ramp = np.arange(steps * 4, dtype=np.float32).reshape(steps, 4) / 8 + np.float32(start)
    obs = {"joint_pos": ramp, "eef_quat": ramp + 1, "grasped": np.arange(steps) % 2 == 0}
    if camera:
        shade = np.arange(steps, dtype=np.uint8) * 20
        obs["table_cam"] = np.broadcast_to(shade[:, None, None, None], (steps, HEIGHT, WIDTH, 3)).copy()
    data = {"actions": ramp[:, :3] * 2, "obs": obs, "initial_state": {"root_pose": np.ones((1, 7), np.float32)}}
    return Episode({**data, **more.pop("data", {})}, **more)


class Env:
    """`envs` environments; every recorder manager of `make` records the same steps."""

    def __init__(self, torch, managers, *, envs=2, flat=False, cameras=True, length=12):
        self.torch, self.num_envs, self.device, self.step_dt = torch, envs, "cpu", 0.05
        self.flat, self.cameras, self.length = flat, cameras, length
        self.generator = torch.Generator().manual_seed(7)
        self.termination_manager = Namespace(active_terms=["success"], get_term=lambda _: self.success)
        self.action_manager = Namespace(action=torch.zeros(envs, 7), active_terms=["arm"], get_term=lambda _: self._arm)
        self._arm = Namespace(processed_actions=torch.zeros(envs, 7))
        self.success = torch.zeros(envs, dtype=torch.bool)
        self.step_count = torch.zeros(envs, dtype=torch.long)
        self.joints = torch.rand(envs, 9, generator=self.generator)
        self.sim, self.scene = Namespace(is_playing=lambda: True), Namespace(get_state=self.state)
        self.managers = []
        for make, cfg in managers:
            self.cfg = Namespace(
                env_name="Isaac-Stack-Cube-v0", recorders=cfg, decimation=5,
                sim=Namespace(dt=0.01, render_interval=5), scene=Namespace(num_envs=envs),
            )  # fmt: skip
            self.recorder_manager = make(cfg, self)
            self.managers.append(self.recorder_manager)
        self.obs_buf = self.observe()

    def state(self, is_relative=False):
        pose = self.torch.zeros(self.num_envs, 7)
        return {"articulation": {"robot": {"root_pose": pose, "joint_position": self.joints.clone()}}}

    def observe(self):
        torch = self.torch
        policy = {"joint_pos": self.joints.clone(), "gripper_pos": self.joints[:, -2:].clone()}
        if self.flat:
            return {"policy": torch.cat(list(policy.values()), 1)}
        for name, tint in (("table_cam", 0), ("wrist_cam", 90)) if self.cameras else ():
            shade = (self.step_count * 6 + tint) % 256
            policy[name] = shade[:, None, None, None].expand(-1, HEIGHT, WIDTH, 3).to(torch.uint8)
        return {"policy": policy}

    def each(self, call):
        for manager in self.managers:
            self.recorder_manager = manager
            call(manager)

    def reset(self, ids):
        self.each(lambda m: m.record_pre_reset(ids))
        self.joints[ids] = self.torch.rand(len(ids), 9, generator=self.generator)
        self.step_count[ids] = 0
        self.each(lambda m: m.reset(ids))
        self.each(lambda m: m.record_post_reset(ids))
        self.obs_buf = self.observe()

    def step(self, succeed_at):
        """`succeed_at`: (envs,) step at which each succeeds; all end after `length` steps."""
        torch = self.torch
        self.action_manager.action = torch.rand(self.num_envs, 7, generator=self.generator)
        self.each(lambda m: m.record_pre_step())
        self.joints[:, :7] += 0.02 * self.action_manager.action
        self._arm.processed_actions = self.action_manager.action * 0.5
        self.step_count += 1
        self.success = self.step_count >= succeed_at
        self.obs_buf = self.observe()
        self.each(lambda m: m.record_post_step())
        done = (self.success | (self.step_count >= self.length)).nonzero().squeeze(-1)
        if len(done):
            self.reset(done)

    def run(self, steps, succeed_at=(9, 99)):
        with self.torch.inference_mode():
            self.reset(self.torch.arange(self.num_envs))
            for _ in range(steps):
                self.step(self.torch.tensor(succeed_at))
        self.each(lambda m: m.close())
