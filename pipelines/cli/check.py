"""The verb `check`: a pipeline file, its source, and the names in Kartra that it uses."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from connectors.errors import ConfigError, lines_of
from pipelines.changes.inventory import missing_json, missing_message
from pipelines.cli.exits import DONE, USAGE, code_of
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, print_lines, print_next
from pipelines.contacts.held_back import blocked_json, held_back_lines, unclear_json, unclear_lines
from pipelines.verbs.check import Checked, check_files
from pipelines.words.numbers import counted


@click.command(epilog="Example:  kartra-sync check newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@common
def check(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Check pipeline files: syntax, columns, every row and, with credentials, the names in Kartra."""
    found = check_files(files, os.environ)
    if as_json:
        print_json({"ok": all(checked.ok for checked in found), "files": [*map(_json, found)]})
    else:
        for checked in found:
            print_lines(_lines(checked))
        if len(found) == 1 and found[0].ok and found[0].problem is None:
            print_next(f"next: kartra-sync plan {found[0].file}")
    return max(map(_code, found))


def _code(checked: Checked) -> int:
    if checked.problem is not None:
        return code_of(checked.problem)
    return USAGE if checked.missing else DONE


def _lines(checked: Checked) -> Iterator[str]:
    if checked.problem is not None:
        yield from _problems(checked)
    else:
        yield f"{checked.file}: {'ok' if checked.ok else 'not ok'}, {counted(checked.records, 'record')}"
    for note in checked.notes:
        yield f"  {note}"
    for reason, count in checked.invalid.most_common():
        yield f"  {count:,} invalid: {reason}"
    if checked.blocked:
        yield f"  {checked.blocked:,} without consent, opted out or forgotten"
        yield from held_back_lines(checked.held_back)
    for line in unclear_lines(checked.unclear):
        yield f"  {line}"
        yield "  a first load stops until that is told"
    if checked.defaults and checked.problem is None:
        taken = ", ".join(f"{key.removeprefix('load.')}: {value}" for key, value in checked.defaults.items())
        yield f"  left out of the file, so the default: {taken}"
    if checked.missing:
        yield missing_message(checked.missing)


def _json(checked: Checked) -> dict[str, Any]:
    return {
        "file": str(checked.file),
        "pipeline": checked.pipeline,
        "ok": checked.ok,
        "problems": _problems(checked),
        "notes": checked.notes,
        "rows": {
            "read": checked.records,
            "invalid": sum(checked.invalid.values()),
            "blocked": checked.blocked,
        },
        "blocked_reasons": blocked_json(checked.held_back),
        "unclear": unclear_json(checked.unclear),
        "names_checked": checked.names_checked,
        "missing": missing_json(checked.missing),
        "defaults": checked.defaults,
    }


def _problems(checked: Checked) -> list[str]:
    """The problem in words; an error that is not in the file itself gets the file's name in front."""
    if checked.problem is None:
        return []
    first, *others = lines_of(checked.problem)
    is_of_file = isinstance(checked.problem, ConfigError)
    return [first if is_of_file else f"{checked.file}: {first}", *others]
