"""errors: what a type of Kartra's means, in the words that every message uses."""

from typing import Any

import pytest

from connectors.kartra.error_types import ERROR_TYPES
from connectors.kartra.sandbox import Sandbox
from tests.conftest import LOAD, Project, contact

REPEATING = {
    "233": "No: every call is answered like this until it is put right, so a run stops.",
    "243": "Not unchanged: create the lead, then send it again.",
    "251": "No: what was wanted is so already.",
    "266": "Not before it is known what happened: it may have been carried out.",
    "290": "No: it was not carried out, and the same call gets the same answer.",
    "429": "Yes, after a second: it was not carried out.",
}


def told(project: Project, number: str) -> dict[str, Any]:
    entry: dict[str, Any] = project.command("errors", number, "--json").json
    return entry


def test_a_type_is_told_in_full(project: Project) -> None:
    shown = project.command("errors", "212")
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout == (
        "212  Tag does not exist\n"
        "  means      The account has no tag of this name; the API cannot make one.\n"
        "  cause      Usually the name is misspelt, or it was renamed or deleted in Kartra."
        " Capitals may count.\n"
        "  do         Create the tag in Kartra, or correct its name.\n"
        "  repeating  No: it was not carried out, and the same call gets the same answer.\n"
        "  from       assign_tag\n"
    )


def test_without_a_type_all_74_are_listed_and_http_429(project: Project) -> None:
    listed = project.command("errors", "--json").json["errors"]
    assert [entry["type"] for entry in listed] == [*ERROR_TYPES, "429"]
    assert all(entry["documented"] for entry in listed)
    words = ("message", "means", "cause", "do", "repeating")
    assert all(entry[word] for entry in listed for word in words)
    assert all(entry["told"] == "{message}. {cause} {do}".format_map(entry) for entry in listed)
    repeating = {entry["type"]: entry["repeating"] for entry in listed}
    assert repeating.items() >= REPEATING.items()
    table = project.command("errors").stdout
    assert all(f"\n{number} " in table for number in (*ERROR_TYPES, "429"))


def test_of_a_number_nobody_has_seen_nothing_is_made_up(project: Project) -> None:
    unknown = told(project, "286")
    assert (unknown["documented"], unknown["commands"]) == (False, [])
    assert unknown["means"] == "Not documented: Kartra's manual does not have this number."
    assert unknown["cause"] == "It is not documented."
    assert unknown["repeating"] == "Not documented: it counts as a refusal and is not sent again."


@pytest.mark.parametrize(
    ("given", "why"),
    [("tag", "are numbers, such as 212"), ("103", "103 is no error"), ("-1", "No such option")],
)
def test_what_is_no_error_type_is_refused(project: Project, given: str, why: str) -> None:
    refused = project.command("errors", given)
    assert (refused.code, refused.stdout) == (2, "")
    assert why in refused.stderr


def test_what_stops_a_run_is_said_in_the_words_of_errors(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(0)])
    project.environ["KARTRA_API_PASSWORD"] = "ANOTHER"
    entry = told(project, "233")
    stopped = project.command("run", "p.yaml")
    assert stopped.code == 2
    assert f"{entry['message']} (233). {entry['cause']} {entry['do']}" in stopped.stderr
