from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time

import pytest

from tests.cli.conftest import Cli

ENDS_WITHIN_S = 20.0
"""5 s, were there nothing else to do on the machine."""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.test", "::"])  # noqa: S104 -- that it is refused
def test_serving_an_address_that_others_reach_is_refused_with_3_and_the_reason(cli: Cli, host: str) -> None:
    ran = cli("serve", "--host", host)
    assert (ran.code, ran.out) == (3, "")
    assert "no access control" in ran.err
    assert not cli.home.exists()


def test_serving_a_port_that_is_taken_ends_with_8_before_anything_is_made(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = cli("serve", "--port", str(port), "-o", "json")
    assert ran.code == 8
    assert ran.problem["field"] == "port"
    assert str(port) in ran.problem["detail"]
    assert not cli.home.exists()


def ready(process: subprocess.Popen[str]) -> dict[str, str]:
    """What it tells when it is ready: a JSON document of several lines on standard error."""
    assert process.stderr is not None
    text = ""
    for line in process.stderr:
        text += line
        if line.rstrip() == "}":
            break
    told: dict[str, str] = json.loads(text)
    return told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_that_is_told_to_end_does_so_in_order_with_0(cli: Cli, number: signal.Signals) -> None:
    process = cli.started("serve", "--port", "0", "-o", "json")
    address = ready(process)["address"]
    host = address.removeprefix("http://")
    until = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            break
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.05)
        finally:
            connection.close()
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, time.monotonic() - began < ENDS_WITHIN_S) == (0, True)
    assert "Traceback" not in err


def test_worker_that_is_told_to_end_does_so_in_order_with_0(cli: Cli) -> None:
    process = cli.started("worker", "-o", "json")
    assert "database" in ready(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
