"""Every screen of the command as a person sees it, on a real terminal of 60, 80 and 120 columns.

`play` sets one project up and takes all screens from it; `tests/data/screens` holds them, and
`python -m tests.screens` writes them anew. What differs from run to run is always the same there.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from connectors.kartra.sandbox import Account, CustomField, Sandbox
from tests import warm_start
from tests.conftest import LOAD, Project, contact

FOLDER = Path(__file__).parents[1] / "data" / "screens"
WIDTHS = (60, 80, 120)
COLOURED = 80
"""The width that is looked at with colour; the others are without."""
SIDE_BY_SIDE = 4
_ROWS = 50

SCREENS = {
    "help": ("--help",),
    "check": ("check", "p.yaml"),
    "check-missing": ("check", "missing.yaml"),
    "plan": ("plan", "p.yaml"),
    "plan-changes": ("plan", "p.yaml", "--changes"),
    "status": ("status", "p.yaml"),
    "runs": ("runs", "p.yaml", "--count", "2"),
    "rejects": ("rejects", "p.yaml"),
    "outcomes": ("outcomes", "p.yaml"),
    "explain": ("explain", "p.yaml", "lead0@example.org"),
    "show": ("show", "p.yaml"),
    "drift": ("drift", "p.yaml", "--within", "0s"),
    "report": ("report", "p.yaml", "revenue-by-month"),
    "report-unknown": ("report", "p.yaml", "revenue-by-monht"),
    "reports": ("reports",),
    "parked": ("parked", "p.yaml"),
    "plans": ("plans", "p.yaml"),
    "apply": ("apply", "p.yaml", "20000101-abcdef"),
    "undo": ("undo", "p.yaml", "last", "--plan-only"),
    "state-verify": ("state", "verify", "p.yaml"),
    "inspect": ("inspect", "contacts.csv"),
    "init-there": ("init", "contacts.csv", "--attested", "form", "--to", "p.yaml"),
    "errors": ("errors", "244"),
    "typo": ("run", "typo.yaml"),
}
"""By name the words of each, in the project of `_set_up`; none of them changes what another one shows."""

ALONE = ("drift", "undo")
"""They take the lease, and so come one after the other."""
OF_NO_WIDTH = ("help", "reports", "report-unknown", "init-there", "errors", "typo")
"""Words alone: how they are wrapped is seen at the narrowest."""
OF_THIS_MACHINE = ("plans", "state-verify", "drift", "help")
"""They name its host or folder, follow its clock, or list every verb: only that nothing is cut is held."""

_VARYING = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}"), "20270116T030000-abcdef"),
    (re.compile(r"\b\d{8}-[0-9a-f]{6}\b"), "20270116-abcdef"),
    (re.compile(r"\b20\d\d-\d\d-\d\d([ T])\d\d:\d\d:\d\d"), r"2027-01-16\g<1>03:00:00"),
    (re.compile(r"\b20\d\d-\d\d-\d\d([ T])\d\d:\d\d"), r"2027-01-16\g<1>03:00"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "2027-01-16"),
    (re.compile(r"about(\s+)\d\d:\d\d"), r"about\g<1>03:00"),
    (re.compile(r"\b\d+\.\d s\b"), "0.0 s"),
    (re.compile(r"\b\d+\.\d a second"), "18.0 a second"),
    (re.compile(r"(account:? +)[0-9a-f]{8}\b"), r"\g<1>abcdef00"),
    (re.compile(r"127\.0\.0\.1:\d{5}"), "127.0.0.1:00000"),
)


@dataclass(frozen=True, slots=True)
class Screen:
    """What one command shows, at every width."""

    name: str
    by_width: dict[str, str]

    def text(self) -> str:
        """As the golden file has it; a sign to the terminal begins with ␛."""
        parts = (f"=== {width}\n{text}" for width, text in self.by_width.items())
        return "".join(parts).replace("\x1b", "␛")


def play(folder: Path) -> Iterator[Screen]:
    """All screens, of one set-up."""
    project = Project(folder)
    with Sandbox(_account(), calls_per_second=0) as sandbox, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        project.aim(sandbox)
        _set_up(project)
        yield Screen("run", {view: seen(project, RUN, *how) for view, how in VIEWS.items()})
        _go_on(project)
        for name in ALONE:
            yield Screen(name, {view: seen(project, SCREENS[name], *how) for view, how in VIEWS.items()})
        asked = {
            name: {
                view: pool.submit(seen, project, words, *how)
                for view, how in VIEWS.items()
                if view == "60" or name not in OF_NO_WIDTH
            }
            for name, words in SCREENS.items()
            if name not in ALONE
        }
        for name, screens in asked.items():
            yield Screen(name, {view: shown.result() for view, shown in screens.items()})


def play_changing(folder: Path) -> Iterator[Screen]:
    """Screens of verbs that ask first, or change something: a project for each width."""
    with ThreadPoolExecutor(len(VIEWS)) as pool:
        played = {
            view: pool.submit(_changing, folder / view.replace(" ", "-"), how) for view, how in VIEWS.items()
        }
    for name in CHANGING:
        yield Screen(name, {view: shown.result()[name] for view, shown in played.items()})


CHANGING = ("question", "apply-saved", "undo-sent", "retry", "adopt", "init")


def _changing(folder: Path, how: tuple[int, bool]) -> dict[str, str]:
    folder.mkdir()
    project = Project(folder)
    with Sandbox(_account(), calls_per_second=0) as sandbox:
        project.aim(sandbox)
        path = project.pipeline(LOAD + "guards: {max_failed: 100%}\n", kartra="account: Acme Courses")
        project.contacts(ROWS)
        assert project.run("--yes").code == 3
        project.contacts([*ROWS[:5], contact(0, City="Wien"), contact(7, Tags="VIP")])
        shown = {"question": seen(project, ("run", "p.yaml"), *how, typed="n\n")}
        plan = project.command("plan", "p.yaml", "--save", "--json").json["plan_id"]
        shown["apply-saved"] = seen(project, ("apply", "p.yaml", plan), *how, typed="y\n")
        shown["undo-sent"] = seen(project, ("undo", "p.yaml", "last"), *how, typed="y\n")
        project.contacts([contact(3)], name="again.csv")
        shown["retry"] = seen(project, ("retry", "p.yaml", "again.csv"), *how)
        adopted = path.read_text("utf-8").replace("newsletter", "adopted") + "state: state/adopted.db\n"
        (folder / "adopted.yaml").write_text(adopted, "utf-8")
        shown["adopt"] = seen(project, ("adopt", "adopted.yaml"), *how)
        drafted = ("init", "contacts.csv", "--attested", "sign-up form, 2025", "--to", "new.yaml")
        shown["init"] = seen(project, drafted, *how)
    return shown


def demo(folder: Path, view: str) -> str:
    """The screen of the demo, which needs half a minute."""
    return seen(Project(folder), ("demo",), *VIEWS[view])


def _account() -> Account:
    account = Account(
        tags=["Imported", "VIP", "Blog", "Customer"],
        lists=["News"],
        sequences={"Onboarding": ["1"]},
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {"610": "small", "611": "medium", "612": "large"}),
            CustomField("3", "fruits", "checkbox", {"1": "apple", "2": "pear", "3": "plum"}),
        ],
    )
    account.add_lead("lead1@example.org").deleted = True
    return account


VIEWS = {
    f"{width} colour" if width == COLOURED else f"{width}": (width, width == COLOURED) for width in WIDTHS
}
RUN = ("run", "p.yaml", "--yes")


def _set_up(project: Project) -> None:
    """A first run of two leads, with a row of each kind that does not get through."""
    pull = "pull: {into: tables.db, leads: {state: true}}\n"
    path = project.pipeline(LOAD + "guards: {max_failed: 100%}\n", kartra="workers: 1\naccount: Acme Courses")
    path.write_text(path.read_text("utf-8") + pull, "utf-8")
    project.contacts(ROWS)
    assert project.run("--yes").code == 3


ROWS = [
    *(contact(number) for number in range(3)),
    contact(3, Email="ben at example.org"),
    contact(4, Consent=""),
    contact(0, City="Graz"),
]


def _go_on(project: Project) -> None:
    """A second run, of a lead that is new and one that moved; a saved plan of the next; files with faults."""
    project.contacts([*ROWS[:5], contact(0, City="Wien"), contact(7, Tags="VIP")])
    assert project.run("--yes").code == 3
    project.contacts([*ROWS[:5], contact(0, City="Linz"), contact(8, Tags="")])
    assert project.command("plan", "p.yaml", "--save").code == 0
    path = project.folder / "p.yaml"
    text = path.read_text("utf-8").replace("pipeline: newsletter", "pipeline: another")
    (project.folder / "missing.yaml").write_text(text.replace("[Imported,", "[Importd,"), "utf-8")
    (project.folder / "typo.yaml").write_text(text.replace("  key: email", "  kye: email"), "utf-8")


def seen(
    project: Project, words: tuple[str, ...], width: int, colour: bool, *, typed: str | None = None
) -> str:
    """What stands on a terminal of that width at the end: stdout and stderr, without what was drawn over.

    `typed` answers the question; without it nobody sits in front of the terminal.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, width, 0, 0))
    environ = {**project.command_environ(), "TERM": "xterm-256color"}
    if not colour:
        environ["NO_COLOR"] = "1"
    process = warm_start.start(
        words,
        environ=environ,
        cwd=project.folder,
        stdin=subprocess.DEVNULL if typed is None else theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end open
            break
        if not part:
            break
        text += part
        if typed is not None and b"[y/N]: " in text:
            os.write(ours, typed.encode())
            typed = None
    os.close(ours)
    process.wait()
    return normal(_left_standing(text.decode("utf-8").replace("\r\n", "\n")))


def _left_standing(text: str) -> str:
    """Without the bar, which is drawn over and taken away."""
    text = re.sub(r"\x1b\[\?25[lh]", "", text)
    text = re.sub(r"[^\n]*\n\r?\x1b\[1A\x1b\[2K", "", text)  # a line that is gone back to, and taken away
    return "\n".join(re.split(r"\r|\x1b\[2K", line)[-1] for line in text.split("\n"))


def normal(text: str) -> str:
    for pattern, always in _VARYING:
        text = pattern.sub(always, text)
    return text
