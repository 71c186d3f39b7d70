"""The exports of platforms people come from, told by their header rows.

Pure. `sure` says how a header row is known: A from a real file, B from several programs that agree, C from
one that reads it. Detection by C alone is a guess, and said to be one. Who opted out is not here: that is
told by families of words, whatever the platform (`pipelines.contacts.opt_outs`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.drafts.headers import SUBSCRIBED, key_of

_GOOGLES_OWN = (
    "myContacts",
    "My Contacts",
    "starred",
    "Starred in Android",
    "friends",
    "family",
    "coworkers",
)


@dataclass(frozen=True, slots=True)
class Preset:
    """An export. It is told by `marks`: all of these columns, and one of `one_of` where that is not empty."""

    name: str
    sure: str
    marks: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    split: str = ","
    """What separates tags in their column."""
    no_tags: tuple[str, ...] = ()
    """What stands among the tags and is not a tag."""
    status: str | None = None
    """The column that says who may be mailed, and what it says then."""
    accepted: tuple[str, ...] = SUBSCRIBED
    other_status: tuple[str, ...] = ()
    """Columns that are called as a status of mail, and are about something else, as a plan is."""
    newest: str | None = None
    """The column that tells the latest of several rows of a person."""
    status_in_name: bool = False
    """Whether the name of the file says who may be mailed: subscribed, unsubscribed, cleaned."""


PRESETS = (
    # Its tags stand in their cell as a CSV of their own, quotes and all.
    Preset("Mailchimp", "A", ("leid", "euid"), split="csv", newest="LAST_CHANGED", status_in_name=True),
    Preset("Kajabi", "A", ("member id",), ("phone number (phone_number)", "email (email)", "products")),
    Preset("Zoho", "C", ("record id", "email opt out"), ("contact owner", "lead owner", "account name")),
    Preset(
        "HubSpot",
        "A/B",
        ("record id", "email"),
        ("contact owner", "lead status", "create date"),
        split=";",
        status="Marketing contact status",
        accepted=("marketing contact",),
    ),
    Preset("GoHighLevel", "A/B", ("contact id",), ("last activity", "business name")),
    Preset("Kartra's transactions", "A", ("transaction_type", "buyer_email"), split=";", newest="Date"),
    Preset("Kartra's leads", "C", ("phone_country_code",), ("email", "lead_email"), split=";"),
    Preset(
        "Brevo",
        "C",
        ("email", "email_blacklisted"),
        # A consent turned round: who is not blacklisted may be mailed.
        status="EMAIL_BLACKLISTED",
        accepted=("false", "no", "0"),
    ),
    Preset("systeme.io", "C", ("email", "surname", "date registered")),
    Preset("Constant Contact", "C", ("email address", "email status"), status="Email status"),
    Preset(
        "Google Contacts",
        "C",
        ("e-mail 1 - value",),
        ("e-mail 1 - label", "e-mail 1 - type", "labels", "group membership"),
        split=" ::: ",
        no_tags=tuple(f"* {name}" for name in _GOOGLES_OWN),
    ),
    Preset("Outlook", "C", ("e-mail address", "e-mail 2 address"), split=";"),
    Preset(
        "Shopify",
        "C",
        ("email", "accepts email marketing"),
        ("total orders", "total spent", "tax exempt"),
        status="Accepts Email Marketing",
        accepted=("yes",),
    ),
    Preset(
        "Shopify",
        "C",
        ("email", "accepts marketing", "total spent"),
        status="Accepts Marketing",
        accepted=("yes", "true"),
    ),
    Preset("WooCommerce", "C", ("email", "username", "total spend"), ("aov", "orders", "sign up")),
    Preset("WooCommerce", "C", ("user_email", "user_login"), ("billing_first_name", "billing_city", "roles")),
    Preset(
        "Salesforce",
        "C",
        ("email", "hasoptedoutofemail"),
        ("lastname", "last name", "id"),
        other_status=("Status",),
    ),
    Preset("Salesforce", "C", ("email", "email opt out"), ("account name", "account owner", "lead owner")),
    Preset(
        "Pipedrive",
        "C",
        ("person - name",),
        ("person - email", "person - email - work", "person - marketing status"),
        status="Person - Marketing status",
        accepted=("subscribed",),
    ),
    Preset(
        "Ghost", "C", ("email", "subscribed_to_emails"), status="subscribed_to_emails", accepted=("true",)
    ),
    Preset(
        "Substack",
        "C",
        ("email", "active_subscription"),
        ("email_disabled", "plan", "expiry"),
        other_status=("active_subscription",),
    ),
    Preset(
        "Stripe customers",
        "C",
        ("email", "delinquent"),
        ("created (utc)", "card id", "total spend"),
        other_status=("Status",),
    ),
    Preset("Eventbrite", "C", ("attendee email",), ("order id", "order date", "attendee status")),
    Preset(
        "Eventbrite",
        "C",
        ("email", "ticket type"),
        ("order no.", "order #", "order id", "attendee #", "attendee no."),
        newest="Order Date",
    ),
    Preset(
        "ActiveCampaign",
        "C",
        ("email", "date created", "status"),
        ("ip", "tags", "phone"),
        status="Status",
        accepted=("1", "active", "subscribed"),
    ),
    Preset("Kit", "C", ("email", "created_at", "status"), ("first_name",), status="status"),
    Preset("ClickFunnels", "C", ("email", "additional info")),
)


def preset_of(columns: Sequence[str]) -> Preset | None:
    """The export that has these columns; the first of PRESETS where several would do."""
    names = set(map(key_of, columns))
    for preset in PRESETS:
        one_of = set(map(key_of, preset.one_of))
        if names.issuperset(map(key_of, preset.marks)) and (not one_of or names & one_of):
            return preset
    return None


def platforms() -> tuple[str, ...]:
    """Their names, each once."""
    return tuple(dict.fromkeys(preset.name for preset in PRESETS))
