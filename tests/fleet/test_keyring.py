"""`${keyring:service/name}` in a pipeline and a fleet, and `connect` into it.

The keyring of a desktop is not to be had where tests run: a stand-in for the library keeps a file.
"""

import json
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.fleet.fleets import FLEET, WELCOME, Agency, kartra_account
from tests.fleet.test_connect import KEY, PASSWORD, given

STAND_IN = """\
import json, os, pathlib

FILE = pathlib.Path(os.environ["KEYRING_FILE"])

def _all():
    return json.loads(FILE.read_text()) if FILE.exists() else {}

def get_password(service, name):
    return _all().get(f"{service}/{name}")

def set_password(service, name, secret):
    FILE.write_text(json.dumps({**_all(), f"{service}/{name}": secret}))

def delete_password(service, name):
    kept = _all()
    del kept[f"{service}/{name}"]
    FILE.write_text(json.dumps(kept))
"""


def test_a_fleet_finds_in_the_keyring_what_connect_has_kept(project: Project) -> None:
    library = project.folder / "library"
    library.mkdir()
    (library / "keyring.py").write_text(STAND_IN, encoding="utf-8")
    kept = Path(library, "kept.json")
    account = kartra_account(7)
    fleet = Agency(project, {"acme": account})
    references = "".join(
        f"{key}: ${{keyring:kartra-sync/{{account}}.{key}}}\n" for key in ("api_key", "api_password")
    )
    fleet.write(
        fleet=FLEET.replace("accounts: accounts.csv", "accounts: [{name: acme}]") + references,
        welcome=WELCOME.replace('[Imported, "${tag}"]', "[Imported]"),
    )
    fleet.contacts("acme", 1)
    with Sandbox(account) as sandbox:
        project.environ |= {"KARTRA_URL": sandbox.url, "KARTRA_APP_ID": "THEAPP"}
        project.environ |= {"PYTHONPATH": str(library), "KEYRING_FILE": str(kept)}
        code, shown, errors = given(project, f"{KEY}\n{PASSWORD}\n", "acme")
        assert (code, errors) == (0, "")
        assert "api_key: ${keyring:kartra-sync/acme.api_key}" in shown
        assert json.loads(kept.read_text("utf-8")) == {
            "kartra-sync/acme.api_key": KEY,
            "kartra-sync/acme.api_password": PASSWORD,
        }
        done = fleet.command("run")
        assert (done.code, done.stderr, len(account.leads)) == (0, "", 1)
        # an address that somebody left in the folder does not get what is in the keyring
        del project.environ["KARTRA_URL"]
        (project.folder / ".env").write_text("KARTRA_URL=https://thief.example/api\n", encoding="utf-8")
        refused = fleet.command("run")
        assert refused.code == 2
        assert (
            "KARTRA_URL comes from .env, and credentials from the environment and the keyring"
            in refused.stderr
        )
        assert given(project, "", "acme", "--remove")[0] == 0
        assert json.loads(kept.read_text("utf-8")) == {}
