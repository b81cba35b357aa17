"""`telecine schema`."""

from telecine.cli.exit_codes import Outcome
from telecine.cli.screen.tables import print_json
from telecine.commands.schema import schema


def run() -> Outcome:
    """Always done."""
    print_json(schema())
    return Outcome(True)
