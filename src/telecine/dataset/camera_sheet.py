"""The picture of a dataset's cameras that its card shows, made when the dataset is.

It is decoration: that it cannot be made is a finding, never an error.
"""

from pathlib import Path

from telecine.core.errors import TelecineError
from telecine.core.findings import Finding
from telecine.dataset.reader import open_dataset
from telecine.lerobot_format.paths import SHEET


def write_sheet(root: Path) -> list[Finding]:
    """Write all cameras beside one another, in the middle of the first episode or at the last keyframe before it.

    What is there is replaced, in one step. Returns: why there is none, where it could not be made.
    """
    from telecine.dataset.camera_frames import sheet_of  # not before the dataset is made

    new = root / f"{SHEET}.new"
    try:
        picture = sheet_of(open_dataset(root))
        if picture is not None:
            new.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(picture)
            new.replace(root / SHEET)
    except (TelecineError, OSError, ValueError, LookupError, MemoryError) as error:
        return [no_sheet(str(error).replace(f"{root}/", "") or type(error).__name__)]
    finally:
        new.unlink(missing_ok=True)
    return []


def no_sheet(why: str) -> Finding:
    """What is told of a dataset that got no picture of its cameras."""
    return Finding("card-cameras", "warning", SHEET, f"the card shows no cameras: {why}", "`telecine push` tries again")
