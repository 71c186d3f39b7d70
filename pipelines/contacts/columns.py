"""Checks that a source has the columns that a pipeline file names. Pure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from connectors.errors import ConfigError, Lines, lines_of
from connectors.sources.names import unique_names
from pipelines.config.load import LoadConfig
from pipelines.config.values import Value
from pipelines.contacts.wishes import WISHES
from pipelines.words.nearest import nearest

INDISPENSABLE = (
    "load.fields.email",
    "load.key",
    "load.consent",
    "load.opt_out",
    "load.duplicates",
    "load.only",
)
"""Keys of the mapping whose columns must exist, whatever the contract says."""


def check_used(used: Sequence[tuple[str, str]], columns: tuple[str, ...]) -> None:
    """`used` is (place in the pipeline file, column). Raises ConfigError with a line for each problem.

    Columns have the names they have in a frame: the second of a name is "name (2)".
    """
    problems = []
    names = unique_names(columns)
    holds_address = any("@" in name for name in columns)
    is_header = not holds_address and any(column in columns for _, column in used)
    others = f"; it has: {', '.join(columns)}" if is_header else "; is its first line a header?"
    for place, column in used:
        if columns.count(column) > 1:
            problems.append(
                f'{place}: the source has the column "{column}" more than once; write "{column} (2)" for the'
                " second"
            )
        elif column not in names:
            near = None if holds_address else nearest(column, names)
            # If no column matches, the header is not shown: it may be a person's record.
            hint = f'; did you mean "{near}"?' if near else others
            problems.append(f'{place}: the source has no column "{column}"{hint}')
    if problems:
        raise ConfigError(Lines(problems))


@contextmanager
def naming_file(file_name: str) -> Iterator[None]:
    """Puts the name of the pipeline file before every line of a ConfigError raised inside."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(Lines(f"{file_name}: {line}" for line in lines_of(error))) from None


def used_columns(load: LoadConfig) -> Iterator[tuple[str, str]]:
    """Each (place in the pipeline file, column) that the mapping reads."""
    for place, value in _values(load):
        yield from ((place, column) for column in value.columns)
    if load.key.column is not None:
        yield "load.key", load.key.column
    if load.consent.column is not None:
        yield "load.consent", load.consent.column
    yield from (("load.opt_out", one.column) for one in load.opt_out)
    if load.duplicates.column is not None:
        yield "load.duplicates", load.duplicates.column
    yield from (("load.only", column) for column in load.only)


def needed_columns(load: LoadConfig, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Like `used_columns`, without missing columns that the contract allows to be missing."""
    names = unique_names(columns)
    for place, column in used_columns(load):
        if column in names or load.contract.missing == "error" or place in INDISPENSABLE:
            yield place, column


def _values(load: LoadConfig) -> Iterator[tuple[str, Value]]:
    for name, value in load.fields.items():
        yield f"load.fields.{name}", value
    for name, value in load.custom_fields.items():
        yield f"load.custom_fields.{name}", value
    for wish in WISHES:
        yield from ((f"load.{wish.collection}", value) for value in wish.values(load))
    for wish in WISHES:
        yield from ((f"load.{wish.taken_by}", value) for value in wish.taken_values(load))


def can_be_read(value: str | Value, columns: tuple[str, ...]) -> bool:
    return isinstance(value, str) or set(value.columns).issubset(unique_names(columns))
