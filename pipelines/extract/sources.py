"""Opens the source that a pipeline file names. Imports pandas: not for `--help` or `status`."""

from connectors.sources import Source
from connectors.sources.kinds import KINDS
from pipelines.config.sources import SourceConfig


def open_source(source: SourceConfig) -> Source:
    """Raises SourceError, ConfigError."""
    options = {name: value for name, value in source.options if name != "incremental"}  # of a run's
    return KINDS[source.kind].open(**options)
