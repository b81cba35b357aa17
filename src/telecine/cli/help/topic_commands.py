"""`telecine help [TOPIC]` and `telecine completion SHELL`."""

from typing import Annotated, Any, Literal

import typer

from telecine.cli.help.command import add

TOPICS = {
    "plan": "what a conversion takes from recordings, and how it resamples",
    "edit": "edit files, and what --where and the other flags of `edit` take",
    "formats": "which recordings are read, and the extra that each needs",
    "agents": "how programs drive telecine: --json, exit codes, findings",
    "exit-codes": "what 0, 1, 2 and 130 mean, for scripts",
}


COMPLETION = "_TELECINE_COMPLETE"
"""The variable by which a shell asks for completions."""


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    _help(app)
    _completion(app)


def prepare_completion() -> None:
    """Make shells known, which takes time that no other call needs."""
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()


def topic_text(topic: str) -> str:
    """The text of a topic."""
    from importlib.resources import files

    return (files("telecine.cli.help") / "topics" / f"{topic}.txt").read_text(encoding="utf-8")


def _help(app: typer.Typer) -> None:
    @add(app)
    def help(  # noqa: A001 - the command's name
        ctx: typer.Context,
        topic: Annotated[
            str | None, typer.Argument(metavar="TOPIC|COMMAND", help=f"{', '.join(TOPICS)}; or a command.")
        ] = None,
    ) -> None:
        """Explain a topic, or a command.

        Without one, lists both.
        """
        if topic in TOPICS:
            typer.echo(topic_text(topic), nl=False)
            return
        assert ctx.parent is not None
        program: Any = ctx.parent.command
        if topic is None:
            typer.echo(program.get_help(ctx.parent))
            typer.echo("\nTopics:")
            for name, what in TOPICS.items():
                typer.echo(f"  {name:<12}{what}")
            return
        found = program.get_command(ctx.parent, topic)
        if found is None:
            known = ", ".join(dict.fromkeys([*TOPICS, *program.commands]))
            raise typer.BadParameter(f"neither a topic nor a command: {topic!r}; there are {known}")
        typer.echo(found.get_help(type(ctx)(found, info_name=topic, parent=ctx.parent)))


def _completion(app: typer.Typer) -> None:
    @add(app)
    def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Which one.")]) -> None:
        """Print what makes a shell complete commands and flags."""
        from typer.completion import get_completion_script  # type: ignore[attr-defined]

        made = get_completion_script(prog_name="telecine", complete_var=COMPLETION, shell=shell)  # nosec B604  # its name
        typer.echo(made)
