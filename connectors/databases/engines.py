"""What everything that speaks to a SQL database shares: URLs, drivers, and what a database's errors say."""

import re
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from connectors.errors import ConfigError

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
"""What a URL without a driver means."""


def database_url(text: str, what: str) -> URL:
    """The URL in the driver it needs. Raises ConfigError, which never shows a password; `what` says whose."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigError(f"the URL of {what} is not a URL that SQLAlchemy reads") from None
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def open_engine(url: URL, **options: Any) -> Engine:
    """An engine whose errors show no values. Raises ConfigError where its driver is missing or unknown."""
    try:
        return create_engine(url, hide_parameters=True, **options)  # they are people's data
    except NoSuchModuleError:
        raise ConfigError(f"no database is known by the name {url.drivername}") from None
    except ImportError as error:
        raise ConfigError(
            f"the driver for {url.drivername} is not installed: pip install {error.name}"
        ) from error


def said(error: DBAPIError) -> str:
    """What the database says, on one line and without values: the first line of its message."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return "the database says: " + re.sub(r"(value:?|entry) (['\"]).*\2", r"\1 ***", lines[0])
