"""The variables of a pipeline file: its .env, under those of the environment, and whose each of them is.

A .env holds credentials, and decides where they are sent. So it is a file of the user's own that nobody else
may write, and the address of an account comes from the place that its credentials come from.
"""

import io
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from dotenv import dotenv_values

from connectors.errors import ConfigError
from connectors.small_files import OtherThanSmallFileError, SmallFile, read_small
from pipelines.config.secrets import UnreadableSecretError, kept_in_file, kept_in_keyring
from pipelines.config.yaml_text import shown_path

log = logging.getLogger("kartra_sync")

MAX_BYTES = 1024 * 1024
ENVIRONMENT = "the environment"
KEYRING = "the keyring"


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of the environment (`given`), which take precedence, and those of the .env (`beside`).

    In a fleet those of the account (`own`) come first. `reserved` are variables of other accounts of the
    fleet: where this one has none of that name it is not set, whatever the environment says, for that may be
    another client's.
    """

    given: Mapping[str, str]
    beside: Mapping[str, str]
    dotenv: Path
    own: Mapping[str, str] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset()
    account: str = ""

    def get(self, name: str) -> str | None:
        """The value: of the variable, else of the file that NAME_FILE names. Raises UnreadableSecretError."""
        if name in self.own or name in self.reserved:
            return self.own.get(name)
        value = self.given.get(name, self.beside.get(name))
        if value:
            return value
        # As containers mount secrets: the variable names a file, so that the secret itself is not in the
        # environment.
        named = self.given.get(f"{name}_FILE") or self.beside.get(f"{name}_FILE")
        if not named:
            return value
        try:
            return kept_in_file(self.dotenv.parent / named)
        except UnreadableSecretError as error:
            raise UnreadableSecretError(f"{name}_FILE: {error}") from None

    def kept(self, kind: str, place: str) -> str:
        """What `${file:place}` or `${keyring:place}` stands for. Raises UnreadableSecretError."""
        return kept_in_file(self.dotenv.parent / place) if kind == "file" else kept_in_keyring(place)

    def not_set(self, name: str) -> str:
        if name in self.reserved:
            return f"{name} is not set for the account {self.account}; other accounts have it"
        return f"{name} is not set, neither in the environment nor in a .env beside this file"

    def place_of(self, name: str) -> str:
        """The origin of a variable's value, for a message; "" if it has no value."""
        if self.given.get(name) or self.given.get(f"{name}_FILE"):
            return ENVIRONMENT
        named = name not in self.given and (self.beside.get(name) or self.beside.get(f"{name}_FILE"))
        return shown_path(self.dotenv) if named else ""


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a .env; none where there is no such file. Raises ConfigError."""
    try:
        file = read_small(path, at_most=MAX_BYTES)
        # No interpolation: a password may contain a dollar sign.
        values = dotenv_values(stream=io.StringIO(file.content.decode("utf-8-sig")), interpolate=False)
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ConfigError(f"{shown_path(path)}: not UTF-8; save the file as UTF-8") from None
    except OtherThanSmallFileError as error:
        raise ConfigError(f"{shown_path(path)}: {error}; put NAME=value lines into a regular file") from None
    except OSError as error:
        raise ConfigError(f"{shown_path(path)}: cannot be read: {error.strerror}") from error
    _refuse_foreign(path, file)
    return {name: value for name, value in values.items() if value is not None}


def _refuse_foreign(path: Path, file: SmallFile) -> None:
    """Raises ConfigError for a file that somebody else may have written."""
    shown = shown_path(path)
    if file.others_may_write:
        raise ConfigError(
            f"{shown}: everybody on this machine may write it, and it says where credentials go:"
            f" chmod 600 {shown}"
        )
    if file.is_of_somebody_else:
        raise ConfigError(
            f"{shown}: belongs to another user of this machine, and it says where credentials go:"
            f" make it yours (chown), or leave this folder"
        )
    if file.others_may_read:
        _tell_once(f"{shown}: others may read or write it, and it may hold credentials: chmod 600 {shown}")


@cache
def _tell_once(text: str) -> None:
    log.warning("%s", text)


def refuse_address_of_another(
    variables: Variables,
    address: str,
    credentials: Iterable[str],
    hint: str,
    *,
    places: frozenset[str] = frozenset(),
) -> None:
    """Raises ConfigError where the variable with the address comes from another place than credentials do.

    Whoever leaves a .env in a folder would be sent the credentials of those who work there. `places` are
    further ones of credentials; what is in the keyring may go where the environment says.
    """
    from_where = variables.place_of(address)
    found = {place for name in credentials if (place := variables.place_of(name))} | places
    others = found - {from_where} - ({KEYRING} if from_where == ENVIRONMENT else set())
    if from_where and others:
        raise ConfigError(
            f"{address} comes from {from_where}, and credentials from {' and '.join(sorted(others))}:"
            f" they are not sent to an address from another place than theirs. {hint}"
        )
