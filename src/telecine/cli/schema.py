"""`telecine schema`."""

from telecine.cli.exit_codes import Outcome
from telecine.cli.tables import print_json
from telecine.core.plan.model import json_schema


def run() -> Outcome:
    """Always done."""
    print_json(json_schema())
    return Outcome(True)
