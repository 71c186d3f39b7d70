"""The column types of each database, and how one text of SQL becomes a statement for each. Pure.

Statements are Jinja templates, so that one text serves SQLite, PostgreSQL, MariaDB and MySQL.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template

# MySQL indexes no text without a length, and no more than 3,072 bytes of it: ids and names that stand in keys
# are varchar there.
_TEXT = {"id": "varchar(64)", "name": "varchar(255)", "text": "mediumtext", "json": "json"}
_NUMBERS = {"money": "decimal(19, 4)", "integer": "bigint", "utc": "datetime"}
# Names that differ in case, or in blanks at their end, are different names.
_COLLATE = "DEFAULT CHARACTER SET utf8mb4 COLLATE "

TYPES = {
    # Money is text: SQLite's NUMERIC would make it a float. Times are text that its date functions read.
    "sqlite": dict.fromkeys(("id", "name", "text", "money", "utc", "json"), "TEXT")
    | {"integer": "INTEGER", "options": "STRICT", "if_not_exists": "IF NOT EXISTS", "new_column": ""},
    "postgresql": dict.fromkeys(("id", "name", "text"), "text")
    | {"money": "numeric(19, 4)", "utc": "timestamptz", "json": "jsonb", "integer": "bigint"}
    | {"options": "", "if_not_exists": "IF NOT EXISTS", "new_column": ""},
    "mysql": _TEXT
    | _NUMBERS
    | {"options": f"{_COLLATE}utf8mb4_0900_bin", "if_not_exists": "", "new_column": ""},
    "mariadb": _TEXT
    | _NUMBERS
    | {"options": f"{_COLLATE}utf8mb4_nopad_bin"}
    | {"if_not_exists": "IF NOT EXISTS", "new_column": "IF NOT EXISTS"},
}
_COLUMN = re.compile(r"^(    (\w+) [^\n]*?)(,?) -- ([^\n]+)$", re.MULTILINE)
LOCKS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE warehouse_version IN EXCLUSIVE MODE"}
"""Statements that make a migration one exclusive transaction; MySQL and MariaDB have no such statement."""
IS_THERE = (1060, 1061)
"""MySQL's errors for a column and for an index whose name exists already."""


def render(template: str, dialect: str, *, macros: str = "", **more: object) -> str:
    """The statement for this database. Templates may use the types of `TYPES`, `dialect` and these macros."""
    known: dict[str, object] = {**TYPES[dialect], "dialect": dialect, **more}
    if macros:
        # A template of its own: put before each template that uses them, they would be compiled with each.
        known |= vars(_compiled(macros).make_module(known))
    return _compiled(template).render(known)


@lru_cache(maxsize=256)
def _compiled(template: str) -> "Template":
    # Compiling takes a hundred times as long as rendering, and a process may open many tables.
    return _templates().from_string(template)


@cache
def _templates() -> "Environment":
    # Half of the time that `status` takes: the verbs that render nothing leave it out.
    from jinja2 import Environment, StrictUndefined

    return Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - SQL, and nothing in it comes from data
        keep_trailing_newline=True,
    )


def statements(template: str, dialect: str) -> Iterator[str]:
    """The statements of a file; its comments on columns become comments of the database."""
    for statement in re.split(r";\s*(?:\n|$)", render(template, dialect)):
        if not re.sub(r"--[^\n]*", "", statement).strip():
            continue
        if dialect in ("mysql", "mariadb"):
            yield _COLUMN.sub(lambda found: f"{found[1]} COMMENT '{_quoted(found[4])}'{found[3]}", statement)
            continue
        yield statement
        created = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)", statement)
        if created and dialect == "postgresql":
            for _, name, _, comment in _COLUMN.findall(statement):
                yield f"COMMENT ON COLUMN {created[1]}.{name} IS '{_quoted(comment)}'"


def _quoted(comment: str) -> str:
    return comment.replace("'", "''")
