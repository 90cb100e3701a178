"""What rollouts owe to those who are told of them: drafts that can be announced, and a beginning that is everybody's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from releaser.cli.plan import plan_text
from releaser.domain.spec import ContainerSpec, Order
from releaser.errors import RefusedError
from releaser.flows.announce_notice import announce_notice
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.expire_notices import MOVED_WITHIN, expire_notices
from releaser.flows.show_notice import show_notice
from releaser.store import installations
from releaser.store.plain import dump, load_spec
from tests.fakes.vendor import Vendor
from tests.flows.test_rollout_rules import begun, engine, regulate, stopping, vendor  # noqa: F401 -- fixtures

HOUR = timedelta(hours=1)


def order(vendor: Vendor, which: Order) -> None:  # noqa: F811 -- the fixture's value
    with vendor.ports.database.transaction() as session:
        for one in installations.everything(session):
            spec = load_spec(one.targets[0].spec)
            assert isinstance(spec, ContainerSpec)
            one.targets[0].spec = dump(replace(spec, order=which))


def go_on(vendor: Vendor, length: timedelta, *, every: timedelta = timedelta(seconds=11)) -> None:  # noqa: F811
    until = vendor.clock.now() + length
    while vendor.clock.now() < until:
        vendor.tick()
        vendor.clock.advance(every)


def test_scheduled_rollout_that_came_to_need_a_notice_leaves_a_draft_to_announce(vendor: Vendor) -> None:  # noqa: F811
    at = vendor.clock.now() + 5 * HOUR
    rollout = vendor.start("1.1", to="installation=globex-own", starts_at=at)["id"]
    assert not vendor.show(rollout)["notices"]
    order(vendor, Order.STOP_FIRST)
    vendor.clock.set(at)
    go_on(vendor, timedelta(minutes=1))
    facts = vendor.show(rollout)
    assert facts["state"] == "scheduled"
    assert facts["notices"], "there is nothing that anybody could announce"
    assert "releaser notice announce" in facts["reason"]
    number = facts["notices"][0]
    assert show_notice(vendor.ports, notice_id=number)["state"] == "draft"
    vendor.announce_drafts(rollout)
    vendor.clock.advance(timedelta(seconds=11))
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_scheduled_rollout_whose_notice_nobody_announces_is_given_up_after_its_hour(vendor: Vendor) -> None:  # noqa: F811
    at = vendor.clock.now() + 5 * HOUR
    rollout = vendor.start("1.1", to="installation=globex-own", starts_at=at)["id"]
    order(vendor, Order.STOP_FIRST)
    vendor.clock.set(at + HOUR - timedelta(minutes=1))
    go_on(vendor, timedelta(minutes=5), every=timedelta(minutes=1))
    assert vendor.show(rollout)["state"] == "scheduled", "it may be announced for an hour from when that was known"
    go_on(vendor, HOUR, every=timedelta(minutes=5))
    assert vendor.show(rollout)["state"] == "aborted"


def test_plan_and_start_say_whose_contract_sets_the_time_for_everybody(stopping: Vendor) -> None:  # noqa: F811
    day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(stopping.clock.now() + timedelta(days=5)).weekday()]
    regulate(stopping, "globex", windows=[{"days": day, "from": "22:00", "to": "23:00"}])
    facts = stopping.plan("1.1")
    assert facts["notice"]["time_set_by"] == ["globex"]
    assert "The contract of globex sets its time for everybody" in plan_text(facts)
    with pytest.raises(RefusedError, match="contract of globex sets its time for everybody; with --to customer=NAME"):
        stopping.start("1.1")
    assert stopping.plan("1.1", to="customer=acme")["notice"]["time_set_by"] == []
    regulate(stopping, "acme", windows=[{"days": day, "from": "22:00", "to": "23:00"}])
    assert stopping.plan("1.1")["notice"]["time_set_by"] == [], "it is the same for both"


def test_cutover_that_would_outlast_the_announced_time_waits(stopping: Vendor) -> None:  # noqa: F811
    stopping.announce("1.1", to="installation=globex-own")
    rollout = stopping.start("1.1", to="installation=globex-own")["id"]
    number = stopping.show(rollout)["notices"][0]
    ends_at = show_notice(stopping.ports, notice_id=number)["ends_at"]
    stopping.clock.set(ends_at - timedelta(seconds=1))
    stopping.work()
    (one,) = stopping.show(rollout)["targets"]
    assert (one["state"], one["waits_for"]) == ("waiting", "notice")
    assert "too soon for" in one["reason"]
    stopping.clock.set(ends_at)
    announce_notice(stopping.ports, notice_id=number, by="rita", starts_at=ends_at)
    stopping.work()
    assert stopping.show(rollout)["state"] == "succeeded"


def test_announced_work_that_nobody_approved_is_withdrawn_after_its_time(stopping: Vendor) -> None:  # noqa: F811
    to = "installation=globex-own"
    stopping.announce("1.1", to=to, needs_approval=True)
    rollout = stopping.start("1.1", to=to, needs_approval=True)["id"]
    assert stopping.show(rollout)["state"] == "awaiting_approval"
    number = stopping.show(rollout)["notices"][0]
    ends_at = show_notice(stopping.ports, notice_id=number)["ends_at"]
    stopping.clock.set(ends_at + MOVED_WITHIN - timedelta(seconds=1))
    assert expire_notices(stopping.ports) == 0, "somebody may still move it"
    stopping.clock.advance(timedelta(seconds=1))
    assert expire_notices(stopping.ports) == 1
    assert expire_notices(stopping.ports) == 0
    facts = show_notice(stopping.ports, notice_id=number)
    assert (facts["state"], facts["reason"]) == ("cancelled", "")
    with pytest.raises(RefusedError, match="Plan it again to draft one"):
        approve_rollout(stopping.ports, rollout_id=rollout, by="ann")
    assert stopping.plan("1.1", to=to, needs_approval=True)["rollout"] == rollout
    assert len(stopping.show(rollout)["notices"]) == 2, "there is a draft to announce"


def test_announced_work_that_is_under_way_is_not_withdrawn(stopping: Vendor) -> None:  # noqa: F811
    stopping.announce("1.1", to="installation=globex-own")
    rollout = stopping.start("1.1", to="installation=globex-own")["id"]
    stopping.clock.advance(5 * HOUR)
    assert expire_notices(stopping.ports) == 0
    number = stopping.show(rollout)["notices"][0]
    assert show_notice(stopping.ports, notice_id=number)["state"] == "announced"
