"""The stages of a load, one function each; `tests.bench.process` runs one of them in a process of its own.

A stage that changes the state makes one of its own beside it, named as the stage is; who runs it deletes it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from connectors.kartra.profile import CustomFieldDefinition
from pipelines.changes.diff import apply_change, diff_lead
from pipelines.changes.inventory import Inventory
from pipelines.changes.shown import ShownChange, masked
from pipelines.cli.change_lines import change_lines
from pipelines.cli.main import cli
from pipelines.cli.output import print_pages
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.sources import SqlOptions
from pipelines.contacts.chunks import ChunkMapper
from pipelines.contacts.fingerprint import fingerprint, raw_hashes
from pipelines.contacts.lead import Snapshot
from pipelines.extract.sources import open_source
from pipelines.extract.stage import stage
from pipelines.load.account_names import Shortfall
from pipelines.load.plan import make_plan
from pipelines.state.leads import Acknowledged
from pipelines.state.outbox import Outcome
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.account import account_of
from pipelines.verbs.adopt import adopt_source
from pipelines.verbs.plan import OpenPlan, open_plan, plan_pipeline
from tests.bench import floor
from tests.bench.contacts import account
from tests.bench.seed import seed

LINES_OF_A_PAGE = 50
ACKNOWLEDGED = 5_000
"""Answers kept one by one: enough to know what one costs."""


def extract(file: Path) -> int:
    return sum(len(chunk.frame) for chunk in open_source(_config(file).needs_load().source).chunks())


def mapping(file: Path) -> int:
    """Reading and hashing too, each record mapped as for the staging table and not written there."""
    load = _config(file).needs_load()
    source = open_source(load.source)
    under = fingerprint(load, source.columns, None)
    chunk_mapper = ChunkMapper(load, source.columns, source.columns, None)
    chunks = source.chunks()
    return sum(chunk_mapper.map(chunk, raw_hashes(chunk.frame, under), None).count for chunk in chunks)


def plan(file: Path) -> int:
    return plan_pipeline(_config(file)).summary.counts.read


def opened_plan(file: Path) -> tuple[ExitStack, OpenPlan]:
    opened = ExitStack()
    return opened, opened.enter_context(open_plan(_config(file)))


def changes(given: tuple[ExitStack, OpenPlan], lines: int | None = None) -> int:
    """So many lines of a plan that stands, as the verb shows them; all without a number. Gives the leads."""
    opened, plan = given
    leads = 0

    def masked_ones() -> Iterator[ShownChange]:
        nonlocal leads
        for planned in plan.changes():
            leads += 1
            yield masked(planned.shown())

    with opened, Path(os.devnull).open("w", encoding="utf-8") as out, redirect_stdout(out):
        print_pages(islice(change_lines(masked_ones()), lines))
    return leads


def commit(file: Path) -> int:
    """A first load until everything is in the outbox and the first call could leave."""
    store, read = _committed(file)
    store.close()
    return read


def acknowledge(store: Store) -> int:
    """Answers of a first load, each kept by itself as they come."""
    settled = 0
    while settled < ACKNOWLEDGED and (entries := store.outbox.planned()):
        for entry in entries[: ACKNOWLEDGED - settled]:
            assert entry.desired is not None
            change = diff_lead(entry.desired, None)
            store.outbox.intend(entry, "{}", None)
            after = apply_change(Snapshot(entry.desired.email), change, [True] * len(change.commands))
            known = Acknowledged(after, "created", entry.digest)
            store.outbox.settle(entry, Outcome("created"), known, run_id="bench")
            settled += 1
    return settled


def adopt(file: Path) -> int:
    """All of the file taken over into a new state."""
    config = _config(file)
    return adopt_source(config.model_copy(update={"state": config.state.with_name("adopt.db")})).adopted


def copy_out(file: Path) -> int:
    """The rows of the source's query, as PostgreSQL itself sends them; their end is that of a line."""
    options = _config(file).needs_load().source.options
    assert isinstance(options, SqlOptions)
    url = str(options.url).replace("+psycopg", "")
    out = f"COPY ({options.query}) TO STDOUT"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(out) as rows:
        return sum(bytes(block).count(b"\n") for block in rows)


def rejects(file: Path, *options: str) -> int:
    """The verb, on what `commit` left."""
    config = _config(file)
    with file.with_name("rejects.out").open("w", encoding="utf-8") as out, redirect_stdout(out):
        cli.main(["rejects", str(file), *options], standalone_mode=False)
    with Store(config.state) as store:
        return store.rejects.count("bench")


@dataclass(frozen=True)
class Stage:
    """`work` is measured, on what `prepare` makes of the pipeline file; gives the rows it worked on."""

    work: Callable[[Any], int]
    prepare: Callable[[Path], Any] = lambda file: file


STAGES = {
    "floor-read": Stage(floor.read_csv, prepare=lambda file: _csv(file)),
    "floor-hashes": Stage(floor.read_hashes, prepare=lambda file: file.with_name("hashes.db")),
    "floor-insert": Stage(
        lambda file: floor.insert_payloads(_csv(file), file.with_name("payloads.db")),
    ),
    "copy": Stage(copy_out),
    "extract": Stage(extract),
    "map": Stage(mapping),
    "plan": Stage(plan),
    "changes-page": Stage(lambda given: changes(given, LINES_OF_A_PAGE), prepare=opened_plan),
    "changes": Stage(changes, prepare=opened_plan),
    "commit": Stage(commit),
    "acknowledge": Stage(acknowledge, prepare=lambda file: _committed(file)[0]),
    "adopt": Stage(adopt),
    "rejects": Stage(rejects),
    "rejects --json": Stage(lambda file: rejects(file, "--json")),
    "rejects --csv": Stage(
        lambda file: rejects(file, "--replace", "--csv", str(file.with_name("rejects.csv")))
    ),
    "seed": Stage(seed, prepare=lambda file: _config(file)),
}


def _config(file: Path) -> PipelineConfig:
    return read_pipeline(file, os.environ)


def _csv(file: Path) -> Path:
    return Path(str(_config(file).needs_load().source.options.path))  # type: ignore[union-attr]


def _committed(file: Path) -> tuple[Store, int]:
    config = _config(file)
    load, summary = config.needs_load(), Summary()
    store = Store(config.state.with_name("commit.db"))
    store.scope.enter(config.pipeline, account_of(config), config.kartra.mode)
    store.runs.begin("bench", config.pipeline)
    stage(open_source(load.source), load, store, summary, run_id="bench")
    make_plan(store, load, Shortfall(_names, _names), summary, run_id="bench")
    return store, summary.counts.read


def _names() -> Inventory:
    known = account()
    fields = {
        one.identifier: CustomFieldDefinition(one.identifier, one.type, {}) for one in known.custom_fields
    }
    return Inventory(frozenset(known.tags), frozenset(known.lists), frozenset(), fields, fresh=True)
