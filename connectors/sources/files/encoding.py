"""Finds the encoding of a text file, and refuses files that are not text."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from connectors.errors import ConfigError, SourceError
from connectors.sources.files.code_pages import guess_page, misspelt, words_beyond_ascii

BLOCK_BYTES = 1024 * 1024
MAX_LINE_CHARS = 32 * 1024 * 1024
"""Twice the longest cell; Kartra takes 255 characters."""
SAMPLE_BYTES = 64 * 1024
MAX_TOKENS = 2_000
"""Enough words: more would not tell more of the encoding."""
MAX_TOKEN_BYTES = 200
SHOWN_WORDS = 4
MAX_READINGS = 3
MAX_BY_CHANCE = 5

BYTE_ORDER_MARKS = {  # the marks of UTF-32 begin as those of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NOT_TEXT = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "a SQLite database",
    b"%PDF-": "a PDF",
    b"{\\rtf": "a text document (RTF)",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
}
_OTHER_TEXT = (
    (r"<(?:!doctype html|html|head|body)\b", "a web page (a login page or an error of the site, perhaps)"),
    (r"<\?xml\b", "an XML document"),
    (r"begin:vcard\b", "a file of vCards"),
    (r"[{\[]\s*(?:[{\"\]}]|$)", "JSON"),
)
"""Beginnings, in any case, of texts that are not tables."""
_UTF_7 = re.compile(
    rb"[^\s,;|\"<>()]*\+(?=[0-9/]*[A-Za-z])[A-Za-z0-9/]{3,}(?:-[^\s,;|\"<>()]*|(?=[\s,;|\"<>()]|\Z))"
)
_BY_CHANCE = re.compile(r"(?=.*[A-Za-z])[\x00-\x7f]*[\u0370-\u07ff][\x00-\x7f]*")
_TOKEN = re.compile(rb"[^\s,;|\"@<>()]*[\x80-\xff][^\s,;\"<>()]*")


class UnclearEncodingError(SourceError):
    """Several encodings would do. `readings` are words of the file in each, for a person who asks."""

    def __init__(self, message: str, readings: Mapping[str, Sequence[str]]) -> None:
        super().__init__(message)
        self.readings = readings


class Encoding(NamedTuple):
    """An encoding. `words` are a few words beyond ASCII as it decodes them, if it was guessed."""

    name: str
    words: tuple[str, ...] = ()


def bounded_lines(handle: TextIO, name: str) -> Iterator[str]:
    """The lines of a text, with their ends. Raises SourceError for one that has no end in sight."""
    number = 0
    while line := handle.readline(MAX_LINE_CHARS + 1):
        number += 1
        if len(line) > MAX_LINE_CHARS:
            raise endless_line(name, number)
        yield line


def endless_line(name: str, number: int) -> SourceError:
    return SourceError(
        f"{name}, line {number}: more than {MAX_LINE_CHARS:,} characters without a line end, so it is no list"
        " of contacts. Export it again, a contact on each line"
    )


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """The text without its byte order mark, with line ends as they are."""
    with path.open(encoding=encoding, newline="") as handle:
        if handle.read(1) != "\ufeff":
            handle.seek(0)
        yield handle


def encoding_of(path: Path, given: str | None, kind: str) -> Encoding:
    """The given encoding, if the file can be read in it, or else the one that is found.

    `kind` is what the file should be, such as "a CSV file". Raises ConfigError for a name that Python does
    not know, SourceError for a file that is not text or whose encoding is not clear.
    """
    with path.open("rb") as handle:
        start = handle.read(SAMPLE_BYTES)
    _refuse_other_kinds(path, start, kind)
    if given is None:
        return _found(path, start)
    check_encoding(path, given)
    return Encoding(given)


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


def _refuse_other_kinds(path: Path, start: bytes, kind: str) -> None:
    for mark, other in NOT_TEXT.items():
        if start.startswith(mark):
            raise SourceError(f"{path.name} is {other}, not {kind}")


def refuse_other_text(path: Path, sample: str, kind: str) -> None:
    """Raises SourceError if the beginning of the text shows another kind of file."""
    for pattern, other in _OTHER_TEXT:
        if re.match(pattern, sample.lstrip(), re.IGNORECASE):
            raise SourceError(f"{path.name} is {other}, not {kind}")


def _found(path: Path, start: bytes) -> Encoding:
    """UTF by its mark or its NULs, UTF-8 if all bytes are valid, or else the code page of the words.

    A UTF-8 file with a few damaged bytes is an error: a code page takes almost any bytes, and every accent
    would arrive as two wrong letters.
    """
    if sure := _encoding_by_mark(start) or _utf_16_by_nuls(start) or _iso_2022(start):
        check_encoding(path, sure)
        return Encoding(sure)
    bad_line = _first_bad_line(path, "utf-8")
    if not bad_line:
        _refuse_utf_7(path)
        _refuse_utf_8_by_chance(path)
        return Encoding("utf-8")
    if _is_damaged_utf_8(path):
        raise SourceError(
            f"{path.name}, line {bad_line}: damaged, in a file that is UTF-8 otherwise. "
            "Export it again or repair the line; if it really is something else, set `encoding:`, as cp1252"
        )
    tokens = _tokens(path)
    page = _page(path, tokens, bad_line)
    _refuse_mixture(path, tokens, page)
    return Encoding(page, _shown(tokens, page))


def _iso_2022(start: bytes) -> str | None:
    """Mail of Japan, Korea and China once had its letters in ASCII, between signs no text has otherwise."""
    if re.search(rb"\x1b\$[@B]", start):
        return "iso2022_jp"
    if b"\x1b$)C" in start:
        return "iso2022_kr"
    return "hz" if re.search(rb"~\{(?:[!-}]{2})+~\}", start) else None


def _page(path: Path, tokens: list[bytes], bad_line: int) -> str:
    """The code page of the words."""
    # Words in UTF-8 are of another file; what else there is may tell the page of the rest.
    judged = [token for token in tokens if not _is_utf_8(token)] or tokens
    guess = guess_page(judged)
    where = f"{path.name}, line {bad_line}: "
    if guess is None:
        raise SourceError(
            f"{where}neither UTF-8 nor any code page in which its words make sense."
            " Set `encoding:`, as cp1250 or mac-roman"
        )
    if not guess.is_clear:
        pages = (guess.page, *guess.rivals[: MAX_READINGS - 1])
        raise UnclearEncodingError(
            f"{where}not UTF-8, and its words beyond ASCII do not tell the encoding:"
            f" {' or '.join(pages[:2])}? Set `encoding:` to the right one",
            {page: _shown(judged, page) for page in pages},
        )
    if line := _first_bad_line(path, guess.page):
        raise SourceError(
            f"{path.name}, line {line}: not written in {guess.page}, as the rest of the file is."
            " Set `encoding:` to the right one"
        )
    return guess.page


def _refuse_utf_7(path: Path) -> None:
    """Raises UnclearEncodingError where plain ASCII reads as words in UTF-7, such as `Jos+AOk-`.

    A + stands in addresses, telephone numbers and names of firms too, few of which give words.
    """
    with path.open("rb") as handle:
        start = handle.read(BLOCK_BYTES)
    found = [token for token in _UTF_7.findall(start) if b"@" not in token] if b"+" in start else []
    words = {token: word for token in found if _is_word(word := token.decode("utf-7", "replace"))}
    if words and 2 * len(words) > len(set(found)):
        first = next(iter(words))
        line = start[: start.index(first)].count(b"\n") + 1
        raise UnclearEncodingError(
            f"{path.name}, line {line}: plain ASCII, but a word of it has a letter beyond ASCII if it is"
            " UTF-7. Set `encoding:` to utf-7 or to utf-8",
            {"utf-7": list(words.values())[:SHOWN_WORDS], "utf-8": [first.decode("ascii")]},
        )


def _is_word(text: str) -> bool:
    """Whether it is one of letters, some beyond ASCII. A single Chinese character is what `+Yes` reads as."""
    is_of_letters = re.fullmatch(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*", text) is not None
    is_one_sign = len(text) == 1 and text > "\u3000"
    return is_of_letters and not (text.isascii() or is_one_sign or misspelt(text, "utf-7"))


def _refuse_mixture(path: Path, tokens: list[bytes], page: str) -> None:
    """Raises SourceError where some words are UTF-8: two files that were put together."""
    for token in tokens:
        if not _is_utf_8(token) or not misspelt(token.decode(page, "replace"), page):
            continue
        raise SourceError(
            f"{path.name}, line {_line_of(path, token)}: written in UTF-8, and other lines in {page}. Was it"
            " put together from two files? Save each as UTF-8 first"
        )


def _line_of(path: Path, token: bytes) -> int:
    with path.open("rb") as handle:
        lines = enumerate(iter(lambda: handle.readline(MAX_LINE_CHARS), b""), 1)
        return next((number for number, text in lines if token in text), 1)


def _refuse_utf_8_by_chance(path: Path) -> None:
    """Raises UnclearEncodingError where a few words may be of a code page and are UTF-8 by chance.

    Each has one letter of a far script beside Latin ones, as ří of a Mac has.
    """
    tokens = _tokens(path, MAX_BY_CHANCE)
    words = [word for token in tokens for word in words_beyond_ascii(token.decode("utf-8"))]
    if not 0 < len(words) <= MAX_BY_CHANCE or not all(_BY_CHANCE.fullmatch(word) for word in words):
        return
    guess = guess_page(tokens)
    if guess and guess.fits:
        raise UnclearEncodingError(
            f"{path.name}, line {_line_of(path, tokens[0])}: its words beyond ASCII do not tell the encoding:"
            f" utf-8 or {guess.page}? Set `encoding:` to the right one",
            {page: _shown(tokens, page) for page in ("utf-8", guess.page)},
        )


def _is_utf_8(token: bytes) -> bool:
    try:
        token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _tokens(path: Path, enough: int = MAX_TOKENS) -> list[bytes]:
    """The different words with bytes beyond ASCII, from the whole file until there are enough."""
    found: dict[bytes, None] = {}
    with path.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            if block.isascii():
                continue
            for line in block.splitlines():
                if not line.isascii():
                    found |= dict.fromkeys(_TOKEN.findall(line))
                if len(found) > enough:
                    return _usual(found)
    return _usual(found)


def _usual(tokens: Iterable[bytes]) -> list[bytes]:
    every = list(tokens)
    return [token for token in every if len(token) <= MAX_TOKEN_BYTES] or every


def _shown(tokens: Iterable[bytes], page: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_decoded(tokens, page)))[:SHOWN_WORDS]


def _decoded(tokens: Iterable[bytes], page: str) -> Iterator[str]:
    """Words with a letter beyond ASCII, spread over the file."""
    every = list(tokens)
    for token in every[:: max(1, len(every) // (2 * SHOWN_WORDS))]:
        for word in words_beyond_ascii(token.decode(page, "replace")):
            if any(letter.isalpha() and not letter.isascii() for letter in word):
                yield word


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
