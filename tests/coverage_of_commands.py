"""Which command of Kartra's API is reachable how, read from the code: `python -m tests.coverage_of_commands`.

Prints a table in Markdown. A cell is a fact found by reading the sources, or the reason why there is none.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import click

from connectors.kartra import KartraClient
from connectors.kartra.commands import REPEAT
from connectors.kartra.sandbox import commands as served
from connectors.kartra.sandbox import lead_commands
from pipelines.cli.call import call

COMMANDS = ("get_lead", *REPEAT)
ROOT = Path(__file__).parents[1]
COLUMNS = ("client method", "sandbox", "load, pull, operations", "call", "tests")
ELSEWHERE = (
    "cli.call",
    "cli.call_arguments",
    "cli.call_answer",
    "verbs.bench",
    "verbs.doctor",
    "verbs.probes",
)
"""Modules that serve `call`, which has a column of its own, or the doctor, who tries every command it can."""

REASONS: Mapping[str, Mapping[str, str]] = {
    "load, pull, operations": {
        "search_lead": "`get_lead` tells more for the same one call",
        "search_transaction": "`get_transaction_details` tells more for the same one call",
        "search_subscription": "`get_subscription_details` tells more for the same one call",
    }
}
"""Why a cell is empty."""


def table() -> dict[str, dict[str, str]]:
    """Per command its cells; an empty one has neither a fact nor a reason."""
    by_hand = click.Context(call)
    found = {
        "client method": {cmd: f"`{cmd}()`" for cmd in COMMANDS if hasattr(KartraClient, cmd)},
        "sandbox": _served(),
        "load, pull, operations": {cmd: ", ".join(sorted(used)) for cmd, used in _used().items()},
        "call": {cmd: f"`call {cmd}`" for cmd in COMMANDS if call.get_command(by_hand, cmd)},
        "tests": {
            cmd: f"{sum(files.values())} in {len(files)} files" for cmd, files in _tested().items() if files
        },
    }
    return {
        cmd: {
            column: found[column].get(cmd) or _reason(REASONS.get(column, {}).get(cmd)) for column in COLUMNS
        }
        for cmd in COMMANDS
    }


def markdown() -> Iterator[str]:
    yield f"| command | {' | '.join(COLUMNS)} |"
    yield f"|---{'|---' * len(COLUMNS)}|"
    for cmd, cells in table().items():
        yield f"| `{cmd}` | {' | '.join(cells.values())} |"


def _reason(reason: str | None) -> str:
    return f"– ({reason})" if reason else ""


def _served() -> dict[str, str]:
    handlers: dict[str, Callable[..., object]] = {
        **served.LEAD_COMMANDS,
        **served.LEAD_BOUND,
        **served.LEADLESS,
        "get_lead": lead_commands.get_lead,
    }
    return {
        **{cmd: handler.__module__.rpartition(".")[2] for cmd, handler in handlers.items()},
        **dict.fromkeys(served.INVENTORIES, "commands"),
    }


def _used() -> dict[str, set[str]]:
    """Modules of `pipelines/` that build a command: `commands.x`, an imported builder, `Call(get_lead=…)`."""
    modules = {f"{path.parent.name}.{path.stem}": path for path in sorted((ROOT / "pipelines").rglob("*.py"))}
    built = {name: set(_built(_tree(path))) for name, path in modules.items() if name not in ELSEWHERE}
    return {cmd: {module for module, cmds in built.items() if cmd in cmds} for cmd in COMMANDS}


def _built(tree: ast.AST) -> Iterator[str]:
    is_dynamic = False
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="commands"), attr=name):
                yield name
            case ast.ImportFrom(module="connectors.kartra.commands", names=names):
                yield from (one.name for one in names)
            case ast.keyword(arg="get_lead"):
                yield "get_lead"
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name(id="commands"), *_]):
                is_dynamic = True
    if is_dynamic:  # builders by name: the names stand in the module
        yield from _constants(tree)


def _tested() -> dict[str, dict[str, int]]:
    """Per command, per file of tests: how many tests speak of it. A table beside the tests counts as one."""
    counts: dict[str, dict[str, int]] = {cmd: {} for cmd in COMMANDS}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        parts = [set(_mentioned(node)) for node in ast.iter_child_nodes(_tree(path))]
        for cmd in COMMANDS:
            if count := sum(cmd in mentioned for mentioned in parts):
                counts[cmd][path.stem] = count
    return counts


def _mentioned(tree: ast.AST) -> Iterator[str]:
    yield from _constants(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.ImportFrom(names=names):
                yield from (one.name for one in names)


def _constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split(maxsplit=1)[:1]


@cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text("utf-8"))


if __name__ == "__main__":
    for line in markdown():
        print(line)
