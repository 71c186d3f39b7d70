"""How the named queries, written for SQLite, read in PostgreSQL: everything the two do not share.

The queries keep to what both know (ON CONFLICT, coalesce, FILTER, row values, UPDATE FROM). The rest is put
into other words here when a file is read; a query for which that is not enough stands once more in
`sql/state/postgresql/`.
"""

import re

_COLUMN_TYPES = {
    "TEXT": 'text COLLATE "C"',  # SQLite compares bytes, and so do the pages by key
    "INTEGER": "bigint",
    "REAL": "double precision",
    "BLOB": "bytea",
}
_FIELD = re.compile(r"json_extract\(([\w.]+|coalesce\([\w., ]+\)), '\$\.(\w+)'\)")
_PLACE = re.compile(r"json_extract\(([\w.]+), '\$\[(\d+)\]'\)")
_WORDS = (
    (re.compile(r"\bCREATE INDEX temp\.(\w+) ON (\w+)"), r"CREATE INDEX \1 ON pg_temp.\2"),
    (re.compile(r"\btemp\."), "pg_temp."),
    (re.compile(r" INDEXED BY \w+"), ""),
    (re.compile(r"\bCROSS JOIN\b"), "JOIN"),  # there it keeps the order of a join; here it has no condition
    (re.compile(r"\bIS NOT (?=:\w)"), "IS DISTINCT FROM "),
    (re.compile(r"\bIS (?=:\w)"), "IS NOT DISTINCT FROM "),
    (re.compile(r"\bx'([0-9a-f]*)'"), r"'\\x\1'::bytea"),
    (re.compile(r"\b9e999\b"), "'infinity'"),
    (re.compile(r"\bchar\((\d+)\)"), r"chr(\1)"),
    (re.compile(r"\binstr\("), "strpos("),
    (re.compile(r"\bjson_each\((:\w+)\)"), r"json_array_elements_text((\1)::json)"),
    (_FIELD, r"""(((\1)::json ->> '\2') COLLATE "C")"""),
    (_PLACE, r"((\1)::json ->> \2)"),
)
_PARAMETER = re.compile(r"('[^']*')|(?<![:\w]):([A-Za-z_]\w*)|(\?)")
_VALUES = re.compile(r"\bVALUES (\([^()]*\))")


def translate(sql: str) -> str:
    """A statement of `sql/state/` for PostgreSQL, with the parameters as psycopg wants them."""
    sql = re.sub(r"--.*", "", sql).strip()
    if sql.startswith("CREATE TEMP TABLE"):
        sql = sql.replace(", WITHOUT ROWID", "").replace(" WITHOUT ROWID", "").replace(" STRICT", "")
        sql = re.sub(r"\b(TEXT|INTEGER|REAL|BLOB)\b", lambda found: _COLUMN_TYPES[found[1]], sql)
    for word, other in _WORDS:
        sql = word.sub(other, sql)
    sql = sql.replace("%", "%%")
    return _PARAMETER.sub(_placeholder, sql)


def _placeholder(found: re.Match[str]) -> str:
    quoted, name, _ = found.groups()
    return quoted or (f"%({name})s" if name else "%s")


def values_of(sql: str) -> tuple[str, str, str]:
    """An INSERT of one row: what stands before its values, the values, and what follows."""
    found = _VALUES.search(sql)
    assert found is not None  # noqa: S101 - only such statements take tuples
    return sql[: found.start(1)], found[1], sql[found.end() :].rstrip(";\n")
