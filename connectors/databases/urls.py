"""Database URLs, also in the forms of other tools. Pure; no message shows a password.

The password may be written unencoded, with an @, a slash or a percent sign in it.
"""

import difflib
import inspect
import re
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from connectors.errors import ConfigError

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
"""The driver of a URL that names none."""
NICKNAMES = {
    **dict.fromkeys(("postgres", "pgsql", "psql", "postgis"), "postgresql"),
    **dict.fromkeys(("mysql2", "trilogy", "mysqlgis"), "mysql"),
}
"""What other tools call a database."""
ADVICE = {
    "postgresql": {
        **dict.fromkeys(
            ("schema", "currentschema", "search_path"),
            "write the schema before the name of the table, as crm.people",
        ),
        **dict.fromkeys(("ssl", "usessl", "ssl-mode", "ssl_mode", "tls"), "write sslmode=require"),
    },
    "mysql": dict.fromkeys(
        ("ssl", "ssl-mode", "ssl_mode", "sslmode", "usessl", "requiressl", "tls", "sslaccept"),
        "write ssl_ca= and the file of the server's certificate authority",
    ),
}
"""Options of other drivers, in lower case, with the equivalent here."""
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+._-]*)://(.*)", re.DOTALL)
_IS_ENCODED = re.compile(r"(?:[^@:/?#\[\]%\s]|%[0-9A-Fa-f]{2})*")


def database_url(text: str, what: str) -> URL:
    """The URL with a driver that is installed here. Raises ConfigError; `what` says whose URL it is."""
    text = text.strip()
    found = _PARTS.fullmatch(re.sub(r"^jdbc:", "", text, flags=re.IGNORECASE))
    if found is None:
        raise ConfigError(_not_a_url(what))
    scheme, rest = found.groups()
    family, _, driver = scheme.lower().partition("+")
    family = NICKNAMES.get(family, family)
    try:
        url = make_url(f"{family}{'+' if driver else ''}{driver}://{_with_encoded_password(rest)}")
    except (ArgumentError, ValueError):
        raise ConfigError(_not_a_url(what)) from None
    if text.lower().startswith("jdbc:"):
        _refuse_user_of_jdbc(url, what)
    if family not in DRIVERS:
        return url
    # A URL for mysqlclient or asyncpg names the same database: it is opened with the driver that is here.
    if not driver or not _can_be_loaded(url):
        url = url.set(drivername=DRIVERS[family])
    _check_options(url, what)
    return url


def is_database_url(text: str) -> bool:
    """Whether the scheme is that of a supported database."""
    found = _PARTS.fullmatch(re.sub(r"^jdbc:", "", text.strip(), flags=re.IGNORECASE))
    family = found[1].lower().partition("+")[0] if found else ""
    return family in DRIVERS or family in NICKNAMES or family == "sqlite"


def names_of(url: URL) -> tuple[str, ...]:
    """The parts that messages may show. A host with an @ is not shown: it is a part of the password."""
    sockets = (str(url.query.get(name, "")) for name in ("host", "hostaddr", "unix_socket"))
    shown = (url.host, str(url.port or ""), url.database, url.username, *sockets)
    return tuple(name for name in shown if name and "@" not in name)


def _not_a_url(what: str) -> str:
    return (
        f"the URL of {what} is not a URL that SQLAlchemy reads; write it as"
        " postgresql://user:${PASSWORD}@host/database"
    )


def _with_encoded_password(rest: str) -> str:
    """The rest of the URL after the scheme, with user and password percent-encoded.

    User and password end at the last @ before the options: many passwords hold an @, and no database name
    does. A password with a question mark is noticed because the port would not be a number.
    """
    before_options, _, options = rest.partition("?")
    at = before_options.rfind("@")
    if "@" in options and not re.match(r"[\w.-]+=", options):
        at = rest.rfind("@")
    elif at < 0:
        _, colon, port = re.split(r"[/#]", before_options, maxsplit=1)[0].rpartition(":")
        if not colon or re.fullmatch(r"[0-9]*|.*\]", port):
            return rest
        at = rest.rfind("@")
    if at < 0:
        return rest
    user, colon, password = rest[:at].partition(":")
    return f"{_encoded(user)}{colon}{_encoded(password)}{rest[at:]}"


def _encoded(text: str) -> str:
    # What is encoded already stays: a second time its % would become %25.
    return text if _IS_ENCODED.fullmatch(text) else quote(text, safe="")


def _refuse_user_of_jdbc(url: URL, what: str) -> None:
    if {"user", "password"} & {name.lower() for name in url.query}:
        raise ConfigError(
            f"the URL of {what} names its user as Java does; write it without jdbc: as"
            f" {url.get_backend_name()}://user:${{PASSWORD}}@host/database"
        )


def _can_be_loaded(url: URL) -> bool:
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except (ImportError, NoSuchModuleError, NotImplementedError):
        return False
    return not dialect.is_async


def _check_options(url: URL, what: str) -> None:
    """Raises ConfigError for an option that the driver does not have: its own error would be obscure."""
    known = _options_of(url)
    for name in url.query if known else ():
        if not re.fullmatch(r"[\w.-]+", name):
            raise ConfigError(
                f"the URL of {what} has an option without a name; a question mark in its password has to be"
                " written as %3F"
            )
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = ADVICE.get(_family(url), {}).get(name.lower())
            hint = advice or (f'did you mean "{near[0]}"?' if near else "leave it out")
            raise ConfigError(
                f'the URL of {what} has the option "{name}", which the driver does not have: {hint}'
            )


def _options_of(url: URL) -> frozenset[str]:
    """The options of the URL's driver; empty for a driver whose options cannot be listed."""
    driver: Any = url.get_dialect().import_dbapi()
    if url.get_driver_name() == "psycopg":
        return frozenset(option.keyword.decode() for option in driver.pq.Conninfo.get_defaults())
    if url.get_driver_name() == "pymysql":
        taken = frozenset(inspect.signature(driver.connections.Connection.__init__).parameters)
        of_sqlalchemy = {"ssl_capath", "ssl_cipher", "ssl_check_hostname"}
        # What SQLAlchemy or this program sets itself is no option of a URL.
        return (taken | of_sqlalchemy) - {"self", "ssl", "conv", "cursorclass", "auth_plugin_map"}
    return frozenset()


def _family(url: URL) -> str:
    backend = url.get_backend_name()
    return "mysql" if backend == "mariadb" else backend
