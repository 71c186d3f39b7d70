"""The sources by the name a pipeline file gives them. Imports pandas: not for `--help` or `status`."""

from collections.abc import Callable
from functools import partial

from connectors.sources import Source
from connectors.sources.database import open_sql
from connectors.sources.excel import open_excel
from connectors.sources.files import open_csv
from connectors.sources.jsonl import open_jsonl
from connectors.sources.parquet import open_parquet
from connectors.sources.places import open_files

SOURCES: dict[str, Callable[..., Source]] = {
    "csv": partial(open_files, open_csv),
    "excel": partial(open_files, open_excel),
    "jsonl": partial(open_files, open_jsonl),
    "parquet": partial(open_files, open_parquet),
    "sql": open_sql,
}
