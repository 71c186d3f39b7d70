"""The views: each reads in a thread, for the states may be large, and shows what it found."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from pipelines.config.pipeline import PipelineConfig
from pipelines.serve import reading
from pipelines.serve.asked import asked_of, write_down
from pipelines.serve.guards import CSP, SESSION
from pipelines.serve.pages import asset, page
from pipelines.serve.site import COME_IN, SITE, Entry
from pipelines.verbs.parked import parked_of
from pipelines.verbs.saved_plans import plans_of
from pipelines.verbs.show import report_of
from pipelines.verbs.status import status_of
from pipelines.verbs.tables_page import tables_html
from pipelines.words.outcomes import OUTCOMES

COOKIE_S = 12 * 3600
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_WHERE_TO = re.compile(r"(/(rejects|waiting|progress|asked|(runs|plans)(/[A-Za-z0-9-]{1,64})?))?")
"""The pages of a pipeline that a form may send its reader back to."""


async def enter(request: web.Request) -> web.StreamResponse:
    """Begin a session for who came by a link."""
    site = request.app[SITE]
    if not site.links.take(request.query.get("link", ""), COME_IN):
        raise web.HTTPUnauthorized
    # On to another address: a reload of this one would show a link that is used up.
    there = web.HTTPSeeOther("/")
    site.set_cookie(there, site.cookie, site.sessions.begin(), max_age=COOKIE_S)
    return there


async def style(_: web.Request) -> web.StreamResponse:
    return web.Response(text=asset("style.css"), content_type="text/css")


async def script(_: web.Request) -> web.StreamResponse:
    return web.Response(text=asset("progress.js"), content_type="text/javascript")


async def leave(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    site.sessions.end(request.cookies.get(site.cookie, ""))
    out = web.HTTPSeeOther("/")
    site.drop_cookie(out, site.cookie)
    return out


async def link(request: web.Request) -> web.StreamResponse:
    """A link for somebody else, shown once."""
    site = request.app[SITE]
    said = "made a link for another browser"
    # A link opens every pipeline, so it is written down beside each of them.
    for entry in site.entries.values():
        await asyncio.to_thread(write_down, entry.config, site.person(request), said)
    return page_of(request, "link.html", title="A link for somebody else", link=site.new_link())


async def all_pipelines(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    glances = await asyncio.to_thread(reading.glances, site.entries.values())
    return page_of(request, "all.html", title="Pipelines", glances=glances, problems=site.problems)


async def pipeline(request: web.Request) -> web.StreamResponse:
    config = _config(request)
    status = await asyncio.to_thread(status_of, config)
    job = request.app[SITE].jobs.last(_entry(request).name)
    return page_of(
        request,
        "pipeline.html",
        title=_entry(request).name,
        status=status,
        job=job,
        has_tables=config.pull is not None,
    )


async def progress(request: web.Request) -> web.StreamResponse:
    config = _config(request)
    status = await asyncio.to_thread(status_of, config)
    job = request.app[SITE].jobs.last(_entry(request).name)
    return page_of(request, "progress.html", title="What runs now", status=status, job=job)


async def runs(request: web.Request) -> web.StreamResponse:
    words = request.query.get("words", "")[:200]
    found = await asyncio.to_thread(reading.runs, _config(request), words)
    return page_of(request, "runs.html", title="Runs", runs=found, words=words)


async def run(request: web.Request) -> web.StreamResponse:
    config, name = _config(request), request.match_info["run"]
    kind = request.query.get("kind") or None
    if kind is not None and kind not in OUTCOMES:
        raise web.HTTPNotFound
    number, show = _number(request), _shows(request)
    report = await asyncio.to_thread(report_of, config, name, show=show)
    part = await asyncio.to_thread(reading.outcomes, config, name, kind=kind, number=number, show=show)
    return page_of(
        request,
        "run.html",
        title=f"Run {report.run_id}",
        report=report,
        part=part,
        kind=kind or "",
        kinds=OUTCOMES,
    )


async def find(request: web.Request) -> web.StreamResponse:
    """Somebody by their key: a form, for an address has no place in the address of a page."""
    key = text_of(await request.post(), "key").strip()
    config = _config(request)
    if not key:
        raise web.HTTPBadRequest
    part = await asyncio.to_thread(reading.outcomes_of_key, config, key, show=_shows(request))
    return page_of(request, "found.html", title="What became of one person", part=part)


async def rejects(request: web.Request) -> web.StreamResponse:
    config = _config(request)
    part = await asyncio.to_thread(reading.rejects, config, number=_number(request), show=_shows(request))
    commands = [
        reading.command(_entry(request), "rejects", "--csv", "again.csv"),
        reading.command(_entry(request), "retry", "again.csv"),
    ]
    return page_of(request, "rejects.html", title="Who did not get through", part=part, steps=commands)


async def waiting(request: web.Request) -> web.StreamResponse:
    config = _config(request)
    status = await asyncio.to_thread(status_of, config)
    pending = await asyncio.to_thread(parked_of, config, show=_shows(request))
    commands = [
        reading.command(_entry(request), "resolve", "KEY", "--landed"),
        reading.command(_entry(request), "resolve", "KEY", "--not-landed"),
    ]
    return page_of(
        request, "waiting.html", title="What waits, and why", status=status, pending=pending, steps=commands
    )


async def plans(request: web.Request) -> web.StreamResponse:
    config = _config(request)
    found = await asyncio.to_thread(plans_of, config)
    command = reading.command(_entry(request), "plan", "--save")
    return page_of(request, "plans.html", title="Saved plans", plans=found, steps=[command])


async def plan(request: web.Request) -> web.StreamResponse:
    config, plan_id = _config(request), request.match_info["plan"]
    saved, part = await asyncio.to_thread(
        reading.plan, config, plan_id, number=_number(request), show=_shows(request)
    )
    return page_of(request, "plan.html", title=f"Plan {saved.plan_id}", plan=saved, part=part)


async def approve(request: web.Request) -> web.StreamResponse:
    """Apply a saved plan in the background; who said so is kept with the run and the plan."""
    site, config, plan_id = request.app[SITE], _config(request), request.match_info["plan"]
    form = await request.post()
    if text_of(form, "agreed") != "yes":
        raise web.HTTPBadRequest
    # A plan of another pipeline fails here, before anything is written down.
    saved, _ = await asyncio.to_thread(reading.plan, config, plan_id, number=1, show=False)
    # `apply_plan` refuses it as well, but in the background, where nobody may be watching.
    if saved.state == "applied":
        raise web.HTTPConflict
    person = site.person(request)
    await asyncio.to_thread(write_down, config, person, f"approved the plan {plan_id}")
    # The server may have started weeks ago: the plan is checked against today's file, so that an edit since
    # then makes it stale.
    now = await asyncio.to_thread(_entry(request).read)
    site.jobs.apply(_entry(request).name, now, plan_id, person, approved=text_of(form, "many") == "yes")
    raise web.HTTPSeeOther(f"/p/{_entry(request).name}/progress")


async def stop(request: web.Request) -> web.StreamResponse:
    site, config = request.app[SITE], _config(request)
    await asyncio.to_thread(write_down, config, site.person(request), "stopped what was being applied")
    site.jobs.stop(_entry(request).name)
    raise web.HTTPSeeOther(f"/p/{_entry(request).name}/progress")


async def show(request: web.Request) -> web.StreamResponse:
    """Unmask people for a quarter of an hour, once it is written down who asked."""
    site, config = request.app[SITE], _config(request)
    await asyncio.to_thread(write_down, config, site.person(request), "asked to see names and addresses")
    site.sessions.show(request[SESSION], _entry(request).name)
    raise web.HTTPSeeOther(await _back(request))


async def hide(request: web.Request) -> web.StreamResponse:
    request[SESSION].shown_until.pop(_entry(request).name, None)
    raise web.HTTPSeeOther(await _back(request))


async def asked(request: web.Request) -> web.StreamResponse:
    found = await asyncio.to_thread(asked_of, _config(request))
    return page_of(request, "asked.html", title="Who asked", found=found)


async def charts(request: web.Request) -> web.StreamResponse:
    """The page of the tables as `report --html` writes it, with the way back."""
    config = _config(request)
    if config.pull is None:
        raise web.HTTPNotFound
    text = await asyncio.to_thread(tables_html, config)
    name = _entry(request).name
    back = f'<nav><p><a href="/p/{name}">{name}</a></p></nav>'
    response = web.Response(text=text.replace("<body>", f"<body>{back}", 1), content_type="text/html")
    # The page carries its style inline: the hash allows this one and no other.
    styles = " ".join(f"'sha256-{_digest(style)}'" for style in _STYLE.findall(text))
    response.headers["Content-Security-Policy"] = CSP.replace("style-src 'self'", f"style-src {styles}")
    return response


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _entry(request: web.Request) -> Entry:
    entry = request.app[SITE].entries.get(request.match_info["pipeline"])
    if entry is None:
        raise web.HTTPNotFound
    return entry


def _config(request: web.Request) -> PipelineConfig:
    return _entry(request).config


def _shows(request: web.Request) -> bool:
    return request.app[SITE].sessions.shows(request[SESSION], request.match_info["pipeline"])


def _number(request: web.Request) -> int:
    text = request.query.get("page", "1")
    # Not any number: the rows before a page are read, only to be skipped.
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise web.HTTPNotFound
    return int(text)


def text_of(form: Mapping[str, Any], name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


async def _back(request: web.Request) -> str:
    to = text_of(await request.post(), "to")
    # `to` comes from the form, so it must not lead to a page that is not ours.
    return f"/p/{_entry(request).name}{to if _WHERE_TO.fullmatch(to) else ''}"


def page_of(request: web.Request, name: str, **values: Any) -> web.Response:
    """A page with what the layout needs: where it is, whether people are shown, the mark of its forms."""
    entry = request.app[SITE].entries.get(request.match_info.get("pipeline", ""))
    pipeline = entry.name if entry else None
    return page(
        name,
        pipeline=pipeline,
        shows=pipeline is not None and _shows(request),
        csrf=request[SESSION].csrf,
        here=request.path,
        **values,
    )


# No HEAD: a chat or mail program that checks the link to /enter that way would use it up.
ROUTES = (
    web.get("/enter", enter, allow_head=False),
    web.get("/style.css", style, allow_head=False),
    web.get("/progress.js", script, allow_head=False),
    web.post("/leave", leave),
    web.post("/link", link),
    web.get("/", all_pipelines, allow_head=False),
    web.get("/p/{pipeline}", pipeline, allow_head=False),
    web.get("/p/{pipeline}/progress", progress, allow_head=False),
    web.get("/p/{pipeline}/runs", runs, allow_head=False),
    web.get("/p/{pipeline}/runs/{run}", run, allow_head=False),
    web.post("/p/{pipeline}/find", find),
    web.get("/p/{pipeline}/rejects", rejects, allow_head=False),
    web.get("/p/{pipeline}/waiting", waiting, allow_head=False),
    web.get("/p/{pipeline}/plans", plans, allow_head=False),
    web.get("/p/{pipeline}/plans/{plan}", plan, allow_head=False),
    web.post("/p/{pipeline}/plans/{plan}/apply", approve),
    web.post("/p/{pipeline}/stop", stop),
    web.post("/p/{pipeline}/show", show),
    web.post("/p/{pipeline}/hide", hide),
    web.get("/p/{pipeline}/asked", asked, allow_head=False),
    web.get("/p/{pipeline}/charts", charts, allow_head=False),
)
