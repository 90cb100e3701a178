from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from releaser.demo.ports import LOOPBACK, free_port


def test_port_asked_many_times_is_never_given_twice() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100


def test_port_given_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, free_port()))
        server.listen()


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel knows such names")
def test_port_given_to_one_process_is_given_to_no_other_though_nobody_listens_yet() -> None:
    port = free_port()
    only = f"from releaser.demo import ports; ports.FIRST, ports.LAST = {port}, {port + 1}; ports.free_port()"
    other = subprocess.run([sys.executable, "-c", only], capture_output=True, text=True, check=False)
    assert "no free port found" in other.stderr
