"""Leads, records and entries that the tests of the store are made of."""

from collections.abc import Iterator
from typing import Any

from pipelines.contacts.lead import DesiredLead, Snapshot, digest, shape
from pipelines.contacts.staged import Staged
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Entry, Outcome
from pipelines.state.staging import Difference
from pipelines.state.store import Store


def wish(key: str, city: str = "Lyon") -> DesiredLead:
    return DesiredLead(f"{key}@example.org", {"city": city})


def digest_of(lead: DesiredLead) -> bytes:
    return digest(lead.to_json())


def snapshot_of(lead: DesiredLead, lead_id: str | None = "1") -> Snapshot:
    return Snapshot(lead.email, lead_id, lead.fields)


def record(
    row: int, key: str, city: str = "Lyon", *, lead: DesiredLead | None = None, **changes: Any
) -> Staged:
    lead = lead or wish(key, city)
    text = f'{{"row": {row}}}'
    values = {"rank": float(row), "wish": lead.to_json(), "blocked": None, "record": text}
    return Staged(
        row=row,
        line=row + 100,
        key=key,
        digest=digest_of(lead),
        raw=digest(text),
        shape=shape(lead),
        **{**values, **changes},
    )


def stage(store: Store, *records: Staged) -> None:
    """As a run does it, without merging."""
    store.staging.add(records, [], None)
    store.staging.end()
    store.staging.settle([], None)


def planned(store: Store, *keys: str, run_id: str = "run-1") -> list[Entry]:
    """Enqueue a change for each key; gives the entries."""
    store.outbox.enqueue(
        run_id,
        [
            {
                "key": key,
                "kind": "load",
                "row": row,
                "line": row,
                "digest": digest_of(wish(key)),
            }
            for row, key in enumerate(keys, start=2)
        ],
    )
    return [entry for entry in store.outbox.planned() if entry.key in keys]


def acknowledge(store: Store, key: str, city: str = "Lyon", **changes: Any) -> None:
    """Let Kartra have the lead just as wished."""
    lead = wish(key, city)
    known = {"snapshot": snapshot_of(lead), "origin": "created", "digest": digest_of(lead), **changes}
    (entry,) = planned(store, key)
    store.outbox.intend(entry, "{}", None)
    store.outbox.settle(entry, Outcome("created"), Acknowledged(**known), run_id="run-1")


def keys_of(differences: Iterator[Difference]) -> list[str]:
    return [difference.key for difference in differences]
