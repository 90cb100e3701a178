"""The benchmark: `make bench`, or a part of it by PYTEST_ARGS='-k cold'. It measures and tells; a slow machine fails nothing.

    make bench                              # all of it, with the peers
    make bench PEERS=0 PYTEST_ARGS='-k warm'   # a part, without getting the peers
    make bench KEEP=1                       # and keep the figures in results.json, results.md and the plot

Rollouts are measured beside `docker-compose` and a swarm, for which no other swarm may run on the machine: where one does, run it all in a
network of its own (`unshare -n sh -c 'ip link set lo up && make bench …'`). `BENCH_RATE` is how many requests a second they are under.

`BENCH_COMMITS` makes the large history another size, `BENCH_ROUNDS` measures more or less often, `BENCH_FOLDER` says where repositories and peers
are kept (`.bench` otherwise).
"""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.figures import Section, keep, told
from tests.benchmarks.histories import ROOT, Repository, generated, jenkins

PACKAGE = ROOT / "releaser"
_ORDER = ("start", "cold", "git", "warm", "service", "growth", "rollout", "engine", "live")
Tell = Callable[[Section], None]


@pytest.fixture(scope="session")
def releaser() -> str:
    """The command as it is installed, its source compiled as an installation compiles it."""
    if not compileall.compile_dir(str(PACKAGE), quiet=1):
        raise AssertionError(PACKAGE)
    return str(Path(sys.executable).with_name("releaser"))


@pytest.fixture(params=["jenkins", "generated"])
def history(request: pytest.FixtureRequest) -> Repository:
    """Each history that is measured on; read only, but for what `releaser` keeps in it."""
    found = jenkins() if request.param == "jenkins" else generated()
    if found is None:
        pytest.skip("the history of Jenkins is not present here")
    return found


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Shows a section, and keeps it where that is asked for."""

    def show(section: Section) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n\n{told(section.facts())}")
        if os.environ.get("BENCH_KEEP", "0") not in {"", "0"}:
            keep(section, order=_ORDER)

    return show
