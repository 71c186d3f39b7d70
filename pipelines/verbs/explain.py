"""One lead from end to end: its rows, what is wished, what Kartra acknowledged, the decision and why."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.errors import SyncError
from connectors.privacy import mask_deep, mask_value
from pipelines.changes.diff import Change, diff_lead, unproven_wishes, why_parked
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.forgotten import REASON
from pipelines.contacts.lead import Snapshot, digest
from pipelines.contacts.mapping import Mapped
from pipelines.contacts.wishes import WISH
from pipelines.extract.stage import find_record
from pipelines.extract.suppression import suppressed_addresses, suppressed_by
from pipelines.extract.transform import open_records
from pipelines.state.store import Store


def explain_key(config: PipelineConfig, key: str, *, show: bool) -> dict[str, Any]:
    """Values are masked unless `show`. Needs no credentials, makes no call."""
    load = config.needs_load()
    key = normal_key(key, by_address=load.key.column is None)
    found: list[Mapped] = []
    rows: list[dict[str, Any]] = []
    unreadable = None
    try:
        for row, record, mapped in find_record(open_records(load), load, key):
            found.append(mapped)
            rows.append({"row": row, "record": _masked(dict(record), show=show)})
    except SyncError as error:
        unreadable = str(error)
    winner = max(found, key=lambda mapped: mapped.rank, default=None)
    if winner is not None:  # of equal rank, the last
        winner = next(mapped for mapped in reversed(found) if mapped.rank == winner.rank)
    with Store(config.state if config.state.exists() else None) as store:
        known = store.leads.states_of_key(config.pipeline, key)
        refusals = {row.digest: row.reason for row in store.refusals.of_key(config.pipeline, key)}
        journal = store.outbox.journal(config.pipeline, key)
        forgotten = store.forgetting.forgotten()
    if winner and forgotten and forgotten.holds(key, winner.lead.email):
        winner = replace(winner, blocked=REASON)
    if winner and not winner.blocked:
        winner = replace(winner, blocked=_suppressed(load, winner.lead.email))
    states = [
        {
            "mode": row.mode,
            "origin": row.origin,
            "lead_id": row.lead_id,
            "changed_at": row.changed_at,
            "removed_at": row.removed_at,
            "acknowledged": _masked(json.loads(row.snapshot), show=show),
            "decision": _decision(winner, row, refusals),
        }
        for row in known
    ]
    return {
        "key": key if show else mask_value(key),
        "source": rows,
        "source_problem": unreadable,
        "mapped": _masked(json.loads(winner.lead.to_json()), show=show) if winner else None,
        "blocked": winner.blocked if winner else None,
        "states": states,
        "decision": None if states else _first_decision(winner, refusals),
        "journal": [
            {
                "run_id": row.run_id,
                "mode": row.mode,
                "kind": row.kind,
                "state": row.state,
                "attempts": row.attempts,
                "sent_at": row.sent_at,
                "settled_at": row.settled_at,
                "outcome": row.outcome,
                "type": row.type,
                "reason": row.reason,
                "done": row.done,
            }
            for row in journal
        ],
    }


def _first_decision(winner: Mapped | None, refusals: Mapping[bytes, str]) -> str:
    if winner is None:
        return "nothing: neither the source nor Kartra's answers know this key"
    if winner.blocked:
        return f"not sent: {winner.blocked}"
    if reason := refusals.get(digest(winner.lead.to_json())):
        return f"was refused: {reason}; sent again when its row changes"
    return f"create: {_told(diff_lead(winner.lead, None))}"


def _decision(winner: Mapped | None, row: Any, refusals: Mapping[bytes, str]) -> str:
    if winner is None:
        return "gone from the source" + (", removed" if row.removed_at else "")
    if winner.blocked:
        return f"not sent: {winner.blocked}"
    wished = digest(winner.lead.to_json())
    if row.digest == wished and not row.removed_at:
        return "nothing: as Kartra acknowledged it"
    if reason := refusals.get(wished):
        return f"was refused: {reason}; sent again when its row changes"
    snapshot = Snapshot.from_json(row.snapshot, lead_id=row.lead_id)
    unproven = unproven_wishes(winner.lead, snapshot)
    parked = f"parked: {why_parked(unproven)}" if unproven else ""
    if change := diff_lead(winner.lead, snapshot):
        return f"edit: {_told(change)}" + (f"; {parked}" if parked else "")
    return parked or "nothing: no difference in what is sent"


def _told(change: Change) -> str:
    parts = [*change.fields, *change.custom_fields]
    if change.email and not change.create:
        parts.append("new address")
    return ", ".join([*parts, *(f"{step.cmd} {step.label}" for step in change.steps)]) or "the address alone"


def _suppressed(load: LoadConfig, address: str) -> str | None:
    for suppress in load.suppress:
        if any(address in addresses for addresses in suppressed_addresses(suppress)):
            return suppressed_by(suppress)
    return None


def _masked(values: dict[str, Any], *, show: bool) -> dict[str, Any]:
    if show:
        return values
    return {name: value if name in _NAMES else mask_deep(value) for name, value in values.items()}


_NAMES = frozenset({*WISH, "silent", "kept", "unproven", "taken", "unwanted"})
"""Parts of a lead that hold names of the account, not of people."""
