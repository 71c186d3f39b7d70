"""Which records say that a person opted out, and which lack consent."""

from collections.abc import Callable

from pipelines.config.load import LoadConfig
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.parts import Part, Standing
from pipelines.contacts.values import Record, distinct

STATUS_COLUMNS = frozenset(
    {"status", "email status", "e-mail status", "subscription status", "subscriber status", "opt-in status"}
)
OPTED_OUT = frozenset(
    {
        "unsubscribed",
        "opted out",
        "opted-out",
        "bounced",
        "complained",
        "cleaned",
        "cancelled",
        "removed",
        "blocked",
        "archived",
    }
)
"""Words by which exports of other platforms say that a person must not be mailed."""
FLAG_COLUMNS = frozenset(
    {
        *("opted out", "opted-out", "opted out of email", "email opt out", "email opt-out", "unsubscribed"),
        *("unsubscribed from all email", "email_blacklisted", "do not email", "bounced"),
    }
)
"""Columns where a yes says the same."""
TRUE = frozenset({"true", "yes", "y", "1"})
FILLED_COLUMNS = frozenset({"unsub_time", "unsubscribed at", "unsubscribed_at", "bounced_at"})
"""Columns where any value does: Mailchimp gives the time a person left."""


def opt_out_columns(load: LoadConfig, columns: tuple[str, ...]) -> dict[str, Callable[[str], bool]]:
    """The columns that can say a person opted out, each with what says so there."""
    asked: dict[str, Callable[[str], bool]] = {}
    for place, header in enumerate(columns):
        earlier = columns[:place].count(header)
        column = f"{header} ({earlier + 1})" if earlier else header  # as a source names repeated ones
        name = header.strip().casefold()
        if name in STATUS_COLUMNS or column == load.consent.column:
            asked[column] = OPTED_OUT.__contains__
        elif name in FLAG_COLUMNS:
            asked[column] = TRUE.__contains__
        elif name in FILLED_COLUMNS:
            asked[column] = bool
    return asked


def standing_of(load: LoadConfig, columns: tuple[str, ...]) -> Part[Standing]:
    says_opted_out = opt_out_columns(load, columns)
    consent = load.consent.column
    accepted = {word.strip().casefold() for word in load.consent.accepted}

    def standing(record: Record) -> Standing:
        for column, says_so in says_opted_out.items():
            word = normal_cell(record.get(column, "")).casefold()
            if says_so(word):
                return Standing(has_opted_out=True, blocked=f'opted out: "{word}" in the column "{column}"')
        if consent is None or normal_cell(record[consent]).casefold() in accepted:
            return Standing()
        return Standing(blocked=f'no consent in the column "{consent}"')

    return Part(distinct((*says_opted_out, *((consent,) if consent else ()))), standing)
