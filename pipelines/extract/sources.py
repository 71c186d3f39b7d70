"""Opens the source that a pipeline file names. Imports pandas: not for `--help` or `status`."""

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import Lines, SourceError
from connectors.sources import Source
from connectors.sources.files.encoding import UnclearEncodingError
from connectors.sources.kinds import KINDS
from pipelines.config.sources import SourceConfig
from pipelines.extract.cells import Cleaned

_OURS = ("blanks", "incremental")
"""Options that this room handles, for every kind of source."""


def words_notes(source: Source) -> list[str]:
    """A remark with words in a guessed encoding, for a person who asks."""
    return [f"words beyond ASCII, as they are read: {', '.join(source.words)}"] if source.words else []


@contextmanager
def words_shown() -> Iterator[None]:
    """Adds the words in each encoding that would do to the error that asks for one.

    For a person who asks; a run does not write words of the file to its log.
    """
    try:
        yield
    except UnclearEncodingError as error:
        shown = (f"as {page}: {', '.join(words)}" for page, words in error.readings.items() if words)
        raise SourceError(Lines((str(error), *shown))) from error


def open_source(source: SourceConfig) -> Cleaned:
    """The source with clean cells. Raises SourceError, ConfigError."""
    options = {name: value for name, value in source.options if name not in _OURS}
    return Cleaned(KINDS[source.kind].open(**options), source.options.blanks)
