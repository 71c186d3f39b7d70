"""The verb `outcomes`: what became of each lead of a run, what was sent of it, and why the rest was not."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from connectors.errors import ConfigError
from connectors.privacy import mask_text
from pipelines.changes.effects import effects_of
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.normalise import normal_cell
from pipelines.private_file import open_private
from pipelines.state.outcomes import LeadOutcome
from pipelines.state.store import Store
from pipelines.tables.spreadsheets import CsvForPeople
from pipelines.verbs.reading import store_of
from pipelines.words.outcomes import word_of

NOT_TOLD_APART = "nothing was sent: as wished already, or not in the source any more"
"""Of a lead without a row where more are known than the run has read."""
COLUMNS = ("run_id", "row", "key", "outcome", "sent", "type", "reason", "at")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one lead. `key` is None where it could not be read; `sent` names what Kartra
    acknowledged."""

    run_id: str
    row: int | None
    key: str | None
    outcome: str
    sent: tuple[str, ...]
    type: str | None
    reason: str | None
    at: str


def outcomes_of(
    config: PipelineConfig, run: str | None, kind: str | None, key: str | None, *, every: bool = False
) -> Iterator[Outcome]:
    """The outcomes of a run, or of the last one; those of a `key` in all runs, unless a run is named.

    `every`: with the leads of a run that were as wished already; else they come where they are asked for by
    kind. Raises ConfigError for a run that is not there.
    """
    with store_of(config) as store:
        run_id = run_named(store, config, run) if run or key is None else None
        normal = None if key is None else _normal(config, key)
        if run_id is None:
            found = iter(()) if normal is None else store.outcomes.of_key(config.pipeline, normal)
        elif every or kind in _UNTOUCHED:
            found = chain(*_every_outcome(store, config, run_id))
        else:
            found = store.outcomes.of_run(run_id)
        for one in found:
            outcome = outcome_in_words(one)
            if kind in (None, outcome.outcome) and (normal is None or normal == one.key):
                yield outcome


_UNTOUCHED = ("unchanged", "skipped")


def _every_outcome(
    store: Store, config: PipelineConfig, run_id: str
) -> tuple[Iterator[LeadOutcome], Iterator[LeadOutcome]]:
    """What has a row, and then what has none: a quiet night of a million leads writes nothing of them."""
    listed: Counter[str] = Counter()

    def with_row() -> Iterator[LeadOutcome]:
        for one in store.outcomes.of_run(run_id):
            listed[one.outcome] += 1
            yield one

    def without_row() -> Iterator[LeadOutcome]:
        """Asked for once all rows were counted."""
        run = store.runs.get(run_id)
        summary = json.loads(run.summary) if run and run.summary else {}
        leads, rows = summary.get("leads", {}), summary.get("rows", {})
        # Who has no row may be anything where a run was stopped or was about chosen leads, and where rows of
        # it are kept no longer.
        is_whole = run is not None and run.status in ("succeeded", "partial")
        unlisted = [(leads, "deferred"), (rows, "blocked")]
        if not is_whole or any(counts.get(name, 0) > listed[name] for counts, name in unlisted):
            return
        expected = sum(leads.get(name, 0) - listed[name] for name in _UNTOUCHED)
        for one, count in store.outcomes.untouched(run_id):
            if count > expected and (not expected or _reads_parts(config)):
                return
            yield one if count <= expected else replace(one, reason=NOT_TOLD_APART)

    return with_row(), without_row()


def _reads_parts(config: PipelineConfig) -> bool:
    """Whether a run reads what is new alone: whom it has not read is nobody of the run."""
    return config.load is not None and getattr(config.load.source.options, "incremental", None) is not None


def unchanged_in(config: PipelineConfig, run: str | None) -> int:
    """How many leads of a run, or of the last one, were as wished already."""
    with store_of(config) as store:
        run_id = run_named(store, config, run)
        found = store.runs.get(run_id) if run_id else None
    summary = found.summary if found else None
    return int(json.loads(summary).get("leads", {}).get("unchanged", 0)) if summary else 0


def run_named(store: Store, config: PipelineConfig, name: str | None) -> str | None:
    """The whole number of the run that begins with `name`; of the last run, if any, without a name.

    Raises ConfigError.
    """
    if name in (None, "", "last"):
        return store.outcomes.last_run(config.pipeline)
    found = store.outcomes.runs_named(config.pipeline, str(name))
    if len(found) != 1 and name not in found:
        which = "several runs begin" if found else "no run begins"
        raise ConfigError(f"{which} with {name}; kartra-sync runs {config.path.name} lists them")
    return str(name) if name in found else found[0]


def write_outcomes(outcomes: Iterator[Outcome], path: Path | None, *, exact: bool) -> int:
    """Write outcomes as CSV that only its owner can read: it holds people's keys. Gives how many."""
    count = 0
    with open_private(path, "utf-8") as handle:
        writer = CsvForPeople(handle, exact=exact)
        writer.writerow(COLUMNS)
        for one in outcomes:
            cells = [
                one.run_id,
                one.row,
                one.key,
                one.outcome,
                "; ".join(one.sent),
                one.type,
                one.reason,
                one.at,
            ]
            writer.writerow(["" if cell is None else cell for cell in cells])
            count += 1
    return count


def _normal(config: PipelineConfig, key: str) -> str:
    if config.load is None:
        return normal_cell(key)
    return normal_key(key, by_address=config.load.key.column is None)


def outcome_in_words(one: LeadOutcome) -> Outcome:
    """The outcome by the words that people and programs read, and what was sent by names."""
    outcome = word_of(one.outcome)
    if one.outcome == "recovered":  # of a run that was killed: a later one read back what had landed
        outcome = _landed(one)
    sent: tuple[str, ...] = ()
    if one.became is not None:
        sent = tuple(map(mask_text, effects_of(one.was, one.became)))
    elif one.done:
        sent = tuple(one.done.split())
    reason = one.reason
    return Outcome(one.run_id, one.row, one.key, outcome, sent, one.type, reason, one.at)


def _landed(one: LeadOutcome) -> str:
    if not one.done:
        return "waiting"
    if one.kind == "removal":
        return "removed"
    return "created" if "create_lead" in one.done.split() else "edited"
