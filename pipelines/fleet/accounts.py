"""The accounts of a fleet: from its file, a CSV or a database, each with its secrets and variables.

What is wrong with one account is kept under its name, so that it stops that account alone; what is wrong with
the table itself, a CSV that breaks off for one, stops all, because nobody knows then whose line is whose.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigError
from connectors.kartra.wire import Credentials
from connectors.small_files import OtherThanSmallFileError, read_small
from pipelines.config.document import SECRET_VARIABLE, SECRETS
from pipelines.config.dotenv import KEYRING, refuse_address_of_another
from pipelines.config.fleet import (
    ACCOUNT,
    ACCOUNT_IN_CAPITALS,
    NAME,
    NAME_EXPECTED,
    OF_ACCOUNT,
    VARIABLE_NAME,
    AccountOptions,
    AccountsQuery,
)
from pipelines.config.fleet_file import FleetFile
from pipelines.config.secrets import UnreadableSecretError
from pipelines.config.yaml_text import shown_path
from pipelines.words.nearest import nearest

MAX_BYTES = 8 * 1024 * 1024
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class FleetAccount:
    """One account. `faults` say what is wrong with it; then it has no credentials."""

    name: str
    share: float = 1.0
    credentials: Credentials | None = field(default=None, repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    faults: tuple[str, ...] = ()
    places: frozenset[str] = frozenset()
    """Where its credentials come from, as far as that is a place of variables or the keyring."""


@dataclass(frozen=True, slots=True)
class Row:
    """An account as it stands in its table; `where` says in which line."""

    name: str
    where: str
    share: str
    secrets: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    faults: tuple[str, ...] = ()


def accounts_of(fleet: FleetFile) -> list[FleetAccount]:
    """All accounts of a fleet, in the order of its table. Raises ConfigError where the table is unusable."""
    rows = list(rows_of(fleet))
    if not rows:
        raise ConfigError(f"{shown_path(fleet.path)}: there is no account in {_table(fleet)}")
    times = Counter(row.name for row in rows)
    accounts = [_account(fleet, row, twice=times[row.name] > 1) for row in rows]
    if fleet.url_variable is not None:
        hint = f"Put them together, or write the address itself into {fleet.path.name} as url:"
        places = frozenset(place for account in accounts for place in account.places)
        refuse_address_of_another(fleet.variables, fleet.url_variable, (), hint, places=places)
    return list(_without_shared_keys(accounts))


def names_of(fleet: FleetFile) -> dict[str, float]:
    """The names and shares of the accounts, without their secrets. Raises ConfigError."""
    return {row.name: _share(row)[0] for row in rows_of(fleet)}


def choose(accounts: list[FleetAccount], names: Iterable[str]) -> list[FleetAccount]:
    """The accounts of these names; all where none is named. Raises ConfigError for a name that is none."""
    chosen = list(dict.fromkeys(names))
    known = [account.name for account in accounts]
    for name in chosen:
        if name not in known:
            near = nearest(name, known)
            raise ConfigError(f"no account {name}" + (f'; did you mean "{near}"?' if near else ""))
    return [account for account in accounts if not chosen or account.name in chosen]


def _table(fleet: FleetFile) -> str:
    accounts = fleet.shared.accounts
    return accounts.name if isinstance(accounts, Path) else "its accounts"


def rows_of(fleet: FleetFile) -> Iterator[Row]:
    """The accounts as they stand in their table. Raises ConfigError."""
    accounts = fleet.shared.accounts
    if isinstance(accounts, Path):
        yield from _rows_of_csv(accounts)
    elif isinstance(accounts, AccountsQuery):
        yield from _rows_of_query(accounts)
    else:
        yield from (_row_of_options(account) for account in accounts)


def _row_of_options(account: AccountOptions) -> Row:
    extra = {name: "" if value is None else str(value) for name, value in (account.model_extra or {}).items()}
    secrets = {"api_key": account.api_key or "", "api_password": account.api_password or ""}
    return Row(account.name, account.name, str(account.share), secrets, extra)


def _rows_of_csv(path: Path) -> Iterator[Row]:
    shown = shown_path(path)
    try:
        file = read_small(path, at_most=MAX_BYTES)
        # Excel starts a UTF-8 file with a byte order mark, which would become part of the first column's
        # name.
        text = file.content.decode("utf-8-sig")
    except OtherThanSmallFileError as error:
        raise ConfigError(f"{shown}: {error}: a CSV with the accounts is expected") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown}: not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    if file.others_may_write or file.is_of_somebody_else:
        raise ConfigError(
            f"{shown}: others may write it, and it says whose credentials are used: chmod 600 {shown}"
        )
    table = list(_table_of(text, shown))
    rows = [_row_of_cells(cells, f"{shown}:{line}") for line, cells in table]
    # A table that only names where its secrets are kept may be read by everybody.
    is_open = file.others_may_read and any(
        _is_literal(cells.get(key, "")) for _, cells in table for key in SECRETS
    )
    if is_open:
        raise ConfigError(f"{shown}: others may read it, and it holds keys and passwords: chmod 600 {shown}")
    yield from rows


def _is_literal(text: str) -> bool:
    return bool(text) and not SECRET_VARIABLE.fullmatch(text)


def _table_of(text: str, shown: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of a CSV. Raises ConfigError where it is no whole table."""
    if "\0" in text:
        raise ConfigError(f"{shown}: has NUL characters: it was not written to its end")
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    # Strict: otherwise a quote that is never closed silently swallows the accounts after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        _check_columns(columns, shown)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise ConfigError(
                    f"{shown}:{reader.line_num}: {len(cells)} cells under {len(columns)} columns; does the"
                    " file break off, or does a value with a delimiter need quotes?"
                )
            yield reader.line_num, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    except csv.Error:
        raise ConfigError(
            f"{shown}:{reader.line_num}: a quote is never closed; does the file break off?"
        ) from None


def _check_columns(columns: list[str], shown: str) -> None:
    if "name" not in columns:
        raise ConfigError(f"{shown}: a column name is expected, with the name of each account")
    for column in columns:
        if columns.count(column) > 1:
            raise ConfigError(f"{shown}: the column {column} stands twice")
        near = None if column in OF_ACCOUNT else nearest(column, OF_ACCOUNT)
        if near is not None and near != "name":
            raise ConfigError(f'{shown}: the column {column} is a variable; did you mean "{near}"?')
        if not VARIABLE_NAME.fullmatch(column) or column == "account":
            raise ConfigError(
                f"{shown}: a column is no variable; a name of letters, digits and _ is expected"
            )


def _rows_of_query(query: AccountsQuery) -> Iterator[Row]:
    # pandas and SQLAlchemy, which a table of accounts in a file does without
    from pipelines.fleet.accounts_query import rows_of_database

    for number, cells in enumerate(rows_of_database(query), start=1):
        yield _row_of_cells(cells, f"row {number} of the query")


def _row_of_cells(cells: Mapping[str, str], where: str) -> Row:
    name = cells.get("name", "")
    secrets = {key: cells.get(key, "") for key in ("api_key", "api_password")}
    variables = {column: cell for column, cell in cells.items() if column not in OF_ACCOUNT}
    if not NAME.fullmatch(name):
        near = "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")
        hint = f'; write "{near}"' if NAME.fullmatch(near) else ""
        return Row(name or where, where, "1", secrets, variables, (f"the name: {NAME_EXPECTED}{hint}",))
    return Row(name, where, cells.get("share", ""), secrets, variables)


def _account(fleet: FleetFile, row: Row, *, twice: bool) -> FleetAccount:
    faults, places = list(row.faults), set[str]()
    if twice:
        faults.append("the name stands twice in the accounts: each would write into the state of the other")
    share, fault = _share(row)
    faults += [fault] if fault else []
    secrets = {}
    for key in SECRETS:
        try:
            secrets[key] = _secret(fleet, row, key, places)
        except UnreadableSecretError as error:
            faults.append(f"{key}: {error}")
    variables = {name: str(value) for name, value in fleet.shared.variables.items()}
    # An empty cell keeps the value that the fleet file gives to all.
    variables |= {name: value for name, value in row.variables.items() if value}
    credentials = None if faults else Credentials(**secrets)
    variables["account"] = row.name
    return FleetAccount(row.name, share, credentials, variables, tuple(faults), frozenset(places))


def _share(row: Row) -> tuple[float, str]:
    """The share and "", or 1 and what is wrong with it."""
    try:
        share = float(row.share or 1)
    except ValueError:
        share = 0.0
    return (share, "") if 0 < share <= 1000 else (1.0, "share: a number from 0.001 to 1000 is expected")


def _secret(fleet: FleetFile, row: Row, key: str, places: set[str]) -> str:
    """Raises UnreadableSecretError."""
    written = secret_as_written(fleet, row, key)
    if not written:
        raise UnreadableSecretError("missing")
    reference = SECRET_VARIABLE.fullmatch(written)
    if reference is None:
        if "${" in written:
            raise UnreadableSecretError("write ${NAME}, ${file:path} or ${keyring:service/name}")
        return written  # of a table that nobody else may read
    if reference["kind"]:
        places |= {KEYRING} if reference["kind"] == "keyring" else set()
        return fleet.variables.kept(reference["kind"], reference["place"])
    name = reference["name"]
    if not (value := fleet.variables.get(name)):
        raise UnreadableSecretError(fleet.variables.not_set(name))
    places.add(fleet.variables.place_of(name))
    return value


def app_id_of(fleet: FleetFile) -> str:
    """The id of the App, which all accounts share. Raises UnreadableSecretError."""
    return _secret(fleet, Row("", "", "", {}, {}), "app_id", set())


def secret_as_written(fleet: FleetFile, row: Row, key: str) -> str:
    """A secret of an account, or where it is kept; "" where nobody says."""
    return row.secrets.get(key) or _named(getattr(fleet.shared, key) or "", row.name)


def _named(written: str, account: str) -> str:
    # The capitals are for names of variables, which cannot have hyphens.
    return written.replace(ACCOUNT, account).replace(ACCOUNT_IN_CAPITALS, account.upper().replace("-", "_"))


def _without_shared_keys(accounts: list[FleetAccount]) -> Iterator[FleetAccount]:
    """An account whose key another one has, too, has a fault: nobody knows whose key it is."""
    owners: dict[str, list[str]] = {}
    for account in accounts:
        if account.credentials is not None:
            owners.setdefault(account.credentials.api_key, []).append(account.name)
    for account in accounts:
        same = owners.get(account.credentials.api_key, []) if account.credentials else []
        others = [name for name in same if name != account.name]
        if not others:
            yield account
            continue
        fault = f"api_key: {' and '.join(others)} has the same: one of them would go into the other's account"
        yield FleetAccount(account.name, account.share, None, account.variables, (fault,))
