"""The accounts of a fleet that clients may connect: their App, and which of them has a key already."""

from collections.abc import Callable, Iterator
from pathlib import Path

from connectors.errors import ConfigError
from connectors.kartra.transport import KARTRA_URL
from pipelines.config.fleet_file import FleetFile
from pipelines.config.secrets import UnreadableSecretError
from pipelines.fleet.accounts import app_id_of
from pipelines.fleet.fleet import Fleet, Member
from pipelines.fleet.mixed_up import who_knows
from pipelines.verbs.account import fingerprint_of


def app_of(file: FleetFile) -> str:
    """The App of a fleet. Raises ConfigError."""
    try:
        return app_id_of(file)
    except UnreadableSecretError as error:
        raise ConfigError(f"{file.path.name}: app_id: {error}") from None


def url_of(member: Member, file: FleetFile) -> str:
    """Where the calls of an account go."""
    of_pipelines = (config.kartra.url for config in member.pipelines)
    return file.shared.url or next(of_pipelines, KARTRA_URL)


def owner_of_key(open_now: Callable[[], Fleet], name: str, key: str) -> str | None:
    """The account beside `name` that has this key in the fleet as it is now, or that was reached with it."""
    fleet = open_now()
    for member in fleet.members:
        credentials = member.account.credentials
        if member.name != name and credentials is not None and credentials.api_key == key:
            return member.name
    urls = {url_of(member, fleet.file) for member in fleet.members}
    found = (who_knows(fleet, name, fingerprint_of(url, key)) for url in sorted(urls))
    return next((other for other in found if other is not None), None)


def book_of(fleet: Path) -> Path:
    """Where it is written down who connected which account."""
    return fleet.absolute().parent / f".{fleet.stem}.accounts.asked.jsonl"


def names_and_urls(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """The accounts that a client may connect."""
    for member in fleet.members:
        yield member.name, url_of(member, fleet.file)
