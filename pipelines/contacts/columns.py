"""Does a source have the columns that a pipeline file names? Pure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from connectors.errors import ConfigError
from pipelines.words.nearest import nearest


def check_used(used: Sequence[tuple[str, str]], columns: tuple[str, ...]) -> None:
    """`used` is (place in the pipeline file, column). Raises ConfigError with a line for each problem."""
    problems = []
    holds_address = any("@" in name for name in columns)
    is_header = not holds_address and any(column in columns for _, column in used)
    others = f"; it has: {', '.join(columns)}" if is_header else "; is its first line a header?"
    for place, column in used:
        if column not in columns:
            near = None if holds_address else nearest(column, columns)
            # Where no column is known the header is not shown: it may be somebody's row.
            hint = f'; did you mean "{near}"?' if near else others
            problems.append(f'{place}: the source has no column "{column}"{hint}')
        elif columns.count(column) > 1:
            problems.append(f'{place}: the source has the column "{column}" more than once')
    if problems:
        raise ConfigError("\n".join(problems))


@contextmanager
def naming_file(file_name: str) -> Iterator[None]:
    """Every line of a ConfigError raised inside begins with the name of the pipeline file."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError("\n".join(f"{file_name}: {line}" for line in str(error).splitlines())) from None
