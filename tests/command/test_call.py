"""call: any command of Kartra's API by hand, safely."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from connectors.kartra.commands import REPEAT
from connectors.kartra.error_types import ERROR_TYPES
from connectors.kartra.sandbox import Faults, Sandbox, demo_account
from pipelines.cli.call_arguments import COMMANDS, call_of, example_of
from tests.command.several import ended, wait_for
from tests.conftest import PIPELINE, Project, Result

SALE = "738474"
ALL_OF = """
import io, json, shlex, sys
from contextlib import redirect_stderr, redirect_stdout
from pipelines.cli.main import main
while line := sys.stdin.readline():
    said, told, sys.argv = io.StringIO(), io.StringIO(), shlex.split(line)
    try:
        with redirect_stdout(said), redirect_stderr(told):
            main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    print(json.dumps([code, said.getvalue(), told.getvalue()]))
"""


def played(project: Project, *lines: str) -> list[Result]:
    """What the console script does with each line, in one process: starting it costs more than they do.

    A line that follows a command which asks for one is what is typed.
    """
    done = subprocess.run(
        [sys.executable, "-c", ALL_OF],
        input="".join(f"{line}\n" for line in lines),
        cwd=project.folder,
        env=project.command_environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [Result(*json.loads(line)) for line in done.stdout.splitlines()]


@pytest.fixture
def sandbox(project: Project) -> Iterator[Sandbox]:
    with Sandbox(demo_account(), calls_per_second=0) as served:
        project.aim(served)
        yield served


# --- what it can do, and what it says of that


def test_the_example_of_every_command_does_what_it_says(project: Project, sandbox: Sandbox) -> None:
    """In the order of the help, after somebody was created."""
    order = ["create_lead", *(cmd for cmd in COMMANDS if cmd != "create_lead")]
    done = played(project, *(f"{example_of(cmd)} --json" for cmd in order))
    assert [(one.code, one.json["exit_code"], one.stderr) for one in done] == [(0, 0, "")] * 30
    assert [call.commands for call in sandbox.calls] == [(cmd,) for cmd in order]
    ann = sandbox.account.lead("ann@example.org")
    assert ann is not None
    assert (ann.fields, ann.custom_fields) == (
        {"first_name": "Ann", "city": "Lyon"},
        {"note": "two words", "fruits": ["1", "2"]},
    )
    assert [(one.points, one.expiration_days) for one in ann.points_log] == [(10, 90), (-10, 0)]
    assert sandbox.account.subscriptions["14833"].next_payment_date == "2099-01-16 18:00:00"


def test_the_help_of_every_command_is_made_of_its_builder_and_the_error_table(project: Project) -> None:
    helps = played(project, *(f"kartra-sync call {cmd} --help" for cmd in COMMANDS))
    for cmd, helped in zip(COMMANDS, helps, strict=True):
        said = helped.stdout
        assert helped.code == 0
        assert said.rstrip().endswith(f"Example:  {example_of(cmd)}")
        errors = {number for number, known in ERROR_TYPES.items() if cmd in known.commands}
        assert set(re.findall(r"^  (\d{3})  ", said, re.MULTILINE)) == errors
        repeat = "safe" if cmd == "get_lead" else REPEAT[cmd].value.replace("_", " ")
        assert f"Repeating it is {repeat}:" in said


def test_the_list_names_every_command_and_one_without_its_parameters_shows_them(project: Project) -> None:
    as_json, text, shown = played(
        project,
        "kartra-sync call --list --json",
        "kartra-sync call --list",
        "kartra-sync call edit_subscription",
    )
    assert [row["cmd"] for row in as_json.json["commands"]] == list(COMMANDS)
    assert re.search(r"^refund_transaction +guarded +Pay a sale", text.stdout, re.MULTILINE)
    assert shown.code == 0
    assert "a whole number, or until cancelled" in " ".join(shown.stdout.split())
    assert "276  Quantity must be between 1 and 9,999" in shown.stdout


# --- what is refused before anything is sent


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (
            "assign_tag email=jo@example.com tagname=VIP",
            'unknown parameter tagname; did you mean "tag_name"?',
        ),
        ("assign_tag email=jo@example.com", "tag_name missing"),
        ("assign_tag email=jo@example.com tag_name=", "tag_name cannot be empty"),
        ("assign_tag tag_name=VIP", "a lead needs exactly one of id and email"),
        ("assign_tag id=1 email=jo@example.com tag_name=VIP", "a lead needs exactly one of id and email"),
        ("assign_tag id=1 tag_name=VIP tag_name=Blog", "tag_name stands twice"),
        ("assign_tag id=1 tag_name+=VIP", "tag_name takes one value"),
        ("assign_tag id=1 VIP", "key=value is expected"),
        ("create_lead first_name=Ann", "email missing"),
        ("create_lead email=a@b.de age=7", "unknown parameter age"),
        ("give_points_to_lead id=1 points=2.5", "points: a whole number is expected"),
        ("give_points_to_lead id=1 points=0", "points has to be 1 or more"),
        ("refund_transaction transaction_id=7 refund_amount=7,50", "refund_amount: a number such as 22.50"),
        ("refund_transaction transaction_id=I-EV375R0H61SM", "transaction_id is Kartra's own number"),
        ("modify_subscription_status subscription_id=7 status=stop", "status: one of cancel, pause, unpause"),
        ("edit_subscription subscription_id=7", "edit_subscription needs at least one change"),
        ("edit_subscription subscription_id=7 product_id=1", "product_id and price_point go together"),
        ("edit_subscription subscription_id=7 next_payment_at=soon", "next_payment_at: a date and hour"),
        ("edit_subscription subscription_id=7 recurring_period_1=daily", "recurring_period_1 is one of"),
        (
            "edit_subscription subscription_id=7 installments_left=many",
            "installments_left: a whole number",
        ),
        ("create_custom_field identifier=a type=checkbox options+=one", "a choice needs two options or more"),
        ("calendar_subscribe id=1 calendar_name=C class_name=D starting_at=2027-01-01T10:00+01:00", "zone"),
    ],
)
def test_a_rule_that_is_broken_is_named_and_no_value_is(words: str, rule: str) -> None:
    cmd, *given = words.split()
    with pytest.raises(ValueError, match=re.escape(rule)) as told:
        call_of(cmd, given)
    assert not [value for value in ("jo@example.com", "7,50", "VIP", "EV375", "daily") if value in str(told)]


def test_a_misuse_ends_with_2_and_sends_nothing(project: Project, sandbox: Sandbox) -> None:
    wrong, rule = played(
        project, "kartra-sync call asign_tag id=1", "kartra-sync call assign_tag id=1 tag_name= --json"
    )
    assert (wrong.code, 'did you mean "assign_tag"?' in wrong.stderr) == (2, True)
    assert (rule.code, rule.json["error"]) == (2, "assign_tag: tag_name cannot be empty")
    project.environ |= {"KARTRA_API_KEY": ""}
    (unset,) = played(project, "kartra-sync call retrieve_account_tags")
    assert (unset.code, unset.stderr.startswith("kartra-sync: KARTRA_API_KEY not set")) == (2, True)
    project.environ |= {"KARTRA_API_KEY": "x", "KARTRA_URL": "http://app.kartra.com/api"}
    (insecure,) = played(project, "kartra-sync call retrieve_account_tags")
    assert (insecure.code, "https" in insecure.stderr) == (2, True)
    assert sandbox.calls == []


# --- whose account


def test_the_account_comes_from_a_dotenv_or_from_a_pipeline_file(project: Project, sandbox: Sandbox) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in project.environ.items())
    (project.folder / ".env").write_text(lines, encoding="utf-8")
    project.environ.clear()
    (project.folder / "p.yaml").write_text(f"{PIPELINE}pull: {{into: t.db, tables: [tags]}}\n", "utf-8")
    ask = "kartra-sync call retrieve_account_lists --json"
    for listed in played(project, ask, f"{ask} --file p.yaml"):
        assert (listed.code, listed.json["answer"]["account_lists"][0]) == (0, "News")
    assert len(sandbox.calls) == 2


# --- money, and what is once only


def test_a_refund_is_sent_only_once_its_id_is_typed(project: Project, sandbox: Sandbox) -> None:
    refund = f"kartra-sync call refund_transaction transaction_id={SALE} refund_amount=7.50 --json"
    *refused, done = played(project, refund, "", refund, "y", refund, "738475", refund, SALE)
    for one in refused:
        assert (one.code, "not confirmed: nothing was sent" in one.stderr) == (2, True)
    assert (done.code, done.json["answer"]) == (0, {"transaction_refunded": "738482"})
    assert re.search(r"^sale 738474 of 97\.00, Course, .*, lead 39260 \(j\*\*\*@e\*\*\*\.com\)", done.stderr)
    look, write = ("get_transaction_details",), ("refund_transaction",)
    assert [call.commands for call in sandbox.calls] == [look, look, look, look, write]
    assert sandbox.account.transactions["738482"].amount == "7.50"


def test_what_cannot_be_undone_or_repeated_wants_a_confirmation(project: Project, sandbox: Sandbox) -> None:
    asked = {
        "cancel_transaction transaction_id=738481": "transaction_id",
        "modify_subscription_status subscription_id=14833 status=pause": "subscription_id",
        "edit_subscription subscription_id=14833 product_quantity=2": "subscription_id",
        "give_points_to_lead email=jo@example.com points=1": "email",
        "subscribe_lead_to_sequence_at_step id=39260 sequence_name=Win-back step=1": "id",
    }
    refused = played(project, *(line for words in asked for line in (f"kartra-sync call {words}", "yes")))
    for name, one in zip(asked.values(), refused, strict=True):
        assert (one.code, f"type the {name} again to send it" in one.stderr) == (2, True)
    looked = {cmd for call in sandbox.calls for cmd in call.commands}
    assert looked == {"get_transaction_details", "get_subscription_details"}


def test_a_payment_that_does_not_exist_is_told_before_anything_is_asked(
    project: Project, sandbox: Sandbox
) -> None:
    (unknown,) = played(project, "kartra-sync call refund_transaction transaction_id=1")
    assert (unknown.code, "(247)" in unknown.stderr, "type the" in unknown.stderr) == (3, True, False)
    assert [call.commands for call in sandbox.calls] == [("get_transaction_details",)]


def test_without_anybody_to_type_nothing_is_sent(project: Project, sandbox: Sandbox) -> None:
    (refused,) = played(project, "kartra-sync call give_points_to_lead id=39260 points=1")
    assert (refused.code, "say --yes" in refused.stderr, sandbox.calls) == (2, True, [])


# --- answers


def test_an_answer_shows_nobody_unless_asked_to(project: Project, sandbox: Sandbox) -> None:
    ask = "kartra-sync call get_lead email=ana@example.org"
    look = f"kartra-sync call get_transaction_details transaction_id={SALE}"
    told, as_json, shown, sale = played(project, ask, f"{ask} --json", f"{ask} --show", look)
    for person in ("ana@", "Ana", "Núñez", "Ruiz", "Málaga"):
        assert person not in told.stdout + as_json.stdout
    details = as_json.json["answer"]["lead_details"]
    assert (details["email"], details["first_name"]) == ("a***@e***.org", "***")
    assert (details["id"], details["tags"]) == ("39261", [{"tag_name": "Blog"}, {"tag_name": "Newsletter"}])
    assert "Málaga" in shown.stdout
    assert ("97.00" in sale.stdout, "Smith" in sale.stdout, "4242" in sale.stdout) == (True, False, False)


def test_a_refusal_says_why_and_what_to_do(project: Project, sandbox: Sandbox) -> None:
    ask = "kartra-sync call assign_tag email=jo@example.com tag_name=VIPs"
    told, as_json = played(project, ask, f"{ask} --json")
    assert (told.code, told.stdout) == (3, "")
    known = ERROR_TYPES["212"]
    assert told.stderr == f"Kartra refused assign_tag: {known.message} (212). {known.advice}\n"
    assert (as_json.code, as_json.json["effect"], as_json.json["type"]) == (3, "refused", "212")
    project.environ["KARTRA_API_PASSWORD"] = "SECRETPASS"
    (fatal,) = played(project, ask)
    assert (fatal.code, "(233)" in fatal.stderr, "SECRETPASS" in fatal.stderr) == (2, True, False)


def test_a_lost_answer_is_not_sent_again_and_says_what_to_read_back(
    project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(cut_after=1))
    points, look = played(
        project,
        "kartra-sync call give_points_to_lead email=jo@example.com points=3 --yes --json",
        "kartra-sync call search_lead email=jo@example.com --json",
    )
    assert [call.commands for call in sandbox.calls] == [("give_points_to_lead",), ("search_lead",)]
    assert (points.code, points.json["effect"]) == (3, "unknown")
    assert points.json["read_back"] == "get_lead: the score, against what it was before"
    assert "it takes effect twice" in points.json["message"]
    assert (look.code, look.json["effect"], look.json["read_back"]) == (1, "unknown", None)


def test_a_command_that_is_interrupted_settles_its_call_first(project: Project, sandbox: Sandbox) -> None:
    sandbox.set_options(latency_s=1.5)
    process = project.start("call", "assign_tag", "email=jo@example.com", "tag_name=Blog", "--json")
    wait_for(lambda: sandbox.calls)
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert (done.code, done.json["effect"]) == (130, "done")
