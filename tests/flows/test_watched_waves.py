"""What is judged while a wave is watched: only what the rollout brought, and only where nobody else is at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import RolloutOptions
from releaser.domain.target import Assignment, Desired, Health, Verdict
from releaser.flows.scale_installation import scale_installation
from releaser.flows.soak_wave import soak_wave
from releaser.targets.target import Driver
from tests.fakes.engine import Behaviour
from tests.fakes.vendor import Vendor
from tests.flows.test_rollout_rules import begun, behave, engine, vendor, waves  # noqa: F401 -- fixtures

CLOUD = "installation=acme-cloud"


class _Looking:
    """A driver whose looks are done by `look`; whatever else it has is the given one's."""

    def __init__(self, driver: Driver, look: Callable[[], Verdict]) -> None:
        self._driver, self._look = driver, look

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        return getattr(self._driver, name)

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        self._driver.verify(assignment, wanted=wanted)
        return self._look()


def looking(vendor: Vendor, look: Callable[[], Verdict]) -> Vendor:  # noqa: F811 -- a fixture elsewhere
    (driver,) = vendor.ports.drivers.values()
    return vendor.with_driver(cast("Driver", _Looking(driver, look)))


def watched(vendor: Vendor) -> int:  # noqa: F811
    """A rollout of 1.1 to acme-cloud whose wave is watched, and due for its next look."""
    rollout: int = vendor.start("1.1", to=CLOUD, wave_soak=timedelta(seconds=40))["id"]
    while waves(vendor)[0] != "soaking":
        assert vendor.tick()
    vendor.clock.advance(timedelta(seconds=6))
    return rollout


def hotfix(vendor: Vendor, version: str) -> int:  # noqa: F811
    rollout: int = vendor.start(version, to=CLOUD, one_off=True, ticket="SHOP-1", reason="asked for")["id"]
    return rollout


def test_installation_that_is_resized_while_its_wave_is_watched_is_not_ill(vendor: Vendor) -> None:  # noqa: F811
    rollout = watched(vendor)
    resize = Operation(kind=OperationKind.RESIZE, module="app", memory_mb=256)
    resized = scale_installation(
        vendor.ports, installation="acme-cloud", operation=resize, by="rita", options=RolloutOptions()
    )
    vendor.work()
    assert vendor.show(resized["id"])["state"] == "succeeded"
    assert vendor.show(rollout)["state"] == "succeeded"


def test_another_version_that_came_while_a_wave_is_watched_is_not_judged(vendor: Vendor) -> None:  # noqa: F811
    rollout = watched(vendor)
    other = hotfix(vendor, "1.1.1")
    vendor.work()
    assert [vendor.show(one)["state"] for one in (other, rollout)] == ["succeeded", "succeeded"]
    assert vendor.running()["acme-cloud"] == "1.1.1"


def test_wave_is_watched_on_where_another_rollout_was_rolled_back(vendor: Vendor) -> None:  # noqa: F811
    rollout = watched(vendor)
    other = hotfix(vendor, "1.2")
    while vendor.show(other)["state"] != "rolled_back":
        assert vendor.tick()
    assert vendor.show(rollout)["waves"][0]["state"] == "soaking", "what 1.2 suffers from says nothing of 1.1"
    behave(vendor, Behaviour.SICK)
    vendor.work()
    assert "acme-cloud" in vendor.show(rollout)["reason"], "1.1 serves there again, and is ill"


def test_look_during_which_another_began_to_work_there_says_nothing(vendor: Vendor) -> None:  # noqa: F811
    rollout = watched(vendor)
    begun_there: list[int] = []

    def look() -> Verdict:
        if not begun_there:
            begun_there.append(hotfix(vendor, "1.1.1"))
            while vendor.states(begun_there[0])["acme-cloud"] != "cutting_over":
                assert vendor.tick()
        return Verdict(health=Health.MISSING, reason="it is being replaced")

    soak_wave(looking(vendor, look).ports, rollout_id=rollout)
    assert vendor.show(rollout)["state"] == "running"
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_look_that_breaks_ends_the_watch_without_a_word_on_the_version(vendor: Vendor) -> None:  # noqa: F811
    rollout = watched(vendor)

    def look() -> Verdict:
        raise KeyError("State")

    soak_wave(looking(vendor, look).ports, rollout_id=rollout)
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["blocked"]) == ("failed", None)
    assert "KeyError" in facts["reason"]
