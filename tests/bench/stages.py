"""The stages of a load, one function each; `tests.bench.process` runs one of them in a process of its own.

Each is given the pipeline file and gives how many rows it worked on. A stage that changes the state works on
a copy.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from connectors.kartra.profile import CustomFieldDefinition
from pipelines.account import account_of
from pipelines.adopt import adopt_source
from pipelines.config import PipelineConfig
from pipelines.diff import apply_change, diff_lead
from pipelines.extract import read_mapped, stage
from pipelines.lead import Snapshot
from pipelines.pipeline_file import read_pipeline
from pipelines.plan import make_plan
from pipelines.preflight import Inventory, Shortfall
from pipelines.run import plan_pipeline
from pipelines.source import open_source
from pipelines.state import Acknowledged, Outcome, Store
from pipelines.summary import Summary
from tests.bench import floor
from tests.bench.contacts import account

ACKNOWLEDGED = 5_000
"""Answers kept one by one: enough to know what one costs."""


def extract(file: Path) -> int:
    return sum(len(chunk.frame) for chunk in open_source(_config(file).needs_load().source).chunks())


def mapping(file: Path) -> int:
    load = _config(file).needs_load()
    return sum(1 for _ in read_mapped(open_source(load.source), load))


def plan(file: Path) -> int:
    return plan_pipeline(_config(file)).summary.read


def commit(file: Path) -> int:
    """A first load until everything is in the outbox and the first call could leave."""
    config = _config(file)
    with _new_state(config, "commit.db") as store:
        return _commit(config, store)


def acknowledge(file: Path) -> int:
    """Answers of a first load, each kept by itself as they come."""
    config = _config(file)
    with _new_state(config, "acknowledge.db") as store:
        _commit(config, store)
        return _settle_some(store)


def adopt(file: Path) -> int:
    """All of the file taken over into a new state."""
    config = _config(file)
    return _anew(
        config.state.with_name("adopt.db"),
        lambda path: adopt_source(config.model_copy(update={"state": path})).adopted,
    )


def seed(file: Path) -> int:
    """The state as if Kartra had acknowledged all of the file."""
    config = _config(file)
    load, summary = config.needs_load(), Summary()
    with Store(config.state) as store:
        store.enter_scope(config.pipeline, account_of(config), config.kartra.mode)
        store.begin_run("seed", config.pipeline)
        stage(open_source(load.source), load, store, summary, run_id="seed")
        leads = _all_acknowledged(store)
        while part := list(islice(leads, 20_000)):
            with store._transaction():
                store._run_many("acknowledge", part)
        store.keep_raw_hashes()
        store.finish_run("seed", "succeeded", None, {})
    return summary.read


STAGES: dict[str, Callable[[Path], int]] = {
    "floor-read": lambda file: floor.read_csv(_csv(file)),
    "floor-hashes": lambda file: floor.read_hashes(file.with_name("hashes.db")),
    "floor-insert": lambda file: _anew(
        file.with_name("payloads.db"), lambda to: floor.insert_payloads(_csv(file), to)
    ),
    "extract": extract,
    "map": mapping,
    "plan": plan,
    "commit": commit,
    "acknowledge": acknowledge,
    "adopt": adopt,
    "seed": seed,
}


def _config(file: Path) -> PipelineConfig:
    return read_pipeline(file, os.environ)


def _csv(file: Path) -> Path:
    return Path(str(_config(file).needs_load().source.options.path))  # type: ignore[union-attr]


def _new_state(config: PipelineConfig, name: str) -> Store:
    path = config.state.with_name(name)
    path.unlink(missing_ok=True)
    store = Store(path)
    store.enter_scope(config.pipeline, account_of(config), config.kartra.mode)
    store.begin_run("bench", config.pipeline)
    return store


def _anew(path: Path, work: Callable[[Path], int]) -> int:
    path.unlink(missing_ok=True)
    return work(path)


def _commit(config: PipelineConfig, store: Store) -> int:
    load, summary = config.needs_load(), Summary()
    stage(open_source(load.source), load, store, summary, run_id="bench")
    names = Shortfall(_names, _names)
    make_plan(store, load, names, summary, run_id="bench")
    return summary.read


def _names() -> Inventory:
    known = account()
    fields = {
        one.identifier: CustomFieldDefinition(one.identifier, one.type, {}) for one in known.custom_fields
    }
    return Inventory(frozenset(known.tags), frozenset(known.lists), frozenset(), fields, fresh=True)


def _settle_some(store: Store) -> int:
    settled = 0
    while settled < ACKNOWLEDGED and (entries := store.planned()):
        for number, entry in enumerate(entries[: ACKNOWLEDGED - settled]):
            assert entry.desired is not None
            change = diff_lead(entry.desired, None)
            store.intend(entry, "{}", None)
            after = apply_change(Snapshot(entry.desired.email), change, [True] * len(change.commands))
            known = Acknowledged(after, "created", entry.digest)
            store.settle(entry, Outcome("created"), known, run_id="bench")
            settled += number >= 0
    return settled


def _all_acknowledged(store: Store) -> Iterator[dict[str, Any]]:
    for number, difference in enumerate(store.differences(), 1):
        change = diff_lead(difference.desired, None)
        snapshot = apply_change(Snapshot(difference.desired.email), change, [True] * len(change.commands))
        yield {
            "scope_id": store.scope_id,
            "key": difference.key,
            "lead_id": str(number),
            "origin": "created",
            "digest": difference.digest,
            "snapshot": snapshot.to_json(),
            "unproven": 0,
            "now": "2026-11-28T00:00:00+00:00",
            "removed_at": None,
        }
