"""parked and resolve: what waits for a person, and what they say of it."""

from connectors.kartra.error_types import error_type
from connectors.kartra.sandbox import Faults, Sandbox
from connectors.kartra.sandbox.account import Calendar
from tests.conftest import LOAD, Project, contact

CLASS = "calendars: [{name: Webinar, class: Tuesday}]"
ADDRESS = contact(0)["Email"]


def parked(project: Project, sandbox: Sandbox) -> None:
    """One lead whose class may have been booked, and one that Kartra refused for good."""
    sandbox.account.calendars["Webinar"] = Calendar(["Tuesday"])
    sandbox.account.add_lead("lead1@example.org").deleted = True
    project.pipeline(LOAD + CLASS, kartra="settle_s: 1")
    project.contacts([contact(0)])
    sandbox.set_faults(Faults(cut_after=1.0, commands=frozenset({"create_lead"})))
    assert project.run().code == 3
    sandbox.set_faults(Faults())
    project.contacts([contact(0), contact(1)])
    assert project.run().json["leads"]["rejected"] == 1


def test_parked_lists_what_waits_and_why(project: Project, sandbox: Sandbox) -> None:
    parked(project, sandbox)
    table = project.command("parked", "p.yaml")
    assert table.code == 0
    assert "l***@e***.org" in table.stdout
    assert "calendars Webinar: Tuesday" in table.stdout
    assert "Lead is deleted" in table.stdout
    assert "kartra-sync resolve p.yaml KEY --landed or --not-landed" in table.stdout
    assert "lead0" not in table.stdout + table.stderr
    shown = project.command("parked", "p.yaml", "--json", "--show").json
    assert shown["held_back"] == []
    assert [(one["key"], one["kind"], one["what"], one["type"]) for one in shown["leads"]] == [
        (ADDRESS, "unproven", "calendars Webinar: Tuesday", None),
        ("lead1@example.org", "refused", None, "245"),
    ]
    assert shown["leads"][1]["reason"] == error_type("245").explanation
    waiting = project.command("status", "p.yaml", "--json").json["pipelines"][0]["waiting"]
    assert waiting == {"unknown": 0, "parked": 1, "rejected": 1}
    assert "held back: calendars Webinar: Tuesday" in project.command("explain", "p.yaml", ADDRESS).stdout


def test_nothing_is_parked_where_nothing_ran(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    assert project.command("parked", "p.yaml").stdout == "nothing\n"
    resolved = project.command("resolve", "p.yaml", ADDRESS, "--landed")
    assert (resolved.code, resolved.stderr) == (2, "kartra-sync: newsletter: has not run yet\n")
    assert not project.state.exists()


def test_resolve_takes_a_word_and_the_next_run_goes_by_it(project: Project, sandbox: Sandbox) -> None:
    parked(project, sandbox)
    landed = project.command("resolve", "p.yaml", ADDRESS.upper(), "--landed", "--json")
    assert landed.json == {"resolved": ["calendars Webinar: Tuesday"], "landed": True, "sent_again": False}
    after = project.run()
    assert (after.json["leads"]["unchanged"], after.json["calls"]["sent"]) == (1, 0)
    assert project.command("resolve", "p.yaml", ADDRESS, "--landed").code == 2


def test_a_refused_lead_is_tried_again_on_a_persons_word(project: Project, sandbox: Sandbox) -> None:
    parked(project, sandbox)
    refused = sandbox.account.lead("lead1@example.org")
    assert refused is not None
    refused.deleted = False
    assert project.run().json["calls"]["sent"] == 0
    assert project.command("resolve", "p.yaml", "lead1@example.org", "--landed").code == 2
    told = project.command("resolve", "p.yaml", "lead1@example.org", "--not-landed")
    assert (told.code, told.stdout) == (0, "the next run sends it again\n")
    assert project.run().json["leads"]["edited"] == 1


def test_resolve_asks_for_an_answer(project: Project, sandbox: Sandbox) -> None:
    parked(project, sandbox)
    unsaid = project.command("resolve", "p.yaml", ADDRESS)
    assert (unsaid.code, "say --landed or --not-landed" in unsaid.stderr) == (2, True)


def test_resolve_waits_for_no_run(project: Project, sandbox: Sandbox) -> None:
    parked(project, sandbox)
    sandbox.set_options(latency_s=60.0)
    project.contacts([contact(0, City="Oslo"), contact(1)])
    calls = len(sandbox.calls)
    running = project.start("run", "p.yaml", "--json")
    while len(sandbox.calls) == calls:
        assert running.poll() is None
    busy = project.command("resolve", "p.yaml", ADDRESS, "--landed")
    running.kill()
    running.communicate()
    assert busy.code == 5
    assert f"in process {running.pid}" in busy.stderr
