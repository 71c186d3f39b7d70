"""What a file, a form or a shell puts around a secret is no part of it."""

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import LOAD, Project, contact

AROUND = {
    "line end": "{}\n",
    "Windows": "{}\r\n",
    "blanks": "  {}\t",
    "byte order mark": "\ufeff{}",
    "no-break space": "{}\u00a0",
}


@pytest.mark.parametrize("kind", AROUND)
def test_credentials_with_something_around_them_are_the_same_credentials(
    kind: str, project: Project, account: Account, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    plain = dict(project.environ)
    for name in ("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"):
        project.environ[name] = AROUND[kind].format(plain[name])
    first = project.run()
    assert (first.code, len(account.leads)) == (0, 1)
    assert project.command("call", "retrieve_account_tags").code == 0
    project.environ = plain
    second = project.run()
    assert (second.code, second.json["calls"]["sent"], second.json["leads"]["unchanged"]) == (0, 0, 1)


def test_credentials_that_are_nothing_but_blanks_are_not_set(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    project.environ["KARTRA_API_KEY"] = " \n"
    for words in (("run", "p.yaml"), ("call", "retrieve_account_tags")):
        refused = project.command(*words)
        assert (refused.code, "KARTRA_API_KEY" in refused.stderr) == (2, True)
    assert sandbox.calls == []
