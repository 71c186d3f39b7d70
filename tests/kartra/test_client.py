"""The client for engineers: each command does what it says, and whatever goes wrong says what to do next.

Over 400 lines, because the table of cases has a row for each of thirty commands.
"""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra import (
    ActionOutcome,
    ApiError,
    Cancellation,
    CustomFieldDefinition,
    CustomFieldValue,
    FatalApiError,
    KartraClient,
    Lead,
    LeadSubscription,
    LeadTransaction,
    Refund,
    RefusedApiError,
    RetryableApiError,
    UnknownOutcomeError,
    commands,
)
from connectors.kartra.commands import LEAD_BOUND, READS, REPEAT
from connectors.kartra.error_types import ERROR_TYPES, ErrorClass
from connectors.kartra.limiter import HostBucket
from connectors.kartra.sandbox import Account, Booking, Faults, Sandbox, demo_account
from tests.kartra.test_sender import client_of
from tests.raw_server import RawServer, answer

EXAMPLE = Path(__file__).parents[2] / "configs" / "python" / "one_lead.py"
JO, NOBODY = Lead(email="jo@example.com"), Lead(email="nobody@example.org")
NOON = (datetime.now() + timedelta(days=30)).replace(hour=12, minute=0, second=0, microsecond=0)  # noqa: DTZ005
SALE, MONTHLY, PAYPAL, ENDED = "738474", "14833", "14834", "14835"

Method = Callable[[KartraClient], Any]


@dataclass(frozen=True)
class Case:
    """One command: how it is called, what comes back, what the account then has; and how it is refused."""

    cmd: str
    use: Method
    gives: object
    refused: Method | None
    type: str = ""
    has: Callable[[Account], bool] | None = None


def jo(account: Account) -> Any:
    return account.leads["39260"]


CASES = [
    Case(
        "create_lead",
        lambda kartra: kartra.create_lead(
            Lead(
                email="nia@example.org",
                fields={"first_name": "Nia"},
                custom_fields=(CustomFieldValue("note", "hello"), CustomFieldValue("fruits", (1, 2))),
            )
        ),
        "39264",
        lambda kartra: kartra.create_lead(JO),
        "244",
        lambda account: (
            account.leads["39264"].fields == {"first_name": "Nia"}
            and account.leads["39264"].custom_fields == {"note": "hello", "fruits": ["1", "2"]}
        ),
    ),
    Case(
        "edit_lead",
        lambda kartra: kartra.edit_lead(replace(JO, fields={"city": "Lyon"}, new_email="joe@example.com")),
        None,
        lambda kartra: kartra.edit_lead(replace(JO, new_email="ana@example.org")),
        "244",
        lambda account: (jo(account).email, jo(account).fields["city"]) == ("joe@example.com", "Lyon"),
    ),
    Case(
        "search_lead",
        lambda kartra: kartra.search_lead(JO),
        "39260",
        lambda kartra: kartra.search_lead(Lead(email="gone@example.com")),
        "245",
    ),
    Case(
        "get_lead",
        lambda kartra: kartra.get_lead(Lead(id="39260")).lists,
        {"News": True, "Old": False},
        lambda kartra: kartra.get_lead(NOBODY),
        "234",
    ),
    Case(
        "assign_tag",
        lambda kartra: kartra.assign_tag(JO, "Blog"),
        None,
        lambda kartra: kartra.assign_tag(JO, "Blogs"),
        "212",
        lambda account: "Blog" in jo(account).tags,
    ),
    Case(
        "unassign_tag",
        lambda kartra: kartra.unassign_tag(JO, "VIP"),
        None,
        lambda kartra: kartra.unassign_tag(JO, "VIPs"),
        "214",
        lambda account: "VIP" not in jo(account).tags,
    ),
    Case(
        "subscribe_lead_to_list",
        lambda kartra: kartra.subscribe_lead_to_list(JO, "Webinar"),
        None,
        lambda kartra: kartra.subscribe_lead_to_list(JO, "Webinars"),
        "231",
        lambda account: jo(account).lists["Webinar"],
    ),
    Case(
        "unsubscribe_lead_from_list",
        lambda kartra: kartra.unsubscribe_lead_from_list(JO, "News"),
        None,
        lambda kartra: kartra.unsubscribe_lead_from_list(NOBODY, "News"),
        "243",
        lambda account: jo(account).lists["News"] is False,
    ),
    Case(
        "subscribe_lead_to_sequence_at_step",
        lambda kartra: kartra.subscribe_lead_to_sequence_at_step(JO, "Win-back", 2),
        None,
        lambda kartra: kartra.subscribe_lead_to_sequence_at_step(JO, "Win-back", 9),
        "230",
        lambda account: jo(account).sequence_starts == [("Win-back", "2")],
    ),
    Case(
        "unsubscribe_lead_from_sequence",
        lambda kartra: kartra.unsubscribe_lead_from_sequence(JO, "Onboarding"),
        None,
        lambda kartra: kartra.unsubscribe_lead_from_sequence(JO, "Offboarding"),
        "220",
        lambda account: jo(account).sequences["Onboarding"].status == "unsubscribed",
    ),
    Case(
        "give_points_to_lead",
        lambda kartra: kartra.give_points_to_lead(JO, 5, expiration_days=90),
        None,
        lambda kartra: kartra.give_points_to_lead(NOBODY, 5),
        "243",
        lambda account: (
            jo(account).score == 35
            and [(one.points, one.expiration_days) for one in jo(account).points_log] == [(5, 90)]
        ),
    ),
    Case(
        "remove_points_from_lead",
        lambda kartra: kartra.remove_points_from_lead(JO, 5),
        None,
        lambda kartra: kartra.remove_points_from_lead(NOBODY, 5),
        "243",
        lambda account: jo(account).score == 25,
    ),
    Case(
        "retrieve_account_tags",
        lambda kartra: kartra.retrieve_account_tags()[:2],
        ("Imported", "VIP"),
        None,
    ),
    Case(
        "retrieve_account_lists",
        lambda kartra: kartra.retrieve_account_lists(),
        ("News", "Old", "Customers", "Webinar"),
        None,
    ),
    Case(
        "retrieve_account_sequences",
        lambda kartra: kartra.retrieve_account_sequences(),
        ("Onboarding", "Win-back"),
        None,
    ),
    Case(
        "retrieve_account_pages",
        lambda kartra: kartra.retrieve_account_pages()[0],
        "Home",
        None,
    ),
    Case(
        "retrieve_custom_fields",
        lambda kartra: kartra.retrieve_custom_fields()[2],
        CustomFieldDefinition("size", "drop_down", {"small": "610", "medium": "611", "large": "612"}),
        None,
    ),
    Case(
        "create_custom_field",
        lambda kartra: kartra.create_custom_field("eyes", "checkbox", ["blue", "brown"]),
        None,
        lambda kartra: kartra.create_custom_field("note", "input_field"),
        "264",
        lambda account: [*account.custom_field("eyes").options.values()] == ["blue", "brown"],  # type: ignore[union-attr]
    ),
    Case(
        "calendar_subscribe",
        lambda kartra: kartra.calendar_subscribe(JO, "Group classes", "Yoga", NOON),
        None,
        lambda kartra: kartra.calendar_subscribe(JO, "Retreat", "Weekend"),
        "257",
        lambda account: [one.class_name for one in jo(account).bookings] == ["Yoga"],
    ),
    Case(
        "calendar_cancel",
        lambda kartra: kartra.calendar_cancel(Lead(email="ana@example.org"), "Coaching", "Discovery call"),
        None,
        lambda kartra: kartra.calendar_cancel(JO, "Coaching", "Discovery call"),
        "259",
        lambda account: [one.status for one in account.leads["39261"].bookings] == ["cancelled"],
    ),
    Case(
        "search_transaction",
        lambda kartra: kartra.search_transaction(SALE),
        None,
        lambda kartra: kartra.search_transaction(1),
        "247",
    ),
    Case(
        "get_transaction_details",
        lambda kartra: kartra.get_transaction_details(int(SALE)).transaction_full_amount,
        Decimal("97.00"),
        lambda kartra: kartra.get_transaction_details(1),
        "247",
    ),
    Case(
        "retrieve_transactions_from_lead",
        lambda kartra: kartra.retrieve_transactions_from_lead(JO)[0],
        LeadTransaction(SALE, "39260", "jo@example.com", "sale"),
        lambda kartra: kartra.retrieve_transactions_from_lead(NOBODY),
        "243",
    ),
    Case(
        "refund_transaction",
        lambda kartra: kartra.refund_transaction(SALE, Decimal("7.50")),
        Refund("738482"),
        lambda kartra: kartra.refund_transaction("738475"),
        "250",
        lambda account: account.transactions["738482"].amount == "7.50",
    ),
    Case(
        "cancel_transaction",
        lambda kartra: kartra.cancel_transaction(transaction_id="738481"),
        Cancellation("I-EV375R0H61SM", PAYPAL),
        lambda kartra: kartra.cancel_transaction(internal_subscription_id=ENDED),
        "252",
        lambda account: account.subscriptions[PAYPAL].status == "Cancelled",
    ),
    Case(
        "search_subscription",
        lambda kartra: kartra.search_subscription(MONTHLY),
        None,
        lambda kartra: kartra.search_subscription(1),
        "248",
    ),
    Case(
        "get_subscription_details",
        lambda kartra: kartra.get_subscription_details(MONTHLY).subscription_installments_left,
        "Until cancelled",
        lambda kartra: kartra.get_subscription_details(1),
        "248",
    ),
    Case(
        "retrieve_subscriptions_from_lead",
        lambda kartra: kartra.retrieve_subscriptions_from_lead(JO),
        (LeadSubscription(MONTHLY, "39260", "jo@example.com", "Active"),),
        lambda kartra: kartra.retrieve_subscriptions_from_lead(NOBODY),
        "243",
    ),
    Case(
        "modify_subscription_status",
        lambda kartra: kartra.modify_subscription_status(MONTHLY, "pause"),
        None,
        lambda kartra: kartra.modify_subscription_status(PAYPAL, "pause"),
        "284",
        lambda account: account.subscriptions[MONTHLY].status == "Paused",
    ),
    Case(
        "edit_subscription",
        lambda kartra: kartra.edit_subscription(MONTHLY, amount=Decimal("25.50"), next_payment_at=NOON),
        None,
        lambda kartra: kartra.edit_subscription(ENDED, product_quantity=2),
        "275",
        lambda account: (
            (account.subscriptions[MONTHLY].amount, account.subscriptions[MONTHLY].next_payment_date)
            == ("25.50", f"{NOON:%Y-%m-%d} 12:00:00")
        ),
    ),
]
REFUSED = [case for case in CASES if case.refused]
WRITES = [case for case in CASES if case.cmd not in READS]


def by_cmd(case: Case) -> str:
    return case.cmd


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    account = demo_account()
    account.leads["39261"].bookings.append(Booking("Coaching", "Discovery call"))
    with Sandbox(account, calls_per_second=0) as served:
        yield served


@pytest.fixture
def kartra(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KartraClient]:
    monkeypatch.setenv("KARTRA_SYNC_PACING", str(tmp_path))
    with connected(sandbox) as client:
        yield client


def connected(sandbox: Sandbox, **options: Any) -> KartraClient:
    secrets = sandbox.credentials
    return KartraClient.connect(
        **{
            "app_id": secrets.app_id,
            "api_key": secrets.api_key,
            "api_password": secrets.api_password,
            "url": sandbox.url,
            **options,
        }
    )


# --- every command


def test_there_is_a_case_for_every_command() -> None:
    assert [case.cmd for case in CASES if case.cmd != "get_lead"] == list(REPEAT)


@pytest.mark.parametrize("case", CASES, ids=by_cmd)
def test_a_method_gives_its_result_for_one_call(case: Case, kartra: KartraClient, sandbox: Sandbox) -> None:
    assert case.use(kartra) == case.gives
    assert [call.commands for call in sandbox.calls] == [(case.cmd,)]
    assert case.has is None or case.has(sandbox.account)


@pytest.mark.parametrize("case", REFUSED, ids=by_cmd)
def test_a_refusal_has_kartras_type_and_what_to_do(
    case: Case, kartra: KartraClient, sandbox: Sandbox
) -> None:
    assert case.refused is not None
    with pytest.raises(RefusedApiError) as refused:
        case.refused(kartra)
    assert (refused.value.type, len(sandbox.calls)) == (case.type, 1)
    assert refused.value.actions == (ActionOutcome(case.cmd, "refused", case.type),)
    known = ERROR_TYPES[case.type]
    assert str(refused.value) == f"Kartra refused {case.cmd}: {known.message} ({case.type}). {known.advice}"


@pytest.mark.parametrize("case", CASES, ids=by_cmd)
def test_a_lost_answer_is_never_sent_again(case: Case, kartra: KartraClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(Faults(cut_after=1))
    with pytest.raises(RetryableApiError if case.cmd in READS else UnknownOutcomeError) as lost:
        case.use(kartra)
    assert len(sandbox.calls) == 1
    assert case.has is None or case.has(sandbox.account)
    assert lost.value.actions == (ActionOutcome(case.cmd, "unknown", None),)
    if isinstance(lost.value, UnknownOutcomeError):
        assert lost.value.read_back in str(lost.value)


@pytest.mark.parametrize("case", WRITES, ids=by_cmd)
def test_what_to_read_back_shows_what_was_done(case: Case, kartra: KartraClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(Faults(bad_gateway_after=1, to_call=1))
    with pytest.raises(UnknownOutcomeError) as lost:
        case.use(kartra)
    first_word = lost.value.read_back.split()[0].strip(":,")
    assert hasattr(kartra, first_word) or lost.value.read_back.startswith("no command shows it")


# --- what the docstrings say


@pytest.mark.parametrize("case", CASES, ids=by_cmd)
def test_a_docstring_names_every_error_the_repeat_and_the_source(case: Case) -> None:
    told = inspect.getdoc(getattr(KartraClient, case.cmd)) or ""
    documented = {number for number, known in ERROR_TYPES.items() if case.cmd in known.commands}
    assert set(re.findall(r"\b2\d\d\b", told.partition("Refused:")[2])) >= documented
    again = {"safe": "Again: safe", "guarded": "Again: guarded", "once_only": "Again: once only"}
    repeat = "safe" if case.cmd == "get_lead" else REPEAT[case.cmd].value
    assert again[repeat] in told
    assert re.search(r"§\d(\.\d+)*$", told)


def test_the_fatal_types_stand_in_the_docstring_of_the_client() -> None:
    fatal = {number for number, known in ERROR_TYPES.items() if known.error_class is ErrorClass.FATAL}
    told = inspect.getdoc(KartraClient) or ""
    spans = re.findall(r"(\d{3})-(\d{3})", told)
    named = {str(number) for first, last in spans for number in range(int(first), int(last) + 1)}
    assert named | set(re.findall(r"\d{3}", told)) >= fatal


@pytest.mark.parametrize("cmd", list(REPEAT))
def test_a_method_takes_what_the_builder_of_its_command_takes(cmd: str) -> None:
    taken = list(inspect.signature(getattr(KartraClient, cmd)).parameters.values())[1:]
    if cmd in LEAD_BOUND:
        assert (taken[0].name, taken[0].annotation) == ("lead", Lead)
        taken = taken[1:]
    assert taken == list(inspect.signature(getattr(commands, cmd)).parameters.values())


# --- the tree of errors


def test_a_broken_rule_is_a_refusal_that_was_not_sent(kartra: KartraClient, sandbox: Sandbox) -> None:
    broken: list[tuple[Method, str]] = [
        (lambda client: client.assign_tag(JO, " "), "tag_name cannot be empty"),
        (lambda client: client.assign_tag(JO, None), "tag_name cannot be empty"),
        (lambda client: client.assign_tag("jo@example.com", "VIP"), "which lead is said by Lead"),
        (lambda client: client.assign_tag(Lead(), "VIP"), "a lead needs exactly one of id and email"),
        (lambda client: client.create_lead(Lead(id="7")), "create_lead needs an email"),
        (lambda client: client.get_lead(replace(JO, fields={"city": "Lyon"})), "get_lead takes no profile"),
        (lambda client: client.refund_transaction("I-EV375R0H61SM"), "transaction_id is Kartra's own number"),
        (lambda client: client.edit_subscription(1, amount=Decimal("0.99")), "amount: 1.00 to 9999.99"),
        (lambda client: client.edit_subscription(1, amount=22.5), "amount has to be a Decimal"),
        (lambda client: client.refund_transaction(SALE, 7.5), "refund_amount has to be a Decimal"),
        (lambda client: client.chain(JO), "a call needs an action"),
        (
            lambda client: client.chain(JO, *[commands.assign_tag("VIP")] * 900),
            "a call of 1804 form fields; the limit is 900",
        ),
    ]
    for use, rule in broken:
        with pytest.raises(RefusedApiError, match=f"^{rule}.* \\(not sent\\)$") as refused:
            use(kartra)
        assert (refused.value.type, refused.value.actions) == (None, ())
    assert sandbox.calls == []


def test_a_call_that_met_nobody_may_be_sent_again(kartra: KartraClient, sandbox: Sandbox) -> None:
    sandbox.stop()
    with pytest.raises(RetryableApiError, match=r"^give_points_to_lead: nothing was carried out"):
        kartra.give_points_to_lead(JO, 5)
    sandbox.start()


def test_a_429_is_waited_out_and_the_call_is_carried_out_once(kartra: KartraClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(Faults(throttle=1, to_call=1))
    kartra.give_points_to_lead(JO, 5)
    assert [call.executed for call in sandbox.calls] == [False, True]
    assert jo(sandbox.account).score == 35


def test_a_refund_whose_payment_provider_fails_has_no_known_outcome(
    kartra: KartraClient, sandbox: Sandbox
) -> None:
    sandbox.account.transactions[SALE].gateway_fails = True
    with pytest.raises(UnknownOutcomeError, match=r"Refund has failed \(266\)") as lost:
        kartra.refund_transaction(SALE)
    assert lost.value.type == "266"
    assert lost.value.read_back.startswith("retrieve_transactions_from_lead")


def test_credentials_that_are_refused_are_fatal_and_shown_nowhere(
    sandbox: Sandbox, kartra: KartraClient
) -> None:
    with (
        connected(sandbox, api_password="SECRETPASS") as client,
        pytest.raises(FatalApiError, match=r"^Kartra: API password not valid") as refused,
    ):
        client.assign_tag(JO, "VIP")
    assert refused.value.type == "233"
    assert "SECRETPASS" not in f"{refused.value!r} {client!r}"


def test_every_error_of_the_client_is_an_api_error_and_holds_no_address(
    kartra: KartraClient, sandbox: Sandbox
) -> None:
    errors: list[ApiError] = []
    for faults in (Faults(), Faults(not_json=1), Faults(bad_gateway_before=1)):
        sandbox.set_faults(faults)
        for use in (case.refused for case in REFUSED if case.cmd in LEAD_BOUND):
            assert use is not None
            with pytest.raises(ApiError) as raised:
                use(kartra)
            errors.append(raised.value)
    assert not [error for error in errors if "@" in f"{error} {error!r}"]


@pytest.mark.parametrize("missing", ["app_id", "api_key", "api_password"])
def test_a_client_needs_its_three_credentials(missing: str, sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match=r"^app_id, api_key and api_password are needed"):
        connected(sandbox, **{missing: ""})
    with pytest.raises(ValueError, match=r"^calls_per_second"):
        connected(sandbox, calls_per_second=21)


# --- several actions in one call


def test_a_chain_is_one_call_and_gives_the_id_of_the_new_lead(kartra: KartraClient, sandbox: Sandbox) -> None:
    done = kartra.chain(
        Lead(email="nia@example.org", fields={"first_name": "Nia"}),
        commands.create_lead(),
        commands.assign_tag("VIP"),
        commands.subscribe_lead_to_list("News"),
    )
    assert done.lead_id == "39264"
    assert [call.commands for call in sandbox.calls] == [
        ("create_lead", "assign_tag", "subscribe_lead_to_list")
    ]
    assert sandbox.account.leads["39264"].tags == {"VIP"}


@pytest.mark.parametrize(("chain_errors", "last"), [("nested", ("done", None)), ("flat", ("unknown", None))])
def test_a_chain_that_fails_tells_what_became_of_each_action(
    chain_errors: str, last: tuple[str, str | None], kartra: KartraClient, sandbox: Sandbox
) -> None:
    """A flat error says nothing of the others, so that they have to be read back."""
    sandbox.set_options(chain_errors=chain_errors)
    expected = RefusedApiError if chain_errors == "nested" else UnknownOutcomeError
    with pytest.raises(expected) as failed:
        kartra.chain(JO, commands.assign_tag("Nope"), commands.subscribe_lead_to_list("Webinar"))
    assert failed.value.actions == (
        ActionOutcome("assign_tag", "refused", "212"),
        ActionOutcome("subscribe_lead_to_list", *last),
    )


def test_a_read_whose_entry_is_missing_in_a_chain_is_asked_for_alone(
    kartra: KartraClient, sandbox: Sandbox
) -> None:
    sandbox.set_faults(Faults(missing_entry=1))
    with pytest.raises(RetryableApiError, match=r"^no usable answer to retrieve_transactions_from_lead,"):
        kartra.chain(JO, commands.assign_tag("Blog"), commands.retrieve_transactions_from_lead())


# --- results


def test_a_profile_has_what_kartra_sent(kartra: KartraClient) -> None:
    profile = kartra.get_lead(JO)
    assert (profile.id, profile.email, profile.score) == ("39260", "jo@example.com", 30)
    assert profile.tags == {"VIP", "Customer"}
    assert profile.custom_fields["fruits"] == ("apple", "pear")
    assert profile.details["memberships"][0]["level_name"] == "Gold"
    assert profile == kartra.get_lead(Lead(id="39260"))


@pytest.mark.parametrize("php_lists", [False, True])
def test_a_transaction_is_exact_and_knows_what_is_absent(
    php_lists: bool, kartra: KartraClient, sandbox: Sandbox
) -> None:
    sandbox.set_options(php_lists=php_lists)
    sandbox.account.transactions[SALE].amount = "1234.10"
    sale, rebill = (kartra.get_transaction_details(number) for number in (SALE, "738480"))
    assert (str(sale.transaction_full_amount), sale.transaction_quantity) == ("1234.10", 1)
    assert (sale.transaction_type, sale.lead_id, sale.product_name) == ("sale", "39260", "Course")
    assert sale.transaction_date == datetime.fromisoformat(sandbox.account.transactions[SALE].date)
    assert (sale.transaction_internal_subscription_id, sale.transaction_parent_id) == (None, None)
    assert (rebill.transaction_internal_subscription_id, rebill.details["original_id"]) == (MONTHLY, "738479")
    listed = kartra.retrieve_transactions_from_lead(Lead(email="ana@example.org"))
    assert [one.transaction_type for one in listed] == ["sale", "partial_refund", "failed", "sale"]
    assert kartra.retrieve_transactions_from_lead(Lead(email="lee@example.net")) == ()


def test_a_subscription_that_goes_on_has_no_end(kartra: KartraClient) -> None:
    monthly, ended = kartra.get_subscription_details(MONTHLY), kartra.get_subscription_details(ENDED)
    assert (monthly.subscription_end_date, monthly.subscription_next_scheduled_payment_amount) == (
        None,
        Decimal("22.00"),
    )
    assert (ended.subscription_status, ended.subscription_next_scheduled_payment_amount) == (
        "Terminated",
        None,
    )
    assert (ended.subscription_installments_left, ended.subscription_current_installment) == ("0", 3)
    assert ended.subscription_end_date is not None


def test_a_creation_without_an_id_in_its_answer_is_to_be_read_back(tmp_path: Path) -> None:
    with (
        RawServer([answer(b'{"status":"Success"}')]) as server,
        client_of(server.url, tmp_path) as sender,
        pytest.raises(UnknownOutcomeError, match=r"^created, but the answer has no id") as told,
    ):
        KartraClient(sender).create_lead(Lead(email="nia@example.org"))
    assert told.value.read_back.startswith("get_lead by the address")


# --- threads and processes


def test_many_threads_use_one_client(kartra: KartraClient, sandbox: Sandbox) -> None:
    leads = [Lead(email=f"lead{number}@example.org") for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(kartra.create_lead, leads))
    assert [sandbox.account.leads[number].email for number in numbers] == [lead.email for lead in leads]


ASKING = """
import sys
from connectors.kartra import KartraClient
url, app_id, api_key, api_password = sys.argv[1:]
with KartraClient.connect(app_id=app_id, api_key=api_key, api_password=api_password, url=url) as kartra:
    for _ in range(5):
        kartra.retrieve_account_lists()
"""


def test_processes_share_the_window_of_their_app(sandbox: Sandbox, tmp_path: Path) -> None:
    """That the window keeps the limit is shown where limiters are tested: it has to be the same one."""
    secrets = sandbox.credentials
    words = [sandbox.url, secrets.app_id, secrets.api_key, secrets.api_password]
    asking = [
        subprocess.Popen([sys.executable, "-c", ASKING, *words], env={"KARTRA_SYNC_PACING": str(tmp_path)})
        for _ in range(2)
    ]
    assert [process.wait(60) for process in asking] == [0, 0]
    assert sum(call.executed for call in sandbox.calls) == 10
    (window,) = tmp_path.rglob("*.window")
    assert HostBucket(window, permits=20, seconds=3600.0).count() == 10


def test_the_example_of_the_guide_runs(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("app_id", "api_key", "api_password"):
        monkeypatch.setenv(f"KARTRA_{name.upper()}", getattr(sandbox.credentials, name))
    monkeypatch.setenv("KARTRA_URL", sandbox.url)
    exec(compile(EXAMPLE.read_text("utf-8"), str(EXAMPLE), "exec"), {})
    ann = sandbox.account.lead("ann@example.org")
    assert ann is not None
    assert (ann.fields["first_name"], ann.tags, ann.lists) == ("Ann", {"VIP"}, {"News": True})
