"""The sources by the name a pipeline file gives them. Imports pandas: not for `--help` or `status`."""

from collections.abc import Callable

from connectors.sources import Source
from connectors.sources.database import open_sql
from connectors.sources.files import open_csv

SOURCES: dict[str, Callable[..., Source]] = {
    "csv": open_csv,
    "sql": open_sql,
}
