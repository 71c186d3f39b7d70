"""Opens the source that a pipeline file names. Imports pandas: not for `--help` or `status`."""

from connectors.sources import Source
from connectors.sources.kinds import KINDS
from pipelines.config.sources import SourceConfig
from pipelines.extract.cells import Cleaned

_OURS = ("blanks", "incremental")
"""Options that are for whoever reads a source, of any kind."""


def words_notes(source: Source) -> list[str]:
    """What only a person who asks is shown: words as they are read in an encoding that was guessed."""
    return [f"words beyond ASCII, as they are read: {', '.join(source.words)}"] if source.words else []


def open_source(source: SourceConfig) -> Cleaned:
    """Raises SourceError, ConfigError."""
    options = {name: value for name, value in source.options if name not in _OURS}
    return Cleaned(KINDS[source.kind].open(**options), source.options.blanks)
