"""What is said of a version while it is being rolled out, or after only a wave of it fell ill; and when its customers are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import UpdateState, WaitsFor
from releaser.domain.spec import ContainerSpec, Order, PortBinding
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.errors import RefusedError
from releaser.flows.allow_way_back import allow_way_back
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_notice import show_notice
from releaser.flows.soak_wave import soak_wave
from releaser.flows.unblock_release import unblock_release
from releaser.flows.yank_release import yank_release
from releaser.store import installations, rollouts
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import Driver
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on
from tests.flows.test_rollout_rules import behave

OWN = "installation=acme-own"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs everywhere; only acme-cloud, which is updated first, is updated without a stop."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder)
        with database.transaction() as session:
            target = installations.get(session, "acme-cloud").targets[0]
            spec = load_spec(target.spec)
            assert isinstance(spec, ContainerSpec)
            health = replace(spec.health, http="http://127.0.0.1:{port}/healthz")
            ports = (PortBinding(container_port=8080, host_port=0),)
            target.spec = dump(replace(spec, order=Order.START_FIRST, ports=ports, health=health))
        assert made.deploy("1.0")["state"] == "succeeded"
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


CLOUD = "installation=acme-cloud"


def watched(vendor: Vendor) -> int:
    """A rollout of 1.1 to acme-cloud alone, whose wave fell ill while it was watched."""
    rollout: int = vendor.start("1.1", to=CLOUD, wave_soak=timedelta(seconds=6))["id"]
    while vendor.show(rollout)["waves"][0]["state"] != "soaking":
        assert vendor.tick()
    behave(vendor, Behaviour.SICK)
    vendor.work()
    behave(vendor, Behaviour.GOOD)
    facts = vendor.show(rollout)
    assert (facts["state"], facts["blocked"]["version"]) == ("failed", "1.1")
    return rollout


def test_retry_of_a_wave_that_fell_ill_asks_for_the_block_to_be_lifted(vendor: Vendor) -> None:
    rollout = watched(vendor)
    with pytest.raises(RefusedError) as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refusal.value.rule == "version-blocked"
    unblock_release(vendor.ports, product="shop", version="1.1", reason="it was the database", by="ann")
    retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_retry_of_a_wave_of_a_yanked_release_is_refused(vendor: Vendor) -> None:
    rollout = watched(vendor)
    unblock_release(vendor.ports, product="shop", version="1.1", reason="it was the database", by="ann")
    yank_release(vendor.ports, product="shop", version="1.1", reason="it eats data", by="rita")
    with pytest.raises(RefusedError) as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refusal.value.rule == "release-state"


def cutting_over(vendor: Vendor) -> int:
    """A rollout to acme-cloud of 1.2, which never becomes healthy, in the middle of its cutover from 1.0."""
    rollout: int = vendor.start("1.2", to=CLOUD)["id"]
    while vendor.states(rollout)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    return rollout


def test_mark_in_mid_rollout_holds_for_those_that_cross_the_version(vendor: Vendor) -> None:
    rollout = cutting_over(vendor)
    forbid_way_back(vendor.ports, product="shop", version="1.1", reason="it converts", by="rita")
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "inconsistent"}, (
        "1.0 would stand on what 1.1 converts on the way to 1.2"
    )


def test_mark_taken_back_in_mid_rollout_leaves_that_of_a_version_between(vendor: Vendor) -> None:
    rollout = cutting_over(vendor)
    for version in ("1.1", "1.2"):
        forbid_way_back(vendor.ports, product="shop", version=version, reason="it converts", by="rita")
    allow_way_back(vendor.ports, product="shop", version="1.2", by="rita")
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "inconsistent"}


def test_marks_that_are_all_taken_back_in_mid_rollout_open_the_way_back(vendor: Vendor) -> None:
    rollout = cutting_over(vendor)
    forbid_way_back(vendor.ports, product="shop", version="1.1", reason="it converts", by="rita")
    forbid_way_back(vendor.ports, product="shop", version="1.3", reason="a newer one", by="rita")
    allow_way_back(vendor.ports, product="shop", version="1.1", by="rita")
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "rolled_back"}


def test_notice_begins_with_the_first_cutover_that_stops_what_it_tells_of(vendor: Vendor) -> None:
    vendor.announce("1.1", to="customer=acme")
    rollout = vendor.start("1.1", to="customer=acme")["id"]
    (notice,) = vendor.show(rollout)["notices"]
    while vendor.states(rollout)["acme-cloud"] != "succeeded":
        assert show_notice(vendor.ports, notice_id=notice)["state"] == "announced", (
            "nothing of what was announced began"
        )
        assert vendor.tick()
    while vendor.states(rollout)["acme-own"] != "cutting_over":
        assert show_notice(vendor.ports, notice_id=notice)["state"] == "announced"
        assert vendor.tick()
    assert show_notice(vendor.ports, notice_id=notice)["state"] == "in_progress"
    vendor.work()
    assert show_notice(vendor.ports, notice_id=notice)["state"] == "completed"


def test_notice_of_work_that_ended_before_anything_stopped_is_cancelled(vendor: Vendor) -> None:
    vendor.announce("1.2", to="customer=acme")
    rollout = vendor.start("1.2", to="customer=acme")["id"]
    (notice,) = vendor.show(rollout)["notices"]
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "rolled_back", "acme-own": "skipped"}
    shown = show_notice(vendor.ports, notice_id=notice)
    assert shown["state"] == "cancelled", "nothing stopped, so no work was over"
    assert not shown["reason"], "customers are not told how rollouts work"


def test_plan_that_is_only_shown_tells_of_the_notice_that_keeping_it_drafts(vendor: Vendor) -> None:
    def shown() -> Facts:
        facts: Facts = plan_rollout(
            vendor.ports,
            product="shop",
            version="1.1",
            selector="all",
            by="rita",
            options=RolloutOptions(),
            save=False,
        )
        return facts

    foreseen = shown()["notice"]
    assert (foreseen["notice"], foreseen["installations"]) == (None, ["acme-own", "globex-own"])
    kept_plan = vendor.plan("1.1")
    (number,) = kept_plan["notices"]
    drafted = show_notice(vendor.ports, notice_id=number)
    assert kept_plan["notice"] == {**foreseen, "notice": number, "state": "draft"}
    for told in ("stop", "impact", "starts_at", "ends_at"):
        assert foreseen[told] == drafted[told], "what is shown is what is drafted"
    (need,) = [one for one in kept_plan["needs"] if one["rule"] == "notice-required"]
    assert f"releaser notice announce {number}" in need["advice"], (
        "it is drafted already, so it need not be kept for that"
    )
    vendor.announce_drafts(kept_plan["rollout"])
    assert shown()["notice"]["state"] == "announced"
    assert vendor.plan("1.1", to=CLOUD)["notice"] is None, "nothing stops there"


def test_pause_stops_the_clock_of_a_queue_too(vendor: Vendor) -> None:
    """Who queues may wait for so long after another one's turn ended, and a pause is nobody's turn."""
    rollout = vendor.start("1.1", to=CLOUD, wait_for=timedelta(hours=1))["id"]
    now = vendor.clock.now()
    with vendor.ports.database.transaction() as session:
        (update,) = rollouts.get(session, rollout).updates
        update.state, update.waits_for, update.deadline_at = UpdateState.WAITING, WaitsFor.WINDOW, now
        update.finished_at = now  # the turn that ended last, of whichever target
    pause_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="lunch")
    vendor.clock.advance(timedelta(hours=9))
    resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    (waiting,) = vendor.show(rollout)["targets"]
    assert waiting["deadline_at"] == now + timedelta(hours=1 + 9), "an hour was left when it was paused"


def test_retry_of_what_was_meant_for_a_time_that_has_passed_drafts_a_notice_for_one_that_comes(vendor: Vendor) -> None:
    starts_at = vendor.clock.now() + timedelta(hours=1)
    vendor.announce("1.2", to="installation=globex-own", starts_at=starts_at)
    rollout = vendor.start("1.2", to="installation=globex-own", starts_at=starts_at)["id"]
    vendor.work()
    assert vendor.show(rollout)["state"] == "rolled_back"
    unblock_release(vendor.ports, product="shop", version="1.2", reason="it was the database", by="ann")
    vendor.clock.advance(timedelta(days=1))
    with pytest.raises(RefusedError) as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    drafted = show_notice(vendor.ports, notice_id=vendor.show(rollout)["notices"][-1])
    assert (refusal.value.rule, drafted["state"]) == ("notice-required", "draft")
    assert drafted["starts_at"] >= vendor.clock.now(), "nobody can be told of work that was yesterday"


def test_plan_that_nobody_was_told_of_ends_when_a_newer_version_came_there(vendor: Vendor) -> None:
    forgotten = vendor.plan("1.1", to=OWN)
    elsewhere, newer = vendor.plan("1.1"), vendor.plan("1.3", to=OWN)
    assert vendor.deploy("1.1.1", to=OWN)["state"] == "succeeded"
    facts = vendor.show(forgotten["rollout"])
    assert facts["state"] == "aborted"
    assert "brought 1.1.1 there" in facts["reason"]
    assert show_notice(vendor.ports, notice_id=forgotten["notices"][0])["state"] == "cancelled"
    assert [vendor.show(one["rollout"])["state"] for one in (elsewhere, newer)] == ["planned", "planned"]


def test_plan_that_customers_were_told_of_is_left_to_people(vendor: Vendor) -> None:
    told = vendor.plan("1.1", to=OWN)["rollout"]
    vendor.announce_drafts(told)
    assert vendor.deploy("1.1.1", to=OWN)["state"] == "succeeded"
    assert vendor.show(told)["state"] == "planned"


class _PausedBehindALook:
    """A driver whose looks find nothing well, and behind the last of which somebody pauses the rollout."""

    def __init__(self, driver: Driver, pause: Callable[[], object]) -> None:
        self._driver, self._pause = driver, pause

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        return getattr(self._driver, name)

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        self._driver.verify(assignment, wanted=wanted)
        self._pause()
        return Verdict(health=Health.UNHEALTHY, reason="500")


def test_wave_that_was_paused_while_it_was_looked_at_stays_paused(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", to=CLOUD, wave_soak=timedelta(seconds=20))["id"]
    while vendor.show(rollout)["waves"][0]["state"] != "soaking":
        assert vendor.tick()
    vendor.clock.advance(timedelta(seconds=6))
    (driver,) = vendor.ports.drivers.values()
    pause = partial(pause_rollout, vendor.ports, rollout_id=rollout, by="rita", reason="let me look first")
    looking = vendor.with_driver(cast("Driver", _PausedBehindALook(driver, pause)))
    soak_wave(looking.ports, rollout_id=rollout)
    facts = vendor.show(rollout)
    assert (facts["state"], facts["waves"][0]["state"]) == ("paused", "soaking"), "a person said to wait"
    resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
