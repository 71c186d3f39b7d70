"""`state forget`: a person's data leaves the state and the pulled tables."""

from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConfigError, TablesError
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.contacts.normalise import normal_cell
from pipelines.errors import StateError
from pipelines.state.file import backups_beside, holds_any
from pipelines.state.store import Store
from pipelines.tables.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class ForgottenPerson:
    """What went, by table, and which backups beside the state still hold the person."""

    state: Path
    pipelines: list[str]
    rows: dict[str, int]
    backups: list[Path]


def forget(config: PipelineConfig, key: str) -> ForgottenPerson:
    """Erase a person from every pipeline of the state file, for good, and never send them again.

    Where there is no state yet, one is made that knows this alone. Raises LockedError while a pipeline of
    the file is being run, and StateError where rows went and their bytes could not be wiped out yet.
    """
    names = _names(config.load, key)
    with Store(config.state) as store:
        pipelines = store.runs.pipelines()
        erased = store.forgetting.forget(names)
        try:
            store.database.wipe()
        except StateError as error:
            raise StateError(
                f"{error}. The person is forgotten, but traces may still stand in the file: forget them"
                " again once this is mended"
            ) from error
    rows = dict(erased.rows) | _erase_pulled(config, erased.names)
    backups = [file for file in backups_beside(config.state) if holds_any(file, erased.names)]
    return ForgottenPerson(config.state, pipelines, rows, backups)


def _erase_pulled(config: PipelineConfig, names: frozenset[str]) -> dict[str, int]:
    """From the tables of this pipeline's pull; how many rows by table."""
    if config.pull is None:
        return {}
    try:
        with Warehouse(config.pull.into, create=False) as warehouse:
            return warehouse.erase(sorted(names)) if warehouse.is_there() else {}
    except TablesError as error:
        if isinstance(config.pull.into, Path) and not config.pull.into.exists():
            return {}
        raise TablesError(
            f"{error}. The person is forgotten in the state; forget them again once this is mended"
        ) from error


def _names(load: LoadConfig | None, key: str) -> frozenset[str]:
    """A key as the mapping makes it, and the address that it may be."""
    given = normal_cell(key)
    if not given:
        raise ConfigError("KEY is blank: nobody has that")
    by_address = load is None or load.key.column is None
    try:
        address = normal_address(key)
    except InvalidAddressError:
        return frozenset({given.lower() if by_address else given})
    return frozenset({address} if by_address else {given, address})
