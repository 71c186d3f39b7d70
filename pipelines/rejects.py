"""The rejects of a run as a file to mend and load again. Holds people's data: readable by its owner alone."""

import csv
from pathlib import Path
from typing import Any

from pipelines.config_source import CsvOptions, SourceConfig
from pipelines.private_file import open_private


def write_rejects(rejects: list[dict[str, Any]], path: Path | None, source: SourceConfig) -> int:
    """The original records as CSV, written as a CSV source is; gives how many.

    Duplicates are left out: another record spoke for them. A record that was not as wide as the header
    is written with the cells it had.
    """
    options = source.options
    written = options if isinstance(options, CsvOptions) else None
    records = [reject["record"] for reject in rejects if reject["kind"] != "duplicate" and reject["record"]]
    header = next((list(record) for record in records if isinstance(record, dict)), None)
    if header is None and records:
        header = records[0][0]
    with open_private(path, (written and written.encoding) or "utf-8") as handle:
        writer = csv.writer(
            handle,
            delimiter=(written and written.delimiter) or ",",
            quotechar=written.quotechar if written else '"',
        )
        if header:
            writer.writerow(header)
        for record in records:
            writer.writerow(list(record.values()) if isinstance(record, dict) else record[1])
    return len(records)
