"""The verb `retry`: a mended file of rejects is loaded with the mapping of its pipeline file.

The file is a part of the source: a lead that is missing in it has not gone, and no mark of what was read
moves on.
"""

from collections.abc import Callable
from pathlib import Path

from connectors.errors import ConfigError
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.sources import CsvOptions, SourceConfig
from pipelines.summary import Progress
from pipelines.verbs.run import RunResult, run_pipeline


def retry_file(
    config: PipelineConfig,
    file: Path,
    *,
    approved: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunResult:
    """Load the file. Raises SyncError only before the run began."""
    return run_pipeline(
        retrying(config, file), approved=approved, kind="retry", stopping=stopping, progress=progress
    )


def retrying(config: PipelineConfig, file: Path) -> PipelineConfig:
    """The pipeline with the file as its source, and nothing but its load. Raises ConfigError."""
    load = config.needs_load()
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    options = load.source.options
    encoding = options.encoding if isinstance(options, CsvOptions) else None
    quotechar = options.quotechar if isinstance(options, CsvOptions) else '"'
    source = SourceConfig(
        kind="csv", options=CsvOptions(path=file.resolve(), encoding=encoding, quotechar=quotechar)
    )
    # min_rows is meant for the whole source; a few mended rows are what is expected here.
    guards = load.guards.model_copy(update={"min_rows": 0})
    partial = load.model_copy(update={"source": source, "on_removed": (), "guards": guards})
    return config.model_copy(update={"load": partial, "pull": None, "operations": None})
