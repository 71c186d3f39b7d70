"""The sources by the name a pipeline file gives them. Imports pandas: not for `--help` or `status`."""

from collections.abc import Callable
from functools import partial

from connectors.sources import Source
from connectors.sources.database.query import open_sql
from connectors.sources.files.csv_file import open_csv
from connectors.sources.files.excel import open_excel
from connectors.sources.files.jsonl import open_jsonl
from connectors.sources.files.parquet import open_parquet
from connectors.sources.files.places import open_files

SOURCES: dict[str, Callable[..., Source]] = {
    "csv": partial(open_files, open_csv),
    "excel": partial(open_files, open_excel),
    "jsonl": partial(open_files, open_jsonl),
    "parquet": partial(open_files, open_parquet),
    "sql": open_sql,
}
