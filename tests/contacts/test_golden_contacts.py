"""A fixed set of contacts, read and mapped: another version of any library makes the same of them.

A change of these sends leads of users again, or maps their records again. `python -m tests.library_versions`
runs this file under the lowest versions that pyproject.toml allows, and under the newest.
"""

from pathlib import Path

from connectors.sources.files.csv_file import open_csv
from pipelines.contacts.fingerprint import HASH_BYTES, Fingerprint, raw_hashes
from pipelines.extract.stage import stage
from pipelines.state.store import Store
from pipelines.summary import Summary
from tests.contacts.strategies import load_config

CONTACTS = '''\
Name,Email,Phone,Country,Since,Score,Tags,Note
anna VAN lee,Anna@Example.org ,030 / 1234567,Deutschland,15.03.2024,007,"wein, ""käse""",NA
Zoe\u0308 Müller,zoe@müller.example,+44 20 7946 0958,,1.4.2024,1e5,,
"Díaz, Carla",carla@example.com,ask me,España,03.04.2024,12.50,wein,"two
lines"
王 小明,ming@example.org,+86 10 6552 9988,cn,29.2.2024,-0,null,🎉
,bare@example.org,,,,,,
'''
DIGESTS = {
    "anna@example.org": "cb0cc3626ac60b556765cacecb2bf63e",
    "zoe@xn--mller-kva.example": "ac5db7eb2514349542739e17ad37658e",
    "carla@example.com": "3539798c8d03220963e3677093d1a030",
    "ming@example.org": "7e1afc9647b830dad2b1ce46164f90d6",
    "bare@example.org": "94e402fe32d532660dc6abb1ac83f4c7",
}
HASHES = [
    "fd7ca989d73af4350dea6b9c0da6e575",
    "6c13613c48c3748715a1d86be902e657",
    "49483e7868b3ee1a95512bdd872f28a8",
    "b610f8a7ef9b29077666240cb667aa8c",
    "07e245288a72f843f9d03daff65df404",
]


def test_the_digests_of_contacts_never_change(tmp_path: Path) -> None:
    load = load_config(
        fields={
            "email": "Email",
            "first_name": {"column": "Name", "do": [{"name": "first"}, "title"]},
            "last_name": {"column": "Name", "do": [{"name": "last"}]},
            "phone": {
                "column": "Phone",
                "do": [{"phone": "number", "country": "Country", "region": "DE", "else": "keep"}],
            },
            "country": {"column": "Country", "do": [{"country": "name", "else": "keep"}]},
        },
        custom_fields={
            "since": {"column": "Since", "do": [{"date": "%d.%m.%Y"}]},
            "score": "Score",
            "note": "Note",
        },
        tags=["Imported", {"column": "Tags", "split": ";"}],
    )
    with Store(None) as store:
        stage(open_csv(_written(tmp_path)), load, store, Summary(), run_id=None)
        rows = store.database.rows("SELECT key, digest FROM temp.staged ORDER BY row")
    assert {row["key"]: row["digest"].hex() for row in rows} == DIGESTS


def test_the_hashes_of_records_never_change(tmp_path: Path) -> None:
    source = open_csv(_written(tmp_path))
    under = Fingerprint(tuple(sorted(source.columns)), bytes(16))
    (chunk,) = source.chunks()
    hashes = raw_hashes(chunk.frame, under)
    assert [hashes[at : at + HASH_BYTES].hex() for at in range(0, len(hashes), HASH_BYTES)] == HASHES


def _written(folder: Path) -> Path:
    file = folder / "contacts.csv"
    file.write_text(CONTACTS, encoding="utf-8")
    return file
