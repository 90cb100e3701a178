"""A vendor with two customers, three installations and a planned rollout that stops them; no engine, no git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy.orm import Session

from releaser.channels.channel import Channel
from releaser.domain.release import ReleaseState
from releaser.domain.rollout import RolloutState, UpdateState
from releaser.domain.spec import ContainerSpec
from releaser.domain.target import Desired, Phase, Step, Stop
from releaser.domain.version import VersionKind
from releaser.flows.announce_notice import announce_notice
from releaser.flows.deliver_notices import deliver_notices
from releaser.flows.draft_notice import Touched, draft_notice
from releaser.flows.ports import Ports
from releaser.store import notices, rollouts
from releaser.store.customers import Contact, Customer
from releaser.store.installations import Host, Installation, Installed, Target
from releaser.store.notices import Delivery
from releaser.store.outbox import get as get_delivery
from releaser.store.plain import dump
from releaser.store.products import Module, Product
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.session import Database
from tests.fakes.channel import FakeChannel
from tests.fakes.clock import FakeClock

STOP_FOR = timedelta(seconds=20)
STEPS = (
    Step(name="pull", phase=Phase.PREPARE),
    Step(name="stop", phase=Phase.CUT_OVER, stops=Stop.FULL, estimated_for=STOP_FOR),
)
SPEC = ContainerSpec(name="app")


class NoticeWorld:
    """`acme` (ru, Moscow, two installations, two contacts, no regulation) and `globex` (en, one of each, leads)."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = FakeClock()
        self.channel = FakeChannel()
        self.channels: dict[str, Channel] = {"email": self.channel}
        self.woken = 0
        self.ports = Ports(
            database=database,
            clock=self.clock,
            repositories=cast("Any", None),
            registry=cast("Any", None),
            drivers={},
            channels=self.channels,
            home=folder,
            address="https://releases.example.com",
            owner="test-1",
            wake=self._wake,
            sender="Releases <releases@example.com>",
        )
        with database.transaction() as session:
            self._fill(session)

    def _wake(self) -> None:
        self.woken += 1

    def _fill(self, session: Session) -> None:
        product = Product(
            name="calls", title="Calls", ticket_patterns=["CALL-[0-9]+"], created_at=self.clock.now(), cadence_days=14
        )
        product.modules = [Module(name="app", image=""), Module(name="api", image="")]
        acme = Customer(name="acme", title="Acme", language="ru", zone="Europe/Moscow", regulation={})
        acme.contacts = [
            Contact(email="ops@acme.example"),
            Contact(email="boss@acme.example", language="en", zone="Europe/Berlin"),
        ]
        globex = Customer(name="globex", title="Globex", language="en", zone="UTC", regulation={})
        globex.contacts = [Contact(email="it@globex.example")]
        host = Host(name="h1", address="unix:///nowhere")
        session.add_all([product, acme, globex, host])
        session.flush()
        for rank, version in enumerate(("1.0", "1.1", "1.1.1"), start=1):
            session.add(self.release(product, version, rank))
        for name, customer in (("acme-1", acme), ("acme-2", acme), ("globex-1", globex)):
            row = Installation(name=name, title=name.title(), customer_id=customer.id, product_id=product.id, labels={})
            session.add(row)
            session.flush()
            for module in product.modules:
                session.add(
                    Target(
                        installation_id=row.id, module_id=module.id, host_id=host.id, spec=dump(SPEC), running_spec=None
                    )
                )

    def release(self, product: Product, version: str, rank: int) -> Release:
        """A published release row."""
        parts = version.split(".")
        return Release(
            product_id=product.id,
            version=version,
            version_key=version,
            sort_key=rank,
            line=".".join(parts[:2]),
            kind=VersionKind.STABLE if len(parts) == 2 else VersionKind.PATCH,
            state=ReleaseState.PUBLISHED,
            previous="",
        )

    def regulate(self, customer: str, **regulation: Any) -> None:  # noqa: ANN401 -- a contract is any mapping
        """Give a customer's contract a regulation."""
        with self.database.transaction() as session:
            self.row(session, Customer, customer).regulation = regulation

    def row(self, session: Session, kind: Any, name: str) -> Any:  # noqa: ANN401 -- any table with a name
        """The row of that name."""
        return session.query(kind).filter_by(name=name).one()

    def plan(
        self,
        installations: Sequence[str] = ("acme-1", "globex-1"),
        *,
        version: str = "1.1",
        **touched: Any,  # noqa: ANN401 -- see draft
    ) -> tuple[int, int]:
        """A planned rollout and the draft of its notice: their numbers."""
        with self.database.transaction() as session:
            product = self.row(session, Product, "calls")
            release = session.query(Release).filter_by(version=version).one()
            rollout = Rollout(
                product_id=product.id,
                release_id=release.id,
                selector="all",
                state=RolloutState.RUNNING,
                plan={},
                plan_hash="",
                created_at=self.clock.now(),
            )
            session.add(rollout)
            session.flush()
            for position, name in enumerate(installations):
                installation = self.row(session, Installation, name)
                for target in installation.targets[:1]:
                    session.add(
                        TargetUpdate(
                            rollout_id=rollout.id,
                            target_id=target.id,
                            wave=1,
                            position=position,
                            state=UpdateState.PENDING,
                            desired=dump(Desired(version=version, image="r/app", digest="sha256:1", spec=SPEC)),
                            previous=None,
                            steps=[dump(step) for step in STEPS],
                            planned_stop_s=STOP_FOR.total_seconds(),
                        )
                    )
            session.flush()
            number = rollout.id
        return number, self.draft(number, installations, **touched)

    def draft(
        self,
        rollout_id: int,
        installations: Sequence[str],
        *,
        starts_at: datetime | None = None,
        stop: Stop = Stop.FULL,
    ) -> int:
        """Draft (again) the notice of a rollout: its number, 0 without one."""
        with self.database.transaction() as session:
            touched = [
                Touched(
                    installation_id=self.row(session, Installation, name).id,
                    stop=stop,
                    modules=("app",),
                    stop_for=STOP_FOR,
                )
                for name in installations
            ]
            rollout = rollouts.get(session, rollout_id)
            notice = draft_notice(session, rollout=rollout, touched=touched, starts_at=starts_at, now=self.clock.now())
            return notice.id if notice else 0

    def announce(self, notice_id: int, **options: Any) -> dict[str, Any]:  # noqa: ANN401 -- those of the flow
        return announce_notice(self.ports, notice_id=notice_id, by="rita", **options)

    def deliver(self) -> int:
        """Tick until nothing is due."""
        return sum(iter(lambda: deliver_notices(self.ports), 0))

    def notice(self, notice_id: int) -> dict[str, Any]:
        with self.database.reading() as session:
            return notices.facts(notices.get(session, notice_id))

    def ledger(self, notice_id: int) -> list[tuple[str, int, str, str]]:
        """(kind, revision, address, state) of every delivery, in the order of writing."""
        with self.database.reading() as session:
            rows = notices.deliveries(session, notice_id)
            return [(row.kind.value, row.revision, row.address, row.state.value) for row in rows]

    def delivery(self, notice_id: int, address: str) -> Delivery:
        """The newest delivery to an address."""
        with self.database.reading() as session:
            ids = [row.id for row in notices.deliveries(session, notice_id) if row.address == address]
            return get_delivery(session, ids[-1])

    def end(
        self, rollout_id: int, outcomes: Mapping[str, tuple[UpdateState, float | None]], state: RolloutState
    ) -> None:
        """What a rollout's worker would have written: each installation's end and measured stop in seconds."""
        now = self.clock.now()
        with self.database.transaction() as session:
            rollout = rollouts.get(session, rollout_id)
            rollout.state = state
            for update in rollout.updates:
                update.state, seconds = outcomes[update.target.installation.name]
                update.stopped_at = None if seconds is None else now
                update.served_at = None if seconds is None else now + timedelta(seconds=seconds)

    def install(self, installation: str, version: str, *, rollout_id: int | None = None) -> None:
        """Let a version be seen to serve at an installation, now."""
        with self.database.transaction() as session:
            for target in self.row(session, Installation, installation).targets:
                session.add(
                    Installed(
                        target_id=target.id,
                        rollout_id=rollout_id,
                        version=version,
                        previous=target.version,
                        digest="sha256:1",
                        at=self.clock.now(),
                    )
                )
                target.version, target.installed_at = version, self.clock.now()

    def other(self, owner: str = "test-2") -> Ports:
        """The same world seen by another process."""
        return replace(self.ports, owner=owner)
