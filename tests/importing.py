"""What a person does with the files of `export-import`: Kartra's own import, played on a sandbox account."""

import csv
from collections.abc import Iterable
from pathlib import Path

from connectors.kartra.sandbox import Account
from connectors.kartra.sandbox.account import STANDARD_FIELDS


def import_into(account: Account, files: Iterable[Path]) -> int:
    """As Kartra's help describes it: of one address the first row; names that are new are made."""
    imported = 0
    for file in files:
        with file.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                imported += _import_row(account, row)
    return imported


def _import_row(account: Account, row: dict[str, str]) -> bool:
    if account.lead(row["email"]) is not None:
        return False
    fields = {name: cell for name, cell in row.items() if name in STANDARD_FIELDS and cell}
    lead = account.add_lead(row["email"], **fields)
    lead.tags |= _names(row.get("tags", ""))
    lead.lists |= dict.fromkeys(_names(row.get("lists", "")), True)
    account.tags += sorted(lead.tags.difference(account.tags))
    account.lists += sorted(lead.lists.keys() - account.lists)
    for name in row.keys() - {"email", "tags", "lists", *STANDARD_FIELDS}:
        field = account.custom_field(name)
        if field is None or not row[name]:
            continue
        ids = {label: option for option, label in field.options.items()}
        lead.custom_fields[name] = [ids[label] for label in row[name].split(";")] if ids else row[name]
    return True


def _names(cell: str) -> set[str]:
    return {name for name in cell.split(";") if name}
