"""The verb `state forget`: a person's data leaves the state and the pulled tables."""

from dataclasses import dataclass, field
from pathlib import Path

from connectors.databases.tables import tables_url
from connectors.errors import ConfigError, TablesError
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import InvalidAddressError, normal_address
from pipelines.contacts.normalise import normal_cell
from pipelines.errors import StateError
from pipelines.state.file import backups_beside
from pipelines.state.place import Place
from pipelines.state.store import Store
from pipelines.tables.warehouse import Warehouse
from pipelines.verbs.left_behind import files_near, holds_any, whole_exports, written_forms

TELLING = 8
"""The characters that a key without an @ needs to be searched for: a shorter one stands in many a file by
chance."""


@dataclass(frozen=True, slots=True)
class ForgottenPerson:
    """The rows that went, by table, and the files that still hold the person."""

    state: Place
    pipelines: list[str]
    rows: dict[str, int]
    backups: list[Path]
    files: list[Path] = field(default_factory=list)
    """Other files near the pipeline that name the person, the sources apart."""
    unread: list[Path] = field(default_factory=list)
    """Folders with more files than were searched."""
    is_named: bool = False
    """Whether the state itself still names the person, in what other people's records say."""
    server: str | None = None
    """The server of the tables, which keeps what was deleted until it cleans up."""


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
            # Rows that are deleted stay readable in the pages of the file until it is rewritten.
            store.database.wipe()
        except StateError as error:
            raise StateError(
                f"{error}. The person is forgotten, but traces may still stand in the file: forget them"
                " again once this is mended"
            ) from error
    rows = dict(erased.rows) | _erase_pulled(config, erased.names)
    wanted = written_forms(erased.names)
    telling = written_forms({name for name in erased.names if "@" in name or len(name) >= TELLING})
    backups = backups_beside(config.state) if isinstance(config.state, Path) else []
    files, unread = files_near(config, leaving_out=backups)
    into = config.pull.into if config.pull else None
    return ForgottenPerson(
        config.state,
        pipelines,
        rows,
        [file for file in backups if holds_any(file, wanted)],
        whole_exports([file for file in files if holds_any(file, telling)]),
        unread,
        is_named=bool(telling) and isinstance(config.state, Path) and holds_any(config.state, telling),
        server=tables_url(into).host if isinstance(into, str) and "://" in into else None,
    )


def _erase_pulled(config: PipelineConfig, names: frozenset[str]) -> dict[str, int]:
    """Erase the person from the pulled tables; gives how many rows, by table."""
    if config.pull is None:
        return {}
    try:
        with Warehouse(config.pull.into, create=False) as warehouse:
            if not warehouse.is_there():
                return {}
            rows = warehouse.erase(sorted(names))
            warehouse.tables.wipe()
            return rows
    except TablesError as error:
        if isinstance(config.pull.into, Path) and not config.pull.into.exists():
            return {}
        raise TablesError(
            f"{error}. The person is forgotten in the state; forget them again once this is mended"
        ) from error


def _names(load: LoadConfig | None, key: str) -> frozenset[str]:
    """The key as the mapping writes it, and the address that it may be. Raises ConfigError."""
    given = normal_cell(key)
    if not given:
        raise ConfigError("KEY is blank")
    # Without a load there is no column of keys: an operation names people by their address.
    by_address = load is None or load.key.column is None
    try:
        address = normal_address(key)
    except InvalidAddressError:
        return frozenset({given.lower() if by_address else given})
    return frozenset({address} if by_address else {given, address})
