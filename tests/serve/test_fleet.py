"""The page of a fleet: many accounts behind one door, and nothing of one account in another."""

import re
from pathlib import Path

from tests.conftest import Project
from tests.fleet.fleets import Agency, agency
from tests.serve.served import Served, csrf_in, served, wait_for


def plan_of(made: Agency, account: str) -> str:
    planned = made.project.command("plan", f"agency.yaml@{account}/welcome", "--save", "--json")
    assert planned.code == 0, planned.stderr
    return str(planned.json["plan_id"])


def test_accounts_stand_side_by_side_and_a_wrong_one_costs_the_others_nothing(project: Project) -> None:
    with agency(project, ["acme", "bolt", "dead"]) as (made, _):
        made.rows[2]["api_key"] = ""
        made.write_accounts()
        made.command("run", "--account", "acme")
        with served(project, "agency.yaml") as site:
            text = site.enter().get(site.origin).text
    assert re.findall(r'href="/p/([a-z.]+)"', text) == ["acme.welcome", "bolt.welcome"]
    assert "dead runs nothing" in text
    assert "never run" in text


def test_what_is_done_for_one_account_is_done_for_no_other(project: Project) -> None:
    with agency(project, ["acme", "bolt"]) as (made, _):
        plans = {name: plan_of(made, name) for name in ("acme", "bolt")}
        with served(project, "agency.yaml") as site:
            session = site.enter()
            pages = {name: f"{site.origin}/p/{name}.welcome" for name in plans}
            token = csrf_in(session.get(pages["acme"]).text)
            assert "p0.acme@example.org" not in session.get(f"{pages['acme']}/plans/{plans['acme']}").text
            session.post(f"{pages['acme']}/show", data={"csrf": token})
            assert "p0.acme@example.org" in session.get(f"{pages['acme']}/plans/{plans['acme']}").text
            assert "example.org" not in session.get(f"{pages['bolt']}/plans/{plans['bolt']}").text
            assert session.get(f"{pages['bolt']}/plans/{plans['acme']}").status_code == 404
            crossed = f"{pages['bolt']}/plans/{plans['acme']}/apply"
            assert session.post(crossed, data={"csrf": token, "agreed": "yes"}).status_code == 404
            apply = f"{pages['acme']}/plans/{plans['acme']}/apply"
            assert session.post(apply, data={"csrf": token, "agreed": "yes"}).status_code == 200
            wait_for(lambda: "What it did" in session.get(f"{pages['acme']}/progress").text)
            assert "Nothing runs now" in session.get(f"{pages['bolt']}/progress").text
            assert "approved" not in session.get(f"{pages['bolt']}/asked").text
            assert "approved the plan" in session.get(f"{pages['acme']}/asked").text
            shown_to_type(session.get(f"{pages['acme']}/plans").text, made)
        assert {name: len(leads) for name, leads in made.leads().items()} == {"acme": 3, "bolt": 0}


def shown_to_type(text: str, made: Agency) -> None:
    """The commands on the page are of this account."""
    named = f"{made.folder / 'agency.yaml'}@acme/welcome"
    assert f"kartra-sync plan {named} --save" in text
    assert made.project.command("plan", named, "--json").code == 0


def test_the_name_of_an_account_is_no_path(project: Project, tmp_path: Path) -> None:
    project.environ["KARTRA_URL"] = "http://127.0.0.1:9/api"
    project.pipeline(
        "source: {csv: contacts.csv}\nkey: email\nfields: {email: Email}\nconsent: {attested: form}",
        kartra='account: "../../escaped <b>"',
    )
    with served(project) as site:
        ask(site)
    assert [path.name for path in tmp_path.glob(".*.jsonl")] == [".__.._escaped__b_.newsletter.asked.jsonl"]
    assert not list(tmp_path.parent.glob(".*.jsonl"))


def ask(site: Served) -> None:
    session = site.enter()
    page = session.get(f"{site.origin}/p/newsletter")
    assert "<b>" not in page.text
    asked = session.post(f"{site.origin}/p/newsletter/show", data={"csrf": csrf_in(page.text)})
    assert asked.status_code == 200
