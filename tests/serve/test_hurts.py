"""Bad moments of the page: files that change, servers that end, double clicks, states that are damaged."""

import signal
import socket

import pytest
import requests

from connectors.kartra.sandbox import Sandbox, SandboxOptions
from tests.conftest import Project, contact
from tests.heard import Heard
from tests.serve.served import LOAD, Served, account, csrf_in, eventful, sandboxed, served, wait_for

PAGE = "/p/newsletter"


def approve(site: Served, session: requests.Session, plan: str, **more: str) -> requests.Response:
    page = f"{site.origin}{PAGE}/plans/{plan}"
    data = {"csrf": csrf_in(session.get(page).text), "agreed": "yes", **more}
    return session.post(f"{page}/apply", data=data)


def end_of(site: Served, session: requests.Session) -> str:
    """What the page says once nothing runs any more."""
    page = f"{site.origin}{PAGE}/progress"
    wait_for(lambda: 'data-running="no"' in session.get(page).text)
    return session.get(page).text


def test_a_file_that_has_changed_since_the_server_began_is_not_sent(project: Project) -> None:
    with sandboxed(project) as sandbox:
        plan = eventful(project)
        before = len(sandbox.account.leads)
        with served(project) as site:
            session = site.enter()
            path = project.folder / "p.yaml"
            path.write_text(path.read_text().replace("tags: [Imported,", "tags: [VIP,"))
            assert approve(site, session, plan).status_code == 200
            assert "no longer holds: the mapping has moved" in end_of(site, session)
        assert len(sandbox.account.leads) == before


def test_a_plan_that_fails_when_nobody_looks_is_told(project: Project, heard: Heard) -> None:
    with sandboxed(project):
        project.environ["ALERT_URL"] = f"json://{heard.url}/hook"
        plan = eventful(project)
        path = project.folder / "p.yaml"
        path.write_text(path.read_text() + 'notify: {to: ["${ALERT_URL}"]}\n')
        (project.folder / "contacts.csv").unlink()
        with served(project) as site:
            session = site.enter()
            assert approve(site, session, plan).status_code == 200
            end_of(site, session)
    assert heard.titles == ["kartra-sync: newsletter has failed"]


@pytest.mark.full
def test_a_file_that_cannot_be_read_any_more_is_told(project: Project) -> None:
    with sandboxed(project):
        plan = eventful(project)
        with served(project) as site:
            session = site.enter()
            (project.folder / "p.yaml").write_text("pipeline: [")
            refused = approve(site, session, plan)
    assert (refused.status_code, "p.yaml:1" in refused.text) == (404, True)


def test_a_guard_holds_unless_the_person_says_otherwise(project: Project) -> None:
    with sandboxed(project) as sandbox:
        project.pipeline(f"{LOAD}guards: {{max_triggered: 1}}\n")
        project.contacts([{**contact(number), "Tags": ""} for number in range(3)])
        planned = project.command("plan", "p.yaml", "--save", "--json")
        plan = str(planned.json["plan_id"])
        with served(project) as site:
            session = site.enter()
            approve(site, session, plan)
            assert "max_triggered" in end_of(site, session)
            assert not sandbox.account.leads
            approve(site, session, plan, many="yes")
            assert "What it did" in end_of(site, session)
        assert len(sandbox.account.leads) == 3


def test_a_double_click_sends_once_and_a_stop_leaves_the_rest_for_later(project: Project) -> None:
    with Sandbox(account(), SandboxOptions(latency_s=0.1)) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD)
        project.contacts([{**contact(number), "Tags": ""} for number in range(40)])
        plan = str(project.command("plan", "p.yaml", "--save", "--json").json["plan_id"])
        with served(project) as site:
            session = site.enter()
            assert approve(site, session, plan).status_code == 200
            assert approve(site, session, plan).status_code == 409
            wait_for(lambda: sandbox.account.leads)
            token = csrf_in(session.get(f"{site.origin}{PAGE}/progress").text)
            session.post(f"{site.origin}{PAGE}/stop", data={"csrf": token})
            assert "interrupted" in end_of(site, session)
            assert 0 < len(sandbox.account.leads) < 40
            approve(site, session, plan)
            assert "succeeded" in end_of(site, session)
        created = [call for call in sandbox.calls if "create_lead" in call.commands and call.executed]
        assert (len(created), len(sandbox.account.leads)) == (40, 40)


def test_a_server_that_is_ended_settles_its_calls_and_the_command_goes_on(project: Project) -> None:
    with Sandbox(account(), SandboxOptions(latency_s=0.1)) as sandbox:
        project.aim(sandbox)
        project.pipeline(LOAD)
        project.contacts([{**contact(number), "Tags": ""} for number in range(40)])
        plan = str(project.command("plan", "p.yaml", "--save", "--json").json["plan_id"])
        with served(project) as site:
            approve(site, site.enter(), plan)
            wait_for(lambda: sandbox.account.leads)
        (last, *_) = project.command("runs", "p.yaml", "--json").json["runs"]
        assert last["status"] == "interrupted"
        assert project.command("apply", "p.yaml", plan).code == 0
        created = [call for call in sandbox.calls if "create_lead" in call.commands and call.executed]
        assert (len(created), len(sandbox.account.leads)) == (40, 40)


@pytest.mark.full
def test_a_damaged_state_is_told_and_another_pipeline_goes_on(project: Project) -> None:
    with sandboxed(project):
        eventful(project)
        text = (project.folder / "p.yaml").read_text()
        (project.folder / "q.yaml").write_text(
            "state: broken.db\n" + text.replace("pipeline: newsletter", "pipeline: other")
        )
        (project.folder / "broken.db").write_bytes(b"no database at all" * 1000)
        with served(project, "p.yaml", "q.yaml") as site:
            session = site.enter()
            front = session.get(site.origin)
            assert (front.status_code, "broken.db" in front.text) == (200, True)
            told = session.get(f"{site.origin}/p/other")
            assert (told.status_code, "broken.db" in told.text) == (503, True)
            assert session.get(f"{site.origin}{PAGE}").status_code == 200


def test_what_was_searched_for_is_words_and_no_page(project: Project) -> None:
    with sandboxed(project):
        eventful(project)
        with served(project) as site:
            session = site.enter()
            words = '"><script>alert(1)</script>'
            found = session.get(f"{site.origin}{PAGE}/runs", params={"words": words})
            assert "<script>alert" not in found.text
            assert "No run has these words" in found.text
            part = session.get(f"{site.origin}{PAGE}/runs", params={"words": "PARTIAL"})
            assert "The last runs" in part.text
            wrong = session.get(f"{site.origin}{PAGE}/runs/{'x' * 300}")
            assert wrong.status_code == 404


def test_other_addresses_of_this_machine_are_not_listened_to(project: Project) -> None:
    project.environ["KARTRA_URL"] = "http://127.0.0.1:9/api"
    project.pipeline(LOAD)
    with served(project) as site, pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", int(site.host.rpartition(":")[2])), timeout=10)


@pytest.mark.full
def test_the_end_is_the_signals_and_a_port_in_use_is_told(project: Project) -> None:
    project.environ["KARTRA_URL"] = "http://127.0.0.1:9/api"
    project.pipeline(LOAD)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = project.command("serve", "p.yaml", "--port", port)
    assert (refused.code, port in refused.stderr) == (2, True)
    process = project.start("serve", "p.yaml", "--port", "0", "--json")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "{"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 130)
