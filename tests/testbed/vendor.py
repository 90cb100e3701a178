"""A service in this process whose installations stand on the hosts of a bed, each reached over the wire; its worker is the real one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from releaser.assembly import assembled, configured
from releaser.bell import Bell
from releaser.cli.following import rollout_text
from releaser.demo.engine import talk
from releaser.domain.plan import RolloutOptions
from releaser.flows.announce_notice import announce_notice
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.notice_gate import NoticeRequiredError
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_rollout import show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.sources.declaration import parse_declaration
from releaser.worker.engine import engine_for
from tests.fakes.fronted_world import publish_releases
from tests.fakes.git_world import GitWorld
from tests.testbed.host import Host

WAITS_S = 60.0
PORT = 8080
_PRODUCT = """
products:
  - name: shop
    repository: {repository}
    modules: [{{name: web, image: "{image}:{{version}}"}}]
customers:
"""
_CUSTOMER = """
  - name: {name}
    regulation: {{lead_full: 0, lead_partial: 0, lead_none: 0, emergency_hours: 0}}
    contacts: [{{email: operations@{name}.test}}]
"""
_INSTALLATION = """
  - name: at-{name}
    customer: {name}
    product: shop
    targets:
      - module: web
        host: {name}
        spec:
          name: web
          stop_grace_s: 2
          soak_s: {soak_s}
          ports: [{{container_port: 8080, host_port: 8080, host_ip: 0.0.0.0}}]
          health: {{http: "http://{{host}}:8080/healthz", deadline_s: 20, timeout_s: 1}}
"""


class BedVendor:
    """One installation on each host, `at-<host>`, all of a customer of its own, and releases whose images the bed's registry has."""

    def __init__(self, ports: Ports, hosts: Sequence[Host], *, image: str) -> None:
        self.ports = ports
        self.hosts = hosts
        self.image = image

    def declare(self, repository: Path, digests: dict[str, str], *, soak_s: float = 0) -> None:
        """Declare it all, and the releases."""
        names = [host.name for host in self.hosts]
        text = _PRODUCT.format(repository=repository, image=self.image)
        text += "".join(_CUSTOMER.format(name=name) for name in names) + "hosts:\n"
        text += (
            "".join(f'  - {{name: {host.name}, address: "{host.tcp}"}}\n' for host in self.hosts) + "installations:\n"
        )
        text += "".join(_INSTALLATION.format(name=name, soak_s=soak_s) for name in names)
        apply_declaration(self.ports, declaration=parse_declaration(text), dry_run=False, prune=False, by="rita")
        publish_releases(self.ports, digests, image=self.image)

    def dry_run(self, version: str) -> Facts:
        """The plan, not kept."""
        options = RolloutOptions(waves=("100%",), starts_at=datetime.now(UTC))
        return plan_rollout(
            self.ports, product="shop", version=version, selector="all", by="rita", options=options, save=False
        )

    def begin(self, version: str, *, max_parallel: int = 4, threshold: int = 0) -> int:
        """Plan, announce and start; all hosts in one wave."""
        options = RolloutOptions(
            waves=("100%",), max_parallel=max_parallel, threshold=threshold, starts_at=datetime.now(UTC)
        )
        what = {"product": "shop", "version": version, "selector": "all", "by": "rita", "options": options}
        plan = plan_rollout(self.ports, **what, save=True)  # type: ignore[arg-type]
        for notice_id in plan["notices"]:
            announce_notice(self.ports, notice_id=notice_id, by="rita")
        found: int = start_rollout(self.ports, **what)["id"]  # type: ignore[arg-type]
        return found

    def retry(self, rollout: int) -> Facts:
        """Try again what failed: asked for a notice, announce it, as a person would; wait for the end."""
        with contextlib.suppress(NoticeRequiredError):
            retry_rollout(self.ports, rollout_id=rollout, by="rita")
            return self.ended(rollout)
        announce_notice(self.ports, notice_id=self.show(rollout)["notices"][-1], by="rita")
        retry_rollout(self.ports, rollout_id=rollout, by="rita")
        return self.ended(rollout)

    def show(self, rollout: int) -> Facts:
        return show_rollout(self.ports, rollout_id=rollout)

    def shown(self, rollout: int) -> str:
        """What `releaser rollout show` says."""
        return rollout_text(self.show(rollout))

    def target(self, rollout: int, host: Host) -> Facts:
        """One target of a rollout."""
        found: Facts = next(t for t in self.show(rollout)["targets"] if t["host"] == host.name)
        return found

    def wait(self, rollout: int, until: Callable[[Facts], bool], *, within_s: float = WAITS_S) -> Facts:
        """Look until it is so; raises with all that is shown when it takes too long."""
        ends = time.monotonic() + within_s
        while not until(facts := self.show(rollout)):
            assert time.monotonic() < ends, rollout_text(facts)
            time.sleep(0.05)  # the rows are looked at, as every reader does
        return facts

    def ended(self, rollout: int, *, within_s: float = WAITS_S) -> Facts:
        """Wait for the end."""
        return self.wait(rollout, lambda facts: facts["finished_at"] is not None, within_s=within_s)

    def deploy(self, version: str) -> Facts:
        """Begin, and wait for the end."""
        return self.ended(self.begin(version))


def serving(host: Host) -> list[str]:
    """The versions of what runs on the host, however it is called."""
    with talk(host.address) as client:
        return [one["Labels"].get("releaser.version", "?") for one in client.containers()]


def everything(host: Host) -> list[str]:
    """Every container of the host: name, version, state."""
    with talk(host.address) as client:
        return sorted(
            f"{one['Names'][0][1:]} {one['Labels'].get('releaser.version', '?')} {one['State']}"
            for one in client.containers(all=True)
        )


def clear(*hosts: Host) -> None:
    """Mend what was done to the hosts, and remove every container."""
    for host in hosts:
        host.repair()
        with talk(host.address) as client:
            for one in client.containers(all=True):
                client.remove_container(one["Id"], force=True, v=True)


@contextmanager
def vendor_on(
    hosts: Sequence[Host], folder: Path, *, image: str, digests: dict[str, str], threads: int = 4, soak_s: float = 0
) -> Iterator[BedVendor]:
    """A vendor with a worker that runs."""
    bell = Bell()
    with assembled(configured(home=folder / "home"), bell=bell) as ports:
        made = BedVendor(ports, hosts, image=image)
        made.declare(GitWorld(folder / "repository").folder, digests, soak_s=soak_s)
        engine = engine_for(ports, bell=bell, threads=threads, tick_s=0.2)
        engine.start()
        try:
            yield made
        finally:
            engine.stop()
            clear(*hosts)
