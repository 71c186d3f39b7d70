"""Where secrets are kept: a file of their own, or the keyring of the operating system."""

import importlib
import logging
from functools import cache
from pathlib import Path
from typing import Any

from connectors.kartra.wire import bare_secret
from connectors.small_files import OtherThanSmallFileError, read_small

log = logging.getLogger("kartra_sync")

MAX_BYTES = 64 * 1024
KEYRING_MISSING = "the keyring needs a library that is not installed: pip install 'kartra-sync[keyring]'"


class UnreadableSecretError(Exception):
    """There is no secret at that place. The message says why, and never what is there."""


def kept_in_file(path: Path) -> str:
    """The content, without the blanks and line ends around it. Raises UnreadableSecretError."""
    try:
        file = read_small(path, at_most=MAX_BYTES)
        text = file.content.decode("utf-8-sig")
    except OtherThanSmallFileError as error:
        raise UnreadableSecretError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise UnreadableSecretError(f"{path}: not UTF-8") from None
    except OSError as error:
        raise UnreadableSecretError(f"{path}: cannot be read: {error.strerror}") from None
    if file.others_may_write:
        raise UnreadableSecretError(f"{path}: everybody on this machine may write it: chmod 600 {path}")
    # A secret that an orchestrator mounts belongs to root and is read by the user of the container.
    if file.others_may_read and file.owner != 0:
        _tell_once(f"{path}: others may read it, and it holds a secret: chmod 600 {path}")
    if not (bare := bare_secret(text)):
        raise UnreadableSecretError(f"{path}: is empty")
    return bare


def kept_in_keyring(place: str) -> str:
    """The secret at `service/name`. Raises UnreadableSecretError."""
    service, name = service_and_name(place)
    try:
        secret = keyring_library().get_password(service, name)
    except Exception as error:  # noqa: BLE001 - each of its many backends has errors of its own
        raise unusable(error) from None
    if not secret or not (bare := bare_secret(secret)):
        raise UnreadableSecretError(
            f"the keyring has no {name} under {service}: kartra-sync connect keeps one"
        )
    return bare


def service_and_name(place: str) -> tuple[str, str]:
    """Raises UnreadableSecretError."""
    service, slash, name = place.partition("/")
    if not (service and slash and name):
        raise UnreadableSecretError("write ${keyring:service/name}")
    return service, name


def keyring_library() -> Any:
    """The library `keyring`, which has no part in a run without it. Raises UnreadableSecretError."""
    try:
        return importlib.import_module("keyring")
    except ImportError:
        raise UnreadableSecretError(KEYRING_MISSING) from None


def unusable(error: Exception) -> UnreadableSecretError:
    """What is said where the keyring cannot be used: not in words of the backend, which may quote."""
    if isinstance(error, UnreadableSecretError):
        return error
    if type(error).__name__ == "NoKeyringError":
        return UnreadableSecretError("this machine has no keyring: keep secrets in a file, ${file:path}")
    return UnreadableSecretError(f"the keyring cannot be used ({type(error).__name__}): is it locked?")


@cache
def _tell_once(text: str) -> None:
    log.warning("%s", text)
