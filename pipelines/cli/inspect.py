"""The verb `inspect`: what is in a source of contacts, and what is wrong with it."""

import os
import re
from collections.abc import Iterator
from typing import Any

import click
from rich.table import Table

from connectors.errors import SyncError
from pipelines.cli.options import common
from pipelines.cli.output import print_json, print_lines
from pipelines.cli.screens import print_table
from pipelines.drafts.inspection import PROBLEMS, Profile, address_problems, profile_of
from pipelines.drafts.named_source import NamedFile, NamedSource, named_source
from pipelines.words.numbers import counted

QUERY = click.option(
    "--query",
    metavar="SQL",
    help="Of a database: a table, a statement or a .sql file. SOURCE is its URL, '${NAME}' of a variable that"
    " holds it, or a SQLite file.",
)
SHEET = click.option(
    "--sheet", metavar="NAME", help="Of a workbook: the sheet; the first visible one without it."
)


@click.command(epilog="Example:  kartra-sync inspect contacts.csv")
@click.argument("source")
@QUERY
@SHEET
@click.option("--show", is_flag=True, help="Show values as they are, not only their form: for your eyes.")
@common
def inspect(source: str, *, query: str | None, sheet: str | None, show: bool, as_json: bool) -> None:
    """What is in a source of contacts: its columns, how full they are, what they look like, what is wrong.

    Values are shown as their form: letters as a, digits as 9. An archive is shown file by file.
    """
    named = named_source(source, query, os.environ, sheet=sheet)
    files = named.members() if isinstance(named, NamedFile) else [named]
    if len(files) == 1:
        profile, invalid = _profile(named, show=show)
        if as_json:
            print_json(_json(profile, invalid))
        else:
            _print(named.name, profile, invalid)
        return
    printed = []
    for file in files:
        try:
            profile, invalid = _profile(file, show=show)
        except SyncError as error:  # a readme beside the contacts is no reason not to show them
            printed.append({"file": _name(file), "error": str(error)})
            if not as_json:
                print_lines([f"{_name(file)}: {error}"])
            continue
        printed.append({"file": _name(file), **_json(profile, invalid)})
        if not as_json:
            _print(_name(file), profile, invalid)
    if as_json:
        print_json({"files": printed})


def _name(file: NamedSource) -> str:
    if not isinstance(file, NamedFile) or file.member is None:
        return file.name
    return re.sub(r"\[([*?[])\]", r"\1", file.member)  # a name, and no glob


def _profile(named: NamedSource, *, show: bool) -> tuple[Profile, list[tuple[int, str]]]:
    """What is in it, and (row, reason) of the addresses that could not be sent."""
    source = named.open()
    profile = profile_of(source, shows=show)
    addresses = profile.addresses
    return profile, [] if addresses is None else list(address_problems(source, addresses.name))


def _columns(profile: Profile) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "filled": column.filled,
            "distinct": column.distinct,
            "longest": column.longest,
            "looks": dict(column.looks.most_common(3)),
            "samples": [] if column.is_secret else column.samples,
            "secret": column.is_secret,
            "suspicious": [{"what": what, "cells": count} for what, count in column.odd.most_common()],
        }
        for column in profile.columns
    ]


def _problems(profile: Profile, invalid: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted([*profile.problems, *invalid[:PROBLEMS]])


def _json(profile: Profile, invalid: list[tuple[int, str]]) -> dict[str, Any]:
    addresses = profile.addresses
    return {
        "rows": profile.rows,
        "bad_rows": profile.bad,
        "addresses": addresses.name if addresses is not None else None,
        "bad_addresses": len(invalid),
        "columns": _columns(profile),
        "problems": [{"row": row, "reason": reason} for row, reason in _problems(profile, invalid)],
    }


def _print(name: str, profile: Profile, invalid: list[tuple[int, str]]) -> None:
    print_lines([f"{name}: {counted(profile.rows, 'row')}; {'; '.join(profile.notes)}"])
    print_table(_table(profile))
    print_lines(_lines(profile, invalid))


def _table(profile: Profile) -> Table:
    table = Table("column", "filled", "different", "longest", "looks like", "for example")
    for column in _columns(profile):
        share = f"{column['filled'] / profile.rows:.0%}" if profile.rows else ""
        samples = "secret: not read" if column["secret"] else ", ".join(column["samples"])
        table.add_row(
            column["name"],
            share,
            f"{column['distinct']:,}",
            str(column["longest"]),
            ", ".join(column["looks"]),
            samples,
        )
    return table


def _lines(profile: Profile, invalid: list[tuple[int, str]]) -> Iterator[str]:
    for column in profile.columns:
        if column.odd:
            found = ", ".join(f"{what} {count:,}" for what, count in column.odd.most_common())
            yield f"  suspicious in {column.name}: {found}"
    problems = _problems(profile, invalid)
    for row, reason in problems:
        yield f"  row {row}: {reason}"
    if (more := profile.bad + len(invalid) - len(problems)) > 0:
        yield f"  and {counted(more, 'more bad row')}"
