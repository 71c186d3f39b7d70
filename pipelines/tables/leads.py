"""Profiles into `leads` and its parts, and what has changed in them into `lead_changes`.

Everything here happens within one transaction of the warehouse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from connectors.databases.tables import json_value
from connectors.kartra.cells import TableRow
from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD
from pipelines.tables.answers import PulledProfile
from pipelines.tables.lead_rows import (
    LEAD_FIELDS,
    PART_TABLES,
    LeadChange,
    LeadRows,
    arrival,
    lead_changes,
    part_columns,
)
from pipelines.tables.session import Session

_STATUS = {LEAD_DELETED: "deleted", **dict.fromkeys(NO_LEAD, "unknown")}


@dataclass(frozen=True, slots=True)
class Keeping:
    """A transaction of a pull. Who joined after `watched_since`, when the first pull began, has arrived."""

    session: Session
    pull_id: str
    watched_since: datetime | None
    now: datetime


def status_of(type: str | None) -> str:  # noqa: A002 - Kartra's own word
    """The status in `lead_roster` after an answer with this error type, or with none."""
    return "pulled" if type is None else _STATUS.get(type, "refused")


def keep_profiles(keeping: Keeping, answers: Sequence[PulledProfile]) -> None:
    found = {answer.rows.lead["id"]: answer.rows for answer in answers if answer.rows is not None}
    before = _known_leads(keeping, list(found))
    gone = _newly_gone(keeping, answers)
    stamps = {"first_pulled_at": keeping.now, "pulled_at": keeping.now, "gone_at": None}
    keeping.session.upsert(
        "leads",
        [{**rows.lead, **stamps} for rows in found.values()],
        keep=frozenset({"first_pulled_at"}),
    )
    for table in PART_TABLES:
        _keep_parts(keeping, table, found, before)
    changes = {lead_id: _changes(keeping, before.get(lead_id), rows) for lead_id, rows in found.items()}
    keep_changes(keeping, changes | gone)
    _keep_roster(keeping, answers)


def keep_changes(keeping: Keeping, changes: Mapping[str, Sequence[LeadChange]]) -> None:
    """What changed, by lead; one that is deleted is gone."""
    rows = [
        {"lead_id": lead_id, "pull_id": keeping.pull_id, "seen_at": keeping.now, **asdict(change)}
        for lead_id, found in changes.items()
        for change in found
    ]
    keeping.session.upsert("lead_changes", rows, keep=frozenset({"old_value"}))
    deleted = [
        {"id": lead_id, "now": keeping.now}
        for lead_id, found in changes.items()
        if any(change.field == "deleted" and change.new_value for change in found)
    ]
    keeping.session.run("roster/mark_gone", deleted)


def _keep_roster(keeping: Keeping, answers: Sequence[PulledProfile]) -> None:
    rows = [
        {
            "lookup": answer.lookup,
            "status": status_of(answer.type),
            "type": answer.type,
            "added_at": keeping.now,
            "profile_at": keeping.now,
        }
        for answer in answers
    ]
    keeping.session.upsert("lead_roster", rows, keep=frozenset({"added_at"}))
    keeping.session.run(
        "roster/learn_lead",
        [{"lookup": answer.lookup, "lead_id": answer.rows.lead["id"]} for answer in answers if answer.rows],
    )


def _known_leads(keeping: Keeping, ids: list[str]) -> dict[str, LeadRows]:
    """Leads as they stand in the tables, by id."""
    read = keeping.session.read
    leads = read("roster/leads", ids=ids) if ids else ()
    parts: dict[str, dict[str, list[TableRow]]] = {row.id: {} for row in leads}
    for table in PART_TABLES if leads else ():
        for row in read("roster/parts", template={"table": table}, ids=list(parts)):
            values = {name: getattr(row, name) for name in part_columns(table)}
            parts[row.lead_id].setdefault(table, []).append({**values, "extra": json_value(row.extra)})
    return {
        row.id: LeadRows(
            {name: getattr(row, name) for name in (*LEAD_FIELDS, "gone_at")},
            {table: tuple(parts[row.id].get(table, ())) for table in PART_TABLES},
        )
        for row in leads
    }


def _newly_gone(keeping: Keeping, answers: Sequence[PulledProfile]) -> dict[str, list[LeadChange]]:
    """Leads that are deleted, and were not when they were pulled last."""
    lookups = [answer.lookup for answer in answers if status_of(answer.type) == "deleted"]
    if not lookups:
        return {}
    rows = keeping.session.read("roster/newly_gone", lookups=lookups)
    return {row.lead_id: [LeadChange("lead", "deleted", None, "1")] for row in rows}


def _keep_parts(
    keeping: Keeping, table: str, found: Mapping[str, LeadRows], before: Mapping[str, LeadRows]
) -> None:
    """The rows of one table that changed, and without those that are gone."""
    keys = ("lead_id", *PART_TABLES[table])
    changed: list[TableRow] = []
    gone: list[TableRow] = []
    for lead_id, rows in found.items():
        old = {
            tuple(row[key] for key in keys): row
            for row in (before[lead_id].parts[table] if lead_id in before else ())
        }
        new = {tuple(row[key] for key in keys): row for row in rows.parts[table]}
        changed += [row for key, row in new.items() if old.get(key) != row]
        gone += [dict(zip(keys, key, strict=True)) for key in old if key not in new]
    keeping.session.delete(table, gone)
    keeping.session.upsert(table, changed)


def _changes(keeping: Keeping, before: LeadRows | None, after: LeadRows) -> list[LeadChange]:
    if before is None:
        joined, since = after.lead["date_joined_utc"], keeping.watched_since
        return arrival(after) if joined is not None and since is not None and joined > since else []
    changes = lead_changes(before, after)
    if before.lead["gone_at"] is not None:
        changes.append(LeadChange("lead", "deleted", "1", None))
    return changes
