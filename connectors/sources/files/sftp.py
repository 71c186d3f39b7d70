"""A file behind sftp, by paramiko: only from a host whose key is known to this user.

fsspec would take the key of any host, and so send the password to whoever answers for it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import unquote, urlsplit

import paramiko  # installed by whoever has such a source: the module is loaded for an sftp:// URL alone

from connectors.errors import SourceError

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 60.0
_BLOCK_BYTES = 64 * 1024


def blocks_of(url: str, name: str, stop: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
    """The bytes of the file. Raises SourceError; `name` is what a message calls the file."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    told = f"{name} cannot be fetched from {host}"
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        with closing(client):
            client.connect(
                host,
                parts.port or 22,
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                timeout=CONNECT_TIMEOUT_S,
                banner_timeout=CONNECT_TIMEOUT_S,
                auth_timeout=ANSWER_TIMEOUT_S,
            )
            with client.open_sftp() as sftp, sftp.open(unquote(parts.path), "rb") as source:
                while (block := source.read(_BLOCK_BYTES)) and not stop():
                    yield block
    except paramiko.BadHostKeyException as error:
        raise SourceError(f"{told}: its key is another than the one that is known: ask its owner") from error
    except paramiko.AuthenticationException as error:
        raise SourceError(f"{told}: the server refuses the user or the password") from error
    except FileNotFoundError as error:
        raise SourceError(f"{told}: it is not there") from error
    except paramiko.SSHException as error:
        raise SourceError(
            f"{told}: no session, or its key is not known. Connect once by hand (sftp {host}), look at"
            " the key and accept it"
        ) from error
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(f"{told}: {getattr(error, 'strerror', None) or type(error).__name__}") from error
