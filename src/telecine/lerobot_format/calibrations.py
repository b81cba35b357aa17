"""meta/telecine/cameras.json: how the cameras of a dataset see, by camera and recording.

    {"observation.images.front": [{"recordings": ["a.mcap", ...], "width": 640, "height": 480, "intrinsics": [9 floats],
      "distortion_model": "plumb_bob", "distortion": [...], "extrinsics": [16 floats], "frame": "base_link"}, ...]}

Recordings in which a camera has the same calibration share an entry. Units and orders are those of `CameraCalibration`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from telecine.core.data.serialize import from_plain, to_plain
from telecine.core.errors import DatasetError
from telecine.core.recording import CameraCalibration
from telecine.lerobot_format import paths

Calibrations = dict[str, dict[str, CameraCalibration]]
"""Camera's key -> recording, as `EpisodeFacts` names it -> calibration."""


def read_calibrations(root: Path) -> Calibrations:
    """The calibrations of the dataset at `root`, none without the file. Raises: DatasetError when it is damaged."""
    path = root / paths.CAMERAS
    if not path.is_file():
        return {}
    found: Calibrations = {}
    try:
        for key, entries in json.loads(path.read_text(encoding="utf-8")).items():
            for entry in entries:
                recordings = entry.pop("recordings")
                found.setdefault(key, {}).update(dict.fromkeys(recordings, from_plain(CameraCalibration, entry)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: cannot be read: {error!r}; remove it to go on without calibrations") from error
    return found


def write_calibrations(folder: Path, calibrations: Mapping[str, Mapping[str, CameraCalibration]]) -> None:
    """Write the file below `folder`; none when there is nothing to say. Raises: OSError."""
    content = {key: _entries(own) for key, own in calibrations.items() if own}
    if content:
        (folder / paths.CAMERAS).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _entries(own: Mapping[str, CameraCalibration]) -> list[dict[str, Any]]:
    recordings: dict[CameraCalibration, list[str]] = {}
    for recording, calibration in own.items():
        recordings.setdefault(calibration, []).append(recording)
    return [{"recordings": names, **to_plain(calibration)} for calibration, names in recordings.items()]
