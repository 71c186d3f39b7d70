"""Reads the sources of people who must not be sent."""

from collections.abc import Iterator
from pathlib import Path

from connectors.errors import ConfigError, SourceError
from connectors.sources import Source
from connectors.sources.faults import without_faults
from pipelines.config.load import SuppressConfig
from pipelines.contacts.addresses import addresses_in, holds_unreadable
from pipelines.contacts.normalise import normal_cell
from pipelines.extract.sources import open_source


def suppressed_by(suppress: SuppressConfig) -> str:
    """The reason for a blocked record."""
    path = getattr(suppress.source.options, "path", None)
    name = Path(str(path).partition("?")[0]).name if path is not None else "a query"
    return f"suppressed by {name}"


def check_suppression(suppress: SuppressConfig) -> None:
    """Raises ConfigError if the source lacks the column of addresses, and SourceError."""
    _opened(suppress)


def suppressed_addresses(suppress: SuppressConfig) -> Iterator[list[str]]:
    """All addresses in their normal form, a chunk at a time; every address of a cell counts.

    Raises SourceError also for an unreadable row, for a filled cell without an address, and for one of whose
    addresses one cannot be read: each may belong to a person who said no.
    """
    source = _opened(suppress)
    for chunk in without_faults(source.chunks(), {suppress.email}):
        for bad in chunk.bad_rows:
            raise _unreadable(suppress, bad.row, bad.line, bad.reason)
        addresses: list[str] = []
        for place, cell in enumerate(chunk.frame[suppress.email]):
            found = addresses_in(cell)
            if holds_unreadable(cell) or (not found and normal_cell(cell)):
                row = int(chunk.frame.index[place])
                what = "an e-mail address that cannot be read" if found else "no e-mail address"
                reason = f'{what} in the column "{suppress.email}"'
                raise _unreadable(suppress, row, chunk.lines[place], reason)
            addresses += found
        yield addresses


def _unreadable(suppress: SuppressConfig, row: int, line: int, reason: str) -> SourceError:
    return SourceError(
        f"{suppressed_by(suppress)}: row {row} (line {line}) cannot be read: {reason}."
        " Nothing was sent, because it may be somebody who must not be"
    )


def _opened(suppress: SuppressConfig) -> Source:
    source = open_source(suppress.source)
    if source.columns.count(suppress.email) != 1:
        raise ConfigError(
            f'load.suppress: the source has no column "{suppress.email}", or more than one: it has'
            f" {len(source.columns)} columns"
        )
    return source
