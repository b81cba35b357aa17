"""`python -m telecine.recorder.isaac SCRIPT`: runs a script of Isaac Lab with the handler. Also as a function."""

import sys


def main() -> int:
    """Run the script that the command line names; its exit code. What is not installed is reported first."""
    if not {"-h", "--help"} & set(sys.argv):
        from telecine.recorder.isaac.needs import stop_if_missing

        stop_if_missing()
    from telecine.recorder.isaac.install import main as run_script

    return run_script(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
