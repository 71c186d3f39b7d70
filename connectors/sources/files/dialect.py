"""How a text file is written: encoding, delimiter, and where quotes go wrong. Reading it is in `files`."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from connectors.errors import ConfigError, SourceError

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_CHARS = 64 * 1024
SAMPLE_RECORDS = 200
BLOCK_BYTES = 1024 * 1024

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NOT_TEXT = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """The text after its byte order mark, if it has one, with line ends as they are."""
    with path.open(encoding=encoding, newline="") as handle:
        if handle.read(1) != "\ufeff":
            handle.seek(0)
        yield handle


def check_encoding(path: Path, encoding: str) -> None:
    """Raises ConfigError for a name Python does not know, SourceError for bytes that do not fit it."""
    try:
        " ".encode(encoding)
    except (LookupError, UnicodeError) as error:
        raise ConfigError(f"`encoding: {encoding}` is not the name of a text encoding") from error
    if line := _first_bad_line(path, encoding):
        raise SourceError(
            f"{path.name}, line {line}: not written in {encoding}. Set `encoding:` to the right one"
        )


def find_encoding(path: Path) -> str:
    """UTF-8 or UTF-16 by mark, UTF-16 by its NULs, UTF-8 if all bytes are valid in it, Windows' Shift-JIS
    if that shows Japanese, or else cp1252.

    A file that is UTF-8 but for a few damaged bytes is an error: read as cp1252, which takes almost any
    bytes, every accent in it would arrive as two wrong letters.
    """
    with path.open("rb") as handle:
        start = handle.read(SAMPLE_CHARS)
    for mark, kind in NOT_TEXT.items():
        if start.startswith(mark):
            raise SourceError(f"{path.name} is {kind}, not a CSV file")
    if sure := _encoding_by_mark(start) or _utf_16_by_nuls(start):
        check_encoding(path, sure)
        return sure
    bad_line = _first_bad_line(path, "utf-8")
    if not bad_line:
        return "utf-8"
    if _is_damaged_utf_8(path):
        raise SourceError(
            f"{path.name}, line {bad_line}: damaged, in a file that is UTF-8 otherwise. "
            "Export it again or repair the line; if it really is something else, set `encoding:`, as cp1252"
        )
    if _is_shift_jis(path):
        return "cp932"
    if _first_bad_line(path, "cp1252"):
        raise SourceError(
            f"{path.name}, line {bad_line}: neither UTF-8 nor cp1252. Set `encoding:`, as cp1250 or mac-roman"
        )
    return "cp1252"


def find_delimiter(sample: str, quotechar: str) -> str:
    """The one of , ; tab | that the header has and most records repeat as often; `,` for a single column.

    Quoted cells are taken out first, whichever delimiter they stand between, so theirs do not count.
    """
    lines = _lines_without_quoted_cells(sample, quotechar)
    candidates = [delimiter for delimiter in DELIMITERS if delimiter != quotechar]
    if not lines:
        return candidates[0]
    in_header = [delimiter for delimiter in candidates if delimiter in lines[0]]
    return max(
        in_header or candidates,
        key=lambda delimiter: (_records_like_header(lines, delimiter), lines[0].count(delimiter)),
    )


def end_of_good_cells(record: str, delimiter: str, quotechar: str) -> int:
    """Where the first cell starts that opens with a quote and does not end with one."""
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


def _encoding_by_mark(start: bytes) -> str | None:
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)


def _utf_16_by_nuls(start: bytes) -> str | None:
    """In mostly Latin UTF-16 every other byte is NUL, always on the same side; stray NULs are few."""
    pairs = len(start) // 2
    high_first, low_first = start[0::2].count(0), start[1::2].count(0)
    if low_first > 0.3 * pairs and low_first > 1 and high_first <= 0.02 * pairs:
        return "utf-16-le"
    if high_first > 0.3 * pairs and high_first > 1 and low_first <= 0.02 * pairs:
        return "utf-16-be"
    return None


def _first_bad_line(path: Path, encoding: str) -> int | None:
    """The line, from 1, on which the first bytes stand that `encoding` cannot read."""
    if _decodes(path, encoding):
        return None
    # The newline decoder makes one \n of every line end, also of a CRLF cut in two by a block.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    line = 1
    with path.open("rb") as handle:
        while True:
            block, state = handle.read(BLOCK_BYTES), decoder.getstate()
            try:
                line += decoder.decode(block, final=not block).count("\n")
            except UnicodeError as error:
                fault = error.start if isinstance(error, UnicodeDecodeError) else 0
                decoder.setstate(state)
                return line + decoder.decode(block[: max(0, fault - len(state[0]))]).count("\n")
            if not block:
                return None


def _decodes(path: Path, encoding: str) -> bool:
    """Without counting lines. In UTF-8 a block of ASCII needs no more than a glance."""
    decoder = codecs.getincrementaldecoder(encoding)()
    is_utf_8 = codecs.lookup(encoding).name == "utf-8"
    is_whole = True
    with path.open("rb") as handle:
        try:
            while block := handle.read(BLOCK_BYTES):
                if not (is_utf_8 and is_whole and block.isascii()):
                    decoder.decode(block)
                    is_whole = not decoder.getstate()[0]
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def _is_damaged_utf_8(path: Path) -> bool:
    """Whether more characters beyond ASCII are valid UTF-8 than not: in cp1252 that hardly happens."""
    valid = broken = 0
    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
        while text := handle.read(BLOCK_BYTES):
            beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
            replaced = text.count("\ufffd")
            valid, broken = valid + beyond_ascii - replaced, broken + replaced
    return valid > broken


def _is_shift_jis(path: Path) -> bool:
    """Whether it is valid there, with syllables in a row: their first bytes are no letters in cp1252."""
    found = False
    try:
        with path.open(encoding="cp932", newline="") as handle:
            while text := handle.read(BLOCK_BYTES):
                found = found or re.search("[\u3041-\u30ff]{2}", text) is not None
    except UnicodeDecodeError:
        return False
    return found


def _lines_without_quoted_cells(sample: str, quotechar: str) -> list[str]:
    quote, edge = re.escape(quotechar), re.escape("".join(DELIMITERS)) + r"\r\n"
    # A quoted cell stands between edges of any kind; one that the sample cuts off runs to its end.
    quoted_cell = rf"(?<![^{edge}]){quote}(?:[^{quote}]+|{quote}{quote})*+(?:{quote}(?![^{edge}])|\Z)"
    lines = re.split(r"[\r\n]+", re.sub(quoted_cell, "quoted", sample))
    if len(sample) == SAMPLE_CHARS and len(lines) > 1:
        lines.pop()  # cut off
    return [line for line in lines if line.strip()][:SAMPLE_RECORDS]


def _records_like_header(lines: list[str], delimiter: str) -> int:
    """How many records are as wide as the header, empty cells at the end not counted."""
    width = lines[0].count(delimiter)
    return sum(line.rstrip(delimiter).count(delimiter) <= width <= line.count(delimiter) for line in lines)
