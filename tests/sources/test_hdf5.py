"""Every HDF5 layout: named, read, and converted with the right colours."""

from fractions import Fraction

import numpy as np
import pytest

from support import hdf5 as make
from support.hdf5 import patch_colours
from support.proposed import shown_frame
from support.samples import sample, samples
from telecine import convert
from telecine.core.errors import SourceError
from telecine.core.plan.model import make_plan
from telecine.core.proposal.propose import propose
from telecine.dataset.reader import Dataset
from telecine.inspection.recordings import inspect_many
from telecine.sources import registry
from telecine.sources.hdf5 import links, source
from telecine.sources.hdf5.known_members import KnownArray, KnownGroup
from telecine.sources.hdf5.layout_table import names_of
from telecine.testing import FileSourceContract
from telecine.video.decode import frames
from telecine.video.frames.colour import to_rgb

LAYOUTS = {
    "isaaclab": lambda h5, at: make.isaaclab(h5, at / "x.hdf5", demos=(0,)),
    "libero": lambda h5, at: make.libero(h5, at / "x.hdf5"),
    "robomimic": lambda h5, at: make.robomimic(h5, at / "x.hdf5"),
    "robosuite": lambda h5, at: make.robosuite(h5, at / "x.hdf5"),
    "maniskill": lambda h5, at: make.maniskill(h5, at / "x.h5"),
    "aloha": lambda h5, at: make.aloha(h5, at / "x.hdf5"),
    "robomind": lambda h5, at: make.robomind(h5, at / "h5_agilex_3rgb" / "t" / "x.hdf5"),
    "robotwin": lambda h5, at: make.robotwin(h5, at / "x.hdf5"),
    "robotwin-older": lambda h5, at: make.robotwin_older(h5, at / "data" / "x.hdf5"),
    "droid": lambda h5, at: make.droid(h5, at / "x" / "trajectory.h5"),
    "agibot": lambda h5, at: make.agibot(h5, at),
}


@pytest.fixture(params=LAYOUTS)
def layout(request, h5py, tmp_path):
    return request.param, LAYOUTS[request.param](h5py, tmp_path)


def converted(paths, out, **more):
    """The dataset of the proposed plan; what recordings do not tell is given as a user would."""
    proposal = propose(inspect_many(paths).recordings)
    body = {"task": "lift it", **proposal.body, **more}
    if body["clock"]["timeline"] == "step":
        body |= {"clock": {"timeline": "step", "rate": "10"}, "fps": 10}
    report = convert(paths, out, make_plan(body))
    assert report.ok, [str(r.reason) for r in report.rejected] + [str(f) for f in report.findings]
    return Dataset(out)


def first_picture(recording, name):
    stream = recording.streams[name]
    return to_rgb(next(frames(stream, np.zeros(1, np.int64), "step")))


def test_every_layout_is_named_by_exactly_one_test(layout, h5py):
    name, path = layout
    with h5py.File(path) as file:
        assert names_of(file) == [name]
    (ref, *_) = registry.find([path]).refs
    with registry.open(ref) as recording:
        assert recording.attrs["layout"] == name


def test_demo_10_comes_after_demo_2(h5py, tmp_path):
    found = registry.find([make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(10, 2, 0, 1))])
    assert [r.id for r in found.refs] == ["/data/demo_0", "/data/demo_1", "/data/demo_2", "/data/demo_10"]


def test_demos_of_one_name_in_two_files_are_no_duplicates(h5py, tmp_path):
    make.isaaclab(h5py, tmp_path / "a.hdf5")
    make.isaaclab(h5py, tmp_path / "b.hdf5")
    assert registry.find([tmp_path]).findings == ()
    assert not [f for f in inspect_many([tmp_path]).findings if f.code == "source-duplicate-id"]


@pytest.mark.parametrize(
    ("dt", "decimation", "fps"),
    [(1 / 60, 2, 30), (0.005, 4, 50), (0.01, 5, 20), (1 / 120, 4, 30), (0.013, 3, Fraction(1000, 39))],
)
def test_isaac_labs_rate_is_that_of_its_control_step(h5py, tmp_path, dt, decimation, fps):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0,), dt=dt, decimation=decimation)
    with registry.open(registry.find([path]).refs[0]) as recording:
        times = recording.streams["/actions"].times("time")
    assert times[3] == round(3 * 10**9 / fps)


@pytest.mark.parametrize(("version", "order"), [(None, "wxyz"), (0, "wxyz"), (1, "xyzw")])
def test_quaternions_are_named_in_the_order_of_the_files_version(h5py, tmp_path, version, order):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0,), version=version)
    with registry.open(registry.find([path]).refs[0]) as recording:
        names = recording.streams["/obs/eef_quat"].schema.names
    assert names == tuple(f"eef_quat_{axis}" for axis in order)


def test_isaac_lab_observations_may_be_one_flat_array(h5py, tmp_path):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0,), flat=True)
    dataset = converted([path], tmp_path / "out")
    assert {f.key: f.shape for f in dataset.features}["observation.state"] == (20,)


def test_values_and_rows_are_those_of_the_file(h5py, tmp_path):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0, 1))
    dataset = converted([path], tmp_path / "out")
    with h5py.File(path) as file:
        for episode in (0, 1):
            demo = file[f"data/demo_{episode}"]
            rows = dataset.rows(episode, ["action", "observation.state"])
            state = np.concatenate([demo["obs/joint_pos"], demo["obs/gripper_pos"]], axis=1)
            assert np.array_equal(np.array(rows.column("action").to_pylist(), "f4"), demo["actions"])
            assert np.array_equal(np.array(rows.column("observation.state").to_pylist(), "f4"), state)
            bar = [
                int(shown_frame(dataset, "observation.images.table", i, episode)[2].min(axis=1).argmax())
                for i in (0, 11)
            ]
            assert bar == [0, 11]


def test_one_observation_more_than_actions_gives_a_row_for_each_action(h5py, tmp_path):
    path = make.maniskill(h5py, tmp_path / "x.h5", steps=7)
    dataset = converted([path], tmp_path / "out")
    rows = dataset.rows(0, ["observation.state"])
    assert len(rows) == 7
    assert np.allclose(np.array(rows.column("observation.state").to_pylist()), make.ramp(8, 9)[:7])


def test_facts_beside_the_file_are_used(h5py, tmp_path):
    path = make.maniskill(h5py, tmp_path / "x.h5")
    second = registry.find([path]).refs[1]
    with registry.open(second) as recording:
        assert recording.attrs["success"] == "true"
        assert recording.attrs["env_name"] == "PickCube-v1"
    path.with_suffix(".json").unlink()
    with registry.open(second) as recording:
        assert "success" not in recording.attrs


def test_liberos_task_is_its_instruction_and_its_pictures_are_turned(h5py, tmp_path):
    path = make.libero(h5py, tmp_path / "x.hdf5")
    dataset = converted([path], tmp_path / "out")
    assert list(dataset.tasks) == ["lift the cube"]
    assert shown_frame(dataset, "observation.images.agentview", 5)[2].min(axis=1).argmax() == 5
    flipped = converted([path], tmp_path / "flipped", video={"turn": "flip"})
    assert patch_colours(shown_frame(flipped, "observation.images.agentview")) == [2, 1, 0]
    assert "rotated 180 degrees" in dataset.provenance[0]["cameras"][0]["why"]


@pytest.mark.parametrize("how", ["raw", "padded", "true"])
def test_alohas_colours_are_true_however_they_were_stored(h5py, tmp_path, how):
    dataset = converted([make.aloha(h5py, tmp_path / "x.hdf5", how=how)], tmp_path / "out")
    assert patch_colours(shown_frame(dataset, "observation.images.cam_high")) == [0, 1, 2]


def test_the_plan_can_say_the_other_colour_order(h5py, tmp_path):
    path = make.aloha(h5py, tmp_path / "x.hdf5", how="padded")
    dataset = converted([path], tmp_path / "out", video={"jpeg_color": "rgb"})
    assert patch_colours(shown_frame(dataset, "observation.images.cam_high")) == [2, 1, 0]


def test_the_colour_order_of_pixels_is_never_in_doubt(h5py, tmp_path):
    path = make.aloha(h5py, tmp_path / "x.hdf5", how="raw")
    dataset = converted([path], tmp_path / "out", video={"jpeg_color": "bgr"})
    assert patch_colours(shown_frame(dataset, "observation.images.cam_high")) == [0, 1, 2]


def test_a_mobile_base_joins_alohas_action(h5py, tmp_path):
    dataset = converted([make.aloha(h5py, tmp_path / "x.hdf5", mobile=True)], tmp_path / "out")
    names = {f.key: f for f in dataset.features}["action"].shape
    assert names == (16,)


@pytest.mark.parametrize(("robot", "swapped"), [("h5_franka_1rgb", False), ("h5_tienkung_gello_1rgb", True)])
def test_robominds_followers_take_the_next_state_as_action(h5py, tmp_path, robot, swapped):
    path = make.robomind(h5py, tmp_path / robot / "x.hdf5", arms=("",), swapped=swapped)
    dataset = converted([path], tmp_path / "out")
    rows = dataset.rows(0, ["action", "observation.state"])
    action, state = (np.array(rows.column(k).to_pylist()) for k in ("action", "observation.state"))
    assert len(action) == 5  # the last step has no next one, and nothing is made up
    assert np.array_equal(action[:-1], state[1:])
    assert patch_colours(shown_frame(dataset, "observation.images.camera_top")) == [0, 1, 2]


def test_droids_skipped_ends_are_left_out_and_cameras_stay_in_step(h5py, tmp_path):
    path = make.droid(h5py, tmp_path / "x" / "trajectory.h5", steps=12, skipped=(0, 1, 11))
    dataset = converted([path], tmp_path / "out")
    rows = dataset.rows(0, ["action"])
    assert len(rows) == 9
    assert np.allclose(rows.column("action").to_pylist()[0][:7], make.ramp(12, 7)[2])
    assert shown_frame(dataset, "observation.images.wrist", 3)[2].min(axis=1).argmax() == 5


def test_steps_skipped_in_the_middle_are_told(h5py, tmp_path):
    path = make.droid(h5py, tmp_path / "x" / "trajectory.h5", skipped=(5, 6))
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert any("2 steps in the middle" in text for code, text in recording.notes if code == "source-incomplete")


def test_a_film_with_other_pictures_than_rows_is_refused(h5py, tmp_path):
    path = make.droid(h5py, tmp_path / "x" / "trajectory.h5", steps=12, pictures=11)
    with (
        registry.open(registry.find([path]).refs[0]) as recording,
        pytest.raises(SourceError, match="11 frames and the recording 12 rows"),
    ):
        recording.streams["/recordings/wrist"].times("time")


def test_a_missing_film_is_named(h5py, tmp_path):
    path = make.droid(h5py, tmp_path / "x" / "trajectory.h5")
    with registry.open(registry.find([path]).refs[0]) as recording:
        (path.parent / "recordings" / "MP4" / "111.mp4").unlink()
        with pytest.raises(SourceError, match="missing"):
            recording.streams["/recordings/wrist"].schema  # noqa: B018 - reading it is the test


def test_agibots_actions_lie_at_the_steps_they_were_sent(h5py, tmp_path):
    path = make.agibot(h5py, tmp_path, steps=10)
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert recording.streams["/action/joint/position"].times("step").tolist() == list(range(1, 10))
        assert recording.streams["/action/head/position"].times("step").tolist() == list(range(10))
        assert "/state/joint/velocity" not in recording.streams


def test_an_unknown_tree_is_read_as_it_stands(h5py, tmp_path):
    path = tmp_path / "own.hdf5"
    with h5py.File(path, "w") as file:
        for number in (2, 10, 1):
            group = file.create_group(f"runs/run_{number}")
            group["joints"], group["half"] = make.ramp(8, 6), make.ramp(8, 2).astype("f2")
            group["front"] = make.film(8).transpose(0, 3, 1, 2)
            group["matrix"], group["name"] = np.eye(3), "first try"
            group["words"] = ["go"] * 8
            group["depth"] = np.full((8, 16, 16), 900, "u2")
    refs = registry.find([path]).refs
    assert [r.id for r in refs] == ["/runs/run_1", "/runs/run_2", "/runs/run_10"]
    with registry.open(refs[0]) as recording:
        assert recording.attrs["layout"] == "generic"
        assert {n: s.kind for n, s in recording.streams.items()} == {
            "/joints": "vector", "/half": "vector", "/front": "image", "/matrix": "vector", "/name": "text",
            "/words": "text", "/depth": "image",
        }  # fmt: skip
        assert dict(recording.streams["/joints"].clocks) == {"step": "sequence"}
        assert recording.streams["/half"].schema.dtype == "float32"
        assert recording.streams["/depth"].schema.encoding == "gray16le"
        assert recording.streams["/matrix"].static
        assert patch_colours(first_picture(recording, "/front")) == [0, 1, 2]


def test_uneven_lengths_are_told_and_rows_end_with_the_shortest(h5py, tmp_path):
    path = make.robosuite(h5py, tmp_path / "x.hdf5", steps=12)
    with h5py.File(path, "a") as file:
        del file["data/demo_1/states"]
        file["data/demo_1/states"] = make.ramp(8, 32)
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert any("8 rows where the episode has 12" in text for _, text in recording.notes)
    assert len(converted([path], tmp_path / "out").rows(0, ["action"])) == 8


def test_floats_that_are_no_colours_stay_numbers(h5py, tmp_path):
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["rgb"] = (make.film(5).astype("f4") - 100) / 255
    with registry.open(registry.find([path]).refs[0]) as recording:
        assert recording.streams["/rgb"].kind == "vector"


def test_compressed_pictures_are_read_in_whole_blocks(h5py, tmp_path, monkeypatch):
    path = make.isaaclab(h5py, tmp_path / "x.hdf5", demos=(0,), steps=40)
    reads = []
    with registry.open(registry.find([path]).refs[0]) as recording:
        part = recording.streams["/obs/table_cam"].part
        real = type(part).read
        monkeypatch.setattr(type(part), "read", lambda self, a, b: reads.append((a, b)) or real(self, a, b))
        pictures = list(recording.streams["/obs/table_cam"].take(np.arange(40), "step"))
    assert len(pictures) == 40
    assert reads == [(0, 40)]


def test_a_block_is_never_less_than_a_chunk(h5py, tmp_path, monkeypatch):
    monkeypatch.setattr("telecine.sources.shared.arrays.BLOCK_BYTES", 1)
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("cam", data=make.film(20), chunks=(8, HEIGHT // 2, 16, 3), compression="gzip")
    reads = []
    with registry.open(registry.find([path]).refs[0]) as recording:
        stream = recording.streams["/cam"]
        real = type(stream.part).read
        monkeypatch.setattr(type(stream.part), "read", lambda self, a, b: reads.append((a, b)) or real(self, a, b))
        list(stream.take(np.array([0, 3, 9, 19]), "step"))
    assert reads == [(0, 8), (8, 16), (16, 20)]


HEIGHT = make.HEIGHT


def test_without_h5py_the_extra_is_named(h5py, tmp_path, monkeypatch):
    path = make.aloha(h5py, tmp_path / "x.hdf5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (finding,) = registry.find([path]).findings
    assert "pip install 'telecine[hdf5]'" in finding.message


def test_a_raw_picture_among_compressed_ones_is_shown(h5py, tmp_path):
    path = make.robomind(h5py, tmp_path / "h5_agilex_3rgb" / "x.hdf5")
    with h5py.File(path, "a") as file:
        big = np.stack([make.patches(1, 480, 640)])[0]
        file["observations/rgb_images/camera_top"][2] = big[..., ::-1].reshape(-1)  # as cv2 would have had it
    with registry.open(registry.find([path]).refs[0]) as recording:
        stream = recording.streams["/observations/rgb_images/camera_top"]
        picture = next(stream.take(np.array([2]), "step"))
        assert (picture.width, picture.height) == (640, 480)


class TestHdf5(FileSourceContract):
    """The contract, on a file of every kind of stream that h5py writes."""

    @pytest.fixture
    def places(self, h5py, tmp_path):
        make.isaaclab(h5py, tmp_path / "lab.hdf5", demos=(0, 1), steps=5)
        make.aloha(h5py, tmp_path / "aloha.hdf5", steps=4)
        make.droid(h5py, tmp_path / "droid" / "trajectory.h5", steps=6, skipped=())
        return [str(tmp_path)]

    def cuts(self, size_bytes):
        return sorted({0, 1, 7, 8, 9, 40, 96, *np.linspace(100, size_bytes - 1, 12, dtype=int).tolist()})


@pytest.mark.parametrize("name", samples("hdf5", ".h5", ".hdf5"))
def test_every_sample_is_named_by_one_layout_and_converts(h5py, tmp_path, name):
    path = sample(name)
    with h5py.File(path) as file:
        assert len(names_of(file)) == 1
    dataset = converted([path], tmp_path / "out")
    if any(word in str(path) for word in ("robotwin", "droid", "agibot")):
        for feature in dataset.features:
            if feature.dtype == "video":
                assert patch_colours(shown_frame(dataset, feature.key, 20)) == [0, 1, 2], feature.key


def test_a_group_has_what_h5py_says_it_has_links_that_lead_nowhere_too(h5py, tmp_path):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        group = file.create_group("data/demo_0")
        group["obs/pos"] = np.zeros(3)
        group["soft"], group["lost"] = h5py.SoftLink("/data/demo_0/obs"), h5py.SoftLink("/nowhere")
        group["elsewhere"] = h5py.ExternalLink("none.hdf5", "/x")
        file["many"] = np.zeros(2)
        for number in range(100):
            file.create_group(f"many_{number}")
        for known, plain in ((KnownGroup(group, {"obs": group["obs"]}), group), (KnownGroup(file, {}), file)):
            names = ("obs", "obs/pos", "obs/none", "soft", "soft/pos", "lost", "elsewhere", "none", "many", "many_7")
            assert [name in known for name in names] == [name in plain for name in names]


@pytest.mark.parametrize(
    "values",
    [
        np.array([True, False]),
        np.arange(6, dtype=">i4").reshape(3, 2),
        np.zeros((0, 3)),
        np.arange(4, dtype=np.float16),
    ],
    ids=["bool", "big-endian", "no rows", "half"],
)
def test_arrays_read_whole_are_what_h5py_reads(h5py, tmp_path, values):
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["plain"] = values
        file.create_dataset("packed", data=values, chunks=True if values.size else None, compression=None)
        for name in ("plain", "packed"):
            array = KnownArray(file[name].id)
            assert array[0 : len(values)].dtype == file[name].dtype
            np.testing.assert_array_equal(array[0 : len(values)], values)
            np.testing.assert_array_equal(array[1:], values[1:])


def test_what_hdf5_keeps_of_objects_that_it_has_met_is_bounded(h5py, tmp_path):
    path = tmp_path / "many.hdf5"
    with h5py.File(path, "w") as file:
        for number in range(2000):
            for name in ("actions", "obs/a", "obs/b", "obs/c"):
                file[f"data/demo_{number}/{name}"] = np.zeros((2, 1))

    def kept(file):
        sum(1 for _ in links._members(file))
        return file.id.get_mdc_size()[2]

    with h5py.File(path) as file:
        assert kept(file) > 3 << 20  # as HDF5 has it by itself
    with source._opened(str(path)) as file:
        assert kept(file) < 5 << 19
