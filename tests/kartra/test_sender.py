"""Sending one call: what left and what came back, on real sockets. Nothing is sent twice by itself.

Over 400 lines: what is known of a call, for each way in which an answer can fail to be one.
"""

import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.errors import FatalApiError, RetryableApiError
from connectors.kartra import commands
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call, Lead, get_lead
from connectors.kartra.limiter import CallLimiter
from connectors.kartra.sandbox import Account, Faults, Sandbox
from connectors.kartra.sender import ProfileRead, Sender, profile_of
from connectors.kartra.transport import is_loopback, secure_url
from connectors.kartra.wire import Credentials
from tests.raw_server import RawServer, Reply, answer, part, reset, silence

HERE = Path(__file__).parents[2]
SECRETS = ("SECRETAPP", "SECRETKEY", "SECRETPASS")
ADDRESS = "ann@example.org"
CALL = Call((commands.assign_tag("VIP"), commands.subscribe_lead_to_list("News")), Lead(email=ADDRESS))
TAG = Call((commands.assign_tag("VIP"),), Lead(email=ADDRESS))
DONE = b'{"status":"Success"}'


def wait_for(promise: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not promise():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


# --- the client


@contextmanager
def client_of(
    url: str,
    folder: Path,
    credentials: Credentials = Credentials(*SECRETS),  # noqa: B008 - frozen
    **options: Any,
) -> Iterator[Sender]:
    limiter = CallLimiter(folder / "app.window", calls_per_second=20)
    client = Sender(url, credentials, limiter, **options)
    yield client
    client.close()


def credentials_of(sandbox: Sandbox) -> Credentials:
    given = sandbox.credentials
    return Credentials(given.app_id, given.api_key, given.api_password)


@pytest.fixture
def client(sandbox: Sandbox, tmp_path: Path) -> Iterator[Sender]:
    with client_of(sandbox.url, tmp_path, credentials_of(sandbox)) as opened:
        yield opened


def effects(client: Sender, call: Call = CALL) -> list[Effect]:
    return [action.effect for action in client.send(call).actions]


# --- where a call may go


@pytest.mark.parametrize(
    "url",
    [
        "https://app.kartra.com/api",
        "http://localhost:8080/api",
        "http://127.0.0.1/api",
        "http://127.9.9.9:1/api",
        "http://[::1]:8080/api",
    ],
)
def test_kartra_is_reached_over_https_and_this_machine_over_http_too(url: str) -> None:
    assert secure_url(url) == url
    assert secure_url(url.replace("http", "HTTP", 1)) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://app.kartra.com/api",
        "http://localhost.example.org/api",
        "http://127.0.0.1.example.org/api",
        "http://127.0.0.1@example.org/api",
        "http://example.org\\@127.0.0.1/api",
        "http://10.0.0.1/api",
        "http://0.0.0.0/api",
        "http://[::2]/api",
        "http:///api",
        "ftp://127.0.0.1/api",
        "app.kartra.com/api",
        "",
    ],
)
def test_credentials_never_leave_in_the_clear(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^Kartra is reached over https"), client_of(url, tmp_path):
        pass


def test_loopback_is_told_by_the_address_alone() -> None:
    assert is_loopback("https://127.0.0.1/api")
    assert not is_loopback("https://app.kartra.com/api?to=127.0.0.1")


# --- what is sent


def test_a_call_is_one_post_of_a_form(tmp_path: Path) -> None:
    with RawServer([answer(DONE)]) as server, client_of(server.url, tmp_path) as client:
        assert effects(client, TAG) == [Effect.DONE]
    (request,) = server.received
    assert request.head.split("\r\n")[0] == "POST /api HTTP/1.1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert parse_qsl(request.body) == [
        ("app_id", "SECRETAPP"),
        ("api_key", "SECRETKEY"),
        ("api_password", "SECRETPASS"),
        ("lead[email]", ADDRESS),
        ("actions[0][cmd]", "assign_tag"),
        ("actions[0][tag_name]", "VIP"),
    ]


def test_many_threads_send_each_call_once(client: Sender, sandbox: Sandbox, account: Account) -> None:
    emails = [f"lead{number}@example.org" for number in range(24)]
    calls = [Call((commands.create_lead(),), Lead(email=email)) for email in emails]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(client.send, calls))
    assert [answered.effect for answered in answers] == [Effect.DONE] * 24
    found = [account.lead(email) for email in emails]
    assert [answered.lead_id for answered in answers] == [lead.id for lead in found if lead]
    assert [call.commands for call in sandbox.calls if call.executed] == [("create_lead",)] * 24
    # On a busy machine a call may arrive late enough for a 429, which is sent again.
    counts = client.counts
    assert (counts.sent, counts.throttled, counts.read_back) == (len(sandbox.calls), sandbox.throttled, 0)
    assert counts.sent == 24 + counts.throttled


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_is_not_followed(status: str, tmp_path: Path) -> None:
    with RawServer([answer(DONE)]) as elsewhere:
        redirect = answer(b"", status, f"Location: {elsewhere.url}")
        with RawServer([redirect]) as server, client_of(server.url, tmp_path) as client:
            assert effects(client) == [Effect.UNKNOWN] * 2
        assert (len(server.received), elsewhere.connections) == (1, 0)


def test_cookies_are_not_kept(tmp_path: Path) -> None:
    cookie = answer(DONE, "200 OK", "Set-Cookie: session=1; Path=/")
    with RawServer([cookie]) as server, client_of(server.url, tmp_path) as client:
        assert effects(client, TAG) + effects(client, TAG) == [Effect.DONE] * 2
    assert ["cookie" in request.headers for request in server.received] == [False, False]


PROXIED = """
import sys
from pathlib import Path
from tests.kartra.test_sender import TAG, client_of, effects
with client_of(sys.argv[1], Path(sys.argv[2]), timeout_s=5) as client:
    print(*effects(client, TAG))
"""


def under_proxy(url: str, proxy: RawServer, folder: Path) -> str:
    """What the client makes of a call in an environment that names a proxy."""
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    environ = {**kept, **dict.fromkeys(names, f"http://127.0.0.1:{proxy.port}")}
    done = subprocess.run(
        [sys.executable, "-c", PROXIED, url, folder],
        cwd=HERE,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(tmp_path: Path) -> None:
    with RawServer([answer(DONE)]) as proxy, RawServer([answer(DONE)]) as server:
        assert under_proxy(server.url, proxy, tmp_path) == "done"
        assert (len(server.received), proxy.connections) == (1, 0)


def test_a_proxy_that_refuses_has_seen_no_credential_and_executed_nothing(tmp_path: Path) -> None:
    with RawServer([part(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")]) as proxy:
        assert under_proxy("https://kartra.invalid/api", proxy, tmp_path) == "retry_later"
    assert [request.head.split(" ")[:2] for request in proxy.received] == [["CONNECT", "kartra.invalid:443"]]
    assert [secret for secret in SECRETS if secret in str(proxy.received)] == []


# --- what is known without a proper answer


def test_a_refused_connection_means_not_executed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with client_of(f"http://127.0.0.1:{port}/api", tmp_path) as client:
        answered = client.send(CALL)
    assert [action.effect for action in answered.actions] == [Effect.RETRY_LATER] * 2
    assert not answered.throttled


def test_a_name_that_does_not_resolve_means_not_executed(tmp_path: Path) -> None:
    with client_of("https://kartra.invalid/api", tmp_path) as client:
        assert effects(client) == [Effect.RETRY_LATER] * 2


def test_a_connection_that_is_never_accepted_means_not_executed(tmp_path: Path) -> None:
    with socket.socket() as busy, socket.socket() as first:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        first.connect(busy.getsockname())  # the queue is full, whoever comes now waits
        url = f"http://127.0.0.1:{busy.getsockname()[1]}/api"
        with client_of(url, tmp_path, timeout_s=0.3) as client:
            assert effects(client) == [Effect.RETRY_LATER] * 2


LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + DONE
BAD_ANSWERS: dict[str, Reply] = {
    "silence": silence,
    "cut without an answer": part(b""),
    "reset": reset,
    "cut in the head": part(b"HTTP/1.1 200 OK\r\nContent-"),
    "cut in the body": part(LONG),
    "silence in the body": lambda sock: sock.sendall(LONG),
    "cut in a chunk": part(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + DONE),
    "no HTTP": part(b"220 mail.example.org ESMTP\r\n"),
    "empty": answer(b""),
    "no JSON": answer(b"<html>Warning: something went wrong</html>"),
    "another JSON": answer(b"[]"),
    "said to be gzip": answer(DONE, "200 OK", "Content-Encoding: gzip"),
    "204": answer(b"", "204 No Content"),
    "403": answer(DONE, "403 Forbidden"),
    "500": answer(DONE, "500 Internal Server Error"),
    "502": answer(b"<html>502 Bad Gateway</html>", "502 Bad Gateway"),
    "503": answer(b"", "503 Service Unavailable", "Retry-After: 0"),
}


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_an_answer_that_proves_nothing_is_unknown_and_the_call_is_not_sent_again(
    kind: str, tmp_path: Path
) -> None:
    with RawServer([BAD_ANSWERS[kind]]) as server, client_of(server.url, tmp_path, timeout_s=0.5) as client:
        answered = client.send(CALL)
        assert [action.effect for action in answered.actions] == [Effect.UNKNOWN] * 2
        assert (client.counts.sent, client.counts.throttled) == (1, 0)
        wait_for(lambda: bool(server.received))
    assert len(server.received) == 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew(tmp_path: Path) -> None:
    closed: list[socket.socket] = []

    def answer_and_close(sock: socket.socket) -> None:
        answer(DONE, "200 OK", "Connection: keep-alive")(sock)
        sock.shutdown(socket.SHUT_RDWR)
        closed.append(sock)

    with RawServer([answer_and_close]) as server, client_of(server.url, tmp_path) as client:
        for number in range(1, 6):
            assert effects(client, TAG) == [Effect.DONE]
            wait_for(lambda number=number: len(closed) == number)
    assert (len(server.received), server.connections) == (5, 5)


def test_a_slow_answer_within_its_time_is_an_answer(client: Sender, sandbox: Sandbox) -> None:
    sandbox.account.add_lead(ADDRESS)
    sandbox.set_options(latency_s=0.6)
    assert effects(client, TAG) == [Effect.DONE]
    assert len(sandbox.calls) == 1


def test_an_answer_may_take_longer_than_a_connection(tmp_path: Path) -> None:
    # Connecting is bounded by 10 s whatever timeout_s is; here only the answer takes its time.
    def slowly(sock: socket.socket) -> None:
        time.sleep(0.8)
        answer(DONE)(sock)

    with RawServer([slowly]) as server:
        with client_of(server.url, tmp_path, timeout_s=0.3) as client:
            assert effects(client, TAG) == [Effect.UNKNOWN]
        with client_of(server.url, tmp_path, timeout_s=5) as client:
            assert effects(client, TAG) == [Effect.DONE]
    assert len(server.received) == 2


# --- 429


def test_a_429_is_waited_out_and_the_call_is_sent_again(tmp_path: Path) -> None:
    refused = answer(b"Too many requests", "429 Too Many Requests")
    with RawServer([refused, answer(DONE)]) as server, client_of(server.url, tmp_path) as client:
        assert effects(client, TAG) == [Effect.DONE]
        assert (client.counts.sent, client.counts.throttled) == (2, 1)
    first, second = server.received
    assert second.at - first.at >= 1.0
    assert first.body == second.body


def test_after_a_429_its_call_waits_and_the_others_go_on(
    client: Sender, sandbox: Sandbox, account: Account
) -> None:
    account.add_lead(ADDRESS)
    sandbox.set_faults(Faults(throttle=1.0, to_call=1))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.send, TAG)
        wait_for(lambda: client.counts.throttled == 1)
        others = [pool.submit(client.send, Call((commands.assign_tag("VIP"),), TAG.lead)) for _ in range(3)]
        assert [call.result().effect for call in (first, *others)] == [Effect.DONE] * 4
    refused, *later = sandbox.calls
    assert len(later) == 4
    assert max(call.at for call in later) - refused.at >= 1.0
    assert min(call.at for call in later) - refused.at < max(call.at for call in later) - refused.at - 0.3


def test_a_call_that_is_given_up_while_it_waits_was_not_executed(tmp_path: Path) -> None:
    refused = answer(b"", "429 Too Many Requests")
    with RawServer([refused]) as server:
        stop = lambda: bool(server.received)  # noqa: E731
        with client_of(server.url, tmp_path, given_up=stop) as client:
            assert effects(client) == [Effect.RETRY_LATER] * 2
    assert len(server.received) == 1


# --- reading


def test_a_read_is_tried_again_until_an_answer_comes(tmp_path: Path) -> None:
    tags = json.dumps({"status": "Success", "account_tags": ["VIP"]}).encode()
    replies = [answer(b"", "502 Bad Gateway"), part(b""), answer(tags)]
    with RawServer(replies) as server, client_of(server.url, tmp_path) as client:
        answered = client.read(Call((commands.retrieve_account_tags(),)))
    assert (answered.body["account_tags"], len(server.received)) == (["VIP"], 3)


def test_a_read_that_is_given_up_says_what_could_not_be_read(tmp_path: Path) -> None:
    with RawServer([answer(b"", "502 Bad Gateway")]) as server:
        stop = lambda: bool(server.received)  # noqa: E731
        with (
            client_of(server.url, tmp_path, given_up=stop) as client,
            pytest.raises(
                RetryableApiError, match=r"^Kartra gave no usable answer to retrieve_custom_fields"
            ),
        ):
            client.inventory(Call((commands.retrieve_custom_fields(),)))
    assert len(server.received) == 1


def test_a_profile_is_read_or_there_is_a_reason(client: Sender, account: Account) -> None:
    lead = account.add_lead(ADDRESS, city="Lyon")
    account.add_lead("gone@example.org").deleted = True
    read = profile_of(client.read(get_lead(email=ADDRESS)))
    assert read.profile is not None
    assert (read.profile.id, read.profile.fields["city"], read.type) == (lead.id, "Lyon", None)
    assert profile_of(client.read(get_lead(email="nobody@example.org"))) == ProfileRead(None, "234")
    assert profile_of(client.read(get_lead(email="gone@example.org"))) == ProfileRead(None, "245")
    assert (client.counts.sent, client.counts.read_back) == (3, 3)


def test_credentials_that_are_refused_stop_after_one_call(sandbox: Sandbox, tmp_path: Path) -> None:
    with (
        client_of(sandbox.url, tmp_path) as client,
        pytest.raises(FatalApiError, match=r"^Kartra: .*\(239\)") as refusal,
    ):
        client.inventory(Call((commands.retrieve_account_tags(),)))
    assert (refusal.value.type, len(sandbox.calls)) == ("239", 1)


# --- credentials and certificates


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The certificate of a server nobody vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_certificate_nobody_vouches_for_stops_the_run_and_nothing_is_sent(
    untrusted: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with (
        RawServer([answer(DONE)], untrusted) as server,
        client_of(server.url, tmp_path) as client,
        pytest.raises(FatalApiError) as refusal,
    ):
        client.send(CALL)
    message = str(refusal.value)
    assert message.startswith("the TLS certificate of 127.0.0.1 cannot be verified (self")
    assert message.endswith(
        "nothing was sent. Is a proxy or firewall of your company in between? Then name the file with the"
        " certificate of its authority in REQUESTS_CA_BUNDLE"
    )
    assert (server.connections, server.received) == (1, [])
    assert private_in("".join(traceback.format_exception(refusal.value))) == []


def test_a_server_that_speaks_no_tls_gets_no_credential(tmp_path: Path) -> None:
    with RawServer([answer(DONE)]) as server:
        url = server.url.replace("http://", "https://")
        with client_of(url, tmp_path, timeout_s=1) as client:
            assert Effect.DONE not in effects(client)
    assert server.received == []


def private_in(text: str) -> list[str]:
    return [word for word in (*SECRETS, ADDRESS, ADDRESS.replace("@", "%40")) if word in text]


@pytest.mark.parametrize("kind", ["done", "429", *BAD_ANSWERS])
def test_nothing_private_is_logged_at_any_level(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = {"done": answer(DONE), "429": answer(b"", "429 Too Many Requests")}.get(
        kind, BAD_ANSWERS.get(kind)
    )
    assert reply is not None
    with RawServer([reply]) as server:
        stop = lambda: bool(server.received)  # noqa: E731
        with client_of(server.url, tmp_path, timeout_s=0.3, given_up=stop) as client:
            client.send(TAG)
            assert private_in(repr(client) + repr(client.counts)) == []
    assert caplog.records
    assert private_in(" ".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)) == []


def test_credentials_do_not_show_themselves() -> None:
    assert private_in(repr(Credentials(*SECRETS))) == []
