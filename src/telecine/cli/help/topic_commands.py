"""`telecine help [TOPIC]` and `telecine completion SHELL`."""

from typing import Annotated, Any, Literal

import typer

from telecine.cli.help.command import add
from telecine.cli.help.pages import about, words

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
            list[str] | None,
            typer.Argument(metavar="[TOPIC|COMMAND|WORD]", help=f"{', '.join(TOPICS)}; a command, a format, any word."),
        ] = None,
    ) -> None:
        """Explain a topic, a command, or any word.

        Without one, lists topics and commands.
        """
        assert ctx.parent is not None
        program: Any = ctx.parent.command
        if not topic:
            typer.echo(program.get_help(ctx.parent))
            typer.echo("\nTopics:")
            for name, what in TOPICS.items():
                typer.echo(f"  {name:<12}{what}")
            return
        text = _explained(ctx.parent, program, " ".join(topic).lower())
        if not text:
            from telecine.core.text.documents import suggest

            known = dict.fromkeys([*TOPICS, *program.commands])
            near = suggest(topic[-1], [*known, *words(topic_text("formats"))])
            text = f"neither a topic nor a command: {' '.join(topic)!r}{f'{near} There' if near else '; there'}"
            raise typer.BadParameter(f"{text} are {', '.join(known)}")
        typer.echo(text, nl=False)


def _explained(parent: Any, program: Any, asked: str) -> str:
    """What there is to say of a topic, a command or a word; "" where that is nothing."""
    if (topic := asked.replace("_", "-").replace(" ", "-")) in TOPICS:
        return topic_text(topic)
    group = program.commands["record"]
    for name, command in (*program.commands.items(), *((f"record {name}", c) for name, c in group.commands.items())):
        if asked in (name, name.removeprefix("record ")):
            context = type(parent)(command, info_name=name, parent=parent)
            return f"{command.get_help(context)}\n"
    return about(asked, topic_text("formats"))


def _completion(app: typer.Typer) -> None:
    @add(app)
    def completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="Which one.")]) -> None:
        """Print what makes a shell complete commands and flags."""
        from typer.completion import get_completion_script  # type: ignore[attr-defined]

        made = get_completion_script(prog_name="telecine", complete_var=COMPLETION, shell=shell)  # nosec B604  # its name
        typer.echo(made)
