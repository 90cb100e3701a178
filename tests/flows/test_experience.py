"""Every cutover is kept with what it took, and the next plan, its notice and its window are judged by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from releaser.errors import RefusedError
from releaser.flows.list_cutovers import list_cutovers
from releaser.flows.ports import Facts
from releaser.flows.show_notice import show_notice
from releaser.store import experience
from releaser.store.customers import Customer
from releaser.store.installations import Host
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.watch import NoWatch, Seen
from tests.fakes.clock import FakeClock
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

AWAY_FOR = timedelta(milliseconds=1300)


@dataclass(slots=True)
class FakeWatch(NoWatch):
    """Sees every service away for as long as said, up to now."""

    clock: FakeClock
    away_for: timedelta | None = AWAY_FOR
    watched: dict[int, str] = field(default_factory=dict)
    urls: set[str] = field(default_factory=set)

    def begin(self, update_id: int, url: str, *, status: int, timeout_s: float) -> None:
        assert (status, timeout_s) == (200, 2.0)
        self.urls.add(url)
        self.watched[update_id] = url

    def end(self, update_id: int) -> Seen | None:
        if self.watched.pop(update_id, None) is None:
            return None
        now = self.clock.now()
        return Seen(stopped_at=now - self.away_for, served_at=now) if self.away_for is not None else Seen()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder)
        assert made.deploy("1.0")["state"] == "succeeded"
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield replace(made, ports=replace(made.ports, watch=FakeWatch(made.clock)))
        made.close()


def cutovers(vendor: Vendor) -> list[Facts]:
    found = list_cutovers(vendor.ports)
    assert list_cutovers(vendor.ports, product="shop", module="app") == found
    assert list_cutovers(vendor.ports, module="api") == []
    return found


def regulate(vendor: Vendor, **regulation: object) -> None:
    with vendor.ports.database.transaction() as session:
        session.query(Customer).filter_by(name="globex").one().regulation = {"lead_full": 0, **regulation}


def test_first_installation_teaches_nothing(vendor: Vendor) -> None:
    assert cutovers(vendor) == []


def test_every_cutover_is_kept_with_what_was_measured_from_outside(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        session.query(Host).one().host_class = "small"
    facts = vendor.deploy("1.1")
    assert {t["measured_stop_s"] for t in facts["targets"]} == {1.3}
    assert {t["measured_by"] for t in facts["targets"]} == {"outside"}
    rows = cutovers(vendor)
    assert len(rows) == 3
    for row in rows:
        assert {key: row[key] for key in ("product", "module", "driver", "host_class", "method", "outcome")} == {
            "product": "shop",
            "module": "app",
            "driver": "docker",
            "host_class": "small",
            "method": "stop-first",
            "outcome": "succeeded",
        }
        assert (row["stop_s"], row["witness"], row["rollback_s"]) == (1.3, "outside", None)
        assert row["cutover_s"] >= 0
    assert isinstance(vendor.ports.watch, FakeWatch)
    assert vendor.ports.watch.urls == {f"http://127.0.0.1:{port}/healthz" for port in (18001, 18002, 18003)}
    assert not vendor.ports.watch.watched, "what is over is not watched any more"


def test_service_that_answered_all_the_time_had_no_stop_whatever_the_journal_says(vendor: Vendor) -> None:
    assert isinstance(vendor.ports.watch, FakeWatch)
    vendor.ports.watch.away_for = None
    facts = vendor.deploy("1.1")
    assert {(t["measured_stop_s"], t["measured_by"]) for t in facts["targets"]} == {(0.0, "outside")}


def test_without_a_watch_the_gate_is_the_witness(begun: KeptVendor, tmp_path: Path) -> None:
    with FakeEngine() as engine:
        vendor = begun.resumed(engine, tmp_path)
        vendor.deploy("1.1", to="installation=acme-own")
        assert [row["witness"] for row in cutovers(vendor)] == ["gate"]
        vendor.close()


def test_roll_back_is_kept_and_says_nothing_of_good_updates(vendor: Vendor) -> None:
    assert vendor.deploy("1.2")["state"] == "rolled_back"
    rows = cutovers(vendor)
    assert [row["outcome"] for row in rows] == ["rolled_back"]
    assert rows[0]["rollback_s"] >= 0
    expected = vendor.plan("1.1")["targets"][0]["predicted"]
    assert expected["stop"]["samples"] == 0


def test_plan_before_any_cutover_shows_the_stated_estimate(vendor: Vendor) -> None:
    plan = vendor.plan("1.1")
    assert {one["basis"] for one in plan["stops"]} == {"stated estimate"}
    stop = plan["targets"][0]["predicted"]["stop"]
    assert (stop["samples"], stop["basis"]) == (0, "stated estimate")
    assert plan["targets"][0]["planned_stop_s"] == stop["p90_s"]


def test_plan_after_cutovers_shows_them_and_the_notice_tells_them(vendor: Vendor) -> None:
    vendor.deploy("1.1")
    plan = vendor.plan("1.1.1")
    for one in plan["targets"]:
        assert one["predicted"]["stop"] == {
            "p50_s": 1.3,
            "p90_s": 1.3,
            "samples": 3,
            "basis": "module, driver and host class",
        }
        assert one["planned_stop_s"] == 2.0, "people are told nine of ten, rounded up"
    assert {one["basis"] for one in plan["stops"]} == {"earlier cutovers"}
    notice = show_notice(vendor.ports, notice_id=plan["notices"][0])
    assert {one["planned_stop_s"] for one in notice["installations"]} == {2.0}
    shown = vendor.show(plan["rollout"])["targets"][0]
    assert shown["predicted"]["stop"]["samples"] == 3


def test_plan_is_the_same_whatever_was_learnt_meanwhile(vendor: Vendor) -> None:
    """An approval binds to what is done, not to what is expected of it."""
    before = vendor.plan("1.1.1", to="installation=globex-own")["hash"]
    vendor.deploy("1.1", to="customer=acme")
    vendor.deploy("1.1.1", to="customer=acme")
    assert vendor.plan("1.1.1", to="installation=globex-own")["hash"] == before


def test_window_that_cannot_hold_cutover_and_way_back_is_refused_at_planning(vendor: Vendor) -> None:
    vendor.deploy("1.1")
    for row in cutovers(vendor):
        assert row["stop_s"] == 1.3
    with vendor.ports.database.transaction() as session:
        for one in session.query(experience.Cutover):
            one.cutover_s, one.rollback_s = 50.0, 40.0
    regulate(vendor, windows=[{"from": "22:00", "to": "22:01"}])
    with pytest.raises(RefusedError) as refused:
        vendor.plan("1.1.1")
    assert refused.value.rule == "window-too-short"
    assert refused.value.facts["installation"] == "globex-own"
    assert "The longest window of 'globex' is 60 s" in refused.value.detail
    assert "needs 90 s by 3 earlier ones: 50 s and 40 s" in refused.value.detail
    assert "Agree on a longer window" in str(refused.value.advice)
    regulate(vendor, windows=[{"from": "22:00", "to": "22:02"}])
    assert vendor.plan("1.1.1")["refusals"] == []
