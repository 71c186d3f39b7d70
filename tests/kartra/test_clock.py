"""Kartra's times as instants in UTC."""

import locale
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.kartra.clock import EST, in_utc, utc_of, zone_of

NEW_YORK = zone_of("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_est_is_five_hours_behind_all_year() -> None:
    assert zone_of("EST") is EST
    assert utc_of("2024-01-15 12:00:00", EST) == at("2024-01-15 17:00:00")
    assert utc_of("2024-07-15 12:00:00", EST) == at("2024-07-15 17:00:00")


def test_new_york_is_four_hours_behind_in_summer() -> None:
    assert utc_of("2024-01-15 12:00:00", NEW_YORK) == at("2024-01-15 17:00:00")
    assert utc_of("2024-07-15 12:00:00", NEW_YORK) == at("2024-07-15 16:00:00")


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2024-11-03 00:59:59", "2024-11-03 04:59:59"),  # the last second that is summer beyond doubt
        ("2024-11-03 01:00:00", "2024-11-03 06:00:00"),  # twice: the second time counts
        ("2024-11-03 01:59:59", "2024-11-03 06:59:59"),
        ("2024-11-03 02:00:00", "2024-11-03 07:00:00"),
    ],
)
def test_the_hour_that_comes_twice_in_autumn_is_taken_in_standard_time(local: str, utc: str) -> None:
    assert utc_of(local, NEW_YORK) == at(utc)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2024-03-10 01:59:59", "2024-03-10 06:59:59"),
        ("2024-03-10 02:00:00", "2024-03-10 07:00:00"),  # 03:00 by the new clock
        ("2024-03-10 02:30:00", "2024-03-10 07:30:00"),
        ("2024-03-10 03:30:00", "2024-03-10 07:30:00"),
        ("2024-03-10 04:00:00", "2024-03-10 08:00:00"),
    ],
)
def test_an_hour_that_spring_skips_is_moved_on(local: str, utc: str) -> None:
    assert utc_of(local, NEW_YORK) == at(utc)


@pytest.mark.parametrize("raw", ["03 Nov 2024 10:20:30", "3 nov 2024 10:20:30", " 2024-11-03 10:20:30 "])
def test_both_ways_of_writing_are_read(raw: str) -> None:
    assert utc_of(raw, EST) == at("2024-11-03 15:20:30")


def test_months_are_english_whatever_the_locale_says() -> None:
    before = locale.setlocale(locale.LC_TIME)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
            try:
                locale.setlocale(locale.LC_TIME, name)
            except locale.Error:
                continue
            assert utc_of("03 Dec 2024 10:00:00", EST) == at("2024-12-03 15:00:00")
    finally:
        locale.setlocale(locale.LC_TIME, before)


@pytest.mark.parametrize(
    "raw",
    [
        *("", "N/A", "0000-00-00 00:00:00", "0000-00-00", "2024-02-30 10:00:00", "03 Foo 2024 10:00:00"),
        *("2024-11-03", "03/04/2024 10:00:00", "0001-01-01 00:00:00", "soon"),
    ],
)
def test_everything_else_is_no_time(raw: str) -> None:
    assert utc_of(raw, EST) is None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - a clock on the wall
def test_going_back_gives_the_same_clock_except_where_it_was_skipped(local: datetime) -> None:
    back = in_utc(local, NEW_YORK).astimezone(NEW_YORK).replace(tzinfo=None)
    assert back == local or (back - local).total_seconds() == 3600


@pytest.mark.parametrize("name", ["", "America", "Nowhere/Else", "../zone", "/etc/passwd", "\0"])
def test_an_unknown_zone_is_refused_without_repeating_it(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^not a known time zone, such as EST or America/New_York$"):
        zone_of(name)
