"""The lag of whatever lies at a path, for those that have no proposal yet: a dataset's page, the viewer."""

from dataclasses import replace
from pathlib import Path

from telecine.inspection.lag import measure_lag, spread
from telecine.inspection.lag_row import LagRow
from telecine.inspection.recordings import inspect_found
from telecine.run.executor import Executor, serial
from telecine.sources import registry


def lag_rows(path: str | Path, *, executor: Executor = serial) -> tuple[LagRow, ...]:
    """A row for each camera and for the action of the recordings, or of the dataset, at `path`.

    Raises: SourceError when there are none.
    """
    found = registry.find([str(path)])
    chosen = replace(found, refs=spread(found.refs))
    return measure_lag(chosen.refs, inspect_found(chosen, executor).proposal, executor=executor)
