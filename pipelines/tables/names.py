"""Keeps the names of tags, lists, sequences, pages and custom fields: first seen, last seen, gone.

Everything here happens within one transaction of the warehouse.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from connectors.kartra.cells import TableRow
from pipelines.tables.session import Session
from pipelines.words.nearest import nearest

NameTable = Literal["tags", "lists", "sequences", "pages", "custom_fields", "custom_field_options"]

_ONE = {"tags": "tag", "lists": "list", "sequences": "sequence", "pages": "page"}
_KEYS: Mapping[NameTable, tuple[str, ...]] = {
    "tags": ("name",),
    "lists": ("name",),
    "sequences": ("name",),
    "pages": ("name",),
    "custom_fields": ("field_identifier",),
    "custom_field_options": ("field_identifier", "option_id"),
}

_Names = Sequence[tuple[str, ...]]


def keep_names(session: Session, kind: NameTable, rows: Sequence[TableRow], now: datetime) -> list[str]:
    """Keeps all names that the account has now, marks others as gone, and returns what looks renamed."""
    keys = _KEYS[kind]
    before = {
        tuple(getattr(row, key) for key in keys): row
        for row in session.read("pulls/names", template={"table": kind})
    }
    there = {tuple(row[key] for key in keys) for row in rows}
    gone = [name for name, row in before.items() if name not in there and row.gone_at is None]
    come = [name for name in there if name not in before or before[name].gone_at is not None]
    seen = {"first_seen_at": now, "last_seen_at": now, "gone_at": None}
    session.upsert(kind, [{**row, **seen} for row in rows], keep=frozenset({"first_seen_at"}))
    session.run(
        "pulls/mark_name_gone",
        [{**dict(zip(keys, name, strict=True)), "now": now} for name in gone],
        template={"table": kind, "keys": keys},
    )
    if kind == "custom_fields":
        return _renamed_fields(before, rows, gone)
    return _renamed(_ONE[kind], gone, come) if kind in _ONE else []


def _renamed(word: str, gone: _Names, come: _Names) -> list[str]:
    """Remarks on renames, which can only be guessed because names have no ids: one gone, one new and
    similar."""
    olds, news = [name for (name,) in gone], [name for (name,) in come]
    pairs = [(old, news[0] if len(olds) == len(news) == 1 else nearest(old, news)) for old in olds]
    return [f'{word} "{old}" is gone and "{new}" is new: renamed?' for old, new in pairs if new]


def _renamed_fields(
    before: Mapping[tuple[str, ...], Row[Any]], rows: Sequence[TableRow], gone: _Names
) -> list[str]:
    """Remarks on renamed custom fields, which have numbers that stay."""
    by_number = {row["field_id"]: row["field_identifier"] for row in rows if row["field_id"]}
    return [
        f'custom field "{name[0]}" is called "{new}" now'
        for name in gone
        if (new := by_number.get(before[name].field_id))
    ]
