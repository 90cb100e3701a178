"""What failed behind its cutover and must not be rolled back is left as it is: what may come over it, and what people are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from releaser.domain.plan import RolloutOptions
from releaser.errors import RefusedError
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts
from releaser.flows.retry_rollout import retry_rollout
from releaser.store.rollouts import TargetUpdate
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

TO = "installation=acme-cloud"


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs; 1.2, not safe to roll back, failed at acme-cloud and was left as it is."""
    folder = tmp_path_factory.mktemp("left")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder)
        assert made.deploy("1.0", to=TO)["state"] == "succeeded"
        forbid_way_back(made.ports, product="shop", version="1.2", reason="converts the baskets", by="rita")
        assert made.states(made.deploy("1.2", to=TO)["id"]) == {"acme-cloud": "inconsistent"}
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(left: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = left.resumed(engine, tmp_path)
        yield made
        made.close()


def dry(vendor: Vendor, version: str) -> Facts:
    options = RolloutOptions()
    return plan_rollout(
        vendor.ports, product="shop", version=version, selector=TO, by="rita", options=options, save=False
    )


def rules(vendor: Vendor, version: str) -> list[str]:
    return [one["rule"] for one in dry(vendor, version)["refusals"]]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.1.1"])
def test_nothing_older_goes_over_what_was_left_as_it_is(vendor: Vendor, version: str) -> None:
    assert vendor.recorded()["acme-cloud"] == "1.0", "it never ran well, so it is not what is recorded"
    assert rules(vendor, version) == ["no-way-back"], "what it converted would be gone back behind"
    with pytest.raises(RefusedError, match=r"1\.2"):
        vendor.start(version, to=TO)


def test_what_is_seen_to_run_there_counts_whatever_is_recorded(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        session.execute(update(TargetUpdate).values(cut_over=False))
    assert rules(vendor, "1.1") == ["no-way-back"]


def test_mended_newer_version_goes_over_it_and_is_not_rolled_back_behind_it_either(vendor: Vendor) -> None:
    assert not rules(vendor, "1.3")
    rollout = vendor.deploy("1.3", to=TO)["id"]
    assert vendor.states(rollout) == {"acme-cloud": "inconsistent"}, "1.0 would stand on what 1.2 converted"
    assert rules(vendor, "1.1") == ["no-way-back"]


def test_people_are_told_to_roll_a_mended_version_out_and_nothing_else(vendor: Vendor) -> None:
    with vendor.ports.database.reading() as session:
        rollout = session.scalars(select(TargetUpdate.rollout_id).order_by(TargetUpdate.id.desc())).first()
    assert rollout is not None
    facts = vendor.show(rollout)
    assert facts["next"].startswith("Leave what runs at acme-cloud")
    assert "mended version" in facts["next"]
    assert "1.2" not in facts["next"], "it is blocked, and would fail again"
    assert not facts["next"].count("bring up the container"), "the old one would stand on what was converted"
    with pytest.raises(RefusedError, match="Leave what runs there"):
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    reason = facts["blocked"]["reason"]
    assert reason.startswith(f"rollout {rollout} failed at acme-cloud, where it could not be turned back: ")
