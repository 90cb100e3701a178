from __future__ import annotations

import socket

from releaser.demo.ports import LOOPBACK, free_port


def test_port_asked_many_times_is_never_given_twice() -> None:
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == 100


def test_port_given_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind((LOOPBACK, free_port()))
        server.listen()
