"""Values of a mapping as a pipeline file has them: templates, constants, and steps that shape them."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config.file import read_pipeline
from pipelines.contacts.lead import CustomValue, DesiredLead
from pipelines.contacts.mapping import Invalid, Mapped, mapper
from tests.contacts.strategies import load_config

COLUMNS = ("Email", "Cell", "First", "Last", "Country")
PIPELINE = """
pipeline: shapes
kartra: {}
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email}
  consent: {attested: form}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shapes")


def mapped(folder: Path, section: str, **cells: str) -> Mapped | Invalid:
    """What a pipeline file with this text under `load:` makes of a record."""
    path = folder / "p.yaml"
    path.write_text(PIPELINE + f"  {section}\n", encoding="utf-8")
    load = read_pipeline(path, {}).load
    assert load is not None
    record = {**dict.fromkeys(COLUMNS, ""), "Email": "ann@example.org", **cells}
    return mapper(load, COLUMNS)(record, 2)


def lead(folder: Path, section: str, **cells: str) -> DesiredLead:
    result = mapped(folder, section, **cells)
    assert isinstance(result, Mapped), result
    return result.lead


def shaped(folder: Path, value: str, cell: str = "", **cells: str) -> CustomValue | None:
    """None: it asks for nothing."""
    return lead(folder, f"custom_fields: {{x: {value}}}", Cell=cell, **cells).custom_fields.get("x")


def refusal(folder: Path, value: str, cell: str, **cells: str) -> str | None:
    result = mapped(folder, f"custom_fields: {{x: {value}}}", Cell=cell, **cells)
    return result.reason if isinstance(result, Invalid) else None


@pytest.mark.parametrize(
    ("value", "given", "expected"),
    [
        ("Cell", "  as  it is ", "as  it is"),
        ('"{First} {Last}"', {"First": "Ann", "Last": "Lee"}, "Ann Lee"),
        ('"{First} {Last}"', {"First": " Ann "}, "Ann"),
        ('"{Last}, {First}"', {}, None),
        ('"{First}{Last}"', {"First": "a", "Last": "b"}, "ab"),
        ('{template: "Hi {First}!"}', {"First": "Ann"}, "Hi Ann!"),
        ('"{{{First}}}"', {"First": "x"}, "{x}"),
        ('{template: "$${First} {Last}"}', {"First": "x", "Last": "Lee"}, "${First} Lee"),
        ('"{First}"', {"First": "{Last}", "Last": "never seen"}, "{Last}"),
        ("{constant: Import}", {}, "Import"),
        ('{constant: " {First} "}', {}, "{First}"),
        ("{column: Cell, do: [lower]}", "ÄNNE", "änne"),
        ("{column: Cell, do: [upper]}", "änne", "ÄNNE"),
        ("{column: Cell, do: [title]}", "anne-marie o'neil", "Anne-Marie O'Neil"),
        ("{column: Cell, do: [title]}", "don't McDonald DE LA CRUZ", "Don't McDonald De La Cruz"),
        ('{column: Cell, do: [{strip: "*#"}]}', "##Ann*", "Ann"),
        ('{column: Cell, do: [{strip: "*"}]}', "***", None),
        ('{column: Cell, do: [{replace: {"&amp;": "&", "-": ""}}]}', "a&amp;-b", "a&b"),
        ('{column: Cell, do: [{replace: {" ": "", "(0)": ""}}]}', "+49 (0)30 1", "+49301"),
        ('{column: Cell, split: " "}', "a  b", ("a", "b")),
        ('{column: Cell, split: "\\n"}', "a\r\nb", ("a", "b")),
        ("{column: Cell, do: [{default: unknown}]}", "", "unknown"),
        ("{column: Cell, do: [{default: unknown}]}", "Lyon", "Lyon"),
        ("{column: Cell, do: [upper, {default: unknown}]}", " ", "unknown"),
        ("{column: Cell, do: [{map: {m: Male, F: Female}}]}", "M", "Male"),
        ("{column: Cell, do: [{map: {m: Male}, else: keep}]}", "d", "d"),
        ("{column: Cell, do: [{map: {m: Male}, else: blank}]}", "d", None),
        ("{column: Cell, do: [{map: {m: Male}, else: blank}, {default: other}]}", "d", "other"),
        ("{column: Cell, do: [{map: {m: Male}}]}", "", None),
        ('{column: Cell, do: [{map: {none: ""}}]}', "None", None),
        ('{column: Cell, split: ";"}', "a; b;;a", ("a", "b")),
        ('{column: Cell, split: ";"}', " ; ", None),
        ('{column: Cell, do: [{split: ";"}]}', "a; b", ("a", "b")),
        ('{column: Cell, split: ";", do: [upper]}', "a; b", ("A", "B")),
        ('{column: Cell, split: ";", do: [{map: {a: 1}, else: blank}]}', "a; b", ("1",)),
        ('{column: Cell, split: ";", do: [{map: {a: 1}, else: blank}]}', "b", None),
        ('{column: Cell, split: ";", do: [first]}', "a; b", "a"),
        ('{column: Cell, split: ";", do: [last, upper]}', "a; b", "B"),
        ('{column: Cell, split: ";", do: [{default: none}]}', ";", "none"),
        ("{column: Cell, split: csv}", '"Blog, new",VIP', ("Blog, new", "VIP")),
        ("{column: Cell, split: csv}", '"Blog', ("Blog",)),
        ("{column: Cell, split: csv}", "VIP,Blog\nCustomer", ("VIP", "Blog", "Customer")),
        ("{column: Cell, split: csv}", 'VIP,"two\r\nlines"\r\nBlog', ("VIP", "two\r\nlines", "Blog")),
        (
            "{column: Cell, split: json}",
            '["VIP", "A, B", 7, 1.50, true, null, "VIP"]',
            ("VIP", "A, B", "7", "1.50", "true"),
        ),
        ("{column: Cell, split: json}", "[]", None),
        ("{column: Cell, split: json}", "", None),
        ('{column: Cell, split: ";"}', '["VIP", "A; B"]', ("VIP", "A; B")),
        ('{column: Cell, split: ";"}', "[sic]; b", ("[sic]", "b")),
        ('{template: "{First};{Last}", split: ";"}', {"First": "a;b", "Last": "c"}, ("a", "b", "c")),
        ("{column: Cell, do: [{name: first}]}", "Dr. Ann B. van Lee, Jr.", "Ann"),
        ("{column: Cell, do: [{name: middle}]}", "Dr. Ann B. van Lee, Jr.", "B."),
        ("{column: Cell, do: [{name: last}]}", "Dr. Ann B. van Lee, Jr.", "van Lee"),
        ("{column: Cell, do: [{name: title}]}", "Dr. Ann B. van Lee, Jr.", "Dr."),
        ("{column: Cell, do: [{name: suffix}]}", "Dr. Ann B. van Lee, Jr.", "Jr."),
        ("{column: Cell, do: [{name: last}]}", "Lee, Ann", "Lee"),
        ("{column: Cell, do: [{name: last}]}", "Ann", None),
        ("{column: Cell, do: [time_zone]}", "europe/berlin", "Europe/Berlin"),
        ("{column: Cell, do: [time_zone]}", "W. Europe Standard Time", "Europe/Berlin"),
    ],
)
def test_a_value_is_shaped(
    folder: Path, value: str, given: str | dict[str, str], expected: CustomValue | None
) -> None:
    cells = given if isinstance(given, dict) else {"Cell": given}
    assert shaped(folder, value, **{"cell": cells.pop("Cell", ""), **cells}) == expected


@pytest.mark.parametrize(
    ("cell", "name", "code", "code3"),
    [
        ("Germany", "Germany", "DE", "DEU"),
        ("deutschland", "Germany", "DE", "DEU"),
        ("DEU", "Germany", "DE", "DEU"),
        ("276", "Germany", "DE", "DEU"),
        ("uk", "United Kingdom", "GB", "GBR"),
        ("The U.S.A.", "United States", "US", "USA"),
        ("España", "Spain", "ES", "ESP"),
        ("Cote d'Ivoire", "Côte d’Ivoire", "CI", "CIV"),
        ("日本", "Japan", "JP", "JPN"),
        ("Iran, Islamic Republic of", "Iran", "IR", "IRN"),
        ("Korea, Democratic People's Republic of", "North Korea", "KP", "PRK"),
        ("Korea (Republic of)", "South Korea", "KR", "KOR"),
    ],
)
def test_a_country_is_known_by_its_names_and_codes(
    folder: Path, cell: str, name: str, code: str, code3: str
) -> None:
    forms = [
        shaped(folder, f"{{column: Cell, do: [{{country: {one}}}]}}", cell)
        for one in ("name", "code", "code3")
    ]
    assert forms == [name, code, code3]


@pytest.mark.parametrize("cell", ["Atlantis", "EU", "Berlin, Germany", "XX", "-"])
def test_what_is_no_country_is_refused_kept_or_blanked(folder: Path, cell: str) -> None:
    step = "{column: Cell, do: [{country: code%s}]}"
    assert refusal(folder, step % "", cell) == 'the column "Cell" does not hold a known country'
    assert shaped(folder, step % ", else: keep", cell) == cell
    assert shaped(folder, step % ", else: blank", cell) is None


@pytest.mark.parametrize(
    ("how", "cell", "country", "expected"),
    [
        ("phone: number", "+49 (30) 1234567", "", "301234567"),
        ("phone: country_code", "+49 (30) 1234567", "", "49"),
        ("phone: +country_code", "+49 (30) 1234567", "", "+49"),
        ("phone: international", "0049 30 1234567", "", "+49301234567"),
        ("phone: number, region: DE", "030 / 123-4567", "", "301234567"),
        ("phone: country_code, region: Germany", "030 1234567", "", "49"),
        ("phone: international, region: DE", "+1 650 253 0000", "", "+16502530000"),
        ("phone: international, region: US", "0049 30 1234567", "", "+49301234567"),
        ("phone: international, region: AU", "0011 49 30 1234567", "", "+49301234567"),
        ("phone: international, country: Country", "020 7946 0958", "United Kingdom", "+442079460958"),
        ("phone: international, country: Country, region: DE", "030 1234567", "", "+49301234567"),
        ("phone: international, country: Country, region: DE", "030 1234567", "Atlantis", "+49301234567"),
        ("phone: number, region: US", "650.253.0000 ext. 12", "", "6502530000"),
        ("phone: international, region: DE", "491701234567", "", "+491701234567"),
        ("phone: international, region: US", "447911123456", "", "+447911123456"),
        ("phone: international", "491701234567", "", "+491701234567"),
        ("phone: international, region: US", "1-800-FLOWERS", "", "+18003569377"),
        ("phone: international, region: DE", "0170 1234567", "", "+491701234567"),
        ("phone: international, region: DE", "+49 (0)30 1234567", "", "+49301234567"),
        ("phone: international, region: DE", "491701234567.0", "", "+491701234567"),
        ("phone: international, region: DE", "+491701234567.0", "", "+491701234567"),
        ("phone: international", "tel:+49-170-1234567", "", "+491701234567"),
        ("phone: international", "+1 212 555 2368;ext=9", "", "+12125552368"),
        ("phone: international, region: DE", "Mobile: 0170 1234567", "", "+491701234567"),
        ("phone: international, region: DE", "w: 030 1234567", "", "+49301234567"),
        ("phone: international, region: DE", "0170 1234567 (Ann)", "", "+491701234567"),
        ("phone: international, region: DE", "0170 1234567 abends", "", "+491701234567"),
        ("phone: international, region: JP", "０３-1234-5678", "", "+81312345678"),
        ("phone: international, region: IR", "٠٩١٢٣٤٥٦٧٨٩", "", "+989123456789"),
        ("phone: international, country: Country", "06 12 34 56 78", "Frankreich", "+33612345678"),
        ("phone: international", "+39 06 698 12345", "", "+390669812345"),
        ("phone: international, region: RU", "8 (912) 345-67-89", "", "+79123456789"),
    ],
)
def test_a_telephone_number_has_parts(folder: Path, how: str, cell: str, country: str, expected: str) -> None:
    assert shaped(folder, f"{{column: Cell, do: [{{{how}}}]}}", cell, Country=country) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "12345",
        "1234567",
        "call me",
        "49170123456789012",
        "tel. 0170 1234567 or 0171 7654321",
        "1701",
        "0000000000",
        "2024-01-01",
        "01.02.2024",
        "after 5: 0170 1234567",
        "0170 1234567 ab 18 Uhr",
        "O170 1234567",
        "+491701234567+491717654321",
        "0170 1234567\n0171 7654321",
    ],
)
def test_a_number_is_not_made_up_with_the_code_of_its_region(folder: Path, cell: str) -> None:
    step = "{column: Cell, do: [{phone: international, region: DE, else: blank}]}"
    assert shaped(folder, step, cell) is None


@pytest.mark.parametrize("cell", ["VIP", '{"a": 1}', '[["VIP"]]', '["VIP"'])
def test_what_is_no_list_in_json_is_refused(folder: Path, cell: str) -> None:
    reason = 'the column "Cell" does not hold a list in JSON'
    assert refusal(folder, "{column: Cell, split: json}", cell) == reason


def test_a_cell_that_no_csv_can_be_is_refused_alone(folder: Path) -> None:
    cell = '"' + "x" * (csv.field_size_limit() + 1) + '"'
    assert refusal(folder, "{column: Cell, split: csv}", cell) == 'the column "Cell" cannot be split as CSV'


@pytest.mark.parametrize("cell", ["030 1234567", "n/a", "1e5", "+49 1", "4.93012E+11", "12"])
def test_what_is_no_number_of_a_known_country_is_refused_kept_or_blanked(folder: Path, cell: str) -> None:
    step = "{column: Cell, do: [{phone: number%s}]}"
    assert (
        refusal(folder, step % "", cell)
        == 'the column "Cell" does not hold a telephone number of a known country'
    )
    assert shaped(folder, step % ", else: keep", cell) == cell
    assert shaped(folder, step % ", else: blank", cell) is None


@pytest.mark.parametrize(
    ("how", "cell", "expected"),
    [
        ("date: any", "2024-03-15", "2024-03-15"),
        ("date: any", "20240315", "2024-03-15"),
        ("date: any", "2024-05-06 18:01:32 -0700", "2024-05-06"),
        ("date: any", "2024-01-01T00:00:00.000Z", "2024-01-01"),
        ("date: any", "3/15/2024 2:30 PM", "2024-03-15"),
        ("date: any", "15 March 2024", "2024-03-15"),
        ("date: any", "Mar 15, 2024", "2024-03-15"),
        ("date: any", "2024/3/4", "2024-03-04"),
        ("date: any, day_first: true", "2024-3-4", "2024-03-04"),
        ("date: any, day_first: true", "3/4/2024", "2024-04-03"),
        ("date: any, day_first: false", "3/4/2024", "2024-03-04"),
        ("date: any", "5/5/2024", "2024-05-05"),
        ("date: any, to: '%d.%m.%Y %H:%M'", "2024-03-15 09:14", "15.03.2024 09:14"),
        ("date: any, to: '%Y-%m-%d %H:%M'", "15. März 2024 10:00", "2024-03-15 10:00"),
        ("date: any", "1er janvier 2024", "2024-01-01"),
        ("date: any", "15 de marzo de 2024", "2024-03-15"),
        ("date: any", "15 févr. 2024", "2024-02-15"),
        ("date: any", "15 marca 2024", "2024-03-15"),
        ("date: any", "15 мая 2024", "2024-05-15"),
        ("date: any", "2024年3月15日", "2024-03-15"),
        ("date: any", "Fri Mar 15 2024 10:00:00 GMT+0100 (Central European Standard Time)", "2024-03-15"),
        ("date: any", "2024-03-15T10:00:00Z[Europe/Paris]", "2024-03-15"),
        ("date: any", "3/15/24", "2024-03-15"),
        ("date: any", "1.1.75", "1975-01-01"),
        ("date: any, day_first: true", "24-03-15", "2015-03-24"),
        ("date: '%d.%m.%Y'", "01.02.2024", "2024-02-01"),
        ("date: ['%d.%m.%y', '%Y/%m/%d']", "2024/02/01", "2024-02-01"),
        (
            "date: any, to: '%Y-%m-%d %H:%M', zone: UTC, to_zone: America/New_York",
            "2024-07-01 02:00",
            "2024-06-30 22:00",
        ),
        (
            "date: any, to: '%Y-%m-%d %H:%M', zone: Europe/Berlin, to_zone: UTC",
            "2024-07-01T02:00Z",
            "2024-07-01 02:00",
        ),
    ],
)
def test_a_date_is_read_and_written_in_another_form(folder: Path, how: str, cell: str, expected: str) -> None:
    assert shaped(folder, f"{{column: Cell, do: [{{{how}}}]}}", cell) == expected


@pytest.mark.parametrize(
    ("how", "cell"),
    [
        ("date: any", "3/4/2024"),  # in March or in April
        ("date: any", "12-03-2024 09:14"),
        ("date: any", "45000"),  # a spreadsheet's day
        ("date: any", "March 2024"),
        ("date: any", "2024"),
        ("date: any", "12:30"),
        ("date: any", "0000-00-00"),
        ("date: any", "2024-01-01 10:00 PST"),  # in Asia or in America
        ("date: any", "soon"),
        ("date: any", "24-03-15"),  # of 2024 or of 2015
        ("date: any", "15/03/68"),  # of 1968 or of 2068
        ("date: any, day_first: true", "01/01/50"),
        ("date: any", "0001-01-01"),
        ("date: '%Y-%m-%d'", "0024-03-15"),
        ("date: any", "31 février 2024"),
        ("date: any", "March 15th"),
        ("date: any", "2024-03-15 (unsubscribed)"),
        ("date: '%d.%m.%Y'", "2024-02-01"),
        ("date: '%d.%m.%Y'", "30.02.2024"),
    ],
)
def test_what_could_be_two_dates_or_none_is_refused(folder: Path, how: str, cell: str) -> None:
    reason = 'the column "Cell" does not hold a date, or holds one that can be read in two ways'
    assert refusal(folder, f"{{column: Cell, do: [{{{how}}}]}}", cell) == reason
    assert shaped(folder, f"{{column: Cell, do: [{{{how}, else: keep}}]}}", cell) == cell
    assert shaped(folder, f"{{column: Cell, do: [{{{how}, else: blank}}]}}", cell) is None


def test_a_reason_names_where_the_value_is_from_and_not_the_value(folder: Path) -> None:
    step = "do: [{map: {m: Male}}]"
    unmapped = "has a value that is not in its map"
    assert refusal(folder, f"{{column: Cell, {step}}}", "secret") == f'the column "Cell" {unmapped}'
    told = refusal(folder, f'{{template: "{{First}} x", {step}}}', "", First="secret")
    assert told == f'"{{First}} x" {unmapped}'
    assert (
        refusal(folder, "{column: Cell, do: [time_zone]}", "Mars")
        == 'the column "Cell" does not hold a known time zone'
    )


def test_every_place_of_a_mapping_takes_values(folder: Path) -> None:
    section = """fields:
      email: {column: Email, do: [{replace: {" at ": "@"}}]}
      first_name: {column: Cell, do: [{name: first}, title]}
      city: {constant: Lyon}
  tags: [Imported, "From {Country}", {column: First, split: ";", do: [title]}, {constant: "{x}"}]
  lists: [{column: Last, do: [{map: {yes: News, no: ""}}]}]"""
    section = section.replace("fields:", "custom_fields: {}\n  fields:")
    path = folder / "p.yaml"
    text = PIPELINE.replace("  fields: {email: Email}\n", "")
    path.write_text(f"{text}  {section}\n", encoding="utf-8")
    load = read_pipeline(path, {}).load
    assert load is not None
    record = dict(zip(COLUMNS, ("Ann at Example.org", "ANN LEE", "vip; blog", "Yes", "Peru"), strict=True))
    result = mapper(load, COLUMNS)(record, 2)
    assert isinstance(result, Mapped)
    assert (result.key, result.lead.fields) == ("ann@example.org", {"first_name": "Ann", "city": "Lyon"})
    assert result.lead.tags == ("Imported", "From Peru", "Vip", "Blog", "{x}")
    assert result.lead.lists == ("News",)


def test_a_value_of_which_nothing_is_left_is_a_blank(folder: Path) -> None:
    tags = 'tags: [Imported, {column: Cell, split: ";"}]'
    assert lead(folder, tags, Cell=" ; ").silent == {"tags", "lists"}
    assert lead(folder, tags, Cell="VIP").silent == {"lists"}
    clears = "custom_fields: {x: {column: Cell, do: [{country: code, else: blank}]}}\n  blank: clear"
    assert lead(folder, clears, Cell="Atlantis").custom_fields == {"x": ""}


any_step = st.sampled_from(
    [
        *("lower", "upper", "title", "first", "last", "time_zone"),
        *({"strip": "x"}, {"split": ","}, {"split": "csv"}, {"replace": {"a": ""}}, {"default": "z"}),
        *({"map": {"a": "b"}}, {"date": "any"}, {"date": "%d.%m.%Y"}, {"country": "code3"}),
        *({"phone": "number", "region": "US"}, {"name": "last"}),
    ]
)
cells = st.text(max_size=12) | st.sampled_from(["a,b", '"a', "1/2/3", "+1 650 253 0000", "9" * 40, "Ann Lee"])


@given(steps=st.lists(any_step, max_size=4), cell=cells)
def test_no_cell_breaks_any_steps(steps: list[object], cell: str) -> None:
    load = load_config(custom_fields={"x": {"column": "Cell", "do": steps}}, fields={"email": "Email"})
    result = mapper(load, COLUMNS)({**dict.fromkeys(COLUMNS, ""), "Email": "a@example.org", "Cell": cell}, 2)
    if isinstance(result, Invalid):
        assert re.match(r'the column "Cell" (does not hold|has|cannot be)', result.reason)
    else:
        assert result.lead.custom_fields.get("x", "?")


def test_libraries_behind_steps_are_loaded_by_pipelines_that_use_them(folder: Path) -> None:
    code = """
import sys
from pathlib import Path
from pipelines.contacts.mapping import mapper
from pipelines.config.file import read_pipeline
mapper(read_pipeline(Path(sys.argv[1]), {}).load, ("Email", "Cell", "First", "Last"))
print([name for name in ("babel", "nameparser", "phonenumbers", "pandas") if name in sys.modules])
"""
    path = folder / "light.yaml"
    for fields, loaded in (
        ('{email: {column: Email, do: [lower]}, city: "{First} {Last}"}', []),
        ("{email: Email, phone: {column: Cell, do: [{phone: number}]}}", ["phonenumbers"]),
        ("{email: Email, last_name: {column: Cell, do: [{name: last}]}}", ["nameparser"]),
    ):
        path.write_text(PIPELINE.replace("{email: Email}", fields), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
        )
        assert done.stdout == f"{loaded}\n"
