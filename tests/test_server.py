"""The web server: what it answers to, what it gives out, and that it ends."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest

from index import UsageError
from qa import users as users_module
from qa.users import read_users
from qa.web import access
from qa.web import server as server_module
from qa.web.server import FILES_AT_ONCE, ServerSettings, serve
from tests.tiny_page import JSON, LIMIT, LINES, Reply, ask, cookie_of, get, log_in, send, tiny, upload


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for name in ("a.html", "a.svg", "a.pdf", "a.txt", "a.exe", 'zoë "x".txt'):
        (folder / name).write_text("<script>alert(1)</script>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module", autouse=True)
def upload_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(users_module, "LOOK_AGAIN", 0.0)
        yield folder


@pytest.fixture(scope="module")
def running(docs, upload_folder):
    """A server that everyone may use, with uploads and originals."""

    def find(source: str) -> Path | None:
        return docs / source if source in {path.name for path in docs.iterdir()} else None

    with serve(tiny(), ServerSettings(port=0, max_upload=LIMIT), originals=find) as server:
        yield server


@pytest.fixture
def users_file(tmp_path):
    path = tmp_path / "users.txt"
    path.write_text("\n".join(LINES.values()))
    path.chmod(0o600)
    return path


@pytest.fixture
def locked(users_file, upload_folder):
    """A server with users."""
    with serve(tiny(), ServerSettings(port=0, users=read_users(users_file))) as server:
        yield server


# Serving


def test_closing_ends_open_streams_and_the_thread(upload_folder, caplog):
    before = set(threading.enumerate())
    server = serve(tiny(), ServerSettings(port=0))
    place = urlsplit(server.address)
    threads = [t for t in threading.enumerate() if t.name == "footnote-web" and t not in before]
    assert threads
    streams = []
    for path in ("/gradio_api/heartbeat/abc", "/gradio_api/heartbeat/def"):
        stream = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
        stream.request("GET", path)
        assert stream.getresponse().readline() == b"data: ALIVE\n"
        streams.append(stream)
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 3
    assert not any(thread.is_alive() for thread in threads)
    assert caplog.text == ""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((place.hostname, place.port), timeout=5)
    for stream in streams:
        stream.close()
    server.close()  # twice does no harm


def test_a_taken_port_and_a_foreign_address_are_errors_of_the_system():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(tiny(), ServerSettings(port=taken.getsockname()[1]))
    with pytest.raises(OSError, match="assign"):
        serve(tiny(), ServerSettings(host="192.0.2.1", port=0))


def test_https_with_a_certificate_and_secure_cookies(tmp_path, upload_folder):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with serve(tiny(), ServerSettings(port=0, certificate=certificate, key=key)) as server:
        assert server.address.startswith("https://127.0.0.1:")
        place = urlsplit(server.address)
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(place.hostname, place.port, timeout=20, context=context)
        connection.request("GET", "/")
        reply = Reply(connection.getresponse())
        connection.close()
    assert reply.status == 200
    assert "; Secure" in reply.headers["set-cookie"]


def test_a_certificate_that_is_none_is_named(tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for certificate in (wrong, tmp_path / "missing.pem"):
        with pytest.raises(UsageError, match=certificate.name):
            serve(tiny(), ServerSettings(port=0, certificate=certificate))
    with pytest.raises(UsageError, match="without its certificate"):
        serve(tiny(), ServerSettings(port=0, key=wrong))


def test_health_needs_nothing(locked):
    reply = get(locked, "/healthz", Host="anything.example")
    assert (reply.status, reply.body) == (200, "ok")


# Headers


@pytest.mark.parametrize("path", ["/", "/figures", "/config", "/healthz", "/no/such/page", "/theme.css"])
def test_every_answer_has_the_headers(running, path):
    headers = get(running, path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert not re.search(r"https?:|\*", policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["server"] is None
    assert headers["access-control-allow-origin"] is None


def test_each_page_has_a_nonce_of_its_own_for_all_its_scripts(running):
    nonces = set()
    for _ in range(2):
        page = get(running, "/", Accept_Encoding="br, gzip")
        nonce = re.search(r"'nonce-([^']+)'", page.headers["content-security-policy"])[1]
        assert page.body.count("<script") == page.body.count(f'<script nonce="{nonce}"') > 2
        nonces.add(nonce)
    assert len(nonces) == 2


def test_refusals_have_the_headers_too(locked):
    for reply in (get(locked, "/"), get(locked, "/config"), get(locked, "/", Host="evil.example")):
        assert reply.status in (303, 401, 421, 200)
        assert reply.headers["x-content-type-options"] == "nosniff"


# Names, sites, bodies, routes


OWN = dict.fromkeys(("localhost", "127.0.0.1:80", "[::1]:7860", "LOCALHOST:1"), 200)
FOREIGN = dict.fromkeys(("evil.example", "10.0.0.1", "localhost.evil.example", "", "["), 421)


@pytest.mark.parametrize(("host", "status"), (OWN | FOREIGN).items())
def test_only_names_of_this_machine_are_answered_to(running, host, status):
    assert get(running, "/config", Host=host).status == status


def test_further_names_can_be_allowed(upload_folder):
    with serve(tiny(), ServerSettings(port=0, allowed_hosts=("Docs.example",))) as server:
        assert get(server, "/config", Host="docs.example:443").status == 200
        assert get(server, "/config", Host="other.example").status == 421


def test_a_server_for_the_network_answers_to_addresses_but_not_to_any_name(upload_folder):
    with serve(tiny(), ServerSettings(host="0.0.0.0", port=0)) as server:
        assert server.address.startswith("http://localhost:")
        assert get(server, "/config", Host="192.168.1.5:7860").status == 200
        assert get(server, "/config", Host=socket.gethostname()).status == 200
        read = get(server, "/config", Host="192.168.1.5:7860", Origin="http://evil.example")
        assert read.headers["access-control-allow-origin"] is None
        assert get(server, "/config", Host="rebound.evil.example").status == 421
        assert ask(server).split()[2] == "False"  # nobody is an admin where all the network comes in


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "http://x.example"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, 200),
        ({"Origin": "http://localhost:2", "Host": "localhost:1"}, 403),
    ],
)
def test_posts_of_other_sites_are_refused(running, headers, status):
    reply = send(running, "POST", "/gradio_api/call/who", '{"data": ["x"]}', **JSON, **headers)
    assert reply.status == status


def test_other_sites_may_link_to_a_page_but_read_and_embed_nothing(running):
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert get(running, "/", **link).status == 200
    assert get(running, "/config", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors").status == 403
    assert (
        get(running, "/original?source=a.txt", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status
        == 403
    )
    asked = {"Origin": "http://evil.example", "Access_Control_Request_Method": "POST"}
    preflight = send(running, "OPTIONS", "/gradio_api/queue/join", **asked)
    assert preflight.headers["access-control-allow-origin"] is None


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_cut(running, told):
    place = urlsplit(running.address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    piece = b'"' + b"x" * 99_998 + b'"'
    body = b"[" + b",".join([piece] * 30) + b"]"
    headers = JSON | ({"Content-Length": str(len(body))} if told else {})
    try:
        connection.request(
            "POST", "/gradio_api/queue/join", body if told else iter([body]), headers, encode_chunked=not told
        )
        reply = Reply(connection.getresponse())
    except (BrokenPipeError, ConnectionResetError):  # refused while it was being sent
        return
    finally:
        connection.close()
    assert reply.status == 413
    assert "2,000,000" in reply.body


CLOSED = [
    "/gradio_api/proxy=http://127.0.0.1:1/x",
    "/gradio_api/file=http://127.0.0.1:1/x",
    "/gradio_api/file=https://example.org/x",
    "/gradio_api/file/etc/passwd",
    "/gradio_api/custom_component/x/client/y/z.js",
    "/gradio_api/deep_link?session_hash=x",
    "/gradio_api/vibe-code",
    "/gradio_api/component_server",
    "/gradio_api/runs",
    "/gradio_api/dev/reload",
    "/gradio_api/token",
    "/gradio_api/user",
    "/gradio_api/mcp/",
    "/gradio_api/stream/a/b/1/playlist.m3u8",
    "/monitoring",
    "/monitoring/summary",
    "/pwa_icon",
    "/login",
    "/docs",
    "/openapi.json",
]


@pytest.mark.parametrize("path", CLOSED)
def test_what_the_app_does_not_need_is_closed(running, path):
    assert get(running, path).status == 404


@pytest.mark.parametrize("folder", ["/gradio_api/file=", "/static/", "/assets/", "/svelte/"])
@pytest.mark.parametrize("dots", ["/etc/passwd", "..", "%2e%2e", "..%2f..", "..\\", "//", "%00", "~"])
def test_nothing_of_the_disk_is_given_out(running, folder, dots):
    ways = [f"{folder}{dots}", f"{folder}{dots}/etc/passwd", f"{folder}{'/'.join([dots] * 12)}/etc/passwd"]
    for way in [*ways, f"{folder}{quote(__file__)}"]:
        reply = get(running, way)
        assert reply.status in (403, 404), way
        assert "root:" not in reply.body


def test_uploads_can_be_closed(locked):
    cookie = cookie_of(log_in(locked))
    reply = upload(locked, Cookie=cookie)
    assert reply.status == 403
    assert "closed" in reply.body


def test_an_upload_is_bounded_and_its_visitors_own(running):
    mine = f"{access.COOKIE}={access.new_cookie()}"
    assert upload(running, b"x" * (LIMIT + 1), Cookie=mine).status == 413
    done = upload(running, b"a private upload", Cookie=mine)
    (path,) = json.loads(done.body)
    assert get(running, f"/gradio_api/file={path}", Cookie=mine).body == "a private upload"
    for way in (
        path,
        f"/{path}",
        path.replace("/a.txt", "/./a.txt"),
        path.replace("/a.txt", "/../" + Path(path).parent.name + "/a.txt"),
    ):
        stranger = get(running, f"/gradio_api/file={way}", Cookie=f"{access.COOKIE}={access.new_cookie()}")
        assert stranger.status == 403, way
    given = get(running, f"/gradio_api/file={path}", Cookie=mine).headers
    assert "sandbox" in given["content-security-policy"]


def test_uploads_are_bounded_in_an_hour_and_by_the_disk(upload_folder, monkeypatch):
    with serve(tiny(), ServerSettings(port=0, max_upload=LIMIT)) as server:
        statuses = [upload(server, b"x" * LIMIT).status for _ in range(FILES_AT_ONCE + 25)]
        assert statuses[:FILES_AT_ONCE] == [200] * FILES_AT_ONCE
        assert statuses[-1] == 429
    with serve(tiny(), ServerSettings(port=0, max_upload=LIMIT)) as server:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
        assert upload(server).status == 507


# Files that are named in requests


def mine() -> str:
    return f"{access.COOKIE}={access.new_cookie()}"


def join(server, value, cookie: str, tab: str, function: int = -1, **body) -> Reply:
    """Post an event as the page does: to the function of the upload, or that of the API."""
    names = json.loads(get(server, "/config").body)["dependencies"]
    number = function if function >= 0 else next(d["id"] for d in names if d["api_name"] == "who")
    asked = {"fn_index": number, "session_hash": tab, "data": [value], **body}
    return send(server, "POST", "/gradio_api/queue/join", json.dumps(asked), Cookie=cookie, **JSON)


def heard(server, cookie: str, tab: str) -> str:
    return get(server, f"/gradio_api/queue/data?session_hash={tab}", Cookie=cookie).body


def file_data(path: str, **more) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("a secret of the server")
    return str(path)


def test_gradio_itself_checks_the_paths_of_files(upload_folder, secret, monkeypatch, capfd):
    monkeypatch.setattr(server_module, "Bodies", lambda app, *_: app)
    with serve(tiny(), ServerSettings(port=0, max_upload=LIMIT)) as server:
        for function in (1, -1):  # the upload's, and the API's
            cookie, tab = mine(), f"g{function}"
            value = [file_data(secret)] if function == 1 else file_data(secret)
            assert join(server, value, cookie, tab, function).status == 200
            told = heard(server, cookie, tab)
            assert '"success":false' in told
    assert not list(upload_folder.rglob("secret.txt"))
    assert "not uploaded by a user" in capfd.readouterr().err


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "https://example.org/x", "file:///etc/passwd"])
def test_no_address_is_fetched_for_a_request(running, address):
    cookie = mine()
    (path,) = json.loads(upload(running, Cookie=cookie).body)
    for value in (file_data(address), file_data(path, url=address), {"url": address, "meta": {}}):
        assert join(running, value, cookie, "t1").status == 403


def test_a_file_of_the_server_is_read_for_nobody(running, secret, upload_folder):
    cookie = mine()
    inside = upload_folder / "inside.txt"
    inside.write_text("made by somebody else")
    for path in (secret, str(inside), "/etc/passwd", "~/x", "", "\0", "C:\\x", "\\\\host\\share"):
        wrong = file_data(path)
        for value in (wrong, [wrong], {"a": [{"b": wrong}]}, {"path": path, "meta": None}):
            assert join(running, value, cookie, "t1").status == 403, value
        assert join(running, "x", cookie, "t1", event_data={"file": wrong}).status == 403
        assert join(running, [wrong], cookie, "t1", function=1).status == 403  # any function
        for way in ("call/who", "call/v2/who", "run/who"):
            body = json.dumps({"data": [wrong], "question": wrong})
            asked = send(running, "POST", f"/gradio_api/{way}", body, Cookie=cookie, **JSON)
            assert asked.status == 403, way
    assert get(running, f"/gradio_api/file={inside}", Cookie=cookie).status == 403
    utf16 = json.dumps({"data": [file_data(secret)]}).encode("utf-16")
    assert send(running, "POST", "/gradio_api/call/who", utf16, **JSON).status == 403


def test_an_own_upload_reaches_its_function_and_anothers_does_not(running):
    cookie, stranger = mine(), mine()
    (path,) = json.loads(upload(running, b"12345", Cookie=cookie).body)
    found = json.loads(get(running, "/config").body)["dependencies"]
    number = next(d["id"] for d in found if d["targets"][0][1] == "upload")
    value = [file_data(path, url=f"{running.address}gradio_api/file={path}", orig_name="a.txt")]
    assert join(running, value, stranger, "theirs", number).status == 403
    assert join(running, value, cookie, "own", number).status == 200
    assert "5 bytes" in heard(running, cookie, "own")


def test_a_program_without_cookies_may_name_what_it_has_uploaded(running):
    (path,) = json.loads(upload(running, b"12345").body)
    body = json.dumps({"data": [file_data(path)]})
    assert send(running, "POST", "/gradio_api/call/who", body, **JSON).status == 200
    assert send(running, "POST", "/gradio_api/call/who", body, Cookie=mine(), **JSON).status == 403
