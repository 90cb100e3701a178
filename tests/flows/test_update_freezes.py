"""Freezes of updates: whom they hold, how long, who overrides them, and which are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.rollout import BEING_CUT_OVER
from releaser.domain.spec import Order
from releaser.domain.update_freeze import FreezeScope, InvalidUpdateFreezeError
from releaser.errors import RefusedError
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.lift_freeze import lift_freeze
from releaser.flows.list_freezes import list_freezes
from releaser.flows.override_freeze import override_freeze
from releaser.store.products import ProductNotFoundError
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

HOUR = timedelta(hours=1)
ALL_NEW = dict.fromkeys(("acme-cloud", "acme-own", "globex-own"), "1.1")
_TOUCHED = {state.value for state in BEING_CUT_OVER}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere; nothing stops at an update, so nobody has to be told."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        vendor = vendor_on(database, engine, folder, order=Order.START_FIRST)
        assert vendor.deploy("1.0")["state"] == "succeeded"
        return kept(vendor, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


def freeze(vendor: Vendor, scope: FreezeScope, name: str = "", *, length: timedelta = HOUR, **more: Any) -> int:  # noqa: ANN401
    facts = freeze_updates(
        vendor.ports,
        scope=scope,
        name=name,
        starts_at=more.get("starts_at"),
        ends_at=vendor.clock.now() + length,
        reason="peak season",
        by="fred",
    )
    number: int = facts["id"]
    return number


def start(vendor: Vendor, **options: Any) -> int:  # noqa: ANN401 -- of RolloutOptions
    options.setdefault("waves", ("100%",))
    number: int = vendor.start("1.1", **options)["id"]
    vendor.work()
    return number


@pytest.mark.parametrize(
    ("scope", "name", "held"),
    [
        (FreezeScope.ALL, "", {"acme-cloud", "acme-own", "globex-own"}),
        (FreezeScope.PRODUCT, "shop", {"acme-cloud", "acme-own", "globex-own"}),
        (FreezeScope.CUSTOMER, "acme", {"acme-cloud", "acme-own"}),
        (FreezeScope.INSTALLATION, "acme-own", {"acme-own"}),
    ],
)
def test_freeze_holds_what_it_is_for_and_lets_the_others_go(
    vendor: Vendor, scope: FreezeScope, name: str, held: set[str]
) -> None:
    freeze(vendor, scope, name)
    rollout = start(vendor)
    facts = vendor.show(rollout)
    assert {t["installation"] for t in facts["targets"] if t["state"] == "waiting"} == held
    assert {t["installation"] for t in facts["targets"] if t["state"] == "succeeded"} == ALL_NEW.keys() - held
    for one in (t for t in facts["targets"] if t["state"] == "waiting"):
        assert one["waits_for"] == "freeze"
        assert "peak season" in one["reason"]
        assert one["waiting_since_at"] is not None
        assert (
            one["deadline_at"] == vendor.clock.now().replace(microsecond=0) or one["deadline_at"] > vendor.clock.now()
        )
        assert "lifts or overrides" in one["ended_by"]
    vendor.clock.advance(HOUR)
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert vendor.running() == ALL_NEW


def test_freeze_that_begins_in_mid_rollout_finishes_the_target_at_hand(vendor: Vendor) -> None:
    freeze(vendor, FreezeScope.ALL, starts_at=vendor.clock.now() + timedelta(seconds=1), length=HOUR)
    rollout = vendor.start("1.1", waves=("100%",))["id"]
    while not any(state in _TOUCHED for state in vendor.states(rollout).values()):
        assert vendor.tick()
    vendor.clock.advance(timedelta(seconds=1))
    vendor.work()
    assert Counter(vendor.states(rollout).values()) == {"succeeded": 1, "waiting": 2}


def test_overridden_freeze_holds_no_longer_and_who_did_it_is_kept(vendor: Vendor) -> None:
    number = freeze(vendor, FreezeScope.ALL)
    rollout = start(vendor)
    for by, reason in (("", "a fix"), ("api", "a fix"), ("rita", " ")):
        with pytest.raises(InvalidUpdateFreezeError, match="by somebody, for a reason"):
            override_freeze(vendor.ports, rollout_id=rollout, freeze_id=number, by=by, reason=reason)
    for _ in range(2):
        override_freeze(vendor.ports, rollout_id=rollout, freeze_id=number, by="rita", reason="a security fix")
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "succeeded"
    assert [(one["freeze"], one["by"], one["reason"]) for one in facts["overrides"]] == [
        (number, "rita", "a security fix")
    ]
    told = [one for one in facts["moves"] if "was overridden" in one["reason"]]
    assert [(one["by"], one["reason"]) for one in told] == [
        ("rita", f"freeze {number} (peak season) was overridden: a security fix")
    ]
    with pytest.raises(RefusedError, match="is over"):
        override_freeze(vendor.ports, rollout_id=rollout, freeze_id=number, by="rita", reason="too late")


def test_override_is_for_one_freeze_and_one_rollout(vendor: Vendor) -> None:
    first, second = freeze(vendor, FreezeScope.ALL), freeze(vendor, FreezeScope.CUSTOMER, "acme", length=2 * HOUR)
    rollout = start(vendor)
    override_freeze(vendor.ports, rollout_id=rollout, freeze_id=first, by="rita", reason="a security fix")
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "waiting", "acme-own": "waiting", "globex-own": "succeeded"}
    held = next(one for one in vendor.show(rollout)["targets"] if one["installation"] == "acme-own")
    assert f"freeze {second} " in held["reason"]


def test_lifted_freeze_holds_nobody_any_more(vendor: Vendor) -> None:
    number = freeze(vendor, FreezeScope.ALL)
    rollout = start(vendor)
    with pytest.raises(InvalidUpdateFreezeError, match="needs a reason"):
        lift_freeze(vendor.ports, freeze_id=number, by="rita", reason="")
    facts = lift_freeze(vendor.ports, freeze_id=number, by="rita", reason="sold out")
    assert (facts["lifted_by"], facts["lift_reason"], facts["holds"]) == ("rita", "sold out", False)
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_freeze_that_cannot_be_is_refused(vendor: Vendor) -> None:
    now = vendor.clock.now()

    def make(**given: Any) -> None:  # noqa: ANN401 -- of the flow
        chosen = {
            "scope": FreezeScope.ALL,
            "name": "",
            "starts_at": None,
            "ends_at": now + HOUR,
            "reason": "x",
            **given,
        }
        freeze_updates(vendor.ports, by="fred", **chosen)

    for wrong in (
        {"ends_at": now},
        {"starts_at": now + 2 * HOUR},
        {"reason": ""},
        {"scope": FreezeScope.CUSTOMER},
        {"name": "acme"},
        {"ends_at": datetime(2030, 1, 1)},  # noqa: DTZ001 -- that is the point
    ):
        with pytest.raises(InvalidUpdateFreezeError):
            make(**wrong)
    with pytest.raises(ProductNotFoundError):
        make(scope=FreezeScope.PRODUCT, name="nothing")
    assert list_freezes(vendor.ports) == []


def test_plan_names_the_freezes_that_hold_now_and_their_ends(vendor: Vendor) -> None:
    number = freeze(vendor, FreezeScope.CUSTOMER, "acme")
    lifted = freeze(vendor, FreezeScope.ALL)
    lift_freeze(vendor.ports, freeze_id=lifted, by="fred", reason="a slip")
    freeze(vendor, FreezeScope.INSTALLATION, "globex-own", starts_at=vendor.clock.now() + HOUR, length=2 * HOUR)
    plan = vendor.plan("1.1")
    (need,) = plan["needs"]
    assert (need["rule"], need["until"]) == ("update-freeze", vendor.clock.now() + HOUR)
    assert f"Freeze {number} holds acme-cloud, acme-own until " in need["detail"]
    override_freeze(vendor.ports, rollout_id=plan["rollout"], freeze_id=number, by="fred", reason="a security fix")
    assert not vendor.plan("1.1")["needs"]
    assert not vendor.plan("1.1", rehearse=True)["needs"]
