"""The rules of rollouts on PostgreSQL: blocks, taking over, a start for later, triggers at once; waves that are watched, and gates."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from releaser.domain.rollout import RolloutState
from releaser.domain.spec import Order
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.unblock_release import unblock_release
from releaser.store import rollouts
from releaser.store.session import Database
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.vendor import INSTALLATIONS, Vendor, vendor_on


@pytest.fixture(params=[Order.STOP_FIRST])
def vendor(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = vendor_on(Database(postgres_url), engine, tmp_path, order=request.param)
        yield made
        made.close()


def test_rules_before_a_rollout_hold_on_postgresql(vendor: Vendor) -> None:
    assert vendor.deploy("1.0")["state"] == "succeeded"
    assert vendor.deploy("1.2")["blocked"]["version"] == "1.2"
    with pytest.raises(RefusedError, match="blocked"):
        vendor.start("1.2")
    unblock_release(vendor.ports, product="shop", version="1.2", reason="mended", by="rita")
    assert vendor.deploy("1.2")["blocked"]["version"] == "1.2", "once more, and the first block stays in the story"

    vendor.announce("1.1")
    with ThreadPoolExecutor(max_workers=5) as pool:
        numbers = set(pool.map(lambda _: vendor.start("1.1", key="job-7")["id"], range(5)))
    (old,) = numbers
    vendor.announce("1.1.1", supersede=True)
    new = vendor.start("1.1.1", supersede=True)["id"]
    vendor.work()
    vendor.clock.advance(timedelta(seconds=11))
    vendor.work()
    assert (vendor.show(old)["state"], vendor.show(new)["state"]) == ("superseded", "succeeded")
    assert vendor.running() == dict.fromkeys(INSTALLATIONS, "1.1.1")

    starts_at = vendor.clock.now() + timedelta(days=1)
    now = vendor.clock.now()
    vendor.announce("1.1", starts_at=starts_at)
    vendor.clock.set(now)
    later = vendor.start("1.1", starts_at=starts_at)["id"]
    with vendor.ports.database.reading() as session:
        assert rollouts.get(session, later).begins_at == starts_at
    vendor.clock.set(starts_at)
    vendor.work()
    assert vendor.show(later)["state"] == "succeeded"
    assert vendor.recorded() == dict.fromkeys(INSTALLATIONS, "1.1")


@pytest.mark.parametrize("vendor", [Order.START_FIRST], indirect=True)
def test_waves_are_watched_and_let_begin_by_a_person_on_postgresql(vendor: Vendor) -> None:
    assert vendor.deploy("1.0")["state"] == "succeeded"
    soak = timedelta(seconds=6)
    gated = vendor.start("1.1", waves=("1", "100%"), wave_soak=soak, gated=True)["id"]
    began = vendor.clock.now()
    vendor.work()
    facts = vendor.show(gated)
    assert (facts["state"], facts["pause_reason"]) == ("paused", "gate")
    assert [wave["state"] for wave in facts["waves"]] == ["gate", "pending"]
    assert vendor.clock.now() >= began + soak
    resume_rollout(vendor.ports, rollout_id=gated, by="rita")
    vendor.work()
    assert vendor.show(gated)["state"] == "succeeded"

    watched = vendor.start("1.1.1", waves=("1", "100%"), wave_soak=soak)["id"]
    while vendor.show(watched)["waves"][0]["state"] != "soaking":
        assert vendor.tick()
    for image in vendor.engine.images.values():
        if image.version == "1.1.1":
            image.behaviour = Behaviour.SICK
    vendor.work()
    facts = vendor.show(watched)
    assert facts["state"] == "failed"
    assert [wave["state"] for wave in facts["waves"]] == ["failed", "skipped"]
    assert sorted(vendor.running().values()) == ["1.1", "1.1", "1.1.1"]


def test_abort_in_the_moment_in_which_a_rollout_gives_way_ends_as_one_or_the_other(vendor: Vendor) -> None:
    """*Superseded* always names by whom, and an abort that was answered is never undone, whoever is first."""
    first = vendor.start("1.0", to="installation=acme-own")["id"]
    newer = vendor.start("1.1", to="installation=globex-own")["id"]
    vendor.work()
    ends = set()
    for _ in range(12):
        with vendor.ports.database.transaction() as session:
            rollout = rollouts.get(session, first)
            rollout.state, rollout.superseded_by_id = RolloutState.STOPPING, newer
        at_once = Barrier(2)

        def abort(both: Barrier = at_once) -> str:
            both.wait()
            try:
                return str(abort_rollout(vendor.ports, rollout_id=first, by="rita")["state"])
            except MoveConflictError as error:
                return error.detail

        def advance(both: Barrier = at_once) -> bool:
            both.wait()
            return advance_rollout(vendor.ports, rollout_id=first)

        with ThreadPoolExecutor(max_workers=2) as pool:
            answered, _ = pool.submit(abort), pool.submit(advance)
        vendor.work()
        facts = vendor.show(first)
        ends.add((facts["state"], facts["superseded_by"] == newer))
        assert (facts["state"] == "superseded") is ("superseded" in answered.result()), answered.result()
    assert ends <= {("superseded", True), ("aborted", False)}
