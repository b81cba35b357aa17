"""A gymnasium environment: what a policy saw and did, one row a step, on the environment's own clock.

python examples/gymnasium_env.py OUT
"""

import sys

import gymnasium
import numpy as np

from telecine import Recorder


def record(env: gymnasium.Env, policy, out: str, *, task: str, fps: int, episodes: int = 3) -> None:
    """Row t is the observation that action t was decided on."""
    with Recorder(out, fps=fps, mode="append_or_create", when_behind="wait") as recorder:
        for seed in range(episodes):
            observation, info = env.reset(seed=seed)
            recorder.start_episode(task)
            step, over = 0, False
            while not over:
                action = policy(observation)
                row = {
                    "observation.state": np.asarray(observation, np.float32),
                    "action": np.asarray(action, np.float32),
                }
                if env.render_mode == "rgb_array":
                    row["observation.images.scene"] = env.render()
                observation, reward, terminated, truncated, info = env.step(action)
                recorder.add(step * 10**9 // fps, {**row, "next.reward": np.float32(reward)})
                step, over = step + 1, terminated or truncated
            recorder.end_episode(success=info.get("is_success", terminated))


if __name__ == "__main__":
    made = gymnasium.make("Pendulum-v1", render_mode="rgb_array", max_episode_steps=60)
    record(made, lambda _: made.action_space.sample(), sys.argv[1], task="swing up", fps=20)
