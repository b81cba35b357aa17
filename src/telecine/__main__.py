"""`python -m telecine`."""

from telecine.cli.main import main

main()
