"""People who must not be sent, whatever the source says of them: addresses of other sources."""

from collections.abc import Iterator
from pathlib import Path

from connectors.errors import ConfigError, SourceError
from connectors.sources import Source
from connectors.sources.faults import without_faults
from pipelines.config.load import SuppressConfig
from pipelines.contacts.normalise import InvalidAddressError, normal_address, normal_cell
from pipelines.extract.sources import open_source


def suppressed_by(suppress: SuppressConfig) -> str:
    """The reason that a record is blocked for."""
    path = getattr(suppress.source.options, "path", None)
    name = Path(str(path).partition("?")[0]).name if path is not None else "a query"
    return f"suppressed by {name}"


def check_suppression(suppress: SuppressConfig) -> None:
    """Raises ConfigError where the source lacks the column of addresses, SourceError."""
    _opened(suppress)


def suppressed_addresses(suppress: SuppressConfig) -> Iterator[list[str]]:
    """All addresses, a chunk at a time, in the form in which keys are compared.

    Raises SourceError also for a row that cannot be read: it may be that of a person who said no. A cell
    that is no address belongs to nobody who could be sent.
    """
    source = _opened(suppress)
    for chunk in without_faults(source.chunks(), {suppress.email}):
        if chunk.bad_rows:
            bad = chunk.bad_rows[0]
            raise SourceError(
                f"{suppressed_by(suppress)}: row {bad.row} (line {bad.line}) cannot be read: {bad.reason}."
                " Nothing was sent, because it may be somebody who must not be"
            )
        yield list(_addresses(chunk.frame[suppress.email]))


def _addresses(cells: Iterator[str]) -> Iterator[str]:
    for cell in cells:
        try:
            yield normal_address(normal_cell(cell))
        except InvalidAddressError:
            continue


def _opened(suppress: SuppressConfig) -> Source:
    source = open_source(suppress.source)
    if source.columns.count(suppress.email) != 1:
        raise ConfigError(
            f'load.suppress: the source has no column "{suppress.email}", or more than one: it has'
            f" {len(source.columns)} columns"
        )
    return source
