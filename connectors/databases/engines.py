"""Engines of SQLAlchemy whose errors show no values, and what a database's errors say."""

import difflib
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from connectors.databases.messages import masked_message
from connectors.databases.statements import MYSQL
from connectors.databases.urls import DRIVERS, NICKNAMES, names_of
from connectors.errors import ConfigError


def open_engine(url: URL, **options: Any) -> Engine:
    """An engine whose errors show no values. Raises ConfigError where its driver is missing or unknown."""
    # PyMySQL encodes a password given as text in Latin-1; the server expects UTF-8.
    if url.get_backend_name() in MYSQL and url.password:
        options["connect_args"] = {"password": str(url.password).encode(), **options.get("connect_args", {})}
    try:
        # Parameters are people's data, and SQLAlchemy repeats them in its messages unless told not to.
        return create_engine(url, hide_parameters=True, **options)
    except NoSuchModuleError:
        near = difflib.get_close_matches(url.drivername, (*DRIVERS, *NICKNAMES, "sqlite"), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"no database is known by the name {url.drivername}{hint}") from None
    except ImportError as error:
        raise ConfigError(
            f"the driver for {url.drivername} is not installed: pip install {error.name}"
        ) from error
    except (ArgumentError, TypeError, ValueError):
        raise ConfigError(f"the URL of the {url.get_backend_name()} database cannot be used") from None


def message_of(error: DBAPIError, url: URL | None = None) -> str:
    """The first line of the database's own message, without values.

    The names in `url`, that of the database, may be shown.
    """
    shown = () if url is None else names_of(url)
    dialect = "" if url is None else url.get_backend_name()
    return "the database says: " + masked_message(error.orig, error.statement or "", dialect, shown)
