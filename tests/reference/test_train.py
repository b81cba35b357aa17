"""LeRobot's own trainer takes a simulated dataset: `pytest -m long tests/reference/test_train.py`.

A small ACT policy, 20 steps, offline, on the CPU. Needs LeRobot's trainer: pip install 'telecine[training]'.
"""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from telecine.recorder.sim.record import record

ACT = [
    *("--policy.type=act", "--policy.device=cpu", "--policy.push_to_hub=false"),
    *("--policy.pretrained_backbone_weights=null", "--policy.chunk_size=10", "--policy.n_action_steps=10"),
    *("--policy.dim_model=64", "--policy.n_heads=4", "--policy.dim_feedforward=128"),
    *("--policy.n_encoder_layers=1", "--policy.n_decoder_layers=1", "--policy.n_vae_encoder_layers=1"),
    *("--batch_size=4", "--num_workers=0", "--steps=20", "--log_freq=5", "--save_freq=20"),
    *("--env_eval_freq=0", "--wandb.enable=false"),
]


@pytest.mark.long
def test_a_small_policy_trains_on_what_the_simulation_recorded(tmp_path, mujoco):
    if importlib.util.find_spec("accelerate") is None:
        pytest.skip("outside this repository: LeRobot's trainer is not installed (pip install 'telecine[training]')")
    record(tmp_path / "set", episodes=2, seconds=4.0, fps=10, size=(96, 64))
    given = ["--dataset.repo_id=local/set", f"--dataset.root={tmp_path / 'set'}", f"--output_dir={tmp_path / 'run'}"]
    ran = subprocess.run(
        [sys.executable, "-m", "lerobot.scripts.lerobot_train", *given, *ACT],
        # One thread: on a machine that is busy otherwise, several wait for each other most of the time.
        env={**os.environ, "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    told = ran.stdout + ran.stderr
    assert ran.returncode == 0, told[-3000:]
    assert re.findall(r"step:(\d+) .* loss:\d", told) == ["5", "10", "15", "20"], told[-3000:]  # numbers, not nan
    assert list((tmp_path / "run" / "checkpoints").rglob("model.safetensors"))
