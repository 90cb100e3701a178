"""The command in this process or in one of its own, over a home of its own; and an engine to deploy on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from releaser.cli.main import run
from releaser.domain.release import ReleaseState
from releaser.domain.version import Scheme, parse
from releaser.store import products, releases
from releaser.store.releases import Release, ReleaseImage
from releaser.store.session import Database
from tests.fakes.clock import FakeClock
from tests.fakes.engine import Behaviour, FakeEngine

PROGRAM = Path(sys.executable).with_name("releaser")
_FOREIGN = ("RELEASER_", "GITHUB_", "CI_", "GITLAB_", "NO_COLOR", "COLUMNS", "TERM")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command ended with and wrote."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:  # noqa: ANN401 -- facts
        return json.loads(self.out)

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.err)
        return found


@dataclass(slots=True, kw_only=True)
class Cli:
    """The command over one home; `settings` are environment variables."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home / 'releaser.db'}"

    def environment(self, **more: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {**ours, "RELEASER_HOME": str(self.home), "RELEASER_TICK_S": "0.05", **self.settings, **more}

    def __call__(self, *words: str, given: str = "", **more: str) -> Ran:
        """In this process."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patched:
            _surround(patched, self.environment(**more))
            patched.setattr(sys, "stdin", io.StringIO(given))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(words)
        return Ran(code=code, out=out.getvalue(), err=err.getvalue())

    def facts(self, *words: str, **more: str) -> Any:  # noqa: ANN401 -- facts
        """What a command that goes well tells."""
        ran = self(*words, "-o", "json", **more)
        assert ran.code == 0, ran
        return ran.facts

    def apart(self, *words: str, **more: str) -> Ran:
        """In a process of its own."""
        done = subprocess.run(
            [PROGRAM, *words], env=self.environment(**more), capture_output=True, text=True, check=False, timeout=60
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def started(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAM, *words],
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )


def _surround(patched: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        patched.delenv(name)
    for name, value in environment.items():
        patched.setenv(name, value)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(home=tmp_path / "home")


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        engine.networks.add("front")
        yield engine


REPOSITORY = "registry.test/shop"
VERSIONS = {"1.0": Behaviour.GOOD, "1.1": Behaviour.GOOD, "1.2": Behaviour.SICK, "1.3": Behaviour.GOOD}
LOST = "1.3"
"""Published, but its image is gone from the registry."""

# Nothing stops (start-first), so nobody has to be told; health is the image's own check, but `slow` is probed where nobody
# answers and so stays under way.
DECLARED = """
products:
  - {name: shop, repository: https://git.example.com/shop.git, ticket_patterns: ['SHOP-\\d+'],
     modules: [{name: app, image: 'registry.test/shop:{version}'}]}
customers:
  - {name: acme, contacts: [{email: operations@acme.example}]}
  - {name: globex}
hosts:
  - {name: host-1, address: 'ENGINE'}
installations:
  - {name: acme-shop, customer: acme, product: shop, ring: canary,
     targets: [{module: app, host: host-1, spec: {name: acme-shop, networks: [front], aliases: [acme], order: start-first}}]}
  - {name: globex-shop, customer: globex, product: shop, ring: wide,
     targets: [{module: app, host: host-1, spec: {name: globex-shop, networks: [front], aliases: [globex], order: start-first}}]}
  - {name: slow-shop, customer: globex, product: shop, ring: slow,
     targets: [{module: app, host: host-1, spec: {name: slow-shop, networks: [front], aliases: [slow], order: start-first,
       stop_grace_s: 1, ports: [{container_port: 8080, host_port: 0}],
       health: {http: 'http://127.0.0.1:{port}/', deadline_s: 90}}}]}
  - {name: loud-shop, customer: acme, product: shop, ring: loud,
     targets: [{module: app, host: host-1, spec: {name: loud-shop, ports: ['18099:8080'], stop_grace_s: 1}}]}
"""


@pytest.fixture
def vendor(cli: Cli, engine: FakeEngine) -> Cli:
    """A vendor with versions of `shop` published, and installations on the engine."""
    assert cli("apply", "-f", "-", given=DECLARED.replace("ENGINE", engine.address)).code == 0
    database = Database(cli.url)
    now = FakeClock().now()
    with database.transaction() as session:
        shop = products.get(session, "shop")
        for version, behaviour in VERSIONS.items():
            parsed = parse(version, scheme=Scheme.TWO_PART)
            digest = engine.push(REPOSITORY, version, behaviour=behaviour, healthcheck=True)
            image = f"{REPOSITORY}:{version}"
            release = Release(
                product_id=shop.id,
                version=parsed.text,
                version_key=parsed.key,
                line=parsed.line,
                kind=parsed.kind,
                state=ReleaseState.PUBLISHED,
                published_at=now,
            )
            release.images = [ReleaseImage(module=shop.modules[0], image=image, digest=digest, resolved_at=now)]
            session.add(release)
        session.flush()
        releases.renumber(session, shop)
    database.close()
    del engine.images[f"{REPOSITORY}@{engine.push(REPOSITORY, LOST)}"]
    return cli
