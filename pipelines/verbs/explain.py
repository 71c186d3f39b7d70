"""The verb `explain` for a lead: its rows, its wish, what Kartra acknowledged, the decision and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.errors import SyncError
from connectors.privacy import mask_deep, mask_value
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.forgotten import REASON, Forgotten
from pipelines.contacts.lead import Origin
from pipelines.contacts.mapping import Mapped
from pipelines.contacts.wishes import WISH
from pipelines.contacts.withdrawn import withdrawn_of
from pipelines.extract.stage import find_record
from pipelines.extract.suppression import suppressed_addresses, suppressed_by
from pipelines.extract.transform import open_records
from pipelines.state.outbox import JournalEntry
from pipelines.verbs.explain_decision import (
    LeftTheFile,
    Standing,
    first_decision,
    left_the_file,
    next_decision,
)
from pipelines.verbs.reading import store_of
from pipelines.words.outcomes import word_of

Values = dict[str, Any]
"""The JSON of a lead, or a record: by the names of the user's fields and columns."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A record of the source under the key."""

    row: int
    record: Values


@dataclass(frozen=True, slots=True)
class KnownAs:
    """The lead as it is known in an account and mode. `changed_at`: the last answer that changed it."""

    mode: str
    origin: Origin
    lead_id: str | None
    changed_at: str
    removed_at: str | None
    acknowledged: Values
    decision: str
    left_the_file: tuple[LeftTheFile, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is known of a key. `decision` stands where Kartra never acknowledged anything of it."""

    key: str
    source: tuple[SourceRow, ...]
    source_problem: str | None
    mapped: Values | None
    blocked: str | None
    states: tuple[KnownAs, ...]
    decision: str | None
    journal: tuple[JournalEntry, ...]


@dataclass(slots=True)
class InSource:
    """The rows of the source under a key; `winner` is the mapped row that speaks for the lead."""

    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    winner: Mapped | None = None
    problem: str | None = None
    """Why the source could not be read, or not to its end."""


def explain_key(config: PipelineConfig, key: str, *, show: bool) -> Explained:
    """Follow one lead, without credentials and without a call. Values are masked unless `show`."""
    load = config.needs_load()
    key = normal_key(key, by_address=load.key.column is None)
    found = _in_source(load, key)
    with store_of(config) as store:
        # The state knows who was forgotten; the source still has their row.
        winner = found.winner and _judged(found.winner, key, load, store.forgetting.forgotten())
        refusals = tuple(store.refusals.of_key(config.pipeline, key))
        journal = store.outbox.journal(config.pipeline, key)
        standings = [
            Standing(
                load,
                winner,
                state,
                withdrawn_of(load, store.given.names(state.scope_id)),
                refusals,
                tuple(entry for entry in journal if entry.mode == state.mode),
            )
            for state in store.leads.states_of_key(config.pipeline, key)
        ]
    return Explained(
        key=key if show else mask_value(key),
        source=tuple(SourceRow(row, _masked(record, show=show)) for row, record in found.rows),
        source_problem=found.problem,
        mapped=_masked(json.loads(winner.lead.to_json()), show=show) if winner else None,
        blocked=winner.blocked if winner else None,
        states=tuple(_known_as(standing, show=show) for standing in standings),
        decision=None if standings else first_decision(load, winner, refusals),
        journal=tuple(_in_words(entry) for entry in journal),
    )


def _in_words(entry: JournalEntry) -> JournalEntry:
    return replace(entry, outcome=word_of(entry.outcome) if entry.outcome else None)


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


def _known_as(standing: Standing, *, show: bool) -> KnownAs:
    state = standing.state
    return KnownAs(
        mode=state.mode,
        origin=state.origin,
        lead_id=state.lead_id,
        changed_at=state.changed_at,
        removed_at=state.removed_at,
        acknowledged=_masked(json.loads(state.snapshot), show=show),
        decision=next_decision(standing),
        left_the_file=tuple(left_the_file(standing)),
    )


def _suppressed(load: LoadConfig, address: str) -> str | None:
    for suppress in load.suppress:
        if any(address in addresses for addresses in suppressed_addresses(suppress)):
            return suppressed_by(suppress)
    return None


def _masked(values: Mapping[str, Any], *, show: bool) -> Values:
    if show:
        return dict(values)
    return {name: value if name in _NAMES else mask_deep(value) for name, value in values.items()}


_NAMES = frozenset({*WISH, "silent", "kept", "unproven", "taken", "unwanted", "overruled"})
"""Parts of a lead that hold names of the account, not of people."""
