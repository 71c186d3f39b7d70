"""The state in which Kartra has acknowledged all contacts of the bench, made in bulk.

It is what a first run would have left but for the journal: `test_seed` holds the two equal. Contacts are
staged by the program itself, in the order of their keys, because a tree that grows at its end takes a row in
microseconds and stays in little memory, however large it becomes.
"""

import os
import subprocess
from pathlib import Path

from pipelines.config.pipeline import PipelineConfig
from pipelines.extract.sources import open_source
from pipelines.extract.stage import stage
from pipelines.shipped import ROOT
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.account import account_of

AT_ONCE = 20_000
SEED = Path(__file__).with_name("seed.sql")


def code() -> list[bytes]:
    """What the state depends on beside the mapping, which the hashes of records know."""
    files = [Path(__file__), SEED, *sorted((ROOT / "sql" / "state").rglob("*.sql"))]
    return [file.read_bytes() for file in files]


def sort_contacts(csv: Path, to: Path) -> None:
    """In the order of their first column, the address; no contact has more than one line."""
    with csv.open("rb") as lines, to.open("wb") as ordered:
        ordered.write(lines.readline())
        ordered.flush()
        os.lseek(lines.fileno(), lines.tell(), os.SEEK_SET)  # its buffer has read further
        words = ["sort", "--buffer-size=256M", f"--temporary-directory={to.parent}"]
        subprocess.run(words, stdin=lines, stdout=ordered, check=True, env={**os.environ, "LC_ALL": "C"})


def seed(config: PipelineConfig) -> int:
    """Gives how many leads are known afterwards."""
    load, summary = config.needs_load(), Summary()
    with Store(config.state) as store:
        store.scope.enter(config.pipeline, account_of(config), config.kartra.mode)
        store.runs.begin("seed", config.pipeline)
        stage(open_source(load.source), load, store, summary, run_id="seed")
        _acknowledge_all(store, last_row=summary.counts.read + 1)
        store.leads.keep_raw_hashes()
        store.runs.finish("seed", "succeeded", None, {})
    return summary.counts.read


def _acknowledge_all(store: Store, *, last_row: int) -> None:
    """The index by number is made at the end: numbers come in no order, and it is sorted in one go."""
    insert, scope = SEED.read_text(encoding="utf-8"), store.scope.scope_id
    change = store.database.change
    ((index,),) = store.database.rows("SELECT sql FROM sqlite_master WHERE name = 'leads_by_id'")
    change("DROP INDEX leads_by_id")
    for after in range(0, last_row, AT_ONCE):
        rows = {"scope_id": scope, "after": after, "until": after + AT_ONCE}
        change(insert, {**rows, "now": "2026-11-28T00:00:00+00:00"})
    change(index)
