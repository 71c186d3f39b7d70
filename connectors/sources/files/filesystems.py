"""Files in object stores (s3, gs, az), by fsspec."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import fsspec

from connectors.errors import ConfigError, SourceError, SyncError
from connectors.sources.files.url_kinds import kind_of

_BLOCK_BYTES = 64 * 1024


def blocks_of(url: str, name: str, stop: Callable[[], bool]) -> Iterator[bytes]:
    """What the file holds, block by block. Raises ConfigError, SourceError."""
    host = urlsplit(url).hostname or "its place"
    try:
        with fsspec.open(url, "rb") as source:
            while (block := source.read(_BLOCK_BYTES)) and not stop():
                yield block
    except SyncError:
        raise
    except ImportError as error:
        raise ConfigError(f"{name}: {kind_of(url)}:// needs a library: {error.name}") from error
    except FileNotFoundError as error:
        raise SourceError(f"{name} cannot be fetched from {host}: it is not there") from error
    except Exception as error:  # each protocol has errors of its own, whose words may hold the whole URL
        raise SourceError(f"{name} cannot be fetched from {host}: {type(error).__name__}") from error
