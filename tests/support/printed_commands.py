"""The commands that a text prints, wherever in it they stand, and whether telecine knows them with their flags."""

import re
import shlex

import typer

from telecine.cli import main

PROGRAM = typer.main.get_command(main.app)
_PRINTED = re.compile(
    r"""^[ ]+(?P<alone>(?:telecine|lerobot-train|pip[ ]install)[ ]\S.*?)(?:[ ]{2,}.*)?$  # on a line of its own
      | `(?P<marked>telecine[ ][^`]+[ ][^`]+)`               # in a sentence; without arguments it is a name
      | (?<!Usage):[ ](?P<ends>(?:telecine[ ][a-z]+|pip[ ]install)[ ].*)$                           # at the end of one
    """,
    re.MULTILINE | re.VERBOSE,
)
_NAMED = re.compile(r"(?:^|[\s`'\"(:])(?:telecine) (?P<rest>[a-z][^`\n]*)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_PROSE = {"is", "has", "reads", "does", "and", "or", "of", "to", "version", "sees", "wrote", "makes", "writes", "in"}


def commands(text: str) -> list[str]:
    """Every command that can be copied out of a text, in order, each once."""
    found = (m["alone"] or m["marked"] or m["ends"] for m in _PRINTED.finditer(text))
    return list(dict.fromkeys(command.strip() for command in found))


def parse(command: str) -> None:
    """Raises for a command of telecine that its own parser does not take."""
    words = shlex.split(command)
    assert words.pop(0) == "telecine", command
    found = PROGRAM
    while name := (words[0] if words and words[0] in getattr(found, "commands", {}) else ""):
        found = found.commands[name]
        words.pop(0)
    assert found is not PROGRAM, command
    found.make_context(found.name, words)


def problems(text: str) -> list[str]:
    """What is wrong with commands that a text names: no such command, or a flag that it does not have."""
    found = []
    for match in _NAMED.finditer(text):
        words = re.split(r"&&|\||;|\btelecine\b|#", match["rest"])[0].split()
        command = PROGRAM.commands.get(words[0])
        if command is None:
            if words[0] in _PROSE or not _FLAG.search(" ".join(words)):
                continue
            found.append(f"no command: telecine {' '.join(words)}")
            continue
        if len(words) > 1 and words[1] in getattr(command, "commands", {}):
            command = command.commands[words[1]]
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        known |= {"--help", "--version"}
        found += [f"{flag}: telecine {' '.join(words)}" for flag in _FLAG.findall(" ".join(words)) if flag not in known]
    return found
