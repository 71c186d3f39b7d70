"""The state of a pipeline, for whoever only reads it: it needs no run, and no credentials."""

from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store


def store_of(config: PipelineConfig) -> Store:
    """Empty, and in memory, where nothing has run yet."""
    return Store(config.state if config.state.exists() else None)
