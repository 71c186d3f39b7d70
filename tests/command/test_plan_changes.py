"""`plan --changes`: lead by lead, masked; as JSON, as pages, as a document that hostile text cannot leave."""

import re

from connectors.kartra.sandbox import Sandbox
from tests.command.several import writes
from tests.conftest import LOAD, Project, contact

HOSTILE = "`|<img src=x>\\| [a](http://x.tld) @everyone #1 \x1b[2J\u202e"


def test_each_lead_stands_there_with_old_and_new_in_the_order_of_the_source(
    project: Project, sandbox: Sandbox
) -> None:
    load = LOAD + "on_removed: [untag]\nguards: {max_removed: 100%}\n"
    project.pipeline(load)
    project.contacts([contact(1), contact(2), contact(3)])
    assert project.run().code == 0
    sandbox.reset_calls()
    project.contacts([contact(4), contact(1, City="Porto", Tags="Blog"), contact(5), contact(2)])
    planned = project.command("plan", "p.yaml", "--changes", "--show", "--json")
    changes = planned.json["changes"]
    assert [(one["row"], one["key"], one["outcome"]) for one in changes] == [
        (2, "lead4@example.org", "created"),
        (3, "lead1@example.org", "edited"),
        (4, "lead5@example.org", "created"),
        (None, "lead3@example.org", "removed"),
    ]
    assert changes[1]["values"] == [{"kind": "field", "name": "city", "old": "Kraków", "new": "Porto"}]
    assert changes[1]["names"] == [{"sign": "-", "kind": "tag", "name": "VIP"}]
    assert {"kind": "email", "name": "email", "old": "", "new": "lead4@example.org"} in changes[0]["values"]
    assert {"sign": "+", "kind": "sequence", "name": "Onboarding (step 1)"} in changes[0]["names"]
    assert changes[3]["names"] == [{"sign": "-", "kind": "tag", "name": name} for name in ("Imported", "VIP")]
    assert planned.json["leads"] | {"created": 2, "edited": 1, "removed": 1} == planned.json["leads"]
    assert writes(sandbox) == []


def test_people_are_masked_unless_a_person_asks(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1, First="Marguerite", Note="owes 12 EUR", Tags="VIP")])
    for words in (("--changes",), ("--changes", "--json"), ("--markdown",)):
        told = project.command("plan", "p.yaml", *words).stdout
        assert "l***@e***.org" in told
        for secret in ("lead1@", "Marguerite", "owes 12", "Kraków", "medium"):
            assert secret not in told
        shown = project.command("plan", "p.yaml", *words, "--show").stdout
        assert "Marguerite" in shown


def test_the_lines_of_a_lead_have_signs(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    assert project.run().code == 0
    project.contacts([contact(1, City="", Note="new", Tags="Blog")])
    lines = project.command("plan", "p.yaml", "--changes", "--show").stdout.splitlines()
    assert lines[-3:] == [
        "row 2: lead1@example.org edited",
        '  custom field note: "note, 1" -> "new"',
        '  - tag "VIP"',
    ]


def test_a_review_says_what_can_mail_and_what_stays(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(number) for number in range(4)])
    told = project.command("plan", "p.yaml", "--markdown").stdout
    assert told.startswith("# Plan of `newsletter`\n")
    assert "| created | 4 |" in told
    assert "- 4 leads: + tag `Imported`" in told
    assert "- 4 leads get sequence `Onboarding`" in told
    assert "a lead that is created stays" in told
    assert re.search(r"ends about [0-9: -]+, with less than 0.1% of the calls an App has in a day", told)


def test_hostile_text_stays_within_its_code_span(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD.replace('tags: [Imported, {column: Tags, split: ";"}]', "tags: [{column: Tags}]"))
    sandbox.account.tags.append(HOSTILE.replace("\x1b", "").replace("\u202e", ""))
    project.contacts([contact(1, Note=HOSTILE, Tags="VIP", City="a`` b`")])
    for words in (("--markdown", "--show"), ("--changes", "--show")):
        told = project.command("plan", "p.yaml", *words).stdout
        assert "\x1b" not in told
        assert "\u202e" not in told
    document = project.command("plan", "p.yaml", "--markdown", "--show").stdout
    for line in document.splitlines():
        outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
        assert not re.search(r"[`<@\[]|http|#1", outside), line
    assert "a`` b`" in document


def test_a_plan_says_what_nobody_asked_about(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1), contact(2, Tags="")])
    planned = project.command("plan", "p.yaml", "--json").json
    told = {one["kind"]: one for one in planned["cautions"]}
    assert {kind: one["leads"] for kind, one in told.items()} == {"no_gdpr_agreement": 2, "automations": 2}
    assert "kartra-sync export-import p.yaml, then adopt p.yaml" in told["no_gdpr_agreement"]["message"]
    assert planned["share_of_day"] == round(planned["calls"]["estimated"] / (20 * 86_400), 6)
    project.pipeline(LOAD, kartra="mode: test")
    tested = project.command("plan", "p.yaml", "--json").json["cautions"]
    assert "test_mode" in {one["kind"] for one in tested}


def test_the_exit_code_tells_whether_something_would_change(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    detailed = ("plan", "p.yaml", "--detailed-exitcode")
    assert project.command(*detailed).code == 7
    assert project.command("plan", "p.yaml").code == 0
    assert project.run().code == 0
    assert project.command(*detailed).code == 0
    project.contacts([contact(1, City="Porto")])
    project.pipeline(LOAD + "guards: {max_edited: 0}\n")
    assert project.command(*detailed).code == 4
    project.pipeline(LOAD.replace("[Imported,", "[Imprted,"))
    assert project.command(*detailed).code == 2


def test_what_a_lead_has_is_not_made_up_before_it_was_read(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD + "sync_mode: update_only\n")
    project.contacts([contact(1)])
    (change,) = project.command("plan", "p.yaml", "--changes", "--json").json["changes"]
    assert {one["old"] for one in change["values"]} == {None}
