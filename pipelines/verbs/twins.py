"""Two files that call their pipeline by one name, with one state: each would undo what the other does."""

import os
from collections.abc import Iterable
from pathlib import Path

from connectors.errors import ConfigError
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store


def twin_of(config: PipelineConfig, others: Iterable[PipelineConfig]) -> PipelineConfig | None:
    """Another file for the same pipeline in the same state."""
    for other in others:
        is_one = (other.pipeline, _where(other)) == (config.pipeline, _where(config))
        # Resolved, because a link to the same file is not a twin.
        if is_one and other.path.resolve() != config.path.resolve():
            return other
    return None


def _where(config: PipelineConfig) -> Path | str:
    return config.state.resolve() if isinstance(config.state, Path) else str(config.state)


def twin_message(config: PipelineConfig, twin: PipelineConfig) -> str:
    return (
        f"{config.path.name}: {twin.path.name} calls its pipeline {config.pipeline}, too, and keeps it in the"
        " same state: each would undo what the other does. Give one of them another name"
    )


def refuse_twins(configs: list[PipelineConfig]) -> None:
    """Raises ConfigError."""
    for place, config in enumerate(configs):
        if twin := twin_of(config, configs[:place]):
            raise ConfigError(twin_message(config, twin))


def note_of_twin(store: Store, config: PipelineConfig) -> str | None:
    """A note if the run before came from another file that still describes the same pipeline.

    To be asked before the scope is entered: entering notes the file of this run.
    """
    files = (scope.file for scope in store.accounts.scopes() if scope.pipeline == config.pipeline)
    came_from = next((file for file in files if file), None)
    if came_from is None or Path(came_from).resolve() == config.path.resolve():
        return None
    twin = twin_of(config, _read(Path(came_from)))
    return f"the run before came from another file. {twin_message(config, twin)}" if twin else None


def _read(path: Path) -> list[PipelineConfig]:
    """The pipeline in that file, if it is there and right."""
    try:
        return [read_pipeline(path, os.environ)] if path.exists() else []
    except (ConfigError, OSError):
        return []
