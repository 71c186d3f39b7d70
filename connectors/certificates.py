"""The certificates that connections are checked against, as the environment names them.

Nothing switches the check off. What weakens it, or would elsewhere, is told on a line of its own.
"""

import logging
import os
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from connectors.errors import ConfigError

log = logging.getLogger("kartra_sync.client")

BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""In the order of their rank. The last is OpenSSL's own: a stale one is everywhere, so it may be wrong."""
_OFF = frozenset(("0", "false", "no", "off", "never", "none"))


def named_bundle() -> tuple[str, str]:
    """The first variable that names certificates, and what it names. Raises ConfigError."""
    tell_of_environment()
    for variable in BUNDLE_VARIABLES:
        if not (named := os.environ.get(variable)):
            continue
        if not (fault := _fault_of_bundle(named)):
            _tell_once(
                f"{variable}: servers are believed by the certificates in {named}, and not by those that come"
                " with kartra-sync"
            )
            return variable, named
        if variable != "SSL_CERT_FILE":
            raise ConfigError(f"{variable}: {named} {fault}. Name a file of certificates in PEM, or unset it")
        log.warning("%s: %s %s; the certificates that come with kartra-sync are used", variable, named, fault)
    return "", ""


def _fault_of_bundle(named: str) -> str:
    path = Path(named)
    try:
        if path.is_dir():
            return "" if any(path.iterdir()) else "is an empty folder"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "holds no certificate"
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror or type(error).__name__}"
    return ""


def tell_of_environment() -> None:
    """What somebody may have set to look into connections, or to leave them unchecked."""
    for variable in ("PYTHONHTTPSVERIFY", *BUNDLE_VARIABLES):
        if os.environ.get(variable, "1").strip().lower() in _OFF:
            _tell_once(f"{variable} does not switch anything off: certificates are always checked")
    if named := os.environ.get("SSLKEYLOGFILE"):
        _tell_once(
            f"SSLKEYLOGFILE writes the keys of every connection to {named}: whoever reads that file, and the"
            " network, reads credentials. Unset it"
        )


@cache
def _tell_once(text: str) -> None:
    log.warning("%s", text)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, as requests and urllib3 wrap: by cause, context, `reason`, `args`."""
    waiting: list[object] = [error]
    # An error is often its wrapper's cause and argument at once, and the links may lead in a circle.
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
