"""The contacts of a life, read by the product itself; what was read is kept as long as the file is the same.

Half of the runs of a life read a file that an earlier one has read. How files are read is not what lives
prove.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from connectors.sources import Chunk, Source
from pipelines.config.load import LoadConfig
from pipelines.config.sources import CsvOptions
from pipelines.extract.transform import open_records as really_open


@dataclass(frozen=True)
class Read:
    """A source that was read as a whole."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    parts: tuple[Chunk, ...]

    def chunks(self) -> Iterator[Chunk]:
        return iter(self.parts)


def open_records(load: LoadConfig) -> Source:
    options = load.source.options
    assert isinstance(options, CsvOptions)
    file = Path(options.path)
    return _read(file.read_bytes(), _Load(load, file))


@dataclass(frozen=True, eq=False)
class _Load:
    """Of one path: what stands in it is told beside."""

    load: LoadConfig
    file: Path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Load) and other.file == self.file

    def __hash__(self) -> int:
        return hash(self.file)


@lru_cache(maxsize=8)
def _read(_content: bytes, asked: _Load) -> Source:
    source = really_open(asked.load)
    return Read(source.columns, source.notes, source.words, tuple(source.chunks()))
