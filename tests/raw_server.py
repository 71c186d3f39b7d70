"""A server that answers as it is told, byte for byte, over TCP or TLS."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Received:
    """A request as it came over the wire."""

    head: str
    body: str
    at: float

    @property
    def headers(self) -> dict[str, str]:
        lines = (line.partition(":") for line in self.head.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in lines}


Reply = Callable[[socket.socket], None]


@dataclass
class RawServer:
    """Gives the n-th request the n-th reply; the last reply goes on. Counts connections too."""

    replies: list[Reply]
    context: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}/api"

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):  # the client went away, or refused the certificate
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            while request := self._request(sock):
                self.received.append(request)
                self.replies[min(len(self.received), len(self.replies)) - 1](sock)

    def _request(self, sock: socket.socket) -> Received | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := sock.recv(65536)):
                return None
            data += more
        at = time.monotonic()
        head, _, body = data.partition(b"\r\n\r\n")
        request = Received(head.decode(), "", at)
        while len(body) < int(request.headers.get("content-length", "0")):
            body += sock.recv(65536)
        return Received(head.decode(), body.decode(), at)


def answer(body: bytes, status: str = "200 OK", *headers: str) -> Reply:
    head = "\r\n".join(
        [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers]
    )
    return lambda sock: sock.sendall(head.encode() + b"\r\n\r\n" + body)


def part(data: bytes) -> Reply:
    """Say this much, then cut the connection."""

    def reply(sock: socket.socket) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()

    return reply


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def silence(_: socket.socket) -> None:
    """Keep the connection, say nothing."""
