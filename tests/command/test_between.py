"""What stands between this machine and Kartra, as seen by whoever types the command: the exit code, the
sentence, and that nothing is lost and nothing done twice."""

import csv
import socket
import threading
from collections.abc import Iterator

import pytest

from connectors.kartra.sandbox import Account, Faults, Sandbox, Transaction
from connectors.kartra.sandbox.account import est_now, est_text
from tests.between import URL, Authority, Between, aimed_through, authority, of_a_company
from tests.conftest import PIPELINE, Project
from tests.raw_server import RawServer, answer

BUG = 70
LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [Imported]
lists: [News]
points: 10
consent: {attested: sign-up form}
"""
REFUNDS = """\
operations:
  source: {csv: refunds.csv}
  do: refund
  key: Order
  lead: {email: Email}
  parameters: {transaction: Transaction, amount: Amount}
  results: results.csv
"""
VERBS = (("run", "p.yaml"), ("check", "p.yaml"), ("call", "retrieve_account_tags"))


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("company"))


@pytest.fixture
def away(project: Project) -> Project:
    """A project with credentials of its own, aimed at an endpoint that is not on this machine."""
    project.pipeline(LOAD)
    project.contacts(people(1))
    for name in ("app_id", "api_key", "api_password"):
        project.environ[f"KARTRA_{name.upper()}"] = "hidden"
    project.environ |= {"KARTRA_URL": URL, "REQUESTS_CA_BUNDLE": "", "HTTPS_PROXY": "", "NO_PROXY": ""}
    return project


def people(count: int) -> list[dict[str, str]]:
    return [{"Email": f"ann{number}@example.org", "First": f"Ann {number}"} for number in range(count)]


# --- nothing twice


@pytest.mark.full(but=["cut_after"])
@pytest.mark.parametrize("fate", ["cut_after", "silence"])
def test_points_are_given_once_when_answers_get_lost_behind_a_proxy(
    fate: str, project: Project, account: Account, company: Authority
) -> None:
    project.pipeline(LOAD, kartra="timeout_s: 1\nsettle_s: 1")
    project.contacts(people(25))
    with (
        Sandbox(of_a_company(account), faults=Faults(**{fate: 0.2}, seed=7)) as sandbox,  # type: ignore[arg-type]
        aimed_through(project, sandbox, company) as stands,
    ):
        done = project.run()
        again = project.run()
        lost = sum(call.fault is not None for call in sandbox.calls)
        points = {lead.score for lead in sandbox.account.leads.values()}
        assert (done.code, done.json["leads"]["created"], len(sandbox.account.leads)) == (0, 25, 25)
        assert (points, again.json["calls"]["sent"]) == ({10}, 0)
        assert lost > 3
        assert done.json["calls"]["sent"] == len(sandbox.calls)
        assert {asked.split(" ")[1] for asked in stands.asked} == {"kartra.example:443"}


def test_a_refund_is_given_once_when_answers_get_lost_behind_a_proxy(
    project: Project, account: Account, company: Authority
) -> None:
    rows = []
    for number in range(12):
        lead = account.add_lead(f"buyer{number}@example.org")
        sale = account.add_transaction(Transaction(lead.id, amount="100.00", date=est_text(est_now())))
        rows.append({"Order": f"o{number}", "Email": lead.email, "Transaction": sale.id, "Amount": "12.50"})
    project.contacts(rows, name="refunds.csv")
    (project.folder / "p.yaml").write_text(f"{PIPELINE}  timeout_s: 1\n  settle_s: 1\n{REFUNDS}")
    with (
        Sandbox(of_a_company(account), faults=Faults(cut_after=0.3, seed=3)) as sandbox,
        aimed_through(project, sandbox, company),
    ):
        done = project.command("run", "p.yaml", "--yes")
        lost = [call for call in sandbox.calls if call.fault and "refund_transaction" in call.commands]
        given = [row.parent_id for row in sandbox.account.transactions.values() if row.parent_id != "0"]
    assert (done.code, sorted(given)) == (0, sorted(row["Transaction"] for row in rows))
    assert lost
    with (project.folder / "results.csv").open(encoding="utf-8", newline="") as handle:
        assert [line["amount"] for line in csv.DictReader(handle)] == ["12.50"] * 12


# --- who stood in the way


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.full(only=[f"{verb}-{way}" for verb in ("check", "run") for way in ("no name", "no server")])
@pytest.mark.parametrize(
    ("environ", "code", "told"),
    [
        ({"HTTPS_PROXY": "socks5h://127.0.0.1:9"}, 2, "pip install requests[socks]"),
        ({"HTTPS_PROXY": "http://user:pa ss@[bad"}, 2, "HTTPS_PROXY: not the address of a proxy"),
        ({"REQUESTS_CA_BUNDLE": "/nonexistent/corp.pem"}, 2, "/nonexistent/corp.pem is not there"),
        ({"REQUESTS_CA_BUNDLE": __file__}, 2, "holds no certificate"),
        ({"HTTPS_PROXY": "http://127.0.0.1:PORT"}, 1, "127.0.0.1:PORT (HTTPS_PROXY) refused the connection"),
        ({"KARTRA_URL": "https://kartra.invalid/api"}, 1, "the name of kartra.invalid cannot be resolved"),
        ({"KARTRA_URL": "https://127.0.0.1:PORT/api"}, 1, "127.0.0.1 refused the connection"),
    ],
    ids=["socks", "malformed", "no bundle", "no certificate", "no proxy", "no name", "no server"],
)
@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_each_verb_says_who_stood_in_the_way_and_counts_nothing_as_sent(
    words: tuple[str, ...], environ: dict[str, str], code: int, told: str, away: Project
) -> None:
    port = str(closed_port())
    away.environ |= {name: value.replace("PORT", port) for name, value in environ.items()}
    done = away.command(*words, "--json")
    assert (done.code, told.replace("PORT", port) in done.stdout + done.stderr) == (code, True)
    assert [
        word for word in ("pa ss", "Traceback", "no usable answer") if word in done.stdout + done.stderr
    ] == []
    if words[0] == "run" and code == 1:
        assert done.json["calls"]["sent"] == 0


@pytest.fixture(params=[407, 403])
def refusing(request: pytest.FixtureRequest, company: Authority) -> Iterator[tuple[Between, int]]:
    refusal = f"HTTP/1.1 {request.param} No\r\nContent-Length: 0\r\n\r\n"
    with Between(9, company, refusal.encode()) as stands:
        yield stands, request.param


def test_a_proxy_that_refuses_is_told_with_its_status(refusing: tuple[Between, int], away: Project) -> None:
    stands, status = refusing
    away.environ |= stands.environ
    done = away.run()
    assert (done.code, done.json["calls"]["sent"]) == (1, 0)
    assert f"({status})" in done.stderr or f"(HTTP {status} No)" in done.stderr


def test_a_certificate_of_an_unknown_authority_is_told_with_the_variable(
    away: Project, company: Authority
) -> None:
    with Between(9, company) as stands:
        away.environ["HTTPS_PROXY"] = stands.proxy
        done = away.run()
    assert (done.code, done.json["calls"]["sent"]) == (2, 0)
    assert "in REQUESTS_CA_BUNDLE" in done.stderr


PAGES = {
    "maintenance": (answer(b"<h1>Kartra is being maintained</h1>", "503 No"), "HTTP 503 Service Unavailable"),
    "page": (answer(b"<html>Kartra is being maintained</html>"), "HTTP 200 no JSON of Kartra's"),
}


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_instead_of_an_answer_is_told_with_its_status_and_first_words(
    kind: str, away: Project
) -> None:
    reply, told = PAGES[kind]
    with RawServer([reply]) as server:
        away.environ["KARTRA_URL"] = server.url
        for words in (("run", "p.yaml"), ("call", "retrieve_account_tags")):
            done = away.command(*words)
            assert (done.code, f'{told}, which says "Kartra is being maintained"' in done.stderr) == (1, True)


def test_credentials_of_a_sandbox_are_refused_at_any_other_address(away: Project, sandbox: Sandbox) -> None:
    away.aim(sandbox)
    away.environ["KARTRA_URL"] = URL
    done = away.run()
    assert (done.code, done.stderr.strip()) == (
        2,
        "kartra-sync: these are the credentials of a sandbox, which open nothing at Kartra: set those of your"
        " account, or the address of your sandbox as the url",
    )


def test_an_answer_that_trickles_ends_with_its_time(away: Project) -> None:
    def trickle(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            sock.sendall(b" ")
            stop.wait(0.1)

    stop = threading.Event()
    with RawServer([trickle]) as server:
        away.environ["KARTRA_URL"] = server.url
        away.pipeline(LOAD, kartra="timeout_s: 1")
        done = away.command("run", "p.yaml", timeout_s=60)
        stop.set()
    assert (done.code, len(server.received)) == (1, 5)
    assert "the last time: no whole answer within 1 s" in done.stderr


@pytest.mark.full(but=["-310.0"])
@pytest.mark.parametrize("offset_s", [-600.0, -310.0, 600.0])
def test_points_are_given_once_when_the_clocks_are_far_apart_and_an_answer_is_lost(
    offset_s: float, project: Project, account: Account
) -> None:
    project.pipeline(LOAD, kartra="timeout_s: 1\nsettle_s: 1")
    project.contacts(people(6))
    lost = Faults(cut_after=1.0, commands=frozenset({"create_lead"}), to_call=5)
    with Sandbox(account, clock_offset_s=offset_s, faults=lost) as sandbox:
        project.aim(sandbox)
        done = project.run()
        again = project.run()
        points = {lead.score for lead in sandbox.account.leads.values()}
        assert (len(sandbox.account.leads), points) == (6, {10})
        assert [call.fault for call in sandbox.calls].count("cut_after") >= 2
    assert (done.code, done.json["leads"]["created"], again.json["calls"]["sent"]) == (0, 6, 0)
    ahead = "behind" if offset_s > 0 else "ahead of"
    assert done.stderr.count(f"minutes {ahead} Kartra's: times are compared by Kartra's") == 1


def test_a_row_that_a_firewall_refuses_stops_no_other_and_says_what_it_said(
    project: Project, account: Account
) -> None:
    project.pipeline(LOAD, kartra="timeout_s: 2\nsettle_s: 1")
    project.contacts([*people(5), {"Email": "eve@example.org", "First": "<b>Eve</b>"}])
    with Sandbox(account, firewall=True) as sandbox:
        project.aim(sandbox)
        done = project.command("run", "p.yaml", "--json", "-v")
        assert len(sandbox.account.leads) == 5
    assert done.code in (0, 3)
    assert 'create_lead: HTTP 403 Forbidden, which says "403 Forbidden Request blocked."' in done.stderr
