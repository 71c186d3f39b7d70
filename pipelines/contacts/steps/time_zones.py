"""Names of time zones: those of the time zone database, and of Windows by Unicode's CLDR. Pure."""

import re
from functools import cache
from zoneinfo import available_timezones

from babel.core import get_global

from pipelines.config.values import WordStep
from pipelines.contacts.steps.by_library import Shape


def shape_of(_step: WordStep) -> Shape:
    return lambda text, _: time_zone(text)


def time_zone(text: str) -> str | None:
    """The name in the time zone database, given in any case or as Windows has it."""
    return _zones().get(re.sub(r"\s+", "_", text.casefold()))


@cache
def _zones() -> dict[str, str]:
    windows = get_global("windows_zone_mapping")
    return {
        **{name.casefold().replace(" ", "_"): zone for name, zone in windows.items()},
        # Behind those of Windows, which has a UTC of its own: a name of the database stays as it is.
        **{name.casefold(): name for name in available_timezones()},
    }
