"""Contacts of twenty columns, the same for a number of rows and a share of edits wherever they are made.

About 220 bytes a row; one street in twenty has a comma and stands in quotes, one name in ten an accent.
"""

import csv
import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from connectors.kartra.sandbox import Account, CustomField
from tests.bench.cache import kept

COLUMNS = (
    *("Email", "First Name", "Last Name", "Phone", "Company", "Street", "City", "State", "Zip", "Country"),
    *("Website", "Birthday", "Tags", "Lists", "Opt-in", "Note", "Size", "Score", "Source", "Updated"),
)
PIPELINE = """\
pipeline: bench
kartra: {{url: "{url}", app_id: "${{APP_ID}}", api_key: "${{API_KEY}}", api_password: "${{PASSWORD}}"}}
state: {state}
load:
  source: {source}
  key: email
  fields:
    email: Email
    first_name: First Name
    last_name: Last Name
    phone: Phone
    company: Company
    address: Street
    city: City
    state: State
    zip: Zip
    country: Country
    website: Website
  custom_fields: {{birthday: Birthday, note: Note, size: Size, score: Score, source: Source}}
  tags: [Imported, {{column: Tags, split: ";"}}]
  lists: [{{column: Lists, split: ";"}}]
  duplicates: {duplicates}
  consent: {{column: Opt-in, accepted: ["yes"]}}
"""
"""Reads 19 of the 20 columns."""

_FIRST = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Grace", "Hugo", "Zoë", "José")
_LAST = ("Miller", "Smith", "Nguyen", "Garcia", "Kowalski", "Rossi", "Haddad", "O'Neil", "Müller", "Brown")
_CITIES = ("London", "Austin", "Leeds", "Berlin", "Toronto", "Lyon", "Boston", "Kraków", "Madrid", "Sydney")
_COMPANIES = ("", "", "", "Acme Ltd", "Northwind Traders", "Contoso", "Globex Corporation", "Initech")
_TAGS = ("Customer", "Customer;VIP", "Lead", "Webinar;Lead", "VIP", "Newsletter;Customer", "", "Partner")
_NOTES = ("", "met at the fair", "prefers mail in the morning", "asked for an invoice", "friend of Bob")


def contacts_csv(rows: int, edited: int = 0) -> Path:
    """The file, made once. `edited` per cent of the rows have another city and note, spread over the file."""
    made_by = [Path(__file__).read_bytes()]
    return kept("contacts", f"{rows}-{edited}.csv", made_by, lambda to: _write(to, _contacts(rows, edited)))


def messy_csv(rows: int) -> Path:
    """Of five contacts one has no address that could be one, and one has that of the contact before it."""
    made_by = [Path(__file__).read_bytes()]
    return kept("contacts", f"{rows}-messy.csv", made_by, lambda to: _write(to, _messy(rows)))


def pipeline_text(
    url: str, state: Path | str, source: Path | Mapping[str, str], *, duplicates: str = "last"
) -> str:
    """A pipeline file; a source that is no path is a query."""
    named = {"csv": str(source)} if isinstance(source, Path) else {"sql": dict(source)}
    return PIPELINE.format(url=url, state=state, source=json.dumps(named), duplicates=duplicates)


def account() -> Account:
    """One that has every name the contacts ask for."""
    plain = [CustomField(str(number), name, "input_field") for number, name in enumerate(_CUSTOM, 1)]
    tags = {"Imported", *(tag for tags in _TAGS for tag in tags.split(";") if tag)}
    return Account(tags=sorted(tags), lists=["News", "Offers"], custom_fields=plain)


def _write(path: Path, contacts: Iterator[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(contacts)


def _contacts(rows: int, edited: int) -> Iterator[tuple[str, ...]]:
    rng = random.Random(20261128)
    chosen = random.Random(7)
    for number in range(rows):
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        picks = rng.getrandbits(64)
        street = f"{1 + picks % 280} {last} Street"
        city = _CITIES[(picks >> 8) % 10]
        is_edited = chosen.random() * 100 < edited
        yield (
            f"{first}.{last}{number}@example{picks % 97}.org".replace("'", "").translate(_PLAIN).lower(),
            first,
            last,
            f"+1 555 {number % 1000:03} {picks % 10000:04}",
            _COMPANIES[(picks >> 12) % 8],
            f"{street}, Flat {picks % 60}" if picks % 20 == 0 else street,
            f"New {city}" if is_edited else city,
            f"S{(picks >> 16) % 50:02}",
            f"{(picks >> 20) % 100000:05}",
            "United States",
            f"https://www.example{picks % 97}.org/people/{number}",
            f"{1950 + (picks >> 24) % 55}-{1 + (picks >> 28) % 12:02}-{1 + (picks >> 32) % 28:02}",
            _TAGS[(picks >> 36) % 8],
            "News" if (picks >> 40) % 3 else "News;Offers",
            "yes",
            "has moved" if is_edited else _NOTES[(picks >> 44) % 5],
            "SML"[(picks >> 48) % 3],
            str((picks >> 50) % 1000),
            "shop" if (picks >> 60) % 2 else "sign-up form",
            f"2026-{1 + (picks >> 52) % 11:02}-{1 + (picks >> 56) % 28:02}T08:00:00Z",
        )


def _messy(rows: int) -> Iterator[tuple[str, ...]]:
    before = ""
    for number, (address, *others) in enumerate(_contacts(rows, 0)):
        match number % 5:
            case 1:
                yield (f"{number} at nowhere", *others)
            case 3:
                yield (before, *others)
            case _:
                yield (address, *others)
        before = address


_CUSTOM = ("birthday", "note", "size", "score", "source")
_PLAIN = str.maketrans("ëéüó", "eeuo")
