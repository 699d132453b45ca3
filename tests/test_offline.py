"""No connection leaves the machine: shown outside pytest, under which some telemetry is silent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from qa.doctor import no_network

from .conftest import SEEDS

PROBE = Path(__file__).parent / "offline_probe.py"


@pytest.mark.parametrize("hub", ["1", None])
def test_building_asking_and_serving_reach_nothing_outside(tmp_path, hub):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "HF_"))}
    environment |= {"PYTHONPATH": str(PROBE.parent.parent), "HF_HOME": str(tmp_path / "hub")}
    environment["FOOTNOTE_CACHE"] = str(tmp_path / "cache")  # so that the encoder is exported here, too
    if hub is not None:
        environment["HF_HUB_OFFLINE"] = hub
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = subprocess.run(
        [sys.executable, PROBE, SEEDS, tmp_path / "index", port],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["tried"] == []
    assert outcome["found"]
    assert outcome["page"]
    assert outcome["passages"] > 0


def test_the_guard_sees_a_connection(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(PROBE.parent)!r}); import offline_probe, socket;"
        "sys.addaudithook(offline_probe.guard);"
        "\ntry: socket.create_connection(('192.0.2.1', 80), timeout=1)"
        "\nexcept OSError: pass"
        "\nprint(offline_probe.tried)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert "192.0.2.1" in done.stdout


def test_doctor_closes_the_network_and_opens_it_again():
    connect = socket.socket.connect
    with no_network(), pytest.raises(OSError, match="network"):
        socket.create_connection(("127.0.0.1", 9))
    assert socket.socket.connect is connect
