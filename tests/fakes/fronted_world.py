"""A service with its store on a real engine, and a real HAProxy before what it rolls out: from a declaration in YAML to a journal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releaser.assembly import configured
from releaser.clock import SystemClock
from releaser.domain.plan import RolloutOptions
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import ENDED, RolloutState
from releaser.domain.version import Scheme, parse
from releaser.flows.advance_rollout import advance_rollout, under_way
from releaser.flows.advance_target import advance_target
from releaser.flows.announce_notice import announce_notice
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_rollout import show_rollout
from releaser.flows.start_rollout import start_rollout
from releaser.settings import Settings
from releaser.sources.declaration import parse_declaration
from releaser.store import products, releases, rollout_work
from releaser.store.releases import Release, ReleaseImage

DEADLINE_S = 60.0
_EVERYBODY = """
products:
  - name: shop
    repository: {repository}
    modules: [{{name: web, image: "{image}:{{version}}"}}]
customers:
  - name: acme
    regulation: {{lead_full: 0, lead_partial: 0, lead_none: 0, emergency_hours: 0}}
    contacts: [{{email: operations@acme.test}}]
hosts:
  - {{name: host-1, address: "{engine}"}}
installations:
  - name: acme-shop
    customer: acme
    product: shop
    targets:
      - module: web
        host: host-1
        spec:
"""


def settings(home: Path) -> Settings:
    """A service of its own."""
    return configured(home=home)


def declare(ports: Ports, spec: str, *, image: str, engine: str, repository: Path) -> None:
    """Apply a declaration with one target, whose specification is given in YAML."""
    whole = _EVERYBODY.format(repository=repository, image=image, engine=engine)
    text = whole + "\n".join(f"          {line}" for line in spec.splitlines()) + "\n"
    apply_declaration(ports, declaration=parse_declaration(text), dry_run=False, prune=False, by="rita")


def publish_releases(ports: Ports, digests: Mapping[str, str], *, image: str) -> None:
    """The releases, as rows: what is tried begins with a rollout."""
    now = SystemClock().now()
    with ports.database.transaction() as session:
        product = products.get(session, "shop")
        for version, digest in digests.items():
            parsed = parse(version, scheme=Scheme.TWO_PART)
            release = Release(
                product_id=product.id,
                version=parsed.text,
                version_key=parsed.key,
                line=parsed.line,
                kind=parsed.kind,
                state=ReleaseState.PUBLISHED,
                published_at=now,
            )
            made = ReleaseImage(module=product.modules[0], image=f"{image}:{version}", digest=digest, resolved_at=now)
            release.images = [made]
            session.add(release)
        session.flush()
        releases.renumber(session, product)


def plan(ports: Ports, version: str) -> Facts:
    """The plan, kept, and announced where something stops."""
    options = RolloutOptions(starts_at=datetime.now(UTC))
    facts = plan_rollout(ports, product="shop", version=version, selector="all", by="rita", options=options, save=True)
    for notice_id in facts["notices"]:
        announce_notice(ports, notice_id=notice_id, by="rita")
    return facts


def deploy(ports: Ports, version: str) -> Facts:
    """Planned, started, and worked at until it ended."""
    facts = plan(ports, version)
    options = RolloutOptions(starts_at=datetime.now(UTC))
    started = start_rollout(ports, product="shop", version=version, selector="all", by="rita", options=options)
    if not started.get("unchanged"):
        work(ports)
    shown: dict[str, Any] = show_rollout(ports, rollout_id=started["id"])
    assert RolloutState(shown["state"]) in ENDED
    return {**shown, "plan": facts}


def work(ports: Ports) -> None:
    """One worker, until nothing is under way."""
    ends = time.monotonic() + DEADLINE_S
    while rolling := under_way(ports):
        assert time.monotonic() < ends, "the rollout does not end"
        moved = [advance_rollout(ports, rollout_id=rollout_id) for rollout_id in rolling]
        with ports.database.reading() as session:
            runnable = rollout_work.runnable(session, now=ports.clock.now())
        later = [advance_target(ports, update_id=update_id) for update_id in runnable]
        if not any(moved) and not any(at is not None and at <= ports.clock.now() for at in later):
            ports.clock.sleep(0.01)
