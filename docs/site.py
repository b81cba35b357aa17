"""The pages of the site that are made of the code, each time it is built: commands, Python, schemas, findings.

A hook of MkDocs (mkdocs.yml). Files beside docs/ that people read become pages, and links to other files of the
repository lead to where it is published.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import telecine
from telecine.cli.help.examples import EXAMPLES
from telecine.cli.help.topic_commands import TOPICS, topic_text
from telecine.cli.main import app
from telecine.core.edit.model import json_schema as edit_schema
from telecine.core.findings import CODES
from telecine.core.plan.json_schema import json_schema as plan_schema

ROOT = Path(__file__).parents[1]
BESIDE = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
"""Pages that stand at the top of the repository."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    pages = {
        "reference/commands.md": commands(),
        "reference/python.md": python(),
        "reference/plan_file.md": schema("The plan file", plan_schema(), "telecine schema > plan.schema.json"),
        "reference/edit_file.md": schema("The edit file", edit_schema(), "telecine help edit"),
        "reference/codes.md": codes(),
        "reference/topics.md": topics(),
        "agents.md": "# For coding agents\n\n" + topic("agents"),
        **{name: (ROOT / name).read_text(encoding="utf-8") for name in BESIDE},
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Links to files that are no pages lead to the repository; those of pages at its top lose their folder."""
    published = f"{config.repo_url}/blob/main/"
    if page.file.src_uri in BESIDE:
        markdown = re.sub(r"\]\(docs/", "](", markdown)
    for name in BESIDE:
        markdown = markdown.replace(f"](../{name}", f"]({name}")
    return re.sub(r"\]\(\.\./(?=(?:examples|bench|src|tests)/)", f"]({published}", markdown)


class SharedDataclasses(griffe.Extension):
    """What core/dataclass.py makes is called a dataclass, as what the standard library makes."""

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """Give it the label."""
        if any(decorator.callable_path == "telecine.core.dataclass.dataclass" for decorator in cls.decorators):
            cls.labels.add("dataclass")


class RunnableExamples(griffe.Extension):
    """Examples with `>>>` are code, not quotations, each error an item: mkdocs.yml names this for mkdocstrings."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Put each run of example lines under a heading of its own, as Google's style of docstrings has it."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"(?<=\.) (?=[A-Z]\w*Error: )", "\n    ", obj.docstring.value)
            obj.docstring.value = re.sub(
                r"(?m)^((?:>>>|\.\.\.).*(?:\n(?!\n).*)*)",
                lambda found: "Examples:\n" + re.sub(r"(?m)^", "    ", found[1]),
                obj.docstring.value,
            )


def cell(text: str) -> str:
    """A text as a cell of a table."""
    escaped = text.replace("|", "\\|").replace("<", "&lt;").replace("[", "&#91;")
    return re.sub(r"\s+", " ", escaped).strip()


def table(*rows: tuple[str, ...]) -> str:
    """A table whose first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body, ""])


def all_commands() -> Iterator[tuple[str, Any]]:
    """(what is typed after `telecine`, the command), in alphabetical order."""
    for name, command in sorted(typer.main.get_command(app).commands.items()):  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {below}", found) for below, found in sorted(inner.items()))


def commands() -> str:
    """Every command with all of its flags, as the parser has them."""
    parts = ["# Commands\n\nWhat `telecine COMMAND --help` says. Exit codes: [exit codes](../exit_codes.md).\n"]
    for words, command in all_commands():
        context = typer.Context(command, info_name=f"telecine {words}")
        parts += [f"## telecine {words}\n", f"{command.help}\n", f"```text\n{command.get_usage(context)}\n```\n"]
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *command.headings, "Options")}
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                is_flag = parameter.param_type_name == "option"
                groups[command.group_of.get(str(parameter.name), "Options") if is_flag else "Arguments"].append(record)
        for heading, records in groups.items():
            if records:
                parts.append(
                    table((heading, ""), *((f"<code>{cell(flag)}</code>", cell(text)) for flag, text in records))
                )
        examples = "\n".join(EXAMPLES[words.split()[-1]])
        parts.append(f"```bash\n{examples}\n```\n")
    return "\n".join(parts)


def python() -> str:
    """Every public name, from its docstring."""
    functions = [name for name in telecine.__all__ if name[0].islower()]
    types = [name for name in telecine.__all__ if name[0].isupper()]
    errors = [name for name in types if name.endswith("Error")]
    parts = [
        "# Python reference\n",
        "`import telecine as tc`; everything here is `tc.NAME`. [Python](../api.md) is the overview.\n",
    ]
    for heading, names in (
        ("Functions", functions),
        ("Types", [name for name in types if name not in errors]),
        ("Errors", errors),
    ):
        parts.append(f"## {heading}\n")
        parts += [f"::: telecine.{telecine._HOMES[name]}.{name}\n" for name in names]
    return "\n".join(parts)


def schema(title: str, body: dict[str, Any], command: str) -> str:
    """The keys of a file, from its JSON Schema: one table for each object in it."""
    parts = [f"# {title}\n\n{body['description']}\n\nAs JSON Schema, or in words: `{command}`.\n"]
    parts.append(keys_of(body))
    for name, definition in body.get("$defs", {}).items():
        if "properties" in definition:
            parts += [f"## {name}\n", f"{definition.get('description', '').partition(chr(10) * 2)[0]}\n"]
            parts.append(keys_of(definition))
    return "\n".join(parts)


def keys_of(definition: dict[str, Any]) -> str:
    """A table of the keys of one object."""
    needed = definition.get("required", ())
    rows = [
        (
            f"`{name}`" + (" (required)" if name in needed else ""),
            kind(body),
            f"<code>{cell(json.dumps(body['default']))}</code>" if body.get("default") is not None else "",
            cell(body.get("description", "")),
        )
        for name, body in definition["properties"].items()
    ]
    return table(("key", "value", "default", "what it says"), *rows)


def kind(body: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in body:
        name = body["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in body:
        return " or ".join(dict.fromkeys(kind(one) for one in body["anyOf"] if one.get("type") != "null"))
    if "enum" in body or "const" in body:
        return ", ".join(f"`{value}`" for value in body.get("enum", [body.get("const")]))
    if body.get("type") == "array":
        inner = body.get("items") or next(iter(body.get("prefixItems", ())), {})
        return f"list of {kind(inner) or 'values'}"
    if body.get("type") == "object":
        inner = body.get("additionalProperties")
        return f"mapping to {kind(inner)}" if isinstance(inner, dict) else "mapping"
    named = body.get("type", "")
    return " or ".join(one for one in named if one != "null") if isinstance(named, list) else str(named)


def codes() -> str:
    """Every code of findings, with where it is explained."""
    rows = [(f"[`{code}`](../findings.md#{code})", cell(meaning)) for code, meaning in CODES.items()]
    return "# All finding codes\n\n" + table(("code", "meaning"), *rows)


def topics() -> str:
    """What `telecine help TOPIC` prints, of all topics."""
    parts = ["# Help topics\n"]
    parts += [f"## {name}\n\n{what}\n\n{topic(name)}" for name, what in TOPICS.items()]
    return "\n".join(parts)


def topic(name: str) -> str:
    """What `telecine help NAME` prints."""
    return f"What `telecine help {name}` prints.\n\n```text\n{topic_text(name)}```\n"
