"""The note of a sandbox: it leaves its address in its folder while it serves, and `init` finds it there.

A pipeline that is drafted beside a sandbox then goes to the sandbox, and not to Kartra.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from connectors.own_files import write_text

NAME = ".kartra-sandbox"
ANSWERS_WITHIN_S = 1.0


@contextmanager
def begun() -> Iterator[Callable[[str], None]]:
    """Gives a function that writes the address down; where the folder cannot be written, nothing is
    written."""
    place = Path.cwd() / NAME
    left: list[str] = []

    def begin(url: str) -> None:
        with suppress(OSError):
            write_text(place, f"{url}\n")
            left.append(url)

    try:
        yield begin
    finally:
        with suppress(OSError):
            if left and _written_in(place) == left[0]:  # another sandbox may have started here meanwhile
                place.unlink()


def sandbox_here(folder: Path) -> str | None:
    """The address of the sandbox that serves in this folder, if one does."""
    url = _written_in(folder / NAME)
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname or "", address.port or 0), ANSWERS_WITHIN_S).close()
    except (OSError, ValueError):  # it was killed, or never was one
        return None
    return url


def _written_in(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
