"""drift: what somebody changed in Kartra is found, told, and decided by `load.on_drift`."""

import time
from typing import Any

import pytest

from connectors.kartra.sandbox import Account, Faults, Sandbox, SandboxLead
from tests.conftest import LOAD, Project, contact

PULL = "pull:\n  into: tables.db\n  tables: [leads]\n  refresh_after: 0s\n"


def loaded(project: Project, account: Account, on_drift: str = "report") -> SandboxLead:
    """Two contacts, loaded and settled; gives the lead of the first."""
    project.pipeline(f"{LOAD}on_drift: {on_drift}", kartra="settle_s: 1")
    project.contacts([contact(0), contact(1)])
    done = project.run()
    assert done.code == 0, done.stderr
    time.sleep(1.1)  # as long as late effects may take
    lead = account.lead("lead0@example.org")
    assert lead is not None
    return lead


def edit_by_hand(account: Account, lead: SandboxLead) -> None:
    """Everything that a person may change; Imported stays."""
    lead.tags.discard("VIP")
    lead.lists["News"] = False
    lead.fields["city"] = "Paris"
    lead.custom_fields["note"] = "other"
    account.change_address(lead, "new@example.org")


def look(project: Project, *words: str) -> Any:
    done = project.command("drift", "p.yaml", "--within", "0s", "--json", *words)
    assert done.code == 0, done.stderr
    return done.json


def told(found: Any) -> set[tuple[str, str, str]]:
    return {(one["kind"], one["name"], one["decision"]) for one in found["drift"]}


def stays(project: Project) -> None:
    """A run of the same contacts sends nothing."""
    done = project.run()
    assert (done.code, done.json["leads"]["unchanged"], done.json["calls"]["sent"]) == (0, 2, 0)


def test_nothing_drifts_where_nobody_did_anything(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    loaded(project, account)
    found = look(project)
    assert (found["looked_at"], found["complete"], found["calls"], found["leads"]) == (2, True, 2, 0)
    assert "0 are not as Kartra acknowledged them" in project.command("drift", "p.yaml").stdout


def test_what_somebody_changed_is_told_without_addresses_and_values(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    edit_by_hand(account, loaded(project, account))
    found = look(project)
    assert told(found) == {
        ("email", "", ""),
        ("fields", "city", ""),
        ("custom_fields", "note", ""),
        ("tags", "VIP", ""),
        ("lists", "News", "left"),
    }
    shown = project.command("drift", "p.yaml", "--max-calls", "0")
    assert 'tag "VIP" taken away' in shown.stdout
    assert not [word for word in ("lead0", "new@", "Paris", "Lyon") if word in shown.stdout + shown.stderr]
    assert {one["key"] for one in look(project, "--show")["drift"]} == {"lead0@example.org"}
    stays(project)


def test_a_look_asks_only_for_leads_that_were_not_looked_at_lately(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    loaded(project, account)
    first = project.command("drift", "p.yaml", "--max-calls", "1", "--json").json
    assert (first["looked_at"], first["complete"], first["calls"]) == (1, False, 1)
    second = project.command("drift", "p.yaml", "--json").json
    assert (second["looked_at"], second["complete"], second["calls"]) == (1, True, 1)
    third = project.command("drift", "p.yaml", "--json").json
    assert (third["calls"], third["fresh"]) == (0, 2)
    assert "2 were left alone" in project.command("drift", "p.yaml").stdout


def test_restore_sends_again_what_the_source_says_but_for_lists_that_were_left(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = loaded(project, account, "restore")
    edit_by_hand(account, lead)
    found = look(project)
    assert {decision for *_, decision in told(found)} == {"restore", "left"}
    assert told(look(project)) == told(found)
    planned = project.command("plan", "p.yaml", "--json").json
    assert planned["leads"]["edited"] == 1
    assert project.run().json["leads"]["edited"] == 1
    assert (lead.email, lead.fields["city"], lead.custom_fields["note"]) == (
        "lead0@example.org",
        "Lyon",
        "note, 0",
    )
    assert lead.tags == {"Imported", "VIP"}
    assert lead.lists == {"News": False}
    assert len([call for call in sandbox.calls if "subscribe_lead_to_sequence_at_step" in call.commands]) == 2
    time.sleep(1.1)
    assert told(look(project)) == {("lists", "News", "left")}
    stays(project)


def test_keep_leaves_it_also_when_the_source_changes(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = loaded(project, account, "keep")
    edit_by_hand(account, lead)
    assert {decision for *_, decision in told(look(project))} == {"keep", "left", ""}
    stays(project)
    project.contacts([contact(0, City="Rome", First="Other", Note="new"), contact(1)])
    assert project.run().json["leads"]["edited"] == 1
    assert (lead.fields["first_name"], lead.fields["city"], lead.custom_fields["note"]) == (
        "Other",
        "Paris",
        "other",
    )
    assert (lead.tags, lead.lists) == ({"Imported"}, {"News": False})


def test_a_list_that_was_left_is_not_joined_again_when_the_source_drops_and_wishes_it(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = loaded(project, account)
    lead.lists["News"] = False
    look(project)
    project.pipeline(LOAD.replace("[News]", "[Customers]"), kartra="settle_s: 1")
    assert project.run().code == 0
    project.pipeline(LOAD, kartra="settle_s: 1")
    assert project.run().code == 0
    assert lead.lists["News"] is False


def test_a_value_that_comes_back_after_it_was_restored_is_kartras_own_and_sent_once(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = loaded(project, account, "restore")
    for _ in range(3):
        lead.fields["city"] = "LYON"
        time.sleep(1.1)
        look(project)
        project.run()
    edits = [call for call in sandbox.calls if "edit_lead" in call.commands]
    assert len(edits) == 1


def test_a_deleted_lead_is_told_and_not_made_again(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    loaded(project, account, "restore").deleted = True
    assert told(look(project)) == {("lead", "deleted", "")}
    stays(project)


def test_a_pull_of_leads_looks_as_well(project: Project, sandbox: Sandbox, account: Account) -> None:
    lead = loaded(project, account, "restore")
    path = project.folder / "p.yaml"
    path.write_text(path.read_text(encoding="utf-8") + PULL, encoding="utf-8")
    edit_by_hand(account, lead)
    assert project.run().code == 0
    known = project.command("drift", "p.yaml", "--max-calls", "0", "--json").json
    assert {kind for kind, *_ in told(known)} == {"email", "fields", "custom_fields", "tags", "lists"}
    assert project.run().json["leads"]["edited"] == 1
    assert lead.tags == {"Imported", "VIP"}


def test_without_an_answer_a_look_says_so_and_keeps_what_it_knows(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = loaded(project, account)
    lead.tags.discard("VIP")
    look(project)
    sandbox.set_faults(Faults(bad_gateway_before=1.0))
    done = project.command("drift", "p.yaml", "--within", "0s", "--json")
    assert (done.code, done.json["failed"], done.json["complete"]) == (1, 2, False)
    assert told(done.json) == {("tags", "VIP", "")}


@pytest.mark.parametrize("words", [["--within", "soon"], ["--max-calls", "many"]])
def test_an_option_that_cannot_be_is_refused(words: list[str], project: Project) -> None:
    project.pipeline(LOAD)
    assert project.command("drift", "p.yaml", *words).code == 2


def test_a_forgotten_person_goes_from_the_drift(project: Project, sandbox: Sandbox, account: Account) -> None:
    edit_by_hand(account, loaded(project, account))
    look(project)
    assert project.command("state", "forget", "p.yaml", "lead0@example.org", "--yes").code == 0
    found = project.command("drift", "p.yaml", "--max-calls", "0", "--json").json
    assert found["drift"] == []
    assert b"Paris" not in project.state.read_bytes()
