"""Commands about one lead, and get_lead (reference §5.1, §5.2, §5.5, §6).

A handler that returns nothing succeeded with the command's own message.
"""

import re
from datetime import datetime
from decimal import Decimal

from connectors.kartra.sandbox import custom_fields
from connectors.kartra.sandbox.account import (
    STANDARD_FIELDS,
    Booking,
    PointsChange,
    SandboxLead,
    SequenceEntry,
    est_text,
)
from connectors.kartra.sandbox.call import Call, Entry
from connectors.kartra.sandbox.errors import Refused
from connectors.kartra.sandbox.php_form import Form, text

_NUMBER = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]*)?|\.[0-9]+)")
_DAYS = re.compile(r"[0-9]{1,6}")
_CLASS_DATE = re.compile(r"([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4})")
_CLASS_HOUR = re.compile(r"([0-9]{2}):([0-9]{2})")
_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)  # strptime: the locale's

_PROFILE = {  # §6.3, in its order; other fields stand behind when the lead has them
    **dict.fromkeys(
        ("id", "first_name", "middle_name", "last_name", "last_name2", "email", "date_joined"), ""
    ),
    **dict.fromkeys(("phone_country_code", "phone", "company", "ip", "ip_country", "address", "zip"), ""),
    **dict.fromkeys(("city", "state", "country", "website", "facebook", "twitter", "linkedin"), ""),
    "lead_picture": "",
    "score": "0",
    "source": "",
    "source_id": "0",
    "referring_id": "0",
    "lead_preferred_time_zone": "",
    "notes": "",
    "blacklisted": "0",
    "gdpr_lead_status": "3",  # a lead made through the API never accepted the terms
    "gdpr_lead_status_date": "",
    "gdpr_lead_status_ip": "",
    "gdpr_lead_communications": "0",
}


def create_lead(call: Call, _action: Form) -> Entry:
    email = call.stored_address(text(call.lead_form, "email"))
    taken = call.account.lead(email)
    if taken is not None:
        # That a deleted address is not revived is a guess: the page of the command lists 245 (§10.9).
        raise Refused("245" if taken.deleted else "244")
    values = custom_fields.checked_values(call)
    lead = call.account.add_lead(email, **{key: value for key, value in _standard_fields(call) if value})
    lead.source = "api"
    lead.date_joined = est_text(call.now)
    custom_fields.write_values(lead, values)
    call.registered(lead)
    return _identified(lead)


def edit_lead(call: Call, _action: Form) -> Entry:
    lead = call.lead()
    new_email = call.stored_address(text(call.lead_form, "new_email"))
    # Checked before anything is changed: a refused call leaves no part of itself behind.
    if new_email and call.account.lead(new_email) not in (None, lead):
        raise Refused("244")
    values = custom_fields.checked_values(call)
    call.lead_for_effect()
    if new_email:
        call.account.change_address(lead, new_email)
    for key, value in _standard_fields(call):
        if value:
            lead.fields[key] = value
        elif call.options.empty_field == "clear":
            lead.fields.pop(key, None)
    custom_fields.write_values(lead, values)
    return _identified(lead)


def search_lead(call: Call, _action: Form) -> Entry:
    return _identified(call.lead())


def _identified(lead: SandboxLead) -> Entry:
    return {"status": "Success", "lead_details": {"id": lead.id}}


def _standard_fields(call: Call) -> list[tuple[str, str]]:
    form = call.lead_form
    given = [(key, value) for key in STANDARD_FIELDS if isinstance(value := form.get(key), str)]
    return [(key, call.kept_text(key, value)) for key, value in given]


def get_lead(call: Call, form: Form) -> Entry:
    """`lead_details`, in the shape of §6.3."""
    # get_lead has a number of its own for this; commands say 243 (§9).
    lead = call.find(form, unknown="234")
    lead = call.late.shown(lead, call.at)
    shown = _shown(call, lead)
    if call.options.empty_parts == "leave_out":
        shown = {key: value for key, value in shown.items() if value != []}
    return shown


def _shown(call: Call, lead: SandboxLead) -> Entry:
    return {
        **_PROFILE,
        **lead.fields,
        "id": lead.id,
        "email": lead.email,
        "date_joined": lead.date_joined,
        "gdpr_lead_status_date": lead.date_joined,
        "score": str(lead.score),
        "source": lead.source,
        "tags": [{"tag_name": name} for name in sorted(lead.tags)],
        "lists": [
            {"list_name": name, "active": "1" if active else "0"} for name, active in lead.lists.items()
        ],
        "sequences": [
            {"sequence_name": name, "step": entry.step, "status": entry.status}
            for name, entry in lead.sequences.items()
        ],
        "memberships": [
            {
                call.options.memberships: held.name,
                "level_name": held.level_name,
                "active": "1" if held.active else "0",
            }
            for held in lead.memberships
        ],
        "custom_fields": custom_fields.values_of(lead, call.account),
    }


def assign_tag(call: Call, action: Form) -> None:
    lead = call.lead()
    name = call.name(action, "tag_name", call.account.tags, empty="211", unknown="212")
    if name != call.options.ignore_tag:
        call.lead_for_effect()
        lead.tags.add(name)


def unassign_tag(call: Call, action: Form) -> None:
    lead = call.lead()
    name = call.name(action, "tag_name", call.account.tags, empty="213", unknown="214")
    # A tag that the lead does not have is no error: the command is ignored (§5.2).
    if name in lead.tags:
        call.lead_for_effect()
        lead.tags.discard(name)


def subscribe_lead_to_list(call: Call, action: Form) -> None:
    call.lead()
    name = call.name(action, "list_name", call.account.lists, empty="207", unknown="231")
    call.lead_for_late_effect().lists[name] = True


def unsubscribe_lead_from_list(call: Call, action: Form) -> None:
    lead = call.lead()
    name = call.name(action, "list_name", call.account.lists, empty="208", unknown="209")
    if name in lead.lists:
        call.lead_for_late_effect().lists[name] = False


def subscribe_lead_to_sequence_at_step(call: Call, action: Form) -> None:
    call.lead()
    step = text(action, "step")
    if text(action, "sequence_name") and not step:
        raise Refused("225")
    name = call.name(action, "sequence_name", call.account.sequences, empty="226", unknown="219")
    if not (step.isascii() and step.isalnum()):
        raise Refused("229")
    if step not in call.account.sequences[name]:
        raise Refused("230")
    lead = call.lead_for_late_effect()
    # Again it starts over, or moves the lead: of what may happen (§5.2) the worst is played.
    lead.sequences[name] = SequenceEntry(step)
    lead.sequence_starts.append((name, step))


def unsubscribe_lead_from_sequence(call: Call, action: Form) -> None:
    lead = call.lead()
    name = call.name(action, "sequence_name", call.account.sequences, empty="226", unknown="220")
    if name in lead.sequences:
        call.lead_for_late_effect().sequences[name] = SequenceEntry(lead.sequences[name].step, "unsubscribed")


def give_points_to_lead(call: Call, action: Form) -> None:
    lead = call.lead()
    points = _points(action, empty="215", no_number="227")
    days = text(action, "expiration")
    call.lead_for_effect()
    _change_score(lead, PointsChange(points, int(days) if _DAYS.fullmatch(days) else 0))


def remove_points_from_lead(call: Call, action: Form) -> None:
    lead = call.lead()
    points = _points(action, empty="217", no_number="228")
    call.lead_for_effect()
    _change_score(lead, PointsChange(-points))


def _points(action: Form, *, empty: str, no_number: str) -> int:
    given = text(action, "points")
    if not given:
        raise Refused(empty)
    if not _NUMBER.fullmatch(given):
        raise Refused(no_number)
    # What becomes of decimals and of negative points is not documented (§5.2).
    return int(Decimal(given))


def _change_score(lead: SandboxLead, change: PointsChange) -> None:
    lead.score += change.points
    lead.points_log.append(change)


def calendar_subscribe(call: Call, action: Form) -> None:
    lead = call.lead()
    calendar, class_name = _calendar_and_class(call, action)
    starting_at = _class_start(call, action)
    booking = Booking(calendar, class_name)
    if starting_at is not None:
        booking.starting_at = est_text(starting_at)
        booking.status = "pending"
    lead.bookings.append(booking)
    lead.calendar_log.append(("calendar_subscribe", calendar, class_name))


def calendar_cancel(call: Call, action: Form) -> None:
    lead = call.lead()
    calendar, class_name = _calendar_and_class(call, action)
    held = [
        booking
        for booking in lead.bookings
        if (booking.calendar, booking.class_name) == (calendar, class_name)
        and booking.status in ("active", "pending")
    ]
    if not held:
        raise Refused("259")
    for booking in held:
        booking.status = "cancelled"
    lead.calendar_log.append(("calendar_cancel", calendar, class_name))


def _calendar_and_class(call: Call, action: Form) -> tuple[str, str]:
    if text(action, "calendar_name") and not text(action, "class_name"):
        raise Refused("256")
    # One whose setup was never finished answers as if it were not there (§5.5).
    completed = [name for name, calendar in call.account.calendars.items() if calendar.completed]
    calendar = call.name(action, "calendar_name", completed, empty="255", unknown="257")
    classes = call.account.calendars[calendar].classes
    return calendar, call.name(action, "class_name", classes, empty="256", unknown="258")


def _class_start(call: Call, action: Form) -> datetime | None:
    """`16 Jan 2019` and `19:30`; a date alone may be today, an hour alone has no meaning."""
    date, hour = text(action, "starting_date"), text(action, "starting_hour")
    if not date and not hour:
        return None
    day, clock = _CLASS_DATE.fullmatch(date), _CLASS_HOUR.fullmatch(hour or "23:59")
    if not day or not clock or day[2] not in _MONTHS:
        raise Refused("260")
    try:
        start = datetime(int(day[3]), _MONTHS.index(day[2]) + 1, int(day[1]), int(clock[1]), int(clock[2]))  # noqa: DTZ001
    except ValueError:
        raise Refused("260") from None
    if start < call.now:
        raise Refused("261")
    return start
