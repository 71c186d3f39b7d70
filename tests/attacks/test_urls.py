"""Sources behind URLs: kinds, servers, redirects and bodies that attack or only have a bad day."""

import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.errors import SourceError, SyncError
from connectors.sources.files import remote
from connectors.sources.files.http import ForbiddenPeerError, _Guard
from connectors.sources.files.private_folder import PrivateFolder
from connectors.sources.kinds import KINDS
from tests.attacks.table import Probe, probes_of
from tests.between import authority
from tests.raw_server import RawServer, Reply, answer, part, silence

KINDS_OF_URL = probes_of("test_a_url_of_another_kind_is_not_read")
SERVERS = probes_of("test_a_server_that_attacks")
BODY = b"Email\nann@example.org\n"


def read(url: str) -> str:
    try:
        return f"ok: {sum(len(chunk.frame) for chunk in KINDS['csv'].open(path=url).chunks())}"
    except SyncError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("one", KINDS_OF_URL.values(), ids=list(KINDS_OF_URL))
def test_a_url_of_another_kind_is_not_read(one: Probe) -> None:
    said = read(one.probe.replace("\\n", "\n"))
    assert said.startswith("ConfigError: ")
    assert one.expected in said
    assert "hunter2" not in said


def redirect(place: str) -> Reply:
    return answer(b"", "302 Found", f"Location: {place}")


def raw(text: str, body: bytes = b"") -> Reply:
    return part(text.encode() + b"\r\n\r\n" + body)


def trickle(start: bytes) -> Reply:
    """A byte at a time, without an end."""

    def reply(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(b"x")
            time.sleep(0.02)

    return reply


OK = "HTTP/1.1 200 OK\r\n"
REPLIES: dict[str, Reply] = {
    "http-401": answer(b"", "401 Unauthorized"),
    "http-403": answer(b"", "403 Forbidden"),
    "http-404": answer(b"", "404 Not Found"),
    "http-410": answer(b"", "410 Gone"),
    "http-429": answer(b"", "429 Too Many Requests"),
    "http-500": answer(b"", "500 Internal Server Error"),
    "http-status-unknown": answer(b"", "599 Whatever"),
    "http-part": answer(BODY, "206 Partial Content"),
    "http-nothing": raw("HTTP/1.1 204 No Content"),
    "http-not-http": part(b"SSH-2.0-OpenSSH_9.0\r\n\r\n"),
    "http-closed": part(b""),
    "http-cut-with-length": raw(f"{OK}Content-Length: 1000", BODY),
    "http-cut-chunked": raw(f"{OK}Transfer-Encoding: chunked", b"16\r\n" + BODY),
    "http-without-length": raw(f"{OK}Connection: close", BODY),
    "http-packed-often": raw(f"{OK}Content-Encoding: gzip, gzip, gzip\r\nContent-Length: 20", b"x" * 20),
    "http-web-page": answer(b"<!doctype html><html><body>Please log in</body></html>"),
    "http-many-headers": raw(OK + "\r\n".join(f"X-{n}: y" for n in range(5_000))),
    "http-redirect-loop": redirect("/a.csv"),
    "http-redirect-nowhere": raw("HTTP/1.1 302 Found\r\nContent-Length: 0"),
    "http-redirect-to-file": redirect("file:///etc/passwd"),
    "http-redirect-to-ftp": redirect("ftp://127.0.0.1/a.csv"),
    "http-redirect-link-local": redirect("http://169.254.169.254/latest/meta-data/"),
    "http-redirect-link-local-mapped": redirect("http://[::ffff:169.254.169.254]/latest/"),
    "http-chunked": raw(f"{OK}Transfer-Encoding: chunked", b"16\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "http-whole": answer(BODY),
    "http-trickles": trickle(f"{OK}Content-Length: 100000000\r\n\r\n".encode()),
    "http-trickles-headers": trickle(f"{OK}X-Slow: ".encode()),
    "http-silent": silence,
}


@pytest.mark.parametrize("one", SERVERS.values(), ids=list(SERVERS))
def test_a_server_that_attacks(one: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    if one.id.startswith(("http-trickles", "http-silent")):
        monkeypatch.setattr(remote.Patience, "__init__", _hasty)
    with RawServer([REPLIES[one.id]]) as server:
        host = f"127.0.0.1:{server.port}"
        said = read(f"http://ann:hunter2@{host}/a.csv?token=hunter2")
    assert one.expected.replace("HOST", host) in said
    assert "hunter2" not in said
    assert said.startswith(("SourceError: a.csv", "ok: 1"))


def _hasty(self: remote.Patience) -> None:
    """A second of next to nothing is enough to give up."""
    for name, value in (("window_s", 1.0), ("least_bytes", 32 * 1024), ("total_s", 60.0)):
        object.__setattr__(self, name, value)


def test_every_reply_is_in_the_table() -> None:
    assert sorted(REPLIES) == sorted(SERVERS)


def test_a_packed_file_tells_its_own_end() -> None:
    packed = gzip.compress(BODY)
    with RawServer(
        [raw(f"{OK}Connection: close", packed), raw(f"{OK}Connection: close", packed[:-9])]
    ) as server:
        assert read(f"http://127.0.0.1:{server.port}/a.csv.gz") == "ok: 1"
        assert "damaged" in read(f"http://127.0.0.1:{server.port}/a.csv.gz")


def test_hosts_that_are_not_there_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"from 127.0.0.1:{port}: it refuses the connection" in read(f"http://127.0.0.1:{port}/a.csv")
    assert "from files.invalid: there is no host of that name" in read("http://files.invalid/a.csv")
    assert "link-local address, where no file of contacts is" in read("http://169.254.169.254/a.csv")


def test_a_certificate_of_nobodys_and_a_way_back_to_http_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _tls(tmp_path, redirect("http://127.0.0.1:1/a.csv")) as (server, bundle):
        url = f"https://127.0.0.1:{server.port}/a.csv"
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(variable, "")
        monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
        assert "its certificate cannot be verified" in read(url)
        assert server.received == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        for spelt in (url, url.replace("https", "HTTPS")):
            assert "redirects from https to http, where anybody could change it" in read(spelt)


@contextmanager
def _tls(folder: Path, reply: Reply) -> Iterator[tuple[RawServer, Path]]:
    company = authority(folder / "ca")
    context: ssl.SSLContext = company.context()
    with RawServer([reply], context) as server:
        yield server, company.bundle


def test_a_password_goes_to_its_own_host_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hunter2\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        RawServer([answer(BODY)]) as other,
        RawServer([redirect(f"http://127.0.0.1:{other.port}/a.csv")]) as first,
    ):
        assert read(f"http://ann:hunter2@127.0.0.1:{first.port}/a.csv") == "ok: 1"
    assert "authorization" in first.received[0].headers
    assert "authorization" not in other.received[0].headers


def test_a_redirect_leads_to_this_machine_only_from_this_machine() -> None:
    guard = _Guard()
    guard.check("192.0.2.7")
    guard.is_redirected = True
    for address in ("127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", "169.254.1.1", "fe80::1%eth0"):
        with pytest.raises(ForbiddenPeerError):
            guard.check(address)
    guard.check("192.0.2.8")
    for name in ("localhost", "127.9.9.9"):
        with pytest.raises(ForbiddenPeerError):
            guard.check_name(name)


@pytest.mark.parametrize("bound", ["MAX_BYTES", "KEPT_FREE_BYTES"])
def test_what_never_ends_ends_at_a_bound(bound: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(remote, bound, 10_000_000 if bound == "MAX_BYTES" else 1 << 60)
    told = "more than 10,000,000 bytes" if bound == "MAX_BYTES" else "finds no room"
    with Path("/dev/zero").open("rb") as endless, pytest.raises(SourceError, match=told):
        remote.taken_in(endless, tmp_path / "in", remote.Room(PrivateFolder()))
