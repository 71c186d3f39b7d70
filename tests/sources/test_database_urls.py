"""The URL of a database: with any password, as other tools write it, and no message that shows a password."""

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from connectors.databases.urls import database_url
from connectors.errors import ConfigError
from connectors.kartra.sandbox import Account, Sandbox
from tests.conftest import Project, Result
from tests.servers import FreshDatabase

PASSWORDS = (
    *("p@ss:w/rd#1%", "alpha@SECRETPART", "100%41SECRET", "a b?c&d=e+f", "ü$ß'\"`\\{}[]"),
    *("a@[::1]🔑", "${HOME}%%2F%zz"),
)
LOAD = """
source: {{sql: {{url: "{url}", query: "{query}"}}}}
key: email
fields: {{email: email}}
consent: {{attested: form}}
"""


def sync(project: Project, url: str, query: str = "SELECT email FROM people") -> Result:
    project.pipeline(LOAD.format(url=url, query=query))
    return project.run()


@pytest.fixture
def people(fresh_database: FreshDatabase, project: Project, sandbox: Sandbox) -> str:
    """The rest of the URL, after user and password, of a MariaDB with one person."""
    database = fresh_database("mariadb")
    url = make_url(database)
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (email varchar(99))"))
        connection.execute(text("INSERT INTO people VALUES ('ann@example.org')"))
        for number, password in enumerate(PASSWORDS):
            user = f"u{number}_{url.database}"[:60]
            connection.execute(text(f"CREATE USER '{user}'@'localhost' IDENTIFIED BY :pw"), {"pw": password})
            connection.execute(text(f"GRANT SELECT ON {url.database}.* TO '{user}'@'localhost'"))
    engine.dispose()
    project.environ["USER_0"] = f"u0_{url.database}"[:60]
    return f"localhost/{url.database}?unix_socket={url.query['unix_socket']}"


@pytest.mark.parametrize("number", range(len(PASSWORDS)))
def test_a_password_of_any_characters_stands_in_a_variable(
    number: int, people: str, project: Project, account: Account
) -> None:
    user = project.environ["USER_0"].replace("u0", f"u{number}")
    project.environ["PW"] = PASSWORDS[number]
    done = sync(project, f"mysql://{user}:${{PW}}@{people}")
    assert done.code == 0, done.stdout + done.stderr
    assert account.lead("ann@example.org") is not None
    project.environ["CREDENTIALS"] = f"{user}:{PASSWORDS[number]}"
    assert sync(project, f"mysql2://${{CREDENTIALS}}@{people}").code == 0
    begun = project.command(
        "init", f"mysql://{user}:${{PW}}@{people}", "--query", "People", "--attested", "x"
    )
    assert begun.code == 0, begun.stderr
    assert PASSWORDS[number] not in (project.folder / "people.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [0, 1])
def test_a_whole_url_in_a_variable_may_hold_a_password_as_it_is(
    number: int, people: str, project: Project, account: Account
) -> None:
    user = project.environ["USER_0"].replace("u0", f"u{number}")
    for password in (PASSWORDS[number], quote(PASSWORDS[number], safe="")):
        project.environ["CRM_URL"] = f"mariadb://{user}:{password}@{people}"
        done = sync(project, "${CRM_URL}")
        assert done.code == 0, done.stdout + done.stderr


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["mysql", "postgresql", "postgres", "jdbc:mysql"])
@pytest.mark.parametrize("whole", [True, False])
def test_no_part_of_a_password_is_shown(scheme: str, password: str, *, whole: bool, project: Project) -> None:
    """The host is not there, and its message names it; the database may be guarded by the wrong word."""
    project.environ |= dict.fromkeys(("KARTRA_URL", "KARTRA_APP_ID"), "http://127.0.0.1:1")
    project.environ |= dict.fromkeys(("KARTRA_API_KEY", "KARTRA_API_PASSWORD"), "x")
    project.environ["PW"] = password
    project.environ["URL"] = f"{scheme}://rd:{password}@127.0.0.1:1/crm"
    done = sync(project, "${URL}" if whole else f"{scheme}://rd:${{PW}}@127.0.0.1:1/crm")
    assert done.code in (1, 2)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    for part in (password, *password.replace("%", "@").replace("/", "@").replace("?", "@").split("@")):
        assert len(part) < 3 or part not in said


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("postgres://rd:x@h/d", "postgresql+psycopg://rd:x@h/d"),
        ("pgsql://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+asyncpg://h/d", "postgresql+psycopg://h/d"),
        ("jdbc:postgresql://h:5432/d", "postgresql+psycopg://h:5432/d"),
        ("mysql2://rd:p@ss@h/d", "mysql+pymysql://rd:p%40ss@h/d"),
        ("mysql+mysqldb://h/d", "mysql+pymysql://h/d"),
        ("jdbc:mariadb://h/d", "mariadb+pymysql://h/d"),
        ("mysql://rd@server:x@h/d", "mysql+pymysql://rd%40server:x@h/d"),
        ("postgresql://h/d?application_name=a@b", "postgresql+psycopg://h/d?application_name=a%40b"),
        ("postgresql://rd:p/w@h/d?options=a@b", "postgresql+psycopg://rd:p%2Fw@h/d?options=a%40b"),
        ("postgresql://rd:p%2Fw@[::1]:1/d", "postgresql+psycopg://rd:p%2Fw@[::1]:1/d"),
        ("mysql://rd:p@w?x@h/d", "mysql+pymysql://rd:p%40w%3Fx@h/d"),
        ("jdbc:sqlserver://h/d", "sqlserver://h/d"),
        ("postgresql:///d?host=/tmp", "postgresql+psycopg:///d?host=%2Ftmp"),
    ],
)
def test_urls_of_other_tools_are_understood(written: str, meant: str) -> None:
    assert database_url(written, "the source") == make_url(meant)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "postgresql://h/d?schema=public",
            '"schema", which the driver does not have: write the schema before the name',
        ),
        ("postgresql://h/d?currentSchema=x", "write the schema before the name of the table"),
        ("postgresql://h/d?ssl=true", "write sslmode=require"),
        ("postgresql://h/d?sslmod=require", 'did you mean "sslmode"?'),
        ("postgresql://h/d?pgbouncer=true", '"pgbouncer", which the driver does not have: leave it out'),
        ("mysql://h/d?ssl-mode=REQUIRED", '"ssl-mode", which the driver does not have: write ssl_ca='),
        ("mysql://h/d?ssl=true", "write ssl_ca="),
        ("jdbc:mysql://h/d?useSSL=false", "write ssl_ca="),
        ("jdbc:mysql://h/d?serverTimezone=UTC", '"serverTimezone", which the driver does not have'),
        ("jdbc:postgresql://h/d?user=rd&password=hidden", "names its user as Java does"),
        ("mysql://rd:p@w?x=hidden@h/d", '"x", which the driver does not have'),
        ("mysql://rd:p@w?x y=hidden", "a question mark in its password has to be written as %3F"),
        ("jdbc:oracle:thin:@h:1521:hidden", "is not a URL that SQLAlchemy reads"),
    ],
)
def test_an_option_that_no_driver_knows_is_named_with_what_to_write(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        database_url(written, "the source")
    assert message in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("options", ["charset=nothere", "port=x", "ssl_ca=/nowhere.pem", "connect_timeout=x"])
def test_an_option_with_a_value_that_cannot_be_is_an_error_of_the_file(
    options: str, people: str, project: Project
) -> None:
    done = sync(
        project, f"mysql://{project.environ['USER_0']}:x@{people}&{options}".replace(":x@", ":${PW:-}@")
    )
    assert done.code in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_among_the_options_of_a_url_is_no_less_a_secret(project: Project) -> None:
    done = sync(project, "postgresql://rd@h/d?password=hidden")
    assert (done.code, "a password must not stand in the file" in done.stdout + done.stderr) == (2, True)
    assert "hidden" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a%20b#c.db", "what?.db", "a&b=c.db", "50%.db", "ü ö.sqlite", "it's.db"])
def test_a_sqlite_file_may_have_any_name_and_no_other_is_made(
    name: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    engine = create_engine("sqlite://", creator=lambda: __import__("sqlite3").connect(project.folder / name))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (email TEXT)"))
        connection.execute(text("INSERT INTO people VALUES ('ann@example.org')"))
    engine.dispose()
    before = (project.folder / name).read_bytes()
    done = sync(project, f"sqlite:///{name}")
    assert done.code == 0, done.stdout + done.stderr
    assert account.lead("ann@example.org") is not None
    wiped = sync(project, f"sqlite:///{name}", "DELETE FROM people")
    assert wiped.code != 0
    assert (project.folder / name).read_bytes() == before
    assert project.command("init", name, "--query", "people", "--attested", "x").code == 0
    assert project.command("plan", "people.yaml").code == 0
    expected = {name, "p.yaml", "people.yaml", "state"}
    assert {file.name for file in project.folder.iterdir()} == expected


@pytest.mark.parametrize("url", ["sqlite:///gone.db", "sqlite:///go#ne.db?mode=rwc", "sqlite:///:memory:"])
def test_a_sqlite_file_that_is_not_there_is_not_made(url: str, project: Project, sandbox: Sandbox) -> None:
    done = sync(project, url, "SELECT 1 AS email")
    assert (done.code, "was not found" in done.stdout + done.stderr) == (1, True)
    assert {file.name for file in project.folder.iterdir()} <= {"p.yaml", "state"}


def test_a_file_with_its_options_is_that_file(project: Project, sandbox: Sandbox, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/crm.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE people (email TEXT)"))
        connection.execute(text("INSERT INTO people VALUES ('ann@example.org')"))
    engine.dispose()
    for url in ("sqlite:///crm.db?timeout=5", "sqlite:///file:crm.db?mode=rwc&uri=true", "sqlite3:crm.db"):
        assert sync(project, url).code == 0, url


def test_blanks_and_line_ends_around_a_secret_are_none_of_it(people: str, project: Project) -> None:
    """As of a secret that was written to a file with an editor."""
    user = project.environ["USER_0"]
    project.environ["PW"] = f" {PASSWORDS[0]}\r\n"
    assert sync(project, f"mysql://{user}:${{PW}}@{people}").code == 0
    where, _, options = people.partition("?")
    project.environ["PW"] = "a&b=c#d@e"
    refused = sync(project, f"mysql://{where}?user={user}&password=${{PW}}&{options}")
    assert "Access denied" in refused.stdout
