"""The one endpoint over HTTP: aiohttp around an emulator. The only module here that knows a socket."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlencode

from aiohttp import web

from connectors.kartra.sandbox.emulator import Arrived, Emulator

MAX_BODY_BYTES = 32 * 1024 * 1024
_CLOSE_WITHIN_S = 0.2  # what is still asleep after this is cut off


class Endpoint:
    """Listens from `start` to `stop`, which returns within a second whatever is still open."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/api", self._post)
        app.router.add_post("/api/", self._post)
        # access_log: bodies hold credentials and addresses hold people; nothing of a call is logged.
        # handler_cancellation: a silent or slow call ends when its client goes away.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_WITHIN_S
        )

    async def start(self, host: str, port: int) -> int:
        """The port listened on."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        self._stopping.set()
        await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if way_s := self._emulator.way_s():
            await asyncio.sleep(way_s)
        received = self._emulator.receive(time.monotonic())
        content_type, body = await _body(request)
        arrived = Arrived(
            content_type=content_type,
            body=body,
            query=request.query,
            remote=request.remote or "",
            secure=request.secure,
        )
        answer = self._emulator.answer(received, arrived)
        if answer.fate == "silence":
            await self._stopping.wait()
        elif answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        if answer.fate != "sent" and request.transport is not None:
            request.transport.close()  # aiohttp drops what is written after this
        ahead_s = self._emulator.options.clock_offset_s
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead_s), usegmt=True)
        response = web.Response(
            status=answer.status,
            text=answer.body,
            content_type="text/html",
            charset="utf-8",
            headers={"Date": date},
        )
        return await _trickled(request, response, answer.trickle_s) if answer.trickle_s else response


async def _body(request: web.Request) -> tuple[str, str]:
    """Content type and body; a multipart body as the form it stands for, for PHP reads both alike."""
    if request.content_type != "multipart/form-data":
        return request.content_type, (await request.read()).decode(errors="replace")
    try:
        fields = await request.post()
    except ValueError:  # no boundary, or none where one has to be: PHP leaves the form empty
        return request.content_type, ""
    texts = [(name, value) for name, value in fields.items() if isinstance(value, str)]
    return "application/x-www-form-urlencoded", urlencode(texts)


async def _trickled(request: web.Request, whole: web.Response, every_s: float) -> web.StreamResponse:
    """The same answer, byte by byte; it ends when the client goes away."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(body)
    await response.prepare(request)
    for byte in body:
        await response.write(bytes([byte]))
        await asyncio.sleep(every_s)
    return response
