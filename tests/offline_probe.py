"""Build, ask and serve with every way to the outside closed. Run by test_offline.py, outside pytest.

Prints one JSON object: what was done, and every address outside this machine that was tried.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

INSIDE = {"127.0.0.1", "::1", "localhost", "0.0.0.0"}
tried: list[str] = []


def guard(event: str, arguments: tuple) -> None:
    """Refuse to connect to, or to look up, anything but this machine."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host and host not in INSIDE:
        tried.append(f"{event} {host}")
        raise OSError(f"{event}: {host} is outside this machine")


def main(folder: Path, index_dir: Path) -> dict[str, object]:
    """Do what a user does; return what came of it."""
    from index import rebuild
    from qa import QA
    from qa.web import ServerSettings, Site, start
    from qa.web.store import Store

    report = rebuild(folder, index_dir)
    data = index_dir.with_name("data")
    with QA.open(index_dir) as qa, Store(data) as store:
        answer = qa.ask("How much is Amazon investing in Anthropic?")
        settings = ServerSettings(port=int(sys.argv[3]))
        with (
            start(Site(qa, store, data), settings) as server,
            urllib.request.urlopen(server.address, timeout=30) as response,
        ):
            html = response.read().decode()
    return {
        "passages": report.passages,
        "found": answer.found,
        "page": "gradio" in html.lower(),
        "tried": tried,
    }


if __name__ == "__main__":
    sys.addaudithook(guard)
    outcome = main(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(json.dumps(outcome) + "\n")
