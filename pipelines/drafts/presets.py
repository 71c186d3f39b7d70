"""The exports of platforms people come from, told by their header rows, and what headers commonly mean.

Pure. `sure` says how a header row is known: A from a real file, B from several programs that agree, C from
one that reads it. Detection by C alone is a guess, and said to be one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FIELD_NAMES: dict[str, tuple[str, ...]] = {
    "email": (
        *("email", "email address", "e-mail", "e-mail address", "mail", "email (email)", "email_address"),
        *("lead_email", "buyer_email", "correo", "correo electrónico", "adresse e-mail", "e-mail-adresse"),
        *("adresse électronique", "indirizzo email", "メール", "メールアドレス"),
        *("e-mail adres", "e-mailadres", "emailadres", "endereço de e-mail"),
    ),
    "first_name": (
        *("first name", "firstname", "first_name", "fname", "given name", "buyer_first_name", "vorname"),
        *("prénom", "prenom", "nombre", "nome", "voornaam", "lead_first_name"),
    ),
    "last_name": (
        *("last name", "lastname", "last_name", "lname", "surname", "family name", "nachname", "nom"),
        *("apellido", "apellidos", "cognome", "sobrenome", "achternaam", "lead_last_name"),
    ),
    "phone": (
        *("phone", "phone number", "phone number (phone_number)", "mobile phone", "sms", "telephone"),
        *("buyer_phone", "telefon", "telefonnummer", "téléphone", "teléfono", "lead_phone"),
        *("mobile", "mobile phone number", "telefono", "telefone", "telefoon", "mobiel", "handy"),
    ),
    "phone_country_code": ("phone_country_code", "buyer_phone_country"),
    "company": (
        *("company", "company name", "business name", "organization", "organisation", "associated company"),
        *("buyer_company", "firma"),
    ),
    "address": ("address", "street", "street address", "address (address_line_1)", "buyer_address"),
    "zip": (
        *("zip", "zip code", "postal code", "postcode", "zip code (address_zip)", "buyer_zip", "plz"),
        *("code postal",),
    ),
    "city": (
        "city",
        "town",
        "city (address_city)",
        "buyer_city",
        "ort",
        "stadt",
        "ville",
        "ciudad",
        "città",
        "cidade",
        "plaats",
        "woonplaats",
    ),
    "state": ("state", "region", "province", "state (address_state)", "state/region", "buyer_state"),
    "country": (
        *(
            "country",
            "country/region",
            "country (address_country)",
            "buyer_country",
            "land",
            "pays",
            "país",
            "paese",
        ),
    ),
    "website": ("website", "website url", "web site", "homepage"),
    "facebook": ("facebook",),
    "twitter": ("twitter",),
    "linkedin": ("linkedin", "linkedin url"),
}
"""Field of a lead: names of columns that mean it, without case."""

NAME_NAMES = ("name", "full name", "full_name", "contact name", "buyer_name", "nom complet", "naam")
"""Columns of a full name, where no other has its parts."""
TAG_NAMES = ("tags", "tag", "labels", "segments")
STATUS_NAMES = ("status", "email status", "e-mail status", "subscription status", "subscriber status")
CONSENT_NAMES = (
    *("opt-in", "opt in", "optin", "opted in", "consent", "marketing consent", "gdpr consent", "subscribed"),
    *("accepts marketing", "accepts email marketing", "newsletter", "einwilligung", "zustimmung"),
    *("consentement", "consentimiento"),
)
YES = ("yes", "true", "1", "y", "ja", "oui", "sí", "si")
"""What a column of consent says of people who gave it."""
SUBSCRIBED = ("subscribed", "active", "confirmed", "opted in", "opted-in")
"""What a column of a status says of people who may be mailed."""


@dataclass(frozen=True, slots=True)
class Preset:
    """An export. It is told by `marks`: all of these columns, and one of `one_of` where that is not empty."""

    name: str
    sure: str
    marks: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    split: str = ","
    """What separates tags in their column."""
    status: str | None = None
    """The column that says who may be mailed, and what it says then."""
    accepted: tuple[str, ...] = SUBSCRIBED
    newest: str | None = None
    """The column that tells the latest of several rows of a person."""
    status_in_name: bool = False
    """Whether the name of the file says who may be mailed: subscribed, unsubscribed, cleaned."""


PRESETS = (
    Preset("Mailchimp", "A", ("leid", "euid"), split="csv", newest="LAST_CHANGED", status_in_name=True),
    Preset("Kajabi", "A", ("member id",), ("phone number (phone_number)", "email (email)", "products")),
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
        status="EMAIL_BLACKLISTED",
        accepted=("false", "no", "0"),
        newest=None,
    ),
    Preset("systeme.io", "C", ("email", "surname", "date registered")),
    Preset("Constant Contact", "C", ("email address", "email status"), status="Email status"),
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
    names = {column.casefold() for column in columns}
    for preset in PRESETS:
        if names.issuperset(preset.marks) and (not preset.one_of or names.intersection(preset.one_of)):
            return preset
    return None
