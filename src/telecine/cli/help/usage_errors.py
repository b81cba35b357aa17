"""A mistake in a command line is one sentence with what to type instead, as all errors are."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from telecine.cli.help.command import argument_name
from telecine.cli.help.examples import EXAMPLES

_USAGE_ERROR: type[Any] = typer.BadParameter.__mro__[1]
"""Of click, or of the copy of it that newer versions of typer have."""
_WRONG = 2
_SAID = (
    (r"Input should be a valid integer.*", "a whole number is needed"),
    (r"Input should be a valid number.*", "a number is needed"),
    (r"Input should be ", "it should be "),
    (r"is not a valid integer(?: range)?", "is not a whole number"),
    (r"is not a valid float(?: range)?", "is not a number"),
    (r"Value error, ", ""),
    (r"\.$", ""),
)
"""What the library's parser says, of whichever version, and what is said instead."""


class Program(TyperGroup):
    """The program with all its commands."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """As the library does, with mistakes in one sentence."""
        with _one_sentence("telecine"):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """As the library does, with mistakes in one sentence."""
        with _one_sentence("telecine", ctx):
            return super().invoke(ctx)


@contextmanager
def _one_sentence(command: str, ctx: Any = None) -> Iterator[None]:
    """command: the words that led here; ctx: where the word behind them will be known once it is looked up."""
    try:
        yield
    except _USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        inside = "" if ctx is None or ctx.invoked_subcommand is None else f" {ctx.invoked_subcommand}"
        from telecine.core.text.visible import visible

        typer.echo(f"error: {visible(sentence(error, command + inside))}", err=True)
        raise typer.Exit(_WRONG) from error


def sentence(error: Any, command: str) -> str:
    """What is wrong, and what to type.

    error: a UsageError of the library. command: where it was made, unless it knows that itself.
    """
    from telecine.core.text.documents import suggest  # what it loads, help does without

    ctx = error.ctx
    command = command if ctx is None else _path(ctx)
    help_of = f"`{command} {'--help' if command == 'telecine' else '-h'}`"
    said = str(error.message)
    match type(error).__name__:
        case "NoSuchOption":
            near = suggest(error.option_name, _options(ctx))
            return f"{command} has no option {error.option_name}{near or f'; {help_of} lists what it has'}"
        case "MissingParameter":
            example = EXAMPLES.get(str(ctx.command.name), (f"{command} -h",))[0]
            return f"{_hint(error)} is missing; for example `{example}`"
        case "BadParameter" if error.param is not None:
            for theirs, ours in _SAID:
                said = re.sub(theirs, ours, said)
            return f"{_hint(error)}: {said}" + ("" if ";" in said else f"; {help_of} says what it takes")
        case "BadParameter":
            return said
    if found := re.match(r"No such command '(.*?)'", said):
        known = ctx.command.list_commands(ctx)
        return f"{command} has no command {found[1]!r}{suggest(found[1], known) or f'; {help_of} lists what it has'}"
    if found := re.match(r"Option '(.*?)' requires an argument", said):
        return f"{found[1]} needs a value behind it; {help_of} says which"
    if found := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", said):
        return f"{command} does not know what {found[1]!r} is for; {help_of} says what it takes"
    return f"{said.rstrip('.')}; {help_of} says what it takes"


def _path(ctx: Any) -> str:
    """The words that lead to the command, such as "telecine record sim", however the program was started."""
    names: list[str] = []
    while ctx.parent is not None:
        names, ctx = [str(ctx.info_name), *names], ctx.parent
    return " ".join(["telecine", *names])


def _options(ctx: Any) -> list[str]:
    return [name for parameter in ctx.command.params for name in parameter.opts if name.startswith("--")]


def _hint(error: Any) -> str:
    """The flag, or the argument as `--help` names it."""
    param = error.param
    if param.param_type_name == "option":
        return str(param.opts[0])
    return argument_name(param)
