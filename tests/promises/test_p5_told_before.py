"""P5: what cannot work is said before the first write, once, and a guard stops what looks wrong."""

from typing import Any

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.command.several import adds_up, executed, named_pipeline, stored, together, writes
from tests.conftest import LOAD, Project, contact

PLAIN = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First, city: City}
tags: [Imported]
consent: {attested: "sign-up form, 2025"}
"""

NO_LEADS = dict.fromkeys(
    ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred"), 0
)


def leads(**counts: int) -> dict[str, int]:
    return NO_LEADS | counts


def with_load(**lines: str) -> str:
    """PLAIN with its lines replaced, or others put behind."""
    kept = [line for line in PLAIN.strip().splitlines() if line.partition(":")[0] not in lines]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in lines.items())])


def delete(account: Account, email: str) -> None:
    """The lead as someone left it who deleted it in Kartra: its address stays taken."""
    lead = account.lead(email) or account.add_lead(email)
    lead.deleted = True


MISSPELT = {
    "tag": ("tags: [Importd]", 'tag "Importd"; did you mean "Imported"? (3 leads)'),
    "tag-in-a-column": (
        "tags: [Imported, {column: Tags, split: ';'}]",
        'tag "vip"; did you mean "VIP"? (2 leads)',
    ),
    "list": ("lists: [Nws]", 'list "Nws"; did you mean "News"? (3 leads)'),
    "sequence": (
        "sequences: [{name: Onbording, step: 1}]",
        'sequence "Onbording"; did you mean "Onboarding"? (3 leads)',
    ),
    "custom-field": ("custom_fields: {nte: Note}", 'custom field "nte"; did you mean "note"? (3 leads)'),
    "option": (
        "custom_fields: {size: Size}",
        'option "smal" of custom field "size"; did you mean "small"? (1 lead)',
    ),
    "unlike-any": ("tags: [Wholesale 2031]", 'tag "Wholesale 2031" (3 leads)'),
}


def misspelt(project: Project) -> None:
    """Three leads, and a pipeline per way to misspell a name."""
    project.contacts(
        [
            contact(1, Tags="VIP;vip", Size="small"),
            contact(2, Tags="vip", Size="smal"),
            contact(3, Tags="Blog", Size="large"),
        ]
    )
    for name, (line, _) in MISSPELT.items():
        key, _, value = line.partition(": ")
        named_pipeline(project, name, with_load(**{key: value}))


def missing_of(told: dict[str, Any]) -> dict[str, int]:
    """What the account lacks, in the words of a message, with how many leads ask for it."""
    near = {one["what"]: f'; did you mean "{one["near"]}"?' if one["near"] else "" for one in told["missing"]}
    return {one["what"] + near[one["what"]]: one["leads"] for one in told["missing"]}


def test_p5_a_name_that_the_account_lacks_stops_its_run_before_the_first_write(
    project: Project, sandbox: Sandbox
) -> None:
    misspelt(project)
    done = project.command("run", *(f"{name}.yaml" for name in MISSPELT), "--json")
    messages = {
        name: f"not in the Kartra account:\n  {told}\n"
        "Nothing was sent. Create them in Kartra, or mend the names"
        for name, (_, told) in MISSPELT.items()
    }
    assert {run["pipeline"]: run["message"] for run in done.json["runs"]} == messages
    assert done.stderr == "".join(f"{name}: {message}\n" for name, message in messages.items())
    assert [(run["status"], run["leads"], adds_up(run)) for run in done.json["runs"]] == [
        ("refused", leads(deferred=3), True)
    ] * len(MISSPELT)
    assert done.code == 2
    assert writes(sandbox) == []


def test_p5_plan_and_check_name_what_is_missing_as_a_run_does(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1, Tags="VIP;vip", Size="smal"), contact(2, Tags="vip", Size="SMALL")])
    project.pipeline(LOAD.replace("[Imported,", "[Importd,").replace("[News]", "[Nws]"))
    planned, checked, told = together(
        project, [("plan", "p.yaml", "--json"), ("check", "p.yaml", "--json"), ("plan", "p.yaml")]
    )
    missing = {
        'list "Nws"; did you mean "News"?': 2,
        'option "smal" of custom field "size"; did you mean "small"?': 1,
        'tag "Importd"; did you mean "Imported"?': 2,
        'tag "vip"; did you mean "VIP"?': 2,
    }
    assert missing_of(planned.json) == missing
    assert missing_of(checked.json["files"][0]) == missing
    assert checked.json["ok"] is False
    assert told.stderr == "not in the Kartra account:\n" + "".join(
        f"  {thing} ({count} {'lead' if count == 1 else 'leads'})\n" for thing, count in missing.items()
    )
    assert [planned.code, checked.code, told.code] == [2, 2, 2]
    assert writes(sandbox) == []


def test_p5_a_name_created_since_the_lists_were_read_is_asked_for_again(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    project.contacts([contact(1), contact(2, Tags="Brand new", Size="huge")])
    refused = project.run()
    assert (refused.code, sorted(refused.stderr.splitlines())) == (
        2,
        [
            '  option "huge" of custom field "size" (1 lead)',
            '  tag "Brand new" (1 lead)',
            "Nothing was sent. Create them in Kartra, or mend the names",
            "newsletter: not in the Kartra account:",
        ],
    )
    sandbox.account.tags.append("Brand new")
    sandbox.account.custom_fields[1].options["613"] = "huge"
    done = project.run()
    assert (done.code, done.json["leads"]) == (0, leads(unchanged=1, created=1))
    lead = stored(sandbox)["lead2@example.org"]
    assert (lead["tags"], lead["custom_fields"]["size"]) == ({"Imported", "Brand new"}, ["613"])


@pytest.mark.parametrize("chain_errors", ["flat", "nested"])
def test_p5_a_sequence_step_that_does_not_exist_stops_at_the_first_refusal(
    chain_errors: str, project: Project, sandbox: Sandbox
) -> None:
    """No list of names tells the steps of a sequence: only a lead does."""
    sandbox.set_options(chain_errors=chain_errors)
    project.contacts([contact(number) for number in range(30)])
    project.pipeline(LOAD.replace("step: 1", "step: 9"), kartra="workers: 2")
    done = project.run()
    told = (
        'Kartra: Step does not exist (230): "Onboarding". Stopped, the rest waits. Usually the sequence was'
        " changed in Kartra and its boxes have other numbers now. Give the number of a step that the sequence"
        " has."
    )
    assert (done.code, done.stderr) == (2, f"newsletter: {told}\n")
    assert (done.json["status"], done.json["message"]) == ("refused", told)
    assert (done.json["leads"], adds_up(done.json)) == (leads(deferred=30), True)
    assert [lead["starts"] for lead in stored(sandbox).values() if lead["starts"]] == []
    assert project.command("rejects", "p.yaml", "--json").json == {"rejects": []}
    assert len(writes(sandbox)) <= 2  # the one that was refused, and the one in flight beside it


def test_p5_a_run_with_the_step_mended_completes_what_was_stopped(project: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(chain_errors="nested")
    project.contacts([contact(number) for number in range(12)])
    project.pipeline(LOAD.replace("step: 1", "step: 9"))
    assert project.run().code == 2
    project.pipeline(LOAD)
    done = project.run()
    assert (done.code, adds_up(done.json)) == (0, True)
    assert [lead["starts"] for lead in stored(sandbox).values()] == [[("Onboarding", "1")]] * 12


def test_p5_a_name_deleted_since_the_lists_were_read_stops_at_the_first_refusal(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(chain_errors="nested")
    project.contacts([contact(0)])
    project.pipeline(PLAIN, kartra="workers: 2")
    assert project.run().code == 0
    sandbox.account.tags.remove("Imported")
    sandbox.reset_calls()
    project.contacts([contact(number) for number in range(31)])
    stopped = project.run()
    assert stopped.code == 2
    assert stopped.stderr == (
        'newsletter: Kartra: Tag does not exist (212): "Imported". Stopped, the rest waits. Usually the name'
        " is misspelt, or it was renamed or deleted in Kartra. Capitals may count. Create the tag in Kartra,"
        " or correct its name.\n"
    )
    assert stopped.json["leads"] == leads(unchanged=1, deferred=30)
    assert len([call for call in sandbox.calls if "assign_tag" in call.commands]) <= 2
    assert "retrieve_account_tags" in [call.commands[0] for call in sandbox.calls]  # asked once more
    sandbox.reset_calls()
    again = project.run()
    assert (again.code, again.json["message"]) == (
        2,
        'not in the Kartra account:\n  tag "Imported" (30 leads)\n'
        "Nothing was sent. Create them in Kartra, or mend the names",
    )
    assert [call.commands for call in sandbox.calls] == [("retrieve_account_tags",)]


def test_p5_test_mode_lists_the_addresses_that_would_become_one_before_it_sends(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(mode="test")
    project.contacts(
        [
            contact(1, Email="ann@example.org"),
            contact(2, Email="bob@example.org"),
            contact(3, Email="ann@example.com"),
        ]
    )
    project.pipeline(PLAIN, kartra="mode: test")
    done = project.run()
    told = [line.partition(" WARNING ")[2] for line in done.stderr.splitlines()]
    assert told == [
        "Test mode stores row 2 (a***@e***.org) under an address others have too",
        "Test mode stores row 4 (a***@e***.com) under an address others have too",
    ]
    assert adds_up(done.json)
    assert (done.code, done.json["leads"]) == (3, leads(created=2, rejected=1))
    assert sorted(stored(sandbox)) == ["ann@kartra.com", "bob@kartra.com"]


def test_p5_a_plan_lists_the_addresses_that_would_become_one_in_words_and_as_json(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(mode="test")
    project.contacts([contact(1, Email=f"ann@example.{end}") for end in ("org", "com")] + [contact(2)])
    project.pipeline(PLAIN, kartra="mode: test")
    told, as_json = together(project, [("plan", "p.yaml"), ("plan", "p.yaml", "--json")])
    assert told.stdout.splitlines()[-2:] == [
        "  Test mode stores row 2 (a***@e***.org) as another row's address",
        "  Test mode stores row 3 (a***@e***.com) as another row's address",
    ]
    assert as_json.json.get("collapsing") == [
        {"row": 2, "address": "a***@e***.org"},
        {"row": 3, "address": "a***@e***.com"},
    ]
    assert writes(sandbox) == []


def test_p5_guards_stop_a_run_before_anything_is_sent(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(number) for number in range(10)])
    project.pipeline(with_load(on_removed="[untag]"))
    assert project.run().code == 0
    sandbox.reset_calls()
    guarded = {
        "a source with too few rows": (
            with_load(guards="{min_rows: 11}"),
            [contact(number) for number in range(10)],
            "the source has 10 rows, guards.min_rows asks for 11: nothing was sent",
            leads(unchanged=10),
        ),
        "too many removals": (
            with_load(on_removed="[untag]"),
            [contact(number) for number in range(9)],
            "1 of 10 leads have gone from the source, more than guards.max_removed allows:"
            " nothing was sent. Is the source complete?",
            leads(unchanged=9),
        ),
        "too many edits": (
            with_load(guards="{max_edited: 20%}"),
            [
                contact(number, City="Porto" if number < 3 else contact(number)["City"])
                for number in range(10)
            ],
            "3 of 10 leads would be edited, more than guards.max_edited allows: nothing was sent",
            leads(unchanged=7, deferred=3),
        ),
    }
    for load, rows, told, counted in guarded.values():
        project.contacts(rows)
        project.pipeline(load)
        planned, done = together(project, [("plan", "p.yaml", "--json"), ("run", "p.yaml", "--json")])
        assert (planned.json["refusal"], planned.code) == (told, 4)
        assert (done.json["message"], done.json["status"], done.code) == (told, "refused", 4)
        assert done.stderr == f"newsletter: {told}\n"
        assert (done.json["leads"], adds_up(done.json)) == (counted, True)
    assert sandbox.calls == []


def test_p5_as_many_removals_and_edits_as_the_guards_allow_are_sent(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(4)])
    load = with_load(on_removed="[untag]", guards="{min_rows: 3, max_removed: 25%, max_edited: 1}")
    project.pipeline(load)
    assert project.run().code == 0
    project.contacts([contact(0, City="Porto"), contact(1), contact(2)])
    done = project.run()
    assert (done.code, done.json["leads"]) == (0, leads(unchanged=2, edited=1, removed=1))
    assert stored(sandbox)["lead3@example.org"]["tags"] == set()


@pytest.mark.parametrize("before", ["nothing was loaded", "they were left alone"])
def test_p5_a_first_edit_of_leads_kartra_had_before_us_is_not_too_many_edits(
    before: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    """100% of the leads is the default: no number of edits may exceed it."""
    project.contacts([contact(number) for number in range(3)])
    for number in range(3):
        account.add_lead(f"lead{number}@example.org", city="Oslo")
    if before == "they were left alone":
        project.pipeline(with_load(existing="skip"))
        assert project.run().json["leads"] == leads(skipped=3)
        project.contacts([contact(number, First="New") for number in range(3)])
    project.pipeline(with_load(sync_mode="update_only"))
    done = project.run()
    assert (done.code, done.json["leads"], done.stderr) == (0, leads(edited=3), "")
    assert [lead["fields"]["city"] for lead in stored(sandbox).values()] == ["Lyon", "Kraków", "Leeds"]


def test_p5_contacts_that_come_back_are_not_too_many_edits(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(with_load(on_removed="[untag]", guards="{max_removed: 100%}"))
    rows = [contact(number) for number in range(3)]
    for present, became in ((3, leads(created=3)), (1, leads(unchanged=1, removed=2))):
        project.contacts(rows[:present])
        assert project.run().json["leads"] == became
    project.contacts(rows)
    back = project.run()
    assert (back.code, back.json["leads"]) == (0, leads(unchanged=1, edited=2))


def test_p5_a_tag_for_more_leads_than_agreed_needs_a_yes(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(with_load(guards="{max_triggered: 2}"))
    project.contacts([contact(number) for number in range(3)])
    told = 'about to give tag "Imported" to 3 leads, more than guards.max_triggered allows: nothing was sent'
    plan = project.command("plan", "p.yaml")
    assert (plan.code, f"a run would be stopped: {told}" in plan.stderr) == (4, True)
    assert '3 leads tag "Imported"' in plan.stdout
    stopped = project.run()
    assert (stopped.code, stopped.json["status"]) == (4, "refused")
    assert told in stopped.json["message"]
    assert writes(sandbox) == []
    assert project.run("--yes").json["leads"] == leads(created=3)
    project.contacts([contact(number, City="Oslo") for number in range(3)])
    assert project.run().code == 0  # an edited field triggers nothing


def test_p5_a_count_of_failures_stops_a_run_on_the_way(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.contacts([contact(number) for number in range(40)])
    for number in range(0, 40, 2):
        delete(account, f"lead{number}@example.org")
    project.pipeline(with_load(guards="{max_failed: 2}"))
    done = project.run()
    assert (done.code, done.json["status"], adds_up(done.json)) == (4, "refused", True)
    assert done.json["message"].startswith("3 of ")
    assert done.json["message"].endswith(
        " leads were refused or held back, more than guards.max_failed allows: stopped, the rest waits."
        " `kartra-sync rejects` says why"
    )
    counted = done.json["leads"]
    assert counted["created"] == len(stored(sandbox))
    assert 3 <= counted["rejected"] < 20  # those in flight settle too
    assert counted["deferred"] > 0


def test_p5_twenty_five_refusals_in_a_row_stop_a_run(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.contacts([contact(number) for number in range(45)])
    for number in range(45):
        delete(account, f"lead{number}@example.org")
    project.pipeline(with_load(guards="{max_failed: 100%}"))
    done = project.run()
    told = (
        "25 leads in a row were refused or held back: stopped, the rest waits. `kartra-sync rejects` says why"
    )
    assert (done.code, done.json["status"], done.json["message"]) == (4, "refused", told)
    assert done.stderr == f"newsletter: {told}\n"
    counted = done.json["leads"]
    assert counted == leads(rejected=counted["rejected"], deferred=45 - counted["rejected"])
    assert 25 <= counted["rejected"] < 45
    assert executed(writes(sandbox)) == counted["rejected"]


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("KARTRA_API_PASSWORD", "API password not valid. Please get an API password first (233)"),
        ("KARTRA_APP_ID", "App Id is not valid. The app does not exists or is inactive (239)"),
    ],
)
def test_p5_a_bad_credential_stops_after_exactly_one_call(
    variable: str, told: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(5)])
    project.pipeline(LOAD)
    project.environ[variable] = "wrong-one"
    done = project.run()
    assert (done.code, done.json["status"], done.json["leads"]) == (2, "refused", leads(deferred=5))
    assert done.stderr.startswith(f"newsletter: Kartra: {told}. Usually the ")
    assert ". Check the " in done.stderr
    assert [call.commands for call in sandbox.calls] == [("retrieve_account_tags",)]


def test_p5_a_bad_password_met_by_the_first_write_stops_the_others(
    project: Project, sandbox: Sandbox
) -> None:
    """Without names there is nothing to ask for, and the first call is a lead's."""
    project.contacts([contact(number) for number in range(30)])
    project.pipeline(with_load(tags="[]"), kartra="workers: 1")
    project.environ["KARTRA_API_PASSWORD"] = "wrong-one"
    done = project.run()
    assert (done.code, done.json["leads"]) == (2, leads(deferred=30))
    assert [call.error_type for call in sandbox.calls] == ["233"]
    project.aim(sandbox)
    mended = project.run()
    assert (mended.code, mended.json["leads"]) == (0, leads(created=30))


@pytest.mark.parametrize(
    "url", ["http://app.kartra.com/api", "http://192.0.2.1/api", "http://localhost.example/"]
)
def test_p5_credentials_do_not_leave_over_http_for_another_machine(url: str, project: Project) -> None:
    project.environ |= {
        "KARTRA_URL": url,
        "KARTRA_APP_ID": "APP",
        "KARTRA_API_KEY": "KEY",
        "KARTRA_API_PASSWORD": "PASSWORD",
    }
    project.contacts([contact(1)])
    project.pipeline(PLAIN)
    done = project.run()
    told = (
        "p.yaml:3:8: kartra.url: must start with https://, because credentials are sent;"
        " http:// only for a loopback host"
    )
    assert (done.code, done.stderr) == (2, f"kartra-sync: {told}\n")
    assert done.json == {"status": "refused", "error": told, "exit_code": 2}
    assert not project.state.exists()


def test_p5_each_missing_credential_is_named_with_its_place(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(1)])
    project.pipeline(PLAIN)
    for variable in ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"):
        del project.environ[variable]
    project.environ["KARTRA_API_KEY"] = ""
    told = "\n".join(
        f"p.yaml:{line}: kartra.{key}: {name} is not set,"
        " neither in the environment nor in a .env beside this file"
        for line, key, name in (
            ("4:11", "app_id", "KARTRA_APP_ID"),
            ("5:12", "api_key", "KARTRA_API_KEY"),
            ("6:17", "api_password", "KARTRA_API_PASSWORD"),
        )
    )
    ran, planned = together(project, [("run", "p.yaml"), ("plan", "p.yaml")])
    assert (ran.code, ran.stdout, ran.stderr) == (2, "", f"kartra-sync: {told}\n")
    assert (planned.code, planned.stdout, planned.stderr) == (2, "", f"kartra-sync: {told}\n")
    assert sandbox.calls == []


def test_p5_a_column_that_the_source_lacks_is_named_with_a_near_one(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1)])
    project.pipeline(LOAD.replace("city: City", "city: Citty").replace("column: Tags", "column: Tag"))
    told = (
        'p.yaml: load.fields.city: the source has no column "Citty"; did you mean "City"?\n'
        'p.yaml: load.tags: the source has no column "Tag"; did you mean "Tags"?'
    )
    ran, planned, checked = together(
        project, [("run", "p.yaml"), ("plan", "p.yaml"), ("check", "p.yaml", "--json")]
    )
    assert (ran.code, ran.stderr) == (2, f"kartra-sync: {told}\n")
    assert (planned.code, planned.stderr) == (2, f"kartra-sync: {told}\n")
    assert (checked.code, checked.json["files"][0]["problems"]) == (2, told.splitlines())
    assert writes(sandbox) == []


def test_p5_a_key_that_several_people_share_is_told(project: Project, sandbox: Sandbox) -> None:
    project.contacts(
        [
            {"Id": "7", "Email": "ann@example.org"},
            {"Id": "7", "Email": "bob@example.org"},
            {"Id": "8", "Email": "cem@example.org"},
            {"Id": "8", "Email": "Cem@Example.org"},
        ]
    )
    project.pipeline(
        "source: {csv: contacts.csv}\nkey: {column: Id}\nfields: {email: Email}\nconsent: {attested: form}"
    )
    note = (
        "1 values of the key column belong to several addresses, of which one is sent each (rows 2 = 3):"
        " is it a key?"
    )
    planned = project.command("plan", "p.yaml")
    assert note in planned.stdout, planned.stdout
    done = project.run()
    assert note in done.json["notes"]
    assert (done.json["rows"]["duplicate"], len(sandbox.account.leads)) == (2, 2)
