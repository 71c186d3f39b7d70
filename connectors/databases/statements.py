"""Splits a SQL statement into words, quoted text and comments, and nothing finer. Pure."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
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


def refuse_writing(statement: str, dialect: str) -> None:
    """Raises ConfigError for a statement that does not only read. `statement` is a single one.

    The transaction refuses to write as well, where the database knows such; but what leaves the database, to
    a file, a program or another database, is no write for it.
    """
    words: list[str] = [
        piece.text.strip('"`[]').lower()
        for piece in pieces(statement, dialect)
        if piece.kind in ("word", "name") or piece.text == "("
    ]
    first = next((word for word in words if word != "("), "")
    if first not in _READING and not (first == "call" and dialect in MYSQL):  # its transaction cannot write
        raise ConfigError("the query does not begin with SELECT or WITH: a source only reads")
    if any(piece.kind == "word" and piece.text.lower() == "into" for piece in pieces(statement, dialect)):
        raise ConfigError("the query writes a table or a file (INTO): a source only reads")
    for word, following in pairwise(words):
        if following == "(" and word in _REACHING_OUT:
            raise ConfigError(f"the query calls {word}(), which does more than read: a source only reads")
        if word == "(" and following in _WRITING:
            raise ConfigError(f"the query changes data ({following.upper()} in it): a source only reads")


_READING = frozenset(("select", "with", "values", "table"))
"""What a statement may begin with. SHOW, EXPLAIN or CALL give no contacts."""
_WRITING = frozenset(("insert", "update", "delete", "merge"))
"""What PostgreSQL takes in brackets behind WITH."""
_REACHING_OUT = frozenset(
    (
        *("lo_export", "lo_import", "lo_from_bytea", "lo_put", "lo_unlink", "lo_create", "lowrite"),
        *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_file_write", "pg_file_unlink"),
        *("pg_terminate_backend", "pg_cancel_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_promote"),
        *("dblink", "dblink_exec", "dblink_connect", "dblink_send_query", "set_config"),
        *("load_file", "sys_exec", "sys_eval", "sys_set", "xp_cmdshell", "openrowset", "opendatasource"),
        *("load_extension", "readfile", "writefile", "fts3_tokenizer"),
    )
)
"""Functions that touch files, programs, other sessions or other databases."""


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
