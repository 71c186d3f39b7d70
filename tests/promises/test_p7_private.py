"""P7: no credential and no personal data where people read along, and state that only its owner reads."""

import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.attacks.table import observe
from tests.command.several import ended, stored, together, wait_for
from tests.conftest import LOAD, Project, Result, contact
from tests.warm_start import COMMAND

PEOPLE = LOAD.replace("city: City", "city: City, phone: Phone, last_name: Last")
SECRETS = {"app_id": "APPID7f3c", "api_key": "KEY9b21e", "api_password": "PASSW0rd77"}
VERBS = (
    ("check", "p.yaml"),
    ("plan", "p.yaml"),
    ("run", "p.yaml"),
    ("status", "p.yaml"),
    ("runs", "p.yaml"),
    ("rejects", "p.yaml"),
    ("explain", "p.yaml", "zofia.0@wanderlust.example"),
)


@pytest.fixture
def account(account: Account) -> Account:
    """With credentials that are found where they should not be."""
    account.app_id, account.api_key, account.api_password = SECRETS.values()
    return account


def person(number: int, **changes: str) -> dict[str, str]:
    """A contact whose every cell is found again in whatever prints it."""
    return {
        **contact(number),
        "Email": f"zofia.{number}@wanderlust.example",
        "First": f"Zofia{number}",
        "Last": f"Brzęczyszczykiewicz{number}",
        "City": f"Szczebrzeszyn{number}",
        "Phone": f"+48 600 100 20{number}",
        "Note": f"allergic to peanuts {number}",
        **changes,
    }


def people() -> list[dict[str, str]]:
    """Good ones, and one of each kind that does not get through."""
    return [
        person(0),
        person(1),
        person(2, Email="zofia.2.wanderlust.example"),
        person(3, Email="zofia.3@@wanderlust.example"),
        person(4, Consent="niet"),
        person(5),
        person(1, First="Zofia1again"),
    ]


PERSONAL = (
    "zofia",
    "wanderlust",
    "brzęczyszczykiewicz",
    "szczebrzeszyn",
    "600 100",
    "48600100",
    "peanuts",
    *(secret.lower() for secret in SECRETS.values()),
)


def leaks(*results: Result) -> list[str]:
    """What of a person or a credential stands in the output, in JSON's escapes too."""
    said = "\n".join(result.stdout + result.stderr for result in results)
    if "\\u" in said:
        said += said.encode("ascii", "backslashreplace").decode("unicode_escape")
    return [word for word in PERSONAL if word in said.lower()]


def mode_of(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_p7_no_verb_in_any_mode_shows_a_person_or_a_credential(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    account.add_lead("zofia.5@wanderlust.example").deleted = True
    path = project.contacts(people())
    with path.open("a", encoding="utf-8") as handle:
        handle.write("zofia.8@wanderlust.example,Zofia8\nzofia.9@wanderlust.example,Zo\0fia,,,,,,,,\n")
    project.pipeline(PEOPLE)
    first = project.command("run", "p.yaml", "-vv")
    assert first.code == 3
    assert sorted(stored(sandbox)) == ["zofia.0@wanderlust.example", "zofia.1@wanderlust.example"]
    project.contacts([person(0, City="Szczebrzeszyn7"), *people()[1:]])
    modes = (("-vv",), ("-vv", "--json"))  # less than -vv says less of the same
    words = [(*verb, *mode) for mode in modes for verb in VERBS if verb[0] != "run"]
    results = [first, *together(project, words), project.command("run", "p.yaml", "-vv", "--json")]
    assert [result.code for result in results] == [3, *[0] * len(words), 3]
    assert all(result.stdout for result in results)
    assert leaks(*results) == []


def test_p7_an_address_is_shown_as_its_first_letters_and_its_ending(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([person(0)])
    project.pipeline(PEOPLE)
    assert project.run().code == 0
    address = "zofia.0@wanderlust.example"
    masked, shown = together(
        project,
        [("explain", "p.yaml", address, "--json"), ("explain", "p.yaml", address, "--json", "--show")],
    )
    assert masked.json["key"] == "z***@w***.example"
    assert masked.json["source"][0]["record"] == {
        "Email": "z***@w***.example",
        "First": "Z***",
        "City": "S***",
        "Note": "a***",
        "Size": "s***",
        "Fruits": "a***",
        "Tags": "V***",
        "Consent": "y***",
        "Last": "B***",
        "Phone": "+***",
    }
    assert masked.json["states"][0]["acknowledged"]["email"] == "z***@w***.example"
    assert shown.json["key"] == address
    assert shown.json["source"][0]["record"] == person(0)


@pytest.mark.parametrize("explained", ["zofia.404@wanderlust.example", "Zofia Brzęczyszczykiewicz"])
def test_p7_a_key_that_nobody_has_is_not_repeated(explained: str, project: Project, sandbox: Sandbox) -> None:
    project.contacts([person(0)])
    project.pipeline(PEOPLE)
    told, as_json = together(
        project, [("explain", "p.yaml", explained), ("explain", "p.yaml", explained, "--json")]
    )
    assert (told.code, as_json.code, leaks(told, as_json)) == (0, 0, [])
    assert "no record has this key" in told.stdout


def test_p7_a_file_without_a_header_does_not_show_its_first_person(
    project: Project, sandbox: Sandbox
) -> None:
    """Its first record holds an address, so it is no header."""
    path = project.contacts([person(0), person(1)])
    path.write_text("".join(path.read_text("utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    project.pipeline(PEOPLE.replace("last_name: Last", "last_name: Sofia"))
    results = together(
        project, [("run", "p.yaml", "-vv"), ("plan", "p.yaml", "--json"), ("check", "p.yaml", "-v")]
    )
    assert [result.code for result in results] == [1, 1, 1]
    assert "header" in results[0].stderr
    assert leaks(*results) == []


def test_p7_a_tag_column_that_holds_addresses_does_not_show_them(project: Project, sandbox: Sandbox) -> None:
    """Names the account lacks are shown as they are, addresses among them are not."""
    project.contacts([person(0), person(1)])
    project.pipeline(PEOPLE.replace("column: Tags", "column: Email"))
    results = together(project, [("run", "p.yaml"), ("plan", "p.yaml", "--json"), ("check", "p.yaml")])
    assert [result.code for result in results] == [2] * 3
    assert 'tag "z***@w***.example"' in results[0].stderr
    assert leaks(*results) == []


def test_p7_an_error_in_the_middle_of_the_file_shows_no_cell(project: Project, sandbox: Sandbox) -> None:
    broken = {
        "a quote that is never closed": b'zofia.2@wanderlust.example,"Zofia2,allergic to peanuts\nzofia.3',
        "bytes that are no UTF-8": b"zofia.2@wanderlust.example,Zofia\xff2,allergic to peanuts\n",
    }
    for what, line in broken.items():
        (project.folder / "contacts.csv").write_bytes(
            b"Email,First,City\nzofia.1@wanderlust.example,Zofia1,Szczebrzeszyn\n" + line
        )
        project.pipeline(
            "source: {csv: {path: contacts.csv, encoding: utf-8}}\n"
            "key: email\n"
            "fields: {email: Email, first_name: First, city: City}\n"
            'consent: {attested: "sign-up form, 2025"}'
        )
        results = together(project, [("run", "p.yaml", "-vv"), ("check", "p.yaml", "--json")])
        assert [result.code for result in results] == [1, 1], what
        assert "contacts.csv" in results[0].stderr
        assert leaks(*results) == []
    assert sandbox.calls == []


@contextmanager
def echoing_server(status: int, body: str) -> Iterator[str]:
    """Kartra with a bad day: it repeats in its answer whatever it was sent. Gives its URL."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = body.replace("SENT", json.dumps(sent)[1:-1]).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        '{"status": "Error", "message": "Cannot take SENT, zofia.0@wanderlust.example", "type": "271"}',
        '{"status": "Error", "message": "Unheard of: SENT", "type": "zofia.0@wanderlust.example"}',
        '{"status": "Error", "message": "API key SENT is not valid", "type": "203"}',
    ],
    ids=["refused", "of-an-odd-type", "fatal"],
)
def test_p7_what_the_server_repeats_is_not_repeated(body: str, project: Project) -> None:
    project.contacts([person(0), person(1)])
    project.pipeline(
        "source: {csv: contacts.csv}\n"
        "key: email\n"
        "fields: {email: Email, first_name: First, last_name: Last, city: City, phone: Phone}\n"
        'consent: {attested: "sign-up form, 2025"}'
    )
    with echoing_server(200, body) as url:
        project.environ |= {f"KARTRA_{name.upper()}": secret for name, secret in SECRETS.items()}
        project.environ["KARTRA_URL"] = url
        ran = project.command("run", "p.yaml", "-vv", "--json")
    assert ran.code == (2 if "203" in body else 3)
    address = "zofia.0@wanderlust.example"
    looked = together(
        project,
        [
            ("rejects", "p.yaml", "--json"),
            ("explain", "p.yaml", address),
            ("runs", "p.yaml", "--json"),
        ],
    )
    assert [result.code for result in looked] == [0, 0, 0]
    assert leaks(ran, *looked) == []


def test_p7_a_file_for_support_holds_no_person_no_name_and_no_credential(
    project: Project, sandbox: Sandbox
) -> None:
    """Neither in counts nor in what runs have said: tags, files, variables, the account's name, a home."""
    secret = ("szczebrzeszyn", "aleksandrowicz", "gutenberg", "wanderlust", "tmp_path", str(project.folder))
    project.environ |= {"WHO": "Aleksandrowicz", "HOME": str(project.folder / "home" / "gutenberg")}
    people_file = project.contacts(people(), name="gutenberg.csv")
    load = PEOPLE.replace("contacts.csv", "gutenberg.csv").replace("tags: [", 'tags: ["${WHO}", ')
    path = project.pipeline(load, kartra="account: Szczebrzeszyn Wanderlust GmbH", name="gutenberg.yaml")
    path.write_text(path.read_text("utf-8").replace("pipeline: newsletter", "pipeline: gutenberg"), "utf-8")
    assert project.command("run", "gutenberg.yaml").code == 2  # the account has no such tag
    sandbox.account.tags.append("Aleksandrowicz")
    sandbox.account.add_lead("zofia.5@wanderlust.example").deleted = True
    assert project.command("run", "gutenberg.yaml").code == 3
    people_file.rename(people_file.with_name("away.csv"))
    assert project.command("run", "gutenberg.yaml").code == 1
    asked = ("doctor", "gutenberg.yaml", "--address", "zofia.9@wanderlust.example", "--yes")
    assert project.command(*asked).code in (0, 3)

    done = project.command("support", "gutenberg.yaml", "--to", "help.json", "--json")
    assert done.code == 0, done.stderr
    file = project.folder / "help.json"
    text = file.read_text("utf-8")
    said = json.loads(text)
    assert (mode_of(file), done.json["bytes"]) == ("0o600", file.stat().st_size)
    assert [word for word in (*secret, *PERSONAL) if word.lower() in text.lower()] == []
    assert [run["status"] for run in said["runs"]] == ["failed", "partial", "refused"]
    assert said["runs"][1]["leads"]["created"] == 2
    assert "Nothing was sent" in said["runs"][2]["message"]
    assert said["state"]["tables"]["leads"] == 2
    assert said["configuration"]["kartra"]["api_key"] == "set"
    assert said["doctor"]["found"]["mode"] == "live"

    again = project.command("support", "gutenberg.yaml", "--to", "help.json", "--json")
    assert (again.code, file.read_text("utf-8")) == (2, text)
    path.write_text(path.read_text("utf-8").replace("key: email", "key: zofia@wanderlust.example"), "utf-8")
    broken = project.command("support", "gutenberg.yaml", "--to", "broken.json")
    text = (project.folder / "broken.json").read_text("utf-8")
    assert (broken.code, "problem" in json.loads(text)) == (0, True)
    assert [word for word in (*secret, *PERSONAL) if word.lower() in (text + broken.stdout).lower()] == []


@pytest.mark.parametrize("trouble", ["a refusing state", "a full disk"])
@pytest.mark.of_a_file
def test_p7_trouble_with_the_state_fails_the_run_and_shows_no_person(
    trouble: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([person(0)])
    project.pipeline(PEOPLE)
    assert project.run().code == 0
    project.contacts([person(number, Note="allergic to peanuts " * 2000) for number in range(60)])
    if trouble == "a refusing state":
        with sqlite3.connect(project.state) as state:
            state.execute(
                "CREATE TRIGGER full BEFORE INSERT ON outbox"
                " BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        state.close()
        failed = project.command("run", "p.yaml", "-vv", "--json")
    else:
        limit = project.state.stat().st_size // 1024 + 64
        done = subprocess.run(
            ["/bin/bash", "-c", f'ulimit -f {limit}; exec "{COMMAND}" run p.yaml -vv --json'],
            cwd=project.folder,
            env={"PATH": "/usr/bin:/bin", **project.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        failed = Result(done.returncode, done.stdout, done.stderr)
    assert leaks(failed) == []
    assert "Traceback" not in failed.stderr
    assert (failed.code, failed.json["status"]) == (1, "failed")


def test_p7_a_failing_connection_shows_no_person_and_no_credential(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([person(number) for number in range(30)])
    project.pipeline(
        "source: {csv: contacts.csv}\n"
        "key: email\n"
        "fields: {email: Email, first_name: First, last_name: Last, phone: Phone}\n"
        'consent: {attested: "sign-up form, 2025"}'
    )
    project.environ["KARTRA_API_PASSWORD"] = "PASSW0rd77-is-wrong"
    bad_password = project.command("run", "p.yaml", "-vv", "--json")
    sandbox.stop()
    unreachable = project.command("run", "p.yaml", "-vv")
    assert [bad_password.code, unreachable.code] == [2, 1]
    assert leaks(bad_password, unreachable) == []


@pytest.mark.of_a_file
def test_p7_state_files_are_private_while_a_run_lasts_and_after_it(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([person(number) for number in range(6)])
    project.pipeline(PEOPLE, kartra="workers: 1")
    sandbox.set_options(latency_s=0.2)
    running = project.start("run", "p.yaml", "--json")
    wait_for(lambda: len(sandbox.calls) >= 6)
    modes = {file.name: mode_of(file) for file in project.state.parent.iterdir()}
    assert running.poll() is None
    names = ("kartra.db", "kartra.db-wal", "kartra.db-shm", "kartra.db-newsletter.lock")
    assert modes == dict.fromkeys(names, "0o600")
    assert mode_of(project.state.parent) == "0o700"
    assert ended(running).code == 0
    assert {mode_of(file) for file in project.state.parent.iterdir()} == {"0o600"}
    observe("side-files", f"{', '.join(sorted(modes))}: {', '.join(sorted(set(modes.values())))}")


@pytest.mark.of_a_file
def test_p7_a_state_file_that_others_could_read_is_closed_to_them(project: Project, sandbox: Sandbox) -> None:
    project.contacts([person(0)])
    project.pipeline(PEOPLE)
    assert project.run().code == 0
    project.state.chmod(0o644)
    assert project.run().code == 0
    assert mode_of(project.state) == "0o600"


def test_p7_no_credential_is_written_to_a_file(project: Project, sandbox: Sandbox) -> None:
    project.environ |= dict.fromkeys(("TMPDIR", "KARTRA_SYNC_PACING"), str(project.folder / "tmp"))
    (project.folder / "tmp").mkdir()
    project.contacts([person(0), person(1, Email="nobody")])
    project.pipeline(PEOPLE)
    assert project.run("-vv").code == 3
    assert project.command("rejects", "p.yaml", "--csv", "again.csv").code == 0
    files = [file for file in project.folder.rglob("*") if file.is_file()]
    state = {"kartra.db"} if isinstance(project.place, Path) else set()
    assert {"again.csv", "p.yaml"} | state <= {file.name for file in files}
    written = {file: file.read_bytes() + str(file).encode() for file in files}
    found = {
        (file.name, name)
        for file, content in written.items()
        for name, secret in SECRETS.items()
        if secret.encode() in content
    }
    assert found == set()
