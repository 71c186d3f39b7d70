"""The kinds of sources by their name in a pipeline file. Imports pandas, so not for `--help` or `status`.

A new kind is a line here, a module that opens it, and its options in `pipelines.config.sources`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from connectors.sources import Source
from connectors.sources.database.query import open_sql
from connectors.sources.files.csv_file import open_csv
from connectors.sources.files.excel import open_excel
from connectors.sources.files.jsonl import open_jsonl
from connectors.sources.files.parquet import open_parquet
from connectors.sources.files.places import open_files


class Kind(NamedTuple):
    """`open` takes the options of the kind, `suffixes` are the ends of file names that stand for it."""

    open: Callable[..., Source]
    suffixes: tuple[str, ...] = ()


KINDS = {
    "csv": Kind(partial(open_files, open_csv), (".csv", ".tsv", ".txt", ".zip")),
    "excel": Kind(partial(open_files, open_excel), (".xlsx", ".xlsm")),
    "jsonl": Kind(partial(open_files, open_jsonl), (".jsonl", ".ndjson")),
    "parquet": Kind(partial(open_files, open_parquet), (".parquet",)),
    "sql": Kind(open_sql),
}
KIND_BY_SUFFIX = {suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes}
