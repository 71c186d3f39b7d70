"""The accounts of a fleet that stand in a database. Imports pandas and SQLAlchemy."""

from collections.abc import Iterator

from connectors.errors import ConfigError, SourceError
from pipelines.config.fleet import AccountsQuery
from pipelines.config.sources import SourceConfig
from pipelines.extract.sources import open_source


def rows_of_database(query: AccountsQuery) -> Iterator[dict[str, str]]:
    """The cells of each account by column. Raises ConfigError where the database does not give them."""
    try:
        source = open_source(SourceConfig(kind="sql", options=query.sql))
        if "name" not in source.columns:
            raise ConfigError("accounts: the query gives no column name")
        for chunk in source.chunks():
            for record in chunk.frame.to_dict("records"):
                yield {str(column): "" if cell is None else str(cell) for column, cell in record.items()}
    except SourceError as error:
        raise ConfigError(f"accounts: {error}") from error
