"""A client connects an account on a page: the link works once, the key is nowhere but where it is kept."""

import asyncio
import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.fleet.fleets import FLEET, Agency, agency
from tests.fleet.test_keyring import STAND_IN
from tests.serve.browser import AXE, CHROMIUM, browser
from tests.serve.served import Served, csrf_in, served

NAMED = "api_key: ${{ACCOUNT}_API_KEY}\napi_password: ${{ACCOUNT}_API_PASSWORD}\n"
KEY, PASSWORD = "KEY00001", "PASSWORD00001"
"""Those of bolt, which is not connected yet."""


@contextmanager
def half_connected(project: Project) -> Iterator[tuple[Agency, Sandbox, Served]]:
    """A fleet whose keys stand in .env: acme's and dora's are there, bolt's is not; zed is no client."""
    with agency(project, ["acme", "bolt", "dora", "zed"]) as (made, sandbox):
        del made.rows[3]
        # The address stands there, too: one out of a file beside is not sent what the environment has.
        lines = [f"KARTRA_URL={sandbox.url}", f"KARTRA_APP_ID={project.environ['KARTRA_APP_ID']}"]
        lines += ["ACME_API_KEY=KEY00000", "ACME_API_PASSWORD=PASSWORD00000"]
        lines += ["DORA_API_KEY=KEY00002", "DORA_API_PASSWORD=PASSWORD00002"]
        (made.folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
        del project.environ["KARTRA_URL"], project.environ["KARTRA_APP_ID"]
        made.columns = ("name", "tag")
        made.write(fleet=FLEET.replace("accounts: accounts.csv\n", f"accounts: accounts.csv\n{NAMED}"))
        made.write_accounts([{"name": row["name"], "tag": row["tag"]} for row in made.rows])
        with served(project, "agency.yaml", "--keep-in", ".env") as site:
            site.enter()
            yield made, sandbox, site


@pytest.fixture
def scene(project: Project) -> Iterator[tuple[Agency, Sandbox, Served]]:
    with half_connected(project) as made:
        yield made


def invited(site: Served, account: str = "bolt") -> str:
    """The link for the client of an account."""
    assert site.first is not None
    data = {"csrf": csrf_in(site.first.get(f"{site.origin}/accounts").text)}
    page = site.first.post(f"{site.origin}/accounts/{account}/link", data=data)
    assert page.status_code == 200, page.text
    return page.text.partition("<code>")[2].partition("</")[0]


def token(link: str) -> str:
    return link.partition("link=")[2]


def began(site: Served, link: str) -> requests.Session:
    """A client that has used a link."""
    client = requests.Session()
    assert client.post(f"{site.origin}/connect/begin", data={"link": token(link)}).status_code == 200
    return client


def typed(site: Served, client: requests.Session, key: str = KEY, password: str = PASSWORD) -> str:
    """What the page says to a key."""
    data = {"csrf": csrf_in(client.get(f"{site.origin}/connect/key").text)}
    answer = client.post(f"{site.origin}/connect/try", data=data | {"api_key": key, "api_password": password})
    assert key not in answer.text
    assert password not in answer.text
    assert key not in answer.url
    return answer.text


def said_yes(site: Served, client: requests.Session) -> requests.Response:
    data = {"csrf": csrf_in(client.get(f"{site.origin}/connect/key").text), "agreed": "yes"}
    return client.post(f"{site.origin}/connect/keep", data=data)


def files_with(text: str, folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_key_is_tried_shown_as_an_account_kept_and_used_without_a_restart(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    made, sandbox, site = scene
    assert site.first is not None
    assert "bolt runs nothing" in site.first.get(site.origin).text
    client = began(site, invited(site))
    assert typed(site, client).count("<li>News</li>") == 1
    assert files_with(KEY, made.folder) == []  # nobody has said yes
    assert [call.commands for call in sandbox.calls] == [("retrieve_account_lists",)]
    assert "Your account is connected" in said_yes(site, client).text
    assert files_with(KEY, made.folder) == files_with(PASSWORD, made.folder) == [".env"]
    assert stat.S_IMODE((made.folder / ".env").stat().st_mode) == 0o600
    assert len(sandbox.calls) == 1
    assert "bolt.welcome" in site.first.get(site.origin).text
    assert made.command("run").code == 0
    assert made.leads() == made.own(3) | {"zed": []}
    book = site.first.get(f"{site.origin}/accounts").text
    assert "made a link for the client of bolt" in book
    assert "connected bolt, account" in book
    assert client.get(f"{site.origin}/connect/key").status_code == 401


def test_looking_at_a_link_does_not_use_it_up_and_the_first_browser_alone_gets_in(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    _, sandbox, site = scene
    link = invited(site)
    for method in ("GET", "GET", "HEAD", "OPTIONS"):
        looked = requests.request(method, link)
        assert "set-cookie" not in looked.headers
        assert looked.headers["Cache-Control"] == "no-store"
    doors = [requests.Session() for _ in range(8)]
    came: list[int] = []
    begin = f"{site.origin}/connect/begin"

    def try_door(door: requests.Session) -> None:
        came.append(door.post(begin, data={"link": token(link)}).status_code)

    threads = [threading.Thread(target=try_door, args=(door,)) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == [200, *[401] * 7]
    assert requests.get(link).status_code == 401
    assert sandbox.calls == []


def test_a_link_that_was_guessed_is_of_another_kind_or_was_replaced_opens_nothing(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    _, sandbox, site = scene
    older, newer = invited(site), invited(site)
    begin = f"{site.origin}/connect/begin"
    for wrong in ("", "x", token(newer)[:-1], token(older), token(site.next_link()), "\0", "é" * 40):
        assert requests.post(begin, data={"link": wrong}).status_code == 401, wrong
        assert requests.get(f"{site.origin}/connect", params={"link": wrong}).status_code == 401
    # nor does a client's link open the page of the agency
    assert requests.get(f"{site.origin}/enter", params={"link": token(newer)}).status_code == 401
    assert began(site, newer).get(f"{site.origin}/connect/key").status_code == 200
    assert sandbox.calls == []


def test_a_client_sees_nothing_of_others_and_nothing_leads_there(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    _, _, site = scene
    client = began(site, invited(site))
    for path in ("/", "/accounts", "/p/acme.welcome", "/p/acme.welcome/rejects", "/p/acme.welcome/asked"):
        refused = client.get(site.origin + path)
        assert refused.status_code == 401
        assert "acme" not in refused.text
    for text in (
        client.get(f"{site.origin}/connect/key").text,
        typed(site, client, "KEY00002", "PASSWORD00002"),
    ):
        for other in ("acme", "dora", "agency", "/p/", 'href="/"'):
            assert other not in text.replace("accounts", ""), other


@pytest.mark.parametrize(("key", "password"), [("KEY00000", "PASSWORD00000"), ("KEY00002", "anything")])
def test_the_key_of_another_client_is_kept_for_nobody_and_nobody_is_asked_about_it(
    scene: tuple[Agency, Sandbox, Served], key: str, password: str
) -> None:
    made, sandbox, site = scene
    client = began(site, invited(site))
    assert "in use already" in typed(site, client, key, password)
    assert sandbox.calls == []
    assert "BOLT" not in (made.folder / ".env").read_text("utf-8")
    assert said_yes(site, client).status_code == 400
    assert site.first is not None
    assert "the key that was typed for bolt is that of" in site.first.get(f"{site.origin}/accounts").text


def test_a_wrong_key_is_told_and_a_guesser_has_five_tries(scene: tuple[Agency, Sandbox, Served]) -> None:
    made, sandbox, site = scene
    client = began(site, invited(site))
    assert "4 tries are left" in typed(site, client, "WRONG1")
    assert said_yes(site, client).status_code == 400
    for number in range(3):
        assert "does not accept" in typed(site, client, f"WRONG{number}x")
    assert "No more tries" in typed(site, client, "WRONG9")
    assert client.get(f"{site.origin}/connect/key").status_code == 401
    assert len(sandbox.calls) == 5
    assert files_with("WRONG1", made.folder) == []


def test_many_forms_at_once_are_not_more_tries(scene: tuple[Agency, Sandbox, Served]) -> None:
    _, sandbox, site = scene
    client = began(site, invited(site))
    data = {"csrf": csrf_in(client.get(f"{site.origin}/connect/key").text), "api_password": PASSWORD}
    cookies = client.cookies.get_dict()

    def send(number: int) -> None:
        sent = data | {"api_key": f"WRONG{number}"}
        requests.post(f"{site.origin}/connect/try", data=sent, cookies=cookies)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= len(sandbox.calls) <= 5


def test_forms_of_other_pages_type_no_key_and_say_no_yes(scene: tuple[Agency, Sandbox, Served]) -> None:
    made, sandbox, site = scene
    link = invited(site)
    begin = f"{site.origin}/connect/begin"
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
        assert requests.post(begin, data={"link": token(link)}, headers=headers).status_code == 403
    assert (
        requests.post(begin, data={"link": token(link)}, headers={"Host": "evil.example"}).status_code == 421
    )
    client = began(site, link)
    mark = csrf_in(client.get(f"{site.origin}/connect/key").text)
    own = {"csrf": mark, "api_key": KEY, "api_password": PASSWORD}
    for data, headers in (
        ({**own, "csrf": ""}, {}),
        ({**own, "csrf": "x"}, {}),
        (own, {"Origin": "https://evil.example"}),
        (own, {"Sec-Fetch-Site": "cross-site"}),
    ):
        assert client.post(f"{site.origin}/connect/try", data=data, headers=headers).status_code == 403
    assert sandbox.calls == []
    assert site.first is not None
    for path in ("link", "remove"):
        there = f"{site.origin}/accounts/acme/{path}"
        assert site.first.post(there, data={"csrf": mark, "agreed": "yes"}).status_code == 403
        assert client.post(there, data={"csrf": mark, "agreed": "yes"}).status_code == 401
    assert "ACME_API_KEY" in (made.folder / ".env").read_text("utf-8")


def test_a_renewal_has_to_open_the_same_account_and_what_is_removed_is_gone(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    made, _, site = scene
    made.accounts["zed"].lists[:] = ["Else"]
    client = began(site, invited(site, "acme"))
    assert "not the one of your account" in typed(site, client, "KEY00003", "PASSWORD00003")
    made.accounts["acme"].api_key = made.accounts["acme"].api_password = "RENEWED"
    assert "<li>News</li>" in typed(site, client, "RENEWED", "RENEWED")
    assert said_yes(site, client).status_code == 200
    text = (made.folder / ".env").read_text("utf-8")
    assert ("RENEWED" in text, "KEY00000" in text) == (True, False)
    other = began(site, invited(site, "dora"))
    assert site.first is not None
    data = {"csrf": csrf_in(site.first.get(f"{site.origin}/accounts").text)}
    remove = f"{site.origin}/accounts/dora/remove"
    assert site.first.post(remove, data=data).status_code == 400  # nobody has said yes
    assert site.first.post(remove, data=data | {"agreed": "yes"}).status_code == 200
    assert "DORA" not in (made.folder / ".env").read_text("utf-8")
    # a client who was just about to renew it finds the link closed
    assert other.get(f"{site.origin}/connect/key").status_code == 401


def test_who_is_connected_from_elsewhere_meanwhile_is_not_written_over(
    scene: tuple[Agency, Sandbox, Served],
) -> None:
    made, _, site = scene
    client = began(site, invited(site))
    typed(site, client)
    with (made.folder / ".env").open("a", encoding="utf-8") as handle:
        handle.write("BOLT_API_KEY=BY-HAND\nBOLT_API_PASSWORD=BY-HAND\n")
    refused = said_yes(site, client)
    assert (refused.status_code, "bolt" in refused.text) == (404, False)
    assert "BY-HAND" in (made.folder / ".env").read_text("utf-8")
    assert files_with(KEY, made.folder) == []


def test_a_key_that_is_typed_on_the_page_is_kept_in_the_keyring_and_used_from_there(
    project: Project,
) -> None:
    library = project.folder / "library"
    library.mkdir()
    (library / "keyring.py").write_text(STAND_IN, encoding="utf-8")
    ring = library / "kept.json"
    project.environ |= {"PYTHONPATH": str(library), "KEYRING_FILE": str(ring)}
    with agency(project, ["acme", "bolt"]) as (made, _):
        named = FLEET + "".join(
            f"{key}: ${{keyring:kartra-sync/{{account}}.{key}}}\n" for key in ("api_key", "api_password")
        )
        made.columns = ("name", "tag")
        made.write(fleet=named)
        made.write_accounts([{"name": row["name"], "tag": row["tag"]} for row in made.rows])
        acme = {"kartra-sync/acme.api_key": "KEY00000", "kartra-sync/acme.api_password": "PASSWORD00000"}
        ring.write_text(json.dumps(acme), encoding="utf-8")
        with served(project, "agency.yaml") as site:
            session = site.enter()
            assert "kept in the keyring" in session.get(f"{site.origin}/accounts").text
            client = began(site, invited(site))
            typed(site, client)
            assert json.loads(ring.read_text("utf-8")) == acme  # nobody has said yes
            assert said_yes(site, client).status_code == 200
            bolt = {"kartra-sync/bolt.api_key": KEY, "kartra-sync/bolt.api_password": PASSWORD}
            assert json.loads(ring.read_text("utf-8")) == acme | bolt
            assert made.command("run").code == 0
            assert made.leads() == made.own(3)
            data = {"csrf": csrf_in(session.get(f"{site.origin}/accounts").text), "agreed": "yes"}
            assert session.post(f"{site.origin}/accounts/bolt/remove", data=data).status_code == 200
            assert json.loads(ring.read_text("utf-8")) == acme


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
def test_by_keyboard_on_a_phone_in_the_dark_a_client_connects(
    scene: tuple[Agency, Sandbox, Served], tmp_path: Path
) -> None:
    made, _, site = scene
    link = invited(site)

    async def look() -> None:
        async with browser(tmp_path, scripts=AXE.exists()) as shown:
            await shown.look(width=360, is_dark=True)
            pages = iter(("door", "key", "account", "done"))

            async def seen() -> None:
                await shown.keep(tmp_path / f"connect-{next(pages)}.png")
                assert await shown.value("document.scrollingElement.scrollWidth") <= 360
                if AXE.exists():
                    assert await shown.findings() == []

            await shown.go(link)
            await seen()
            await shown.tab_to("begin")
            await shown.press("Enter", loads=True)
            assert token(link) not in await shown.value("location.href")
            await seen()
            for field, text in (("api_key", KEY), ("api_password", PASSWORD)):
                await shown.tab_to(field)
                await shown.do("Input.insertText", text=text)
            await shown.press("Enter", loads=True)
            assert "News" in await shown.text()
            assert KEY not in await shown.value("document.documentElement.outerHTML")
            await seen()
            await shown.tab_to("keep")
            await shown.press("Enter", loads=True)
            await seen()
            assert "shown nowhere" in await shown.text()
            assert not [url for url in shown.asked if not url.startswith(f"{site.origin}/") or KEY in url]
            assert await shown.value("document.cookie") == ""

    asyncio.run(look())
    assert files_with(KEY, made.folder) == [".env"]
