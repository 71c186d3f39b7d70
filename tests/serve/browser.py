"""Chromium without a screen, driven by its own protocol: what it shows, asks for and complains of."""

import asyncio
import base64
import itertools
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium")
AXE = Path(sys.prefix, "node_modules", "axe-core", "axe.min.js")
STARTS_WITHIN_S = 60
ANSWERS_WITHIN_S = 60
SERIOUS = ("serious", "critical")


class Browser:
    """One page. `asked` has every address that it asked for, `complaints` what its console said."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loaded = asyncio.Event()
        self.asked: list[str] = []
        self.complaints: list[str] = []

    async def listen(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            method, given = told["method"], told["params"]
            if method == "Network.requestWillBeSent":
                self.asked.append(given["request"]["url"])
            elif method == "Page.loadEventFired":
                self._loaded.set()
            elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")
            elif method == "Runtime.exceptionThrown":
                self.complaints.append(str(given["exceptionDetails"]))

    async def do(self, method: str, **given: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": given})
        told = await asyncio.wait_for(answer, ANSWERS_WITHIN_S)
        assert "error" not in told, (method, told)
        return told["result"]

    async def go(self, address: str) -> None:
        self._loaded.clear()
        await self.do("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), ANSWERS_WITHIN_S)

    async def press(self, key: str, *, loads: bool = False) -> None:
        """A key of the keyboard: Tab, Enter, Space."""
        text = {"Enter": "\r", "Space": " "}.get(key, "")
        name = " " if key == "Space" else key
        code = {"Tab": 9, "Enter": 13, "Space": 32}[key]
        self._loaded.clear()
        pressed = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        await self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **pressed)
        await self.do("Input.dispatchKeyEvent", type="keyUp", **pressed)
        if loads:
            await asyncio.wait_for(self._loaded.wait(), ANSWERS_WITHIN_S)

    async def tab_to(self, what: str) -> None:
        """Tab on until the element with these words, or this id, has the focus."""
        for _ in range(80):
            await self.press("Tab")
            found = "document.activeElement.id || document.activeElement.textContent.trim()"
            if await self.value(found) == what:
                return
        raise AssertionError(f"no way by the keyboard to {what}")

    async def value(self, script: str) -> Any:
        told = await self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def text(self) -> str:
        return str(await self.value("document.body.innerText"))

    async def until(self, script: str) -> None:
        async def holds() -> None:
            while True:
                with suppress(AssertionError):  # of a page that is just being left
                    if await self.value(script):
                        return
                await asyncio.sleep(0.05)

        await asyncio.wait_for(holds(), ANSWERS_WITHIN_S)

    async def look(self, *, width: int, is_dark: bool) -> None:
        """As a screen of that width shows it."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.do("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.do("Emulation.setEmulatedMedia", features=[scheme])

    async def keep(self, path: Path) -> None:
        shot = await self.do("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    async def findings(self) -> list[str]:
        """What axe-core finds that is serious."""
        await self.value(f"{AXE.read_text(encoding='utf-8')}; 0")
        found = await self.value("axe.run().then(found => found.violations)")
        return [
            f"{one['id']} {[node['html'][:200] for node in one['nodes']]}"
            for one in found
            if one["impact"] in SERIOUS
        ]


@asynccontextmanager
async def browser(folder: Path, *, scripts: bool = True) -> AsyncIterator[Browser]:
    """`scripts` False: as for people who have turned JavaScript off."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
        *("--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}"),
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port = await asyncio.wait_for(_port(profile / "DevToolsActivePort"), STARTS_WITHIN_S)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (page,) = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                shown = Browser(socket)
                listening = asyncio.create_task(shown.listen())
                for domain in ("Page", "Network", "Log", "Runtime"):
                    await shown.do(f"{domain}.enable")
                if not scripts:
                    await shown.do("Emulation.setScriptExecutionDisabled", value=True)
                yield shown
                await socket.close()
                await listening
    finally:
        process.terminate()
        await process.wait()


async def _port(file: Path) -> int:
    while not (file.exists() and file.read_text()):
        await asyncio.sleep(0.05)
    return int(file.read_text().splitlines()[0])
