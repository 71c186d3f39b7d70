"""Text of somebody else leaves no place that it is shown in: no screen, no line, no JSON, no spreadsheet.

The probes stand in `tests/data/attacks/text.csv`, each with what a reader sees in its place; both are written
as JSON writes them. Every kind of probe brings its text to the command on another way.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from connectors.unseen import defused, one_message
from tests.attacks import table
from tests.attacks.table import Probe, observe
from tests.conftest import PIPELINE, Project, Result
from tests.pull.accounts import write_pull
from tests.raw_server import RawServer, answer
from tests.sources.workbooks import several

HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
"""As a reader of the output knows them, whatever the program takes for harmful."""
FORGED = re.compile(r"^(?:kartra-sync: (?:fine|all is well)|p\.yaml: ok, 9)", re.MULTILINE)
PEOPLE = "key: email\nfields: {email: Email, first_name: First Name}\nconsent: {attested: form}\n"
SOURCE = f"source: {{csv: contacts.csv}}\n{PEOPLE}guards: {{max_failed: 100%}}\n"


@dataclass(frozen=True)
class Scene:
    project: Project
    sandbox: Sandbox
    account: Account

    def people(self, *names: str, **columns: str) -> None:
        rows = [{"Email": f"p{n}@example.org", "First Name": name, **columns} for n, name in enumerate(names)]
        self.project.contacts(rows)

    def file(self, name: str) -> str:
        with (self.project.folder / name).open(encoding="utf-8", newline="") as handle:
            return handle.read()


Shown = tuple[str, list[Result]]
"""Where what is expected has to stand, and all that was said on the way."""


def status(scene: Scene, text: str) -> Shown:
    scene.people("Ann", Status=text)
    scene.project.pipeline(SOURCE)
    said = scene.project.command("check", "p.yaml")
    as_json = scene.project.command("check", "p.yaml", "--json")
    word = _only_word(as_json.json["files"][0]["unclear"])
    assert f'"{one_message(word)}"' in said.stdout  # the exact word for a program, the same for a person
    return said.stdout, [said, as_json]


def _only_word(unclear: list[dict[str, object]]) -> str:
    (one,) = unclear
    return str(one["word"])


def header(scene: Scene, text: str) -> Shown:
    scene.project.contacts([{"Email": "ann@example.org", text: "x"}])
    said = scene.project.command("inspect", "contacts.csv")
    return said.stdout, [said, scene.project.command("inspect", "contacts.csv", "--json")]


def file(scene: Scene, text: str) -> Shown:
    scene.project.contacts([{"Email": "ann@example.org"}], name=text)
    said = scene.project.command("inspect", text)
    lost = scene.project.command("inspect", f"no{text}")
    assert lost.code != 0
    return said.stdout, [said, lost, scene.project.command("inspect", text, "--json")]


def member(scene: Scene, text: str) -> Shown:
    with zipfile.ZipFile(scene.project.folder / "c.zip", "w") as made:
        made.writestr(text, "Email\nann@example.org\n")
        made.writestr("other.csv", "Mail\nbob@example.org\n")
    said = scene.project.command("inspect", "c.zip")
    return said.stdout + said.stderr, [said, scene.project.command("inspect", "c.zip", "--json")]


def sheet(scene: Scene, text: str) -> Shown:
    book = several((text, "visible", [["Email"], ["ann@example.org"]]))
    (scene.project.folder / "c.xlsx").write_bytes(book)
    said = scene.project.command("inspect", "c.xlsx")
    return said.stdout, [said, scene.project.command("inspect", "c.xlsx", "--sheet", "none")]


def account(scene: Scene, text: str) -> Shown:
    scene.account.tags[:] = [text]
    scene.people("Ann")
    near = HARMFUL.sub("", text).replace("\n", " ") + "s"
    scene.project.pipeline(f"{SOURCE}tags: [{json.dumps(near)}]")
    said = scene.project.command("check", "p.yaml")
    return said.stdout + said.stderr, [said, scene.project.command("plan", "p.yaml", "--json")]


def wish(scene: Scene, text: str) -> Shown:
    scene.people("Ann")
    scene.project.pipeline(f"{SOURCE}tags: [{json.dumps(text)}]")
    said = scene.project.command("check", "p.yaml")
    return said.stdout + said.stderr, [said, scene.project.run()]


def reject(scene: Scene, text: str) -> Shown:
    scene.project.contacts([{"Email": text, "First Name": "Ann"}])
    scene.project.pipeline(SOURCE)
    done = scene.project.run()
    said = scene.project.command("rejects", "p.yaml")
    return " ".join(said.stdout.split()), [done, said, scene.project.command("rejects", "p.yaml", "--json")]


def message(scene: Scene, text: str) -> Shown:
    body = f"<html><h1>{text}</h1></html>".encode()
    with RawServer([answer(body)]) as server:
        scene.project.environ["KARTRA_URL"] = server.url
        (scene.project.folder / "p.yaml").write_text(PIPELINE, encoding="utf-8")
        said = scene.project.command("call", "retrieve_account_lists")
        as_json = scene.project.command("call", "retrieve_account_lists", "--json")
    assert said.code != 0
    return said.stdout + said.stderr, [said, as_json]


def rejects(scene: Scene, text: str) -> Shown:
    scene.project.contacts([{"Email": "nobody", "First Name": text}])
    scene.project.pipeline(SOURCE)
    done = scene.project.run()
    said = scene.project.command("rejects", "p.yaml", "--csv", "again.csv")
    scene.project.command("rejects", "p.yaml", "--csv", "exact.csv", "--exact")
    assert cells(scene.file("exact.csv"))[1][-2:] == ["nobody", text]
    mended = scene.file("again.csv").replace("nobody", "ann@example.org")
    (scene.project.folder / "contacts.csv").write_text(mended, encoding="utf-8")
    assert scene.project.run().code == 0  # what was guarded against a spreadsheet is itself again
    (lead,) = scene.account.leads.values()
    assert lead.fields["first_name"] == text
    return cells(scene.file("again.csv"))[1][-1], [done, said]


def imported(scene: Scene, text: str) -> Shown:
    scene.people("Ann", text)
    scene.project.pipeline(SOURCE)
    said = scene.project.command("export-import", "p.yaml", "--to", "safe")
    assert scene.project.command("export-import", "p.yaml", "--to", "exact", "--exact").code == 0
    assert ["p1@example.org", text] in cells(scene.file("exact/newsletter-import-001.csv"))
    left_out = scene.project.folder / "safe" / "newsletter-left-out.csv"
    assert (text in scene.file("safe/newsletter-import-001.csv")) is not left_out.exists()
    return scene.file("safe/newsletter-left-out.csv") if left_out.exists() else "", [said]


def results(scene: Scene, text: str) -> Shown:
    scene.project.contacts([{"Email": "ann@example.org", "Key": text}])
    load = (
        "operations:\n  source: {csv: contacts.csv}\n  do: give_points\n  key: Key\n  lead: {email: Email}\n"
    )
    rest = "  parameters: {points: {constant: '5'}}\n  guards: {max_failed: 100%}\n  results: out.csv\n"
    for more in ("  exact_results: true\n", ""):
        (scene.project.folder / "p.yaml").write_text(f"{PIPELINE}{load}{rest}{more}", encoding="utf-8")
        said = scene.project.command("run", "p.yaml", "--yes")
        assert cells(scene.file("out.csv"))[1][1] == (text if more else f"'{text}"), said.stderr
    return scene.file("out.csv"), [said]


def export(scene: Scene, text: str) -> Shown:
    scene.account.add_lead("ann@example.org", first_name=text)
    write_pull(scene.project, scene.account)
    scene.project.aim(scene.sandbox)
    assert scene.project.run().code == 0
    said = scene.project.command("export", "p.yaml", "--to", "safe")
    assert scene.project.command("export", "p.yaml", "--to", "exact", "--exact").code == 0
    assert text in scene.file("exact/leads.csv")
    safe = scene.file("safe/leads.csv")
    assert not HARMFUL.search(safe.replace("\r\n", "\n"))
    return safe, [said]


KINDS: dict[str, Callable[[Scene, str], Shown]] = {
    **{one.__name__: one for one in (status, header, file, member, sheet, account, wish, reject, message)},
    "rejects": rejects,
    "import": imported,
    "results": results,
    "export": export,
}
PROBES = table.probes(table.FOLDER / "text.csv")
FIRST = [
    probe.id
    for kind in KINDS
    for probe in [probe for probe in PROBES if probe.kind == kind][: 6 if kind == "status" else 2]
]
"""Those of each kind that are in every suite."""


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def read(written: str) -> str:
    return str(json.loads('"' + written.replace('"', '\\"') + '"'))


def seen(written: str) -> str:
    """Of what is expected, line ends alone are written by a mark."""
    return written.replace("\\n", "\n")


def lines_with(text: str, where: str) -> str:
    """The whole lines that it stands in."""
    start = where.index(text)
    end = where.find("\n", start + len(text))
    return where[where.rfind("\n", 0, start) + 1 : end if end >= 0 else None] if text else where


def test_there_are_more_than_forty_probes() -> None:
    assert len(PROBES) >= 40
    assert {probe.kind for probe in PROBES} == KINDS.keys()
    assert len({probe.id for probe in PROBES}) == len(PROBES)


@pytest.mark.full(but=FIRST)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
def test_no_text_leaves_its_line(probe: Probe, project: Project, sandbox: Sandbox, account: Account) -> None:
    text = read(probe.probe)
    where, said = KINDS[probe.kind](Scene(project, sandbox, account), text)
    for result in said:
        output = result.stdout + result.stderr
        assert not HARMFUL.search(output), ascii(output)
        assert not FORGED.search(output), output
        assert "Traceback" not in output
        assert result.code != 70
    assert seen(probe.expected) in where
    observe(probe.id, lines_with(seen(probe.expected), where), FOLDER=project.folder)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Zoë 陳大文 🎉 ❤️", "plain Zoë 陳大文 🎉 ❤️"),
        ("👩\u200d💻 نمی\u200cخواهم", "👩\u200d💻 نمی\u200cخواهم"),
        ("ad\u200dmin", "ad\\u200dmin"),
        ("a\tb\n", "a\tb\n"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("\x85\x9b\x00", "\\u0085\\u009b\\u0000"),
    ],
)
def test_what_nobody_sees_is_written_as_json_writes_it(text: str, shown: str) -> None:
    assert defused(text) == shown
    assert json.loads(defused(json.dumps(text, ensure_ascii=False))) == text
