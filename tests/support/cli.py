"""The command line in this process."""

from typer.testing import CliRunner

from telecine.cli.main import app


def telecine(*arguments):
    """(exit code, standard output, standard error)."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr
