"""Files of metadata read with a finding for what cannot be read."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from telecine.dataset.verify.finding_log import FindingLog
from telecine.lerobot_format.metadata import CAMERA_DTYPES, DatasetMeta
from telecine.lerobot_format.possible import NUMBERS, refuse_constant

UNREADABLE = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What reading damaged Parquet raises; names and texts that are no UTF-8 among it."""


def read_json(root: Path, path: str, log: FindingLog) -> dict[str, Any] | None:
    """A JSON object, or None with a finding."""
    try:
        content = json.loads((root / path).read_text(encoding="utf-8"), parse_constant=refuse_constant)
    except FileNotFoundError:
        log.error("verify-structure", path, "the file is missing")
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.error("verify-structure", path, f"cannot be read as JSON: {error}")
        return None
    if not isinstance(content, dict):
        log.error("verify-structure", path, f"holds {type(content).__name__}, expected an object")
        return None
    return content


def read_table(root: Path, path: str, log: FindingLog, columns: list[str] | None = None) -> pa.Table | None:
    """A Parquet table, or None with a finding."""
    try:
        with pq.ParquetFile(root / path) as file:
            table = file.read(columns, use_threads=False)
            table.validate(full=True)
            return table
    except FileNotFoundError:
        log.error("verify-structure", path, "the file is missing")
    except UNREADABLE as error:
        log.error("verify-structure", path, f"cannot be read as Parquet: {error}")
    return None


def measured(metadata: DatasetMeta) -> tuple[str, ...]:
    """Keys of the features that have statistics."""
    return tuple(k for k, f in metadata.features.items() if f.dtype in NUMBERS | CAMERA_DTYPES)
