"""What a rollout waits for, how long it may, who ends that, and what happens when the world changes in the middle of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.rollout import BEING_CUT_OVER
from releaser.domain.spec import Order
from releaser.domain.update_freeze import FreezeScope
from releaser.domain.waiting import InvalidWaitError
from releaser.errors import RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.advance_target import advance_target
from releaser.flows.cancel_notice import cancel_notice
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.ports import Facts
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.unblock_release import unblock_release
from releaser.store import installations, rollout_work
from releaser.store.customers import Customer
from releaser.store.plain import dump, load_spec
from releaser.store.rollouts import TargetUpdate, Wave
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

HOUR = timedelta(hours=1)
ALL_NEW = dict.fromkeys(("acme-cloud", "acme-own", "globex-own"), "1.1")
ALL_OLD = dict.fromkeys(ALL_NEW, "1.0")
_TOUCHED = {state.value for state in BEING_CUT_OVER} | {"rolling_back"}

Begun = Callable[[Order], KeptVendor]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """1.0 was rolled out everywhere, start-first or stop-first."""
    made: dict[Order, KeptVendor] = {}

    def of(order: Order) -> KeptVendor:
        if order not in made:
            folder = tmp_path_factory.mktemp("begun")
            with FakeEngine() as engine:
                database = Database(f"sqlite:///{folder / 'store.db'}")
                metadata.create_all(database.engine)
                vendor = vendor_on(database, engine, folder, order=order)
                assert vendor.deploy("1.0")["state"] == "succeeded"
                made[order] = kept(vendor, folder / "kept.db")
        return made[order]

    return of


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


@pytest.fixture
def vendor(begun: Begun, engine: FakeEngine, tmp_path: Path) -> Iterator[Vendor]:
    """Nothing stops at an update, so nobody has to be told."""
    made = begun(Order.START_FIRST).resumed(engine, tmp_path)
    yield made
    made.close()


@pytest.fixture
def stopping(begun: Begun, engine: FakeEngine, tmp_path: Path) -> Iterator[Vendor]:
    """Every update stops something, so it needs a notice."""
    made = begun(Order.STOP_FIRST).resumed(engine, tmp_path)
    yield made
    made.close()


def target(vendor: Vendor, rollout: int, installation: str) -> Facts:
    return next(t for t in vendor.show(rollout)["targets"] if t["installation"] == installation)


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


def regulate(vendor: Vendor, customer: str, **regulation: object) -> None:
    with vendor.ports.database.transaction() as session:
        row = session.query(Customer).filter_by(name=customer).one()
        row.regulation = {"lead_full": 0, "lead_partial": 0, "lead_none": 0, **regulation}


def waves(vendor: Vendor) -> list[str]:
    """The states of the newest rollout's waves."""
    with vendor.ports.database.reading() as session:
        newest = session.query(Wave).order_by(Wave.rollout_id.desc(), Wave.number).all()
        return [one.state.value for one in newest if one.rollout_id == newest[0].rollout_id]


def behave(vendor: Vendor, how: Behaviour) -> None:
    """1.1 does so from now on."""
    for image in vendor.engine.images.values():
        if image.version == "1.1":
            image.behaviour = how


def start(vendor: Vendor, **options: Any) -> int:  # noqa: ANN401 -- of RolloutOptions
    options.setdefault("waves", ("100%",))
    number: int = vendor.start("1.1", **options)["id"]
    vendor.work()
    return number


def test_timed_out_target_counts_against_the_threshold_and_leaves_nothing_behind(stopping: Vendor) -> None:
    """Its notice was withdrawn and nobody announced another one."""
    vendor = stopping
    vendor.announce("1.1", waves=("100%",), wait_for=HOUR)
    rollout = vendor.start("1.1", waves=("100%",), wait_for=HOUR)["id"]
    while "prepared" not in vendor.states(rollout).values():
        assert vendor.tick()
    cancel_notice(vendor.ports, notice_id=vendor.show(rollout)["notices"][0], by="rita", reason="the wrong day")
    vendor.work()
    assert set(vendor.states(rollout).values()) == {"waiting"}
    one = target(vendor, rollout, "acme-own")
    assert (one["waits_for"], one["reason"]) == ("notice", "no announced notice covers the stop now")
    assert one["deadline_at"] - one["waiting_since_at"] == HOUR
    vendor.clock.set(one["deadline_at"])
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed"
    assert set(vendor.states(rollout).values()) == {"timed_out"}
    assert {t["reason"] for t in facts["targets"]} == {"waited too long for the notice"}
    assert vendor.running() == vendor.recorded() == ALL_OLD, "what was prepared is put away"


def test_notice_withdrawn_in_mid_rollout_holds_the_rest_until_another_is_announced(stopping: Vendor) -> None:
    vendor = stopping
    vendor.announce("1.1", waves=("100%",))
    rollout = vendor.start("1.1", waves=("100%",))["id"]
    while "succeeded" not in vendor.states(rollout).values():
        assert vendor.tick()
    cancelled = cancel_notice(
        vendor.ports, notice_id=vendor.show(rollout)["notices"][0], by="rita", reason="a call from the customer"
    )
    vendor.work()
    states = Counter(vendor.states(rollout).values())
    assert states["waiting"] >= 1
    assert states["waiting"] + states["succeeded"] == 3
    serving = {one.name for one in vendor.engine.containers.values() if one.status == "running"}
    assert serving == set(ALL_NEW), "whoever waits is served by the old version"
    assert cancelled["drafted"] == vendor.show(rollout)["notices"][-1]
    vendor.announce_drafts(rollout)
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_paused_rollout_grows_no_older(vendor: Vendor) -> None:
    freeze(vendor, FreezeScope.CUSTOMER, "globex", length=99 * HOUR)
    rollout = start(vendor, wait_for=HOUR)
    before = target(vendor, rollout, "globex-own")["deadline_at"]
    paused = pause_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="lunch")
    assert paused["paused_at"] == vendor.clock.now()
    vendor.clock.advance(300 * HOUR)
    vendor.work()
    assert vendor.states(rollout)["globex-own"] == "waiting"
    facts = resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert facts["paused_at"] is None
    moved_by = target(vendor, rollout, "globex-own")["deadline_at"] - before
    assert 300 * HOUR <= moved_by < 300 * HOUR + timedelta(seconds=1)
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_two_rollouts_are_never_at_work_at_one_customer_at_once(vendor: Vendor) -> None:
    first = vendor.start("1.1", to="installation=acme-cloud")["id"]
    second = vendor.start("1.1", to="installation=acme-own")["id"]
    waited = set()
    while vendor.tick():
        at_it = [
            one["installation"]
            for rollout in (first, second)
            for one in vendor.show(rollout)["targets"]
            if one["state"] in _TOUCHED
        ]
        assert len(at_it) <= 1, f"both were being changed: {at_it}"
        waited |= {
            (one["waits_for"], one["reason"])
            for rollout in (first, second)
            for one in vendor.show(rollout)["targets"]
            if one["waits_for"]
        }
    assert waited == {("lock", f"rollout {first} is at work at the customer")}
    assert [vendor.show(one)["state"] for one in (first, second)] == ["succeeded"] * 2


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_no_more_than_allowed_are_touched_while_they_are_rolled_back(vendor: Vendor, version: str) -> None:
    rollout = vendor.start(version, waves=("100%",), max_parallel=2, threshold=1)["id"]
    while vendor.tick():
        with vendor.ports.database.reading() as session:
            touched = session.query(TargetUpdate).filter_by(rollout_id=rollout, active=True, cut_over=True).all()
            customers = [one.target.installation.customer_id for one in touched]
        assert len(touched) <= 2, "more are being changed than may"
        assert len(set(customers)) == len(customers), "two are being changed at one customer"
    assert vendor.show(rollout)["state"] == "rolled_back"
    assert vendor.running() == ALL_OLD


def test_window_that_ends_in_mid_wave_holds_the_rest_until_the_next_one(vendor: Vendor) -> None:
    now = vendor.clock.now()
    assert (now.hour, now.weekday()) == (9, 0), "the clock starts on a Monday morning"
    regulate(vendor, "globex", windows=[{"from": "08:00", "to": "09:20"}])
    freeze(vendor, FreezeScope.CUSTOMER, "globex", length=timedelta(minutes=20))
    rollout = start(vendor)
    assert vendor.states(rollout)["globex-own"] == "waiting"
    vendor.clock.set(now.replace(hour=9, minute=20, second=1))
    vendor.work()
    one = target(vendor, rollout, "globex-own")
    assert (one["state"], one["waits_for"], one["reason"]) == (
        "waiting",
        "window",
        f"the window opens {now + timedelta(days=1):%Y-%m-%d} 08:00Z",
    )
    vendor.clock.set(now.replace(hour=8, minute=0, second=0) + timedelta(days=1))
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_cutover_that_would_overrun_the_window_with_its_way_back_does_not_begin(vendor: Vendor) -> None:
    """Half a minute before the window's end: the cutover alone would fit, the way back would not."""
    now = vendor.clock.now()
    regulate(vendor, "globex", windows=[{"from": "08:00", "to": "09:20"}])
    needs = vendor.plan("1.1", to="customer=globex")["targets"][0]["predicted"]
    assert needs["needs_s"] > needs["cutover"]["p90_s"]
    closes_at = now.replace(hour=9, minute=20, second=0, microsecond=0)
    vendor.clock.set(closes_at - timedelta(seconds=needs["needs_s"] - 0.5))
    rollout = start(vendor, to="customer=globex")
    one = target(vendor, rollout, "globex-own")
    assert one["waits_for"] == "window"
    assert "too soon for" in one["reason"]


def test_wait_for_windows_that_are_all_too_short_ends(vendor: Vendor) -> None:
    """The contract was changed after the plan; each day's window is told of in other words, and none can hold the cutover."""
    rollout = vendor.start("1.1", to="customer=globex", wait_for=timedelta(days=1))["id"]
    with vendor.ports.database.transaction() as session:
        (update,) = session.query(TargetUpdate).filter_by(rollout_id=rollout)
        predicted = dict(update.predicted or {})
        update.predicted = {**predicted, "cutover": {**predicted["cutover"], "p50": 300.0, "p90": 300.0}}
    regulate(vendor, "globex", windows=[{"from": "11:00", "to": "11:01"}])
    for _ in range(30):  # hours
        vendor.work()
        vendor.clock.advance(HOUR)
    assert vendor.states(rollout)["globex-own"] == "timed_out"


@pytest.mark.parametrize("jump", [timedelta(days=-2), timedelta(hours=-1), timedelta(hours=2), timedelta(days=40)])
def test_clock_that_jumps_leaves_every_target_whole(vendor: Vendor, jump: timedelta) -> None:
    rollout = vendor.start("1.1")["id"]
    while not any(state in _TOUCHED for state in vendor.states(rollout).values()):
        assert vendor.tick()
    vendor.clock.set(vendor.clock.now() + jump)
    if jump < timedelta(0):
        vendor.wait_for_lease()
    vendor.work()
    assert vendor.show(rollout)["state"] in {"succeeded", "rolled_back", "failed"}
    assert set(vendor.running()) == set(ALL_NEW), "somebody is without service"
    assert vendor.running() == vendor.recorded()


@pytest.mark.parametrize("at", ["prepared", "cutting_over", "soaking"])
@pytest.mark.parametrize("hand", ["stops", "removes"])
def test_container_touched_by_hand_in_between_ends_in_a_named_state(vendor: Vendor, at: str, hand: str) -> None:
    """Somebody stops or removes the container that serves while the rollout is at it."""
    with vendor.ports.database.transaction() as session:
        row = installations.get(session, "globex-own").targets[0]
        row.spec = dump(replace(load_spec(row.spec), soak_s=6.0))
    rollout = vendor.start("1.1", to="installation=globex-own")["id"]
    for _ in range(200):
        if vendor.states(rollout)["globex-own"] == at or not vendor.tick():
            break
    serving = [one for one in vendor.engine.containers.values() if one.name == "globex-own" and one.status == "running"]
    for one in serving:
        vendor.engine.end(one, 137)
        if hand == "removes":
            del vendor.engine.containers[one.id]
    vendor.work()
    facts = vendor.show(rollout)
    state = facts["targets"][0]["state"]
    assert state in {"succeeded", "rolled_back", "failed", "inconsistent"}
    assert facts["state"] in {"succeeded", "rolled_back", "failed"}
    if state == "succeeded":
        assert vendor.running()["globex-own"] == "1.1"
    elif state != "inconsistent":
        assert vendor.recorded()["globex-own"] == "1.0"
        assert facts["targets"][0]["reason"]


def test_wave_is_watched_before_the_next_one_begins(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", waves=("1", "100%"), wave_soak=timedelta(seconds=1))["id"]
    while waves(vendor) != ["soaking", "pending"]:
        assert vendor.tick()
    until = vendor.show(rollout)["waves"][0]["soak_until_at"]
    assert until - vendor.clock.now() <= timedelta(seconds=1)
    while waves(vendor)[1] == "pending":
        assert vendor.tick()
    assert vendor.clock.now() >= until
    assert set(vendor.states(rollout).values()) <= {"succeeded", "pending", "preparing"}
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_target_that_falls_ill_while_its_wave_is_watched_fails_the_wave(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", waves=("1", "100%"), wave_soak=timedelta(seconds=6))["id"]
    while waves(vendor)[0] != "soaking":
        assert vendor.tick()
    behave(vendor, Behaviour.SICK)
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed"
    assert [wave["state"] for wave in facts["waves"]] == ["failed", "skipped"]
    assert "wave 1 fell ill while it was watched: acme-cloud: " in facts["reason"]
    assert vendor.running() == {**ALL_OLD, "acme-cloud": "1.1"}
    behave(vendor, Behaviour.GOOD)
    with pytest.raises(RefusedError) as refused:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refused.value.rule == "version-blocked"
    unblock_release(vendor.ports, product="shop", version="1.1", reason="it was the database", by="ann")
    retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    while waves(vendor)[0] != "soaking":
        assert vendor.tick()
    assert waves(vendor) == ["soaking", "pending"], "what fell ill is watched again first"
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert {wave["state"] for wave in vendor.show(rollout)["waves"]} == {"succeeded"}
    assert vendor.running() == ALL_NEW


def test_wave_falls_ill_by_its_own_threshold(vendor: Vendor) -> None:
    """34 percent of all is one target; of a wave of one it is none."""
    options: dict[str, Any] = {"waves": ("1", "100%"), "threshold": "34%", "wave_soak": timedelta(seconds=6)}
    rollout = vendor.start("1.1", **options)["id"]
    while waves(vendor)[0] != "soaking":
        assert vendor.tick()
    behave(vendor, Behaviour.SICK)
    vendor.work()
    assert vendor.show(rollout)["waves"][0]["state"] == "failed"


def test_what_failed_before_its_wave_was_watched_counts_with_what_falls_ill(vendor: Vendor) -> None:
    behave(vendor, Behaviour.SICK)
    rollout = vendor.start("1.1", waves=("2", "100%"), threshold=1, wave_soak=timedelta(seconds=6))["id"]
    while "rolled_back" not in vendor.states(rollout).values():
        assert vendor.tick()
    behave(vendor, Behaviour.GOOD)
    while waves(vendor)[0] != "soaking":
        assert vendor.tick()
    behave(vendor, Behaviour.SICK)
    vendor.work()
    assert vendor.show(rollout)["waves"][0]["state"] == "failed", "two of it are ill, one may be"


def test_gated_rollout_waits_for_a_person_after_every_wave(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", waves=("1", "1", "100%"), gated=True)["id"]
    for done in (1, 2):
        vendor.work()
        facts = vendor.show(rollout)
        assert (facts["state"], facts["pause_reason"]) == ("paused", "gate")
        assert facts["waves"][done - 1]["state"] == "gate"
        assert facts["reason"] == f"wave {done} is done, and somebody has to let wave {done + 1} begin"
        assert Counter(vendor.states(rollout).values())["succeeded"] == done
        resume_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="looks good")
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "succeeded", "behind the last wave nobody has to open anything"
    assert {wave["state"] for wave in facts["waves"]} == {"succeeded"}


def test_rollout_that_waits_at_its_gate_can_be_aborted(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", waves=("1", "100%"), gated=True)["id"]
    vendor.work()
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="enough")
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["pause_reason"]) == ("aborted", None)
    assert [wave["state"] for wave in facts["waves"]] == ["succeeded", "skipped"]
    assert Counter(vendor.states(rollout).values()) == {"succeeded": 1, "skipped": 2}


@pytest.mark.parametrize("wait_for", [timedelta(0), timedelta(days=-1), timedelta(days=9999)])
def test_wait_that_nobody_can_mean_is_refused(vendor: Vendor, wait_for: timedelta) -> None:
    with pytest.raises(InvalidWaitError):
        vendor.start("1.1", wait_for=wait_for)


def test_two_processes_never_begin_at_one_customer_at_once(
    database: Database, engine: FakeEngine, tmp_path: Path
) -> None:
    """Both looked while nobody was at work there; only one may begin."""
    vendor = vendor_on(database, engine, tmp_path, order=Order.START_FIRST)
    ids = [vendor.start("1.0", to=f"installation={name}")["id"] for name in ("acme-cloud", "acme-own")]
    while {state for one in ids for state in vendor.states(one).values()} != {"prepared"}:
        for one in ids:
            if "prepared" not in vendor.states(one).values():
                advance_rollout(vendor.ports, rollout_id=one)
        with vendor.ports.database.reading() as session:
            runnable = rollout_work.runnable(session, now=vendor.clock.now())
        for update_id in runnable:
            advance_target(vendor.ports, update_id=update_id)
    together = threading.Barrier(2)

    def begin(process: tuple[int, str]) -> bool:
        rollout, owner = process
        ports = vendor.restarted(owner=owner).ports
        together.wait(10)
        return advance_rollout(ports, rollout_id=rollout)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(begin, zip(ids, ("one", "two"), strict=True)))
    with vendor.ports.database.reading() as session:
        begun = session.query(TargetUpdate).filter_by(active=True, cut_over=True).count()
    assert begun == 1, "two were begun at one customer"
    for driver in vendor.ports.drivers.values():
        driver.close()  # type: ignore[attr-defined]  # the docker driver keeps connections
