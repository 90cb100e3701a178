"""What holds for every test: how many examples the generated tests try, and the real engine and registry they share.

Fakes live in `tests/fakes`, fixtures of one floor in that floor's own conftest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from releaser.demo.engine import PROGRAMS, PrivateEngine
from releaser.demo.registry import Registry
from tests import needs

# No deadline: two busy cores are no reason to fail. In CI the examples are the same in every run.
settings.register_profile(
    "house",
    max_examples=60,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("house"), max_examples=1000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(scope="session")
def docker_programs() -> None:
    """End the test where a private engine cannot run."""
    for name in PROGRAMS:
        needs.program(name, of="docker")
    needs.root(why="a container engine of our own makes bridges, mounts and cgroups")


@pytest.fixture(scope="session")
def registry_program() -> None:
    """End the test where there is no registry."""
    needs.program("docker-registry", of="registry")


@pytest.fixture(scope="session")
def engine(docker_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    """A running engine for all tests; what a test makes on it, it removes. Who breaks an engine has one of its own."""
    with PrivateEngine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture(scope="session")
def registry(registry_program: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A running registry for all tests; each uses repositories of its own."""
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry
