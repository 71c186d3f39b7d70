"""Variables in a text: `${NAME}`, `${NAME:-default}`, `${file:path}`, `${keyring:service/name}`, `$${`. Pure.

`$${` stands for a literal `${`.
"""

import re
from collections.abc import Callable
from urllib.parse import quote

VARIABLE = re.compile(
    r"(?P<literal>\$\$\{)|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<kind>file|keyring):(?P<place>[^${}]+)\}|[^}]*)"
)
_PASSWORD_OPTION = re.compile(r"[?&](?:password|passwd|pwd|sslpassword)=$")
_SCHEME = re.compile(r"(?:jdbc:)?[A-Za-z][A-Za-z0-9+._-]*://")


def with_variables(text: str, value_of: Callable[[re.Match[str]], str]) -> str:
    """The text with each variable replaced by what `value_of` gives for its match.

    In the user and password of a URL the value is percent-encoded, because an @ or a slash would end it, and
    stripped of the blanks and line ends that files of secrets have.
    """
    start, stop = _user_of(text)

    def value(match: re.Match[str]) -> str:
        said = value_of(match)
        is_option = _SCHEME.match(text) and _PASSWORD_OPTION.search(text[: match.start()])
        if not (match["name"] or match["kind"]) or not (is_option or start <= match.start() < stop):
            return said
        said = said.strip()
        if match.span() == (start, stop):  # both in one variable
            user, colon, password = said.partition(":")
            return quote(user, safe="") + colon + quote(password, safe="")
        return quote(said, safe="")

    return VARIABLE.sub(value, text)


def _user_of(text: str) -> tuple[int, int]:
    """Start and end of the user and password in a URL, before variables are replaced."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return 0, 0
    masked = VARIABLE.sub(lambda match: "_" * len(match[0]), text)
    authority = re.split(r"[/?#]", masked[scheme.end() :], maxsplit=1)[0]
    return scheme.end(), scheme.end() + max(authority.rfind("@"), 0)
