"""Opens the source that a pipeline file names. Imports pandas: not for `--help` or `status`."""

from connectors.sources import Source
from connectors.sources.kinds import KINDS
from pipelines.config.sources import SourceConfig
from pipelines.extract.cells import Cleaned

_OURS = ("blanks", "incremental")
"""Options that this room handles, for every kind of source."""


def words_notes(source: Source) -> list[str]:
    """A remark with words in a guessed encoding, for a person who asks."""
    return [f"words beyond ASCII, as they are read: {', '.join(source.words)}"] if source.words else []


def open_source(source: SourceConfig) -> Cleaned:
    """The source with clean cells. Raises SourceError, ConfigError."""
    options = {name: value for name, value in source.options if name not in _OURS}
    return Cleaned(KINDS[source.kind].open(**options), source.options.blanks)
