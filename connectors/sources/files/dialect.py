"""Finds the delimiter of a CSV, and where its quotes go wrong. `csv_file` does the reading."""

import re
from collections import Counter

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("\x1f", "^", "~", ":")
"""Taken where every line has the same number of them and none of the others."""
SAMPLE_CHARS = 64 * 1024
SAMPLE_RECORDS = 200
LONGEST_NAME = 25


def find_delimiter(sample: str, quotechar: str, header_row: int | None = None) -> str:
    """The delimiter: the one of , ; tab | that most records have as often as the header does.

    Delimiters inside quoted cells do not count. If the first line has none, it may be a title: then the
    delimiter is the one that most lines have equally often. A single column counts as delimited by commas,
    unless a rare delimiter parts every line.
    """
    if header_row is not None:
        sample = "".join(sample.splitlines(keepends=True)[header_row - 1 :])
    lines = _lines_without_quoted_cells(sample, quotechar)
    candidates = [delimiter for delimiter in DELIMITERS if delimiter != quotechar]
    if not lines:
        return candidates[0]
    in_header = [delimiter for delimiter in candidates if delimiter in lines[0]]
    if not in_header and (rare := _of_every_line(lines)):
        return rare
    if not in_header and not _is_name(lines[0]) and (repeated := _of_most_lines(lines, candidates)):
        return repeated
    return max(
        in_header or candidates,
        key=lambda delimiter: (_records_like_header(lines, delimiter), lines[0].count(delimiter)),
    )


def end_of_good_cells(record: str, delimiter: str, quotechar: str) -> int:
    """The start of the first cell that opens with a quote and does not end with one."""
    # Possessive (*+): a record of megabytes with a wrong quote would otherwise backtrack for minutes.
    cell = rf"(?:{_quoted(quotechar)}|(?!{re.escape(quotechar)})[^{re.escape(delimiter)}\r\n]*+)"
    good = re.match(rf"(?:{cell}{re.escape(delimiter)})*+", record)
    return good.end() if good else 0


def is_proper_record(line: str, delimiter: str, quotechar: str) -> bool:
    """Whether a record may start here: quotes only around cells, the last of which may go on below."""
    quote, between = re.escape(quotechar), re.escape(delimiter)
    cell = rf"(?:{_quoted(quotechar)}|[^{quote}{between}\r\n]*+)"
    goes_on = rf"{quote}(?:[^{quote}]+|{quote}{quote})*+"
    return re.fullmatch(rf"(?:{cell}{between})*+(?:{cell}[\r\n]*|{goes_on})", line) is not None


def _quoted(quotechar: str) -> str:
    quote = re.escape(quotechar)
    return rf"{quote}(?:[^{quote}]+|{quote}{quote})*+{quote}"


def _lines_without_quoted_cells(sample: str, quotechar: str) -> list[str]:
    quote, edge = re.escape(quotechar), re.escape("".join(DELIMITERS)) + r"\r\n"
    # A quoted cell stands between edges of any kind; one that the sample cuts off runs to its end.
    quoted_cell = rf"(?<![^{edge}]){quote}(?:[^{quote}]+|{quote}{quote})*+(?:{quote}(?![^{edge}])|\Z)"
    lines = re.split(r"[\r\n]+", re.sub(quoted_cell, "quoted", sample))
    if len(sample) == SAMPLE_CHARS and len(lines) > 1:
        lines.pop()  # cut off
    return [line for line in lines if line.strip()][:SAMPLE_RECORDS]


def _is_name(line: str) -> bool:
    """Whether the line looks like the name of a single column of addresses and not like a title."""
    return len(line.strip()) <= LONGEST_NAME and re.search(r"mail|correo|courriel", line, re.I) is not None


def _of_every_line(lines: list[str]) -> str | None:
    for delimiter in RARE_DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        if len(lines) > 1 and len(counts) == 1 and counts != {0}:
            return delimiter
    return None


def _of_most_lines(lines: list[str], candidates: list[str]) -> str | None:
    best, most = None, max(1, (len(lines) - 1) // 2)
    for delimiter in candidates:
        counts = Counter(count for line in lines if (count := line.count(delimiter)))
        if counts and (times := counts.most_common(1)[0][1]) > most:
            best, most = delimiter, times
    return best


def _records_like_header(lines: list[str], delimiter: str) -> int:
    """How many records are as wide as the header, empty cells at the end not counted."""
    width = lines[0].count(delimiter)
    return sum(line.rstrip(delimiter).count(delimiter) <= width <= line.count(delimiter) for line in lines)
