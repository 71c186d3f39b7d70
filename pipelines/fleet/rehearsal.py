"""Sandbox accounts for a fleet: with the tags, lists, sequences and fields that its pipelines ask for.

Where a variable with a credential is not set, one is made up, so that a fleet can be rehearsed before anybody
has connected. What is kept between two rehearsals holds no credential.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connectors.errors import ConfigError
from connectors.kartra.sandbox import Account, CustomField
from pipelines.config.document import SECRET_VARIABLE, SECRETS
from pipelines.config.fleet_file import FleetFile, read_fleet
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import DesiredLead
from pipelines.contacts.mapping import Mapped
from pipelines.extract.stage import read_mapped
from pipelines.extract.transform import open_records
from pipelines.fleet.accounts import rows_of, secret_as_written
from pipelines.fleet.fleet import open_fleet_file
from pipelines.private_file import open_private

ADDRESS = "KARTRA_URL"
_ACCOUNT = TypeAdapter(Account)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The accounts by name, and the variables that were made up for them."""

    accounts: dict[str, Account]
    made_up: dict[str, str] = field(repr=False)


def rehearsal_of(
    path: Path, environ: Mapping[str, str], target: str | None = None, kept: Path | None = None
) -> Rehearsal:
    """`kept`: a file of an earlier rehearsal, which the accounts go on with. Raises ConfigError."""
    # Read twice: which variables have to be made up is only known from the file itself.
    made_up = _made_up(read_fleet(path, _with_address(environ), target))
    file = read_fleet(path, _with_address({**environ, **made_up}), target)
    fleet = open_fleet_file(file, _with_address({**environ, **made_up}))
    before = _read(kept) if kept is not None and kept.exists() else {}
    accounts = {}
    for member in fleet.members:
        if member.error is not None:
            raise ConfigError(f"{member.name}: {member.error}")
        credentials = member.account.credentials
        assert credentials is not None  # noqa: S101 - a member without has a fault
        secrets = {key: getattr(credentials, key) for key in SECRETS}
        account = _account({**before.get(member.name, {}), **secrets}, kept)
        for config in member.pipelines:
            if config.load is not None:
                _fill(account, config.load)
        accounts[member.name] = account
    return Rehearsal(accounts, made_up)


def keep_accounts(accounts: Mapping[str, Account], path: Path) -> None:
    """Everything of the accounts but their credentials. Raises ConfigError where it cannot be written."""
    whole = {
        name: _ACCOUNT.dump_python(account, mode="json", exclude=set(SECRETS))
        for name, account in accounts.items()
    }
    with open_private(path) as handle:
        json.dump(whole, handle, ensure_ascii=False, indent=1)


def _with_address(environ: Mapping[str, str]) -> dict[str, str]:
    return {ADDRESS: "http://127.0.0.1", **environ}


def _made_up(file: FleetFile) -> dict[str, str]:
    """A value for each variable with a credential that is not set."""
    made: dict[str, str] = {}
    for row in rows_of(file):
        for key in SECRETS:
            match = SECRET_VARIABLE.fullmatch(secret_as_written(file, row, key))
            name = match["name"] if match else None
            if name and not file.variables.get(name):
                made.setdefault(name, "SANDBOXAPPID" if key == "app_id" else f"SANDBOX-{key}-{row.name}")
    return made


def _read(kept: Path) -> dict[str, dict[str, Any]]:
    try:
        whole = json.loads(kept.read_text("utf-8"))
    except (OSError, ValueError):
        whole = None
    if not isinstance(whole, dict):
        raise ConfigError(f"{kept}: is not what a sandbox has kept: name another file, or remove it")
    return whole


def _account(values: Mapping[str, Any], kept: Path | None) -> Account:
    try:
        return _ACCOUNT.validate_python(dict(values))
    except ValidationError:
        raise ConfigError(
            f"{kept}: is not what a sandbox has kept: name another file, or remove it"
        ) from None


def _fill(account: Account, load: LoadConfig) -> None:
    """Add what the leads of a pipeline ask for, and the account lacks."""
    if load.transform is not None:  # its code is not run by a sandbox: what stands in the file has to do
        named = DesiredLead(
            "",
            tags=tuple(tag for tag in load.tags if isinstance(tag, str)),
            lists=tuple(name for name in load.lists if isinstance(name, str)),
        )
        _add(account, named, load)
        return
    for _, record in read_mapped(open_records(load), load):
        if isinstance(record, Mapped) and not record.blocked:
            _add(account, record.lead, load)


def _add(account: Account, lead: DesiredLead, load: LoadConfig) -> None:
    taken = {
        kind: [name for of, name in lead.unwanted if of == kind] for kind in ("tags", "lists", "sequences")
    }
    account.tags += [tag for tag in (*lead.tags, *taken["tags"]) if tag not in account.tags]
    account.lists += [name for name in (*lead.lists, *taken["lists"]) if name not in account.lists]
    for name, step in (*lead.sequences, *((name, "1") for name in taken["sequences"])):
        steps = account.sequences.setdefault(name, [])
        steps += [step] if step not in steps else []
    for identifier, value in lead.custom_fields.items():
        if not getattr(load.custom_fields.get(identifier), "create", None):  # else a run creates it
            _add_field(account, identifier, value)


def _add_field(account: Account, identifier: str, value: str | tuple[str, ...]) -> None:
    known = account.custom_field(identifier)
    if known is None:
        kind: Any = "checkbox" if isinstance(value, tuple) else "input_field"
        known = CustomField(str(len(account.custom_fields) + 1), identifier, kind)
        account.custom_fields.append(known)
    if known.type == "checkbox":
        for label in value if isinstance(value, tuple) else (value,):
            if label and label not in known.options.values():
                known.options[str(len(known.options) + 1)] = label
