"""Who steered a rollout and why is shown, and nothing older in its place; one that ends before it begins leaves nothing open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from releaser.domain.spec import Order
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import Vendor, vendor_on


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[Vendor]:
    """Nothing runs yet anywhere."""
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{tmp_path / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, tmp_path, order=Order.START_FIRST)
        yield made
        made.close()


def test_what_steers_a_rollout_is_shown_with_its_own_reason(vendor: Vendor) -> None:
    rollout = vendor.start("1.0", needs_approval=True)["id"]
    steps = [
        (approve_rollout, "anna", "ok"),
        (pause_rollout, "rita", "the customer called"),
        (resume_rollout, "rita", ""),
        (pause_rollout, "fred", ""),
        (resume_rollout, "fred", "go on"),
        (abort_rollout, "rita", "not tonight"),
    ]
    for flow, by, reason in steps:
        flow(vendor.ports, rollout_id=rollout, by=by, reason=reason)
        facts = vendor.show(rollout)
        assert facts["reason"] == reason, "nothing older stands in its place"
        assert (facts["moves"][-1]["by"], facts["moves"][-1]["reason"]) == (by, reason)
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["reason"]) == ("aborted", "not tonight")


def test_rollout_that_never_began_leaves_nothing_pending(vendor: Vendor) -> None:
    rollout = vendor.start("1.0", starts_at=vendor.clock.now() + timedelta(days=1))["id"]
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="not needed")
    facts = vendor.show(rollout)
    assert {one["state"] for one in facts["targets"]} == {"skipped"}
    assert {one["state"] for one in facts["waves"]} == {"skipped"}
