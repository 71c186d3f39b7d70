"""Credentials go to one place, and code and statements do what was agreed: played with the command."""

import os
import py_compile
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from connectors.kartra.answers import Effect, classify
from connectors.kartra.commands import Call, get_lead
from connectors.kartra.sandbox import Account, Sandbox
from connectors.small_files import read_small
from connectors.sources.database.query import open_sql
from pipelines.config.load import TransformConfig
from pipelines.extract.hook_file import read_hook_file
from tests.attacks.bounded import said_by
from tests.attacks.table import Probe, observe, probes_of
from tests.command.test_question import on_terminal
from tests.conftest import Project
from tests.raw_server import RawServer, answer

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email, first_name: First}
tags: [VIP, {column: Tag}]
consent: {attested: form}
"""
SECRETS = {
    "KARTRA_APP_ID": "appappappapp",
    "KARTRA_API_KEY": "keykeyke",
    "KARTRA_API_PASSWORD": "hunter2hunter2",
}
REFUSED = answer(b'{"status":"Error","message":"x","type":"201"}')
CALL = ("call", "retrieve_account_tags", "--json")


def dotenv(folder: Path, mode: int = 0o600, **variables: str) -> None:
    place = folder / ".env"
    place.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), encoding="utf-8")
    place.chmod(mode)


def pull(folder: Path, url: str) -> None:
    (folder / "p.yaml").write_text(
        f"pipeline: p\nkartra:\n  url: {url}\n  app_id: ${{KARTRA_APP_ID}}\n  api_key: ${{KARTRA_API_KEY}}\n"
        "  api_password: ${KARTRA_API_PASSWORD}\npull: {into: t.db, tables: [tags]}\n",
        encoding="utf-8",
    )


@pytest.mark.full(but=["call", "run"])
@pytest.mark.parametrize("verb", ["call", "call --file", "check", "run"])
def test_an_address_from_another_place_than_the_credentials_gets_none(verb: str, project: Project) -> None:
    words = {
        "call": CALL,
        "call --file": (*CALL[:2], "--file", "p.yaml"),
        "check": ("check", "p.yaml"),
        "run": ("run", "p.yaml"),
    }[verb]
    with RawServer([REFUSED]) as thief:
        pull(project.folder, "${KARTRA_URL}")
        dotenv(project.folder, KARTRA_URL=thief.url)
        project.environ |= SECRETS
        done = project.command(*words)
    assert (done.code, thief.received) == (2, [])
    assert "KARTRA_URL comes from .env, and credentials from the environment" in done.stdout + done.stderr
    assert not [value for value in SECRETS.values() if value in done.stdout + done.stderr]
    observe("credentials-foreign-env", f"exit {done.code}, {len(thief.received)} requests to that address")


def test_an_address_of_the_environment_gets_no_credentials_of_a_dotenv(project: Project) -> None:
    with RawServer([REFUSED]) as thief:
        dotenv(project.folder, **SECRETS)
        project.environ["KARTRA_URL"] = thief.url
        done = project.command(*CALL)
        assert (done.code, thief.received) == (2, [])
        refused = done.code
        dotenv(project.folder, **SECRETS, KARTRA_URL=thief.url)
        project.environ.clear()
        project.command(*CALL)
        assert len(thief.received) == 1
        pull(project.folder, thief.url)  # the pipeline file says it
        dotenv(project.folder)
        project.environ |= SECRETS
        project.command(*CALL, "--file", "p.yaml")
        assert len(thief.received) == 2
    observe(
        "credentials-foreign-environment", f"exit {refused}, 0 requests; 1 when the pipeline file says it"
    )


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PYTHONHTTPSVERIFY", "0", "PYTHONHTTPSVERIFY does not switch anything off"),
        ("SSLKEYLOGFILE", "keys.log", "SSLKEYLOGFILE writes the keys of every connection"),
        ("CURL_CA_BUNDLE", "", ""),
        ("REQUESTS_CA_BUNDLE", "false", "REQUESTS_CA_BUNDLE does not switch anything off"),
    ],
)
def test_no_variable_switches_the_check_of_certificates_off_quietly(
    variable: str, value: str, told: str, project: Project
) -> None:
    project.environ |= {**SECRETS, "KARTRA_URL": "https://127.0.0.1:9/api", variable: value}
    done = project.command(*CALL, "-v")
    assert done.code != 0
    assert told in done.stderr
    assert not [secret for secret in SECRETS.values() if secret in done.stdout + done.stderr]
    if variable == "PYTHONHTTPSVERIFY":
        (line,) = (line for line in done.stderr.splitlines() if told in line)
        observe("credentials-verification-off", line)


def test_a_secret_is_no_tag_and_no_value(project: Project, sandbox: Sandbox, account: Account) -> None:
    project.pipeline(LOAD.replace("[VIP,", "['${KARTRA_API_PASSWORD}',"))
    (project.folder / "contacts.csv").write_text("Email,First,Tag\na@example.org,Ann,VIP\n", "utf-8")
    password = project.environ["KARTRA_API_PASSWORD"]
    done = project.run()
    assert (done.code, sandbox.calls) == (2, [])
    assert "load.tags[0]: this is the value of a credential" in done.stderr
    assert password not in done.stdout + done.stderr
    project.pipeline(LOAD)
    (project.folder / "contacts.csv").write_text(
        f"Email,First,Tag\na@example.org,Ann,VIP\nb@example.org, {password} ,VIP\n", "utf-8"
    )
    done = project.run("-vv")
    assert (done.code, done.json["leads"]["created"], done.json["leads"]["rejected"]) == (3, 1, 1)
    assert password not in done.stderr
    rejects = project.command("rejects", "p.yaml", "--json").json["rejects"]
    assert "the api_password itself" in rejects[0]["reason"]
    observe("credentials-as-a-value", f"a tag: exit 2 and 0 calls; a cell: {rejects[0]['reason']}")


def test_a_crash_leaves_no_core_file(project: Project) -> None:
    with RawServer([lambda _: time.sleep(60)]) as slow:
        project.environ |= {**SECRETS, "KARTRA_URL": slow.url}
        process = project.start(*CALL)
        while not slow.received:
            time.sleep(0.05)
            assert process.poll() is None
        limits = Path(f"/proc/{process.pid}/limits").read_text("ascii")
        argv = Path(f"/proc/{process.pid}/cmdline").read_text("utf-8")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    (core,) = (line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core[4] == "0"
    assert not [secret for secret in SECRETS.values() if secret in argv]
    assert resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 or core[5] == "0"
    shown = [secret for secret in SECRETS.values() if secret in argv]
    observe("credentials-core", f"core files of at most {core[4]} bytes; {len(shown)} secrets in argv")


# --- code that is run


HOOK = 'from pathlib import Path\nPath("ran").touch()\n\ndef cleaned(records):\n    return records\n'


def hooked(project: Project) -> Path:
    project.pipeline(LOAD + "transform: cleaning:cleaned\n")
    (project.folder / "contacts.csv").write_text("Email,First,Tag\na@example.org,Ann,VIP\n", "utf-8")
    (project.folder / "cleaning.py").write_text(HOOK, encoding="utf-8")
    return project.folder / "ran"


def test_code_is_shown_before_it_runs_and_looking_runs_none(project: Project, sandbox: Sandbox) -> None:
    ran = hooked(project)
    for words in (
        ("schema",),
        ("status", "p.yaml"),
        ("inspect", "contacts.csv"),
        ("init", "contacts.csv", "--attested", "form", "--to", "new.yaml"),
    ):
        project.command(*words)
        assert not ran.exists(), words
    shown = shown_first = project.command("check", "p.yaml")
    assert "runs code of this folder: cleaning.py, function cleaned, 5 lines, imports pathlib" in shown.stdout
    assert "so it was not run" in shown.stdout
    assert (shown.code, ran.exists()) == (0, False)
    played = project.command("check", "p.yaml")
    assert (played.code, ran.exists(), "so it was not run" in played.stdout) == (0, True, False)
    with (project.folder / "cleaning.py").open("a", encoding="utf-8") as handle:
        handle.write("# another line\n")
    ran.unlink()
    before = list(sandbox.calls)
    for verb in ("run", "plan", "adopt"):
        refused = project.command(verb, "p.yaml")
        assert (refused.code, ran.exists()) == (2, False), verb
        assert "cleaning.py has changed since it was shown or ran last" in refused.stdout + refused.stderr
        assert "`kartra-sync check` shows it" in refused.stdout + refused.stderr
    assert sandbox.calls == before
    shown = project.command("check", "p.yaml")
    assert "cleaning.py has changed since it ran last, so it was not run" in shown.stdout
    assert (shown.code, ran.exists()) == (0, False)
    done = project.run()
    assert (done.code, ran.exists(), "cleaning.py" in done.stderr) == (0, True, False)
    first = next(line for line in shown_first.stdout.splitlines() if "runs code of this folder" in line)
    observe("code-not-shown", first)
    observe("code-changed", f"run, plan, adopt: exit {refused.code}, 0 calls: {refused.stderr}")


def test_new_code_runs_in_a_job_and_waits_at_a_terminal_until_it_was_shown(
    project: Project, sandbox: Sandbox
) -> None:
    ran = hooked(project)
    project.environ["XDG_STATE_HOME"] = str(project.folder / "job")
    assert (project.command("plan", "p.yaml").code, ran.exists()) == (
        0,
        True,
    )  # a new container knows nothing
    ran.unlink()
    project.environ["XDG_STATE_HOME"] = str(project.folder / "person")
    with on_terminal(project, "plan", "p.yaml") as terminal:
        assert terminal.ended() == 2
        assert "never ran here" in terminal.shown
    assert not ran.exists()
    assert project.command("check", "p.yaml").code == 0
    with on_terminal(project, "plan", "p.yaml") as terminal:
        assert terminal.ended() == 0
    assert ran.exists()
    observe(
        "code-new-at-a-terminal", "a job: exit 0 and run; a terminal: exit 2 and not run, then shown: exit 0"
    )


def test_a_compiled_copy_beside_it_is_not_run(project: Project) -> None:
    ran = hooked(project)
    evil = project.folder / "evil.py"
    evil.write_text('from pathlib import Path\nPath("evil").touch()\ncleaned = None\n', encoding="utf-8")
    source = project.folder / "cleaning.py"
    cached = project.folder / "__pycache__" / "cleaning.cpython-311.pyc"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(evil), cfile=str(cached), invalidation_mode=mode)
    assert project.command("plan", "p.yaml").code == 2  # no credentials; the hook runs before
    with Sandbox() as sandbox:
        project.aim(sandbox)
        project.command("plan", "p.yaml")
    assert source.exists()
    assert (ran.exists(), (project.folder / "evil").exists()) == (True, False)
    observe("code-compiled", "the source ran; the compiled copy did not")


@pytest.mark.parametrize("how", ["link", "writable", "pipe", "large"])
def test_code_of_elsewhere_is_not_run(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    folder.mkdir()
    hook, outside = folder / "cleaning.py", tmp_path / "outside.py"
    outside.write_text(HOOK, encoding="utf-8")
    if how == "link":
        hook.symlink_to(outside)
    elif how == "pipe":
        os.mkfifo(hook)
    else:
        hook.write_text(HOOK * (1 if how == "writable" else 30_000), encoding="utf-8")
        hook.chmod(0o666 if how == "writable" else 0o600)
    told = {
        "link": "a link out of the folder",
        "writable": "everybody on this machine may write",
        "pipe": "a pipe, not a file",
        "large": "more than 1,024 kB",
    }[how]
    with pytest.raises(ConfigError, match=told) as refused:
        read_hook_file(TransformConfig(file=hook, function="cleaned"))
    if how == "link":
        observe("code-elsewhere", refused.value, FOLDER=tmp_path)


def test_a_file_of_somebody_else_is_known(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x", encoding="utf-8")
    file = read_small(tmp_path / "a", at_most=10)
    assert not file.is_of_somebody_else
    assert (file.owner, file.others_may_write) == (os.geteuid(), False)


# --- statements

STATEMENTS = probes_of("test_a_statement_only_reads")


@pytest.mark.parametrize("one", STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_statement_only_reads(one: Probe, tmp_path: Path) -> None:
    place = tmp_path / "crm.db"
    with sqlite3.connect(place) as database:
        database.execute("CREATE TABLE people (email TEXT)")
        database.execute("INSERT INTO people VALUES ('ann@example.org')")
        database.execute("CREATE VIEW evil AS SELECT load_extension('/tmp/evil.so') AS email")
    database.close()
    before = sorted(tmp_path.rglob("*"))

    def work() -> int:
        source = open_sql(place, one.probe.replace("FOLDER", str(tmp_path)), timeout_s=1)
        return sum(len(chunk.frame) for chunk in source.chunks())

    said = said_by(work)
    assert one.expected in said
    assert "BUG" not in said
    assert sorted(tmp_path.rglob("*")) == before
    observe(one.id, said, FOLDER=tmp_path)


# --- answers

ANSWERS = probes_of("test_an_answer_that_attacks_is_unknown")
BODIES = {
    "answer-deep-lists": b"[" * 5_000_000,
    "answer-deep-maps": b'{"a":' * 2_000_000,
    "answer-deep-value": b'{"status":"Success","lead_details":{"id":"1","x":'
    + b"[" * 900
    + b"]" * 900
    + b"}}",
    "answer-deep-text": b'{"status":"Success","lead_details":"' + b"[" * 5_000 + b'"}',
    "answer-long-number": b'{"status":"Success","lead_details":{"id":' + b"9" * 100_000 + b"}}",
    "answer-not-utf-8": b'{"status":"Success","lead_details":"\xff\xfe"}',
    "answer-many-notices": b"<br />Notice: x on line 1" * 200_000,
    "answer-many-keys": b"{" + b",".join(b'"%d":[]' % n for n in range(500_000)) + b"}",
    "answer-list": b"[1, 2, 3]",
    "answer-nothing": b"",
}


@pytest.mark.full(only=["answer-many-keys", "answer-many-notices"])
@pytest.mark.parametrize("one", ANSWERS.values(), ids=list(ANSWERS))
def test_an_answer_that_attacks_is_unknown(one: Probe) -> None:
    call: Call = get_lead(email="ann@example.org")
    said = said_by(lambda: classify(call, 200, BODIES[one.id]).effect.value)
    assert said == one.expected == f"ok: {Effect.UNKNOWN.value}"
    observe(one.id, said)


def test_every_answer_is_in_the_table() -> None:
    assert sorted(ANSWERS) == sorted(BODIES)
