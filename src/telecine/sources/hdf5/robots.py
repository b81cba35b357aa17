"""HDF5 layouts of robots: ALOHA and ACT, RoboMIND, RoboTwin, DROID.

Sources: mobile-aloha `record_episodes.py`, act-plus-plus `compress_data.py`; RoboMIND's data card and issue 3; RoboTwin
`pkl2hdf5.py`; DROID `trajectory_writer.py`. The colour orders were found by decoding.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from telecine.core.naming import camera_name
from telecine.core.plan.model import IMAGES
from telecine.core.text.numbers import counted
from telecine.sources.hdf5.jpeg_colours import is_quality_50, jpeg_order, verdict
from telecine.sources.hdf5.layouts import (
    Hdf5Layout,
    LayoutEpisode,
    assumed_rate,
    attribute,
    json_beside,
    role,
    stated_facts,
    stated_rate,
    whole_file,
)  # fmt: skip
from telecine.sources.hdf5.odd_cameras import odd_camera, unit_of
from telecine.sources.shared.arrays import PixelLayout, text_of
from telecine.sources.shared.confinement import beside

_RED_AND_BLUE = PixelLayout(order="bgr")
"""cv2.imencode was given RGB: every decoder but its own counterpart shows red as blue."""


def _cameras(parent: Any, path: str, leaf: str = "") -> dict[str, tuple[str, ...]]:
    if not hasattr(parent, "keys"):
        return {}
    names = [n for n in sorted(parent) if not leaf or leaf in parent[n]]
    arrays = {n: parent[n][leaf] if leaf else parent[n] for n in names}
    names = [n for n, a in arrays.items() if not hasattr(a, "dtype") or odd_camera(n, a, unit_of(a)) is None]
    return {IMAGES + camera_name(n): (f"{path}/{n}{'/' if leaf else ''}{leaf}",) for n in names}


# --- ALOHA and ACT ---------------------------------------------------------------------------------------------------


def _is_aloha(file: Any) -> bool:
    return "action" in file and "observations/qpos" in file


def _aloha(file: Any, place: str, path: str) -> LayoutEpisode:
    del place, path
    width = file["observations/qpos"].shape[-1]
    arms = tuple(
        f"{side}_{part}" for side in ("left", "right") for part in (*(f"joint_{i}" for i in range(6)), "gripper")
    )
    names = {f"/{p}": arms for p in ("action", "observations/qpos", "observations/qvel", "observations/effort")}
    layout, note = _aloha_colours(file)
    return LayoutEpisode(
        "aloha",
        fps=Fraction(50),
        anchor="action",
        attrs={"sim": attribute(file.attrs, "sim")} if "sim" in file.attrs else {},
        features={
            **role("observation.state", file, "observations/qpos"),
            **role("action", file, *("action", "base_action")[: 2 if "base_action" in file else 1]),
            **_cameras(file.get("observations/images"), "/observations/images"),
        },
        notes=(assumed_rate(50, "ALOHA's recorders step by 20 ms"), *note),
        is_rate_assumed=True,
        names=names if width == len(arms) else {},
        pixel_layouts={"/observations/images": layout},
        outside=("compress_len",),
    )


def _aloha_colours(file: Any) -> tuple[PixelLayout, tuple[tuple[str, str], ...]]:
    """How its JPEG frames are stored, and a note that says so where the file leaves it open.

    Projects that write `compress_len` give RGB to cv2.imencode, or BGR, which makes an ordinary JPEG. Colours are
    exchanged where the pixels say so, or the file is one of act-plus-plus's simulated episodes: the simulator renders
    RGB, and its `compress_data.py` codes that at quality 50.
    """
    images = file.get("observations/images")
    coded = [a for a in images.values() if getattr(a, "ndim", 0) in (1, 2)] if hasattr(images, "values") else []
    if "compress_len" not in file or not coded:
        return PixelLayout(), ()
    found = verdict([jpeg_order(array) for array in coded])
    marks = [bool(np.all(file.attrs.get(name, False))) for name in ("sim", "compress")]
    of_act = found == "unknown" and all(marks) and all(map(is_quality_50, coded))
    why = {
        "rgb": "skin, wood and the like are warm as they are",
        "bgr": "skin, wood and the like are warm only then",
        "unknown": "pixels do not say; "
        + (
            "files of act-plus-plus's simulated episodes are"
            if of_act
            else "files with `compress_len` are of both kinds"
        ),
    }[found]
    exchanged = found == "bgr" or of_act
    done, other = ("exchanged", "rgb") if exchanged else ("left as they are", "bgr")
    text = f"red and blue of the JPEG frames are {done}: {why}; --jpeg-color {other} is the other way"
    return _RED_AND_BLUE if exchanged else PixelLayout(), (("source-assumed", text),)


# --- RoboMIND --------------------------------------------------------------------------------------------------------

_SWAPPED = ("agilex", "tienkung")
_RAW_SIZES = {720 * 1280 * 3: (1280, 720), 480 * 640 * 3: (640, 480)}
"""A few images of RoboMIND were left uncompressed."""


def _is_robomind(file: Any) -> bool:
    return "puppet" in file and "observations/rgb_images" in file


def _embodiment(file: Any, path: str) -> str:
    """From the folder h5_NAME, else from what only AgileX has."""
    found = re.search(r"h5_([a-z0-9_]+)", path.lower())
    return found[1] if found else "agilex" if "puppet/joint_position_left" in file else ""


def _robomind(file: Any, place: str, path: str) -> LayoutEpisode:
    del place
    robot = _embodiment(file, path)
    sides = [s for s in ("_left", "_right") if f"puppet/joint_position{s}" in file] or [""]
    joints = [f"joint_position{s}" for s in sides]
    lead = robot.startswith("agilex")
    states = [f"puppet/{j}" for j in joints]
    # Maintainers: AgileX is led by a master arm; of the others the next state is the action.
    action = role("action", file, *(f"master/{j}" for j in joints)) if lead else {}
    task = text_of(file["language_raw"][0]) if "language_raw" in file else ""
    return LayoutEpisode(
        "robomind",
        fps=Fraction(30),
        anchor=states[0],
        attrs={"robot": robot} if robot else {},
        features={
            **role("observation.state", file, *states),
            **(action or {"action": tuple(f"/next/{s}" for s in states)}),
            **_cameras(file["observations/rgb_images"], "/observations/rgb_images"),
        },
        notes=(assumed_rate(30, "what RoboMIND's data card says"),),
        is_rate_assumed=True,
        values={"/task": task} if task else {},
        pixel_layouts={
            "/observations/rgb_images": PixelLayout(
                "bgr" if robot.startswith(_SWAPPED) else "rgb", raw_sizes=_RAW_SIZES
            )
        },
        followed=() if action else tuple(f"/{s}" for s in states),
    )


# --- RoboTwin --------------------------------------------------------------------------------------------------------


def _is_robotwin(file: Any) -> bool:
    return "vision" in file and "data_format_version" in file and "state" in file


def _robotwin(file: Any, place: str, path: str) -> LayoutEpisode:
    del place, path
    parts = ("left_arm_joint_states", "left_ee_joint_states", "right_arm_joint_states", "right_ee_joint_states")
    there = [p for p in parts if f"state/{p}" in file and f"action/{p}" in file]
    rate = file.get("additional_info/frequency")
    texts = _texts(file["instructions"][()]) if "instructions" in file else []
    return LayoutEpisode(
        "robotwin",
        fps=stated_rate(rate[()]) if rate is not None else None,
        anchor=f"action/{there[0]}" if there else "",
        attrs={"instructions": str(len(texts))} if texts else {},
        features={
            **role("observation.state", file, *(f"state/{p}" for p in there)),
            **role("action", file, *(f"action/{p}" for p in there)),
            **_cameras(file["vision"], "/vision", "colors"),
        },
        values={"/task": texts[0]} if texts else {},
        pixel_layouts={"/vision": _RED_AND_BLUE},
        outside=("additional_info", "data_format_version", "instructions"),
    )


def _texts(value: Any) -> list[str]:
    """A JSON list of strings, or one string."""
    text = text_of(value)
    try:
        found = json.loads(text)
    except ValueError:
        return [text] if text.strip() else []
    return [str(t) for t in found if str(t).strip()] if isinstance(found, list) else [str(found)]


def _is_robotwin_older(file: Any) -> bool:
    return "joint_action" in file and "observation" in file


def _robotwin_older(file: Any, place: str, path: str) -> LayoutEpisode:
    del place
    if "joint_action/vector" in file:
        states = ["joint_action/vector"]
    else:
        states = [f"joint_action/{p}" for p in ("left_arm", "left_gripper", "right_arm", "right_gripper")]
    texts = _instructions_beside(path)
    return LayoutEpisode(
        "robotwin-older",
        anchor=states[0],
        features={
            **role("observation.state", file, *states),
            "action": tuple(f"/next/{s}" for s in states),
            **_cameras(file["observation"], "/observation", "rgb"),
        },
        values={"/task": texts[0]} if texts else {},
        pixel_layouts={"/observation": _RED_AND_BLUE},
        followed=tuple(f"/{s}" for s in states),
    )


def _instructions_beside(path: str) -> list[str]:
    """../instructions/NAME.json holds {"seen": [...], "unseen": [...]}; the seen ones are for training."""
    file = Path(path)
    found = json_beside(file.parent.parent / "instructions" / f"{file.stem}.json", file.parent.parent)
    try:
        return [str(t) for t in found["seen"]]
    except (KeyError, TypeError):
        return []


# --- DROID -----------------------------------------------------------------------------------------------------------

_DROID_HZ = 15
_SKIP = "observation/timestamp/skip_action"


def _is_droid(file: Any) -> bool:
    return "observation/robot_state" in file and "action" in file and "joint_action" not in file


def _droid(file: Any, place: str, path: str) -> LayoutEpisode:
    del place
    metadata = _metadata_beside(path)
    task = str(metadata.get("current_task") or attribute(file.attrs, "current_task")).strip()
    video_files = dict(_droid_video_files(path, metadata))
    used, inside = _used(file)
    notes = [assumed_rate(_DROID_HZ, "DROID's control rate")]
    if inside:
        text = f"{counted(inside, 'step')} in the middle with skip_action; kept, since cutting there would jump"
        notes.append(("source-incomplete", text))
    facts = stated_facts(file.attrs)
    if isinstance(metadata.get("success"), bool):
        facts["success"] = str(metadata["success"]).lower()
    return LayoutEpisode(
        "droid",
        fps=Fraction(_DROID_HZ),
        anchor="action/joint_position",
        attrs=facts,
        features={
            **role(
                "observation.state",
                file,
                *(f"observation/robot_state/{p}" for p in ("joint_positions", "gripper_position")),
            ),
            **role("action", file, "action/joint_position", "action/gripper_position"),
            **{IMAGES + name.rpartition("/")[2]: (name,) for name in video_files},
        },
        notes=tuple(notes),
        values={"/task": task} if task else {},
        video_files=video_files,
        span=used,
    )


def _metadata_beside(path: str) -> dict[str, Any]:
    for file in sorted(Path(path).parent.glob("metadata_*.json")):
        if isinstance(found := json_beside(file, file.parent), dict):
            return found
    return {}


def _droid_video_files(path: str, metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Stream name -> file of each camera, by its part in the scene where the metadata tells it."""
    parts = {str(metadata.get(f"{part}_cam_serial")): part for part in ("wrist", "ext1", "ext2")}
    for file in sorted((Path(path).parent / "recordings" / "MP4").glob("*.mp4")):
        if not file.stem.endswith("-stereo"):
            yield f"/recordings/{parts.get(file.stem, file.stem)}", str(beside(file, Path(path).parent))


def _used(file: Any) -> tuple[tuple[int, int] | None, int]:
    """(rows that are not skipped at the start and the end, skipped ones between); DROID's own loader drops them."""
    if _SKIP not in file:
        return None, 0
    kept = np.flatnonzero(~np.asarray(file[_SKIP][()], bool))
    if not kept.size:
        return None, 0
    first, stop = int(kept[0]), int(kept[-1]) + 1
    return (first, stop), stop - first - int(kept.size)


LAYOUTS = (
    Hdf5Layout("aloha", _is_aloha, whole_file, _aloha),
    Hdf5Layout("robomind", _is_robomind, whole_file, _robomind),
    Hdf5Layout("robotwin", _is_robotwin, whole_file, _robotwin),
    Hdf5Layout("robotwin-older", _is_robotwin_older, whole_file, _robotwin_older),
    Hdf5Layout("droid", _is_droid, whole_file, _droid),
)
