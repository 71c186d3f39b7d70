"""What stands before every view: whose request it is, and what a browser may do with the answer.

Whoever can reach a port of this machine can ask: other users of it, and any page that a browser has open. So
a request has to name this server (a name that was bent to this address is refused), come from a browser that
came in by a link, and, where it changes something, from a form of ours.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from aiohttp import web

from connectors.errors import ConfigError, SyncError
from pipelines.errors import LockedError, StalePlanError
from pipelines.serve.access import Session, is_mark
from pipelines.serve.clients import Client
from pipelines.serve.pages import page, problem_page
from pipelines.serve.site import SITE, Site

log = logging.getLogger("kartra_sync.serve")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SESSION = web.RequestKey("session", Session)
CLIENT = web.RequestKey("client", Client)
CHANGES = "POST"
# Nothing inline: even if a name from a source got past the escaping, it would run no script.
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action"
    " 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",  # names that were shown must not linger in a browser's cache
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers hide the origin of our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Server": "kartra-sync",  # otherwise aiohttp names its version and Python's
}
OPEN_TO_ALL = frozenset({"/enter", "/style.css"})
"""What is answered without a session: the way in, and what its page looks like."""
CLIENTS_DOOR, CLIENTS_BEGIN, CLIENTS_KEY = "/connect", "/connect/begin", "/connect/key"
FOR_CLIENTS = frozenset(
    {CLIENTS_DOOR, CLIENTS_BEGIN, CLIENTS_KEY, "/connect/try", "/connect/keep", "/connect/again"}
)
"""What clients see, who type the key of their account and see nothing else."""


@web.middleware
async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into pages, and give every answer its headers."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            response = error  # a redirect
        else:
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            response = _problem(request, HTTPStatus(error.status), "", allowed)
    except SyncError as error:
        response = _problem(request, _status_of(error), str(error))
    except Exception:
        log.exception("a bug in kartra-sync; please report it with this traceback")
        response = _problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, "")
    for name, value in HEADERS.items():
        # A view may set its own policy, as the charts do.
        if name not in response.headers or name == "Server":
            response.headers[name] = value
    return response


def _problem(
    request: web.Request, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    if request.path not in FOR_CLIENTS:
        return problem_page(status, message, headers)
    # A client is not told what else there is: a message may name files and other clients.
    if message:
        log.warning("on the page of a client: %s", message)
    response = page("client_problem.html", title=status.phrase)
    response.set_status(status)
    response.headers.update(headers or {})
    return response


def _status_of(error: SyncError) -> HTTPStatus:
    if isinstance(error, LockedError | StalePlanError):
        return HTTPStatus.CONFLICT
    # From a view, ConfigError mostly means an address that names a run or a plan that does not exist.
    return HTTPStatus.NOT_FOUND if isinstance(error, ConfigError) else HTTPStatus.SERVICE_UNAVAILABLE


@web.middleware
async def known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests under another name, as those of a page whose name was bent to this address."""
    site = request.app[SITE]
    # As lists: with two Host headers one could be ours, and there is no telling which one counts.
    if request.headers.getall("Host", []) not in [[host] for host in site.hosts]:
        return problem_page(
            HTTPStatus.MISDIRECTED_REQUEST, f"this server is {site.origin}, and answers to no other name"
        )
    return await handler(request)


@web.middleware
async def known_browser(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who came by a link; a change has to come from a form of ours."""
    site = request.app[SITE]
    if request.path in FOR_CLIENTS:
        return await _known_client(request, handler)
    session = site.sessions.find(request.cookies.get(site.cookie, ""))
    if session is None and request.path not in OPEN_TO_ALL:
        return problem_page(HTTPStatus.UNAUTHORIZED, "open the link that kartra-sync serve has printed")
    if site.user_header and request.path not in OPEN_TO_ALL and not site.person(request):
        return problem_page(HTTPStatus.FORBIDDEN, f"the proxy has not said in {site.user_header} who asks")
    if session is not None:
        request[SESSION] = session
    if request.method == CHANGES and (session is None or not await _is_ours(request, site, session.csrf)):
        return problem_page(
            HTTPStatus.FORBIDDEN, "the form is not of this page, or too old: go back and load it anew"
        )
    return await handler(request)


async def _known_client(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who came by a client's link, to the pages for clients alone.

    A proxy that signs people in does not know clients: for these pages the link is all that is asked for.
    """
    site = request.app[SITE]
    client = site.clients.find(request.cookies.get(site.client_cookie, ""))
    if request.path in (CLIENTS_DOOR, CLIENTS_BEGIN):
        # The link in the form stands for the session that there is not yet.
        is_ours = request.method != CHANGES or _comes_from_here(request, site)
        return await handler(request) if is_ours else _problem(request, HTTPStatus.FORBIDDEN, "")
    if client is None:
        return _problem(request, HTTPStatus.UNAUTHORIZED, "")
    request[CLIENT] = client
    if request.method == CHANGES and not await _is_ours(request, site, client.csrf):
        return _problem(request, HTTPStatus.FORBIDDEN, "")
    return await handler(request)


def _comes_from_here(request: web.Request, site: Site) -> bool:
    origin = request.headers.get("Origin")
    # Not every browser sends it with a form; if it is missing, what else is asked has to suffice.
    if origin is not None and origin != site.origin_of(request.headers["Host"]):
        return False
    # "same-site" is not enough: another port of this machine counts as the same site.
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    # The only type our forms use; aiohttp would write the files of a multipart body to disk first.
    return request.content_type == "application/x-www-form-urlencoded"


async def _is_ours(request: web.Request, site: Site, csrf: str) -> bool:
    if not _comes_from_here(request, site):
        return False
    token = (await request.post()).get("csrf", "")
    return isinstance(token, str) and is_mark(token, csrf)


# Outermost first: `answer` puts its headers on whatever the others refuse, too.
GUARDS = (answer, known_host, known_browser)
