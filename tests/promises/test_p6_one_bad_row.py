"""P6: one bad row stops nothing else. It gets a reason, its row and its original text; the rest goes on."""

import csv
import io
from pathlib import Path
from typing import Any

from connectors.kartra.error_types import error_type
from connectors.kartra.sandbox import Account, Sandbox
from tests.command.several import adds_up, named_pipeline, stored, together, writes
from tests.conftest import LOAD, Project, contact

NO_LEADS = dict.fromkeys(
    ("unchanged", "created", "edited", "removed", "skipped", "rejected", "parked", "deferred"), 0
)
FIELDS_ONLY = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First, city: City}
consent: {attested: "sign-up form, 2025"}
"""


def leads(**counts: int) -> dict[str, int]:
    return NO_LEADS | counts


def rejects(project: Project) -> list[dict[str, Any]]:
    listed = project.command("rejects", "p.yaml", "--json")
    assert (listed.code, listed.stderr) == (0, "")
    found: list[dict[str, Any]] = listed.json["rejects"]
    assert all(one["times"] >= 1 and one.keys() >= {"key", "since"} for one in found)
    told = ("row", "line", "kind", "type", "reason")
    return [{name: one[name] for name in told} for one in found]


def reject(row: int, kind: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"row": row, "line": row, "kind": kind, "type": None, "reason": reason} | more


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def originals_of(text: str) -> list[list[str]]:
    """The records of a file of rejects as they stand in the source, without what stands in front of them."""
    header, *rows = rows_of(text)
    assert header[:2] == ["kartra-sync: why not sent", "kartra-sync: key"]
    assert all(row[0] for row in rows)
    return [header[2:], *(row[2:] for row in rows)]


def mode_of(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def write_rows(path: Path, rows: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as handle:
        csv.writer(handle, delimiter=delimiter).writerows(rows)


def six_bad_of_forty_six() -> list[dict[str, str]]:
    """Rows 2 to 47 of a file: 40 good ones, and six that are not, spread over it."""
    rows = [contact(number, **{"Kept aside": f"aside, {number}"}) for number in range(40)]
    bad = {
        0: contact(50, Email="nobody.example.org"),
        9: contact(51, Email=""),
        17: contact(52, Email="two@at@example.org"),
        25: contact(53, Email="ann lee@example.org"),
        33: contact(54, Consent="no"),
        45: contact(5),  # again, and this time without a note
    }
    for place, row in bad.items():
        rows.insert(place, {**row, "Kept aside": f'"bad", {place}'})
    rows[45]["Note"] = ""
    return rows


def test_p6_forty_rows_are_delivered_and_six_are_told_with_row_and_reason(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts(six_bad_of_forty_six())
    project.pipeline(LOAD)
    done = project.run()
    assert done.code == 3
    assert done.json["status"] == "partial"
    assert done.json["rows"] == {"read": 46, "invalid": 4, "duplicate": 1, "blocked": 1}
    assert done.json["leads"] == leads(created=40)
    assert adds_up(done.json)
    assert sorted(stored(sandbox)) == sorted(f"lead{number}@example.org" for number in range(40))
    assert len(writes(sandbox)) == 40
    assert rejects(project) == [
        reject(2, "invalid", "not an e-mail address: no @"),
        # lead5 stands on rows 8 and 47, and the last one speaks for it
        reject(8, "duplicate", "same key as row 47"),
        reject(11, "invalid", "no e-mail address"),
        reject(19, "invalid", "not an e-mail address: more than one @"),
        reject(27, "invalid", "not an e-mail address: a space in it"),
        reject(35, "blocked", 'no consent in the column "Consent": "no"'),
    ]
    again = project.run()
    assert (again.code, again.json["calls"]["sent"], adds_up(again.json)) == (3, 0, True)
    assert again.json["rows"] == done.json["rows"]
    assert again.json["leads"] == leads(unchanged=40)


def test_p6_rejects_come_out_as_a_csv_that_loads_once_it_is_mended(
    project: Project, sandbox: Sandbox
) -> None:
    rows = six_bad_of_forty_six()
    rows = [rows[0], rows[1], rows[6], rows[9], rows[17], rows[25], rows[33], rows[45]]
    project.contacts(rows)
    project.pipeline(LOAD)
    assert project.run().code == 3
    to_file, to_stdout = together(
        project, [("rejects", "p.yaml", "--csv", "again.csv"), ("rejects", "p.yaml", "--csv")]
    )
    assert (to_file.code, to_file.stdout, to_file.stderr) == (0, "", "5 records written\n")
    assert (to_stdout.code, to_stdout.stderr) == (0, "5 records written\n")
    again = project.folder / "again.csv"
    assert mode_of(again) == "0o600"
    refused = [rows[place] for place in (0, 3, 4, 5, 6)]
    expected = [list(rows[0]), *(list(row.values()) for row in refused)]
    assert originals_of(again.read_bytes().decode()) == expected
    assert originals_of(to_stdout.stdout) == expected
    in_front = [row[:2] for row in rows_of(to_stdout.stdout)]

    mended = [expected[0]]
    for number, cells in enumerate(expected[1:]):
        mended.append([f"mended{number}@example.org", *cells[1:]])
        mended[-1][expected[0].index("Consent")] = "yes"
    write_rows(again, [[*front, *cells] for front, cells in zip(in_front, mended, strict=True)])
    project.pipeline(LOAD.replace("contacts.csv", "again.csv"))
    done = project.run()
    assert (done.code, done.json["leads"]) == (0, leads(created=5))
    assert stored(sandbox)["mended4@example.org"]["custom_fields"]["note"] == "note, 54"


def test_p6_a_csv_of_rejects_is_private_where_an_older_file_was_not(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1), contact(2, Email="nobody")])
    project.pipeline(FIELDS_ONLY)
    assert project.run().code == 3
    again = project.folder / "again.csv"
    again.write_text("what was here before, and much longer than what comes now\n" * 20)
    again.chmod(0o644)
    assert project.command("rejects", "p.yaml", "--csv", "again.csv", "--replace").code == 0
    assert originals_of(again.read_bytes().decode()) == [
        list(contact(2)),
        ["nobody", *list(contact(2).values())[1:]],
    ]
    assert mode_of(again) == "0o600"


def test_p6_a_csv_of_rejects_loads_with_the_settings_of_its_source(
    project: Project, sandbox: Sandbox
) -> None:
    """What the pipeline says of the file's delimiter and encoding is true of the new file too."""
    header = ["Email", "First", "City"]
    write_rows(
        project.folder / "contacts.csv",
        [header, ["ann@example.org", "Ann", "Málaga"], ["zoe.example.org", "Zoë; the one", "Orléans"]],
        delimiter=";",
        encoding="cp1252",
    )
    source = "{csv: {path: contacts.csv, delimiter: ';', encoding: cp1252}}"
    project.pipeline(FIELDS_ONLY.replace("{csv: contacts.csv}", source))
    assert project.run().code == 3
    assert project.command("rejects", "p.yaml", "--csv", "again.csv").code == 0
    again = project.folder / "again.csv"
    again.write_bytes(again.read_bytes().replace(b"zoe.example", b"zoe@example"))
    project.pipeline(FIELDS_ONLY.replace("{csv: contacts.csv}", source.replace("contacts.csv", "again.csv")))
    assert project.run().json["leads"] == leads(created=1)
    assert stored(sandbox)["zoe@example.org"]["fields"] == {"first_name": "Zoë; the one", "city": "Orléans"}


def test_p6_ragged_rows_and_nul_bytes_are_set_aside_with_their_cells(
    project: Project, sandbox: Sandbox
) -> None:
    (project.folder / "contacts.csv").write_bytes(
        b"Email,First,City\n"
        b"ann@example.org,Ann,Lyon\n"
        b"bob@example.org,Bob\n"
        b"cid@example.org,Cid,Leeds,Yorkshire\n"
        b"dan@example.org,D\0n,Leeds\n"
        b"eve.example.org,Eve,Porto\n"
        b"fay@example.org,Fay,Porto\n"
    )
    project.pipeline(FIELDS_ONLY)
    done = project.run()
    assert (done.code, adds_up(done.json)) == (3, True)
    assert done.json["rows"] == {"read": 6, "invalid": 4, "duplicate": 0, "blocked": 0}
    assert sorted(stored(sandbox)) == ["ann@example.org", "fay@example.org"]
    assert rejects(project) == [
        reject(3, "invalid", "2 cells, the header has 3"),
        reject(4, "invalid", "4 cells, the header has 3"),
        reject(5, "invalid", 'the column "First" holds a NUL character'),
        reject(6, "invalid", "not an e-mail address: no @"),
    ]
    written = project.command("rejects", "p.yaml", "--csv")
    assert originals_of(written.stdout) == [
        ["Email", "First", "City"],
        ["bob@example.org", "Bob"],
        ["cid@example.org", "Cid", "Leeds", "Yorkshire"],
        ["dan@example.org", "D\0n", "Leeds"],
        ["eve.example.org", "Eve", "Porto"],
    ]


def test_p6_a_csv_of_nothing_but_ragged_rows_has_its_header(project: Project, sandbox: Sandbox) -> None:
    (project.folder / "contacts.csv").write_text(
        "Email,First,City\nann@example.org,Ann,Lyon\nbob@example.org,Bob\n", encoding="utf-8"
    )
    project.pipeline(FIELDS_ONLY)
    assert project.run().code == 3
    assert project.command("rejects", "p.yaml", "--csv", "again.csv").code == 0
    again = project.folder / "again.csv"
    written = originals_of(again.read_bytes().decode())
    assert written == [["Email", "First", "City"], ["bob@example.org", "Bob"]]
    write_rows(again, [written[0], [*written[1], "Leeds"]])
    project.pipeline(FIELDS_ONLY.replace("contacts.csv", "again.csv"))
    assert project.run().json["leads"] == leads(created=1)


def test_p6_a_csv_of_rejects_needs_no_source_any_more(project: Project, sandbox: Sandbox) -> None:
    """By the morning the nightly export may be gone, or be another one."""
    contacts = project.folder / "contacts.csv"
    contacts.write_text("Email,First,City\nann@example.org,Ann,Lyon\nbob@example.org,Bob\n", encoding="utf-8")
    project.pipeline(FIELDS_ONLY)
    assert project.run().code == 3
    contacts.write_text("Other,Columns\n1,2\n", encoding="utf-8")
    other = project.command("rejects", "p.yaml", "--csv")
    contacts.unlink()
    gone = project.command("rejects", "p.yaml", "--csv")
    for done in (other, gone):
        assert (done.code, done.stderr) == (0, "1 record written\n")
        assert originals_of(done.stdout) == [["Email", "First", "City"], ["bob@example.org", "Bob"]]


def test_p6_what_kartra_refuses_for_good_is_not_sent_again_until_its_row_changes(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.add_lead("lead1@example.org").deleted = True
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    reason = error_type("245").explanation
    first = project.run()
    assert (first.code, first.json["leads"], adds_up(first.json)) == (3, leads(created=2, rejected=1), True)
    assert rejects(project) == [reject(3, "refused", reason, type="245")]

    sandbox.reset_calls()
    second = project.run()
    assert (second.code, second.json["leads"]) == (3, leads(unchanged=2, parked=1))
    assert (second.json["calls"]["sent"], adds_up(second.json)) == (0, True)
    assert sandbox.calls == []
    assert rejects(project) == [reject(3, "held_back", reason, type="245")]

    account.leads[account.lead("lead1@example.org").id].deleted = False  # type: ignore[union-attr]
    project.contacts([contact(0), contact(1, City="Porto"), contact(2)])
    third = project.run()
    assert (third.code, third.json["leads"], adds_up(third.json)) == (0, leads(unchanged=2, edited=1), True)
    lead = stored(sandbox)["lead1@example.org"]
    assert (lead["fields"]["city"], lead["starts"]) == ("Porto", [("Onboarding", "1")])
    fourth = project.run()
    assert (fourth.code, fourth.json["leads"], fourth.json["calls"]["sent"]) == (0, leads(unchanged=3), 0)
    assert rejects(project) == []


def test_p6_each_rule_for_duplicates_says_which_record_speaks(project: Project, sandbox: Sandbox) -> None:
    """One pipeline and one address per rule. Of the three records the first is the newest."""
    load = FIELDS_ONLY + "tags: [{column: Tags, split: ';'}]\n"
    for rule in ("first", "last", "newest", "merge", "error"):
        records = [
            {
                "Email": f"{rule}@example.org",
                "First": "One",
                "City": "Oslo",
                "Tags": "VIP",
                "At": "2026-03-01",
            },
            {
                "Email": f" {rule.title()}@Example.ORG ",
                "First": "Two",
                "City": "Bari",
                "Tags": "Blog",
                "At": "2025",
            },
            {"Email": f"{rule}@example.org", "First": "Three", "City": "", "Tags": "", "At": ""},
        ]
        project.contacts(records, name=f"{rule}.csv")
        written = "newest:At" if rule == "newest" else rule
        named_pipeline(
            project, rule, load.replace("contacts.csv", f"{rule}.csv") + f"duplicates: {written}\n"
        )
    done = project.command(
        "run", "first.yaml", "last.yaml", "newest.yaml", "merge.yaml", "error.yaml", "--json"
    )
    assert done.code == 4
    runs = {run["pipeline"]: run for run in done.json["runs"]}
    assert {name: run["leads"] for name, run in runs.items()} == {
        **dict.fromkeys(("first", "last", "newest", "merge"), leads(created=1)),
        "error": leads(deferred=1),
    }
    assert all(adds_up(run) for run in runs.values())
    assert runs["merge"]["rows"] == {"read": 3, "invalid": 0, "duplicate": 2, "blocked": 0}
    told = "2 records have the key of another (rows 2 = 3 = 4) and load.duplicates is error: nothing was sent"
    assert (runs["error"]["message"], runs["error"]["status"]) == (told, "refused")
    assert done.stderr == f"error: {told}\n"
    assert {email: (lead["fields"], lead["tags"]) for email, lead in stored(sandbox).items()} == {
        "first@example.org": ({"first_name": "One", "city": "Oslo"}, {"VIP"}),
        "last@example.org": ({"first_name": "Three"}, set()),
        "newest@example.org": ({"first_name": "One", "city": "Oslo"}, {"VIP"}),
        "merge@example.org": ({"first_name": "Three", "city": "Bari"}, {"VIP", "Blog"}),
    }


def test_p6_the_counters_add_up_on_every_run_of_a_long_story(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    """Created, unchanged, edited, removed, rejected, parked, skipped, blocked, invalid, duplicate."""
    account.add_lead("lead1@example.org").deleted = True
    account.add_lead("lead2@example.org", city="Oslo")
    load = FIELDS_ONLY.replace('attested: "sign-up form, 2025"', 'column: Consent, accepted: ["yes"]') + (
        "tags: [Imported]\nexisting: skip\non_removed: [untag]\n"
        "guards: {max_removed: 50%, max_failed: 100%}\n"
    )
    project.pipeline(load)
    bad = [contact(7, Email="nobody"), contact(8, Consent="unsubscribed"), contact(9, Consent="")]
    story: list[tuple[list[dict[str, str]], dict[str, int], dict[str, int], int]] = [
        (
            [*(contact(number) for number in range(5)), contact(0), *bad],
            {"read": 9, "invalid": 1, "duplicate": 1, "blocked": 2},
            leads(created=3, rejected=1, skipped=1),
            3,
        ),
        (
            [*(contact(number) for number in range(5)), contact(5), contact(3, City="Porto"), *bad[1:]],
            {"read": 9, "invalid": 0, "duplicate": 1, "blocked": 2},
            leads(created=1, unchanged=2, edited=1, skipped=1, parked=1),
            3,
        ),
        (
            [contact(number) for number in (0, 2, 4)],
            {"read": 3, "invalid": 0, "duplicate": 0, "blocked": 0},
            leads(unchanged=2, skipped=1, removed=2),
            0,
        ),
        (
            [contact(number) for number in (0, 2, 3, 4)],
            {"read": 4, "invalid": 0, "duplicate": 0, "blocked": 0},
            leads(unchanged=2, skipped=1, edited=1),
            0,
        ),
    ]
    for rows, read, counted, code in story:
        project.contacts(rows)
        done = project.run()
        assert (done.json["rows"], done.json["leads"], done.code) == (read, counted, code)
        assert adds_up(done.json)
        assert done.json["actions"].get("create_lead", 0) == counted["created"]
