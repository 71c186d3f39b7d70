"""P5: options, fields and names that came or went since they were listed, within the hour."""

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.promises.scenes import held

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, city: City}
custom_fields: {size: Size}
tags: [Imported]
consent: {attested: "sign-up form"}
"""


def row(name: str, **changes: str) -> dict[str, str]:
    return {"Email": f"{name}@example.org", "City": "Lyon", "Size": "small", **changes}


def asked(sandbox: Sandbox) -> list[str]:
    return [cmd for call in sandbox.calls for cmd in call.commands if cmd.startswith("retrieve_")]


def test_p5_an_option_that_was_removed_within_the_hour_is_told_before_the_first_write(
    project: Project, sandbox: Sandbox
) -> None:
    """Kartra would ignore the value without a word."""
    project.pipeline(LOAD)
    project.contacts([row("ann")])
    assert project.run().code == 0
    size = next(field for field in sandbox.account.custom_fields if field.identifier == "size")
    del size.options[next(option for option, label in size.options.items() if label == "small")]
    sandbox.reset_calls()
    project.contacts([row("ann"), row("bob")])
    stopped = project.run()
    assert stopped.code == 2
    assert 'option "small" of custom field "size"' in stopped.stderr
    assert [call.commands for call in sandbox.calls if not call.commands[0].startswith("retrieve_")] == []
    assert list(held(sandbox)) == ["ann@example.org"]


def test_p5_a_field_that_was_removed_within_the_hour_is_told_before_the_first_write(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts([row("ann")])
    assert project.run().code == 0
    sandbox.account.custom_fields[:] = [
        field for field in sandbox.account.custom_fields if field.identifier != "size"
    ]
    project.contacts([row("ann", Size="large")])
    plan = project.command("plan", "p.yaml")
    assert (plan.code, 'custom field "size"' in plan.stderr) == (2, True)
    assert project.run().code == 2


def test_p5_what_was_made_within_the_hour_is_not_called_missing(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([row("ann")])
    assert project.run().code == 0
    size = next(field for field in sandbox.account.custom_fields if field.identifier == "size")
    size.options["699"] = "huge"
    sandbox.account.tags.append("Brand new")
    project.pipeline(LOAD.replace("[Imported]", "[Imported, Brand new]"))
    project.contacts([row("ann", Size="huge"), row("bob", Size="huge")])
    done = project.run()
    assert done.code == 0, done.stderr
    assert held(sandbox)["bob@example.org"]["custom_fields"]["size"] == ["699"]


def test_p3_fields_are_asked_for_only_by_a_run_that_fills_some(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([row("ann")])
    assert project.run().code == 0
    sandbox.reset_calls()
    project.contacts([row("ann", City="Oslo")])
    assert project.run().code == 0
    assert asked(sandbox) == []
    project.contacts([row("ann", City="Oslo", Size="large")])
    plan = project.command("plan", "p.yaml", "--json").json
    assert plan["calls"]["estimated"] == 2
    sandbox.reset_calls()
    assert project.run().json["calls"]["sent"] == 2
    assert asked(sandbox) == ["retrieve_custom_fields"]


def test_p5_a_tag_that_kartra_calls_missing_and_lists_again_is_sent_once_more(
    project: Project, sandbox: Sandbox
) -> None:
    """It was made anew between the refusal and the question."""
    sandbox.set_options(chain_errors="nested")
    project.pipeline(LOAD)
    project.contacts([row("ann")])
    assert project.run().code == 0
    tags = sandbox.account.tags

    class GoneOnce(list[str]):
        """The tag is missing for whoever gets it first."""

        looked = 0

        def __contains__(self, name: object) -> bool:
            self.looked += name == "Imported"
            return list.__contains__(self, name) and not (name == "Imported" and self.looked == 1)

    sandbox.account.tags = GoneOnce(tags)
    project.contacts([row("ann"), row("bob")])
    done = project.run()
    assert done.code == 0, done.stderr
    assert done.json["leads"]["created"] == 1
    assert held(sandbox)["bob@example.org"]["tags"] == {"Imported"}
