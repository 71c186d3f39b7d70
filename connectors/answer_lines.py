"""Lines of an answer over HTTP, each within a bound.

http.client bounds a status and a header, and urllib3 reads the size of a chunk and a trailer with no bound at
all: one line without an end would fill the memory before any limit of time is over.
"""

import http.client
import io
import socket
from typing import Any

MAX_LINE_BYTES = 65_536


class BoundedLines(io.BufferedReader):
    """Raises http.client.LineTooLong, which libraries take for an answer that is no HTTP."""

    def readline(self, size: int | None = -1, /) -> bytes:
        asked = -1 if size is None else size
        line = super().readline(MAX_LINE_BYTES + 1 if asked < 0 else asked)
        if asked < 0 and len(line) > MAX_LINE_BYTES:
            raise http.client.LineTooLong("line")
        return line


class BoundedSocket:
    """As much of a socket as http.client.HTTPResponse asks for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, _mode: str) -> io.BufferedReader:
        return BoundedLines(self._sock.makefile("rb", buffering=0))


def bounded_response(sock: socket.socket, *args: Any, **options: Any) -> http.client.HTTPResponse:
    return http.client.HTTPResponse(BoundedSocket(sock), *args, **options)  # type: ignore[arg-type]
