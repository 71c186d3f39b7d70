"""The process of one load by dlt, its fastest ways: Arrow in, merged by key or by a hash of the row.

Prints how long it took and how much memory it had at most, as JSON.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.destinations import duckdb, sqlalchemy
from dlt.sources.helpers.transform import add_row_hash_to_table
from pyarrow import csv

from tests.bench.contacts import COLUMNS
from tests.bench.pull import memory_mib

BLOCK_BYTES = 16 * 1024 * 1024
HASH = "row_hash"
DESTINATIONS = {
    "DuckDB": lambda folder: duckdb(str(folder / "contacts.duckdb")),
    # Without the key's index SQLite would look through the whole table for each row.
    "SQLite": lambda folder: sqlalchemy(f"sqlite:///{folder / 'contacts.db'}", create_primary_keys=True),
}


def load(destination: str, strategy: str, path: Path, folder: Path) -> int:
    pipeline = dlt.pipeline(
        "bench",
        destination=DESTINATIONS[destination](folder),
        dataset_name="bench",
        pipelines_dir=str(folder / "pipelines"),
    )
    pipeline.run(_contacts(path, strategy))
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return int(counts["contacts"])


def _contacts(path: Path, strategy: str) -> Any:
    merge: dict[str, Any] = {"disposition": "merge", "strategy": strategy}
    if strategy != "scd2":
        return dlt.resource(
            _tables(path), name="contacts", primary_key=COLUMNS[0].lower(), write_disposition=merge
        )
    merge["row_version_column_name"] = HASH
    hashed = dlt.resource(_tables(path), name="contacts", write_disposition=merge)
    return hashed.add_map(add_row_hash_to_table(HASH))


def _tables(path: Path) -> Iterator[pa.Table]:
    """A block at a time; every cell as text. Columns are called as dlt would call them."""
    names = [name.lower().replace(" ", "_").replace("-", "_") for name in COLUMNS]
    reader = csv.open_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, skip_rows=1, block_size=BLOCK_BYTES),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    for batch in reader:
        yield pa.Table.from_batches([batch])


if __name__ == "__main__":
    started, before = time.perf_counter(), time.process_time()
    rows = load(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    seconds, cpu = time.perf_counter() - started, time.process_time() - before
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "MiB": memory_mib("VmHWM")}))
