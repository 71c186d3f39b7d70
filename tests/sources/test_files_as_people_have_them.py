"""A corpus of files: what is read of each, who is refused and why, and what a person is told. By the command.

Each line is a file that somebody has; the people in it are made up. `check` and `run` are played on it
against a sandbox, and what then stands in the account is compared.
"""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project
from tests.sources.workbooks import bytes_of, edited, several, strict, with_part

Lead = Mapping[str, str]
PEOPLE = [["Email", "First Name"], ["ann@example.org", "Ann"], ["bob@example.org", "Bob"]]
BOTH = {"ann": {"first_name": "Ann"}, "bob": {"first_name": "Bob"}}
ROUNDED = "holds a rounded number, such as 4.9E+11, whose digits are gone: export the column as text"
HASHES = "holds ##### where a value was: export it again with a wider column"
ERROR = "holds an error of a spreadsheet, such as #REF!"
NO_RESULT = (
    "is a formula whose result the file does not hold: open the file in a spreadsheet program and save it"
)
LOGIN = "a web page (a login page or an error of the site, perhaps)"


@dataclass(frozen=True)
class File:
    """`sent` are the leads by the name in their address; without it the file is refused with `problem`.

    `notes` have to be among what `check` says, `refused` are (row, reason) of the rejects.
    """

    name: str
    data: bytes | str
    sent: Mapping[str, Lead] | None = None
    refused: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    fields: str = "email: Email, first_name: First Name"
    kind: str = ""
    options: str = ""
    key: str = "email"
    more: str = ""

    @property
    def suffix(self) -> str:
        return "." + self.name.rpartition(".")[2]

    @property
    def source(self) -> str:
        kind = self.kind or {".xlsx": "excel", ".jsonl": "jsonl", ".parquet": "parquet"}.get(
            self.suffix, "csv"
        )
        return f"{{{kind}: {{path: '{self.name}'{self.options}}}}}"


def text(name: str, header: str, *rows: str, encoding: str = "utf-8", **rest: Any) -> File:
    """A CSV of these lines."""
    return File(f"{name}.csv", "\n".join([header, *rows, ""]).encode(encoding), **rest)


def named(name: str, *names: str, encoding: str, delimiter: str = ";", **rest: Any) -> File:
    """People with these first names in a code page."""
    lines = [f"p{place}@example.org{delimiter}{one}" for place, one in enumerate(names)]
    sent = {f"p{place}": {"first_name": one} for place, one in enumerate(names)}
    rest = {"sent": sent, **rest}
    return text(name, f"Email{delimiter}First Name", *lines, encoding=encoding, **rest)


def unclear(name: str, *names: str, encoding: str, **rest: Any) -> File:
    """As `named`, where the words do not tell the code page."""
    return named(name, *names, encoding=encoding, sent=None, problem="Set `encoding:`", **rest)


def parquet_of(**columns: Any) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.table(columns), target)
    return target.getvalue()


def archive(**members: bytes | str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, data in members.items():
            made.writestr(name.replace("__", "."), data)
    return target.getvalue()


def noted(cell: str, shown: str | None, **rest: Any) -> File:
    """One person whose first name is such a cell, and what is sent of it."""
    sent = {"ann": {} if shown is None else {"first_name": shown}}
    name = "cell-" + "".join(letter if letter.isalnum() else f"{ord(letter):x}" for letter in cell)[:40]
    return text(name, "Email,First Name", f'ann@example.org,"{cell}"', sent=sent, **rest)


def spoilt(cell: str, reason: str) -> File:
    """Two people; the first name of the first is destroyed, so that only the second is sent."""
    name = "spoilt-" + "".join(letter if letter.isalnum() else f"{ord(letter):x}" for letter in cell)
    return text(
        name,
        "Email,First Name",
        f'ann@example.org,"{cell}"',
        "bob@example.org,Bob",
        sent={"bob": {"first_name": "Bob"}},
        refused=((2, f'the column "First Name" {reason}'),),
    )


POLISH = ("Łukasz", "Żółć", "Małgorzata", "Święty", "Zażółć", "Jaźń")
ENCODINGS = [
    named("polish-cp1250", *POLISH, encoding="cp1250", notes=("read as cp1250, delimiter ';'",)),
    named("polish-iso2", *POLISH, encoding="iso8859-2"),
    named("polish-dos", *POLISH, encoding="cp852"),
    named("czech-cp1250", "Jiří Dvořák", "Černý", "Růžena", "Štěpán", encoding="cp1250"),
    named("hungarian-cp1250", "Gergő", "Szűcs", "Györgyné", "Őry", encoding="cp1250"),
    named("russian-cp1251", "Анна", encoding="cp1251", notes=("words beyond ASCII, as they are read: Анна",)),
    named("russian-koi8", "Анна", "Иван", "Москва", encoding="koi8-r"),
    named("russian-dos", "Анна", "Иван", "Москва", encoding="cp866"),
    named("greek-cp1253", "Γιώργος", "Παπαδόπουλος", "Ελένη", encoding="cp1253"),
    named("hebrew-cp1255", "חנה", "דוד", "שרה", "יעקב", "רבקה", encoding="cp1255"),
    named("arabic-cp1256", "محمد", "فاطمة", "علي", encoding="cp1256"),
    named("turkish-cp1254", "Ayşe", "Yıldız", "Çağrı", "Şahin", encoding="cp1254"),
    named("latvian-cp1257", "Jānis", "Bērziņš", "Līga", "Ģirts", encoding="cp1257"),
    named("thai-cp874", "สมชาย", "สมหญิง", encoding="cp874"),
    named("taiwan-big5", "陳大文", "王小明", "林美玲", encoding="big5"),
    named("korean-cp949", "김민수", "박지영", "이서연", encoding="cp949"),
    named("japanese-cp932", "山田太郎", "サトウ", encoding="cp932"),
    named("china-gb18030", "王小明", "张伟", "李娜", "刘洋", encoding="gb18030"),
    named("german-cp1252", "Jürgen", "Müller", encoding="cp1252"),
    named("german-dos", "Jürgen", "Björn", "Käthe", "Grün", encoding="cp850"),
    named("french-cp1252", "François", "Zoë", "Jérôme", "Hélène", "Maïté", "Benoît", encoding="cp1252"),
    named("french-mac", "François", "Zoé", "Jérôme", "Hélène", "Benoît", encoding="mac-roman"),
    named("spanish-cp1252", "José", "Muñoz", "Iñaki", "Begoña", "Núñez", encoding="cp1252"),
    named("danish-cp1252", "Søren", "Åse", "Bjørn", "Jørgen", encoding="cp1252"),
    named("quotes-cp1252", "Dwayne “Rock” O’Neil", encoding="cp1252"),
    named("utf8", "Łukasz", "Анна", "陳大文", encoding="utf-8", notes=("read as utf-8, delimiter ';'",)),
    named("utf8-mark", "Łukasz", encoding="utf-8-sig"),
    named("utf16", "Łukasz", "Анна", encoding="utf-16", delimiter="\t"),
    named("utf16-no-mark", "Łukasz", encoding="utf-16-le"),
    named("utf32", "Łukasz", encoding="utf-32"),
    named("told", "Łukasz", encoding="cp1250", options=", encoding: cp1250"),
    named("spanish-mac", "Peña", "Ángel", "Íñigo", "Martínez", encoding="mac-roman"),
    named("romanian-cp1250", "Ştefan", "Ioniţă", "Bălan", "Ţurcanu", encoding="cp1250"),
    named("croatian-cp1250", "Đorđe", "Čučković", "Šimić", "Željko", encoding="cp1250"),
    named("ukrainian-cp1251", "Олександр", "Юлія", "Євген", "Їжак", encoding="cp1251"),
    named("estonian-cp1252", "Õnne", "Jüri", "Märt", "Šmidt", encoding="cp1252"),
    unclear("euro-cp1252", "Preis €", "Œuvre", "Žan", encoding="cp1252"),
    named("utf16-be-no-mark", "Сергей", "Наталья", encoding="utf-16-be"),
    named("china-hz", "张伟", "王秀英", encoding="hz"),
    named("portuguese-dos", "João", "Conceição", "Gonçalves", encoding="cp860"),
    named("arabic-iso", "أحمد", "خديجة", encoding="iso8859-6"),
    named("one-word", "Liège", encoding="cp1252"),
    unclear("one-japanese-name", "山田太郎", encoding="euc-jp"),
    named("japanese-mail", "山田太郎", encoding="iso2022-jp"),
    unclear("one-dos-word", "Jürgen", encoding="cp850"),
    File(
        "mixed.csv",
        "Email;First Name\na@example.org;Jürgen\nb@example.org;Käthe\nc@example.org;Björn\n".encode("cp1252")
        + "d@example.org;Jörg\n".encode(),
        problem="mixed.csv, line 5: written in UTF-8, and other lines in cp1252",
    ),
    File(
        "half-damaged.csv",
        "Email;First Name\na@example.org;Jürgen\nb@example.org;Käthe\n".encode()
        + b"c@example.org;Bj\xf6rn\n",
        problem="half-damaged.csv, line 4: damaged, in a file that is UTF-8 otherwise",
    ),
]
NOT_TABLES = [
    File("page.csv", "<!DOCTYPE html><html><body>Sign in</body></html>", problem=f"page.csv is {LOGIN}"),
    File("page2.csv", "\n<html>\n<h1>503</h1>", problem=f"page2.csv is {LOGIN}"),
    File("error.csv", '{"error":"token expired"}', problem="error.csv is JSON, not a CSV file"),
    File("list.csv", '[{"email":"ann@example.org"}]', problem="list.csv is JSON, not a CSV file"),
    File("xml.csv", '<?xml version="1.0"?><people/>', problem="xml.csv is an XML document, not a CSV file"),
    File("cards.csv", "BEGIN:VCARD\nEMAIL:a@example.org", problem="cards.csv is a file of vCards"),
    File("a.csv", bz2.compress(b"Email\n"), problem="a.csv is a bzip2 archive, not a CSV file"),
    File("b.csv", lzma.compress(b"Email\n"), problem="b.csv is an xz archive, not a CSV file"),
    File("c.csv", b"\x28\xb5\x2f\xfd\x04\x00", problem="c.csv is a zstd archive, not a CSV file"),
    File("d.csv", gzip.compress(b"Email\n"), problem="d.csv is a gzip archive, not a CSV file"),
    File("e.csv", bytes_of(PEOPLE), problem="e.csv is a ZIP archive or an Excel workbook, not a CSV file"),
    File("f.csv", parquet_of(Email=["a"]), problem="f.csv is a Parquet file, not a CSV file"),
    File("g.csv", "%PDF-1.7", problem="g.csv is a PDF, not a CSV file"),
    File("h.csv", "", problem="h.csv has no header: it is empty"),
    File(
        "i.csv.bz2", bz2.compress(b"Email,First Name\nann@example.org,Ann\n"), {"ann": {"first_name": "Ann"}}
    ),
    File(
        "j.csv.xz", lzma.compress(b"Email,First Name\nann@example.org,Ann\n"), {"ann": {"first_name": "Ann"}}
    ),
    File(
        "k.zip",
        archive(contacts__csv="Email,First Name\nann@example.org,Ann\n", README__txt="Thank you.\n"),
        problem='files of one header are needed; choose with `member:`, as member: "contacts*"',
        kind="csv",
    ),
    File(
        "l.zip",
        archive(contacts__csv="Email,First Name\nann@example.org,Ann\n", README__txt="Thank you.\n"),
        {"ann": {"first_name": "Ann"}},
        kind="csv",
        options=", member: 'contacts*'",
    ),
    File("m.xlsx", "Email,First Name\nann@example.org,Ann\n", problem="read it with csv: instead of excel:"),
    File("n.xlsx", "<html><table>", problem="n.xlsx is a web page, not an Excel workbook"),
    File(
        "o.xlsx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        problem="o.xlsx is protected by a password; save it without one",
    ),
    File(
        "p.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), problem="p.xlsx is an old Excel workbook"
    ),
    File("page.xls", "<html><table>", problem="page.xls is a web page, not an Excel workbook", kind="excel"),
    File(
        "text.xls",
        "Email\tFirst Name\nann@example.org\tAnn\n",
        problem="text.xls is text, not an Excel workbook, whatever its name says: read it with csv:",
        kind="excel",
    ),
    File(
        "old.xls",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        problem="old.xls is an old Excel workbook; save it as .xlsx",
        kind="excel",
    ),
    File("q.xlsx", archive(mimetype="application/vnd.oasis"), problem="q.xlsx is an OpenDocument sheet"),
    File("r.xlsx", archive(notes__txt="x"), problem="r.xlsx is a ZIP archive, not an Excel workbook"),
    File(
        "s.parquet", "Email\nann@example.org\n", problem="s.parquet is not a Parquet file, or a damaged one"
    ),
    File(
        "t.parquet", parquet_of(Email=["a"])[:-9], problem="t.parquet is not a Parquet file, or a damaged one"
    ),
]
HEADERS = [
    File(
        "title-of-one-column.csv",
        "Exported: 2026\nEmail\nann@example.org\n",
        {"ann": {}},
        fields="email: Email",
        notes=("the header was found on row 2",),
    ),
    File(
        "comments.csv",
        "# exported\n# by a program\nEmail,First Name\nann@example.org,Ann\n",
        {"ann": {"first_name": "Ann"}},
        notes=("the header was found on row 3",),
    ),
    File("people-alone.csv", "ann@example.org\nbob@example.org\n", problem="people-alone.csv has no header"),
    File(
        "titles.csv",
        "My Newsletter export 2026-11-24\n\nEmail,First Name\nann@example.org,Ann\nbob@example.org,Bob\n",
        BOTH,
        notes=("the header was found on row 3",),
    ),
    File(
        "as-wide.csv",
        "Report,2026\nEmail,First Name\nann@example.org,Ann\nbob@example.org,Bob\n",
        BOTH,
        notes=("the header was found on row 2",),
    ),
    File(
        "three-rows.csv",
        "Person,,\nName,,Contact\nFirst Name,E-Mail,Tel\nAnn,ann@example.org,1\n",
        {"ann": {"first_name": "Ann"}},
        notes=("the header was found on row 3",),
        fields="email: E-Mail, first_name: First Name",
    ),
    File(
        "named-as-a-header.csv",
        "Kontakt,First Name\nann@example.org,Ann\nE-Mail,Name\nbob@example.org,Bob\n",
        BOTH,
        refused=((3, "not an e-mail address: no @"),),
        fields="email: Kontakt, first_name: First Name",
    ),
    text("caret", "Email^First Name", "ann@example.org^Ann", sent={"ann": BOTH["ann"]}),
    text("tilde", "Email~First Name", "ann@example.org~Ann, B", sent={"ann": {"first_name": "Ann, B"}}),
    text("unit", "Email\x1fFirst Name", "ann@example.org\x1fAnn", sent={"ann": BOTH["ann"]}),
    text("label", "Email:", "ann@example.org", sent={"ann": {}}, fields='email: "Email:"'),
    File(
        "facts.csv",
        "Report:,Contacts\nOwner:,Ann\n\nEmail,First Name,City\nann@example.org,Ann,Rome\n",
        {"ann": {"first_name": "Ann"}},
        notes=("the header was found on row 4",),
    ),
    File(
        "titles.xlsx",
        bytes_of([["Newsletter contacts, exported 24 Nov"], ["Total: 2"], [], *PEOPLE]),
        BOTH,
        notes=("the header was found on row 4",),
    ),
    File(
        "merged.xlsx",
        bytes_of([["Person", None, "Address"], [*PEOPLE[0], "City", "Zip"], [*PEOPLE[1], "Rome", "00118"]]),
        {"ann": {"first_name": "Ann"}},
        notes=("the header was found on row 2",),
    ),
    File(
        "far.csv",
        "x\n" * 30 + "Email,First Name\nann@example.org,Ann\n",
        {"ann": {"first_name": "Ann"}},
        options=", header_row: 31",
    ),
    File(
        "blank-row.csv",
        "Email\n\nann@example.org\n",
        problem="`header_row: 2` is blank",
        options=", header_row: 2",
    ),
    File(
        "none.csv",
        "ann@example.org,Ann\nbob@example.org,Bob\n",
        problem="none.csv has no header: its first line holds an e-mail address",
    ),
    File(
        "none.csv",
        "ann@example.org,Ann\nbob@example.org,Bob\n",
        BOTH,
        options=", header: [Email, First Name]",
    ),
    File("none.xlsx", bytes_of(PEOPLE[1:]), problem="none.xlsx has no header"),
    File("none.xlsx", bytes_of(PEOPLE[1:]), BOTH, options=", header: [Email, First Name]"),
    File(
        "renamed.csv",
        "Email,Email,Who\nann@example.org,x,Ann\n",
        {"ann": {"first_name": "Ann"}},
        options=", header: [Email, Other, First Name], header_row: 1",
    ),
    text(
        "twice",
        "Email,First Name,First Name",
        "ann@example.org,x,Ann",
        sent={"ann": {"first_name": "Ann"}},
        fields="email: Email, first_name: First Name (2)",
    ),
    text(
        "twice-bare",
        "Email,First Name,First Name",
        "ann@example.org,x,Ann",
        problem='has the column "First Name" more than once; write "First Name (2)" for the second',
    ),
    text(
        "invisible",
        "\u200bEmail\u200b,\u200eFirst\u00a0Name",
        "ann@example.org,Ann",
        sent={"ann": BOTH["ann"]},
    ),
    text("two-marks", "\ufeff\ufeffEmail,First Name", "ann@example.org,Ann", sent={"ann": BOTH["ann"]}),
    text(
        "decomposed",
        "Email,Pre\u0301nom",
        "ann@example.org,Ann",
        sent={"ann": BOTH["ann"]},
        fields="email: Email, first_name: Prénom",
    ),
    text(
        "copied",
        "Email,First  Name",
        "ann@example.org,Ann",
        sent={"ann": BOTH["ann"]},
        fields='email: Email, first_name: "First \u00a0Name"',
    ),
    File(
        "broken.xlsx",
        bytes_of([["E-mail\nAddress", "First Name"], *PEOPLE[1:]]),
        BOTH,
        fields="email: E-mail Address, first_name: First Name",
    ),
    text("sep", "sep=;", "Email;First Name", "ann@example.org;Ann", sent={"ann": BOTH["ann"]}),
    text("sep-quoted", '"sep=;"', "Email;First Name", "ann@example.org;Ann", sent={"ann": BOTH["ann"]}),
    text("sep-filled", "sep=;;;", "Email;First Name;x", "ann@example.org;Ann;", sent={"ann": BOTH["ann"]}),
    text("sep-padded", "SEP=, ", "Email,First Name", "ann@example.org,Ann", sent={"ann": BOTH["ann"]}),
    text("sep-saved", "sep=;,", "Email,First Name", "ann@example.org,Ann", sent={"ann": BOTH["ann"]}),
    text("sep-tab", "sep=\t", "Email\tFirst Name", "ann@example.org\tAnn", sent={"ann": BOTH["ann"]}),
]
CELLS = [
    noted("NULL", None),
    noted(r"\N", None),
    noted("#N/A", None),
    noted("\u200b", None),
    noted("None", "None"),
    noted("None", None, options=", blanks: [none]"),
    noted("n/a", None, options=", blanks: [N/A]"),
    noted("-", None, options=", blanks: ['-', '?']"),
    noted("?", None, options=", blanks: ['-', '?']"),
    noted("0000-00-00", None, options=", blanks: 0000-00-00"),
    noted("Null", "Null"),
    noted("'=Ann", "=Ann"),
    noted("#1", "#1"),
    noted("E+11", "E+11"),
    spoilt("4.91701E+11", ROUNDED),
    spoilt("4,91701E+11", ROUNDED),
    spoilt("1E+15", ROUNDED),
    spoilt("4.9e+11", ROUNDED),
    spoilt("########", HASHES),
    spoilt("#REF!", ERROR),
    spoilt("#VALUE!", ERROR),
    spoilt("#NAME?", ERROR),
    spoilt("#DIV/0!", ERROR),
    spoilt("#WERT!", ERROR),
    spoilt("Err:502", ERROR),
    text(
        "spoilt-unread",
        "Email,First Name,Total",
        "ann@example.org,Ann,#REF!",
        "bob@example.org,Bob,4.9E+11",
        sent=BOTH,
    ),
    text(
        "rounded-key",
        "Id,Email,First Name",
        "1.23457E+11,ann@example.org,Ann",
        "1.23457E+11,bob@example.org,Bob",
        "7,cem@example.org,Cem",
        sent={"cem": {"first_name": "Cem"}},
        refused=((2, f'the column "Id" {ROUNDED}'), (3, f'the column "Id" {ROUNDED}')),
        key="{column: Id}",
    ),
    File(
        "nul.csv",
        b"Email,First Name,Note\nann@example.org,Ann,a\0b\nbob@example.org,B\0b,x\n",
        {"ann": {"first_name": "Ann"}},
        refused=((3, 'the column "First Name" holds a NUL character'),),
    ),
]
MONEY = {2: "00000", 3: '"+"0'}
WITH_NUMBERS = [["Email", "First Name", "Zip", "Phone"], ["ann@example.org", "Ann", 2139, 491701234567]]
ZIP = "email: Email, first_name: First Name, zip: Zip, phone: Phone"
SHEETS = [
    File("plain.xlsx", bytes_of(PEOPLE), BOTH, notes=('read from the sheet "Sheet"',)),
    File(
        "formats.xlsx",
        bytes_of(WITH_NUMBERS, formats=MONEY),
        {"ann": {"first_name": "Ann", "zip": "02139", "phone": "+491701234567"}},
        fields=ZIP,
    ),
    File(
        "special.xlsx",
        bytes_of(WITH_NUMBERS, formats={2: "[$-407]00000", 3: "+0"}),
        {"ann": {"first_name": "Ann", "zip": "02139", "phone": "+491701234567"}},
        fields=ZIP,
    ),
    File(
        "plus-four.xlsx",
        bytes_of([WITH_NUMBERS[0], ["ann@example.org", "Ann", 21390042, 5551234]], formats={2: "00000-0000"}),
        {"ann": {"first_name": "Ann", "zip": "02139-0042", "phone": "5551234"}},
        fields=ZIP,
    ),
    File(
        "units.xlsx",
        bytes_of(WITH_NUMBERS, formats={2: '0" pcs"', 3: "#,##0"}),
        {"ann": {"first_name": "Ann", "zip": "2139", "phone": "491701234567"}},
        fields=ZIP,
    ),
    File(
        "no-date.xlsx",
        bytes_of(WITH_NUMBERS, formats={3: "dd/mm/yyyy"}),
        {"ann": {"first_name": "Ann", "zip": "2139", "phone": "491701234567"}},
        fields=ZIP,
    ),
    File(
        "day-zero.xlsx", bytes_of([PEOPLE[0], ["ann@example.org", 0]], formats={1: "dd.mm.yyyy"}), {"ann": {}}
    ),
    File(
        "dates.xlsx",
        bytes_of([["Email", "First Name"], ["ann@example.org", datetime(2026, 11, 24)]]),  # noqa: DTZ001
        {"ann": {"first_name": "2026-11-24"}},
    ),
    File(
        "formulas.xlsx",
        bytes_of(
            [PEOPLE[0], ["ann@example.org", '=PROPER("ann")'], ['=LOWER("BOB@x.org")', "Bob"], PEOPLE[2]]
        ),
        {"bob": {"first_name": "Bob"}},
        refused=((2, f'the column "First Name" {NO_RESULT}'), (3, f'the column "Email" {NO_RESULT}')),
    ),
    File(
        "unread-formula.xlsx",
        bytes_of([[*PEOPLE[0], "Sum"], [*PEOPLE[1], "=1+1"], [*PEOPLE[2], "=1+2"]]),
        BOTH,
    ),
    File(
        "uncalculated.xlsx",
        with_part(
            with_part(
                bytes_of([PEOPLE[0], ["ann@example.org", '=PROPER("ann")'], PEOPLE[2]]),
                "xl/worksheets/sheet1.xml",
                r"<v ?/>|<v></v>",
                "<v>0</v>",
            ),
            "xl/workbook.xml",
            r"<calcPr[^>]*/>",
            '<calcPr fullCalcOnLoad="1"/>',
        ),
        {"bob": {"first_name": "Bob"}},
        refused=((2, f'the column "First Name" {NO_RESULT}'),),
    ),
    File(
        "error-cell.xlsx",
        bytes_of([PEOPLE[0], ["ann@example.org", "#REF!"], PEOPLE[2]]),
        {"bob": {"first_name": "Bob"}},
        refused=((2, 'the column "First Name" holds the error #REF!'),),
    ),
    File(
        "empty-fill.xlsx",
        with_part(bytes_of(PEOPLE), "xl/styles.xml", r"<fill>.*?</fill>", "<fill/>"),
        BOTH,
    ),
    File(
        "odd-fill.xlsx",
        with_part(
            bytes_of(PEOPLE), "xl/styles.xml", r"<patternFill ?/>", "<patternFill><extLst/></patternFill>"
        ),
        BOTH,
    ),
    File(
        "no-properties.xlsx",
        edited(bytes_of(PEOPLE), lambda name, data: None if name.startswith("docProps") else data),
        BOTH,
    ),
    File("odd-date.xlsx", with_part(bytes_of(PEOPLE), "docProps/core.xml", r"20\d\d-", "yesterday-"), BOTH),
    File("strict.xlsx", strict(bytes_of(PEOPLE)), BOTH),
    File(
        "cut.xlsx",
        edited(bytes_of(PEOPLE), lambda name, data: data[: len(data) // 2] if "sheet1" in name else data),
        problem="cut.xlsx is not an Excel workbook, or a damaged one",
    ),
    File(
        "damaged.xlsx",
        bytes_of(PEOPLE)[:700],
        problem="damaged.xlsx is not an Excel workbook, or a damaged one",
    ),
    File(
        "no-sheet.xlsx",
        edited(bytes_of(PEOPLE), lambda name, data: None if "sheet1" in name else data),
        problem="no-sheet.xlsx has no sheet with cells",
    ),
    File(
        "hidden-rows-and-a-fraction.xlsx",
        with_part(
            bytes_of(
                [
                    ["Email", "First Name", "Zip"],
                    ["ann@example.org", "Ann", 12],
                    ["bob@example.org", "Bob", 7],
                ],
                formats={2: "# ?/?"},
            ),
            "xl/worksheets/sheet1.xml",
            '<row r="3"',
            '<row r="3" hidden="1"',
        ),
        {"ann": {"first_name": "Ann", "zip": "12"}, "bob": {"first_name": "Bob", "zip": "7"}},
        notes=("hidden rows, as by a filter, are read like the others: 1",),
        fields="email: Email, first_name: First Name, zip: Zip",
    ),
    File(
        "hidden.xlsx",
        several(
            ("old 2019", "hidden", [PEOPLE[0], ["old@example.org", "Old"]]), ("Contacts", "visible", PEOPLE)
        ),
        BOTH,
        notes=('read from the sheet "Contacts", of 2; not from what is hidden: "old 2019"',),
    ),
    File(
        "other-sheets.xlsx",
        several(
            ("Contacts", "visible", PEOPLE),
            ("Read me", "visible", [["Hello"]]),
            ("Partners", "visible", [["Mail"], ["cem@example.org"]]),
            ("Left", "hidden", [["Mail"], ["dan@example.org"]]),
        ),
        BOTH,
        notes=(
            'not from what is hidden: "Left"',
            'addresses stand in other sheets, too: "Partners", "Left"; `sheet:` chooses',
        ),
    ),
    File(
        "asked-hidden.xlsx",
        several(
            ("old 2019", "hidden", [PEOPLE[0], ["old@example.org", "Old"]]), ("Contacts", "visible", PEOPLE)
        ),
        {"old": {"first_name": "Old"}},
        notes=('read from the sheet "old 2019", of 2, which is hidden',),
        options=", sheet: Old 2019",
    ),
    File(
        "trimmed.xlsx",
        several(("Read me", "visible", [["Hello"]]), ("Contacts ", "visible", PEOPLE)),
        BOTH,
        options=", sheet: contacts",
    ),
    File(
        "no-such.xlsx",
        several(("Read me", "visible", [["Hello"]]), ("Contacts ", "visible", PEOPLE)),
        problem='has no sheet "People"; it has "Read me", "Contacts "',
        options=", sheet: People",
    ),
    File("empty.xlsx", bytes_of([]), problem="empty.xlsx has no header: the sheet is empty"),
    File(
        "note.xlsx",
        bytes_of([*PEOPLE[:2], [*PEOPLE[2], None, None, "call him!"]]),
        BOTH,
        notes=("cells to the right of the header are left out: row 3",),
    ),
    File(
        "big-number.xlsx",
        with_part(
            bytes_of([PEOPLE[0], ["ann@example.org", 4917012345678900], PEOPLE[2]]),
            "xl/worksheets/sheet1.xml",
            "<v>4917012345678900</v>",
            "<v>4.9170123456789E+15</v>",
        ),
        {"bob": {"first_name": "Bob"}},
        refused=(
            (
                2,
                'the column "First Name" holds a number of more than 15 digits, which a spreadsheet rounds:'
                " export the column as text",
            ),
        ),
    ),
]
NESTED = '{"email":"ann@example.org","who":{"first":"Ann","at":{"city":"Rome"}},"zip":1001.0,"n":4.9e11}'
OF_JSON = "email: email, first_name: who.first, city: who.at.city, zip: zip, phone: n"
ANN = {"first_name": "Ann", "city": "Rome", "zip": "1001", "phone": "490000000000"}
STRUCTURES = [
    File("nested.jsonl", NESTED, {"ann": ANN}, fields=OF_JSON),
    File(
        "array.jsonl",
        f"[{NESTED}]",
        {"ann": ANN},
        fields=OF_JSON,
        notes=("read as utf-8, an array of objects",),
    ),
    File("printed.jsonl", json.dumps([json.loads(NESTED)] * 2, indent=2), {"ann": ANN}, fields=OF_JSON),
    File(
        "cut.jsonl",
        f"[{NESTED}, {{",
        problem="cut.jsonl, line 1: the JSON is damaged, or cut off",
        fields=OF_JSON,
    ),
    File("one.jsonl", json.dumps(json.loads(NESTED), indent=1), problem="one.jsonl is one JSON document"),
    File("page.jsonl", "<html></html>", problem=f"page.jsonl is {LOGIN}"),
    File(
        "half.jsonl",
        '{"email":"ann@example.org","city":"\\ud83d"}\n{"email":"bob@example.org","city":"Rome"}\n',
        {"bob": {"city": "Rome"}},
        refused=((2, 'the column "city" holds half of a character'),),
        fields="email: email, city: city",
    ),
    File(
        "half-unread.jsonl",
        '{"email":"ann@example.org","note":"\\ud83d"}\n',
        {"ann": {}},
        fields="email: email",
    ),
    File(
        "not-a-number.jsonl",
        '{"email":"ann@example.org","n":NaN,"big":1e999999999999}\n',
        {"ann": {}},
        fields="email: email, phone: n",
    ),
    File(
        "gaps.parquet",
        parquet_of(
            Email=["ann@example.org", "bob@example.org"], zip=[80331.0, None], phone=[491701234567.0, None]
        ),
        {"ann": {"zip": "80331", "phone": "491701234567"}, "bob": {}},
        fields="email: Email, zip: zip, phone: phone",
    ),
    File(
        "single.parquet",
        parquet_of(Email=["ann@example.org"], n=pa.array([0.1], pa.float32())),
        {"ann": {"zip": "0.1"}},
        fields="email: Email, zip: n",
    ),
    File(
        "struct.parquet",
        parquet_of(Email=["ann@example.org"], address=[{"city": "Rome", "geo": {"zip": "00118"}}]),
        {"ann": {"city": "Rome", "zip": "00118"}},
        fields="email: Email, city: address.city, zip: address.geo.zip",
    ),
    File(
        "photos.parquet",
        parquet_of(Email=["ann@example.org", "bob@example.org"], photo=[b"\xff\xd8\xff", None]),
        {"ann": {}, "bob": {}},
        fields="email: Email",
    ),
    File(
        "bytes.parquet",
        parquet_of(Email=["ann@example.org", "bob@example.org"], who=[b"\xff\xd8", b"Bob"]),
        {"bob": {"first_name": "Bob"}},
        refused=((2, 'the column "who" holds bytes that are not text'),),
        fields="email: Email, first_name: who",
    ),
    File(
        "far.parquet",
        parquet_of(Email=["ann@example.org"], ts=pa.array([10**18], pa.timestamp("us"))),
        {"ann": {}},
        fields="email: Email",
    ),
    File(
        "far-read.parquet",
        parquet_of(
            Email=["ann@example.org", "bob@example.org"], ts=pa.array([10**18, None], pa.timestamp("us"))
        ),
        {"bob": {}},
        refused=((2, 'the column "ts" holds a value that no calendar has, or that cannot be read'),),
        fields="email: Email, first_name: ts",
    ),
    File(
        "dictionary.parquet",
        parquet_of(
            Email=pa.array(["ann@example.org", "bob@example.org"]).dictionary_encode(), who=["Ann", "NULL"]
        ),
        {"ann": {"first_name": "Ann"}, "bob": {}},
        fields="email: Email, first_name: who",
    ),
]
FILES = [*ENCODINGS, *NOT_TABLES, *HEADERS, *CELLS, *SHEETS, *STRUCTURES]


def test_there_are_more_than_a_hundred_and_twenty_files() -> None:
    assert len(FILES) >= 120


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.name}{file.options}".replace(" ", ""))
def test_a_file_is_read_as_what_it_is(
    file: File, project: Project, sandbox: Sandbox, account: Account
) -> None:
    data = file.data.encode() if isinstance(file.data, str) else file.data
    (project.folder / file.name).write_bytes(data)
    project.pipeline(
        f"source: {file.source}\nkey: {file.key}\nfields: {{{file.fields}}}\nconsent: {{attested: form}}\n"
        f"guards: {{max_failed: 100%}}\n{file.more}"
    )
    checked = project.command("check", "p.yaml", "--json")
    (said,) = checked.json["files"]
    assert "Traceback" not in checked.stderr
    if file.sent is None:
        assert checked.code in (1, 2), checked.stdout
        assert file.problem in " ".join(said["problems"])
        done = project.run()
        assert done.code in (1, 2), done.stdout
        assert not account.leads
        assert "@example.org" not in done.stderr + checked.stdout
        return
    assert checked.code == 0, checked.stdout
    for note in file.notes:
        assert any(note in one for one in said["notes"]), said["notes"]
    done = project.run()
    assert done.code == (3 if file.refused else 0), done.stdout + done.stderr
    assert done.json["rows"]["invalid"] == said["rows"]["invalid"] == len(file.refused)
    sent = {lead.email.partition("@")[0]: sent_of(lead) for lead in account.leads.values()}
    assert sent == file.sent
    if file.refused:
        rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
        assert tuple((one["row"], one["reason"]) for one in rejects) == file.refused


def sent_of(lead: Any) -> dict[str, str]:
    return {name: value for name, value in lead.fields.items() if value and name != "email"}
