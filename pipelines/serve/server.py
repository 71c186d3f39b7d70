"""The server: bound to this machine alone, until it is asked to stop."""

import asyncio
import logging
import socket
from collections.abc import Callable

from aiohttp import web

from connectors.errors import ConfigError
from pipelines.serve.connect_views import CONNECT_ROUTES
from pipelines.serve.guards import GUARDS
from pipelines.serve.site import SITE, Site
from pipelines.serve.views import ROUTES

LARGEST_BODY = 16 * 1024
LOOKS_S = 0.2
"""How often it is asked whether to stop."""


def app_of(site: Site) -> web.Application:
    app = web.Application(middlewares=GUARDS, client_max_size=LARGEST_BODY)
    app[SITE] = site
    app.add_routes((*ROUTES, *CONNECT_ROUTES))
    return app


def serve_until(
    stopping: Callable[[], bool], port: int, make_site: Callable[[int], Site], begun: Callable[[Site], None]
) -> None:
    """Serve on loopback; `make_site` is given the port. What is being applied is settled before the end."""
    asyncio.run(_serve(stopping, port, make_site, begun))


async def _serve(
    stopping: Callable[[], bool], port: int, make_site: Callable[[int], Site], begun: Callable[[Site], None]
) -> None:
    listening = _listen(port)
    # Bound first: with port 0 only the socket knows the port, which is part of the origin.
    site = make_site(listening.getsockname()[1])
    # No log of each request, and none of requests that are none: whoever reaches the port would fill it.
    runner = web.AppRunner(app_of(site), access_log=None, handle_signals=False, logger=_unheard())
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        begun(site)
        while not stopping():
            await asyncio.sleep(LOOKS_S)
    finally:
        # Requests end before jobs: otherwise another plan could be approved while these wind down.
        await runner.cleanup()
        await asyncio.to_thread(site.jobs.end)


def _unheard() -> logging.Logger:
    logger = logging.getLogger("kartra_sync.serve.http")
    logger.setLevel(logging.CRITICAL)
    return logger


def _listen(port: int) -> socket.socket:
    listening = socket.socket()
    try:
        # A restarted server gets its port back at once, even while old connections linger.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # No option for another address: without TLS the cookie could be read on its way. That is a proxy's
        # job.
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"port {port} cannot be used: {error.strerror}") from error
    return listening
