"""What a file leaves out and a reader should know: the defaults that were taken."""

from collections.abc import Iterator

from pipelines.config.pipeline import PipelineConfig

_OF_LOAD = {
    "key": "email",
    "sync_mode": "upsert",
    "existing": "update",
    "on_removed": "ignore",
    "blank": "ignore",
    "duplicates": "last",
}
"""Keys of `load` that decide what becomes of a lead, with the defaults of the schema."""


def defaults_taken(config: PipelineConfig) -> dict[str, str]:
    """By the place of the key in the file."""
    return dict(_taken(config))


def _taken(config: PipelineConfig) -> Iterator[tuple[str, str]]:
    if "kartra" not in config.model_fields_set:
        yield "kartra", "the account of KARTRA_APP_ID"
    elif "mode" not in config.kartra.model_fields_set:
        yield "kartra.mode", config.kartra.mode
    if "state" not in config.model_fields_set:
        yield "state", "state/kartra.db"
    given = config.load.model_fields_set if config.load is not None else set()
    for key, value in _OF_LOAD.items() if config.load is not None else ():
        if key not in given:
            yield f"load.{key}", value
