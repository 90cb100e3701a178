"""What is declared of where targets are, and of how they are updated, while a rollout is at work there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from releaser.domain.declaration import Declaration, DeclaredHost
from releaser.domain.spec import SwarmSpec
from releaser.domain.target import DriverName
from releaser.flows.apply_declaration import InUseError, apply_declaration
from releaser.flows.ports import Facts
from releaser.store import declared
from releaser.store.installations import Host
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import Vendor, vendor_on

OWN = "installation=acme-own"
NOWHERE = "tcp://127.0.0.1:9"


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{tmp_path / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, tmp_path)
        yield made
        made.close()


def apply(vendor: Vendor, declaration: Declaration, *, dry_run: bool = False) -> Facts:
    return apply_declaration(vendor.ports, declaration=declaration, dry_run=dry_run, prune=False, by="ann")


def at(address: str) -> Declaration:
    """The host somewhere else."""
    return Declaration(hosts=(DeclaredHost(name="host-1", address=address),))


def address(vendor: Vendor) -> str:
    with vendor.ports.database.reading() as session:
        return session.scalars(select(Host.address)).one()


def cutting_over(vendor: Vendor) -> int:
    """A rollout in the midst of its cutover."""
    vendor.announce("1.0", to=OWN)
    number: int = vendor.start("1.0", to=OWN)["id"]
    while vendor.states(number)["acme-own"] != "cutting_over":
        assert vendor.tick(), "it comes to the cutover"
    return number


@pytest.mark.parametrize("dry_run", [True, False])
def test_address_of_a_host_where_a_target_is_cut_over_stays_until_that_is_over(vendor: Vendor, dry_run: bool) -> None:  # noqa: FBT001
    number, before = cutting_over(vendor), address(vendor)
    with pytest.raises(InUseError, match=f"acme-own/app@host-1 \\(rollout {number}\\)") as refusal:
        apply(vendor, at(NOWHERE), dry_run=dry_run)
    assert (refusal.value.rule, refusal.value.field, address(vendor)) == ("under-way", "address", before)
    vendor.work()
    assert (vendor.show(number)["state"], vendor.running()) == ("succeeded", {"acme-own": "1.0"})
    assert apply(vendor, at(NOWHERE), dry_run=dry_run)["changed"] == 1


def test_driver_of_a_target_that_is_cut_over_stays_until_that_is_over(vendor: Vendor) -> None:
    cutting_over(vendor)
    with vendor.ports.database.reading() as session:
        there = declared.read(session)
    changed = tuple(
        replace(one, targets=(replace(one.targets[0], driver=DriverName.SWARM, spec=SwarmSpec(name=one.name)),))
        for one in there.installations
        if one.name in {"acme-own", "globex-own"}
    )
    with pytest.raises(InUseError, match="acme-own/app") as refusal:
        apply(vendor, Declaration(installations=changed))
    assert (refusal.value.rule, refusal.value.field) == ("under-way", "driver")
    assert "globex" not in str(refusal.value), "nothing is under way there"


def test_address_of_a_host_that_never_answered_can_be_put_right_while_a_rollout_waits_for_it(vendor: Vendor) -> None:
    right = address(vendor)
    vendor.announce("1.0", to=OWN)
    number: int = vendor.start("1.0", to=OWN)["id"]
    assert apply(vendor, at(NOWHERE))["changed"] == 1, "nothing has begun there yet"
    while vendor.states(number)["acme-own"] != "waiting":
        assert vendor.tick(), "it is asked for"
    assert apply(vendor, at(right))["changed"] == 1
    vendor.work()
    assert (vendor.show(number)["state"], vendor.running()) == ("succeeded", {"acme-own": "1.0"})
