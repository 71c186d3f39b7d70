"""Profiles into `leads` and its parts, and what has changed in them into `lead_changes`.

Everything here happens within one transaction of the warehouse.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from connectors.databases.tables import json_value
from connectors.kartra.cells import TableRow
from connectors.kartra.error_types import LEAD_DELETED, NO_LEAD
from pipelines.batches import batches
from pipelines.tables.answers import PulledProfile
from pipelines.tables.lead_rows import (
    LEAD_FIELDS,
    LEAD_TIMES,
    LeadChange,
    LeadRows,
    arrival,
    lead_changes,
    part_changes,
    with_what_stays,
)
from pipelines.tables.part_rows import PART_NAMES, PART_TABLES, part_columns
from pipelines.tables.session import Session

BATCH = 500
_STATUS = {LEAD_DELETED: "deleted", **dict.fromkeys(NO_LEAD, "unknown")}


@dataclass(slots=True)
class PartsSeen:
    """What the profiles of one pull showed of each part, by table.

    A lead whose profile lacks a part may have nothing of it, as long as some profile of the pull has the
    part. Where none has, Kartra answers in another shape, and the tables keep what they have.
    """

    shown: set[str] = field(default_factory=set)
    undecided: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Leads that had something of a part which their profile lacks."""
    unread: Counter[str] = field(default_factory=Counter)
    """Profiles with something in a part that could not be read."""

    def settled(self, rows: LeadRows, before: LeadRows | None) -> LeadRows:
        """A profile with what the tables keep of the parts that it does not show."""
        self.unread.update(rows.unread)
        if before is None:
            return rows
        lacking = {table for table in rows.missing - self.shown if before.parts[table]}
        for table in lacking:
            self.undecided[table].add(rows.lead["id"])
        return with_what_stays(rows, before, lacking | rows.unread)

    def notes(self) -> list[str]:
        kept = {table: ids for table, ids in self.undecided.items() if table not in self.shown}
        return [
            f"{PART_NAMES[table]} are missing from every profile of this pull, and {len(ids):,} of its leads"
            " had some: the tables keep them"
            for table, ids in sorted(kept.items())
        ] + [
            f"{PART_NAMES[table]} of {count:,} profiles could not be read whole: what Kartra sent is in"
            " leads.extra, and the tables keep what they had"
            for table, count in sorted(self.unread.items())
        ]


@dataclass(frozen=True, slots=True)
class Keeping:
    """A transaction of a pull. Who joined after `watched_since`, when the first pull began, has arrived."""

    session: Session
    pull_id: str
    watched_since: datetime | None
    now: datetime
    parts: PartsSeen


def status_of(type: str | None) -> str:  # noqa: A002 - Kartra's own word
    """The status in `lead_roster` after an answer with this error type, or with none."""
    return "pulled" if type is None else _STATUS.get(type, "refused")


def keep_profiles(keeping: Keeping, answers: Sequence[PulledProfile]) -> None:
    shown = {answer.rows.lead["id"]: answer.rows for answer in answers if answer.rows is not None}
    before = _leads_before(keeping, list(shown))
    for rows in shown.values():
        keeping.parts.shown |= PART_TABLES.keys() - rows.missing
    found = {lead_id: keeping.parts.settled(rows, before.get(lead_id)) for lead_id, rows in shown.items()}
    gone = _newly_gone(keeping, answers)
    _keep_leads(keeping, found.values())
    for table in PART_TABLES:
        _keep_parts(keeping, table, found, before)
    changes = {lead_id: _changes(keeping, before.get(lead_id), rows) for lead_id, rows in found.items()}
    keep_changes(keeping, changes | gone)
    _keep_roster(keeping, answers)


def clear_missing_parts(keeping: Keeping) -> None:
    """At the end of a pull: leads have nothing of a part that their profiles lack, and others showed."""
    for table in sorted(keeping.parts.shown & keeping.parts.undecided.keys()):
        for lead_ids in batches(sorted(keeping.parts.undecided.pop(table)), BATCH):
            parts = _parts_before(keeping, table, lead_ids)
            keys = [{"lead_id": lead_id} for lead_id in parts]
            keeping.session.delete(table, keys)
            changes = {lead_id: part_changes(table, rows, ()) for lead_id, rows in parts.items()}
            keep_changes(keeping, changes)


def _keep_leads(keeping: Keeping, found: Iterable[LeadRows]) -> None:
    """Writes leads; columns that a profile lacks stay as they are."""
    stamps = {"first_pulled_at": keeping.now, "pulled_at": keeping.now, "gone_at": None}
    by_absence: dict[frozenset[str], list[TableRow]] = defaultdict(list)
    for rows in found:
        absent = rows.absent | {f"{name}_utc" for name in rows.absent & set(LEAD_TIMES)}
        shown = {name: value for name, value in rows.lead.items() if name not in absent}
        by_absence[rows.absent].append({**shown, **stamps})
    for same in by_absence.values():
        keeping.session.upsert("leads", same, keep=frozenset({"first_pulled_at"}))


def keep_changes(keeping: Keeping, changes: Mapping[str, Sequence[LeadChange]]) -> None:
    """Writes the changes of each lead; a deleted lead is marked as gone."""
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


def _leads_before(keeping: Keeping, ids: list[str]) -> dict[str, LeadRows]:
    """The leads in the tables, by id."""
    read = keeping.session.read
    leads = read("roster/leads", ids=ids) if ids else ()
    parts: dict[str, dict[str, list[TableRow]]] = {row.id: {} for row in leads}
    for table in PART_TABLES if leads else ():
        for lead_id, rows in _parts_before(keeping, table, list(parts)).items():
            parts[lead_id][table] = rows
    return {
        row.id: LeadRows(
            {name: getattr(row, name) for name in (*LEAD_FIELDS, "gone_at")},
            {table: tuple(parts[row.id].get(table, ())) for table in PART_TABLES},
        )
        for row in leads
    }


def _parts_before(keeping: Keeping, table: str, lead_ids: list[str]) -> dict[str, list[TableRow]]:
    """The rows of one table by lead."""
    found: dict[str, list[TableRow]] = defaultdict(list)
    for row in keeping.session.read("roster/parts", template={"table": table}, ids=lead_ids):
        values = {name: getattr(row, name) for name in part_columns(table)}
        found[row.lead_id].append({**values, "extra": json_value(row.extra)})
    return found


def _newly_gone(keeping: Keeping, answers: Sequence[PulledProfile]) -> dict[str, list[LeadChange]]:
    """The leads that were deleted since they were last pulled."""
    lookups = [answer.lookup for answer in answers if status_of(answer.type) == "deleted"]
    if not lookups:
        return {}
    rows = keeping.session.read("roster/newly_gone", lookups=lookups)
    return {row.lead_id: [LeadChange("lead", "deleted", None, "1")] for row in rows}


def _keep_parts(
    keeping: Keeping, table: str, found: Mapping[str, LeadRows], before: Mapping[str, LeadRows]
) -> None:
    """Writes the changed rows of one table, and deletes those that are gone."""
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
