"""`connect`: tries the key and password of an account, and keeps them where pipelines find them.

Who asks for them is another matter: a terminal, or a page.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dotenv import dotenv_values

from connectors.errors import ApiError, ConfigError
from connectors.kartra.limiter import limiter_for
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from pipelines.calls.inventories import read_inventory
from pipelines.config.dotenv import read_dotenv
from pipelines.config.secrets import keyring_library, unusable
from pipelines.private_file import replaced_private
from pipelines.verbs.account import CALLS_PER_SECOND, fingerprint_of

SERVICE = "kartra-sync"
KEPT = ("api_key", "api_password")
ALONE = "kartra"
"""The name of the one account of a pipeline that has no other name."""
_LINE = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=")
LISTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """The account that credentials open, as far as one call shows it."""

    fingerprint: str
    lists: tuple[str, ...] | None
    """The names of its lists; None where the App may not list them."""

    def describe(self) -> str:
        """In words, by which a person recognises the account."""
        if self.lists is None:
            return f"account {self.fingerprint}; its App may not list its lists (262)"
        if not self.lists:
            return f"account {self.fingerprint}, without any list"
        shown = ", ".join(self.lists[:LISTS_SHOWN])
        more = f" and {len(self.lists) - LISTS_SHOWN:,} more" if len(self.lists) > LISTS_SHOWN else ""
        return f"account {self.fingerprint}, with the lists {shown}{more}"


def try_credentials(
    url: str, credentials: Credentials, *, calls_per_second: float = CALLS_PER_SECOND
) -> Seen:
    """One call, which changes nothing. Raises AccessRefusedError, RetryableApiError."""
    # This one call counts as well: a run of the same App may be at its limit.
    limiter = limiter_for(url, credentials.app_id, calls_per_second=calls_per_second)
    with closing(Sender(url, credentials, limiter)) as sender:
        names = read_inventory(sender, "lists")
    return Seen(fingerprint_of(url, credentials.api_key)[:8], None if names is None else tuple(names))


def is_other(before: Seen | None, seen: Seen) -> bool:
    """Whether the two have lists, and not one name in common."""
    return bool(before and before.lists and seen.lists and not set(before.lists) & set(seen.lists))


def seen_before(url: str, app_id: str, kept: Mapping[str, str]) -> Seen | None:
    """What the credentials that are kept open; None where they open nothing any more."""
    try:
        return try_credentials(url, Credentials(app_id=app_id, **kept))
    except (ApiError, TypeError):
        return None


class Keeper(Protocol):
    """Where credentials are kept. Raises ConfigError."""

    def has(self, account: str) -> bool: ...

    def read(self, account: str) -> dict[str, str]: ...

    def keep(self, account: str, secrets: Mapping[str, str]) -> None: ...

    def remove(self, account: str) -> None: ...

    def reference(self, account: str, key: str) -> str:
        """What a pipeline or fleet writes to use it."""
        ...


class Keyring:
    """The keyring of the operating system."""

    def has(self, account: str) -> bool:
        return bool(self.read(account))

    def read(self, account: str) -> dict[str, str]:
        with _keyring() as library:
            found = {key: library.get_password(SERVICE, f"{account}.{key}") for key in KEPT}
        return {key: secret for key, secret in found.items() if secret}

    def keep(self, account: str, secrets: Mapping[str, str]) -> None:
        with _keyring() as library:
            for key, secret in secrets.items():
                library.set_password(SERVICE, f"{account}.{key}", secret)

    def remove(self, account: str) -> None:
        with _keyring() as library:
            for key in KEPT:
                if library.get_password(SERVICE, f"{account}.{key}") is not None:
                    library.delete_password(SERVICE, f"{account}.{key}")

    def reference(self, account: str, key: str) -> str:
        return f"${{keyring:{SERVICE}/{account}.{key}}}"


@contextmanager
def _keyring() -> Iterator[Any]:
    try:
        yield keyring_library()
    except Exception as error:  # noqa: BLE001 - each of its many backends has errors of its own
        raise ConfigError(str(unusable(error))) from None


@dataclass(frozen=True, slots=True)
class VariablesFile:
    """A file of variables, mode 0600, as the .env beside a pipeline."""

    path: Path

    def has(self, account: str) -> bool:
        return bool(self.read(account))

    def read(self, account: str) -> dict[str, str]:
        kept = read_dotenv(self.path)
        return {key: kept[name] for key in KEPT if kept.get(name := _variable(account, key))}

    def keep(self, account: str, secrets: Mapping[str, str]) -> None:
        values = {_variable(account, key): secret for key, secret in secrets.items()}
        for secret in values.values():
            if re.search(r"[\x00-\x1f']", secret):
                raise ConfigError(
                    "a key or password with a quote or a control character cannot stand in a file"
                )
        self._write(values, [f"{name}='{_escaped(secret)}'\n" for name, secret in values.items()])

    def remove(self, account: str) -> None:
        self._write(dict.fromkeys((_variable(account, key) for key in KEPT), ""), [])

    def reference(self, account: str, key: str) -> str:
        return f"${{{_variable(account, key)}}}"

    def _write(self, replaced: Mapping[str, str], lines: list[str]) -> None:
        before = read_dotenv(self.path)
        text = ""
        with suppress(FileNotFoundError):
            text = self.path.read_text("utf-8-sig")
        kept = [line for line in text.splitlines(keepends=True) if not _is_of(line, replaced)]
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += "\n"
        new = "".join([*kept, *lines])
        self._check(new, {name: value for name, value in before.items() if name not in replaced})
        with replaced_private(self.path) as handle:
            handle.write(new)
        self.path.chmod(0o600)

    def _check(self, text: str, others: Mapping[str, str]) -> None:
        """Raises ConfigError where a line of others would be read otherwise than before: of a value over
        several lines, for one."""
        read = {
            name: value
            for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items()
            if value is not None
        }
        if any(read.get(name) != value for name, value in others.items()):
            raise ConfigError(f"{self.path}: has lines that cannot be kept as they are: name another file")


def _variable(account: str, key: str) -> str:
    return f"{account.upper().replace('-', '_')}_{key.upper()}"


def _escaped(secret: str) -> str:
    return secret.replace("\\", "\\\\")


def _is_of(line: str, names: Mapping[str, str]) -> bool:
    match = _LINE.match(line)
    return match is not None and match["name"] in names
