"""Who should not come in does not, and a page of somebody else makes nothing happen."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.serve.served import HOSTILE, Served, csrf_in, eventful, sandboxed, served, wait_for

PATHS = ("", "/runs", "/rejects", "/waiting", "/plans", "/progress", "/asked", "/runs/last")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Sandbox, str]]:
    project = Project(tmp_path_factory.mktemp("served"))
    with sandboxed(project) as sandbox:
        yield project, sandbox, eventful(project)


@pytest.fixture(scope="module")
def site(scene: tuple[Project, Sandbox, str]) -> Iterator[Served]:
    with served(scene[0]) as found:
        yield found


def raw(site: Served, request: bytes) -> bytes:
    name, _, port = site.host.partition(":")
    with socket.create_connection((name, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def test_without_the_link_nothing_is_seen_and_the_link_works_once(site: Served) -> None:
    for path in ("/", *(f"/p/newsletter{path}" for path in PATHS), "/progress.js", "/nonesuch"):
        refused = requests.get(site.origin + path)
        assert (refused.status_code, "newsletter" in refused.text) == (401, False), path
    for wrong in ("", "x", site.link.partition("link=")[2][:-1], "%00", "é" * 50):
        assert requests.get(f"{site.origin}/enter", params={"link": wrong}).status_code == 401
    site.enter()
    link = site.next_link()
    assert requests.head(link).status_code == 405  # what looks ahead uses nothing up
    session = requests.Session()
    assert session.get(link).status_code == 200
    assert requests.get(link).status_code == 401
    assert session.get(site.origin).status_code == 200
    forged = {name: f"{value}x" for name, value in session.cookies.items()}
    assert requests.get(site.origin, cookies=forged).status_code == 401


def test_the_cookie_is_for_this_page_alone_and_every_answer_says_how_it_may_be_used(site: Served) -> None:
    site.enter()
    came_in = requests.get(site.next_link(), allow_redirects=False)
    cookie = came_in.headers["Set-Cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    session = requests.Session()
    session.cookies.update(came_in.cookies)
    answers = [came_in, *(session.get(site.origin + path) for path in ("/", "/style.css", "/nonesuch"))]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Server"] == "kartra-sync"
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", ""])
def test_a_name_that_was_bent_to_this_machine_is_refused(site: Served, host: str) -> None:
    named = host.replace("{port}", site.host.partition(":")[2])
    session = site.enter()
    answer = session.get(site.origin, headers={"Host": named})
    assert (answer.status_code, "newsletter" in answer.text) in ((421, False), (400, False))


def test_two_hosts_are_no_host(site: Served) -> None:
    hosts = f"Host: {site.host}\r\nHost: evil.example\r\n"
    answer = raw(site, f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"400", b"421")


def test_a_form_of_another_page_changes_nothing(scene: tuple[Project, Sandbox, str], site: Served) -> None:
    project, sandbox, plan = scene
    session = site.enter()
    token = csrf_in(session.get(f"{site.origin}/p/newsletter/plans/{plan}").text)
    other = csrf_in(site.enter().get(site.origin).text)
    apply = f"{site.origin}/p/newsletter/plans/{plan}/apply"
    before = len(sandbox.account.leads)
    for data, headers in (
        ({"agreed": "yes"}, {}),
        ({"agreed": "yes", "csrf": ""}, {}),
        ({"agreed": "yes", "csrf": other}, {}),
        ({"agreed": "yes", "csrf": token}, {"Origin": "https://evil.example"}),
        ({"agreed": "yes", "csrf": token}, {"Origin": "null"}),
        ({"agreed": "yes", "csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
        ({"agreed": "yes", "csrf": token}, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert session.post(apply, data=data, headers=headers).status_code == 403, (data, headers)
    as_json = session.post(apply, json={"agreed": "yes", "csrf": token})
    as_parts = session.post(apply, files={"csrf": (None, token), "agreed": (None, "yes")})
    assert (as_json.status_code, as_parts.status_code) == (403, 403)
    assert session.get(apply).status_code == 405
    assert session.post(apply, data={"csrf": token}).status_code == 400  # nobody has said yes
    assert len(sandbox.account.leads) == before
    assert project.command("plans", "p.yaml", "--json").json["plans"][0]["state"] == "saved"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/style.css/../../../pyproject.toml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/p/..%2f..%2fetc%2fpasswd",
        "/p/newsletter/runs/..%2f..%2f..%2fcontacts.csv",
        "/p/newsletter/plans/..%2fp.yaml",
        "/p/newsletter/plans/' OR 1=1 --",
        "/p/newsletter/runs/%",
        "/p/newsletter/runs/last?kind=' OR 1=1",
        "/p/newsletter/runs/last?page=0",
        "/p/newsletter/runs/last?page=99999999999999",
        "/p/newsletter/runs/last?page=-1",
        "/templates/layout.html",
        "/p/other",
        "/static/",
        "/.env",
    ],
)
def test_no_way_leads_out_of_the_pages(site: Served, path: str) -> None:
    session = site.enter()
    cookie = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    head = f"GET {path.replace(' ', '%20')} HTTP/1.1\r\nHost: {site.host}\r\nCookie: {cookie}\r\n"
    answer = raw(site, f"{head}Connection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"404", b"400"), answer
    assert b"root:" not in answer
    assert b"Traceback" not in answer


def test_what_is_too_large_or_of_another_kind_is_refused(site: Served) -> None:
    session = site.enter()
    token = csrf_in(session.get(site.origin).text)
    large = session.post(f"{site.origin}/p/newsletter/find", data={"csrf": token, "key": "a" * 20_000})
    assert large.status_code == 413
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"):
        status = raw(site, f"{method} / HTTP/1.1\r\nHost: {site.host}\r\nConnection: close\r\n\r\n".encode())
        assert status.split()[1] in (b"400", b"401", b"405"), method
        assert session.request(method, site.origin).status_code in (400, 404, 405)
    assert raw(site, b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n").split()[1] == b"400"
    assert session.get(site.origin).status_code == 200


def test_people_are_masked_until_somebody_asks_and_that_is_written_down(
    scene: tuple[Project, Sandbox, str], site: Served
) -> None:
    project, _, plan = scene
    session = site.enter()
    pages = [f"{site.origin}/p/newsletter{path}" for path in (*PATHS, f"/plans/{plan}")]
    for page in pages:
        text = session.get(page).text
        assert "example.org" not in text, page
        assert HOSTILE not in text, page
    token = csrf_in(text)
    found = session.post(f"{site.origin}/p/newsletter/find", data={"csrf": token, "key": "lead0@example.org"})
    assert "l***@e***.org" in found.text
    assert "lead0@example.org" not in found.text
    asked = session.post(f"{site.origin}/p/newsletter/show", data={"csrf": token, "to": "/rejects"})
    assert asked.url == f"{site.origin}/p/newsletter/rejects"
    assert "not an e-mail address" in asked.text
    assert "lead3@example.org" in session.get(f"{site.origin}/p/newsletter/plans/{plan}").text
    record = project.folder / ".newsletter.asked.jsonl"
    told = [json.loads(line) for line in record.read_text().splitlines()]
    assert told[-1]["what"] == "asked to see names and addresses"
    assert "@" in told[-1]["who"]
    assert oct(record.stat().st_mode & 0o777) == "0o600"
    assert "example.org" not in record.read_text()
    hidden = session.post(f"{site.origin}/p/newsletter/hide", data={"csrf": token, "to": "//evil.example"})
    assert hidden.url == f"{site.origin}/p/newsletter"
    assert "example.org" not in session.get(pages[2]).text


def test_what_cannot_be_written_down_is_not_shown(
    scene: tuple[Project, Sandbox, str], site: Served, tmp_path: Path
) -> None:
    session = site.enter()
    record = scene[0].folder / ".newsletter.asked.jsonl"
    record.unlink(missing_ok=True)
    record.symlink_to(tmp_path / "elsewhere")
    token = csrf_in(session.get(f"{site.origin}/p/newsletter").text)
    try:
        refused = session.post(f"{site.origin}/p/newsletter/show", data={"csrf": token, "to": "/rejects"})
    finally:
        record.unlink()
    assert refused.status_code == 503
    assert not (tmp_path / "elsewhere").exists()
    assert "example.org" not in session.get(f"{site.origin}/p/newsletter/rejects").text


def test_an_approval_is_kept_with_who_gave_it_and_sends_once(project: Project) -> None:
    with sandboxed(project) as sandbox:
        plan = eventful(project)
        with served(project) as site:
            session = site.enter()
            page = f"{site.origin}/p/newsletter/plans/{plan}"
            data = {"csrf": csrf_in(session.get(page).text), "agreed": "yes"}
            assert session.post(f"{page}/apply", data=data).url == f"{site.origin}/p/newsletter/progress"
            wait_for(lambda: "What it did" in session.get(f"{site.origin}/p/newsletter/progress").text)
            assert session.post(f"{page}/apply", data=data).status_code == 409
            ended = session.post(f"{site.origin}/leave", data=data)
            assert ended.status_code == 401
            assert session.get(site.origin).status_code == 401
        assert len(sandbox.account.leads) == 3
    (kept,) = project.command("plans", "p.yaml", "--json").json["plans"]
    assert (kept["state"], kept["applied_by"].endswith(", on the page")) == ("applied", True)
    last = project.command("runs", "p.yaml", "--json").json["runs"][0]
    assert f"plan {plan}" in last["message"]
    assert "on the page" in last["message"]
    told = (project.folder / ".newsletter.asked.jsonl").read_text()
    assert f"approved the plan {plan}" in told


def test_behind_a_proxy_people_are_named_by_it_and_cookies_are_secure(project: Project) -> None:
    words = ("p.yaml", "--behind-proxy", "https://sync.example.org", "--user-header", "X-Forwarded-User")
    with sandboxed(project):
        eventful(project)
        process = project.start("serve", *words, "--port", "18766", "--json")
        assert process.stdout is not None
        try:
            link = "".join(iter(process.stdout.readline, "}\n")).partition('"url": "')[2].partition('"')[0]
            assert link.startswith("https://sync.example.org/enter?link=")
            inside = link.replace("https://sync.example.org", "http://127.0.0.1:18766")
            named = {"Host": "sync.example.org", "X-Forwarded-User": "eve"}
            assert requests.get(inside).status_code == 421
            came_in = requests.get(inside, headers=named, allow_redirects=False)
            cookie = came_in.headers["Set-Cookie"]
            assert cookie.startswith("__Host-kartra-sync=")
            assert "Secure" in cookie
            kept = {"Cookie": cookie.partition(";")[0]}
            home = "http://127.0.0.1:18766/p/newsletter"
            unnamed = requests.get(home, headers={"Host": "sync.example.org", **kept})
            assert unnamed.status_code == 403
            token = csrf_in(requests.get(home, headers=named | kept).text)
            posted = named | kept | {"Origin": "https://sync.example.org"}
            shown = requests.post(f"{home}/show", headers=posted, data={"csrf": token}, allow_redirects=False)
            assert shown.status_code == 303
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert '"who": "eve"' in (project.folder / ".newsletter.asked.jsonl").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("--user-header", "X-User"),
        ("--behind-proxy", "http://sync.example.org"),
        ("--behind-proxy", "https://sync.example.org/path"),
        ("--behind-proxy", "https://u:p@sync.example.org"),
        ("p.yaml",),
    ],
)
def test_what_would_not_be_safe_is_not_begun(
    scene: tuple[Project, Sandbox, str], words: tuple[str, ...]
) -> None:
    assert scene[0].command("serve", "p.yaml", *words, "--port", "0").code == 2
