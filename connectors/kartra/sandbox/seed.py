"""The account a sandbox starts with: enough of everything to rehearse every command.

Dates are counted from now, so that there is always a sale inside its refund period and one outside.
"""

from datetime import timedelta

from connectors.kartra.sandbox.account import (
    Account,
    Calendar,
    CustomField,
    Membership,
    SandboxLead,
    SequenceEntry,
    Subscription,
    Transaction,
    est_now,
    est_text,
)


def demo_account() -> Account:
    account = Account(
        tags=[
            "Imported",
            "VIP",
            "Blog",
            "Customer",
            "Newsletter",
            "Webinar 2026",
            "Lead magnet",
            "Affiliate",
            "Refunded",
            "Trial",
            # Two names that a careless encoding would break on the wire (§1.3).
            "Workshop & Co",
            "Bücher",
        ],
        lists=["News", "Old", "Customers", "Webinar"],
        sequences={"Onboarding": ["1", "2", "3", "4", "5"], "Win-back": ["1", "2", "3"]},
        calendars={
            "Coaching": Calendar(["Discovery call", "Monthly review"]),
            "Group classes": Calendar(["Yoga", "Breathing"]),
            # Answers 257, as one that is not there at all (§5.5).
            "Retreat": Calendar(["Weekend"], completed=False),
        },
        pages=["Home", "Opt-in", "Thank you", "Webinar registration"],
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "bio", "text_area"),
            CustomField("3", "size", "drop_down", {"610": "small", "611": "medium", "612": "large"}),
            CustomField("4", "plan", "radio_button", {"1": "free", "2": "basic", "3": "pro"}),
            CustomField("5", "fruits", "checkbox", {"1": "apple", "2": "pear", "3": "plum", "4": "cherry"}),
        ],
        products={"1": 1, "2": 3, "3": 2},
    )
    jo, ana = _add_people(account)
    _add_sales(account, jo, ana)
    _add_subscriptions(account, jo, ana)
    return account


def _add_people(account: Account) -> tuple[SandboxLead, SandboxLead]:
    """The two who buy; one who left a list and one who was deleted are there too."""
    jo = account.add_lead(
        "jo@example.com", first_name="Jo", last_name="Smith", city="Detroit", country="United States"
    )
    jo.tags |= {"VIP", "Customer"}
    jo.lists |= {"News": True, "Old": False}
    jo.sequences["Onboarding"] = SequenceEntry("3")
    jo.custom_fields |= {"note": "two words", "size": ["612"], "fruits": ["1", "2"]}
    # A level that was revoked stays among them (§6.2).
    jo.memberships = [Membership("Course", "Gold"), Membership("Course", "Silver", active=False)]
    jo.score = 30
    ana = account.add_lead(
        "ana@example.org", first_name="Ana", last_name="Núñez", last_name2="Ruiz", city="Málaga"
    )
    ana.tags |= {"Newsletter", "Blog"}
    ana.lists |= {"News": True, "Webinar": True}
    ana.source = "double-optin"
    lee = account.add_lead("lee@example.net", first_name="Lee", company="Lee & Sons")
    lee.lists["News"] = False
    gone = account.add_lead("gone@example.com", first_name="Gone")
    # It answers 245, unlike an address that nobody ever had (§10.9).
    gone.deleted = True
    return jo, ana


def _days(count: int) -> str:
    return est_text(est_now() + timedelta(days=count))


def _add_sales(account: Account, jo: SandboxLead, ana: SandboxLead) -> None:
    account.add_transaction(Transaction(jo.id, date=_days(-3)))
    account.add_transaction(Transaction(jo.id, date=_days(-200), amount="49.00"))
    returned = account.add_transaction(Transaction(ana.id, date=_days(-9), amount="80.00"))
    account.add_transaction(
        Transaction(ana.id, type="partial_refund", date=_days(-5), amount="30.00", parent_id=returned.id)
    )
    account.add_transaction(Transaction(ana.id, type="failed", date=_days(-10), amount="80.00"))


def _add_subscriptions(account: Account, jo: SandboxLead, ana: SandboxLead) -> None:
    monthly = account.add_subscription(
        Subscription(jo.id, start_date=_days(-40), next_payment_date=_days(20), current_installment="2")
    )
    for days in (-40, -10):
        account.add_transaction(
            Transaction(
                jo.id,
                type="sale" if days == -40 else "rebill",
                date=_days(days),
                amount="22.00",
                product_name="Membership",
                product_id="2",
                subscription_id=monthly.id,
            )
        )
    # PayPal's has an id of PayPal's own, and can only be cancelled (§5.6, §5.7).
    paypal = account.add_subscription(
        Subscription(
            ana.id,
            start_date=_days(-5),
            next_payment_date=_days(25),
            gateway_id="I-EV375R0H61SM",
            paypal=True,
        )
    )
    account.add_transaction(
        Transaction(
            ana.id,
            date=_days(-5),
            amount="22.00",
            product_id="2",
            subscription_id=paypal.id,
            card_digits="N/A",
        )
    )
    account.add_subscription(
        Subscription(
            ana.id,
            product_id="3",
            price_point_type="Installments",
            status="Terminated",
            start_date=_days(-120),
            end_date=_days(-30),
            current_installment="3",
            installments_left="0",
        )
    )
