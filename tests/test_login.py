"""Logging in to the web app: in a browser, and from programs."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from gradio_client import Client

from qa import users as users_module
from qa.users import read_users, user_line
from qa.web import access
from qa.web.server import ServerSettings, serve
from tests.tiny_page import (
    BROWSER,
    JSON,
    LIMIT,
    LINES,
    PASSWORD,
    ask,
    basic,
    cookie_of,
    get,
    log_in,
    send,
    tiny,
)


@pytest.fixture(scope="module", autouse=True)
def upload_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        patch.setattr(users_module, "LOOK_AGAIN", 0.0)
        yield folder


@pytest.fixture(scope="module")
def running(upload_folder):
    """A server that everyone may use."""
    with serve(tiny(), ServerSettings(port=0)) as server:
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


# Visitors


def test_a_visitor_gets_a_cookie_once_and_is_known_by_it(running):
    first = get(running, "/")
    cookie = cookie_of(first)
    assert re.fullmatch(rf"{access.COOKIE}=[0-9a-f]{{32}}", cookie)
    assert re.search("HttpOnly; SameSite=Lax$", first.headers["set-cookie"])
    assert "Max-Age=31536000" in first.headers["set-cookie"]
    assert get(running, "/", Cookie=cookie).cookies == {}
    who = access.visitor_of(cookie.partition("=")[2])
    assert ask(running, Cookie=cookie) == f"hi {who} True 127.0.0.1"
    assert ask(running, Cookie=f"{access.COOKIE}=user:anna") != ask(running)
    replaced = get(running, "/", Cookie=f"{access.COOKIE}=../../x").cookies
    assert re.fullmatch("[0-9a-f]{32}", replaced[access.COOKIE])


# Users


def test_without_a_login_a_browser_is_led_to_it_and_a_program_told(locked):
    led = get(locked, "/figures?x=1", **BROWSER)
    assert (led.status, led.headers["location"]) == (303, "/login?next=%2Ffigures%3Fx%3D1")
    paths = [
        "/",
        "/config",
        "/theme.css",
        "/gradio_api/info",
        "/gradio_api/heartbeat/x",
        "/gradio_api/app_id",
    ]
    paths += [
        "/gradio_api/queue/data?session_hash=x",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/startup-events",
    ]
    assert {path: get(locked, path).status for path in paths} == dict.fromkeys(paths, 401)
    for path in ("queue/join", "call/who", "run/who", "cancel", "reset"):
        assert send(locked, "POST", f"/gradio_api/{path}", "{}", **JSON).status == 401


def test_a_user_logs_in_asks_and_logs_out(locked):
    done = log_in(locked, path="/login?next=%2Ffigures", **BROWSER)
    assert (done.status, done.headers["location"]) == (303, "/figures")
    assert re.search(r"HttpOnly; Max-Age=2592000; Path=/; SameSite=lax$", done.headers["set-cookie"])
    cookie = cookie_of(done)
    assert get(locked, "/", Cookie=cookie, **BROWSER).status == 200
    assert ask(locked, Cookie=cookie) == "hi user:anna True 127.0.0.1"
    assert ask(locked, Cookie=cookie_of(log_in(locked, "bert"))) == "hi user:bert False 127.0.0.1"
    assert (
        get(locked, "/logout", Cookie=cookie, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status
        == 403
    )
    assert get(locked, "/logout", Cookie=cookie).status == 403
    assert get(locked, "/logout", Cookie=cookie, Referer="http://evil.example/").status == 403
    assert get(locked, "/config", Cookie=cookie).status == 200
    assert get(locked, "/logout", Cookie=cookie, Referer=locked.address).status == 303
    assert get(locked, "/config", Cookie=cookie).status == 401
    again = cookie_of(log_in(locked))
    assert get(locked, "/logout", Cookie=again, Sec_Fetch_Site="same-origin").status == 303
    assert get(locked, "/config", Cookie=again).status == 401


@pytest.mark.parametrize("credentials", ["\xff\xfe", "YW5uYTo\xe9", "====", "/w=="])
def test_credentials_that_are_none_let_nobody_in(locked, credentials, caplog):
    assert get(locked, "/config", Authorization=f"Basic {credentials}").status == 401
    assert caplog.text == ""


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\t/e"]
)
def test_a_login_leads_to_no_other_place(locked, target):
    done = log_in(locked, path=f"/login?next={quote(target, safe='')}", **BROWSER)
    assert done.headers["location"] == "/"


def test_a_wrong_password_and_guessing(locked):
    assert log_in(locked, password="wrong").status == 401
    page = log_in(locked, '"><script>', "wrong", **BROWSER)
    assert page.status == 401
    assert "Wrong name or password." in page.body
    assert 'value="&quot;&gt;&lt;script&gt;"' in page.body
    for _ in range(3):
        log_in(locked, "carl", "guess")
    slowed = log_in(locked)
    assert slowed.status == 429
    assert "try again in" in slowed.body
    assert get(locked, "/config", Authorization=basic("anna", PASSWORD)).status == 401


def test_a_removed_user_and_a_changed_password_end_the_session(locked, users_file):
    anna, bert = cookie_of(log_in(locked)), cookie_of(log_in(locked, "bert"))
    users_file.write_text(f"{LINES['anna']}\n# bert has left\n")
    assert get(locked, "/config", Cookie=anna).status == 200
    assert get(locked, "/config", Cookie=bert).status == 401
    users_file.write_text(f"# new passwords\n{user_line('anna', 'another password')}\n")
    assert get(locked, "/config", Cookie=anna).status == 401


def test_programs_log_in_with_each_request_or_as_gradios_client_does(locked, users_file):
    assert ask(locked, Authorization=basic("bert", PASSWORD)) == "hi user:bert False 127.0.0.1"
    assert get(locked, "/config", Authorization=basic("bert", "wrong")).status == 401
    assert get(locked, "/config", Authorization="Basic !!").status == 401
    client = Client(locked.address, auth=("anna", PASSWORD), verbose=False, analytics_enabled=False)
    assert client.predict("hi", api_name="/who") == "hi user:anna True 127.0.0.1"
    client.close()
    users_file.write_text(LINES["anna"])
    assert get(locked, "/config", Authorization=basic("bert", PASSWORD)).status == 401


# In a browser


@pytest.mark.browser
def test_the_login_and_the_pages_work_in_a_browser_under_the_policy(
    browser, users_file, upload_folder, tmp_path
):
    said = []
    (tmp_path / "one.txt").write_text("12345")
    settings = ServerSettings(port=0, users=read_users(users_file), max_upload=LIMIT)
    with serve(tiny(), settings) as server:
        page = browser.new_context().new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{server.address}?q=1#open/x")
        page.fill("#name", "anna")
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_selector("#box textarea")
        assert page.url == f"{server.address}?q=1#open/x"
        page.fill("#box textarea", "A question")
        page.press("#box textarea", "Enter")
        page.get_by_text("An answer.").wait_for()
        page.wait_for_function("document.querySelector('#script').textContent == 'on'")
        page.set_input_files("#up input[type=file]", tmp_path / "one.txt")
        page.wait_for_function("document.querySelector('#told textarea').value == '5 bytes'")
        page.goto(f"{server.address}figures")
        page.locator("canvas, svg.marks").first.wait_for()
        assert said == []
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.ran = 1\">')"
        )
        page.wait_for_function("performance.now() > 500")
        assert page.evaluate("window.ran") is None
        assert "inline event handler" in said[0]
        page.context.close()
