from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text

from releaser.domain.declaration import (
    Declaration,
    DeclaredCustomer,
    DeclaredHost,
    DeclaredInstallation,
    DeclaredModule,
    DeclaredProduct,
    DeclaredTarget,
)
from releaser.domain.spec import ContainerSpec
from releaser.domain.target import DriverName
from releaser.errors import OutsideError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.check_system import check_system
from releaser.flows.ports import Facts, Ports
from releaser.sources.git_version import git_version
from releaser.sources.source import ImageNotFoundError, RegistryUnreachableError
from releaser.store import alarms, products, workers
from releaser.store.moves import Move
from releaser.store.session import Database
from releaser.targets.target import Driver, EngineUnreachableError
from tests.fakes.bare_ports import bare_ports
from tests.fakes.clock import FakeClock


@dataclass(slots=True)
class Engines:
    """A driver that can only be asked whether engines are there."""

    silent: threading.Event = field(default_factory=threading.Event)

    def check(self, address: str) -> str:
        if address.startswith("unix:///gone"):
            raise EngineUnreachableError("Nobody answers.", permanent=False, advice="Start it.")
        if address.startswith("unix:///hangs"):
            self.silent.wait(30)
        return "Docker 1.0"


@dataclass(frozen=True, slots=True)
class Registries:
    """A registry that has nothing, and one that is not there."""

    def resolve(self, reference: str) -> str:
        if reference.startswith("gone.test"):
            raise RegistryUnreachableError("Nobody answers.", permanent=False)
        raise ImageNotFoundError("It has no such image.", permanent=True)


@pytest.fixture
def engines() -> Iterator[Engines]:
    made = Engines()
    yield made
    made.silent.set()


@pytest.fixture
def ports(database: Database, engines: Engines, tmp_path: Path) -> Ports:
    drivers = {DriverName.DOCKER: cast("Driver", engines)}
    made = bare_ports(database, tmp_path, drivers=drivers, registry=Registries())
    modules = [DeclaredModule(name=name, image=f"{name}.test/shop:{{version}}") for name in ("here", "gone")]
    declaration = Declaration(
        products=(DeclaredProduct(name="shop", repository="/srv/shop.git", modules=tuple(modules)),),
        hosts=tuple(DeclaredHost(name=name, address=f"unix:///{name}") for name in ("good", "gone")),
    )
    apply_declaration(made, declaration=declaration, dry_run=False, prune=False, by="tester")
    return made


def checked(
    ports: Ports, *, probes: Mapping[str, Callable[[], str]] | None = None, timeout_s: float = 10
) -> dict[str, Facts]:
    return {fact["name"]: fact for fact in check_system(ports, probes=probes or {}, timeout_s=timeout_s)}


def test_tag_that_moved_and_was_not_accepted_is_told(ports: Ports) -> None:
    with ports.database.transaction() as session:
        shop = products.get(session, "shop")
        alarms.keep(session, shop.id, [("v1.0", "a" * 40, "b" * 40), ("nightly", "c" * 40, "")], now=ports.clock.now())
    told = checked(ports)["tags"]
    assert (told["ok"], told["detail"]) == (
        False,
        "2 tags moved or vanished, 0 of them of releases: v1.0 of shop, nightly of shop.",
    )
    assert "releaser tag accept" in told["advice"]


def test_host_over_ssh_that_has_containers_is_asked_as_an_engine(ports: Ports) -> None:
    target = DeclaredTarget(module="here", host="away", spec=ContainerSpec(name="web"))
    declaration = Declaration(
        customers=(DeclaredCustomer(name="acme"),),
        hosts=(DeclaredHost(name="away", address="ssh://root@away.test"),),
        installations=(DeclaredInstallation(name="acme", customer="acme", product="shop", targets=(target,)),),
    )
    apply_declaration(ports, declaration=declaration, dry_run=False, prune=False, by="tester")
    told = checked(ports)["host away (docker)"]
    assert (told["ok"], told["detail"]) == (True, "Docker 1.0")


def test_everything_is_looked_at_and_told(ports: Ports) -> None:
    facts = checked(ports, probes={"git": git_version, "mail": lambda: "answers"})
    assert {name: fact["ok"] for name, fact in facts.items()} == {
        "database": True,
        "clock": True,
        "engine": True,
        "time zones": True,
        "disk": True,
        "git": True,
        "mail": True,
        "tags": True,
        "host gone": False,
        "host good": True,
        "registry gone.test": False,
        "registry here.test": True,
    }
    assert facts["host good"]["detail"] == "Docker 1.0"
    assert facts["host gone"] == {"name": "host gone", "ok": False, "detail": "Nobody answers.", "advice": "Start it."}
    assert facts["registry here.test"]["detail"] == "answers; it does not have here.test/shop:0"
    assert "2 hosts" in facts["database"]["detail"]


def test_second_line_of_a_check_is_a_warning_and_no_fault(ports: Ports) -> None:
    told = checked(ports, probes={"git": lambda: "git 2.40\nA newer one is faster."})["git"]
    assert told == {"name": "git", "ok": True, "detail": "git 2.40", "advice": "A newer one is faster."}


def test_missing_mail_server_is_said_without_being_a_fault(ports: Ports) -> None:
    assert checked(ports)["mail"]["ok"]
    assert "RELEASER_SMTP_URL" in checked(ports)["mail"]["advice"]


def test_what_hangs_is_left_behind(ports: Ports) -> None:
    host = DeclaredHost(name="hangs", address="unix:///hangs")
    apply_declaration(ports, declaration=Declaration(hosts=(host,)), dry_run=False, prune=False, by="tester")
    began = time.monotonic()
    facts = checked(ports, timeout_s=1)
    assert time.monotonic() - began < 10
    assert (facts["host hangs"]["ok"], facts["host hangs"]["detail"]) == (False, "No answer within 1 seconds.")
    assert facts["host good"]["ok"]


def test_failing_probe_is_a_fact(ports: Ports) -> None:
    def fail() -> str:
        raise OutsideError("It is gone.", permanent=True, advice="Bring it back.")

    assert checked(ports, probes={"mail": fail})["mail"]["advice"] == "Bring it back."


def test_clock_that_was_put_back_is_told(ports: Ports) -> None:
    later = ports.clock.now() + timedelta(hours=1)
    with ports.database.transaction() as session:
        session.add(Move(noun="hosts", row_id=1, source="", to="new", at=later))
    assert "NTP" in checked(ports)["clock"]["advice"]
    cast("FakeClock", ports.clock).set(later)
    assert checked(ports)["clock"]["ok"]


def test_empty_database_is_told_and_nothing_outside_is_asked(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    facts = checked(bare_ports(database, tmp_path))
    assert (facts["database"]["ok"], facts["clock"]["ok"]) == (False, True)
    assert "no tables" in facts["database"]["detail"]
    assert list(facts) == ["database", "clock", "engine", "time zones", "disk", "mail"]
    database.close()


def test_newer_schema_is_told(ports: Ports) -> None:
    with ports.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "9999" in checked(ports)["database"]["detail"]


def test_unreachable_database_is_told(tmp_path: Path) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    facts = checked(bare_ports(database, tmp_path))
    assert not facts["database"]["ok"]
    assert "cannot be reached" in facts["database"]["detail"]
    database.close()


def test_missing_home_is_told(ports: Ports, tmp_path: Path) -> None:
    away = bare_ports(ports.database, tmp_path / "none", drivers=ports.drivers, registry=ports.registry)
    assert "cannot be read" in checked(away)["disk"]["detail"]


def test_worker_that_looks_one_that_fell_silent_and_none_are_told(ports: Ports) -> None:
    assert checked(ports)["engine"]["ok"], "nobody works and nothing waits"
    now = ports.clock.now()
    with ports.database.transaction() as session:
        workers.note(session, "one", engine="embedded", numbers=[], now=now)
        workers.note(session, "two", engine="embedded", numbers=[7], now=now - timedelta(seconds=75))
    told = checked(ports)["engine"]
    assert told["ok"]
    assert "1 worker looks" in told["detail"]
    with ports.database.transaction() as session:
        workers.leave(session, "one")
    told = checked(ports)["engine"]
    assert (told["ok"], told["detail"]) == (False, "No worker has looked for 75 s.")
    assert "releaser worker" in told["advice"]
