"""Sources behind URLs: kinds, servers, redirects and bodies that attack or only have a bad day."""

import gzip
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.errors import SourceError, SyncError
from connectors.sources.files import remote
from connectors.sources.files.http import ForbiddenPeerError, _Guard
from connectors.sources.files.private_folder import PrivateFolder
from connectors.sources.kinds import KINDS
from tests.attacks.table import Probe, observe, probes_of
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
    observe(one.id, said)


LEADING_NOWHERE = probes_of("test_a_url_that_leads_to_no_source_is_not_asked")


@pytest.mark.parametrize("one", LEADING_NOWHERE.values(), ids=list(LEADING_NOWHERE))
def test_a_url_that_leads_to_no_source_is_not_asked(one: Probe) -> None:
    said = read(one.probe)
    assert said.startswith(("ConfigError: ", "SourceError: "))
    assert one.expected in said
    assert "hunter2" not in said
    observe(one.id, said)


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


def endless(start: bytes, block: bytes = b"x" * 65_536) -> Reply:
    """As fast as it can, without an end."""

    def reply(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(block)

    return reply


def packed(how: str, body: bytes) -> Reply:
    return raw(f"{OK}Content-Encoding: {how}\r\nContent-Length: {len(body)}", body)


OK = "HTTP/1.1 200 OK\r\n"
CHUNKED = "Transfer-Encoding: chunked"


def bomb(sock: socket.socket) -> None:
    packed("gzip", gzip.compress(bytes(70_000_000), 1))(sock)


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
    "http-300": raw("HTTP/1.1 300 Multiple Choices\r\nLocation: /b\r\nContent-Length: 0"),
    "http-304": raw("HTTP/1.1 304 Not Modified"),
    "http-203": answer(BODY, "203 Non-Authoritative Information"),
    "http-226": answer(BODY, "226 IM Used"),
    "http-status-zero": raw("HTTP/1.1 000 x\r\nContent-Length: 0"),
    "http-status-long": raw("HTTP/1.1 99999 x\r\nContent-Length: 0"),
    "http-0.9": part(BODY),
    "http-2": part(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "http-1.0": raw(f"HTTP/1.0 200 OK\r\nContent-Length: {len(BODY)}", BODY),
    "http-reason-long": raw(f"HTTP/1.1 500 {'x' * 60_000}\r\nContent-Length: 0"),
    "http-continue-first": raw(f"HTTP/1.1 100 Continue\r\n\r\n{OK}Content-Length: {len(BODY)}", BODY),
    "http-continue-endless": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "http-packed": packed("gzip", gzip.compress(BODY)),
    "http-packed-x-gzip": packed("x-GZIP", gzip.compress(BODY)),
    "http-packed-deflate": packed("deflate", zlib.compress(BODY)),
    "http-packed-bare": packed("deflate", zlib.compress(BODY, wbits=-15)),
    "http-packed-in-two": packed("gzip", gzip.compress(BODY[:6]) + gzip.compress(BODY[6:])),
    "http-packed-br": packed("br", b"\x0b\x02\x80abc\x03"),
    "http-packed-zstd": packed("zstd", b"\x28\xb5\x2f\xfd\x04\x00"),
    "http-packed-escape": packed("x\x1b[2J", b"abc"),
    "http-packed-not": packed("gzip", BODY),
    "http-packed-cut": packed("gzip", gzip.compress(BODY * 500)[:-12]),
    "http-packed-no-trailer": packed("gzip", gzip.compress(BODY * 500)[:-4]),
    "http-packed-other-sum": packed("gzip", gzip.compress(BODY)[:-8] + bytes(8)),
    "http-packed-deflate-cut": packed("deflate", zlib.compress(BODY * 500)[:-6]),
    "http-packed-and-more": packed("gzip", gzip.compress(BODY) + b"garbage"),
    "http-packed-bomb": bomb,
    "http-length-negative": raw(f"{OK}Content-Length: -5", BODY),
    "http-length-hex": raw(f"{OK}Content-Length: 0x16", BODY),
    "http-length-two": raw(f"{OK}Content-Length: 5\r\nContent-Length: 22", BODY),
    "http-length-twice": raw(f"{OK}Content-Length: 22\r\nContent-Length: 22", BODY),
    "http-length-of-digits": raw(f"{OK}Content-Length: {'9' * 5_000}", BODY),
    "http-length-and-chunks": raw(f"{OK}Content-Length: 5\r\n{CHUNKED}", b"16\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "http-sent-as-gzip": raw(f"{OK}Transfer-Encoding: gzip, chunked", b"5\r\nabcde\r\n0\r\n\r\n"),
    "http-sent-nearly-chunked": raw(f"{OK}Transfer-Encoding: xchunked", BODY[:10]),
    "http-chunk-negative": raw(f"{OK}{CHUNKED}", b"-5\r\nabcde\r\n0\r\n\r\n"),
    "http-chunk-of-a-word": raw(f"{OK}{CHUNKED}", b"zz\r\n" + BODY),
    "http-chunk-huge": raw(f"{OK}{CHUNKED}", b"f" * 60 + b"\r\n" + BODY),
    "http-chunk-without-end": raw(f"{OK}{CHUNKED}", b"16\r\n" + BODY + b"\r\n"),
    "http-chunk-word-endless": endless(f"{OK}{CHUNKED}\r\n\r\n5;".encode()),
    "http-trailer-endless": endless(f"{OK}{CHUNKED}\r\n\r\n16\r\n".encode() + BODY + b"\r\n0\r\nX: "),
    "http-header-endless": endless(f"{OK}X: ".encode()),
    "http-header-folded": raw(f"{OK}X: a\r\n b\r\nContent-Length: {len(BODY)}", BODY),
    "http-header-nul": raw(f"{OK}X: a\0b\r\nContent-Length: {len(BODY)}", BODY),
    "http-cookies": raw(
        OK
        + "".join(f"Set-Cookie: c{n}={'x' * 4_000}\r\n" for n in range(90))
        + f"Content-Length: {len(BODY)}",
        BODY,
    ),
    "http-redirect-endless-body": endless(
        b"HTTP/1.1 302 x\r\nLocation: /a.csv\r\nContent-Length: 99999999999\r\n\r\n"
    ),
    **{
        f"http-redirect-{name}": redirect(place)
        for name, place in {
            "brackets": "http://[::1",
            "zone": "http://[fe80::1%25eth0]/a",
            "port-large": "http://127.0.0.1:99999/a",
            "port-word": "http://127.0.0.1:abc/a",
            "without-scheme": "//169.254.169.254/x",
            "decimal": "http://2852039166/latest",
            "octal": "http://0251.0376.0251.0376/latest",
            "hex": "http://0xa9fea9fe/latest",
            "short": "http://169.254.43518/latest",
            "mapped-hex": "http://[::ffff:a9fe:a9fe]/latest",
            "compatible": "http://[::a9fe:a9fe]/latest",
            "nat64": "http://[64:ff9b::a9fe:a9fe]/latest",
            "6to4": "http://[2002:a9fe:a9fe::1]/latest",
            "amazon": "http://[fd00:ec2::254]/latest",
            "alibaba": "http://100.100.100.200/latest",
            "oracle": "http://192.0.0.192/latest",
            "dot": "http://169.254.169.254./latest",
            "user": "http://127.0.0.1@169.254.169.254/",
            "backslash": "http://127.0.0.1\\@169.254.169.254/",
            "blank": "http://127.0.0.1/ a",
            "javascript": "javascript:alert(1)",
            "data": "data:text/csv,Email",
            "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
            "escape": "http://evil\x1b[2J/",
        }.items()
    },
    "http-redirect-twice": raw(
        "HTTP/1.1 302 x\r\nLocation: /b\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0"
    ),
}
HASTY = ("-trickles", "-silent", "-continue-endless", "-endless")
"""Words in the id of a probe that ends with its time, or before it."""


@pytest.mark.parametrize("one", SERVERS.values(), ids=list(SERVERS))
def test_a_server_that_attacks(one: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(word in one.id for word in HASTY):
        monkeypatch.setattr(remote.Patience, "__init__", _hasty)
    with RawServer([REPLIES[one.id]]) as server:
        host = f"127.0.0.1:{server.port}"
        said = read(f"http://ann:hunter2@{host}/a.csv?token=hunter2")
    assert one.expected.replace("HOST", host) in said
    assert "hunter2" not in said
    assert said.startswith(("SourceError: a.csv", "ok: 1"))
    observe(one.id, said, HOST=host)


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
        unverified = read(url)
        assert "its certificate cannot be verified" in unverified
        assert server.received == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        for spelt in (url, url.replace("https", "HTTPS")):
            assert "redirects from https to http, where anybody could change it" in read(spelt)
        observe(
            "http-bad-certificate",
            f"{unverified}; {len(server.received)} requests with a certificate that is known",
            HOST=f"127.0.0.1:{server.port}",
        )


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
    heads = [[*("authorization",) * ("authorization" in one.received[0].headers)] for one in (first, other)]
    observe(
        "http-password-elsewhere", f"headers with a password: to its host {heads[0]}, to the other {heads[1]}"
    )


def test_a_redirect_leads_to_this_machine_only_from_this_machine() -> None:
    guard = _Guard()
    guard.check("192.0.2.7")
    guard.is_redirected = True
    for address in ("127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1", "169.254.1.1", "fe80::1%eth0"):
        with pytest.raises(ForbiddenPeerError):
            guard.check(address)
    guard.check("192.0.2.8")
    for name in ("localhost", "127.9.9.9"):
        with pytest.raises(ForbiddenPeerError) as refused:
            guard.check_name(name)
    observe("http-redirect-here", refused.value)


@pytest.mark.parametrize("bound", ["MAX_BYTES", "KEPT_FREE_BYTES"])
def test_what_never_ends_ends_at_a_bound(bound: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(remote, bound, 10_000_000 if bound == "MAX_BYTES" else 1 << 60)
    told = "more than 10,000,000 bytes" if bound == "MAX_BYTES" else "finds no room"
    with Path("/dev/zero").open("rb") as endless, pytest.raises(SourceError, match=told) as refused:
        remote.taken_in(endless, tmp_path / "in", remote.Room(PrivateFolder()))
    if bound == "MAX_BYTES":
        observe("stdin-endless", refused.value)
