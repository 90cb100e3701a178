"""What a plan found installed is looked at again where it is taken up long after: what is recorded then is true then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from releaser.errors import OutsideError
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.store import rollouts
from releaser.targets.docker.driver import DockerDriver
from tests.fakes.vendor import Vendor
from tests.flows.test_rollout_rules import ALL_NEW, begun, engine, vendor  # noqa: F401 -- fixtures

OWN = "globex-own"


@pytest.fixture
def gated(vendor: Vendor) -> int:  # noqa: F811 -- a fixture elsewhere
    """A rollout of 1.1 that stands before its last wave, in which globex-own had it already, two days after it was planned."""
    assert vendor.deploy("1.1", to=f"installation={OWN}")["state"] == "succeeded"
    rollout: int = vendor.start("1.1", waves=("1", "100%"), gated=True)["id"]
    vendor.work()
    assert vendor.show(rollout)["pause_reason"] == "gate"
    vendor.clock.advance(timedelta(days=2))
    return rollout


def remove(vendor: Vendor) -> None:  # noqa: F811
    """Somebody removes what serves at globex-own."""
    (found,) = [one for one in vendor.engine.containers.values() if one.name == OWN]
    del vendor.engine.containers[found.id]


def go_on(vendor: Vendor, rollout: int) -> str:  # noqa: F811
    resume_rollout(vendor.ports, rollout_id=rollout, by="ann")
    vendor.work()
    return str(vendor.show(rollout)["state"])


def test_version_that_still_runs_is_recorded_as_installed(vendor: Vendor, gated: int) -> None:  # noqa: F811
    assert go_on(vendor, gated) == "succeeded"
    assert vendor.states(gated)[OWN] == "already_installed"


def test_version_that_runs_no_more_is_brought_there_again(vendor: Vendor, gated: int) -> None:  # noqa: F811
    remove(vendor)
    assert go_on(vendor, gated) == "succeeded"
    assert vendor.states(gated)[OWN] == "succeeded"
    assert vendor.running() == vendor.recorded() == ALL_NEW
    (planned,) = [one for one in vendor.show(gated)["targets"] if one["installation"] == OWN]
    assert planned["steps"], "its journal tells what was done"


def test_approval_covers_nothing_that_it_was_not_given_for(vendor: Vendor, gated: int) -> None:  # noqa: F811
    with vendor.ports.database.transaction() as session:
        rollouts.get(session, gated).needs_approval = True
    remove(vendor)
    assert go_on(vendor, gated) == "succeeded"
    (one,) = [one for one in vendor.show(gated)["targets"] if one["installation"] == OWN]
    assert (one["state"], one["reason"]) == (
        "skipped",
        "does not run 1.1 any more, and what was approved does nothing there",
    )


class _Away:
    """A driver whose host does not answer for globex-own."""

    def __init__(self, driver: DockerDriver) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        return getattr(self._driver, name)

    def observe(self, assignment: Any) -> Any:  # noqa: ANN401 -- as the driver's
        if assignment.target.startswith(OWN):
            raise OutsideError("host-1 does not answer.", permanent=False)
        return self._driver.observe(assignment)


def test_host_that_does_not_answer_confirms_nothing(vendor: Vendor, gated: int) -> None:  # noqa: F811
    (driver,) = vendor.ports.drivers.values()
    away = replace(vendor.with_driver(_Away(driver)))  # type: ignore[arg-type]  # all else is the driver's
    assert go_on(away, gated) == "succeeded"
    (one,) = [one for one in vendor.show(gated)["targets"] if one["installation"] == OWN]
    assert one["state"] == "skipped"
    assert "could not be looked at again" in one["reason"]
    retry_rollout(vendor.ports, rollout_id=gated, by="rita")
    vendor.work()
    assert vendor.states(gated)[OWN] == "already_installed"
