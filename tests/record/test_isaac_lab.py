"""Isaac Lab's own recorder manager, its terms and its HDF5 handler, beside ours in one run."""

import importlib
import importlib.util
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from support import isaac_lab
from support.isaac import Env
from support.proposed import shown_frame
from telecine import convert
from telecine.core.errors import DatasetError
from telecine.core.findings import has_errors
from telecine.dataset.reader import Dataset
from telecine.dataset.verify.verify import verify
from telecine.recorder.isaac import install
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler
from telecine.video.mp4_reader import decode_at

MODES = ("EXPORT_ALL", "EXPORT_SUCCEEDED_FAILED_IN_SEPARATE_FILES", "EXPORT_SUCCEEDED_ONLY")


@pytest.fixture(scope="module")
def lab(h5py):
    """Isaac Lab's recorder modules, as the wheel has them."""
    version = isaac_lab.version()
    if not version or (without := isaac_lab.missing(version)):
        absent = ", ".join(without) if version else "isaaclab"
        pytest.skip(f"outside this repository: {absent}; see docs/isaaclab.md, Test it")
    manager, configs, datasets, terms = isaac_lab.load()
    datasets.HDF5DatasetFileHandler  # noqa: B018 - loaded when it is asked for
    return SimpleNamespace(
        torch=importlib.import_module("torch"), manager=manager, datasets=datasets, terms=terms, version=version,
        Cfg=configs.ActionStateRecorderManagerCfg, Manager=manager.RecorderManager, Mode=manager.DatasetExportMode,
    )  # fmt: skip


def configuration(lab, folder, name, mode="EXPORT_ALL", handler=None, **more):
    cfg = lab.Cfg()
    cfg.dataset_export_dir_path, cfg.dataset_filename = str(folder), name
    cfg.dataset_export_mode = lab.Mode[mode]
    if handler is not None:
        cfg.dataset_file_handler_class_type = handler
    for key, value in more.items():
        setattr(cfg, key, value)
    return cfg


def column(dataset, key, episode):
    return np.array(dataset.rows(episode, [key]).column(key).to_pylist())


def assert_same(dataset, twin, *, flat):
    """Every row of the dataset is that of Isaac Lab's own file."""
    names = sorted(twin, key=lambda name: int(name.rpartition("_")[2]))
    assert len(dataset.episodes) == len(names)
    for episode, name in enumerate(names):
        demo = twin[name]
        obs = demo["obs"][()] if flat else np.concatenate([demo["obs/gripper_pos"], demo["obs/joint_pos"]], 1)
        state = column(dataset, "observation.state", episode).astype("f4")
        if not flat:  # the observations' own order is that of the environment
            state = np.concatenate([state[:, 9:], state[:, :9]], 1)
        assert np.array_equal(state, obs)
        assert np.array_equal(column(dataset, "action", episode).astype("f4"), demo["actions"])
        assert column(dataset, "next.success", episode)[-1] == demo.attrs["success"]
        for camera in () if flat else ("table", "wrist"):
            for row in (0, len(state) - 1):
                path, frame = dataset.frame(f"observation.images.{camera}", episode, row)
                ((_, shown),) = decode_at(str(path), [frame])
                assert abs(float(shown.mean()) - float(demo[f"obs/{camera}_cam"][row].mean())) < 3


@pytest.mark.parametrize("flat", [False, True], ids=["grouped", "flat"])
@pytest.mark.parametrize("mode", MODES)
def test_every_row_is_that_of_isaac_labs_own_file(lab, h5py, tmp_path, mode, flat):
    ours = configuration(lab, tmp_path, "ours", mode, LeRobotDatasetFileHandler)
    theirs = configuration(lab, tmp_path, "theirs", mode)
    env = Env(lab.torch, [(lab.Manager, ours), (lab.Manager, theirs)], flat=flat)
    env.run(26)
    suffixes = ["", "_failed"] if "SEPARATE" in mode else [""]
    for suffix in suffixes:
        root = tmp_path / f"ours{suffix}.lerobot"
        assert not has_errors(verify(root))
        with h5py.File(tmp_path / f"theirs{suffix}.hdf5") as file:
            assert len(file["data"]) >= 1
            assert_same(Dataset(root), file["data"], flat=flat)


def test_a_converted_file_is_what_isaac_labs_own_handler_loads(lab, tmp_path):
    Env(lab.torch, [(lab.Manager, configuration(lab, tmp_path, "theirs"))]).run(26)
    report = convert(tmp_path / "theirs.hdf5", tmp_path / "out", task="stack")
    assert report.ok
    dataset, handler = Dataset(tmp_path / "out"), lab.datasets.HDF5DatasetFileHandler()
    handler.open(str(tmp_path / "theirs.hdf5"))
    names = sorted(handler.get_episode_names(), key=lambda name: int(name.rpartition("_")[2]))
    loaded = [handler.load_episode(name, "cpu") for name in names]
    handler.close()
    assert (dataset.fps, len(dataset.episodes)) == (20, len(loaded))
    assert [said["recording_id"] for said in dataset.provenance] == [f"/data/{name}" for name in names]
    assert [episode.success for episode in report.episodes] == [bool(episode.success) for episode in loaded]
    for number, episode in enumerate(loaded):
        obs = episode.data["obs"]
        state = np.concatenate([obs["joint_pos"], obs["gripper_pos"]], 1)
        assert np.array_equal(column(dataset, "observation.state", number).astype("f4"), state)
        assert np.array_equal(column(dataset, "action", number).astype("f4"), episode.data["actions"].numpy())
        shown = shown_frame(dataset, "observation.images.table", len(state) - 1, number)
        assert abs(float(shown.mean()) - float(obs["table_cam"][-1].float().mean())) < 3


def test_nothing_is_exported_when_isaac_lab_exports_nothing(lab, tmp_path):
    cfg = configuration(lab, tmp_path / "out", "ours", "EXPORT_NONE", LeRobotDatasetFileHandler)
    Env(lab.torch, [(lab.Manager, cfg)]).run(14)
    assert not (tmp_path / "out").exists()


def test_streamed_cameras_leave_the_episode_and_come_out_the_same(lab, h5py, tmp_path):
    ours = configuration(lab, tmp_path, "ours")
    ours.lerobot = lab.terms.LeRobotTermCfg(stream_cameras=True, task="Stack the cubes")
    theirs = configuration(lab, tmp_path, "theirs")
    env = Env(lab.torch, [(lab.Manager, ours), (lab.Manager, theirs)])
    held = []

    def check(manager):
        if manager is env.managers[0]:
            obs = manager.get_episode(0).data.get("obs", {})
            held.append(any(name.endswith("_cam") for name in obs))

    real, before = env.step, set(threading.enumerate())
    env.step = lambda at: (real(at), env.each(check))
    env.run(26)
    assert set(threading.enumerate()) <= before  # those of the episodes that had not ended too
    assert not any(held)
    dataset = Dataset(tmp_path / "ours.lerobot")
    assert not has_errors(verify(dataset.root))
    assert list(dataset.tasks) == ["Stack the cubes"]
    with h5py.File(tmp_path / "theirs.hdf5") as file:
        assert_same(dataset, file["data"], flat=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ours.lerobot", "theirs.hdf5"]


def test_streamed_cameras_follow_the_settings_of_the_handler(lab, tmp_path):
    handler = LeRobotDatasetFileHandler.configured(
        observation_keys=(("policy", "table_cam"),), state_keys=("policy/joint_pos",), fps=7, task="Stack the cubes",
        cameras={"table_cam": "top"},
    )  # fmt: skip
    cfg = configuration(lab, tmp_path, "set", handler=handler)
    cfg.lerobot = lab.terms.LeRobotTermCfg(stream_cameras=True)
    Env(lab.torch, [(lab.Manager, cfg)]).run(26)
    dataset = Dataset(tmp_path / "set.lerobot")
    assert not has_errors(verify(dataset.root))
    assert (dataset.fps, list(dataset.tasks)) == (7, ["Stack the cubes"])
    assert [f.key for f in dataset.features if f.key.startswith("observation.images.")] == ["observation.images.top"]


@pytest.mark.parametrize(
    ("keys", "cameras"),
    [
        ({"state_keys": ["policy/joint_pos"]}, []),
        ({"observation_keys": ["policy/table_cam"]}, ["table"]),
        ({"state_keys": ["joint_pos", "policy/wrist_cam"]}, ["wrist"]),
    ],
    ids=["state", "camera", "camera-among-states"],
)
def test_streaming_records_what_is_recorded_without_it(lab, tmp_path, keys, cameras):
    made = {}
    for name, streams in (("plain", False), ("streamed", True)):
        made[name] = configuration(lab, tmp_path, name)
        made[name].lerobot = lab.terms.LeRobotTermCfg(stream_cameras=streams, task="Stack the cubes", **keys)
    Env(lab.torch, [(lab.Manager, cfg) for cfg in made.values()]).run(13)
    plain, streamed = (Dataset(tmp_path / f"{name}.lerobot") for name in made)
    assert plain.features == streamed.features
    assert [e.length for e in plain.episodes] == [e.length for e in streamed.episodes]
    shown = [c.key for c in streamed.features if c.dtype == "video"]
    assert shown == [f"observation.images.{name}" for name in cameras]
    assert not has_errors(verify(streamed.root))


MEMORY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support import isaac, isaac_lab
manager, configs, datasets, terms = isaac_lab.load()
import torch
from functools import partial
from telecine.recorder import live_streams, malloc_trim
from telecine.recorder.isaac.handler import LeRobotDatasetFileHandler

# On a loaded machine an encoder may be behind by all that its queue holds: 64 MiB a camera, nearly this whole episode.
live_streams.FrameQueue = partial(live_streams.FrameQueue, memory_bytes=1 << 20)
malloc_trim.EVERY_BYTES, malloc_trim.GROWN_BYTES = 16 << 20, 8 << 20

class Env(isaac.Env):
    def observe(self):
        policy = {"joint_pos": self.joints.clone(), "gripper_pos": self.joints[:, -2:].clone()}
        shade = (self.step_count % 200).to(torch.uint8)[:, None, None, None].expand(-1, 240, 320, 3)
        return {"policy": policy | {f"c{number}_cam": shade.clone() for number in range(6)}}

cfg = configs.ActionStateRecorderManagerCfg()
cfg.dataset_export_dir_path, cfg.dataset_filename = sys.argv[1], "set"
cfg.dataset_file_handler_class_type = LeRobotDatasetFileHandler
cfg.lerobot = terms.LeRobotTermCfg(stream_cameras=True, task="t")
torch.set_num_threads(1)
env = Env(torch, [(manager.RecorderManager, cfg)], envs=1, length=1000)
with torch.inference_mode():
    env.reset(torch.arange(1))
    for step in range(301):
        env.step(torch.tensor([1000]))
        if step in (100, 300):
            (line,) = [t for t in Path("/proc/self/status").read_text().splitlines() if t.startswith("RssAnon")]
            print("MIB", int(line.split()[1]) / 1024)
env.each(lambda m: m.close())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux")
def test_memory_does_not_grow_with_the_steps_of_a_streamed_episode(lab, tmp_path):
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path, tests], capture_output=True, text=True, check=True
    ).stdout
    early, late = (float(line.split()[1]) for line in done.splitlines() if line.startswith("MIB"))
    assert late - early < 30  # frames of 260 MiB went by


@pytest.fixture
def installed(lab, monkeypatch):
    """As after `install()`, undone after the test."""
    monkeypatch.setattr(lab.Manager, "__init__", lab.Manager.__init__)
    monkeypatch.setattr(lab.Manager, install._MARK, False, raising=False)
    monkeypatch.setitem(vars(lab.datasets), "LeRobotDatasetFileHandler", None)
    install.install()
    install.install()


def test_the_guides_own_words_configure_the_handler(lab, installed, tmp_path):
    from isaaclab.utils.datasets import LeRobotDatasetFileHandler as FromIsaacLab

    assert FromIsaacLab is LeRobotDatasetFileHandler
    cfg = configuration(lab, tmp_path, "my_lerobot_dataset", handler=FromIsaacLab)
    cfg.observation_keys_to_record = ["policy/table_cam", "policy/gripper_pos"]
    cfg.state_observation_keys = ["policy/joint_pos"]
    cfg.task_description = "Stack the red cube on top of the blue cube"
    Env(lab.torch, [(lab.Manager, cfg)]).run(14)
    dataset = Dataset(tmp_path / "my_lerobot_dataset.lerobot")
    keys = {f.key: f.shape for f in dataset.features}
    assert keys["observation.state"] == (9,)
    assert keys["observation.gripper_pos"] == (2,)
    assert "observation.images.table" in keys
    assert "observation.images.wrist" not in keys
    assert list(dataset.tasks) == ["Stack the red cube on top of the blue cube"]
    assert cfg.task_description == "Stack the red cube on top of the blue cube"
    assert cfg.dataset_file_handler_class_type is FromIsaacLab


def test_both_lists_empty_is_the_guides_error(lab, installed, tmp_path):
    cfg = configuration(lab, tmp_path, "x", handler=LeRobotDatasetFileHandler)
    cfg.observation_keys_to_record, cfg.state_observation_keys = [], []
    with pytest.raises(ValueError, match="must have at least one observation configured"):
        Env(lab.torch, [(lab.Manager, cfg)])


@pytest.mark.parametrize("keys", ["observation_keys", "state_keys"])
def test_a_wrong_observation_key_is_found_at_the_first_step(lab, tmp_path, keys):
    handler = LeRobotDatasetFileHandler.configured(**{keys: ("policy/table_cam", "policy/joint_poss")})
    env = Env(lab.torch, [(lab.Manager, configuration(lab, tmp_path, "x", handler=handler))])
    with pytest.raises(DatasetError, match="no observation 'policy/joint_poss'; it has: joint_pos, gripper_pos"):
        env.run(1)
    env.each(lambda manager: manager.close())


def test_terms_that_record_no_step_are_found_at_the_first_step(lab, tmp_path):
    cfg = configuration(lab, tmp_path, "x", handler=LeRobotDatasetFileHandler)
    for term in ("record_pre_step_actions", "record_pre_step_flat_policy_observations"):
        setattr(cfg, term, None)
    env = Env(lab.torch, [(lab.Manager, cfg)])
    with pytest.raises(DatasetError, match="record neither observations nor actions, only: initial_state"):
        env.run(1)
    env.each(lambda manager: manager.close())


def test_a_configuration_that_exports_nothing_says_so_at_once(lab, installed, tmp_path, caplog):
    Env(lab.torch, [(lab.Manager, configuration(lab, tmp_path, "x", "EXPORT_NONE", LeRobotDatasetFileHandler))])
    assert "nothing will be recorded: dataset_export_mode is EXPORT_NONE" in caplog.text
    caplog.clear()
    cfg = configuration(lab, tmp_path, "x", handler=LeRobotDatasetFileHandler)
    for name in [name for name in vars(cfg) if name.startswith("record_")]:
        setattr(cfg, name, None)
    Env(lab.torch, [(lab.Manager, cfg)])
    assert "nothing will be recorded: the recorder configuration has no term" in caplog.text


def test_an_episode_filled_by_hand_is_written_and_replayed(lab, tmp_path):
    torch, episode = lab.torch, lab.datasets.EpisodeData()
    for step in range(4):
        episode.add("actions", torch.tensor([step, 2, 3]))
        episode.add("obs/policy/joint_pos", torch.ones(5) * step)
    episode.add("initial_state", torch.tensor([1, 2, 3]))
    episode.seed, episode.success = 5, True
    handler = LeRobotDatasetFileHandler.configured(fps=20)()
    handler.create(str(tmp_path / "my_dataset.lerobot"), env_name="Isaac-Stack-Cube-Franka-IK-Rel-v0")
    handler.write_episode(episode)
    handler.flush()
    handler.close()
    handler.open(str(tmp_path / "my_dataset.lerobot"))
    loaded = handler.load_episode("demo_0", "cpu")
    assert (loaded.seed, loaded.success, loaded.env_id) == (5, True, "Isaac-Stack-Cube-Franka-IK-Rel-v0")
    assert torch.equal(loaded.get_initial_state(), torch.tensor([[1, 2, 3]]))
    assert [loaded.get_next_action().tolist() for _ in range(4)] == [[s, 2, 3] for s in range(4)]
    handler.close()


UPSTREAM = ("test/utils/test_hdf5_dataset_file_handler.py", "test/managers/test_recorder_manager.py")


def upstream(config, monkeypatch, name):
    """A test file of Isaac Lab's own."""
    config.addinivalue_line("markers", "unit: Isaac Lab's")
    path = isaac_lab.source() / name
    spec = importlib.util.spec_from_file_location(f"upstream_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module


def test_isaac_labs_own_test_of_writing_and_loading_passes_with_our_class(lab, tmp_path, monkeypatch, pytestconfig):
    module = upstream(pytestconfig, monkeypatch, UPSTREAM[0])
    module.HDF5DatasetFileHandler = LeRobotDatasetFileHandler.configured(fps=20)
    module.test_write_and_load_episode(str(tmp_path), "cpu")


def test_isaac_labs_own_test_of_the_manager_passes_with_our_class(lab, tmp_path, monkeypatch, pytestconfig):
    module = upstream(pytestconfig, monkeypatch, UPSTREAM[1])
    monkeypatch.setattr(
        module.DummyRecorderManagerCfg, "dataset_file_handler_class_type", LeRobotDatasetFileHandler, raising=False
    )
    module.test_record(**({"device": "cpu"} if lab.version == 2 else {}), dataset_dir=str(tmp_path))


def test_a_script_runs_with_the_handler_and_its_own_flags(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lab.Manager, "__init__", lab.Manager.__init__)
    monkeypatch.setattr(lab.Manager, install._MARK, False, raising=False)
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delattr(lab.datasets, "LeRobotDatasetFileHandler", raising=False)
    script = tmp_path / "record_demos.py"
    script.write_text(
        textwrap.dedent("""
            import argparse, os, sys
            parser = argparse.ArgumentParser()
            for flag in ("--task", "--teleop_device", "--dataset_file", "--num_demos"):
                parser.add_argument(flag)
            args = parser.parse_args()
            import torch
            from isaaclab.utils.datasets import LeRobotDatasetFileHandler, EpisodeData
            assert LeRobotDatasetFileHandler.__module__ == "telecine.record.isaaclab"
            from isaaclab.managers.recorder_manager import RecorderManager
            from isaaclab.envs.mdp.recorders.recorders_cfg import ActionStateRecorderManagerCfg
            from support.isaac import Env
            cfg = ActionStateRecorderManagerCfg()
            cfg.dataset_export_dir_path = os.path.dirname(args.dataset_file)
            cfg.dataset_filename = os.path.splitext(os.path.basename(args.dataset_file))[0]
            Env(torch, [(RecorderManager, cfg)], cameras=False).run(14)
            print("recorded", args.task, args.num_demos)
        """)
    )
    arguments = ["--task", "Isaac-Stack-v0", "--teleop_device", "keyboard", "--lerobot_format", "--num_demos", "2"]
    code = install.main([str(script), *arguments, "--dataset_file", str(tmp_path / "demos.lerobot")])
    assert code == 0
    assert "recorded Isaac-Stack-v0 2" in capsys.readouterr().out
    assert len(Dataset(tmp_path / "demos.lerobot").episodes) == 2


def test_the_tutorials_lines_make_a_dataset_that_verifies(lab, tmp_path):
    page = (Path(__file__).parents[2] / "docs/tutorials/isaaclab.md").read_text(encoding="utf-8")
    cfg = configuration(lab, tmp_path, "stack")
    env_cfg = SimpleNamespace(recorders=cfg)
    exec(page.partition("```python\n")[2].partition("```")[0], {"env_cfg": env_cfg})

    class Moving(Env):
        def observe(self):
            found = super().observe()
            found["policy"]["joint_vel"] = self.joints / 2
            return found

    Moving(lab.torch, [(lab.Manager, cfg)]).run(14)
    dataset = Dataset(tmp_path / "stack.lerobot")
    assert {f.key: f.shape for f in dataset.features}["observation.state"] == (18,)
    assert (dataset.cameras, dataset.tasks) == (
        ("observation.images.table",),
        ("Stack the red cube on top of the blue cube",),
    )
    assert verify(tmp_path / "stack.lerobot", decode="all") == []
