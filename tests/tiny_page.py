"""A small page on the real server, and requests as they are written: for the tests of the server."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import gradio as gr
import pandas as pd

from qa.users import user_line
from qa.web import access

PASSWORD = "correct horse"
LINES = {"anna": f"{user_line('anna', PASSWORD)}:admin", "bert": user_line("bert", PASSWORD)}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
LIMIT = 100_000


def tiny() -> gr.Blocks:
    """A page with what Footnote's has: a chat, a script, a plot, an upload, and a second page."""
    with gr.Blocks(title="Tiny", analytics_enabled=False) as blocks:
        log = gr.Chatbot(buttons=[])
        box = gr.Textbox(elem_id="box")
        gr.HTML("<p id='script'>off</p>", js_on_load="element.querySelector('#script').textContent = 'on'")
        up = gr.File(elem_id="up", file_count="multiple")
        told = gr.Textbox(elem_id="told")
        up.upload(lambda paths: f"{sum(Path(p).stat().st_size for p in paths)} bytes", up, told)

        def who(question: str, request: gr.Request) -> str:
            return (
                f"{question} {access.visitor(request)} {access.is_admin(request)} {access.address(request)}"
            )

        def chat(question: str, held: list) -> list:
            return [
                *held,
                {"role": "user", "content": question},
                {"role": "assistant", "content": "An answer."},
            ]

        asked = gr.Textbox(visible=False)
        box.submit(chat, [box, log], log, api_visibility="private")
        asked.submit(who, asked, told, api_name="who")
    with blocks.route("Figures", "/figures"):
        gr.BarPlot(pd.DataFrame({"day": ["a", "b"], "questions": [1, 2]}), x="day", y="questions")
    return blocks.queue()


class Reply:
    """What a server answered."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read().decode("utf-8", "replace")

    @property
    def cookies(self) -> dict[str, str]:
        return dict(line.split(";")[0].split("=", 1) for line in self.headers.get_all("set-cookie", []))


def send(server, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Reply:
    """A request as it is written: no redirect is followed, no cookie kept."""
    place = urlsplit(server.address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def get(server, path: str, **headers: str) -> Reply:
    return send(server, "GET", path, **headers)


def log_in(
    server, name: str = "anna", password: str = PASSWORD, path: str = "/login", **headers: str
) -> Reply:
    return send(server, "POST", path, urlencode({"username": name, "password": password}), **FORM, **headers)


def cookie_of(reply: Reply) -> str:
    return "; ".join(f"{name}={value}" for name, value in reply.cookies.items())


def ask(server, **headers: str) -> str:
    """What the function of the API says of its caller."""
    started = send(server, "POST", "/gradio_api/call/who", json.dumps({"data": ["hi"]}), **JSON, **headers)
    assert started.status == 200, started.body
    event = json.loads(started.body)["event_id"]
    told = get(server, f"/gradio_api/call/who/{event}", **headers).body
    return json.loads(told.strip().rpartition("data: ")[2])[0]


def upload(server, content: bytes = b"mine", **headers: str) -> Reply:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n' + content
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    return send(server, "POST", "/gradio_api/upload", body + b"\r\n--x--\r\n", **kind, **headers)


def basic(name: str, password: str) -> str:
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"
