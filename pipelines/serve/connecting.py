"""Accounts that clients can be asked to connect: whose they are, where their keys are kept, and whose key is
whose. Any thread may call."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.errors import ConfigError
from connectors.kartra.wire import Credentials
from pipelines.errors import GuardError
from pipelines.verbs.connect import Keeper, Keyring, Seen, is_other, seen_before, try_credentials


@dataclass(frozen=True, slots=True)
class Connectable:
    """An account that a client may connect.

    `book`: where it is written down who did what. `owner_of_key` gives the account beside this one that has
    a key already, or that was reached with it.
    """

    name: str
    url: str
    app_id: str = field(repr=False)
    book: Path
    owner_of_key: Callable[[str], str | None]


class KeyOfAnotherError(GuardError):
    """The key opens what another account of ours is: its message is for us, not for the client."""


@dataclass(frozen=True, slots=True)
class Connecting:
    """`place` says to people where keys are kept."""

    accounts: Mapping[str, Connectable] = field(default_factory=dict)
    keeper: Keeper = field(default_factory=Keyring)
    place: str = "the keyring"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """A file is read and written anew as a whole: two at once would lose the key of one."""

    def is_kept(self, account: str) -> bool:
        """Raises ConfigError where keys cannot be kept at all."""
        return self.keeper.has(account)

    def references(self, account: str) -> dict[str, str]:
        """What the pipeline or the fleet writes to use them."""
        return {key: self.keeper.reference(account, key) for key in ("api_key", "api_password")}

    def refuse_same_place(self, account: str) -> None:
        """Raises ConfigError where the keys of another account would be kept in the same place."""
        for other in self.accounts:
            if other != account and self.references(other) == self.references(account):
                raise ConfigError(
                    f"{account} and {other} would be kept under the same name in {self.place}: rename one"
                )

    def try_key(self, account: str, key: str, password: str, *, is_renewal: bool) -> tuple[Credentials, Seen]:
        """One call, which changes nothing; a renewal asks what the key before opens, too.

        Raises KeyOfAnotherError, ApiError, ConfigError.
        """
        about = self.accounts[account]
        typed = Credentials(app_id=about.app_id, api_key=key, api_password=password)
        # Before the call: another client's account is not looked into to find out that it is another's.
        self._refuse_key_of_another(about, key)
        seen = try_credentials(about.url, typed)
        if is_renewal:
            before = seen_before(about.url, about.app_id, self.keeper.read(account))
            if is_other(before, seen):
                raise KeyOfAnotherError(f"the new key of {account} opens another account than the one before")
        return typed, seen

    def keep(self, account: str, typed: Credentials, *, is_renewal: bool) -> None:
        """Raises ConfigError, KeyOfAnotherError where it was connected or taken away meanwhile."""
        about = self.accounts[account]
        with self._lock:
            if self.keeper.has(account) != is_renewal:
                raise ConfigError(f"{account} was connected or removed since its link was made")
            self._refuse_key_of_another(about, typed.api_key)
            self.keeper.keep(account, {"api_key": typed.api_key, "api_password": typed.api_password})

    def remove(self, account: str) -> None:
        """Raises ConfigError."""
        with self._lock:
            self.keeper.remove(account)

    def _refuse_key_of_another(self, about: Connectable, key: str) -> None:
        kept = (
            other
            for other in self.accounts
            if other != about.name and self.keeper.read(other).get("api_key") == key
        )
        owner = about.owner_of_key(key) or next(kept, None)
        if owner is not None:
            raise KeyOfAnotherError(f"the key that was typed for {about.name} is that of {owner}")
