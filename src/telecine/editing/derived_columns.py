"""What the columns that an edit computes are: their expressions checked, and tried on the first episode."""

from collections.abc import Sequence

import numpy as np

from telecine.core.derive.derived import check_derived, column_of, compute, meanings_of
from telecine.core.derive.episode import meanings, numbers_of
from telecine.core.derive.functions import RowBlock, Toolbox
from telecine.core.episode import FeatureColumn
from telecine.core.errors import EditError, PlanError
from telecine.core.plan.derived import Derived
from telecine.dataset.reader import Dataset
from telecine.lerobot_format.schema import LEAVES


def derived_columns(derived: Sequence[Derived], dataset: Dataset, tools: Toolbox) -> tuple[FeatureColumn, ...]:
    """The columns, in order. Raises: EditError naming the one that cannot be computed; DatasetError."""
    numeric = [c for c in dataset.features if c.dtype in LEAVES and c.dtype != "string" and len(c.shape) == 1]
    try:
        check_derived(derived, [c.key for c in numeric], tools)
        table = dataset.rows(0, [c.key for c in numeric])
        rows = RowBlock(np.zeros(1, np.int64), table.num_rows, dataset.fps, tools.robot)
        made = compute(derived, numbers_of(table, numeric), rows, tools)
        about = meanings_of(derived, meanings(numeric), tools)
        return tuple(
            column_of(one, made[one.key].shape[1], str(made[one.key].dtype), about[one.key]) for one in derived
        )
    except PlanError as error:
        raise EditError(f"features.add: {error}") from error
