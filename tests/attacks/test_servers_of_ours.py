"""Servers that we send to and that attack: Kartra's place taken, a heartbeat, a collector, a channel."""

import gzip
import os
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from connectors.kartra.answers import classify
from connectors.kartra.commands import get_lead
from connectors.kartra.transport import NoReplyError, NotSentError, Transport
from pipelines.config.notify import NotifyConfig
from pipelines.verbs import channels, metrics
from pipelines.verbs.notices import Attempt, next_notice
from tests.attacks.bounded import said_by
from tests.attacks.table import Probe, observe, probes_of
from tests.attacks.test_urls import CHUNKED, OK, endless, packed, raw, redirect, trickle
from tests.promises.test_p10_told import NIGHT
from tests.raw_server import RawServer, Reply, answer, part

LEAD = b'{"status":"Success","lead_details":{"id":"1","email":"ann@example.org"}}'


def dated(date: str) -> Reply:
    return answer(LEAD, "200 OK", f"Date: {date}")


REPLIES: dict[str, Reply] = {
    "kartra-date-of-20-digits": dated(f"Tue, 01 Jan {'9' * 20} 00:00:00 GMT"),
    "kartra-date-zone": dated(f"Tue, 01 Jan 2026 00:00:00 +{'9' * 20}"),
    "kartra-date-9999": dated("Fri, 31 Dec 9999 23:59:59 -2359"),
    "kartra-date-0001": dated("Mon, 01 Jan 0001 00:00:00 +0000"),
    "kartra-date-long": dated("9" * 5_000),
    "kartra-date-colons": dated("Mon, 1 Jan 2026 ::::"),
    "kartra-date-hour": dated(f"Tue, 01 Jan 2026 {'9' * 20}:00:00 GMT"),
    "kartra-204": raw("HTTP/1.1 204 No Content"),
    "kartra-304": raw("HTTP/1.1 304 Not Modified"),
    "kartra-302": redirect("http://127.0.0.1:1/"),
    "kartra-307": raw("HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0"),
    "kartra-000": raw("HTTP/1.1 000 x"),
    "kartra-0.9": part(LEAD),
    "kartra-packed-br": packed("br", b"abcde"),
    "kartra-packed-bomb": lambda sock: packed("gzip", gzip.compress(bytes(70_000_000), 1))(sock),
    "kartra-packed-cut": packed("gzip", gzip.compress(LEAD)[:-12]),
    "kartra-packed-not": packed("gzip", LEAD),
    "kartra-length-two": raw(f"{OK}Content-Length: 5\r\nContent-Length: 9", LEAD),
    "kartra-length-short": raw(f"{OK}Content-Length: 10", LEAD),
    "kartra-length-long": raw(f"{OK}Content-Length: 1000", LEAD),
    "kartra-chunk-of-a-word": raw(f"{OK}{CHUNKED}", b"zz\r\n"),
    "kartra-chunk-negative": raw(f"{OK}{CHUNKED}", b"-5\r\nabcde\r\n0\r\n\r\n"),
    "kartra-chunk-word-endless": endless(f"{OK}{CHUNKED}\r\n\r\n5;".encode()),
    "kartra-trailer-endless": endless(f"{OK}{CHUNKED}\r\n\r\n1\r\nx\r\n0\r\nX: ".encode()),
    "kartra-header-endless": endless(f"{OK}X: ".encode()),
    "kartra-headers-many": raw(OK + "\r\n".join(f"X-{n}: y" for n in range(5_000))),
    "kartra-continue-endless": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "kartra-body-endless": endless(f"{OK}Content-Length: 99999999999\r\n\r\n".encode()),
    "kartra-trickles-headers": trickle(f"{OK}X: ".encode()),
}
ANSWERS = probes_of("test_an_answer_over_http_that_attacks_has_an_end")


def posted(url: str, timeout_s: float) -> str:
    transport = Transport(url, timeout_s=timeout_s, connections=1)
    try:
        reply = transport.post(transport.prepare("a=b"), lambda: None)
    except (NoReplyError, NotSentError) as error:
        return f"{type(error).__name__}: {error}"
    is_dated = "a clock" if reply.clock_offset_s is not None else "no clock"
    return (
        f"{reply.status}, {classify(get_lead(email='a@b.org'), reply.status, reply.body).effect}, {is_dated}"
    )


@pytest.mark.parametrize("one", ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer_over_http_that_attacks_has_an_end(one: Probe) -> None:
    never_ends = one.id.endswith(("-endless", "-trickles-headers"))
    with RawServer([REPLIES[one.id]]) as server:
        said = said_by(lambda: posted(server.url, 1 if never_ends else 30))
    assert "BUG" not in said
    assert one.expected in said
    # A busy machine is at the end of its time before it is at a bound.
    observe(one.id, "ok: NoReplyError" if "NoReplyError" in said else said)


def test_every_reply_of_kartras_is_in_the_table() -> None:
    assert sorted(ANSWERS) == sorted(REPLIES)


# --- heartbeats, figures and notices

PINGED: dict[str, Reply] = {
    "ping-redirect-endless": endless(
        b"HTTP/1.1 302 x\r\nLocation: http://169.254.169.254/\r\nContent-Length: 99999999999\r\n\r\n"
    ),
    "ping-body-endless": endless(f"{OK}Content-Length: 99999999999\r\n\r\n".encode()),
    "ping-redirect-brackets": redirect("http://[::1"),
    "ping-trickles-headers": trickle(f"{OK}X: ".encode()),
    "ping-not-http": part(b"SSH-2.0-OpenSSH_9.0\r\n\r\n"),
}
PINGS = probes_of("test_a_heartbeat_keeps_no_run_waiting")


@pytest.mark.parametrize("one", PINGS.values(), ids=list(PINGS))
def test_a_heartbeat_keeps_no_run_waiting(
    one: Probe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(channels, "PING_WAIT_S", 1.0)
    with RawServer([PINGED[one.id]]) as server:
        address = SecretStr(server.url.replace("//", "//ann:hunter2@", 1) + "?token=hunter2")
        channels.ping(NotifyConfig(ping=address), "")
        assert len(server.received) == 1
    said = " ".join(record.getMessage() for record in caplog.records) or "nothing"
    assert one.expected in said
    assert "hunter2" not in said
    observe(one.id, said)


def figures(path: Path, account: str) -> None:
    config = SimpleNamespace(pipeline="p", account=account)
    settings = SimpleNamespace(file=path, otlp=None)
    metrics.write_metrics(cast(Any, config), cast(Any, settings), "succeeded", None, None)


def test_figures_are_read_by_others_and_written_by_none(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".kartra.prom.part", f"kartra.prom.{os.getpid()}.{threading.get_ident()}"):
        (tmp_path / name).symlink_to(victim)
    old = os.umask(0)
    try:
        figures(tmp_path / "kartra.prom", "acme")
    finally:
        os.umask(old)
    mode = stat.S_IMODE((tmp_path / "kartra.prom").stat().st_mode)
    assert (mode, victim.read_text()) == (0o644, "precious")
    observe("metrics-mode", f"{mode:04o}")
    observe("metrics-planted-link", f"what it points to holds {victim.read_text()!r} as before")


def test_a_label_of_figures_is_one_label(tmp_path: Path) -> None:
    account = 'a"} 1\nkartra_sync_up{x="\\\x1b[2J\u202e\r'
    figures(tmp_path / "kartra.prom", account)
    text = (tmp_path / "kartra.prom").read_text("utf-8")
    assert not {"\x1b", "\u202e", "\r"}.intersection(text)
    found = {family.name for family in text_string_to_metric_families(text)}
    assert {name for name in found if "up" in name} == set()
    observe(
        "metrics-label", next(line for line in text.splitlines() if "account" in line).partition(",pipe")[0]
    )


@pytest.mark.parametrize("one", probes_of("test_a_notice_shows_what_was_said_and_obeys_none_of_it").values())
def test_a_notice_shows_what_was_said_and_obeys_none_of_it(one: Probe) -> None:
    text = one.probe.encode().decode("unicode_escape") if one.probe.isascii() else one.probe
    text = text * (100_000 if one.id == "notice-long" else 1)
    attempt = Attempt("p", "p.yaml", "failed", text, account="acme")
    _, notice = next_notice(None, attempt, NIGHT, ("failed",))
    assert notice is not None
    assert not {"\x1b", "\u202e", "\x00", "\r"}.intersection(notice.text)
    assert len(notice.text) < 5_000
    assert one.expected in notice.body
    observe(one.id, notice.body.partition("\nkartra-sync run")[0])
