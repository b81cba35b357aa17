"""Folders of robots' own recorders, as their writers leave them: xr_teleoperate, BridgeData, GELLO, CALVIN.

STEPS steps each; numbers are ramps, frames coloured patches.
"""

import json
import pickle
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from support.hdf5 import jpeg, patches, ramp

STEPS = 6
JOINTS = {"left_arm": ["kLeftElbow", "kLeftWrist"], "right_arm": ["kRightElbow", "kRightWrist"], "left_ee": []}
BRIDGE_STEPS = 7
CALVIN_FIRST, CALVIN_STEPS = 358_482, 20
SENTENCES = ["push the slider to the left", "lift the red block"]


def unitree(root: Path, number: int = 0, *, steps: int = STEPS, closed: bool = True, cameras: int = 2) -> Path:
    """The calls of xr_teleoperate's EpisodeWriter, one after the other."""
    folder = root / f"episode_{number:04d}"
    for name in ("colors", "depths", "audios"):
        (folder / name).mkdir(parents=True)
    info = {"version": "1.0.0", "image": {"width": 64, "height": 48, "fps": 30}, "joint_names": JOINTS}
    text = {"goal": "Pick up the red cup.", "desc": "", "steps": "step1: reach"}
    out = '{\n"info": ' + json.dumps(info, indent=4) + ',\n"text": ' + json.dumps(text, indent=4) + ',\n"data": [\n'
    out += ",\n".join(json.dumps(_step(folder, number, i, cameras), indent=4) for i in range(steps))
    (folder / "data.json").write_text(out + ('\n],\n"rewards": {"success": true}\n}' if closed else ""))
    return folder


def _step(folder: Path, number: int, i: int, cameras: int) -> dict:
    colors = {}
    for camera in range(cameras):
        colors[f"color_{camera}"] = f"colors/{i:06d}_color_{camera}.jpg"
        (folder / colors[f"color_{camera}"]).write_bytes(jpeg(patches(i + 10 * camera)))
    values = {"left_arm": ramp(STEPS, 2, number), "right_arm": ramp(STEPS, 2, number + 1)}
    parts = {part: {"qpos": rows[i].tolist(), "qvel": [], "torque": []} for part, rows in values.items()}
    parts["left_ee"] = {"qpos": [i / 10], "qvel": [], "torque": []}
    return {"idx": i, "colors": colors, "depths": {"depth_0": f"depths/{i:06d}_depth_0.jpg"}, "states": parts,
            "actions": parts, "tactiles": None, "audios": None, "sim_state": None}  # fmt: skip


def bridge(
    folder: Path, first: int = 0, *, protocol: int = 4, text: str = "confidence: 1.0\nput the pot down\n"
) -> Path:
    """As `bridge_data_robot` saves a trajectory: one observation more than actions."""
    folder.mkdir(parents=True)
    stamps = 1.6e9 + 0.2 * np.arange(BRIDGE_STEPS)
    observed = {
        "state": ramp(BRIDGE_STEPS, 7, first), "qpos": ramp(BRIDGE_STEPS, 6, first, "float64"),
        "time_stamp": list(stamps),
    }  # fmt: skip
    rows = ramp(BRIDGE_STEPS - 1, 7, first + 50, "float64")
    policy = [{"actions": row, "policy_type": "VRTeleopPolicy"} for row in rows]
    for name, value in (("obs_dict", observed), ("policy_out", policy)):
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
    for camera in range(2):
        (folder / f"images{camera}").mkdir()
        for i in range(BRIDGE_STEPS):
            (folder / f"images{camera}/im_{i}.jpg").write_bytes(jpeg(patches(i + 9 * camera)))
    (folder / "lang.txt").write_text(text)
    return folder


def gello(folder: Path, first: int = 0, change=lambda number, step: None) -> Path:
    """As `save_frame` of format_obs.py does, at 10 Hz."""
    folder.mkdir(parents=True)
    start = datetime(2024, 3, 1, 10, 0, 0, 100_000)
    for i in range(STEPS):
        step = {"joint_positions": ramp(STEPS, 7, first, "float64")[i], "gripper_position": np.array([0.5]),
                "wrist_rgb": patches(i), "wrist_depth": np.full((48, 64, 1), 300 + i, np.uint16),
                "control": ramp(STEPS, 7, first + 1, "float64")[i]}  # fmt: skip
        change(i, step)
        name = (start + timedelta(milliseconds=100 * i)).isoformat()
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(step))
    return folder


def calvin(
    folder: Path, annotations=True, sessions=((0, 11), (12, 19)), config="", digits=7, segments=((0, 8), (9, 16))
) -> Path:
    """As CALVIN's renderer and annotator write, with small frames.

    sessions: first and last step of each. segments: first step and the one behind the last, as `label_seq` has them.
    """
    folder.mkdir(parents=True)
    if config:
        (folder / ".hydra").mkdir()
        (folder / ".hydra/merged_config.yaml").write_text(config)
    for i in range(CALVIN_STEPS):
        np.savez_compressed(
            folder / f"episode_{CALVIN_FIRST + i:0{digits}d}.npz", actions=ramp(CALVIN_STEPS, 7, 1)[i],
            rel_actions=ramp(CALVIN_STEPS, 7, 2)[i], robot_obs=ramp(CALVIN_STEPS, 15, 3, "float64")[i],
            scene_obs=ramp(CALVIN_STEPS, 24, 4)[i], rgb_static=patches(i), rgb_gripper=patches(i, 32, 32),
            rgb_tactile=np.zeros((16, 12, 6), np.uint8), depth_static=np.full((48, 64), 0.5 + i / 100, np.float32),
            depth_tactile=np.zeros((16, 12, 2), np.float32),
        )  # fmt: skip
    np.save(folder / "ep_start_end_ids.npy", np.array(sessions) + CALVIN_FIRST)
    if annotations:
        (folder / "lang_annotations").mkdir()
        body = {
            "language": {"ann": SENTENCES, "task": ["a", "b"], "emb": np.zeros((2, 1, 384), np.float32)},
            "info": {"episodes": [], "indx": [(CALVIN_FIRST + a, CALVIN_FIRST + b) for a, b in segments]},
        }
        np.save(folder / "lang_annotations/auto_lang_ann.npy", np.array(body, dtype=object), allow_pickle=True)
    return folder
