"""The ray camera against MuJoCo's own rays, which ask every ray about every shape."""

import numpy as np
import pytest

from telecine.recorder.sim.camera import RayCamera
from telecine.recorder.sim.play import Play
from telecine.recorder.sim.record import TASKS
from telecine.recorder.sim.scene import AMBIENT, CAMERAS, DIFFUSE, HEAD, LIGHT, SKY

SIZE = (96, 64)


def by_mujoco(mujoco, model, data, name, size):
    """(height, width, 3) float64: the same light on what `mj_multiRay` finds."""
    width, height = size
    camera = model.camera(name).id
    focal = height / 2 / np.tan(np.deg2rad(model.cam_fovy[camera]) / 2)
    x, y = np.meshgrid((np.arange(width) + 0.5 - width / 2) / focal, (height / 2 - np.arange(height) - 0.5) / focal)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True) @ data.cam_xmat[camera].reshape(3, 3).T
    forward = data.cam_xmat[camera].reshape(3, 3)[:, 2]
    count = len(rays)
    geoms, distances, normals = np.empty(count, np.int32), np.empty(count), np.zeros((count, 3))
    mujoco.mj_multiRay(
        model, data, data.cam_xpos[camera].copy(), np.ascontiguousarray(rays).reshape(-1), np.ones(6, np.uint8), 1, -1,
        geoms, distances, normals.reshape(-1), count, 100.0,
    )  # fmt: skip
    shade = AMBIENT + DIFFUSE * np.maximum(normals @ LIGHT, 0) + HEAD * np.abs(normals @ forward)
    colours = np.minimum(255 * model.geom_rgba[geoms, :3] * shade[:, None], 255)
    colours[geoms < 0] = [255 * part for part in SKY]
    return colours.reshape(height, width, 3), geoms.reshape(height, width)


def differing(frame, expected):
    """The share of pixels that are not the same but for rounding; those on an edge may fall to either side of it."""
    return np.mean(np.abs(frame - expected).max(axis=2) > 1.5)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_robots_cameras_see_what_mujocos_rays_meet(task, mujoco):
    play = Play(TASKS[task](0, 4.0), fps=10, size=SIZE, render="rays")
    for number, step in enumerate(play.steps(40)):
        if number % 8 == 0:
            for name in CAMERAS:
                expected, _ = by_mujoco(mujoco, play._model, play._data, name, SIZE)
                assert differing(step.frames[name], expected) < 0.001


def scattered(seed):
    """MJCF of shapes of every kind all around a camera, some of them reaching behind it."""
    rng = np.random.default_rng(seed)
    parts = []
    for kind in ("box", "cylinder", "capsule") * 8:
        where = rng.normal(size=3)
        where *= rng.uniform(0.6, 1.6) / np.linalg.norm(where)
        size = " ".join(map(str, rng.uniform(0.05, 0.28, 3)))
        colour = " ".join(map(str, rng.uniform(0.2, 0.9, 3)))
        moves = "<freejoint/>" if rng.random() < 0.5 else ""
        euler = " ".join(map(str, rng.uniform(-180, 180, 3)))
        parts.append(
            f'<body pos="{where[0]} {where[1]} {where[2]}" euler="{euler}">{moves}'
            f'<geom type="{kind}" size="{size}" rgba="{colour} 1"/></body>'
        )
    floor = '<geom type="plane" size="{0} {0} 1" pos="0 0 -1.2" rgba="0.5 0.6 0.4 1"/>'.format(rng.choice([0, 2]))
    angles = " ".join(map(str, rng.uniform(-180, 180, 3)))
    camera = f'<camera name="eye" euler="{angles}" fovy="{rng.uniform(60, 110)}"/>'
    return f"<mujoco><worldbody>{camera}{floor}{''.join(parts)}</worldbody></mujoco>"


@pytest.mark.parametrize("seed", range(25))
def test_shapes_anywhere_around_a_camera_are_seen_as_mujocos_rays_meet_them(seed, mujoco):
    model = mujoco.MjModel.from_xml_string(scattered(seed))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = RayCamera(mujoco, model, "eye", SIZE)
    camera.begin(data)
    expected, geoms = by_mujoco(mujoco, model, data, "eye", SIZE)
    assert differing(camera.render(data), expected) < 0.002
    assert len(np.unique(geoms)) > 2


def test_rays_along_a_face_and_down_an_axis_meet_what_is_there(mujoco):
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><camera name="eye" pos="0 0 1" fovy="60"/>
        <geom type="box" size="0.3 0.3 0.1" pos="0.3 0 0" rgba="1 0 0 1"/>
        <geom type="cylinder" size="0.1 0.2" pos="-0.15 0.15 0" rgba="0 1 0 1"/>
        <geom type="capsule" size="0.05 0.1" rgba="0 0 1 1"/></worldbody></mujoco>"""
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    camera = RayCamera(mujoco, model, "eye", (65, 49))  # odd: the middle ray is (0, 0, -1) exactly
    camera.begin(data)
    frame = camera.render(data)
    expected, _ = by_mujoco(mujoco, model, data, "eye", (65, 49))
    assert differing(frame, expected) < 0.005
    assert frame[24, 32].tolist()[:2] == [0, 0]  # the blue capsule, from its end
    assert frame[24, 32, 2] > 100
