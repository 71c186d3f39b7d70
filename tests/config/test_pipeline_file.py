"""What good pipeline files mean, where their variables come from, and what editors are told of them."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from connectors.errors import ConfigError
from connectors.kartra.wire import Credentials
from pipelines.config.defaults import defaults_taken
from pipelines.config.file import read_pipeline, require_credentials
from pipelines.config.guards import GuardsConfig
from pipelines.config.kartra import KartraConfig
from pipelines.config.load import ConsentConfig, Duplicates, KeyConfig, LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.schema import json_schema
from pipelines.config.shares import Share
from pipelines.config.sources import CsvOptions, IncrementalOptions, SourceConfig, SqlOptions
from pipelines.config.values import Value
from pipelines.config.wishes import PointsConfig, SequenceConfig

ENVIRON = {"KARTRA_APP_ID": "app", "KARTRA_API_KEY": "key", "KARTRA_API_PASSWORD": "pass"}

FULL = """\
pipeline: newsletter              # [a-z0-9_-]{1,64}, unique in its state store
kartra:
  url: https://app.kartra.com/api # default. http:// only for a loopback address
  app_id: ${KARTRA_APP_ID}
  api_key: ${KARTRA_API_KEY}
  api_password: ${KARTRA_API_PASSWORD}
  mode: live                      # live | test (Test mode rewrites stored addresses to @kartra.com)
  calls_per_second: 20            # 1..20, for the App as a whole
  timeout_s: 30
  workers: auto                   # calls in flight; auto follows rate × latency
state: state/kartra.db            # SQLite file, or a SQLAlchemy URL
load:
  source:
    csv: contacts.csv
  key: email                      # or {column: customer_id}: then a changed address edits the same lead
  fields: {email: Email Address, first_name: First Name, city: City}
  custom_fields: {note: Notes, size: Size, fruits: {column: Fruits, split: ";"}}
  tags: [Imported, {column: Tags, split: ";"}]
  lists: [News, {column: Lists, split: ";"}]
  sequences: [{name: Onboarding, step: 1}]
  sync_mode: upsert               # upsert | create_only | update_only
  existing: update                # a lead that Kartra had before we did: update | fill_blanks | skip
  on_removed: ignore              # ignore, or a list of untag, unsubscribe. Only what we gave
  blank: ignore                   # an empty cell: ignore | clear
  duplicates: last                # first | last | newest:<column> | merge | error
  consent: {column: Opt-in, accepted: ["yes"]}   # or {attested: "sign-up form, 2025"}
  guards: {min_rows: 1, max_removed: 5%, max_edited: 100%, max_failed: 5%}
"""

SMALL = """\
pipeline: small
kartra: {}
load:
  source: {csv: contacts.csv}
  key: email
  fields: {email: Email}
  consent: {attested: sign-up form}
"""

OTHER_FORMS = """\
pipeline: 2024
kartra:
  url: http://127.0.0.1:8080/api
  app_id: ${KARTRA_APP_ID:-}
  mode: ${MODE:-test}
  calls_per_second: 2.5
  timeout_s: "10"
  workers: 8
state: sqlite:///other/kartra.db
load:
  source: {csv: {path: ../in/contacts.csv, delimiter: tab, encoding: cp1252, quotechar: "'"}}
  key: {column: customer_id}
  fields: &fields {email: Email, zip: 00123}
  custom_fields: {note: {column: Notes}}
  tags: [NO, 2024, 00123, 1.50, on, ~x, "null", "$${literal}", {column: yes}]
  lists: &names ["1", {column: Lists}]
  sequences: [{name: A}, {name: B, step: "7"}]
  sync_mode: create_only
  existing: fill_blanks
  on_removed: [untag, unsubscribe]
  blank: clear
  duplicates: newest:Updated At
  consent: {column: Opt-in, accepted: [yes, 1, Y]}
  guards: {min_rows: 0, max_removed: 25, max_edited: 2.5%, max_failed: 0%}
"""

Read = Callable[..., PipelineConfig]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: str, environ: Mapping[str, str] = ENVIRON) -> PipelineConfig:
        file = tmp_path / "newsletter.yaml"
        file.write_text(text, encoding="utf-8")
        return read_pipeline(file, environ)

    return read_text


def test_the_full_example_means_what_it_says(read: Read, tmp_path: Path) -> None:
    assert read(FULL) == PipelineConfig(
        pipeline="newsletter",
        kartra=KartraConfig(
            url="https://app.kartra.com/api",
            app_id=SecretStr("app"),
            api_key=SecretStr("key"),
            api_password=SecretStr("pass"),
            mode="live",
            calls_per_second=20,
            timeout_s=30,
            settle_s=10,
            workers="auto",
        ),
        state=tmp_path / "state" / "kartra.db",
        path=tmp_path / "newsletter.yaml",
        load=LoadConfig(
            source=SourceConfig(kind="csv", options=CsvOptions(path=tmp_path / "contacts.csv")),
            key=KeyConfig(column=None),
            fields={"email": "Email Address", "first_name": "First Name", "city": "City"},
            custom_fields={
                "note": Value(column="Notes"),
                "size": Value(column="Size"),
                "fruits": Value(column="Fruits", split=";"),
            },
            tags=("Imported", Value(column="Tags", split=";")),
            lists=("News", Value(column="Lists", split=";")),
            sequences=(SequenceConfig(name="Onboarding", step="1"),),
            sync_mode="upsert",
            existing="update",
            on_removed=(),
            blank="ignore",
            duplicates=Duplicates(how="last", column=None),
            consent=ConsentConfig(column="Opt-in", accepted=("yes",)),
            guards=GuardsConfig(
                min_rows=1,
                max_removed=Share(fraction=0.05),
                max_edited=Share(fraction=1.0),
                max_failed=Share(fraction=0.05),
            ),
        ),
    )


def test_the_smallest_file_has_the_defaults_of_the_full_one(read: Read, tmp_path: Path) -> None:
    small, full = read(SMALL), read(FULL)
    assert small.state == full.state == tmp_path / "state" / "kartra.db"
    assert small.load is not None
    assert full.load is not None
    written = {"source", "key", "fields", "custom_fields", "tags", "lists", "sequences", "consent"}
    assert small.load.model_dump(exclude=written) == full.load.model_dump(exclude=written)
    credentials = {"app_id", "api_key", "api_password"}
    assert small.kartra.model_dump(exclude=credentials) == full.kartra.model_dump(exclude=credentials)


def test_every_other_form_is_understood_and_scalars_stay_text(read: Read, tmp_path: Path) -> None:
    config = read(OTHER_FORMS)
    assert config == PipelineConfig(
        pipeline="2024",
        kartra=KartraConfig(
            url="http://127.0.0.1:8080/api",
            app_id=SecretStr("app"),
            mode="test",
            calls_per_second=2.5,
            timeout_s=10,
            settle_s=10,
            workers=8,
        ),
        state=tmp_path / "other" / "kartra.db",
        path=tmp_path / "newsletter.yaml",
        load=LoadConfig(
            source=SourceConfig(
                kind="csv",
                options=CsvOptions(
                    path=tmp_path / ".." / "in" / "contacts.csv",
                    delimiter="\t",
                    encoding="cp1252",
                    quotechar="'",
                ),
            ),
            key=KeyConfig(column="customer_id"),
            fields={"email": "Email", "zip": "00123"},
            custom_fields={"note": Value(column="Notes")},
            tags=(
                *("NO", "2024", "00123", "1.50", "on", "~x", "null", "${literal}"),
                Value(column="yes"),
            ),
            lists=("1", Value(column="Lists")),
            sequences=(SequenceConfig(name="A"), SequenceConfig(name="B", step="7")),
            sync_mode="create_only",
            existing="fill_blanks",
            on_removed=("untag", "unsubscribe"),
            blank="clear",
            duplicates=Duplicates(how="newest", column="Updated At"),
            consent=ConsentConfig(column="Opt-in", accepted=("yes", "1", "Y")),
            guards=GuardsConfig(
                min_rows=0,
                max_removed=Share(count=25),
                max_edited=Share(fraction=0.025),
                max_failed=Share(fraction=0.0),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10", PointsConfig(constant=10)),
        ("{constant: 10, expiration_days: 30}", PointsConfig(constant=10, expiration_days=30)),
        ("{column: Points}", PointsConfig(column="Points")),
    ],
)
def test_points_are_a_number_or_a_column(read: Read, written: str, meant: PointsConfig) -> None:
    load = read(f"{SMALL}  points: {written}\n").load
    assert load is not None
    assert load.points == meant


def test_a_class_of_a_calendar_may_have_a_start(read: Read) -> None:
    classes = "[{name: Webinar, class: 1}, {name: Webinar, class: 2, starting_at: 2027-01-16T18:00:00}]"
    load = read(f"{SMALL}  calendars: {classes}\n").load
    assert load is not None
    assert [(one.name, one.class_name, one.starting_at) for one in load.calendars] == [
        ("Webinar", "1", None),
        ("Webinar", "2", "2027-01-16 18:00"),
    ]


def test_many_triggers_are_limited_only_where_somebody_says_so(read: Read) -> None:
    for written, meant in (("", None), ("  guards: {max_triggered: 10%}\n", Share(fraction=0.1))):
        load = read(SMALL + written).load
        assert load is not None
        assert load.guards.max_triggered == meant


def test_anchors_and_merged_maps_are_followed(read: Read) -> None:
    text = SMALL + (
        "  tags: &names [A, B]\n"
        "  lists: *names\n"
        "  sequences: [&first {name: S, step: 2}, {<<: *first, name: T}, {<<: [{name: U}, *first]}]\n"
    )
    load = read(text).load
    assert load is not None
    assert load.tags == load.lists == ("A", "B")
    assert [(sequence.name, sequence.step) for sequence in load.sequences] == [
        ("S", "2"),
        ("T", "2"),
        ("U", "2"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/api",
        "http://127.9.9.9/api",
        "http://[::1]:8080/api",
        "https://sandbox.example/api",
    ],
)
def test_https_anywhere_and_http_on_loopback(url: str, read: Read) -> None:
    assert read(SMALL.replace("kartra: {}", f"kartra: {{url: '{url}'}}")).kartra.url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.example.org/api",
        "http://localhost@example.org/api",
        "http://localhost\\@example.org/api",
        "http://0.0.0.0/api",
        "http://127.1/api",
        "http://[::ffff:7f00:1]/api",
        "http://localhost:port/api",
        "https://[::1/api",
        "https://",
        "ftp://localhost/api",
        "https://app.kartra.com/a pi",
    ],
)
def test_credentials_cannot_be_led_elsewhere(url: str, read: Read) -> None:
    with pytest.raises(ConfigError):
        read(SMALL.replace("kartra: {}", f"kartra: {{url: '{url}'}}"))


# Variables


def test_the_environment_wins_over_the_file_beside(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "\ufeffKARTRA_APP_ID=other\nKARTRA_API_KEY='pa$$w${ord}'\nEXPORT\n", encoding="utf-8"
    )
    kartra = read(FULL, {"KARTRA_APP_ID": "app", "KARTRA_API_PASSWORD": "pass"}).kartra
    assert (kartra.app_id, kartra.api_key, kartra.api_password) == (
        SecretStr("app"),
        SecretStr("pa$$w${ord}"),
        SecretStr("pass"),
    )


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("${SET}", "value"),
        ("${SET:-other}", "value"),
        ("${UNSET:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("a ${SET}-${SET} z", "a value-value z"),
        ("$${SET}", "${SET}"),
        ("$$${SET}", "$${SET}"),
        ("$SET", "$SET"),
        ("${NESTED}", "${SET}"),
    ],
)
def test_variables_in_text(written: str, tag: str, read: Read) -> None:
    load = read(SMALL + f"  tags: ['{written}']\n", {"SET": "value", "EMPTY": "", "NESTED": "${SET}"}).load
    assert load is not None
    assert load.tags == (tag,)


def test_an_optional_value_may_be_an_empty_variable(read: Read) -> None:
    text = SMALL.replace(
        "{csv: contacts.csv}", "\n    csv:\n      path: a.csv\n      encoding: ${ENCODING:-}"
    )
    load = read(text).load
    assert load is not None
    assert isinstance(load.source.options, CsvOptions)
    assert load.source.options.encoding is None


def test_a_query_comes_with_its_database(read: Read, tmp_path: Path) -> None:
    options = "query: people.sql, timeout_s: 5, parameters: {day: 7}, incremental: {column: at}"
    sql = f"{{sql: {{url: 'postgresql://ann:${{SET}}@db/crm', {options}}}}}"
    load = read(SMALL.replace("{csv: contacts.csv}", sql), {"SET": "s3cret"}).load
    assert load is not None
    assert dict(load.source.options) == {
        "blanks": (),
        "url": "postgresql://ann:s3cret@db/crm",
        "query": tmp_path / "people.sql",
        "parameters": {"day": "7"},
        "incremental": IncrementalOptions(column="at", overlap=timedelta(minutes=10), full_every=None),
        "timeout_s": 5,
    }
    assert "s3cret" not in repr(load)
    sql = "{sql: {url: 'sqlite:///crm.db', query: SELECT * FROM people}}"
    load = read(SMALL.replace("{csv: contacts.csv}", sql)).load
    assert load is not None
    assert isinstance(load.source.options, SqlOptions)
    assert (load.source.options.url, load.source.options.query) == (
        tmp_path / "crm.db",
        "SELECT * FROM people",
    )


def test_an_unreadable_env_file_is_named_and_not_quoted(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"KARTRA_API_KEY=\xffsecret")
    with pytest.raises(ConfigError, match=r"\.env: not UTF-8; save the file as UTF-8$") as refusal:
        read(SMALL)
    assert "secret" not in str(refusal.value)


def test_credentials_are_handed_over_and_never_shown(read: Read) -> None:
    config = read(FULL, {name: f"hunter2-{name}" for name in ENVIRON})
    assert require_credentials(config) == Credentials(
        "hunter2-KARTRA_APP_ID", "hunter2-KARTRA_API_KEY", "hunter2-KARTRA_API_PASSWORD"
    )
    assert "hunter2" not in f"{config!r} {config} {config.model_dump()}"


def test_missing_credentials_are_a_fault_only_when_they_are_needed(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = read(
        FULL.replace("  api_key: ${KARTRA_API_KEY}\n", ""),
        {"KARTRA_APP_ID": "app", "KARTRA_API_PASSWORD": ""},
    )
    assert config.kartra.api_password is None
    with pytest.raises(ConfigError) as refusal:
        require_credentials(config)
    assert str(refusal.value).splitlines() == [
        "newsletter.yaml:2:1: kartra.api_key: missing; write api_key: ${KARTRA_API_KEY}",
        "newsletter.yaml:5:17: kartra.api_password: KARTRA_API_PASSWORD is not set, "
        "neither in the environment nor in a .env beside this file",
    ]


# Shares


@pytest.mark.parametrize(
    ("share", "part", "whole", "exceeded"),
    [
        (Share(fraction=0.05), 5, 100, False),
        (Share(fraction=0.05), 6, 100, True),
        (Share(fraction=0.29), 29, 100, False),
        (Share(fraction=0.07), 7, 100, False),
        (Share(fraction=0.07), 8, 100, True),
        (Share(fraction=0.0), 0, 0, False),
        (Share(fraction=0.0), 1, 1000, True),
        (Share(fraction=1.0), 10, 10, False),
        (Share(fraction=1.0), 10, 0, False),  # nobody had to count
        (Share(count=25), 25, 26, False),
        (Share(count=25), 26, 1_000_000, True),
        (Share(count=0), 1, 1, True),
    ],
)
def test_a_share_is_exceeded_by_more_than_it_only(
    share: Share, part: int, whole: int, exceeded: bool
) -> None:
    assert share.exceeded(part, whole) is exceeded


# The schema


@pytest.mark.parametrize("text", [FULL, SMALL, OTHER_FORMS])
def test_the_schema_accepts_what_the_program_accepts(text: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator
    validator.check_schema(json_schema())
    validator(json_schema()).validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("pipeline:", "pipline:"),
        ("${KARTRA_API_KEY}", "hunter2"),
        ("mode: live", "mode: lvie"),
        ("calls_per_second: 20", "calls_per_second: 21"),
        ("csv: contacts.csv", "cvs: contacts.csv"),
        ("key: email", "key: customer_id"),
        ("email: Email Address,", ""),
        ("first_name:", "firstname:"),
        ("split:", "spilt:"),
        ("duplicates: last", "duplicates: newest"),
        ("5%", "5 percent"),
        ("accepted:", "attested: me, accepted:"),
    ],
)
def test_the_schema_refuses_what_the_program_refuses(right: str, wrong: str, read: Read) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    text = FULL.replace(right, wrong)
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(yaml.safe_load(text))
    with pytest.raises(ConfigError):
        read(text)


def test_every_key_of_the_schema_has_a_description_and_no_map_is_open() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for shape in (schema, *schema["$defs"].values()):
        assert shape["additionalProperties"] is False
        for key, value in shape["properties"].items():
            named = schema["$defs"][value["$ref"].rpartition("/")[2]] if "$ref" in value else value
            assert "description" in named, key


def test_the_models_cost_no_heavy_import() -> None:
    code = "import pipelines.config.load, sys; print({'pandas', 'requests', 'sqlalchemy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


SIX_LINES = """\
pipeline: newsletter
load:
  source: {csv: contacts.csv}
  fields: {email: Email, first_name: First}
  tags: [Imported]
  consent: {attested: "sign-up form, 2025"}
"""


def test_six_lines_are_a_whole_file(read: Read) -> None:
    environ = {"KARTRA_APP_ID": "app", "KARTRA_API_KEY": "key", "KARTRA_API_PASSWORD": "pass"}
    short = read(SIX_LINES, environ)
    account = "kartra:\n" + "".join(
        f"  {key.removeprefix('KARTRA_').lower()}: ${{{key}}}\n" for key in environ
    )
    assert short == read(f"{SIX_LINES}  key: email\n{account}", environ)
    elsewhere = read(SIX_LINES, environ | {"KARTRA_URL": "http://127.0.0.1:9/api"})
    assert elsewhere.kartra.url == "http://127.0.0.1:9/api"


def test_an_account_of_the_environment_that_is_not_there_is_asked_for_by_name(read: Read) -> None:
    with pytest.raises(ConfigError, match="KARTRA_API_KEY is not set"):
        require_credentials(read(SIX_LINES, {"KARTRA_APP_ID": "app"}))


def test_an_address_of_another_origin_than_its_credentials_is_refused_in_a_short_file(
    read: Read, tmp_path: Path
) -> None:
    """A .env that somebody left in the folder must not send the credentials of the environment elsewhere."""
    (tmp_path / ".env").write_text("KARTRA_URL=https://elsewhere.example.org/api\n", encoding="utf-8")
    credentials = {"KARTRA_APP_ID": "app", "KARTRA_API_KEY": "key", "KARTRA_API_PASSWORD": "pass"}
    with pytest.raises(ConfigError, match="KARTRA_URL"):
        read(SIX_LINES, credentials)


def test_the_defaults_that_were_taken_are_those_of_the_schema(read: Read) -> None:
    load = json_schema()["$defs"]["LoadConfig"]["properties"]
    taken = defaults_taken(read(SIX_LINES, {}))
    of_load = {key.removeprefix("load."): value for key, value in taken.items() if key.startswith("load.")}
    told = {key: load[key]["default"] for key in of_load}
    assert of_load == told
    assert {"kartra": "the account of KARTRA_APP_ID", "state": "state/kartra.db"}.items() <= taken.items()
    assert defaults_taken(read(FULL)) == {}
