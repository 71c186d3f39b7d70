"""The state of a pipeline, for whoever only reads it: without credentials, without the right to write."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from connectors.databases.readable import Readable
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import StateError, StateOutOfReachError
from pipelines.state.store import Store


@contextmanager
def store_of(config: PipelineConfig, *, check_beside: bool = False) -> Iterator[Store]:
    """Empty, and in memory, where nothing has run yet. Raises StateError."""
    if not config.state.exists():
        with Store(None) as store:
            yield store
        return
    try:
        readable = Readable(config.state)
    except OSError as error:
        said = f"{config.state}: cannot be used as state: {error.strerror or error}"
        raise StateOutOfReachError(said) from error
    try:
        with closing(readable), Store(readable.path, check_beside=check_beside) as store:
            yield store
    except StateError as error:  # of the copy, it may be: people know the file by its own name
        raise type(error)(str(error).replace(str(readable.path), str(config.state))) from error
