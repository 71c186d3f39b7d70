"""examples: unit tests of a mapping, in its pipeline file, played by check."""

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.conftest import LOAD, Project, contact

GOOD = """
examples:
  - given: {Email: " Ann@Example.org", First: Ann, Tags: VIP;Blog, Fruits: apple;pear, Consent: yes}
    expect:
      fields: {email: ann@example.org, first_name: Ann, city: ""}
      custom_fields: {fruits: [apple, pear], note: ""}
      tags: [Blog, Imported, VIP]
      lists: [News]
  - {given: {Email: bob@example.org, Consent: no}, expect: {sent: false}}
  - {given: {Email: nobody}, expect: {sent: false}}
  - {given: {Email: eve@example.org, Consent: yes, First: "007"}, expect: {fields: {first_name: "007"}}}
"""


def test_examples_that_hold_are_counted(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(0)])
    project.pipeline(LOAD + GOOD)
    checked = project.command("check", "p.yaml", "--json")
    assert (checked.code, checked.json["ok"]) == (0, True), checked.stdout
    assert "4 examples hold" in checked.json["files"][0]["notes"]


@pytest.mark.parametrize(
    ("example", "told"),
    [
        (
            "{given: {Email: a@example.org, City: Lyon, Consent: yes}, expect: {fields: {city: Rome}}}",
            "load.examples[0]: city: expected 'Rome', the mapping gives 'Lyon'",
        ),
        (
            "{given: {Email: a@example.org, Consent: yes}, expect: {tags: [VIP]}}",
            "load.examples[0]: tags: expected [VIP], the mapping gives [Imported]",
        ),
        (
            "{given: {Email: a@example.org, Consent: yes, Tags: Old}, expect: {untag: [], sequences: []}}",
            "load.examples[0]: sequences: expected [], the mapping gives [Onboarding]",
        ),
        (
            "{given: {Email: a@example.org, Consent: yes}, expect: {untag: [VIP]}}",
            "load.examples[0]: untag: expected [VIP], the mapping gives []",
        ),
        (
            "{given: {Email: a@example.org, Consent: yes}, expect: {sent: false}}",
            "it is sent, and should not be",
        ),
        (
            "{given: {Email: a@example.org, Consent: no}, expect: {}}",
            "it is not sent: no consent in the column",
        ),
        ("{given: {Mail: a@example.org}, expect: {}}", 'the source has no column "Mail"'),
        (
            "{given: {Email: a}, expect: {sent: maybe}}",
            "load.examples[0].expect.sent: true or false is expected",
        ),
        ("{given: {Email: a}}", "load.examples[0].expect: missing"),
    ],
)
def test_an_example_that_does_not_hold_is_told_and_the_exit_says_so(
    example: str, told: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(0)])
    project.pipeline(f"{LOAD}examples: [{example}]")
    checked = project.command("check", "p.yaml")
    assert (checked.code, told in checked.stdout + checked.stderr) == (2, True), checked.stdout
