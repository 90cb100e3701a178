"""Engines that are lent: what is in use stays open, and what is over is closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from releaser.targets.docker.client import Engine
from releaser.targets.docker.pool import Pool


class Watched(Engine):
    """An engine that tells what became of it."""

    closed = 0

    def close(self) -> None:
        """See `Engine.close`."""
        super().close()
        self.closed += 1


def made(address: str) -> Watched:
    return Watched(address, control_timeout_s=1.0, pull_timeout_s=1.0)


@pytest.fixture
def pool() -> Iterator[Pool[Watched]]:
    pool = Pool(made, size=2)
    yield pool
    pool.close()


def test_engine_in_use_stays_open_however_many_others_are_looked_at(pool: Pool[Watched]) -> None:
    with pool.lent("ssh://root@a.test") as pulling:
        others = []
        for name in "bcde":
            with pool.lent(f"ssh://root@{name}.test") as other:
                others.append(other)
        assert not pulling.closed, "the tunnel under a pull is closed"
        with pool.lent("ssh://root@a.test") as again:
            assert again is pulling, "one host has two connections"
    assert [other.closed for other in others] == [1, 1, 1, 0], "the longest idle ones are closed, once"
    assert not pulling.closed


def test_all_are_in_use_those_given_back_are_closed_down_to_the_size(pool: Pool[Watched]) -> None:
    with ExitStack() as held:
        engines = [held.enter_context(pool.lent(f"tcp://{name}.test:1")) for name in "abcd"]
        assert not any(one.closed for one in engines)
    assert sum(one.closed for one in engines) == 2


def test_pool_closed_meanwhile_engine_is_closed_when_it_is_given_back(pool: Pool[Watched]) -> None:
    with pool.lent("tcp://a.test:1") as used:
        with pool.lent("tcp://a.test:1"):
            pool.close()
        assert not used.closed, "another thread uses it"
        with pool.lent("tcp://a.test:1") as fresh:
            assert fresh is not used
    assert (used.closed, fresh.closed) == (1, 0), "what nobody uses any more stays open, and nobody can close it"
