"""What stands between: proxies, TLS, certificates, pages. Only what never began to leave was not sent, and
messages say who stood in the way and what mends it.

Over 400 lines, because each way to be in the way is one small test of the same few words.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

from connectors.errors import ConfigError, FatalApiError, RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Call, Lead
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Account
from connectors.kartra.sender import Sender, is_answered
from connectors.kartra.wire import Credentials
from tests.between import URL, Authority, Between, authority
from tests.kartra.test_sender import ADDRESS, CALL, DONE, TAG, client_of, private_in
from tests.raw_server import RawServer, Reply, answer, part, reset, silence

TAGS = Call((commands.retrieve_account_tags(),))
OURS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NETRC")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in OURS:
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("company"))


@dataclass(frozen=True)
class Seen:
    """What became of the calls, and what left for them."""

    answers: list[Answer]
    sent: int
    received: int
    asked: list[str]

    @property
    def effects(self) -> list[Effect]:
        return [action.effect for answered in self.answers for action in answered.actions]


@pytest.fixture
def through(tmp_path: Path, company: Authority, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Seen]:
    """Calls through a proxy and TLS to a server that replies as told."""

    def send(*replies: Reply, call: Call = TAG, times: int = 1, timeout_s: float = 5) -> Seen:
        with RawServer(list(replies)) as server, Between(server.port, company) as stands:
            for name, value in stands.environ.items():
                monkeypatch.setenv(name, value)
            with client_of(URL, tmp_path, timeout_s=timeout_s) as client:
                answers = [client.send(call) for _ in range(times)]
                return Seen(answers, client.counts.sent, len(server.received), stands.asked)

    return send


# --- what has left, and what has not


CUTS: dict[str, Reply] = {
    "closed without an answer": part(b""),
    "reset": reset,
    "cut in the head": part(b"HTTP/1.1 200 OK\r\nContent-"),
    "cut in the body": part(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + DONE),
    "silence": silence,
}


@pytest.mark.parametrize("kind", CUTS)
def test_what_left_through_a_proxy_has_an_unknown_outcome_whatever_becomes_of_the_answer(
    kind: str, through: Callable[..., Seen]
) -> None:
    seen = through(CUTS[kind], call=CALL, timeout_s=1)
    assert seen.effects == [Effect.UNKNOWN] * 2
    assert (seen.sent, seen.received) == (1, 1)
    assert [asked.split(" ")[:2] for asked in seen.asked] == [["CONNECT", "kartra.example:443"]]
    assert private_in(str(seen.asked)) == []
    assert seen.answers[0].trouble in (
        "the connection was closed before an answer came",
        "the answer broke off",
        "no whole answer within 1 s",
        "HTTP 200 no JSON of Kartra's",  # a head that breaks off is taken for one without more
    )
    assert not seen.answers[0].refused_on_the_way


@pytest.mark.parametrize("header", ["Connection: close", "Connection: keep-alive"])
def test_a_connection_through_a_proxy_that_the_server_closes_is_opened_anew(
    header: str, through: Callable[..., Seen]
) -> None:
    def answer_and_close(sock: socket.socket) -> None:
        answer(DONE, "200 OK", header)(sock)
        sock.shutdown(socket.SHUT_RDWR)
        time.sleep(0.2)

    seen = through(answer_and_close, times=4)
    assert Effect.RETRY_LATER not in seen.effects
    assert seen.effects.count(Effect.DONE) == seen.received
    assert seen.sent == 4


def test_a_kept_connection_that_is_closed_just_as_a_request_leaves_has_an_unknown_outcome(
    tmp_path: Path,
) -> None:
    """The server reads the second request, and closes without a word; or resets before it has read it."""
    for gone in (part(b""), reset):
        replies = [answer(DONE), gone, answer(DONE)]
        with RawServer(replies) as server, client_of(server.url, tmp_path) as client:
            assert [client.send(TAG).effect for _ in range(2)] == [Effect.DONE, Effect.UNKNOWN]
            assert (client.counts.sent, len(server.received)) == (2, 2)


def test_a_request_that_nobody_reads_to_its_end_has_an_unknown_outcome(tmp_path: Path) -> None:
    """A reset in the middle of writing: megabytes left, and whoever read them may have acted."""
    long = Lead(email=ADDRESS, fields={"first_name": "x" * 8_000_000})
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def read_a_little() -> None:
            sock, _ = listener.accept()
            sock.recv(1000)
            reset(sock)

        threading.Thread(target=read_a_little, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        with client_of(url, tmp_path, timeout_s=5) as client:
            assert client.send(Call((commands.edit_lead(),), long)).effect is Effect.UNKNOWN
            assert client.counts.sent == 1


def test_tls_that_ends_before_the_request_proves_that_nothing_was_sent(
    tmp_path: Path, company: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A balancer that hangs up on the handshake has seen no byte of the request."""

    def hang_up(listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.recv(100)
            reset(sock)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(company.bundle))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/api"
        with client_of(url, tmp_path, timeout_s=5) as client:
            answered = client.send(TAG)
            assert (answered.effect, client.counts.sent) == (Effect.RETRY_LATER, 0)
        listener.shutdown(socket.SHUT_RDWR)
    assert answered.trouble == "127.0.0.1 closed the connection before anything was sent"


# --- who stood in the way


REFUSALS: dict[str, tuple[bytes, str]] = {
    "forbidden": (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "{proxy} refused to connect to kartra.example (HTTP 403 Forbidden)",
    ),
    "asks for a password": (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "{proxy} asks for a user name and a password (407): write them into the variable as"
        " http://user:password@host:port",
    ),
    "bad gateway": (
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        "{proxy} refused to connect to kartra.example (HTTP 502 Bad Gateway)",
    ),
    "no HTTP": (b"220 mail.example.org\r\n", "{proxy} closed the connection before anything was sent"),
    "nothing": (b" ", "{proxy} closed the connection before anything was sent"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_proxy_that_refuses_is_named_and_nothing_counts_as_sent(
    kind: str, tmp_path: Path, company: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal, told = REFUSALS[kind]
    with Between(9, company, refusal) as stands:
        for name, value in stands.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HTTPS_PROXY", stands.proxy.replace("http://", "http://bob:hidden@"))
        with client_of(URL, tmp_path) as client:
            answered = client.send(TAG)
            assert (answered.effect, client.counts.sent) == (Effect.RETRY_LATER, 0)
        shown = f"the proxy {stands.proxy.removeprefix('http://')} (HTTPS_PROXY)"
    assert answered.trouble == told.format(proxy=shown)
    assert "Proxy-Authorization: Basic" in stands.asked[0]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_proxy_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = _closed_port()
    monkeypatch.setenv("ALL_PROXY", f"127.0.0.1:{port}")
    with client_of(URL, tmp_path) as client:
        assert client.send(TAG).trouble == f"the proxy 127.0.0.1:{port} (ALL_PROXY) refused the connection"


def test_a_name_that_is_not_found_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cannot = "cannot be resolved. Is there a network, and a name server?"
    with client_of("https://kartra.invalid/api", tmp_path) as client:
        answered = client.send(TAG)
        assert (answered.effect, client.counts.sent) == (Effect.RETRY_LATER, 0)
        assert answered.trouble == f"the name of kartra.invalid {cannot}"
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    with client_of(URL, tmp_path) as client:
        trouble = client.send(TAG).trouble
    assert trouble == f"the name of the proxy proxy.invalid:3128 (https_proxy) {cannot}"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("http://user:pa ss@[bad", "HTTPS_PROXY: not the address of a proxy; write it as http://host:port"),
        ("http://", "HTTPS_PROXY: not the address of a proxy"),
        ("ftp://proxy.example:21", "HTTPS_PROXY: not the address of a proxy"),
        ("http://proxy.example:99999", "HTTPS_PROXY: not the address of a proxy"),
        ("http://:hidden@:3128", "HTTPS_PROXY: not the address of a proxy"),
    ],
)
def test_a_proxy_that_is_none_is_told_before_anything_is_sent(
    written: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", written)
    with pytest.raises(ConfigError) as fault, client_of(URL, tmp_path):
        pass
    assert str(fault.value).startswith(told)
    assert [word for word in ("pa ss", "hidden") if word in str(fault.value)] == []


def test_a_socks_proxy_says_which_library_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:9")
    if find_spec("socks") is not None:
        with client_of(URL, tmp_path) as client:
            assert client.send(TAG).effect is Effect.RETRY_LATER
        return
    with pytest.raises(ConfigError) as fault, client_of(URL, tmp_path):
        pass
    assert str(fault.value) == (
        "ALL_PROXY names a SOCKS proxy, and the library for it is not installed: pip install requests[socks]"
    )


# --- certificates


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_a_company_is_trusted_where_a_variable_names_it(
    variable: str, company: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(company.bundle))
    with RawServer([answer(DONE)], company.context()) as server, client_of(server.url, tmp_path) as client:
        assert client.send(TAG).effect is Effect.DONE


@pytest.mark.parametrize("kind", ["is not there", "holds no certificate", "is an empty folder"])
def test_certificates_that_cannot_be_used_are_told_before_anything_is_sent(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "corp.pem"
    if kind == "holds no certificate":
        bundle.write_text("hello\n")
    elif kind == "is an empty folder":
        bundle.mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError) as fault, client_of(URL, tmp_path):
        pass
    assert str(fault.value) == (
        f"REQUESTS_CA_BUNDLE: {bundle} {kind}. Name a file of certificates in PEM, or unset it"
    )


def test_a_stale_ssl_cert_file_is_told_and_does_not_stop_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    with client_of(f"https://127.0.0.1:{_closed_port()}/api", tmp_path) as client:
        assert client.send(TAG).trouble == "127.0.0.1 refused the connection"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"SSL_CERT_FILE: {tmp_path / 'gone.pem'} is not there;"
        " the certificates that come with kartra-sync are used"
    ]


def test_an_unknown_authority_says_which_variable_names_it(
    company: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = authority(tmp_path / "other")
    for bundle, now in ((None, ""), (other.bundle, f"; now SSL_CERT_FILE names {other.bundle}")):
        if bundle is not None:
            monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        with (
            RawServer([answer(DONE)], company.context()) as server,
            client_of(server.url, tmp_path) as client,
            pytest.raises(FatalApiError) as refusal,
        ):
            client.send(TAG)
        message = str(refusal.value)
        assert message.startswith("the TLS certificate of 127.0.0.1 cannot be verified (")
        assert message.endswith(
            "nothing was sent. Is a proxy or firewall of your company in between? Then name the file with the"
            f" certificate of its authority in REQUESTS_CA_BUNDLE{now}"
        )
        assert server.received == []


def test_a_certificate_of_another_name_is_told_so(
    company: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(company.bundle))
    with RawServer([answer(DONE)], company.context()) as server:
        url = f"https://localhost:{server.port}/api"
        with client_of(url, tmp_path) as client, pytest.raises(FatalApiError) as refusal:
            client.send(TAG)
    assert str(refusal.value).endswith("nothing was sent. Another machine answered for this name.")


# --- answers that are not Kartra's


PAGES: dict[str, tuple[Reply, str]] = {
    "maintenance": (
        answer(
            b"<html><head><title>503</title></head><body><h1>We are back soon</h1></body></html>", "503 x"
        ),
        'HTTP 503 Service Unavailable, which says "503 We are back soon"',
    ),
    "firewall": (
        answer(b"<html><body><p>Request blocked.</p></body></html>", "403 Forbidden"),
        'HTTP 403 Forbidden, which says "Request blocked."',
    ),
    "a page instead": (
        answer(b"<!DOCTYPE html><script>var a = 1</script><b>Log in to the guest network</b>"),
        'HTTP 200 no JSON of Kartra\'s, which says "Log in to the guest network"',
    ),
    "a gateway's JSON": (
        answer(b'{"message":"Forbidden"}', "403 Forbidden"),
        'HTTP 403 Forbidden, which says "message : Forbidden"',
    ),
    "nothing": (answer(b"", "502 Bad Gateway"), "HTTP 502 Bad Gateway"),
    "moved": (answer(b"", "301 Moved", "Location: https://elsewhere.example/"), "HTTP 301 Moved Permanently"),
    "a status of its own": (answer(b"", "599 What"), "HTTP 599"),
}
ON_THE_WAY = ("firewall", "a page instead", "a gateway's JSON", "moved")


@pytest.mark.parametrize("kind", PAGES)
def test_an_answer_that_is_not_kartras_says_its_status_and_its_first_words(kind: str, tmp_path: Path) -> None:
    reply, told = PAGES[kind]
    with RawServer([reply]) as server, client_of(server.url, tmp_path) as client:
        answered = client.send(TAG)
    assert (answered.effect, answered.trouble) == (Effect.UNKNOWN, told)
    assert answered.refused_on_the_way is (kind in ON_THE_WAY)
    assert not is_answered(answered)


def test_an_answer_of_kartra_stands_in_nobodys_way(tmp_path: Path) -> None:
    replies = [answer(DONE), answer(b'{"status":"Error","message":"No lead found","type":"243"}')]
    with RawServer(replies) as server, client_of(server.url, tmp_path) as client:
        for _ in replies:
            answered = client.send(TAG)
            assert (answered.status, answered.trouble, answered.refused_on_the_way) == (200, "", False)


def test_a_page_that_repeats_what_was_sent_shows_nothing_of_it(tmp_path: Path) -> None:
    person = Lead(
        email=ADDRESS, fields={"first_name": "Zuleika", "phone": "+43 660 1234567", "city": "Bad Ischl"}
    )
    call = Call((commands.edit_lead(),), person)

    def repeat(sock: socket.socket) -> None:
        body = server.received[-1].body
        told = f"Blocked for Zuleika of BAD ISCHL, {ADDRESS}, +43 660 1234567: {body} {unquote_plus(body)}"
        answer(told.encode(), "403 Forbidden")(sock)

    with RawServer([repeat]) as server, client_of(server.url, tmp_path) as client:
        trouble = client.send(call).trouble
    assert trouble.startswith('HTTP 403 Forbidden, which says "Blocked for *** of ***, ***, ***: ***')
    assert private_in(trouble) == []
    assert [word for word in ("Zuleika", "Ischl", "1234567", "660") if word.lower() in trouble.lower()] == []


NOTICE = (
    b"<br />\n<b>Notice</b>:  Undefined index: x in <b>/var/www/api.php</b> on line <b>12</b><br />\n",
    b"PHP Warning:  a, b in /var/www/api.php on line 3\n",
)


@pytest.mark.parametrize("notice", NOTICE, ids=["html", "text"])
def test_json_behind_a_notice_of_php_is_the_answer(notice: bytes, tmp_path: Path) -> None:
    with (
        RawServer([answer(notice + notice + DONE), answer(DONE + b"\n" + notice)]) as server,
        client_of(server.url, tmp_path) as client,
    ):
        answers = [client.send(TAG) for _ in range(2)]
    assert [(one.effect, one.trouble) for one in answers] == [(Effect.DONE, "")] * 2


def test_json_inside_a_page_is_no_answer(tmp_path: Path) -> None:
    page = b"<html><b>Warning</b>: maintenance on line 1 <script>state = " + DONE + b"</script></html>"
    with RawServer([answer(page), answer(page[:-16])]) as server, client_of(server.url, tmp_path) as client:
        assert [client.send(TAG).effect for _ in range(2)] == [Effect.UNKNOWN] * 2


def test_a_read_without_a_usable_answer_says_what_came_the_last_time(tmp_path: Path) -> None:
    with RawServer([PAGES["maintenance"][0]]) as server, client_of(server.url, tmp_path) as client:
        with pytest.raises(RetryableApiError) as told:
            client.read(TAGS)
        assert len(server.received) == 5
    assert str(told.value) == (
        "Kartra gave no usable answer to retrieve_account_tags in 5 tries; the last time: HTTP 503 Service"
        ' Unavailable, which says "503 We are back soon"'
    )


# --- answers that do not end


def trickle(head: bytes, bytewise: bytes, every_s: float = 0.1) -> Reply:
    def reply(sock: socket.socket) -> None:
        sock.sendall(head)
        for byte in bytewise:
            time.sleep(every_s)
            sock.sendall(bytes([byte]))

    return reply


@pytest.mark.parametrize(
    "reply",
    [
        trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b" " * 500),
        trickle(b"HTTP/1.1 200 OK\r\nX-Wait: ", b"x" * 500),
        trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 30),
        trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 100),
    ],
    ids=["body", "head", "interim", "chunks"],
)
def test_an_answer_that_trickles_ends_with_its_time(reply: Reply, tmp_path: Path) -> None:
    with RawServer([reply]) as server, client_of(server.url, tmp_path, timeout_s=1) as client:
        answered = client.send(TAG)
        assert (answered.effect, answered.trouble) == (Effect.UNKNOWN, "no whole answer within 1 s")
        assert client.counts.latency_s < 2


def test_a_proxy_that_trickles_is_not_waited_for_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer([trickle(b"HTTP/1.1 200 OK\r\n", b"x" * 500)]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with client_of(URL, tmp_path, timeout_s=1) as client:
            answered = client.send(TAG)
    assert answered.effect is Effect.RETRY_LATER
    assert answered.trouble.endswith("(HTTPS_PROXY) took no connection within 1 s")


def test_an_answer_without_an_end_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.kartra.transport.MAX_ANSWER_BYTES", 2**20)

    def endless(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b" " * 65536)

    with RawServer([endless]) as server, client_of(server.url, tmp_path) as client:
        answered = client.send(TAG)
    assert (answered.effect, answered.trouble) == (Effect.UNKNOWN, "an answer of more than 1 MB")


# --- what a request carries


def test_a_request_says_who_sends_it_and_carries_no_credential_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login bob password hidden\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with RawServer([answer(DONE)]) as server, client_of(server.url, tmp_path) as client:
        client.send(TAG)
    headers = server.received[0].headers
    assert headers["user-agent"] == f"kartra-sync/{version('kartra-sync')}"
    assert "authorization" not in headers


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_a_body_along(status: int, tmp_path: Path) -> None:
    with RawServer([answer(DONE)]) as elsewhere:
        moved = answer(b"", f"{status} Moved", f"Location: {elsewhere.url}")
        with RawServer([moved]) as server, client_of(server.url, tmp_path) as client:
            assert client.send(TAG).effect is Effect.UNKNOWN
        assert (len(server.received), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("which", [0, 1])
def test_credentials_of_a_sandbox_do_not_leave_this_machine(which: int, tmp_path: Path) -> None:
    secrets = ["a", "b", "c"]
    secrets[which] = sandbox_credentials()[which]
    with pytest.raises(ConfigError, match=r"^these are the credentials of a sandbox"):
        Sender(URL, Credentials(*secrets), CallLimiter(tmp_path / "app.window", calls_per_second=20))
    with client_of("http://127.0.0.1:9/api", tmp_path, Credentials(*sandbox_credentials())):
        pass


def sandbox_credentials() -> tuple[str, str, str]:
    account = Account()
    return account.app_id, account.api_key, account.api_password


# --- whose clock


def dated(offset: timedelta) -> Reply:
    return lambda sock: answer(
        DONE, "200 OK", f"Date: {format_datetime(datetime.now(UTC) + offset, usegmt=True)}"
    )(sock)


def test_the_clock_of_the_server_is_known_from_its_answers_and_told_once_when_it_is_far_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replies = [answer(DONE), dated(-timedelta(minutes=10)), dated(-timedelta(minutes=11))]
    with RawServer(replies) as server, client_of(server.url, tmp_path) as client:
        client.send(TAG)
        assert client.clock.offset is None
        for minutes in (10, 11):
            client.send(TAG)
            assert client.clock.offset is not None
            assert abs(client.clock.offset + timedelta(minutes=minutes)) < timedelta(seconds=10)
            behind = datetime.now(UTC) - client.clock.now()
            assert abs(behind - timedelta(minutes=minutes)) < timedelta(seconds=10)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "the clock of this machine is 10 minutes ahead of Kartra's:"
        " times are compared by Kartra's. Set it right"
    ]


def test_a_page_of_somebody_else_tells_no_time(tmp_path: Path) -> None:
    """A guest network, a firewall, a balancer: each has a clock of its own."""
    date = f"Date: {format_datetime(datetime.now(UTC) - timedelta(days=400), usegmt=True)}"
    pages = [answer(b"<html>Log in</html>", "200 OK", date), answer(b"", "502 Bad Gateway", date)]
    with RawServer(pages) as server, client_of(server.url, tmp_path) as client:
        for _ in pages:
            client.send(TAG)
        assert client.clock.offset is None


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 25:00:00 GMT", "0"])
def test_a_date_that_is_none_tells_nothing(date: str, tmp_path: Path) -> None:
    reply = answer(DONE, "200 OK", f"Date: {date}")
    with RawServer([reply]) as server, client_of(server.url, tmp_path) as client:
        assert client.send(TAG).effect is Effect.DONE
        assert client.clock.offset is None
