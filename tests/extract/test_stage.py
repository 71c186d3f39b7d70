"""The source becomes the staging table: one record speaks for each key, every other has its reason."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError, SourceError
from connectors.sources.files.csv_file import open_csv
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.lead import DesiredLead, digest
from pipelines.contacts.mapping import Invalid, Mapped
from pipelines.errors import GuardError
from pipelines.extract.sources import open_source
from pipelines.extract.stage import check_columns, find_record, read_mapped, stage
from pipelines.extract.transform import open_records
from pipelines.state.store import Store
from pipelines.summary import Summary
from tests.contacts.strategies import load_config

CONSENT = {"consent": {"column": "OK", "accepted": ["yes"]}}
SILENT = frozenset({"tags", "lists"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "kartra.db") as opened:
        opened.scope.enter("newsletter", "account", "live")
        opened.runs.begin("run-1", "newsletter")
        yield opened


def write(folder: Path, text: str) -> Path:
    path = folder / "contacts.csv"
    path.write_text(text, encoding="utf-8")
    return path


def staged(
    store: Store, folder: Path, text: str, *, run_id: str | None = "run-1", **changes: Any
) -> tuple[dict[str, DesiredLead], Summary]:
    """The leads that differ from what Kartra has, by key, and the counters, after this CSV was staged."""
    summary = Summary()
    source = open_csv(write(folder, text), chunk_rows=2)
    stage(source, load_config(**changes), store, summary, run_id=run_id)
    return {found.key: found.desired for found in store.staging.differences()}, summary


def rejects(store: Store) -> list[tuple[int, int | None, str, str]]:
    return [(reject.row, reject.line, reject.kind, reject.reason) for reject in store.rejects.of_run("run-1")]


def city_lead(email: str, city: str) -> DesiredLead:
    return DesiredLead(email, {"city": city} if city else {}, silent=SILENT)


def test_every_record_is_staged_or_rejected_with_its_row_and_text(store: Store, tmp_path: Path) -> None:
    text = (
        "Email,City,OK\n"
        'ann@example.org,"Lyon\nFrance",yes\n'
        "bob,Leeds,yes\n"
        "\n"
        "cleo@example.org,Kraków,no\n"
        "dan@example.org,Lyon\n"
        "Ann@Example.org , Leeds ,yes\n"
    )
    leads, summary = staged(store, tmp_path, text, **CONSENT)
    assert leads == {"ann@example.org": city_lead("ann@example.org", "Leeds")}
    assert summary.counts.rows_json() == {"read": 5, "invalid": 2, "duplicate": 1, "blocked": 1}
    assert rejects(store) == [
        (2, 2, "duplicate", "same key as row 7"),
        (3, 4, "invalid", "not an e-mail address: no @"),
        (5, 6, "blocked", 'no consent in the column "OK": "no"'),
        (6, 7, "invalid", "2 cells, the header has 3"),
    ]
    assert [json.loads(reject.record) for reject in store.rejects.of_run("run-1")] == [
        {"Email": "ann@example.org", "City": "Lyon\nFrance", "OK": "yes"},
        {"Email": "bob", "City": "Leeds", "OK": "yes"},
        {"Email": "cleo@example.org", "City": "Kraków", "OK": "no"},
        [["Email", "City", "OK"], ["dan@example.org", "Lyon"]],
    ]


TWICE = (
    "Email,City,Changed,Status\n"
    "ann@example.org,Lyon,2026-01-03,\n"
    "bob@example.org,Paris,2026-01-01,\n"
    "ann@example.org,,2026-01-09,\n"
    "ann@example.org,Leeds,2026-01-05,\n"
)


@pytest.mark.parametrize(
    ("rule", "winner", "city"),
    [("last", 5, "Leeds"), ("first", 2, "Lyon"), ("newest:Changed", 4, ""), ("merge", 5, "Leeds")],
)
def test_one_record_speaks_for_its_key(
    store: Store, tmp_path: Path, rule: str, winner: int, city: str
) -> None:
    leads, summary = staged(store, tmp_path, TWICE, duplicates=rule)
    assert leads == {
        "ann@example.org": city_lead("ann@example.org", city),
        "bob@example.org": city_lead("bob@example.org", "Paris"),
    }
    assert summary.counts.rows_json() == {"read": 4, "invalid": 0, "duplicate": 2, "blocked": 0}
    assert [(row, kind, reason) for row, _, kind, reason in rejects(store)] == [
        (row, "duplicate", f"same key as row {winner}") for row in (2, 4, 5) if row != winner
    ]
    assert {found.key: found.row for found in store.staging.differences()} == {
        "ann@example.org": winner,
        "bob@example.org": 3,
    }


def test_merged_records_fill_each_others_blanks_and_have_the_digest_of_the_whole(
    store: Store, tmp_path: Path
) -> None:
    text = (
        "Email,City,First,Tags\n"
        "ann@example.org,Lyon,Ann,VIP;Blog\n"
        "ann@example.org,Leeds,,Customer;VIP\n"
        "ann@example.org,,,\n"
    )
    leads, summary = staged(
        store,
        tmp_path,
        text,
        duplicates="merge",
        fields={"email": "Email", "city": "City", "first_name": "First"},
        tags=[{"column": "Tags", "split": ";"}],
    )
    merged = DesiredLead(
        "ann@example.org",
        {"city": "Leeds", "first_name": "Ann"},
        tags=("Blog", "Customer", "VIP"),
        silent=frozenset({"lists"}),
    )
    assert leads == {"ann@example.org": merged}
    assert [found.digest for found in store.staging.differences()] == [digest(merged.to_json())]
    assert summary.counts.duplicate == 2


@pytest.mark.parametrize("rule", ["last", "first", "newest:Changed", "merge"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_record_that_opted_out_speaks_for_its_person_wherever_it_stands(
    store: Store, tmp_path: Path, rule: str, place: int
) -> None:
    rows = ["ann@example.org,Lyon,2026-01-03,subscribed", "ann@example.org,Leeds,2026-01-05,subscribed"]
    rows.insert(place, "ann@example.org,Paris,,Unsubscribed")
    text = "\n".join(["Email,City,Changed,Status", *rows])
    leads, summary = staged(store, tmp_path, text, duplicates=rule)
    assert leads == {}
    assert summary.counts.rows_json() == {"read": 3, "invalid": 0, "duplicate": 2, "blocked": 1}


def test_a_person_who_opted_out_does_not_lose_to_an_endless_number(store: Store, tmp_path: Path) -> None:
    text = (
        "Email,City,Changed,Status\n"
        "ann@example.org,Lyon,1,unsubscribed\n"
        "ann@example.org,Leeds,inf,subscribed\n"
    )
    leads, _ = staged(store, tmp_path, text, duplicates="newest:Changed")
    assert leads == {}


def test_a_cell_that_is_no_number_does_not_end_the_run(store: Store, tmp_path: Path) -> None:
    text = "Email,City,Changed\nann@example.org,Lyon,nan\nbob@example.org,Leeds,2026-01-05\n"
    leads, summary = staged(store, tmp_path, text, duplicates="newest:Changed")
    assert leads == {"bob@example.org": city_lead("bob@example.org", "Leeds")}
    assert summary.counts.rows_json() == {"read": 2, "invalid": 1, "duplicate": 0, "blocked": 0}


def test_a_second_column_of_statuses_counts_too(store: Store, tmp_path: Path) -> None:
    text = "Email,City,Status,Status\nann@example.org,Lyon,subscribed,unsubscribed\n"
    leads, summary = staged(store, tmp_path, text)
    assert (leads, summary.counts.blocked) == ({}, 1)


@pytest.mark.parametrize("rule", ["last", "merge"])
def test_a_record_is_rejected_once(store: Store, tmp_path: Path, rule: str) -> None:
    text = "Email,City,OK\nann@example.org,Lyon,no\nann@example.org,Leeds,no\n"
    leads, summary = staged(store, tmp_path, text, duplicates=rule, **CONSENT)
    assert (leads, summary.counts.rows_json()) == (
        {},
        {"read": 2, "invalid": 0, "duplicate": 1, "blocked": 1},
    )
    assert rejects(store) == [
        (2, 2, "duplicate", "same key as row 3"),
        (3, 3, "blocked", 'no consent in the column "OK": "no"'),
    ]


def test_consent_is_that_of_the_record_that_speaks_for_the_key(store: Store, tmp_path: Path) -> None:
    text = "Email,City,OK\nann@example.org,Lyon,no\nann@example.org,Leeds,yes\n"
    leads, summary = staged(store, tmp_path, text, **CONSENT)
    assert leads == {"ann@example.org": city_lead("ann@example.org", "Leeds")}
    assert (summary.counts.duplicate, summary.counts.blocked) == (1, 0)


def test_merged_records_are_blocked_when_one_of_them_is(store: Store, tmp_path: Path) -> None:
    text = "Email,City,OK\nann@example.org,Lyon,no\nann@example.org,Leeds,yes\n"
    leads, summary = staged(store, tmp_path, text, duplicates="merge", **CONSENT)
    assert (leads, summary.counts.duplicate, summary.counts.blocked) == ({}, 1, 1)


def test_duplicates_stop_the_run_where_they_are_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(GuardError) as refusal:
        staged(store, tmp_path, TWICE, duplicates="error")
    assert str(refusal.value) == (
        "2 records have the key of another (rows 2 = 4 = 5) and load.duplicates is error: nothing was sent"
    )
    assert store.outbox.planned() == []


def test_a_source_without_duplicates_is_no_error(store: Store, tmp_path: Path) -> None:
    leads, _ = staged(store, tmp_path, "Email,City\nann@example.org,Lyon\n", duplicates="error")
    assert leads == {"ann@example.org": city_lead("ann@example.org", "Lyon")}


def test_a_source_without_records_is_empty_and_no_error(store: Store, tmp_path: Path) -> None:
    leads, summary = staged(store, tmp_path, "Email,City\n")
    assert (leads, summary.counts.rows_json()) == (
        {},
        {"read": 0, "invalid": 0, "duplicate": 0, "blocked": 0},
    )


def test_a_plan_keeps_no_rejects(store: Store, tmp_path: Path) -> None:
    text = "Email,City,OK\nbob,Leeds,yes\nann@example.org,Lyon,no\nann@example.org,Leeds,no\n"
    _, summary = staged(store, tmp_path, text, run_id=None, **CONSENT)
    assert summary.counts.rows_json() == {"read": 3, "invalid": 1, "duplicate": 1, "blocked": 1}
    assert rejects(store) == []


def test_somebody_may_look_in_after_every_chunk(store: Store, tmp_path: Path) -> None:
    counted = []
    summary = Summary()
    source = open_csv(write(tmp_path, TWICE + "eve@example.org,,,\n"), chunk_rows=2)
    load = load_config()
    stage(source, load, store, summary, run_id=None, between=lambda: counted.append(summary.counts.read))
    assert counted == [2, 4, 5]


def test_a_stop_between_two_chunks_leaves_the_rest_unread(store: Store, tmp_path: Path) -> None:
    def stop() -> None:
        raise InterruptedError

    summary = Summary()
    source = open_csv(write(tmp_path, TWICE), chunk_rows=2)
    with pytest.raises(InterruptedError):
        stage(source, load_config(), store, summary, run_id="run-1", between=stop)
    assert summary.counts.read == 2


def test_a_key_column_keeps_two_records_with_one_address_apart(store: Store, tmp_path: Path) -> None:
    text = "Id,Email,City\n007,ann@example.org,Lyon\n7,ann@example.org,Leeds\n"
    leads, summary = staged(store, tmp_path, text, key={"column": "Id"})
    assert leads == {
        "007": city_lead("ann@example.org", "Lyon"),
        "7": city_lead("ann@example.org", "Leeds"),
    }
    assert summary.counts.duplicate == 0


def forget(store: Store, *names: str) -> None:
    store.runs.release_lease("run-1")
    store.forgetting.forget(frozenset(names))


def test_a_record_with_a_forgotten_key_or_address_is_blocked_and_its_text_is_not_kept(
    store: Store, tmp_path: Path
) -> None:
    forget(store, "C-1", "bob@example.org")
    text = (
        "Id,Email,City\n"
        "C-1,ann@example.org,Lyon\n"
        "C-2,Bob@Example.org ,Leeds\n"
        "C-3,cleo@example.org,Kraków\n"
        ",bob@example.org,Leeds\n"
        "C-4,Bob <bob@example.org>\n"
        ",joebob@example.org,Leeds\n"
    )
    leads, summary = staged(store, tmp_path, text, key={"column": "Id"})
    assert leads == {"C-3": city_lead("cleo@example.org", "Kraków")}
    assert summary.counts.rows_json() == {"read": 6, "invalid": 3, "duplicate": 0, "blocked": 2}
    kept = [
        (reject.row, reject.kind, reject.reason, reject.record) for reject in store.rejects.of_run("run-1")
    ]
    assert kept == [
        (2, "blocked", "forgotten on request", ""),
        (3, "blocked", "forgotten on request", ""),
        (5, "invalid", 'no key: the column "Id" is blank', None),
        (6, "invalid", "2 cells, the header has 3", None),
        (
            7,
            "invalid",
            'no key: the column "Id" is blank',
            '{"Id": "", "Email": "joebob@example.org", "City": "Leeds"}',
        ),
    ]


@pytest.mark.parametrize("rule", ["last", "first", "newest:Changed", "merge"])
def test_a_forgotten_address_speaks_for_its_key_wherever_it_stands(
    store: Store, tmp_path: Path, rule: str
) -> None:
    forget(store, "ann@example.org")
    text = (
        "Id,Email,City,Changed\n"
        "C-1,new@example.org,Lyon,2026-01-05\n"
        "C-1,ann@example.org,Lyon,2026-01-03\n"
        "C-1,newer@example.org,Lyon,2026-01-09\n"
    )
    leads, summary = staged(store, tmp_path, text, duplicates=rule, key={"column": "Id"})
    assert (leads, summary.counts.duplicate, summary.counts.blocked) == ({}, 2, 1)
    assert "ann@example.org" not in str([reject.record for reject in store.rejects.of_run("run-1")])


def test_a_person_is_known_again_however_their_address_is_written(store: Store, tmp_path: Path) -> None:
    forget(store, "jörg@xn--mller-kva.de")
    text = "Email,City\nJÖRG@Müller.de,Lyon\njo\u0308rg@müller.de,Lyon\nann@example.org,Lyon\n"
    leads, summary = staged(store, tmp_path, text)
    assert list(leads) == ["ann@example.org"]
    assert (summary.counts.duplicate, summary.counts.blocked) == (1, 1)


def test_all_records_can_be_read_mapped_without_a_state(tmp_path: Path) -> None:
    source = open_csv(write(tmp_path, "Email,City\nann@example.org,Lyon\nbob,Leeds\ncleo\n"))
    assert sorted(read_mapped(source, load_config()), key=lambda found: found[0]) == [
        (2, Mapped("ann@example.org", city_lead("ann@example.org", "Lyon"), rank=2)),
        (3, Invalid("not an e-mail address: no @")),
        (4, Invalid("1 cell, the header has 2")),
    ]


def test_every_record_of_a_key_is_found(tmp_path: Path) -> None:
    source = open_csv(write(tmp_path, TWICE), chunk_rows=2)
    found = list(find_record(source, load_config(), "ann@example.org"))
    assert [(row, record["City"], mapped.lead.fields) for row, record, mapped in found] == [
        (2, "Lyon", {"city": "Lyon"}),
        (4, "", {}),
        (5, "Leeds", {"city": "Leeds"}),
    ]
    assert list(find_record(source, load_config(), "nobody@example.org")) == []


def test_the_source_is_opened_as_the_pipeline_file_says(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("Email;City\n'ann@example.org';Orl\u00e9ans\n", encoding="cp1252")
    written = {"path": str(path), "delimiter": ";", "encoding": "cp1252", "quotechar": "'"}
    load = load_config(source={"csv": written})
    (chunk,) = open_source(load.source).chunks()
    assert chunk.frame.to_dict("records") == [{"Email": "ann@example.org", "City": "Orléans"}]


def test_a_source_that_is_not_there_is_a_source_error(tmp_path: Path) -> None:
    load = load_config(source={"csv": str(tmp_path / "contacts.csv")})
    with pytest.raises(SourceError, match=r"^contacts\.csv was not found in "):
        open_source(load.source)


def test_columns_that_do_not_fit_are_named_with_the_pipeline_file(tmp_path: Path) -> None:
    source = open_csv(write(tmp_path, "Email,Ort\nann@example.org,Lyon\n"))
    load = load_config(tags=[{"column": "Tags"}])
    config = PipelineConfig.model_construct(path=tmp_path / "p.yaml", load=load)
    with pytest.raises(ConfigError) as refusal:
        check_columns(source, config, load)
    assert str(refusal.value) == (
        'p.yaml: load.fields.city: the source has no column "City"; it has: Email, Ort\n'
        'p.yaml: load.tags: the source has no column "Tags"; it has: Email, Ort'
    )


def test_a_rejected_record_keeps_its_own_text_where_a_hook_turned_the_order_round(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "hooks.py").write_text(
        "def turned(records):\n    return records.iloc[::-1]\n", encoding="utf-8"
    )
    text = "Email,City,OK\nann@example.org,Lyon,no\nbob@example.org,Leeds,no\ncleo@example.org,Rome,yes\n"
    section = {
        "source": {"csv": write(tmp_path, text).name},
        "transform": "hooks:turned",
        "key": "email",
        "fields": {"email": "Email"},
        **CONSENT,
    }
    load = LoadConfig.model_validate(section, context={"folder": tmp_path})
    stage(open_records(load), load, store, Summary(), run_id="run-1")
    cities = {reject.row: json.loads(reject.record)["City"] for reject in store.rejects.of_run("run-1")}
    assert cities == {2: "Lyon", 3: "Leeds"}
