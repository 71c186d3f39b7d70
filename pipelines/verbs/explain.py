"""The verb `explain` for a lead: its rows, its wish, what Kartra acknowledged, the decision and why."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from connectors.errors import SyncError
from connectors.privacy import mask_deep, mask_value
from pipelines.changes.diff import Change, diff_lead, unproven_wishes, why_parked
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.forgotten import REASON, Forgotten
from pipelines.contacts.lead import Snapshot, digest
from pipelines.contacts.mapping import Mapped
from pipelines.contacts.wishes import WISH
from pipelines.extract.stage import find_record
from pipelines.extract.suppression import suppressed_addresses, suppressed_by
from pipelines.extract.transform import open_records
from pipelines.state.leads import LeadState
from pipelines.state.outbox import JournalEntry
from pipelines.verbs.reading import store_of
from pipelines.words.outcomes import word_of


@dataclass(slots=True)
class InSource:
    """The rows of the source under a key; `winner` is the mapped row that speaks for the lead."""

    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    winner: Mapped | None = None
    problem: str | None = None
    """Why the source could not be read, or not to its end."""


def explain_key(config: PipelineConfig, key: str, *, show: bool) -> dict[str, Any]:
    """Follow one lead, without credentials and without a call. Values are masked unless `show`."""
    load = config.needs_load()
    key = normal_key(key, by_address=load.key.column is None)
    found = _in_source(load, key)
    with store_of(config) as store:
        held = store.leads.states_of_key(config.pipeline, key)
        refusals = {row.digest: row.reason for row in store.refusals.of_key(config.pipeline, key)}
        journal = store.outbox.journal(config.pipeline, key)
        winner = found.winner and _judged(found.winner, key, load, store.forgetting.forgotten())
    states = [
        {
            "mode": state.mode,
            "origin": state.origin,
            "lead_id": state.lead_id,
            "changed_at": state.changed_at,
            "removed_at": state.removed_at,
            "acknowledged": _masked(json.loads(state.snapshot), show=show),
            "decision": _decision(winner, state, refusals),
        }
        for state in held
    ]
    return {
        "key": key if show else mask_value(key),
        "source": [{"row": row, "record": _masked(record, show=show)} for row, record in found.rows],
        "source_problem": found.problem,
        "mapped": _masked(json.loads(winner.lead.to_json()), show=show) if winner else None,
        "blocked": winner.blocked if winner else None,
        "states": states,
        "decision": None if states else _first_decision(winner, refusals),
        "journal": [_entry(entry) for entry in journal],
    }


def _entry(entry: JournalEntry) -> dict[str, Any]:
    return {**asdict(entry), "outcome": word_of(entry.outcome) if entry.outcome else None}


def _in_source(load: LoadConfig, key: str) -> InSource:
    found = InSource()
    try:
        for row, record, mapped in find_record(open_records(load), load, key):
            found.rows.append((row, dict(record)))
            if found.winner is None or mapped.rank >= found.winner.rank:  # of equal rank, the last
                found.winner = mapped
    except SyncError as error:
        found.problem = str(error)
    return found


def _judged(winner: Mapped, key: str, load: LoadConfig, forgotten: Forgotten | None) -> Mapped:
    """The winner, blocked where its person was forgotten or is on a list of suppressed addresses."""
    if forgotten and forgotten.holds(key, winner.lead.email):
        return replace(winner, blocked=REASON)
    return winner if winner.blocked else replace(winner, blocked=_suppressed(load, winner.lead.email))


def _first_decision(winner: Mapped | None, refusals: Mapping[bytes, str]) -> str:
    if winner is None:
        return "nothing: neither the source nor Kartra's answers know this key"
    if winner.blocked:
        return f"not sent: {winner.blocked}"
    if reason := refusals.get(digest(winner.lead.to_json())):
        return f"was refused: {reason}; sent again when its row changes"
    return f"create: {_describe(diff_lead(winner.lead, None))}"


def _decision(winner: Mapped | None, state: LeadState, refusals: Mapping[bytes, str]) -> str:
    if winner is None:
        return "gone from the source" + (", removed" if state.removed_at else "")
    if winner.blocked:
        return f"not sent: {winner.blocked}"
    wished = digest(winner.lead.to_json())
    if state.digest == wished and not state.removed_at:
        return "nothing: as Kartra acknowledged it"
    if reason := refusals.get(wished):
        return f"was refused: {reason}; sent again when its row changes"
    snapshot = Snapshot.from_json(state.snapshot, lead_id=state.lead_id)
    unproven = unproven_wishes(winner.lead, snapshot)
    parked = f"held back: {why_parked(unproven)}" if unproven else ""
    if change := diff_lead(winner.lead, snapshot):
        return f"edit: {_describe(change)}" + (f"; {parked}" if parked else "")
    return parked or "nothing: no difference in what is sent"


def _describe(change: Change) -> str:
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


_NAMES = frozenset({*WISH, "silent", "kept", "unproven", "taken", "unwanted", "overruled"})
"""Parts of a lead that hold names of the account, not of people."""
