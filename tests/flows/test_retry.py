"""Trying again what failed: it is planned from what is there now, and every rule is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.spec import ContainerSpec, Order
from releaser.domain.target import Assignment, Phase, Step
from releaser.errors import MoveConflictError, OutsideError, RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.unblock_release import unblock_release
from releaser.flows.yank_release import yank_release
from releaser.store import installations, rollouts
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import Driver
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import INSTALLATIONS, KeptVendor, Vendor, kept, vendor_on


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere; updates stop nothing, so no notice is needed."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder, order=Order.START_FIRST)
        assert made.deploy("1.0")["state"] == "succeeded"
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


class _NoRegistry:
    """A driver whose hosts cannot pull, all of them or those of one installation."""

    def __init__(self, driver: Driver, at: str = "") -> None:
        self._driver, self._at = driver, at

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        return getattr(self._driver, name)

    def apply(self, step: Step, assignment: Assignment) -> str:
        if step.phase is Phase.PREPARE and assignment.target.startswith(self._at):
            raise OutsideError("The registry is down.", advice="Mend it.", permanent=True)
        return self._driver.apply(step, assignment)


def failed(vendor: Vendor, version: str, *, to: str = "all", **options: Any) -> int:  # noqa: ANN401 -- of RolloutOptions
    """A rollout of which nothing could be prepared."""
    broken = vendor.with_driver(_NoRegistry(next(iter(vendor.ports.drivers.values()))))
    rollout: int = broken.start(version, to=to, waves=("100%",), **options)["id"]
    broken.work()
    assert vendor.show(rollout)["state"] in {"failed", "rolled_back"}
    return rollout


def retry(vendor: Vendor, rollout: int) -> str:
    retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    return str(vendor.show(rollout)["state"])


def refused(vendor: Vendor, rollout: int) -> RefusedError:
    with pytest.raises(RefusedError) as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert vendor.show(rollout)["state"] in {"failed", "rolled_back"}
    return refusal.value


def test_retry_after_the_cause_is_mended_succeeds(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    assert retry(vendor, rollout) == "succeeded"
    assert vendor.running() == vendor.recorded() == dict.fromkeys(INSTALLATIONS, "1.1")


def test_retry_of_a_rollout_that_succeeded_brings_the_version_where_it_failed(vendor: Vendor) -> None:
    broken = vendor.with_driver(_NoRegistry(next(iter(vendor.ports.drivers.values())), at="globex-own/"))
    rollout = broken.deploy("1.1", waves=("100%",), threshold=1)["id"]
    facts = vendor.show(rollout)
    assert (facts["state"], vendor.states(rollout)["globex-own"]) == ("succeeded", "failed")
    assert f"releaser rollout retry {rollout}" in vendor.show(rollout)["next"]
    assert retry(vendor, rollout) == "succeeded"
    assert vendor.running() == vendor.recorded() == dict.fromkeys(INSTALLATIONS, "1.1")
    with pytest.raises(MoveConflictError) as conflict:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert "nothing to try again" in str(conflict.value)


def test_rollout_that_somebody_ended_or_that_has_not_ended_is_not_tried_again(vendor: Vendor) -> None:
    rollout = vendor.start("1.1")["id"]
    for told in ("has not ended", "was aborted"):
        with pytest.raises(MoveConflictError) as conflict:
            retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
        assert told in str(conflict.value)
        if vendor.show(rollout)["state"] == "running":
            abort_rollout(vendor.ports, rollout_id=rollout, by="ann", reason="not today")
            vendor.work()


def test_rehearsal_that_succeeded_is_not_tried_again(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", rehearse=True)["id"]
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    with pytest.raises(MoveConflictError):
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")


def test_retry_of_a_yanked_release_is_refused(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    yank_release(vendor.ports, product="shop", version="1.1", reason="it eats data", by="rita")
    assert refused(vendor, rollout).rule == "release-state"


def test_retry_where_something_else_was_rolled_out_since_is_refused(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    assert vendor.deploy("1.1.1", to="installation=acme-own")["state"] == "succeeded"
    refusal = refused(vendor, rollout)
    assert refusal.rule == "overtaken"
    assert "acme-own runs 1.1.1" in refusal.detail
    assert vendor.running()["acme-own"] == "1.1.1", "a retry never puts an older version in the place of a newer one"


def test_retry_where_the_version_came_meanwhile_leaves_it_alone(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    assert vendor.deploy("1.1", to="installation=acme-own")["state"] == "succeeded"
    assert retry(vendor, rollout) == "succeeded"
    assert vendor.states(rollout)["acme-own"] == "already_installed"


def test_retry_makes_what_is_declared_now(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        spec = load_spec(target.spec)
        assert isinstance(spec, ContainerSpec)
        target.spec = dump(replace(spec, environment={"MODE": "new"}))
    assert retry(vendor, rollout) == "succeeded"
    with vendor.ports.database.reading() as session:
        made = load_spec(installations.get(session, "acme-own").targets[0].running_spec or {})
    assert isinstance(made, ContainerSpec)
    assert made.environment == {"MODE": "new"}


def test_retry_skips_who_was_pinned_meanwhile(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    one_off = vendor.deploy("1.1.1", to="installation=acme-own", one_off=True, ticket="SHOP-1", reason="a fair")
    assert one_off["state"] == "succeeded"
    assert retry(vendor, rollout) == "succeeded"
    assert vendor.states(rollout)["acme-own"] == "skipped"
    assert vendor.running() == {**dict.fromkeys(INSTALLATIONS, "1.1"), "acme-own": "1.1.1"}


def test_retry_of_what_was_approved_is_refused_when_it_would_be_another_plan(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        target.spec = dump(replace(load_spec(target.spec), soak_s=7.0))
        rollouts.get(session, rollout).needs_approval = True
    assert refused(vendor, rollout).rule == "plan-changed"


def test_first_installation_that_failed_is_tried_again_without_a_notice(tmp_path: Path) -> None:
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{tmp_path / 'store.db'}")
        metadata.create_all(database.engine)
        vendor = vendor_on(database, engine, tmp_path)
        declared = {name: probe(vendor, name, port=1) for name in INSTALLATIONS}
        rollout = vendor.start("1.0")["id"]
        vendor.work()
        assert vendor.show(rollout)["state"] == "rolled_back"
        for name, before in declared.items():
            probe(vendor, name, port=before)
        unblock_release(vendor.ports, product="shop", version="1.0", reason="a wrong probe", by="rita")
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
        vendor.work()
        assert vendor.show(rollout)["state"] == "succeeded", "nothing runs there, so nothing stops and nobody is told"
        assert set(vendor.running()) == set(INSTALLATIONS)
        vendor.close()


def probe(vendor: Vendor, name: str, *, port: int) -> int:
    """Declare where its health is asked for; tells where it was."""
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, name).targets[0]
        spec = load_spec(target.spec)
        url, before = "http://127.0.0.1:{}/healthz", INSTALLATIONS[name][1]
        target.spec = dump(replace(spec, health=replace(spec.health, http=url.format(port))))
    return before
