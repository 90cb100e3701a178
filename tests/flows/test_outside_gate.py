"""Where users' own address is declared, a version that is well by itself and not answered there is not well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from releaser.domain.advance import SAYS_NOTHING
from releaser.store import blocks
from releaser.store.installations import Target
from releaser.store.plain import dump, load_spec
from releaser.store.releases import Release
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.watch import NoWatch
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

USERS = "https://shop.test/healthz"


@dataclass(slots=True)
class Users(NoWatch):
    """Ask at their address, and get a bad answer when so many questions were answered."""

    well_for: int = 0
    before: bool = True
    asked: int = 0

    def answered(self, update_id: int) -> bool:
        assert update_id
        return self.before

    def ask(self, url: str, *, status: int, timeout_s: float) -> str:
        assert (url, status, timeout_s) == (USERS, 200, 2.0)
        self.asked += 1
        return "" if self.asked <= self.well_for else f"{url} answers 503, not 200"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere; acme's own installation has an address for its users since."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder)
        assert made.deploy("1.0")["state"] == "succeeded"
        with database.transaction() as session:
            for target in session.scalars(select(Target)):
                spec = load_spec(target.spec)
                target.spec = dump(replace(spec, soak_s=3.0, health=replace(spec.health, outside=USERS)))
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


def deployed(vendor: Vendor, users: Users) -> dict[str, object]:
    vendor.ports = replace(vendor.ports, watch=users)
    facts = vendor.deploy("1.1", to="installation=acme-own")
    (target,) = facts["targets"]
    return {"rollout": facts["state"], "state": target["state"], "reason": target["reason"]}


def is_blocked(vendor: Vendor) -> bool:
    with vendor.ports.database.reading() as session:
        release = session.scalars(select(Release).where(Release.version == "1.1")).one()
        return blocks.standing(session, release.id) is not None


def test_users_never_get_an_answer_after_the_cutover_and_the_gate_stays_shut(vendor: Vendor) -> None:
    ended = deployed(vendor, Users())
    assert (ended["rollout"], ended["state"]) == ("rolled_back", "rolled_back")
    assert ended["reason"] == f"not healthy in time: from outside: {USERS} answers 503, not 200; it did before"
    assert vendor.running()["acme-own"] == "1.0"
    assert is_blocked(vendor)


def test_users_got_no_answer_before_either_and_nothing_is_held_against_the_version(vendor: Vendor) -> None:
    ended = deployed(vendor, Users(before=False))
    assert ended["state"] == "rolled_back", "the gate is shut all the same"
    assert str(ended["reason"]).endswith(f"; nor was it seen to answer before, {SAYS_NOTHING}")
    assert not is_blocked(vendor)


def test_users_get_no_answer_any_more_while_it_soaks(vendor: Vendor) -> None:
    ended = deployed(vendor, Users(well_for=2, before=False))
    assert ended["state"] == "rolled_back"
    assert ended["reason"] == f"failed while soaking: from outside: {USERS} answers 503, not 200; it did before"
    assert is_blocked(vendor), "it was seen to answer at the gate"


def test_users_get_no_answer_any_more_while_the_wave_is_watched(vendor: Vendor) -> None:
    users = Users(well_for=1000)
    vendor.ports = replace(vendor.ports, watch=users)
    vendor.announce("1.1", to="installation=acme-own", wave_soak=timedelta(seconds=20))
    rollout = vendor.start("1.1", to="installation=acme-own", wave_soak=timedelta(seconds=20))["id"]
    while vendor.show(rollout)["waves"][0]["state"] != "soaking":
        assert vendor.tick()
    users.well_for = 0
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed"
    assert f"acme-own: from outside: {USERS} answers 503, not 200" in facts["reason"]


def test_users_get_their_answers_and_all_goes_well(vendor: Vendor) -> None:
    users = Users(well_for=1000)
    assert deployed(vendor, users)["rollout"] == "succeeded"
    assert users.asked >= 2, "at the gate, and at the soak's end"
