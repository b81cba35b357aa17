"""The command that trains on a dataset with LeRobot 0.6."""

import shlex
from pathlib import Path


def train_command(repo_id: str, *, cameras: bool, root: Path | None = None) -> str:
    """`lerobot-train` for it: ACT, which needs a camera; without one a person has to choose the policy.

    repo_id: on the Hub. root: the dataset lies here and is not on the Hub; then the policy is not pushed either.
    """
    policy, name = "act" if cameras else "POLICY", repo_id.rpartition("/")[2]
    parts = ["lerobot-train", f"--dataset.repo_id={repo_id}", f"--policy.type={policy}"]
    if root is None:
        parts += [f"--policy.repo_id={repo_id}-{policy.lower()}"]
    else:
        parts[2:2] = [f"--dataset.root={root}"]
        parts += ["--policy.push_to_hub=false"]
    return shlex.join([*parts, f"--output_dir=outputs/train/{name}", "--steps=100000"])
