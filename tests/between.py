"""What stands between a company's machine and Kartra: a proxy that tunnels, and TLS by a private authority.

Both relay bytes as they come, in threads, and close what the far end closes. The server of a `Between` is
reached as https://kartra.example/api through its proxy.
"""

import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project

HOST = "kartra.example"
URL = f"https://{HOST}/api"


@dataclass(frozen=True)
class Authority:
    """An authority of a company's own, and the certificate of a server that it vouches for."""

    folder: Path

    @property
    def bundle(self) -> Path:
        return self.folder / "authority.pem"

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context


def authority(folder: Path, *names: str, days: int = 2) -> Authority:
    """For `kartra.example`, this machine's address and whatever `names` there are besides."""
    folder.mkdir(parents=True, exist_ok=True)
    alternatives = ",".join([f"DNS:{name}" for name in (HOST, *names)] + ["IP:127.0.0.1"])
    _openssl(
        folder,
        *("-days", "2", "-subj", "/CN=Example Company Authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", "authority.key", "-out", "authority.pem"),
    )
    _openssl(
        folder,
        *("-days", str(days), "-subj", f"/CN={HOST}", "-addext", f"subjectAltName={alternatives}"),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-CA", "authority.pem", "-CAkey", "authority.key"),
        *("-keyout", "server.key", "-out", "server.pem"),
    )
    return Authority(folder)


def _openssl(folder: Path, *words: str) -> None:
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    subprocess.run([*command, *words], cwd=folder, check=True, capture_output=True)


@dataclass
class Between:
    """A tunnel and a TLS front before the server at `port`; `asked` is what the proxy was asked for."""

    port: int
    authority: Authority
    refusal: bytes = b""
    """What the proxy answers to CONNECT instead of tunnelling, if anything."""
    asked: list[str] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._tls = self.authority.context()
        self._front = self._listen(self._serve_tls)
        self._proxy = self._listen(self._tunnel)
        return self

    def __exit__(self, *_: object) -> None:
        for listener in (self._front, self._proxy):
            _hang_up(listener)
        while self._open:
            _hang_up(self._open.pop())
        for thread in self._threads:
            thread.join()

    @property
    def tls_port(self) -> int:
        return int(self._front.getsockname()[1])

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self._proxy.getsockname()[1]}"

    @property
    def environ(self) -> dict[str, str]:
        """Of a machine that goes out through the proxy and trusts the authority."""
        return {"HTTPS_PROXY": self.proxy, "REQUESTS_CA_BUNDLE": str(self.authority.bundle), "NO_PROXY": ""}

    def _listen(self, serve: Callable[[socket.socket], None]) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept, listener, serve)
        return listener

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self._start(self._served, serve, sock)

    def _served(self, serve: Callable[[socket.socket], None], sock: socket.socket) -> None:
        with suppress(OSError, ValueError):  # it was hung up while we listened
            serve(sock)
        _hang_up(sock)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve_tls(self, sock: socket.socket) -> None:
        with self._tls.wrap_socket(sock, server_side=True) as secure:
            self._open.append(secure)
            self._relay(secure, self.port)

    def _tunnel(self, sock: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := sock.recv(65536)):
                return
            head += more
        self.asked.append(head.decode("latin-1"))
        sock.sendall(self.refusal or b"HTTP/1.1 200 Connection established\r\n\r\n")
        if not self.refusal:
            self._relay(sock, self.tls_port)

    def _relay(self, near: socket.socket, port: int) -> None:
        """Bytes both ways, until one end closes."""
        with socket.create_connection(("127.0.0.1", port)) as far:
            self._open.append(far)
            while True:
                has_more = isinstance(near, ssl.SSLSocket) and near.pending() > 0
                ready = [near] if has_more else select.select([near, far], [], [])[0]
                for sock in ready:
                    if not (data := sock.recv(65536)):
                        return
                    (far if sock is near else near).sendall(data)


def of_a_company(account: Account) -> Account:
    """With credentials that may leave this machine: those of a sandbox may not."""
    account.app_id, account.api_key, account.api_password = "COMPANYAPPID", "COMPANYK", "COMPANYPASSW"
    return account


@contextmanager
def aimed_through(project: Project, sandbox: Sandbox, authority: Authority) -> Iterator[Between]:
    """The project's commands reach the sandbox through a proxy and TLS alone."""
    with Between(urlsplit(sandbox.url).port or 0, authority) as stands:
        project.aim(sandbox)
        project.environ |= {**stands.environ, "KARTRA_URL": URL}
        yield stands


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
