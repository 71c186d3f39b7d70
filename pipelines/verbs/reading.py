"""The state of a pipeline for verbs that only read it, without credentials and without the right to write."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connectors.databases.readable import Readable
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import StateError, StateOutOfReachError
from pipelines.state.place import is_there
from pipelines.state.store import Store


@contextmanager
def store_of(config: PipelineConfig, *, check_beside: bool = False) -> Iterator[Store]:
    """Open the state to be read; where nothing has run yet, an empty one in memory. Raises StateError."""
    if not is_there(config.state):
        with Store(None) as store:
            yield store
        return
    if not isinstance(config.state, Path):
        with Store(config.state) as store:
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
