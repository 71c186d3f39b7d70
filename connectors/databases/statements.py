"""Splits a SQL statement into words, quoted text and comments, and nothing finer. Pure."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from connectors.errors import ConfigError

MYSQL = ("mysql", "mariadb")


class Piece(NamedTuple):
    """A piece of a statement.

    `kind`: blank, comment, end (a semicolon), text (a literal), name (in quotes), word, or other.
    """

    kind: str
    text: str
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.text)


def pieces(statement: str, dialect: str) -> Iterator[Piece]:
    """Every piece in order. `dialect` is SQLAlchemy's name of the database."""
    scan, place = _scanner(dialect), 0
    while place < len(statement):
        found = scan.match(statement, place)
        assert found is not None  # noqa: S101 - "other" takes any character
        kind, text = str(found.lastgroup), found[0]
        if kind == "comment" and dialect == "postgresql" and text.startswith("/*"):
            text = _nested_comment(statement, place)
        yield Piece(kind, text, place)
        place += len(text)


def single_statement(statement: str, dialect: str) -> str:
    """The statement without blanks, comments and semicolons around it, ready to be nested in another one.

    Raises ConfigError if there is no statement or more than one.
    """
    start = stop = None
    has_ended = False
    for piece in pieces(statement, dialect):
        if piece.kind == "end":
            has_ended = start is not None
        elif piece.kind not in ("blank", "comment"):
            if has_ended:
                raise ConfigError("the query holds more than one statement; leave only the one that selects")
            start, stop = piece.start if start is None else start, piece.stop
    if start is None:
        raise ConfigError("the query is empty")
    return statement[start:stop]


def escaped_colons(statement: str, dialect: str) -> str:
    """Escapes the colons that SQLAlchemy would take for parameters: those in literals, names and comments."""
    return "".join(
        piece.text.replace(":", r"\:") if piece.kind in ("text", "name", "comment") else piece.text
        for piece in pieces(statement, dialect)
    )


def words_of(statement: str, dialect: str) -> frozenset[str]:
    """The words and quoted names of a statement in lower case, without literals and comments."""
    return frozenset(
        word.lower()
        for piece in pieces(statement, dialect)
        if piece.kind in ("word", "name")
        for word in re.findall(r"\w+", piece.text)
    )


@cache
def _scanner(dialect: str) -> re.Pattern[str]:
    """A quote that is never closed becomes `other`; the database then reports it."""
    line_comments = r"--[^\n]*"
    literals = r"'(?:[^']|'')*'"
    names = r'"(?:[^"]|"")*"'
    if dialect in MYSQL:
        # In MySQL -- begins a comment only before a blank: 5--3 is 8.
        line_comments = r"--(?=\s|\Z)[^\n]*|\#[^\n]*"
        literals = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\""
        names = r"`(?:[^`]|``)*`"
    elif dialect == "postgresql":
        literals = r"[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$"
    elif dialect == "sqlite":
        names += r"|`(?:[^`]|``)*`|\[[^\]]*\]"
    return re.compile(
        # /*! is no comment: MySQL executes what stands in it.
        rf"(?P<blank>\s+)|(?P<comment>{line_comments}|/\*(?!!).*?\*/)|(?P<end>;)"
        rf"|(?P<text>{literals})|(?P<name>{names})|(?P<word>\w[\w$]*)|(?P<other>.)",
        re.DOTALL,
    )


def _nested_comment(statement: str, start: int) -> str:
    """PostgreSQL nests comments; a regular expression cannot count them."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", statement[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return statement[start : start + mark.end()]
    return statement[start:]
