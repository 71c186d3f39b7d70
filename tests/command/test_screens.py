"""Every screen at 60, 80 and 120 columns is as `tests/data/screens` has it, which a person has looked at.

`python -m tests.screens` writes them anew after a change of words.
"""

import re
from collections.abc import Iterator
from itertools import chain

import pytest
from rich.cells import cell_len

from pipelines.cli.terminal import wrapped
from tests.screens import CHANGING, FOLDER, OF_THIS_MACHINE, SCREENS, Screen, play, play_changing

NAMES = [name for name in ("run", *SCREENS, *CHANGING) if name not in OF_THIS_MACHINE]


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Screen]:
    folder = tmp_path_factory.mktemp("screens")
    return {screen.name: screen for screen in chain(play(folder), play_changing(folder))}


@pytest.mark.parametrize("name", NAMES)
def test_a_screen_is_as_it_was_looked_at(name: str, screens: dict[str, Screen]) -> None:
    assert screens[name].text() == (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a screen, without colour, each with the columns it has."""
    width = 0
    for line in text.splitlines():
        if head := re.match(r"=== (\d+)", line):
            width = int(head[1])
        else:
            yield width, re.sub(r"␛\[[\d;]*m", "", line)


@pytest.mark.parametrize("name", [*NAMES, *OF_THIS_MACHINE, "demo"])
def test_no_line_is_cut_or_wider_than_the_terminal(name: str, screens: dict[str, Screen]) -> None:
    # The demo of the file: test_examples holds it equal to the one that is played.
    text = screens[name].text() if name in screens else (FOLDER / f"{name}.txt").read_text("utf-8")
    for width, line in lines_of(text):
        assert "…" not in line, line
        is_one_word = " " not in line.strip()
        assert cell_len(line) <= width or is_one_word, line


def test_without_colour_no_sign_goes_to_the_terminal() -> None:
    for name in (*NAMES, "demo"):
        before, _, rest = (FOLDER / f"{name}.txt").read_text("utf-8").partition("=== 80 colour\n")
        assert "␛" not in before + rest.partition("=== 120\n")[2], name


def test_a_command_that_is_copied_stays_in_one_piece() -> None:
    line = "  to have it again: kartra-sync undo newsletter.yaml 20270116T030000-abcdef --send-again"
    assert wrapped(line, 80) == [
        "  to have it again:",
        "  kartra-sync undo newsletter.yaml 20270116T030000-abcdef --send-again",
    ]


def test_a_word_that_is_too_long_is_not_cut() -> None:
    word = "x" * 70
    assert "".join(wrapped(f"  note: see {word} there", 60)).replace(" ", "") == f"note:see{word}there"


def test_words_hang_below_the_words_of_their_line() -> None:
    assert wrapped("  leads         2 held back: a person has to act", 40) == [
        "  leads         2 held back: a person",
        "                  has to act",
    ]
