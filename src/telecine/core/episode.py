"""A recording resampled to a grid."""

from collections.abc import Mapping
from dataclasses import field, replace

import pyarrow as pa

from telecine.core.dataclass import dataclass
from telecine.core.findings import Finding
from telecine.core.grid import Grid
from telecine.core.label import Label
from telecine.core.naming import MOST_NAMED
from telecine.core.recording import CameraCalibration, LeftOut, Ref
from telecine.core.video import Clip


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One feature of the dataset that is stored in Parquet: an entry of info.json's `features`.

    dtype: LeRobot's name: float32, float64, int8..int64, uint8..uint64, bool, string; language for the two columns of
        labels (core/labels/columns.py).
    shape: of one row; (1,) is stored as a scalar column, (n,) as fixed_size_list, more dims as nested lists.
    """

    key: str
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """How one stream served one feature: the age of the samples that rows got, and what was odd."""

    key: str
    stream: str
    samples: int
    """Samples the stream holds inside the episode's span."""
    rate_hz: float
    age_median_ns: int
    age_p99_ns: int
    age_max_ns: int
    gaps: int
    duplicates: int
    dropped: int
    """Samples inside the span that no row shows."""
    repeated: int
    """Rows that show the sample of the row before."""
    shifted: int = 0
    """Rows that show another frame than the aligned one, so that more can be copied."""
    shifted_ns: int = 0
    """How far the farthest of them is from the time of its row."""


@dataclass(frozen=True, slots=True)
class EpisodeFacts:
    """What is known of a whole episode beside its rows; stored in meta/episodes and in the provenance.

    success: whether it went well; None: unknown. outcome: a word for how it ended, such as "success", "failed",
        "interrupted". error_cause: why it failed or was interrupted. tags: in the order given, each once.
    recording: the file it came from and the recording in it, without folders. part: which of the episodes of that
        recording, from 0; None when it is all of it.
    """

    success: bool | None = None
    outcome: str | None = None
    error_cause: str | None = None
    interrupted: bool = False
    tags: tuple[str, ...] = ()
    recording: str | None = None
    part: int | None = None


NO_FACTS = EpisodeFacts()
MOST_ELEMENTS = MOST_NAMED
"""Of a feature's last axis: LeRobot keeps ten statistics of each element for every episode."""


@dataclass(frozen=True, eq=False, slots=True)
class Episode:
    """One episode, ready for `DatasetWriter.add`.

    rows: grid.count rows; one column per `columns` entry in that order with LeRobot's Arrow type (scalar for shape
        (1,), fixed_size_list for (n,), nested lists otherwise), then `timestamp` (float32, i / fps) and `task`
        (string). No nulls, no NaN.
    clips: one per camera, each with clip.frames - clip.preroll >= grid.count frames.
    """

    ref: Ref
    grid: Grid
    rows: pa.Table
    columns: tuple[FeatureColumn, ...]
    clips: tuple[Clip, ...] = ()
    uses: tuple[Use, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    facts: EpisodeFacts = NO_FACTS
    """What the recording, or the span of the plan, states of the whole episode."""
    source_digest: str | None = None
    """Hex SHA-256 of the recording's files; None when it has none, as on a server, or it was not computed."""
    plan_digest: str | None = None
    calibrations: Mapping[str, CameraCalibration] = field(default_factory=dict)
    """Camera's key -> how it sees; of cameras that the recording describes."""
    left_out: tuple[LeftOut, ...] = ()
    """The streams of its recording that no feature uses."""
    labels: tuple[Label, ...] = ()
    """What spans of its rows are; the writer makes columns of them."""
    label_styles: tuple[str, ...] = ()
    """Styles that have their columns even where no row has a label of them."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The different task texts, in order of first use."""
        return tuple(dict.fromkeys(self.rows.column("task").to_pylist()))


def recording_name(ref: Ref) -> str:
    """What a dataset calls a recording: the name of its file, without folders of this machine, and the id in it.

    >>> recording_name(Ref("hdf5", "/data/monday.hdf5", "/data/demo_3"))
    'monday.hdf5#/data/demo_3'
    """
    name = ref.path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return replace(ref, path=name, part=None).label
