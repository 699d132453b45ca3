"""The web server: bodies, tabs, the queue, originals and proxies."""

from __future__ import annotations

import json
import threading
from urllib.parse import quote, urlsplit

import gradio as gr
import pytest

from index import FootnoteError
from qa.users import read_users
from qa.web.server import ServerSettings, serve
from qa.web.tabs import NEW_A_MINUTE, WAITING_EACH, WAITING_NETWORK
from tests.tiny_page import JSON, Reply, ask, cookie_of, get, log_in, send, tiny

from . import test_server

docs = test_server.docs
upload_folder = test_server.upload_folder
running = test_server.running
users_file = test_server.users_file
locked = test_server.locked
mine = test_server.mine
join = test_server.join
heard = test_server.heard

# Bodies, tabs and the queue


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        '{"data": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"data": ' + "[" * 70 + "]" * 70 + "}",
        '{"data": [1e400], "session_hash": "a"}',
        '{"data": [NaN], "session_hash": "a"}',
        '{"data": [' + "9" * 5_000 + '], "session_hash": "a"}',
        '{"fn_index": -1, "data": [], "session_hash": "a"}',
        '{"fn_index": 99999, "data": [], "session_hash": "a"}',
        '{"fn_index": 1.5, "data": [], "session_hash": "a"}',
        '{"fn_index": 0, "data": [], "session_hash": ["a"]}',
        '{"fn_index": 0, "data": [], "session_hash": "a/../b"}',
    ],
    ids=range(13),
)
def test_a_body_that_is_no_event_is_answered_with_400(running, body, caplog):
    assert send(running, "POST", "/gradio_api/queue/join", body, **JSON).status == 400
    assert caplog.text == ""


@pytest.mark.parametrize("way", ["call/none", "call/v2/none", "run/none", "call/", "call/v2", "call/who/x"])
def test_a_function_that_there_is_not_is_answered_with_404(running, way, caplog):
    assert send(running, "POST", f"/gradio_api/{way}", '{"data": []}', **JSON).status == 404
    assert caplog.text == ""


def test_a_tab_is_its_visitors(running):
    cookie, stranger = mine(), mine()
    assert join(running, "x", cookie, "bound").status == 200
    assert join(running, "x", stranger, "bound").status == 403
    assert get(running, "/gradio_api/queue/data?session_hash=bound", Cookie=stranger).status == 403
    assert get(running, "/gradio_api/queue/data?session_hash=z&session_hash=bound").status == 400
    assert get(running, "/gradio_api/heartbeat/bound", Cookie=stranger).status == 403
    cancel = json.dumps({"session_hash": "bound", "fn_index": 0, "event_id": "x"})
    assert send(running, "POST", "/gradio_api/cancel", cancel, Cookie=stranger, **JSON).status == 403
    assert "process_completed" in heard(running, cookie, "bound")


def test_new_tabs_are_bounded_and_calls_keep_no_state(upload_folder):
    blocks = tiny()
    with serve(blocks, ServerSettings(port=0)) as server:
        cancel = '{"session_hash": "t%d", "fn_index": 0, "event_id": "x"}'
        statuses = [
            send(server, "POST", "/gradio_api/cancel", cancel % number, Cookie=mine(), **JSON).status
            for number in range(NEW_A_MINUTE + 20)
        ]
        assert statuses[:NEW_A_MINUTE] == [200] * NEW_A_MINUTE
        assert 429 in statuses
        assert send(server, "POST", "/gradio_api/cancel", cancel % 1, **JSON).status == 403  # another's still
        for _ in range(5):
            ask(server)
        assert len(blocks.state_holder.session_data) <= 1


def test_what_gradio_keeps_of_a_tab_does_not_grow_with_its_events(upload_folder):
    with gr.Blocks(analytics_enabled=False) as blocks:
        box = gr.Textbox()
        box.submit(lambda text: gr.Textbox(info=text), box, box, api_name="who")
    sizes = []
    with serve(blocks.queue(), ServerSettings(port=0)) as server:
        cookie = mine()
        for number in range(12):
            assert join(server, f"text {number}", cookie, "tab").status == 200
            assert f"text {number}" in heard(server, cookie, "tab")
            state = blocks.state_holder.session_data["tab"]
            sizes.append((len(state.blocks_config.blocks), len(state.config_values)))
    assert len(set(sizes[1:])) == 1


def test_nobody_fills_the_queue_for_all(upload_folder):
    going = threading.Event()
    with gr.Blocks(analytics_enabled=False) as blocks:
        box = gr.Textbox()
        box.submit(lambda text: going.wait(20) and text, box, box, api_name="slow")
    with serve(blocks.queue(), ServerSettings(port=0)) as server:

        def call(cookie: str) -> Reply:
            return send(server, "POST", "/gradio_api/call/slow", '{"data": ["x"]}', Cookie=cookie, **JSON)

        try:
            cookie = mine()
            statuses = [call(cookie).status for _ in range(WAITING_EACH + 4)]
            assert statuses[:WAITING_EACH] == [200] * WAITING_EACH
            refused = call(cookie)
            assert refused.status == 429
            assert "waiting" in json.loads(refused.body)["detail"]
            assert call(mine()).status == 200
            without = [call("").status for _ in range(WAITING_EACH + 1)]
            assert without == [200] * len(without)  # many programs of one network may bring no cookie
            assert [call(mine()).status for _ in range(WAITING_NETWORK)][-1] == 429
        finally:
            going.set()


def test_a_foreign_upload_folder_is_refused(monkeypatch, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "link"))
    with pytest.raises(FootnoteError, match="GRADIO_TEMP_DIR"):
        serve(tiny(), ServerSettings(port=0))


# Originals


@pytest.mark.parametrize(
    ("name", "kind", "disposition"),
    [
        ("a.html", "application/octet-stream", "attachment"),
        ("a.svg", "application/octet-stream", "attachment"),
        ("a.exe", "application/octet-stream", "attachment"),
        ("a.pdf", "application/pdf", "inline"),
        ("a.txt", "text/plain; charset=utf-8", "inline"),
        ('zoë "x".txt', "text/plain; charset=utf-8", "inline"),
    ],
)
def test_an_original_is_given_out_harmlessly(running, name, kind, disposition):
    reply = get(running, f"/original?source={quote(name)}")
    assert reply.status == 200
    assert reply.headers["content-type"] == kind
    assert reply.headers["content-disposition"].startswith(disposition)
    assert reply.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.body == "<script>alert(1)</script>"


@pytest.mark.parametrize(
    "query", ["", "?source=", "?source=no.txt", "?source=../a.txt", "?source=/etc/passwd"]
)
def test_what_is_no_original_is_not_given_out(running, query):
    assert get(running, f"/original{query}").status == 404


def test_without_originals_there_is_no_such_route_and_with_users_it_needs_a_login(locked, users_file, docs):
    assert get(locked, "/original?source=a.txt", Cookie=cookie_of(log_in(locked))).status == 404
    settings = ServerSettings(port=0, users=read_users(users_file))
    with serve(tiny(), settings, originals=lambda name: docs / name) as server:
        assert get(server, "/original?source=a.txt").status == 401
        assert get(server, "/original?source=a.txt", Cookie=cookie_of(log_in(server))).status == 200


# Proxies


def test_only_a_trusted_proxy_is_believed(running, upload_folder):
    told = {
        "X_Forwarded_For": "203.0.113.9",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
    }
    assert ask(running, **told).endswith("127.0.0.1")
    assert "evil" not in get(running, "/config", **told).body
    assert "Secure" not in get(running, "/", **told).headers["set-cookie"]
    with serve(tiny(), ServerSettings(port=0, proxy=("127.0.0.0/8",), root_path="/docs")) as server:
        assert ask(server, **told).endswith("False 203.0.113.9")
        assert ask(server, **told | {"X_Forwarded_For": "1.2.3.4, 203.0.113.9"}).endswith("203.0.113.9")
        page = get(server, "/config", **told)
        assert json.loads(page.body)["root"] == f"https://127.0.0.1:{urlsplit(server.address).port}/docs"
        assert "Path=/docs; " in page.headers["set-cookie"]
        assert page.headers["set-cookie"].endswith("; Secure")
