"""What all commands have: `-h`, `-q`, `-v`, options under headings where there are many, and examples in `--help`."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from telecine.cli.help.examples import EXAMPLES
from telecine.cli.screen import loudness

_KINDS = {"str": "TEXT", "list[str]": "TEXT", "list[Path]": "PATH", "path": "PATH", "int": "N", "float": "NUMBER"}
"""What newer versions of typer call a value after its type in Python, and what it is called for people."""

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong, and the result.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say every remark, and show all rows of tables.")]


class ExplainedCommand(TyperCommand):
    """A command whose `--help` ends with examples, and whose options stand under headings."""

    group_of: Mapping[str, str] = {}
    """Parameter -> heading; without any, all options stand under one."""
    headings: Sequence[str] = ()

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name: arguments by the names that they have everywhere."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return ["[OPTIONS]", *(argument_name(p) if p.required else f"[{argument_name(p)}]" for p in arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options by heading, then examples."""
        groups: dict[str, list[tuple[str, str]]] = {h: [] for h in ("Arguments", *self.headings, "Options")}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_flag = parameter.param_type_name == "option"
                heading = self.group_of.get(str(parameter.name), "Options") if is_flag else "Arguments"
                groups[heading].append((_kind(record[0]) if is_flag else argument_name(parameter), record[1]))
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        with formatter.section("Examples"):
            for line in EXAMPLES[str(self.name)]:  # not wrapped: it can be pasted
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def argument_name(parameter: Any) -> str:
    """What help and errors call an argument."""
    return str(getattr(parameter, "metavar", None) or parameter.name).upper()


def _kind(flag: str) -> str:
    """The flag's names as help lists them, with what its value is."""
    return re.sub(r"<([\w\[\]]+)(?: range)?>", lambda kind: _KINDS.get(kind[1], kind[0]), flag)


def add(
    app: typer.Typer, cls: type[ExplainedCommand] = ExplainedCommand
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command of `app` that has `-q` and `-v` besides its own flags."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def called(*, quiet: bool, verbose: bool, **given: Any) -> None:
            loudness.choose(quiet=quiet, verbose=verbose, json=bool(given.get("json")))
            function(**given)

        own = inspect.signature(function)
        kind = inspect.Parameter.KEYWORD_ONLY
        more = [
            inspect.Parameter(name, kind, default=False, annotation=annotation)
            for name, annotation in (("quiet", Quiet), ("verbose", Verbose))
        ]
        given = [p.replace(kind=kind) for p in own.parameters.values()]
        called.__signature__ = own.replace(parameters=[*given, *more])  # type: ignore[attr-defined]
        called.__annotations__ = {**function.__annotations__, "quiet": Quiet, "verbose": Verbose}
        return app.command(cls=cls)(called)

    return decorate
