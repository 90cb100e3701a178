"""Links that commands print are such that a reader can open them."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.cli.address import FILE, announced, readers_address
from tests.cli.conftest import Cli


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_address_is_that_of_the_service_over_the_same_home_while_it_listens(
    tmp_path: Path, listening: socket.socket
) -> None:
    port = listening.getsockname()[1]
    with announced(tmp_path, "https://releases.example", host="127.0.0.1", port=port):
        assert readers_address(tmp_path, "") == "https://releases.example"
        assert readers_address(tmp_path, "https://other.example") == "https://other.example"
        listening.close()
        assert readers_address(tmp_path, "") is None, "it was killed, and could not take its word back"
    assert list(tmp_path.iterdir()) == []


def test_word_of_a_later_service_is_not_taken_back_by_an_earlier_one(tmp_path: Path, listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with announced(tmp_path, "http://old.example", host="127.0.0.1", port=1):
        later = announced(tmp_path, "http://new.example", host="127.0.0.1", port=port)
        later.__enter__()
    assert readers_address(tmp_path, "") == "http://new.example"
    later.__exit__(None, None, None)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"address": "x"}', '{"address": "x", "host": "127.0.0.1", "port": 1e9}', "\x00"]
)
def test_file_that_means_nothing_leads_nowhere(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert readers_address(tmp_path, "") is None


def test_deploy_tells_the_address_of_the_service_that_runs(vendor: Cli) -> None:
    words = ("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    alone = vendor.facts(*words)
    assert alone["url"] is None, "nobody serves: no address could be opened"
    service = vendor.started("serve", "--port", "0")
    try:
        assert service.stderr is not None
        address = service.stderr.readline().split()[3]
        served = vendor.facts(*words)
        assert served["url"] == f"{address}/rollouts/{served['id']}"
        assert stat.S_IMODE(os.stat(vendor.home / FILE).st_mode) == 0o600  # noqa: PTH116 -- as an administrator asks
    finally:
        service.send_signal(signal.SIGTERM)
        assert service.wait(30) == 0
        service.communicate()
    assert not (vendor.home / FILE).exists()
