"""The views of connecting: links for clients, and the pages on which a client types a key.

A key is typed into a form, sent once, tried, and kept or thrown away: it stands on no page, in no address and
in no log.
"""

import asyncio
import logging

from aiohttp import web

from connectors.errors import AccessRefusedError, ApiError, ConfigError, SyncError
from connectors.kartra.wire import bare_secret
from pipelines.errors import GuardError
from pipelines.serve.asked import asked_in, write_down_in
from pipelines.serve.clients import Client
from pipelines.serve.connecting import Connectable, KeyOfAnotherError
from pipelines.serve.guards import CLIENT, CLIENTS_KEY
from pipelines.serve.pages import page
from pipelines.serve.site import SITE, Site
from pipelines.serve.views import page_of, text_of

log = logging.getLogger("kartra_sync.serve")

LONGEST_SECRET = 500
LISTS_SHOWN = 20
THE_CLIENT = "the client, by the link"


async def accounts(request: web.Request) -> web.StreamResponse:
    """For us: which accounts are connected, and a link for whoever is to connect one."""
    connecting = request.app[SITE].connecting
    problem, kept = "", dict.fromkeys(connecting.accounts, False)
    try:
        kept = await asyncio.to_thread(lambda: {name: connecting.is_kept(name) for name in kept})
    except ConfigError as error:
        problem = str(error)
    books = {about.book for about in connecting.accounts.values()}
    found = [one for book in sorted(books) for one in await asyncio.to_thread(asked_in, book)]
    return page_of(
        request,
        "accounts.html",
        title="Accounts",
        kept=kept,
        problem=problem,
        place=connecting.place,
        found=sorted(found, key=lambda one: one.at, reverse=True),
    )


async def invite(request: web.Request) -> web.StreamResponse:
    """A link for one client, shown once."""
    site, about = request.app[SITE], _about(request)
    site.connecting.refuse_same_place(about.name)
    is_renewal = await asyncio.to_thread(site.connecting.is_kept, about.name)
    await _note(about, site.person(request), f"made a link for the client of {about.name}")
    return page_of(
        request,
        "client_link.html",
        title=f"A link for {about.name}",
        link=site.new_client_link(about.name, is_renewal=is_renewal),
        is_renewal=is_renewal,
        references=site.connecting.references(about.name),
    )


async def remove(request: web.Request) -> web.StreamResponse:
    site, about = request.app[SITE], _about(request)
    if text_of(await request.post(), "agreed") != "yes":
        raise web.HTTPBadRequest
    await _note(about, site.person(request), f"removed the key of {about.name}")
    # A client who is just about to keep one finds the link closed.
    site.clients.cancel(about.name)
    await asyncio.to_thread(site.connecting.remove, about.name)
    await _read_again(site)
    raise web.HTTPSeeOther("/accounts")


async def door(request: web.Request) -> web.StreamResponse:
    """What a client's link opens: a button, for mail programs open links to look at them."""
    link = request.query.get("link", "")
    if not request.app[SITE].clients.is_open(link):
        raise web.HTTPUnauthorized
    return page("client_door.html", title="Connect your Kartra account", link=link)


async def begin(request: web.Request) -> web.StreamResponse:
    """Use a client's link up."""
    site = request.app[SITE]
    cookie = site.clients.begin(text_of(await request.post(), "link"))
    if cookie is None:
        raise web.HTTPUnauthorized
    there = web.HTTPSeeOther(CLIENTS_KEY)
    site.set_cookie(there, site.client_cookie, cookie)
    return there


async def key(request: web.Request) -> web.StreamResponse:
    """Where a client types the key, or says whether the account that it opens is the right one."""
    client = request[CLIENT]
    lists = client.seen.lists if client.seen else None
    return page(
        "client_key.html",
        title="Is this your account?" if client.seen else "Connect your Kartra account",
        client=client,
        lists=lists[:LISTS_SHOWN] if lists is not None else None,
        more=max(0, len(lists or ()) - LISTS_SHOWN),
    )


async def try_key(request: web.Request) -> web.StreamResponse:
    """Try what was typed with one call; whatever comes of it, it stands on the page before."""
    site, client = request.app[SITE], request[CLIENT]
    form = await request.post()
    typed = [bare_secret(text_of(form, name)) for name in ("api_key", "api_password")]
    # Counted before anything is awaited: otherwise forms that are sent at once would all be tried.
    if client.is_trying or client.seen is not None or client.tries <= 0:
        raise web.HTTPConflict
    if not all(0 < len(each) <= LONGEST_SECRET and each.isprintable() for each in typed):
        client.message = "Type both the API key and the API password, as Kartra shows them."
        raise web.HTTPSeeOther(CLIENTS_KEY)
    client.tries -= 1
    client.is_trying = True
    try:
        client.message = await _tried(site, client, *typed)
    finally:
        client.is_trying = False
    if client.tries <= 0 and client.seen is None:
        site.clients.cancel(client.account)
        return page("client_problem.html", title="No more tries")
    raise web.HTTPSeeOther(CLIENTS_KEY)


async def _tried(site: Site, client: Client, api_key: str, password: str) -> str:
    """What the client is told; nothing where the key opens an account."""
    about = site.connecting.accounts[client.account]
    try:
        typed, seen = await asyncio.to_thread(
            site.connecting.try_key, client.account, api_key, password, is_renewal=client.is_renewal
        )
    except KeyOfAnotherError as error:
        await _note(about, THE_CLIENT, f"was refused: {error}")
        return (
            "This key is not the one of your account, or it is in use already. Nothing was kept. Compare it"
            " with the one in your Kartra account, or ask whoever sent you the link."
        )
    except AccessRefusedError as error:
        await _note(about, THE_CLIENT, f"typed a key for {about.name} that Kartra refuses ({error.type})")
        return "Kartra does not accept this key with this password. Compare both with those in Kartra."
    except ApiError as error:
        await _note(about, THE_CLIENT, f"got no answer of Kartra for {about.name} ({error.type})")
        return "Kartra did not answer as it should. Try again in some minutes."
    client.typed, client.seen = typed, seen
    await _note(about, THE_CLIENT, f"typed a key for {about.name} that opens account {seen.fingerprint}")
    return ""


async def again(request: web.Request) -> web.StreamResponse:
    """It was the wrong account: what was typed is thrown away."""
    client = request[CLIENT]
    client.forget()
    client.message = "Nothing was kept."
    raise web.HTTPSeeOther(CLIENTS_KEY)


async def keep(request: web.Request) -> web.StreamResponse:
    """Keep what was tried, now that the client has said that the account is theirs."""
    site, client = request.app[SITE], request[CLIENT]
    if client.typed is None or client.seen is None or text_of(await request.post(), "agreed") != "yes":
        raise web.HTTPBadRequest
    typed, fingerprint = client.typed, client.seen.fingerprint
    client.forget()  # a second click finds nothing to keep
    about = site.connecting.accounts[client.account]
    await _note(about, THE_CLIENT, f"connected {about.name}, account {fingerprint}")
    # It may have been taken away while that was written down.
    if not site.clients.is_still_open(client):
        raise web.HTTPConflict
    try:
        await asyncio.to_thread(site.connecting.keep, client.account, typed, is_renewal=client.is_renewal)
    except (ConfigError, GuardError) as error:
        await _note(about, THE_CLIENT, f"was refused, and nothing was kept: {error}")
        raise
    site.clients.cancel(client.account)
    await _read_again(site)
    done = page("client_done.html", title="Your account is connected")
    site.drop_cookie(done, site.client_cookie)
    return done


async def _read_again(site: Site) -> None:
    if site.reread is None:
        return
    try:
        site.entries, site.problems = await asyncio.to_thread(site.reread)
    except SyncError as error:
        # What is served stays as it is: one file that is just being edited closes no page.
        log.warning("the files could not be read again: %s", error)


async def _note(about: Connectable, person: str, what: str) -> None:
    await asyncio.to_thread(write_down_in, about.book, person, what)


def _about(request: web.Request) -> Connectable:
    about = request.app[SITE].connecting.accounts.get(request.match_info["account"])
    if about is None:
        raise web.HTTPNotFound
    return about


CONNECT_ROUTES = (
    web.get("/accounts", accounts, allow_head=False),
    web.post("/accounts/{account}/link", invite),
    web.post("/accounts/{account}/remove", remove),
    web.get("/connect", door, allow_head=False),
    web.post("/connect/begin", begin),
    web.get("/connect/key", key, allow_head=False),
    web.post("/connect/try", try_key),
    web.post("/connect/again", again),
    web.post("/connect/keep", keep),
)
