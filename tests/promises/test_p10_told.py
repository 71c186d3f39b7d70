"""P10: people hear once when a pipeline begins to fail or does not run, and once when it works again."""

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from connectors.kartra.sandbox import Sandbox
from pipelines.state.clock import instant
from pipelines.state.health import Health
from pipelines.verbs.notices import Attempt, next_notice
from tests.conftest import Project, contact
from tests.heard import Heard, telling

ALL = ("failed", "stopped", "partial", "recovered", "late")
NIGHT = instant("2026-11-28T02:00:00+00:00")

TOLD = """
notify: {to: ["${ALERT_URL}"], ping: "${PING_URL}"}
metrics: kartra.prom
"""


class Inbox:
    """A mail server and what it received."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._server = Controller(self, hostname="127.0.0.1", port=free_port())

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self._received.append(envelope.content)
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self._server.port}?from=sync@example.org&to=boss@example.org"

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(each, policy=default) for each in self._received]

    def __enter__(self) -> "Inbox":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        yield inbox


@pytest.fixture
def told(project: Project, sandbox: Sandbox, heard: Heard) -> Project:
    """A pipeline that tells a webhook and a heartbeat service."""
    return telling(project, heard, TOLD)


@pytest.fixture
def sandbox(project: Project) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        project.aim(sandbox)
        yield sandbox


def test_p10_five_failing_nights_a_missed_one_and_a_recovery_are_two_notices_on_every_channel(
    told: Project, heard: Heard, inbox: Inbox
) -> None:
    told.environ["MAIL_URL"] = inbox.url
    file = told.folder / "p.yaml"
    file.write_text(file.read_text().replace('["${ALERT_URL}"]', '["${ALERT_URL}", "${MAIL_URL}"]'))
    assert told.run().code == 0
    (told.folder / "contacts.csv").rename(told.folder / "away.csv")
    assert [told.run().code for _ in range(5)] == [1] * 5
    assert heard.titles == ["kartra-sync: newsletter has failed"]
    late = told.command("status", "p.yaml", "--max-age", "0s", "--notify")
    assert (late.code, heard.titles[1:]) == (1, [])  # it is known already that the pipeline is in trouble
    (told.folder / "away.csv").rename(told.folder / "contacts.csv")
    assert told.run().code == 0
    assert heard.titles[1:] == ["kartra-sync: newsletter works again"]
    assert "failed 5 times" in heard.bodies[1]["message"]
    runs = told.command("runs", "p.yaml", "--json").json
    assert [run["status"] for run in runs["runs"]] == ["succeeded", *["failed"] * 5, "succeeded"]
    assert [str(mail["Subject"]) for mail in inbox.mails] == heard.titles


def test_p10_a_night_that_did_not_take_place_is_told_once(told: Project, heard: Heard) -> None:
    assert told.run().code == 0
    checked = [told.command("status", "p.yaml", "--max-age", "0s", "--notify").code for _ in range(3)]
    assert (checked, heard.titles) == ([1, 1, 1], ["kartra-sync: newsletter is late"])
    assert (
        told.command("status", "p.yaml", "--max-age", "26h", "--json").json["pipelines"][0]["is_late"]
        is False
    )
    assert told.run().code == 0
    assert heard.titles[1:] == ["kartra-sync: newsletter works again"]


def test_p10_without_a_good_run_a_pipeline_is_late(told: Project) -> None:
    done = told.command("status", "p.yaml", "--max-age", "26h")
    assert (done.code, "late: no run has ended well yet" in done.stdout) == (1, True)


def test_p10_a_broken_channel_fails_no_run_and_its_notice_goes_with_the_next(
    told: Project, heard: Heard
) -> None:
    heard.status = 500
    (told.folder / "contacts.csv").rename(told.folder / "away.csv")
    assert told.run().code == 1
    broken = told.run()
    assert (broken.code, broken.stderr.count("could not be delivered by json://…")) == (1, 1)
    assert heard.bodies == []
    heard.status = 200
    (told.folder / "away.csv").rename(told.folder / "contacts.csv")
    assert told.run().code == 0
    (notice,) = heard.bodies
    assert notice["title"] == "kartra-sync: newsletter works again"
    assert "has failed" in notice["message"]
    assert told.run().code == 0
    assert len(heard.bodies) == 1


def test_p10_a_saved_plan_that_fails_as_it_is_applied_is_told_and_one_that_is_refused_is_not(
    told: Project, heard: Heard
) -> None:
    plan = told.command("plan", "p.yaml", "--save", "--json").json["plan_id"]
    refused = told.command("apply", "p.yaml", "20200101-000000", "--yes")
    assert (refused.code, heard.paths) == (2, ["/beat/start"])  # who asked for it hears that
    (told.folder / "contacts.csv").rename(told.folder / "away.csv")
    failed = told.command("apply", "p.yaml", plan, "--yes")
    assert (failed.code, heard.titles) == (1, ["kartra-sync: newsletter has failed"])
    (told.folder / "away.csv").rename(told.folder / "contacts.csv")
    assert told.command("apply", "p.yaml", plan, "--yes").code == 0
    assert heard.titles[1:] == ["kartra-sync: newsletter works again"]
    assert told.command("apply", "p.yaml", plan, "--yes").code == 6  # applied already
    assert len(heard.titles) == 2


def test_p10_a_heartbeat_hears_of_start_success_and_failure(told: Project, heard: Heard) -> None:
    told.run()
    (told.folder / "contacts.csv").unlink()
    told.run()
    beats = [path for path in heard.paths if path.startswith("/beat")]
    assert beats == ["/beat/start", "/beat", "/beat/start", "/beat/fail"]


def test_p10_figures_for_prometheus_are_replaced_at_each_end(told: Project) -> None:
    told.run()
    first = figures_of(told.folder / "kartra.prom")
    assert first["kartra_sync_last_run_leads", "created"] == 2
    assert first["kartra_sync_last_run_status", "succeeded"] == 1
    told.run()
    second = figures_of(told.folder / "kartra.prom")
    assert second["kartra_sync_last_run_leads", "unchanged"] == 2
    assert (
        second["kartra_sync_last_good_run_timestamp_seconds", ""]
        >= first["kartra_sync_last_good_run_timestamp_seconds", ""]
    )
    (told.folder / "contacts.csv").unlink()
    told.run()
    third = figures_of(told.folder / "kartra.prom")
    assert third["kartra_sync_last_run_status", "failed"] == 1
    assert ("kartra_sync_last_run_leads", "created") not in third


def test_p10_a_collector_of_open_telemetry_gets_them_too(told: Project, heard: Heard) -> None:
    told.environ["OTLP_URL"] = f"http://{heard.url}/v1/metrics"
    file = told.folder / "p.yaml"
    file.write_text(file.read_text().replace("metrics: kartra.prom", 'metrics: {otlp: "${OTLP_URL}"}'))
    done = told.run()
    assert done.code == 0
    assert heard.paths.count("/v1/metrics") >= 1, done.stderr


def test_p10_mail_says_what_happened_and_what_to_do_and_names_nobody(told: Project, inbox: Inbox) -> None:
    told.environ["ALERT_URL"] = inbox.url
    told.contacts([contact(0), {**contact(1), "Email": "ben at example.org"}])
    assert told.run().code == 3
    (mail,) = inbox.mails
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert str(mail["Subject"]) == "kartra-sync: newsletter is done, some leads were refused"
    assert "kartra-sync rejects p.yaml" in body.get_content()
    assert "ben at" not in body.get_content()


def test_p10_a_missing_library_is_said_by_check_and_fails_no_run(told: Project) -> None:
    told.environ["PYTHONPATH"] = str(told.folder / "without")
    (told.folder / "without").mkdir()
    (told.folder / "without" / "apprise.py").write_text("raise ImportError('not here')\n")
    (told.folder / "contacts.csv").unlink()
    done = told.run()
    assert (done.code, "pip install 'kartra-sync[notify]'" in done.stderr) == (1, True)
    told.contacts([contact(0)])
    checked = told.command("check", "p.yaml")
    assert (checked.code, "pip install 'kartra-sync[notify]'" in checked.stdout + checked.stderr) == (2, True)


def test_p10_an_address_that_holds_a_secret_does_not_stand_in_the_file(told: Project) -> None:
    file = told.folder / "p.yaml"
    file.write_text(file.read_text().replace("${ALERT_URL}", "slack://token/of/mine"))
    done = told.command("check", "p.yaml")
    assert (done.code, "write ${NAME}" in done.stdout + done.stderr) == (2, True)
    assert "token/of" not in done.stdout + done.stderr


WORDS = st.sampled_from(
    ["ann@example.org", "lee", "x@y.co.uk,", "<ann.lee@mail.example.net>", "502", "\n", "("]
)
STATUS = st.sampled_from(["succeeded", "partial", "failed", "refused", "interrupted", "late"])


@given(st.lists(st.tuples(STATUS, st.lists(WORDS).map(" ".join)), max_size=20))
def test_p10_no_order_of_nights_tells_twice_or_names_a_person(nights: list[tuple[str, str]]) -> None:
    health: Health | None = None
    last = "ok"
    for status, message in nights:
        before = health
        attempt = Attempt("newsletter", "p.yaml", status, message, account="acme")
        health, notice = next_notice(before, attempt, NIGHT, ALL)
        if notice is not None:
            assert "@example" not in notice.text.replace("***@e***", "")
            assert "\n" not in notice.title
            assert health is not None
            assert health.state != last
        last = health.state if health is not None else last


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def figures_of(path: Path) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("status") or sample.labels.get("kind") or ""): sample.value
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
        for sample in family.samples
    }
