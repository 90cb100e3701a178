"""What a gate holds back, and what limits given as shares are shares of."""

from __future__ import annotations

import pytest

from releaser.flows.resume_rollout import resume_rollout
from tests.fakes.engine import Behaviour
from tests.fakes.vendor import Vendor
from tests.flows.test_rollout_rules import begun, behave, engine, vendor  # noqa: F401 -- fixtures
from tests.flows.test_stale_plans import joins


def test_trailing_wave_of_a_gated_rollout_waits_for_somebody_to_let_it_begin(vendor: Vendor) -> None:  # noqa: F811
    rollout = vendor.start("1.1", waves=("100%",), gated=True)["id"]
    assert vendor.tick()
    joins(vendor, "late")
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["pause_reason"]) == ("paused", "gate")
    assert facts["reason"] == "wave 1 is done, and somebody has to let wave 2 begin"
    assert vendor.states(rollout)["late"] == "pending"
    resume_rollout(vendor.ports, rollout_id=rollout, by="ann")
    while vendor.show(rollout)["state"] == "running":
        assert vendor.tick()
    assert (vendor.show(rollout)["state"], vendor.recorded()["late"]) == ("succeeded", "1.1")


def test_trailing_wave_of_a_rollout_without_gates_begins_by_itself(vendor: Vendor) -> None:  # noqa: F811
    rollout = vendor.start("1.1", waves=("100%",))["id"]
    assert vendor.tick()
    joins(vendor, "late")
    while vendor.show(rollout)["state"] == "running":
        assert vendor.tick()
    assert (vendor.show(rollout)["state"], vendor.recorded()["late"]) == ("succeeded", "1.1")


@pytest.mark.parametrize(("share", "ends"), [("99%", "rolled_back"), ("100%", "succeeded")])
def test_share_that_may_fail_is_of_those_that_are_changed(vendor: Vendor, share: str, ends: str) -> None:  # noqa: F811
    assert vendor.deploy("1.1", to="customer=acme")["state"] == "succeeded"
    rollout = vendor.start("1.1", waves=("100%",), threshold=share)["id"]
    behave(vendor, Behaviour.SICK)
    vendor.work()
    assert vendor.states(rollout)["globex-own"] == "rolled_back"
    assert vendor.show(rollout)["state"] == ends, "one of one failed; that the two others had it already is no success"


def test_share_that_is_updated_at_a_time_is_of_those_that_are_changed(vendor: Vendor) -> None:  # noqa: F811
    assert vendor.deploy("1.1", to="installation=acme-cloud")["state"] == "succeeded"
    planned = vendor.plan("1.1", waves=("100%",), max_parallel="99%")
    assert vendor.show(planned["rollout"])["max_parallel"] == 1
