"""The table of flags as typer's parameters, and `--help` in groups."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from telecine.cli.help.command import ExplainedCommand
from telecine.commands.flag_table import GROUPS, OUTPUT, RUNNING, TAKE, PlanFlags, RunFlags

_GROUPS = {"plan": TAKE, "catalog_url": TAKE, "dataset_name": TAKE, "dry_run": RUNNING, "json": OUTPUT}
_GROUPS |= {"fail_on": RUNNING, "help": RUNNING, "quiet": OUTPUT, "verbose": OUTPUT}
"""Of flags that are not in the table."""


class GroupedCommand(ExplainedCommand):
    """Lists options under the heading of their group, in the order of the table."""

    group_of = {f.name: str(f.metadata["group"]) for f in (*fields(PlanFlags), *fields(RunFlags))} | _GROUPS
    headings = GROUPS


def convert_signature(**own: Any) -> inspect.Signature:
    """The parameters of `convert`: its own, by name and annotation, and those of the table.

    The first is an argument and required; the others are options that may be missing.
    """
    first, *others = own.items()
    parameters = [_parameter(first[0], first[1], inspect.Parameter.empty)]
    for name, annotation in others:
        parameters.append(_parameter(name, annotation, False if get_args(annotation)[0] is bool else None))
    for table in (PlanFlags, RunFlags):
        hints = get_type_hints(table)
        parameters += [_of_flag(flag, hints[flag.name]) for flag in fields(table)]
    return inspect.Signature(parameters)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _of_flag(flag: "Field[Any]", hint: Any) -> inspect.Parameter:
    more = {key: value for key, value in flag.metadata.items() if key not in ("group", "negative")}
    if "parser" in more:
        more["parser"] = _told(more["parser"])
    name = f"--{flag.name.replace('_', '-')}"
    names = [name] if hint is bool and not flag.metadata.get("negative") else []
    return _parameter(flag.name, Annotated[_kind(hint), typer.Option(*names, **more)], flag.default or _none(hint))


def _told(parser: Callable[[str], Any]) -> Callable[[str], Any]:
    """The parser, whose own words are shown: of a ValueError, older versions of typer show the value alone."""

    @wraps(parser)
    def parse(text: str) -> Any:
        try:
            return parser(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse


def _none(hint: Any) -> Any:
    return False if hint is bool else None


def _kind(hint: Any) -> Any:
    """What typer can parse: the first kind that is not None, several texts as a list."""
    if get_origin(hint) is Literal or hint is bool:
        return hint
    if get_origin(hint) is Sequence:
        return list[str] | None
    first = get_args(hint)[0]
    return first | None
