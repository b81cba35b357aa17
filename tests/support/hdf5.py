"""Small HDF5 and zarr recordings, written call by call as the projects named write theirs, with h5py and zarr alone.

Every camera shows red left, green in the middle and blue right, and a white bar that moves one column a step.
"""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH = 48, 64
PATCHES = ((220, 0, 0), (0, 200, 0), (0, 0, 240))
WOOD = (178, 132, 90)


def patches(step: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """(height, width, 3) uint8 RGB."""
    picture = np.zeros((height, width, 3), np.uint8)
    for third, colour in enumerate(PATCHES):
        picture[:, third * width // 3 : (third + 1) * width // 3] = colour
    picture[:8, step % width] = 255
    return picture


def film(steps: int) -> np.ndarray:
    """(steps, HEIGHT, WIDTH, 3) uint8."""
    return np.stack([patches(i) for i in range(steps)])


def jpeg(rgb: np.ndarray) -> bytes:
    """An ordinary JPEG; give it BGR to get what cv2.imencode makes of an RGB array."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = rgb.shape[1], rgb.shape[0], "yuvj444p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"qmin": "1", "qmax": "2"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format="yuvj444p")
    return b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode(None)])


def cv2_jpegs(pictures: np.ndarray) -> list[bytes]:
    """What cv2.imencode gives for RGB arrays: red and blue exchanged for every other decoder."""
    return [jpeg(p[..., ::-1]) for p in pictures]


def mp4(path: Path, pictures: np.ndarray, fps: int, codec: str = "libx264") -> None:
    """A video file with a keyframe every 10 pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps, options={"g": "10", "crf": "12"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        for p in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(p, format="rgb24")))
        out.mux(stream.encode())


def ramp(steps: int, width: int, start: float = 0.0, dtype: str = "float32") -> np.ndarray:
    """(steps, width), every number different."""
    return (start + np.arange(steps * width).reshape(steps, width) / 100).astype(dtype)


def isaaclab(h5py, path: Path, *, demos=(0, 1, 2, 10), steps=12, version=1, dt=0.01, decimation=5, flat=False) -> Path:
    """As HDF5DatasetFileHandler writes: gzip, nested groups; `version` is absent in files of Isaac Lab 2."""
    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["format_version"] = version
        data = file.create_group("data")
        sim = {"dt": dt, "decimation": decimation, "render_interval": decimation, "num_envs": 1}
        data.attrs["env_args"] = json.dumps({"env_name": "Isaac-Lift-v0", "type": 2, "sim_args": sim})
        for demo in demos:
            group = data.create_group(f"demo_{demo}")
            group.attrs["num_samples"], group.attrs["success"] = steps, demo % 2 == 0
            zipped = {"compression": "gzip", "compression_opts": 2}
            group.create_dataset("actions", data=ramp(steps, 7, demo), **zipped)
            group.create_dataset("initial_state/articulation/robot/root_pose", data=ramp(1, 7))
            if flat:
                group.create_dataset("obs", data=ramp(steps, 20, demo), **zipped)
                continue
            for name, width in (("joint_pos", 9), ("gripper_pos", 2), ("eef_pos", 3), ("eef_quat", 4), ("object", 39)):
                group.create_dataset(f"obs/{name}", data=ramp(steps, width, demo), **zipped)
            group.create_dataset("obs/table_cam", data=film(steps), **zipped)
    return path


def robomimic(h5py, path: Path, *, steps=9, control_freq=None, ep_lang=None, mimicgen=False) -> Path:
    """As dataset_states_to_obs.py writes; demos start at 1."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        kwargs = {} if control_freq is None else {"control_freq": control_freq}
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": kwargs})
        for demo in (1, 2):
            group = data.create_group(f"demo_{demo}")
            group.attrs["num_samples"] = steps
            if ep_lang:
                group.attrs["ep_meta"] = json.dumps({"lang": f"{ep_lang} {demo}"})
            group["actions"] = ramp(steps, 7, demo, "float64")
            group["rewards"], group["dones"] = np.zeros(steps), np.arange(steps) == steps - 1
            if mimicgen:
                group["datagen_info/object_poses/cube"] = np.zeros((steps, 4, 4))
            for name, width in (("robot0_eef_pos", 3), ("robot0_eef_quat", 4), ("robot0_gripper_qpos", 2)):
                group[f"obs/{name}"] = ramp(steps, width, demo, "float64")
            group.create_dataset("obs/agentview_image", data=film(steps), compression="gzip")
        file["mask/train"] = np.array([b"demo_1"])
    return path


def robosuite(h5py, path: Path, *, steps=6) -> Path:
    """As collect_human_demonstrations.py writes: no observations."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env"], data.attrs["repository_version"] = "Lift", "1.4.1"
        data.attrs["env_info"] = json.dumps({"env_name": "Lift", "robots": "Panda", "control_freq": 20})
        group = data.create_group("demo_1")
        group["actions"], group["states"] = ramp(steps, 7, 0, "float64"), ramp(steps, 32, 0, "float64")
    return path


def libero(h5py, path: Path, *, steps=9) -> Path:
    """As create_dataset.py writes: pictures as OpenGL has them, upside down (and published policies turn them)."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["problem_info"] = json.dumps({"language_instruction": ['"', "lift the cube", '"']})
        data.attrs["bddl_file_name"], data.attrs["env_name"] = "x.bddl", "Libero"
        data.attrs["macros_image_convention"] = "opengl"
        data.attrs["env_args"] = json.dumps({"type": 1, "env_name": "L", "env_kwargs": {"control_freq": 20}})
        group = data.create_group("demo_0")
        group.attrs["num_samples"] = steps
        group["actions"], group["dones"] = ramp(steps, 7, 0, "float64"), np.zeros(steps, "u1")
        group["rewards"] = np.zeros(steps, "u1")
        group["obs/ee_states"], group["obs/gripper_states"] = ramp(steps, 6), ramp(steps, 2)
        group["obs/agentview_rgb"] = film(steps)[:, ::-1, ::-1]
    return path


def maniskill(h5py, path: Path, *, steps=7) -> Path:
    """As RecordEpisode writes: one observation more than actions, facts in a JSON file beside."""
    with h5py.File(path, "w") as file:
        for number in (0, 1):
            group = file.create_group(f"traj_{number}")
            group["actions"] = ramp(steps, 8, number)
            group["obs/agent/qpos"] = ramp(steps + 1, 9, number)
            group["obs/sensor_data/base_camera/rgb"] = film(steps + 1)
            group["obs/sensor_data/base_camera/depth"] = np.full((steps + 1, HEIGHT, WIDTH, 1), 700, "u2")
            group["rewards"] = np.zeros(steps, "f4")
            group["success"] = (np.arange(steps) == steps - 1) & (number == 1)
            group["terminated"], group["truncated"] = np.zeros(steps, bool), np.zeros(steps, bool)
    episodes = [{"episode_id": n, "success": n == 1, "control_mode": "pd_joint_pos"} for n in (0, 1)]
    beside = {"env_info": {"env_id": "PickCube-v1", "env_kwargs": {}}, "episodes": episodes}
    path.with_suffix(".json").write_text(json.dumps(beside))
    return path


def aloha(h5py, path: Path, *, steps=6, how="padded", mobile=False) -> Path:
    """As record_episodes.py writes: raw, or padded JPEG rows of a scene with wood in it.

    `true` is ordinary JPEG of patches alone, without compress_len.
    """
    with h5py.File(path, "w") as file:
        file.attrs["sim"] = True
        file["action"] = ramp(steps, 14)
        if mobile:
            file["base_action"] = ramp(steps, 2)
        for name in ("qpos", "qvel"):
            file[f"observations/{name}"] = ramp(steps, 14, 1)
        pictures = film(steps)
        if how == "raw":
            file.create_dataset("observations/images/cam_high", data=pictures, chunks=(1, HEIGHT, WIDTH, 3))
            return path
        if how == "padded":
            pictures[:, 30:40] = WOOD
        coded = cv2_jpegs(pictures) if how == "padded" else [jpeg(p) for p in pictures]
        longest = max(map(len, coded))
        rows = np.stack([np.frombuffer(c.ljust(longest, b"\0"), "u1") for c in coded])
        file.create_dataset("observations/images/cam_high", data=rows)
        if how == "padded":
            file.attrs["compress"] = True
            file["compress_len"] = np.array([[len(c) for c in coded]], "f4")
    return path


def robomind(h5py, path: Path, *, steps=6, arms=("_left", "_right"), swapped=True) -> Path:
    """As RoboMIND's data card describes; `path` holds the embodiment, one picture is left uncompressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for number, arm in enumerate(arms):
            file[f"master/joint_position{arm}"] = ramp(steps, 7, number, "float64")
            file[f"puppet/joint_position{arm}"] = ramp(steps, 7, 5 + number, "float64")
        coded = cv2_jpegs(film(steps)) if swapped else [jpeg(p) for p in film(steps)]
        data = file.create_dataset("observations/rgb_images/camera_top", (steps,), h5py.vlen_dtype(np.uint8))
        for i, c in enumerate(coded):
            data[i] = np.frombuffer(c, "u1")
    return path


def robotwin(h5py, path: Path, *, steps=6) -> Path:
    """As pkl2hdf5.py writes since 2026-08."""
    with h5py.File(path, "w") as file:
        file.attrs["source_format"] = "RoboTwin"
        file["data_format_version"], file["additional_info/frequency"] = "v1.0", np.int32(15)
        file["instructions"] = json.dumps(["Pick up the cup.", "Take the cup."])
        for kind, start in (("state", 0), ("action", 1)):
            for part, width in (("left_arm_joint_states", 6), ("left_ee_joint_states", 1)):
                file[f"{kind}/{part}"] = ramp(steps, width, start)
            for part, width in (("right_arm_joint_states", 6), ("right_ee_joint_states", 1)):
                file[f"{kind}/{part}"] = ramp(steps, width, start)
        coded = cv2_jpegs(film(steps))
        file["vision/cam_head/colors"] = np.array(coded, f"S{max(map(len, coded))}")
        file["vision/cam_head/shape"] = np.array([HEIGHT, WIDTH, 3], "i4")
    return path


def robotwin_older(h5py, path: Path, *, steps=6) -> Path:
    """As pkl2hdf5.py wrote before: no action, texts in a folder beside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["joint_action/vector"] = ramp(steps, 14, 0, "float64")
        file["pointcloud"] = np.zeros((steps, 0))
        coded = cv2_jpegs(film(steps))
        file["observation/head_camera/rgb"] = np.array(coded, f"S{max(map(len, coded))}")
    beside = path.parent.parent / "instructions"
    beside.mkdir()
    (beside / f"{path.stem}.json").write_text(json.dumps({"seen": ["Lift it."], "unseen": []}))
    return path


def droid(h5py, path: Path, *, steps=12, skipped=(0, 1, 11), pictures=None) -> Path:
    """As TrajectoryWriter writes: chunks of one row, cameras as MP4 by serial number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["success"], file.attrs["current_task"] = True, "Put the marker in the cup"

        def put(name, data):
            file.create_dataset(name, data=data, chunks=(1, *data.shape[1:]))

        put("action/joint_position", ramp(steps, 7, 0, "float64"))
        put("action/gripper_position", ramp(steps, 1, 0, "float64")[:, 0])
        put("observation/robot_state/joint_positions", ramp(steps, 7, 3, "float64"))
        put("observation/robot_state/gripper_position", ramp(steps, 1, 3, "float64")[:, 0])
        put("observation/timestamp/skip_action", np.isin(np.arange(steps), skipped))
    mp4(path.parent / "recordings" / "MP4" / "111.mp4", film(pictures or steps), 15)
    told = {"current_task": "Put the marker in the cup", "success": True, "wrist_cam_serial": "111"}
    (path.parent / "metadata_x.json").write_text(json.dumps(told))
    return path


def agibot(h5py, root: Path, *, steps=10) -> Path:
    """As AgiBot World's data card describes: actions at some steps only, empty arrays, cameras beside."""
    path = root / "proprio_stats" / "327" / "64" / "proprio_stats.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["timestamp"] = np.arange(steps, dtype="i8") * 33_333_333
        file["state/joint/position"], file["state/head/position"] = ramp(steps, 14), ramp(steps, 2)
        file["state/joint/velocity"] = np.zeros(0)
        file["state/end/orientation"] = np.zeros((steps, 2, 4))
        sent = np.arange(1, steps)
        file["action/joint/position"], file["action/joint/index"] = ramp(steps, 14, 7)[sent], sent
        file["action/head/position"], file["action/head/index"] = ramp(steps, 2, 7), np.zeros(0, "i8")
    mp4(root / "observations" / "327" / "64" / "videos" / "head_color.mp4", film(steps), 30)
    (root / "task_info").mkdir()
    told = [{"episode_id": 64, "task_name": "Picking items"}]
    (root / "task_info" / "task_327.json").write_text(json.dumps(told))
    return path


def d4rl(h5py, path: Path, *, ends=(5, 12)) -> Path:
    """As D4RL's datasets are: all episodes in one array, and a flag on the last step of each."""
    rows = ends[-1]
    with h5py.File(path, "w") as file:
        file["observations"], file["actions"] = ramp(rows, 11), ramp(rows, 3, 5)
        file["rewards"] = np.arange(rows, dtype="f4")
        file["terminals"] = np.arange(rows) == ends[0] - 1
        file["timeouts"] = np.isin(np.arange(rows), [end - 1 for end in ends[1:]])
    return path


def replay_buffer(zarr, store, *, ends=(5, 12), umi=False, timestamps=False):
    """As ReplayBuffer writes: all episodes in one array, zarr format 2. Gives `store` back."""
    place = str(store) if isinstance(store, Path) else store
    root = zarr.open_group(place, mode="w", zarr_format=2)
    count = ends[-1]

    def put(name, data, **more):
        array = root.create_array(name, shape=data.shape, dtype=data.dtype, **more)
        array[:] = data

    put("meta/episode_ends", np.array(ends, "i8"))
    if umi:
        put("data/robot0_eef_pos", ramp(count, 3))
        put("data/robot0_eef_rot_axis_angle", ramp(count, 3, 1))
        put("data/robot0_gripper_width", ramp(count, 1, 2))
        put("data/camera0_rgb", film(count), chunks=(1, HEIGHT, WIDTH, 3))
        return store
    put("data/state", ramp(count, 5))
    put("data/action", ramp(count, 2, 1))
    put("data/img", film(count).astype("f4"), chunks=(4, HEIGHT, WIDTH, 3))
    if timestamps:
        put("data/timestamp", 1.6e9 + np.arange(count) / 10)
    return store


def patch_colours(rgb: np.ndarray) -> list[int]:
    """Which channel is strongest in each third: [0, 1, 2] for red, green, blue from left to right."""
    height, width, _ = rgb.shape
    return [int(rgb[height * 7 // 8, int(width * x)].argmax()) for x in (1 / 6, 1 / 2, 5 / 6)]
