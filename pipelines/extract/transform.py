"""The user's hook between source and mapping: a Python function from DataFrame to DataFrame.

It gets the records a chunk at a time, as text, indexed by their row. It may change, add and remove columns,
and leave records out; a record that it returns keeps its row. Values other than text become text by the rules
of
`connectors.sources.values`. Imports pandas, so not for `--help` or `status`.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from connectors.errors import ConfigError, SourceError
from connectors.sources import BadRow, Chunk, Source
from connectors.sources.names import unique_names
from connectors.sources.values import text_of
from pipelines.config.load import LoadConfig, TransformConfig
from pipelines.extract.cells import Cleaned
from pipelines.extract.hook_file import read_hook_file
from pipelines.extract.sources import open_source

log = logging.getLogger("kartra_sync.transform")


def open_records(load: LoadConfig) -> "Cleaned | Transformed":
    """The records that the mapping reads: the source, through the hook if there is one.

    The hook runs once on the first chunk, which shows its columns. Raises SourceError, ConfigError.
    """
    source = open_source(load.source)
    if load.transform is None:
        return source
    hook = _Hook(load.transform, _function(load.transform))
    columns = tuple(hook(_first_records(source)).columns)
    return Transformed(columns, (*source.notes, f"through {load.transform.name}"), source, hook)


def source_columns(source: Source) -> tuple[str, ...]:
    """The columns of the source itself, before a hook."""
    return source.source.columns if isinstance(source, Transformed) else source.columns


@dataclass(frozen=True, slots=True)
class Transformed:
    """A Source made by a hook from another one. Records it leaves out do not count; the log has their
    number."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    source: Cleaned
    _hook: "_Hook"

    @property
    def words(self) -> tuple[str, ...]:
        return self.source.words

    def over(self, source: Source) -> "Transformed":
        """The same hook over another part of the source."""
        return replace(self, source=self.source.over(source))

    def chunks(self) -> Iterator[Chunk]:
        read = left = 0
        for chunk in self.source.chunks():
            made = self._made_of(chunk)
            read += len(chunk.frame)
            left += len(made.frame) + len(made.bad_rows) - len(chunk.bad_rows)
            yield made
        if left < read:
            log.info("%s left out %s of %s records", self._hook.config.name, f"{read - left:,}", f"{read:,}")

    def _made_of(self, chunk: Chunk) -> Chunk:
        if not len(chunk.frame):
            return Chunk(chunk.frame.reindex(columns=list(self.columns)), (), chunk.bad_rows)
        frame = self._hook(chunk.frame)
        if tuple(frame.columns) != self.columns:
            raise ConfigError(
                f"{self._hook.config.name} gives other columns for {_rows(chunk.frame)} than for the first"
                " records: they have to be the same for all"
            )
        texts, faults = _as_text(frame)
        lines = dict(zip(chunk.frame.index, chunk.lines, strict=True))
        bad_rows = [
            BadRow(row, lines[row], fault, tuple(map(str, chunk.frame.loc[row])))
            for row, fault in faults.items()
        ]
        return Chunk(
            texts,
            tuple(lines[row] for row in texts.index),
            (*chunk.bad_rows, *bad_rows),
            chunk.frame.loc[texts.index],
            tuple(one for one in chunk.faults if one.row in texts.index and one.column in texts.columns),
        )


@dataclass(frozen=True, slots=True)
class _Hook:
    """The user's function, with its rules enforced."""

    config: TransformConfig
    function: Callable[[pd.DataFrame], object]

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The function's result for a copy of the frame, in the order of its rows."""
        try:
            with redirect_stdout(sys.stderr):  # stdout is for results
                made = self.function(frame.copy())
        except Exception as error:  # noqa: BLE001 - it is not our code, whatever it raises
            raise SourceError(f"{_place_of(error, self.config)}, for {_rows(frame)}") from None
        if not isinstance(made, pd.DataFrame):
            raise ConfigError(f"{self.config.name} has to return a DataFrame, not {type(made).__name__}")
        self._refuse_columns(made)
        if made.index.name != "row" or not made.index.isin(frame.index).all():
            raise ConfigError(
                f"{self.config.name} has to keep the index of its records, which is the row they stand on:"
                ' set_index("row") after reset_index() and merge(), and no records of its own'
            )
        if made.index.has_duplicates:
            raise ConfigError(f"{self.config.name} makes several records of one, for {_rows(frame)}")
        return made.sort_index()

    def _refuse_columns(self, made: pd.DataFrame) -> None:
        if not all(isinstance(name, str) for name in made.columns):
            raise ConfigError(f"{self.config.name}: names of columns have to be text")
        if not made.columns.is_unique:
            repeated = made.columns[made.columns.duplicated()][0]
            raise ConfigError(f'{self.config.name} gives the column "{repeated}" more than once')


def _first_records(source: Source) -> pd.DataFrame:
    for chunk in source.chunks():
        if len(chunk.frame):
            return chunk.frame
    return pd.DataFrame(columns=unique_names(source.columns), index=pd.Index([], name="row"), dtype=object)


def _function(config: TransformConfig) -> Callable[[pd.DataFrame], object]:
    """Raises ConfigError for a file or a function that is not there, or not to be trusted."""
    file = read_hook_file(config)
    file.admit()
    module = ModuleType(f"transform_{config.file.stem}")
    module.__file__ = str(config.file)
    try:
        with redirect_stdout(sys.stderr):
            # The very bytes that were looked at: a loader would take a compiled copy from beside the file.
            exec(compile(file.content, str(config.file), "exec"), module.__dict__)  # noqa: S102 - the user's own
    except Exception as error:  # noqa: BLE001 - it is not our code, whatever it raises
        raise ConfigError(f"load.transform: {_place_of(error, config)}") from None
    function = getattr(module, config.function, None)
    if not callable(function):
        raise ConfigError(f"load.transform: {config.file.name} has no function {config.function}")
    return function  # type: ignore[no-any-return]


def _place_of(error: Exception, config: TransformConfig) -> str:
    """Where an error was raised, without its text, which may be about a person. Words of the file are
    shown."""
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '').name}, line {error.lineno}: {error.msg}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _is_in(frame, config)]
    where = f"{config.file.name}, line {lines[-1]}" if lines else config.file.name
    word = str(error.args[0]) if isinstance(error, KeyError | ImportError) and error.args else ""
    of_file = f" {word}" if word and (isinstance(error, ImportError) or _stands_in(word, config.file)) else ""
    return f"{where}: {type(error).__name__}{of_file}"


def _is_in(frame: traceback.FrameSummary, config: TransformConfig) -> bool:
    return frame.filename == str(config.file)


def _stands_in(word: str, file: Path) -> bool:
    return word in file.read_text(encoding="utf-8", errors="replace")


def _as_text(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, str]]:
    """The frame as text, and the faults of rows that cannot be text."""
    rows, index, faults = [], [], {}
    for row, *values in frame.itertuples(name=None):
        try:
            cells = [value if type(value) is str else _text(value) for value in values]
            fault = "NUL byte in the record" if "\0" in "".join(cells) else ""
        except UnicodeDecodeError:
            fault = "the hook gives bytes that are no text"
        if fault:
            faults[row] = fault
            continue
        rows.append(cells)
        index.append(row)
    texts = pd.DataFrame(
        rows, columns=frame.columns, index=pd.Index(index, name="row", dtype="int64"), dtype=object
    )
    return texts, faults


def _text(value: Any) -> str:
    """The text of a value as for a database; NaN, NaT and NA are blank."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    return text_of(value.item() if hasattr(value, "item") else value)


def _rows(frame: pd.DataFrame) -> str:
    if not len(frame):
        return "a source without records"
    return f"the records of rows {frame.index[0]:,} to {frame.index[-1]:,}"
