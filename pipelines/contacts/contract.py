"""Compares the columns of a source with those that the pipeline file expects. Pure."""

from collections.abc import Iterator

from connectors.errors import ConfigError, Lines
from connectors.sources.names import unique_names
from pipelines.config.load import LoadConfig
from pipelines.contacts.columns import used_columns


def contract_notes(load: LoadConfig, columns: tuple[str, ...]) -> list[str]:
    """Remarks on columns that are missing or new. Raises ConfigError if the contract makes that an error.

    `columns` include those that the mapping needs, so they really are a header and fit for messages.
    """
    contract = load.contract
    columns = tuple(unique_names(columns))
    used = list(used_columns(load))
    known = {*(column for _, column in used), *contract.unused}
    extra = [column for column in dict.fromkeys(columns) if column not in known]
    found = {"missing": list(_missing(load, columns, used)), "extra": [_extra_message(one) for one in extra]}
    problems = [line for kind, lines in found.items() if getattr(contract, kind) == "error" for line in lines]
    if problems:
        raise ConfigError(Lines(problems))
    return [line for kind, lines in found.items() if getattr(contract, kind) == "warn" for line in lines]


def _missing(load: LoadConfig, columns: tuple[str, ...], used: list[tuple[str, str]]) -> Iterator[str]:
    for place, column in used:
        if column not in columns:
            yield f'{place}: the source has no column "{column}": it is left as it is in Kartra'
    for column in load.contract.unused:
        if column not in columns:
            yield f'load.contract.unused: the source has no column "{column}"'


def _extra_message(column: str) -> str:
    return f'load.contract: the source has a column "{column}" that the pipeline does not know'
