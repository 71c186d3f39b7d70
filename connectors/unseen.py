"""Characters that nobody sees: dropped where texts are compared, written by number where somebody reads.

A name or a message of somebody else's can hold what moves the cursor of a terminal, turns the direction of a
line, or hides in it. `defused` is what every line goes through at its end; JSON stays the same JSON by it.
"""

import re

SOFT = "\u00ad\u200b\u2060\ufeff"
"""Soft hyphen, zero-width space, word joiner, byte order mark: they mean nothing, wherever they stand."""
MARKS = (
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u202a-\u202e\u2061-\u206f"
    "\u3164\uffa0\ufff9-\ufffb"
)
"""Joiners, marks of direction, fillers: between letters some of them mean something."""
VARIANTS = "\ufe00-\ufe0f\U000e0000-\U000e0fff"
"""They choose the shape of the sign before them, or hide a text in no sign at all."""

_UNSEEN = re.compile(f"[{SOFT}{MARKS}{VARIANTS}]")
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_JOINERS = "\u200c\u200d"
_LATIN = "\x00-\u024f"
_SPOKEN = MARKS.replace("\u200c-\u200f", "\u200e\u200f")
_DANGEROUS = re.compile(
    f"[{_CONTROL}{SOFT}{_SPOKEN}\U000e0000-\U000e0fff]|[{_JOINERS}](?![^{_LATIN}])|(?<![^{_LATIN}])[{_JOINERS}]"
)
"""Joiners stay between letters of scripts that need them, and in signs that are made of several."""
_CONTINUED = re.compile(r"\n(?=[^ \n])")


def without_unseen(text: str) -> str:
    """The text without any character that nobody sees, wherever it stands."""
    return text if text.isascii() else _UNSEEN.sub("", text)


def defused(text: str) -> str:
    r"""The text with such characters by their numbers, as JSON writes them; line ends and tabs stay.

    >>> defused("a\x1b[2Jb\u202e")
    'a\\u001b[2Jb\\u202e'
    """
    if text.isascii() and text.isprintable():
        return text
    return _DANGEROUS.sub(lambda found: _by_number(found[0]), text)


def one_message(text: str) -> str:
    """The text defused; each line of it but the first is indented: none passes for a line of its own."""
    return _CONTINUED.sub("\n  ", defused(text)) if "\n" in text else defused(text)


def _by_number(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
