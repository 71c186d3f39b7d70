"""The reference in `configs/reference/`, made from the schema of the file and the help of the command.

`python -m tests.documents` writes it anew; a test asks that it is current.
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from pipelines.cli.main import cli
from pipelines.config.schema import fleet_schema, json_schema

CONFIGS = Path(__file__).parent.parent.parent / "configs"
REFERENCE = CONFIGS / "reference"
HELP_WIDTH = 100

FILE_INTRODUCTION = """\
# The pipeline file

Every key, made from the schema of the file (`kartra-sync schema`). In an editor that knows YAML, the line
`# yaml-language-server: $schema=kartra-sync.schema.json` at the top completes and checks the same keys.
`${NAME}` stands for an environment variable, or for a line of `.env` beside the file. Paths are relative
to the file.
"""
FLEET_INTRODUCTION = """\
# The fleet file

Many accounts of one App ([guide](../fleet/README.md)). Every key, made from the schema of the file
(`kartra-sync schema --fleet`). Secrets are `${NAME}`, `${file:path}` or `${keyring:service/name}`; paths are
relative to the file. A CSV of accounts has the columns `name`, `api_key`, `api_password`, `share`, and one
for each variable.
"""
COMMAND_INTRODUCTION = """\
# The command

The help of every verb, as `kartra-sync VERB --help` prints it.
"""


def written() -> dict[Path, str]:
    """Text of each document, by its path."""
    return {
        REFERENCE / "pipeline-file.md": FILE_INTRODUCTION + "".join(_sections(json_schema())),
        REFERENCE / "fleet-file.md": FLEET_INTRODUCTION + "".join(_sections(fleet_schema())),
        REFERENCE / "command.md": COMMAND_INTRODUCTION + "".join(_verbs()),
    }


def _sections(schema: dict[str, Any]) -> Iterator[str]:
    definitions: dict[str, Any] = schema["$defs"]
    yield "\n## The file\n" + _table(schema, definitions)
    for name in _in_order(schema, definitions):
        if definitions[name].get("properties"):
            yield f"\n## {_heading(name)}\n\n{definitions[name].get('description', '').strip()}\n"
            yield _table(definitions[name], definitions)


def _in_order(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Definitions as a reader meets them: each section's own follow it."""
    order: list[str] = []

    def visit(node: object) -> None:
        for name in _references(node):
            if name not in order:
                order.append(name)
                visit(definitions[name])

    visit(schema["properties"])
    return order


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.rpartition("/")[2]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _table(model: dict[str, Any], definitions: dict[str, Any]) -> str:
    needed = model.get("required", [])
    lines = ["", "| key | value | without it | meaning |", "|---|---|---|---|"]
    for key, written_as in model["properties"].items():
        without = "needed" if key in needed else _default(written_as)
        meaning = " ".join(written_as.get("description", "").split())
        lines.append(_row(f"`{key}`", _kinds(written_as, definitions), without, meaning))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(written_as: dict[str, Any]) -> str:
    default = written_as.get("default")
    return (
        "" if default is None or default in ([], {}, "") else f"`{json.dumps(default, ensure_ascii=False)}`"
    )


def _kinds(written_as: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What may stand there, in a few words. That a variable may stand for most values is said once."""
    kinds = dict.fromkeys(_kind(one, definitions) for one in written_as.get("anyOf", [written_as]))
    return " or ".join(kind for kind in kinds if kind) or "`${NAME}`"


def _kind(one: dict[str, Any], definitions: dict[str, Any]) -> str:
    if reference := one.get("$ref"):
        name = reference.rpartition("/")[2]
        if definitions[name].get("properties"):
            return f"[{_heading(name).lower()}](#{_heading(name).lower().replace(' ', '-')})"
        return _kinds(definitions[name], definitions)
    if choices := one.get("enum"):
        named = (json.dumps(each) if isinstance(each, bool) else str(each) for each in choices)
        return " ".join(f"`{each}`" for each in dict.fromkeys(named))
    if one.get("type") == "array":
        return f"list of {_kinds(one.get('items', {}), definitions)}".removesuffix(" of ")
    if one.get("type") == "object":
        return "map"
    if "${" in one.get("pattern", "").replace("\\", "") and "type" in one and len(one) == 2:
        return ""
    types = one.get("type", [])
    named = [types] if isinstance(types, str) else list(types)
    if "string" in named:
        return "text"
    return " or ".join(name for name in named if name != "null")


def _heading(name: str) -> str:
    """`WrittenSource` is what the schema calls a source; a reader wants the noun."""
    bare = name.removeprefix("Written").removesuffix("Config").removesuffix("Options")
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in bare).strip()
    return words.capitalize()


def _verbs() -> Iterator[str]:
    root = click.Context(cli, info_name="kartra-sync", max_content_width=HELP_WIDTH)
    yield from _helped(cli, root)


def _helped(command: click.Command, context: click.Context) -> Iterator[str]:
    context.terminal_width = HELP_WIDTH
    helped = command.get_help(context).replace(version("kartra-sync"), "VERSION").rstrip()
    if context.parent is not None:
        yield f"\n## {context.command_path.removeprefix('kartra-sync ')}\n\n```text\n{helped}\n```\n"
    if isinstance(command, click.Group) and context.info_name != "call":
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _helped(inner, click.Context(inner, info_name=name, parent=context))
