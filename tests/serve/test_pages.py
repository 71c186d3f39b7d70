"""Every view in a real browser: its words, the keyboard, a phone, the dark, a screen reader, and no request
that leaves this machine. Screenshots stay in the folder of the test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from pipelines.tables.warehouse import open_warehouse
from tests.conftest import Project
from tests.pull.accounts import write_pull
from tests.serve.browser import AXE, CHROMIUM, Browser, browser
from tests.serve.served import HOSTILE, Served, eventful, sandboxed, served
from tests.tables.shop import fill

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
PHONE, DESK = 360, 1280


@pytest.fixture
def scene(project: Project) -> Iterator[tuple[Served, Sandbox, str]]:
    with sandboxed(project) as sandbox:
        plan = eventful(project)
        with served(project) as site:
            yield site, sandbox, plan


def views(plan: str) -> dict[str, str]:
    """By path, words that have to stand there."""
    return {
        "/": "Pipelines at a glance",
        "/p/newsletter": "Leads in Kartra",
        "/p/newsletter/runs": "The last runs",
        "/p/newsletter/runs/last": "What came in, and what became of it",
        "/p/newsletter/rejects": "kartra-sync rejects",
        "/p/newsletter/waiting": "Nothing waits for a person",
        "/p/newsletter/plans": plan,
        f"/p/newsletter/plans/{plan}": "Approve and send",
        "/p/newsletter/progress": "Nothing runs now",
        "/p/newsletter/asked": "Who asked",
        "/nonesuch": "Not Found",
    }


def test_every_view_on_a_desk_on_a_phone_in_the_light_and_in_the_dark(
    scene: tuple[Served, Sandbox, str], tmp_path: Path
) -> None:
    site, _, plan = scene

    async def look() -> None:
        async with browser(tmp_path) as shown:
            await shown.go(site.link)
            for number, (path, words) in enumerate(views(plan).items()):
                for width, is_dark in ((DESK, False), (PHONE, True)):
                    await shown.look(width=width, is_dark=is_dark)
                    await shown.go(site.origin + path)
                    assert words in await shown.text(), path
                    assert HOSTILE not in await shown.value("document.documentElement.innerHTML")
                    wide = await shown.value("document.scrollingElement.scrollWidth")
                    assert wide <= width, (path, wide)
                    assert await shown.value("document.querySelectorAll('h1').length") == 1
                    await shown.keep(tmp_path / f"{number:02}-{width}{'-dark' if is_dark else ''}.png")
                    if AXE.exists():
                        assert await shown.findings() == [], (path, width)
            dark = await shown.value("getComputedStyle(document.body).backgroundColor")
            assert dark == "rgb(22, 24, 27)"
            stayed_here(shown, site)

    asyncio.run(look())


def stayed_here(shown: Browser, site: Served) -> None:
    assert [url for url in shown.asked if not url.startswith(f"{site.origin}/")] == []
    assert [said for said in shown.complaints if "404" not in said and "favicon" not in said] == []


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm install --prefix .venv axe-core")
def test_axe_is_there_to_find_something(scene: tuple[Served, Sandbox, str], tmp_path: Path) -> None:
    async def look() -> None:
        async with browser(tmp_path) as shown:
            await shown.go(scene[0].link)
            await shown.value("document.body.insertAdjacentHTML('beforeend', '<button></button>'), 0")
            assert [found.partition(" ")[0] for found in await shown.findings()] == ["button-name"]

    asyncio.run(look())


def test_by_the_keyboard_a_plan_is_read_unmasked_and_approved(
    scene: tuple[Served, Sandbox, str], tmp_path: Path
) -> None:
    site, sandbox, plan = scene

    async def work() -> None:
        async with browser(tmp_path) as shown:
            await shown.go(site.link)
            await shown.press("Tab")
            assert await shown.value("document.activeElement.textContent") == "To the content"
            await shown.tab_to("newsletter")
            await shown.press("Enter", loads=True)
            await shown.tab_to("Plans")
            await shown.press("Enter", loads=True)
            await shown.tab_to(plan)
            await shown.press("Enter", loads=True)
            await shown.tab_to("Show them for 15 minutes")
            await shown.press("Enter", loads=True)
            assert "lead3@example.org" in await shown.text()
            assert HOSTILE in await shown.text()  # as words
            await shown.tab_to("agreed")
            await shown.press("Space")
            await shown.tab_to("Approve and send")
            await shown.press("Enter", loads=True)
            await shown.until("document.body.innerText.includes('What it did')")
            await shown.keep(tmp_path / "approved.png")
            await shown.tab_to("What it did")
            await shown.press("Enter", loads=True)
            assert "applied by" in await shown.text()
            stayed_here(shown, site)

    asyncio.run(work())
    assert len(sandbox.account.leads) == 3


def test_the_charts_of_the_reports_are_drawn_as_their_own_page_says(project: Project, tmp_path: Path) -> None:
    with sandboxed(project):
        write_pull(project, Account())
        with open_warehouse(project.folder / "tables.db") as tables:
            fill(tables)
        with served(project) as site:

            async def look() -> None:
                async with browser(tmp_path) as shown:
                    await shown.go(site.link)
                    await shown.value("document.querySelector('tbody a').focus(), 0")
                    await shown.press("Enter", loads=True)
                    await shown.tab_to("Charts of revenue, churn and lists")
                    await shown.press("Enter", loads=True)
                    assert "EUR" in await shown.text()
                    assert await shown.value("document.querySelectorAll('svg').length > 3")
                    weight = (
                        "getComputedStyle(document.querySelector('.tiles, caption, h2') || document.body)"
                    )
                    assert await shown.value(f"{weight}.fontFamily") == "system-ui, sans-serif"
                    await shown.keep(tmp_path / "charts.png")
                    stayed_here(shown, site)

            asyncio.run(look())


def test_without_javascript_everything_works(scene: tuple[Served, Sandbox, str], tmp_path: Path) -> None:
    site, sandbox, plan = scene

    async def work() -> None:
        async with browser(tmp_path, scripts=False) as shown:
            await shown.go(site.link)
            await shown.go(f"{site.origin}/p/newsletter/runs")
            await shown.tab_to("key")
            await shown.do("Input.insertText", text="lead0@example.org")
            await shown.press("Enter", loads=True)
            assert "l***@e***.org" in await shown.text()
            assert "lead0" not in await shown.value("location.href")
            await shown.go(f"{site.origin}/p/newsletter/plans/{plan}")
            await shown.tab_to("agreed")
            await shown.press("Space")
            await shown.tab_to("Approve and send")
            await shown.press("Enter", loads=True)
            while "What it did" not in await shown.text():
                await shown.go(f"{site.origin}/p/newsletter/progress")

    asyncio.run(work())
    assert len(sandbox.account.leads) == 3
