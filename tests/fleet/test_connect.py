"""`connect`: typed without being shown, tried with one call, kept where nobody else reads it."""

import stat
import subprocess
from pathlib import Path

from connectors.kartra.sandbox import Account, Sandbox
from tests import warm_start
from tests.command.several import wait_for
from tests.command.test_question import on_terminal
from tests.conftest import LOAD, Project, contact
from tests.fleet.fleets import kartra_account

KEY, PASSWORD = "KEY00007", "PASSWORD00007"


def given(project: Project, typed: str, *words: str) -> tuple[int, str, str]:
    """The command with something on stdin, without a terminal."""
    process = warm_start.start(
        ["connect", *words],
        environ=project.command_environ(),
        cwd=project.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stdout, stderr = process.communicate(typed, timeout=60)
    return process.returncode, stdout, stderr


def test_what_is_typed_is_not_shown_is_tried_once_and_kept_for_its_owner_alone(project: Project) -> None:
    with Sandbox(kartra_account(7)) as sandbox:
        project.environ |= {"KARTRA_URL": sandbox.url, "KARTRA_APP_ID": "THEAPP"}
        secrets = project.folder / ".secrets"
        secrets.write_text("OTHER='as it was'\n# a remark\n", encoding="utf-8")
        with on_terminal(project, "connect", "acme-gmbh", "--file", ".secrets") as terminal:
            for question, answer in (("API key (not shown)", KEY), ("API password (not shown)", PASSWORD)):
                wait_for(lambda question=question: terminal.shows(question))
                terminal.types(f"{answer}\n")
            wait_for(lambda: terminal.shows("Is that acme-gmbh?"))
            assert "with the lists News" in terminal.shown
            assert not sandbox.account.leads
            terminal.types("y\n")
            assert terminal.ended() == 0
        assert KEY not in terminal.shown
        assert PASSWORD not in terminal.shown
        assert "api_key: ${ACME_GMBH_API_KEY}" in terminal.shown
        assert [call.commands for call in sandbox.calls] == [("retrieve_account_lists",)]
        assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
        text = secrets.read_text("utf-8")
        assert text.startswith("OTHER='as it was'\n# a remark\n")
        assert (KEY in text, PASSWORD in text) == (True, True)
        assert list(_files_with(KEY, project.folder)) == [secrets]
        assert given(project, "", "acme-gmbh", "--file", ".secrets")[0] == 2  # it is there already


def _files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_pipeline_uses_what_was_kept_and_a_new_key_replaces_it(project: Project) -> None:
    account = kartra_account(7)
    with Sandbox(account) as sandbox:
        (project.folder / ".env").write_text(
            f"KARTRA_URL={sandbox.url}\nKARTRA_APP_ID=THEAPP\n", encoding="utf-8"
        )
        (project.folder / ".env").chmod(0o600)
        code, shown, errors = given(project, f"{KEY}\n{PASSWORD}\n", "--file", ".env")
        assert (code, errors) == (0, "")
        project.contacts([contact(1, Tags="")])
        load = LOAD.replace(
            'custom_fields: {note: Note, size: Size, fruits: {column: Fruits, split: ";"}}\n', ""
        )
        project.pipeline(load.replace("sequences: [{name: Onboarding, step: 1}]\n", ""))
        assert project.run().code == 0
        account.api_key = "RENEWED1"
        assert project.command("check", "p.yaml").code == 2
        code, shown, errors = given(project, f"RENEWED1\n{PASSWORD}\n", "--file", ".env", "--rotate")
        assert (code, "RENEWED1" in shown + errors) == (0, False)
        again = project.run()
        assert (again.code, again.json["leads"]["unchanged"]) == (0, 1)
        assert given(project, "", "--file", ".env", "--remove")[0] == 0
        text = (project.folder / ".env").read_text("utf-8")
        assert ("RENEWED1" in text, "KARTRA_APP_ID=THEAPP" in text) == (False, True)


def test_wrong_ones_and_those_of_another_account_are_not_kept(project: Project) -> None:
    other = Account(app_id="THEAPP", api_key="OTHERKEY1", api_password="OTHERPASS1", lists=["Elsewhere"])
    with Sandbox(kartra_account(7), others=[other]) as sandbox:
        project.environ |= {"KARTRA_URL": sandbox.url, "KARTRA_APP_ID": "THEAPP"}
        code, shown, errors = given(project, f"{KEY}\nMISTYPED1\n", "acme", "--file", "s.env", "--json")
        assert (code, "MISTYPED1" in shown + errors, (project.folder / "s.env").exists()) == (2, False, False)
        assert given(project, f"{KEY}\n{PASSWORD}\n", "acme", "--file", "s.env")[0] == 0
        before = (project.folder / "s.env").read_bytes()
        code, _, errors = given(project, "OTHERKEY1\nOTHERPASS1\n", "acme", "--file", "s.env", "--rotate")
        assert (code, "these open another account" in errors, "Elsewhere" in errors) == (2, True, True)
        assert (project.folder / "s.env").read_bytes() == before
        assert given(project, "", "../acme", "--file", "s.env")[0] == 2
        assert given(project, "", "nobody", "--file", "s.env", "--rotate")[0] == 2


def test_where_there_is_no_keyring_it_is_said_what_to_do(project: Project) -> None:
    config = project.folder / "config" / "python_keyring"
    config.mkdir(parents=True)
    (config / "keyringrc.cfg").write_text(
        "[backend]\ndefault-keyring=keyring.backends.fail.Keyring\n", encoding="utf-8"
    )
    project.environ["XDG_CONFIG_HOME"] = str(project.folder / "config")
    code, _, errors = given(project, "", "acme")
    assert code == 2
    assert "keep secrets in a file" in errors or "pip install 'kartra-sync[keyring]'" in errors
