"""call: any command of Kartra's API by hand, safely."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from connectors.kartra.commands import REPEAT
from connectors.kartra.error_types import ERROR_TYPES
from connectors.kartra.sandbox import Faults, Sandbox, demo_account
from pipelines.call_arguments import COMMANDS, call_of, example_of
from tests.conftest import COMMAND, PIPELINE, Project, Result

SALE = "738474"
ALL_OF = """
import io, shlex, sys
from contextlib import redirect_stdout
from pipelines.cli import cli
for line in sys.stdin:
    words, said = shlex.split(line)[1:], io.StringIO()
    try:
        with redirect_stdout(said):
            code = cli.main(words, prog_name="kartra-sync", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    print(f"{code or 0}\\0{said.getvalue()}", end="\\0\\0")
"""


def several(project: Project, lines: list[str]) -> list[tuple[int, str]]:
    """Codes and outputs of many commands, played in one process: starting it costs more than they do."""
    done = subprocess.run(
        [sys.executable, "-c", ALL_OF],
        input="\n".join(lines),
        cwd=project.folder,
        env=project._environ(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    parts = (part.partition("\0") for part in done.stdout.split("\0\0")[:-1])
    return [(int(code), said) for code, _, said in parts]


def typed(project: Project, text: str, *words: str) -> Result:
    """`kartra-sync call` with this on its standard input."""
    done = subprocess.run(
        [COMMAND, "call", *words],
        input=text,
        cwd=project.folder,
        env=project._environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def sandbox(project: Project) -> Iterator[Sandbox]:
    with Sandbox(demo_account(), calls_per_second=0) as served:
        project.aim(served)
        yield served


# --- what it can do, and what it says of that


def test_the_example_of_every_command_does_what_it_says(project: Project, sandbox: Sandbox) -> None:
    """In the order of the help, after somebody was created."""
    order = ["create_lead", *(cmd for cmd in COMMANDS if cmd != "create_lead")]
    done = several(project, [f"{example_of(cmd)} --json" for cmd in order])
    assert [code for code, _ in done] == [0] * 30
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
    for cmd, (code, said) in zip(
        COMMANDS, several(project, [f"kartra-sync call {cmd} --help" for cmd in COMMANDS]), strict=True
    ):
        assert code == 0
        assert said.rstrip().endswith(f"Example:  {example_of(cmd)}")
        errors = {number for number, known in ERROR_TYPES.items() if cmd in known.commands}
        assert set(re.findall(r"^  (\d{3})  ", said, re.MULTILINE)) == errors
        repeat = "safe" if cmd == "get_lead" else REPEAT[cmd].value.replace("_", " ")
        assert f"Repeating it is {repeat}:" in said


def test_the_list_names_every_command(project: Project) -> None:
    listed = project.command("call", "--list", "--json")
    assert (listed.code, [row["cmd"] for row in listed.json["commands"]]) == (0, list(COMMANDS))
    text = project.command("call", "--list").stdout
    assert re.search(r"^refund_transaction +guarded +Pay a sale", text, re.MULTILINE)


def test_a_command_without_its_parameters_shows_them(project: Project) -> None:
    shown = project.command("call", "edit_subscription")
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
    wrong = project.command("call", "asign_tag", "id=1")
    assert (wrong.code, 'did you mean "assign_tag"?' in wrong.stderr) == (2, True)
    rule = project.command("call", "assign_tag", "id=1", "tag_name=", "--json")
    assert (rule.code, rule.json["error"]) == (2, "assign_tag: tag_name cannot be empty")
    del project.environ["KARTRA_API_KEY"]
    unset = project.command("call", "retrieve_account_tags")
    assert (unset.code, unset.stderr.startswith("kartra-sync: KARTRA_API_KEY not set")) == (2, True)
    project.environ |= {"KARTRA_API_KEY": "x", "KARTRA_URL": "http://app.kartra.com/api"}
    insecure = project.command("call", "retrieve_account_tags")
    assert (insecure.code, "https" in insecure.stderr) == (2, True)
    assert sandbox.calls == []


# --- whose account


def test_the_account_comes_from_a_dotenv_or_from_a_pipeline_file(project: Project, sandbox: Sandbox) -> None:
    lines = "".join(f"{name}={value}\n" for name, value in project.environ.items())
    (project.folder / ".env").write_text(lines, encoding="utf-8")
    project.environ.clear()
    listed = project.command("call", "retrieve_account_lists", "--json")
    assert (listed.code, listed.json["answer"]["account_lists"][0]) == (0, "News")
    (project.folder / "p.yaml").write_text(f"{PIPELINE}pull: {{into: t.db, tables: [tags]}}\n", "utf-8")
    assert project.command("call", "retrieve_account_lists", "--file", "p.yaml").code == 0
    assert len(sandbox.calls) == 2


# --- money, and what is once only


def test_a_refund_is_sent_only_once_its_id_is_typed(project: Project, sandbox: Sandbox) -> None:
    words = ("refund_transaction", f"transaction_id={SALE}", "refund_amount=7.50")
    for answer in ("", "y\n", "738475\n"):
        refused = typed(project, answer, *words)
        assert refused.code == 2
        assert "not confirmed: nothing was sent" in refused.stderr
    assert {call.commands for call in sandbox.calls} == {("get_transaction_details",)}
    done = typed(project, f"{SALE}\n", *words, "--json")
    assert (done.code, done.json["answer"]) == (0, {"transaction_refunded": "738482"})
    assert re.search(r"^sale 738474 of 97\.00, Course, .*, lead 39260 \(j\*\*\*@e\*\*\*\.com\)", done.stderr)
    assert sandbox.account.transactions["738482"].amount == "7.50"


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("cancel_transaction transaction_id=738481", "transaction_id"),
        ("modify_subscription_status subscription_id=14833 status=pause", "subscription_id"),
        ("edit_subscription subscription_id=14833 product_quantity=2", "subscription_id"),
        ("give_points_to_lead email=jo@example.com points=1", "email"),
        ("subscribe_lead_to_sequence_at_step id=39260 sequence_name=Win-back step=1", "id"),
    ],
)
def test_what_cannot_be_undone_or_repeated_wants_a_confirmation(
    words: str, asked: str, project: Project, sandbox: Sandbox
) -> None:
    refused = typed(project, "yes\n", *words.split())
    assert (refused.code, f"type the {asked} again to send it" in refused.stderr) == (2, True)
    looked = {cmd for call in sandbox.calls for cmd in call.commands}
    assert looked <= {"get_transaction_details", "get_subscription_details"}


def test_a_payment_that_does_not_exist_is_told_before_anything_is_asked(
    project: Project, sandbox: Sandbox
) -> None:
    unknown = typed(project, "", "refund_transaction", "transaction_id=1")
    assert (unknown.code, "(247)" in unknown.stderr, "type the" in unknown.stderr) == (3, True, False)
    assert [call.commands for call in sandbox.calls] == [("get_transaction_details",)]


# --- answers


def test_an_answer_shows_nobody_unless_asked_to(project: Project, sandbox: Sandbox) -> None:
    words = ("call", "get_lead", "email=ana@example.org")
    told, as_json = (project.command(*words, *more) for more in ((), ("--json",)))
    for person in ("ana@", "Ana", "Núñez", "Ruiz", "Málaga"):
        assert person not in told.stdout + as_json.stdout
    details = as_json.json["answer"]["lead_details"]
    assert (details["email"], details["first_name"]) == ("a***@e***.org", "***")
    assert (details["id"], details["tags"]) == ("39261", [{"tag_name": "Blog"}, {"tag_name": "Newsletter"}])
    assert "Málaga" in project.command(*words, "--show").stdout
    sale = project.command("call", "get_transaction_details", f"transaction_id={SALE}").stdout
    assert ("97.00" in sale, "Smith" in sale, "4242" in sale) == (True, False, False)


def test_a_refusal_says_why_and_what_to_do(project: Project, sandbox: Sandbox) -> None:
    words = ("call", "assign_tag", "email=jo@example.com", "tag_name=VIPs")
    told = project.command(*words)
    assert (told.code, told.stdout) == (3, "")
    known = ERROR_TYPES["212"]
    assert told.stderr == f"Kartra refused assign_tag: {known.message} (212). {known.advice}\n"
    as_json = project.command(*words, "--json")
    assert (as_json.code, as_json.json["effect"], as_json.json["type"]) == (3, "refused", "212")
    project.environ["KARTRA_API_PASSWORD"] = "SECRETPASS"
    fatal = project.command(*words)
    assert (fatal.code, "(233)" in fatal.stderr, "SECRETPASS" in fatal.stderr) == (1, True, False)


@pytest.mark.parametrize(("cmd", "code"), [("give_points_to_lead points=3 --yes", 3), ("search_lead", 1)])
def test_a_lost_answer_is_not_sent_again_and_says_what_to_read_back(
    cmd: str, code: int, project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(cut_after=1))
    name, *words = cmd.split()
    lost = project.command("call", name, "email=jo@example.com", *words, "--json")
    assert (lost.code, lost.json["effect"], len(sandbox.calls)) == (code, "unknown", 1)
    if code == 3:
        assert lost.json["read_back"] == "get_lead: the score, against what it was before"
        assert "it takes effect twice" in lost.json["message"]
