"""The rejects of a run as a file to mend and load again. Holds people's data: readable by its owner alone."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipelines.config.pipeline import PipelineConfig
from pipelines.config.sources import CsvOptions, SourceConfig
from pipelines.private_file import open_private
from pipelines.verbs.reading import store_of
from pipelines.verbs.status import last_runs


def write_rejects(
    rejects: Callable[[], Iterator[dict[str, Any]]], path: Path | None, source: SourceConfig
) -> int:
    """The original records as CSV, written as a CSV source is; gives how many. `rejects` is asked twice.

    Duplicates are left out: another record spoke for them. A record that was not as wide as the header
    is written with the cells it had.
    """
    options = source.options
    written = options if isinstance(options, CsvOptions) else None
    header = _header(_records(rejects()))
    count = 0
    with open_private(path, (written and written.encoding) or "utf-8") as handle:
        writer = csv.writer(
            handle,
            delimiter=(written and written.delimiter) or ",",
            quotechar=written.quotechar if written else '"',
        )
        if header:
            writer.writerow(header)
        for record in _records(rejects()):
            writer.writerow(list(record.values()) if isinstance(record, dict) else record[1])
            count += 1
    return count


def _records(rejects: Iterator[dict[str, Any]]) -> Iterator[Any]:
    for reject in rejects:
        if reject["kind"] != "duplicate" and reject["record"]:
            yield reject["record"]


def _header(records: Iterator[Any]) -> list[str]:
    """That of the first record as wide as its header, or else of the first."""
    found: list[str] = []
    for record in records:
        if isinstance(record, dict):
            return list(record)
        found = found or record[0]
    return found


def rejects_of(config: PipelineConfig) -> Iterator[dict[str, Any]]:
    """The rejects of the last run; `record` is the original text: an object, or header and cells."""
    with store_of(config) as store:
        for last in last_runs(store, config.pipeline, 1):
            for row in store.rejects.of_run(last["run_id"]):
                yield {
                    "row": row.row,
                    "line": row.line,
                    "kind": row.kind,
                    "type": row.type,
                    "reason": row.reason,
                    "record": json.loads(row.record) if row.record else None,
                }
