"""Two files that call their pipeline by one name, with one state: each would undo what the other does."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from connectors.errors import ConfigError
from pipelines.config.file import read_pipeline
from pipelines.config.pipeline import PipelineConfig
from pipelines.state.store import Store

RUNS_ASKED = 5
"""A run that was killed does not say where it came from: the one before it may."""


def twin_of(config: PipelineConfig, others: Iterable[PipelineConfig]) -> PipelineConfig | None:
    """Another file for the same pipeline in the same state."""
    for other in others:
        is_one = (other.pipeline, other.state.resolve()) == (config.pipeline, config.state.resolve())
        if is_one and other.path.resolve() != config.path.resolve():
            return other
    return None


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
    """Where the runs before came from another file that is still there for the same pipeline."""
    for run in store.runs.last(config.pipeline, RUNS_ASKED):
        if came_from := (json.loads(run.summary) if run.summary else {}).get("file"):
            twin = twin_of(config, _read(Path(came_from)))
            return (
                None
                if twin is None
                else f"the run before came from another file. {twin_message(config, twin)}"
            )
    return None


def _read(path: Path) -> list[PipelineConfig]:
    """The pipeline in that file, if it is there and right."""
    try:
        return [read_pipeline(path, os.environ)] if path.exists() else []
    except (ConfigError, OSError):
        return []
