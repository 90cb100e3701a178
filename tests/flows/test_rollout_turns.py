"""When a rollout begins and after whom: starts in the future, who takes over, who joins late, and triggers that are repeated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import Plan, RolloutOptions
from releaser.errors import InvalidError, MoveConflictError, RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.announce_notice import announce_notice
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.begin_rollout import begin_rollout
from releaser.flows.give_way import TargetBusyError
from releaser.flows.keep_plan import keep_again
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.scale_installation import scale_installation
from releaser.flows.show_notice import show_notice
from releaser.flows.start_rollout import TriggerReusedError
from releaser.flows.yank_release import yank_release
from releaser.store import installations, rollouts
from releaser.store.plain import dump, load, load_spec
from releaser.store.releases import ReleaseImage
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import INSTALLATIONS, KeptVendor, Vendor, come, kept, vendor_on

NEXT_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere; updates stop the service."""
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
        yield made
        made.close()


# Supersede


def test_newer_rollout_takes_over_at_the_boundary_of_a_target(vendor: Vendor) -> None:
    vendor.announce("1.1")
    old = vendor.start("1.1")["id"]
    while vendor.states(old)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    vendor.announce("1.1.1", supersede=True)
    new = vendor.start("1.1.1", supersede=True)
    assert new["state"] == "scheduled"
    assert vendor.show(old)["superseded_by"] == new["id"]
    vendor.work()
    vendor.clock.advance(timedelta(seconds=11))
    vendor.work()
    facts, before = vendor.show(new["id"]), vendor.show(old)
    assert before["state"] == "superseded"
    told = [show_notice(vendor.ports, notice_id=number) for number in before["notices"]]
    assert not [one for one in told if "superseded" in str(one["reason"])], "customers are not told how rollouts work"
    assert [t["state"] for t in before["targets"]] == ["succeeded", "skipped", "skipped"]
    assert "superseded by rollout" in before["reason"]
    assert facts["state"] == "succeeded"
    # From what was there, not from what was there when it was asked for.
    assert {t["installation"]: t["from"] for t in facts["targets"]}["acme-cloud"] == "1.1"
    assert vendor.running() == vendor.recorded() == dict.fromkeys(INSTALLATIONS, "1.1.1")


def test_what_gave_way_to_one_that_was_aborted_says_how_the_rest_is_begun_anew(vendor: Vendor) -> None:
    vendor.announce("1.1")
    old = vendor.start("1.1")["id"]
    while "verifying" not in vendor.states(old).values():
        assert vendor.tick()
    vendor.announce("1.1.1", supersede=True)
    new = vendor.start("1.1.1", supersede=True)["id"]
    abort_rollout(vendor.ports, rollout_id=new, by="ann", reason="not this one")
    vendor.work()
    facts = vendor.show(old)
    assert facts["state"] == "superseded"
    assert f"Rollout {new}, which took its place, was aborted" in facts["next"]
    assert facts["next"].endswith("releaser deploy shop 1.1 --to all.")
    assert vendor.deploy("1.1")["state"] == "succeeded"
    assert set(vendor.running().values()) == {"1.1"}


def test_without_superseding_the_holder_stands_and_is_named(vendor: Vendor) -> None:
    vendor.announce("1.1")
    old = vendor.start("1.1")["id"]
    with pytest.raises(TargetBusyError, match="--supersede") as busy:
        vendor.start("1.1.1")
    assert busy.value.facts["rollout"] == old
    assert vendor.show(old)["state"] == "running"


def test_superseding_without_a_notice_leaves_the_other_one_going(vendor: Vendor) -> None:
    vendor.announce("1.1")
    old = vendor.start("1.1")["id"]
    with pytest.raises(RefusedError) as refusal:
        vendor.start("1.1.1", supersede=True)
    assert refusal.value.rule == "notice-required"
    vendor.work()
    assert vendor.show(old)["state"] == "succeeded"


def soaking(vendor: Vendor, version: str, *, seconds: float) -> int:
    """A rollout of the version everywhere whose first target is being watched, for so long."""
    with vendor.ports.database.transaction() as session:
        for one in installations.everything(session):
            for target in one.targets:
                target.spec = dump(replace(load_spec(target.spec), soak_s=seconds))
    vendor.announce(version)
    rollout: int = vendor.start(version)["id"]
    while vendor.states(rollout)["acme-cloud"] != "soaking":
        assert vendor.tick()
    return rollout


def superseding(vendor: Vendor, version: str) -> int:
    """A rollout of the version that is to take over; nothing of its notice keeps it."""
    now = vendor.clock.now()
    vendor.announce(version, supersede=True)
    assert vendor.clock.now() - now < timedelta(seconds=1), "the notice begins at once"
    rollout: int = vendor.start(version, supersede=True)["id"]
    return rollout


def test_newest_of_those_that_take_over_wins_whoever_is_looked_at_first(vendor: Vendor) -> None:
    first = soaking(vendor, "1.1", seconds=60)
    older = superseding(vendor, "1.1.1")
    newer = superseding(vendor, "1.2")
    assert vendor.show(older)["state"] == "superseded", "the newest decision holds, not the one that is looked at last"
    assert [vendor.show(one)["superseded_by"] for one in (first, older, newer)] == [newer, newer, None]
    vendor.clock.advance(timedelta(seconds=61))
    vendor.work()
    vendor.clock.advance(timedelta(seconds=11))
    vendor.work()
    assert vendor.show(first)["state"] == "superseded"
    assert vendor.show(newer)["started_at"] is not None
    assert "1.1.1" not in vendor.running().values()


def test_one_for_later_never_takes_over_from_a_newer_one(vendor: Vendor) -> None:
    now = vendor.clock.now()
    vendor.announce("1.1.1", supersede=True, starts_at=now + NEXT_DAY)
    vendor.clock.set(now)
    older = vendor.start("1.1.1", supersede=True, starts_at=now + NEXT_DAY)["id"]
    vendor.announce("1.1")
    newer = vendor.start("1.1")["id"]
    while vendor.states(newer)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    vendor.clock.set(max(now + NEXT_DAY, vendor.clock.now()))
    begin_rollout(vendor.ports, rollout_id=older)
    assert (vendor.show(newer)["state"], vendor.show(older)["state"]) == ("running", "scheduled")
    assert f"rollout {newer} has not ended" in vendor.show(older)["reason"]


def test_one_that_takes_over_waits_for_as_long_as_the_other_is_watched(vendor: Vendor) -> None:
    first = soaking(vendor, "1.1", seconds=5400)
    newer = superseding(vendor, "1.1.1")
    ends_at = vendor.clock.now() + timedelta(hours=4)
    announce_notice(vendor.ports, notice_id=vendor.show(newer)["notices"][0], by="rita", ends_at=ends_at)
    for _ in range(12):
        vendor.clock.advance(timedelta(minutes=6))
        vendor.tick()
    assert vendor.show(newer)["state"] == "scheduled", "it is given up an hour after the other has ended, not before"
    vendor.clock.advance(timedelta(minutes=20))
    while vendor.show(first)["state"] == "stopping":
        assert vendor.tick()
    begin_rollout(vendor.ports, rollout_id=newer)
    assert (vendor.show(first)["state"], vendor.show(newer)["state"]) == ("superseded", "running")


def test_rehearsal_ends_no_real_rollout(vendor: Vendor) -> None:
    vendor.announce("1.1")
    first = vendor.start("1.1")["id"]
    with pytest.raises(InvalidError) as refusal:
        vendor.start("1.1.1", supersede=True, rehearse=True)
    assert refusal.value.field == "supersede"
    assert vendor.show(first)["state"] == "running"


def test_abort_of_one_that_gives_way_undoes_what_is_not_committed(vendor: Vendor) -> None:
    first = soaking(vendor, "1.1", seconds=600)
    newer = superseding(vendor, "1.1.1")
    assert vendor.show(first)["superseded_by"] == newer
    abort_rollout(vendor.ports, rollout_id=first, by="rita", reason="it eats data")
    while vendor.show(first)["state"] == "stopping":
        assert vendor.tick()
    assert vendor.show(first)["state"] == "aborted"
    assert set(vendor.running().values()) == {"1.0"}, "an abort undoes what is being watched"
    vendor.clock.advance(timedelta(seconds=11))
    vendor.tick()
    assert vendor.show(newer)["state"] == "running"


# Yanked releases


def test_yanked_release_goes_to_nobody_else(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    yank_release(vendor.ports, product="shop", version="1.1", reason="it eats data", by="rita")
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["reason"]) == ("paused", "1.1 was yanked: it eats data")
    assert [t["state"] for t in facts["targets"]] == ["succeeded", "pending", "pending"], (
        "only the one at hand is ended"
    )
    with pytest.raises(RefusedError, match="it eats data") as refusal:
        resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refusal.value.rule == "release-state"
    assert "rollout abort" in facts["next"], "a person is told of the one way out"
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "aborted"
    assert vendor.running() == {**dict.fromkeys(INSTALLATIONS, "1.0"), "acme-cloud": "1.1"}


def test_release_yanked_while_a_rollout_is_paused_is_not_rolled_out_further(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    pause_rollout(vendor.ports, rollout_id=rollout, by="rita")
    yank_release(vendor.ports, product="shop", version="1.1", reason="it eats data", by="rita")
    with pytest.raises(RefusedError, match="rollout abort"):
        resume_rollout(vendor.ports, rollout_id=rollout, by="rita")


# A start in the future


def test_rollout_for_later_waits_and_begins_at_its_time(vendor: Vendor) -> None:
    starts_at = vendor.clock.now() + NEXT_DAY
    planned = vendor.plan("1.1", starts_at=starts_at)
    now = vendor.clock.now()
    vendor.announce_drafts(planned["rollout"])
    vendor.clock.set(now)
    facts = vendor.start("1.1", starts_at=starts_at)
    assert (facts["state"], facts["begins_at"]) == ("scheduled", starts_at)
    vendor.work()
    assert vendor.show(facts["id"])["state"] == "scheduled"
    assert set(vendor.states(facts["id"]).values()) == {"pending"}
    again = vendor.start("1.1", starts_at=starts_at)
    assert (again["id"], again["found"]) == (facts["id"], True)
    with pytest.raises(TargetBusyError, match="is to begin there"):
        vendor.start("1.1")
    vendor.clock.set(starts_at)
    vendor.work()
    assert vendor.show(facts["id"])["state"] == "succeeded"
    assert vendor.running() == dict.fromkeys(INSTALLATIONS, "1.1")


def test_scheduled_rollout_that_cannot_begin_is_given_up_at_its_deadline(vendor: Vendor) -> None:
    starts_at = vendor.clock.now() + NEXT_DAY
    now = vendor.clock.now()
    vendor.announce("1.1", starts_at=starts_at)
    vendor.clock.set(now)
    rollout = vendor.start("1.1", starts_at=starts_at)["id"]
    vendor.engine.kill()
    vendor.clock.set(starts_at)
    vendor.work()
    assert vendor.show(rollout)["state"] == "scheduled"
    assert "could not begin yet" in vendor.show(rollout)["reason"]
    vendor.clock.advance(timedelta(minutes=61))
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "aborted"
    assert "plan it again" in facts["reason"]


def test_what_runs_is_never_planned_anew(vendor: Vendor) -> None:
    vendor.announce("1.1")
    number = vendor.start("1.1")["id"]
    with vendor.ports.database.transaction() as session:
        rollout = rollouts.get(session, number)
        with pytest.raises(MoveConflictError, match="running"):
            keep_again(session, rollout, load(Plan, rollout.plan))
    vendor.work()
    assert vendor.show(number)["state"] == "succeeded"


def test_scheduled_rollout_that_many_begin_at_once_begins_once(vendor: Vendor) -> None:
    now = vendor.clock.now()
    starts_at = now + NEXT_DAY
    vendor.announce("1.1", starts_at=starts_at)
    vendor.clock.set(now)
    number = vendor.start("1.1", starts_at=starts_at)["id"]
    vendor.clock.set(starts_at)
    with ThreadPoolExecutor(max_workers=4) as pool:
        began = list(pool.map(lambda _: begin_rollout(vendor.ports, rollout_id=number), range(4)))
    assert sum(began) == 1
    vendor.work()
    assert vendor.show(number)["state"] == "succeeded"
    assert vendor.running() == dict.fromkeys(INSTALLATIONS, "1.1")


def test_scheduled_rollout_can_be_called_off(vendor: Vendor) -> None:
    now = vendor.clock.now()
    vendor.announce("1.1", starts_at=now + NEXT_DAY)
    vendor.clock.set(now)
    rollout = vendor.start("1.1", starts_at=now + NEXT_DAY)["id"]
    assert abort_rollout(vendor.ports, rollout_id=rollout, by="rita")["state"] == "aborted"


# Late installations


def test_installation_that_comes_while_it_runs_joins_as_a_trailing_wave(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    assert vendor.tick()
    come(vendor, "late-own", 18004)
    while vendor.tick():
        pass
    facts = vendor.show(rollout)
    assert facts["state"] == "succeeded"
    assert [(t["installation"], t["wave"], t["state"]) for t in facts["targets"]][-1] == ("late-own", 3, "succeeded")
    assert [one["state"] for one in facts["waves"]] == ["succeeded"] * 3


def test_late_installation_that_the_selector_does_not_mean_stays_out(vendor: Vendor) -> None:
    vendor.announce("1.1", to="customer=acme")
    rollout = vendor.start("1.1", to="customer=acme")["id"]
    assert vendor.tick()
    come(vendor, "late-own", 18004)
    while vendor.tick():
        pass
    facts = vendor.show(rollout)
    assert (facts["state"], facts["late"], len(facts["targets"])) == ("succeeded", "", 2)


# Triggers


def test_key_used_for_something_else_is_refused_also_after_the_end(vendor: Vendor) -> None:
    vendor.announce("1.1")
    first = vendor.start("1.1", key="job-1")["id"]
    vendor.work()
    assert vendor.start("1.1", key="job-1")["id"] == first
    with pytest.raises(TriggerReusedError):
        vendor.start("1.1", key="job-1", max_parallel=2)


def test_key_that_was_answered_with_what_was_under_way_is_never_a_trigger_again(vendor: Vendor) -> None:
    vendor.announce("1.1")
    first = vendor.start("1.1", key="job-1")["id"]
    assert vendor.start("1.1", key="job-2")["id"] == first
    vendor.work()
    assert vendor.deploy("1.1.1")["state"] == "succeeded"
    for key in ("job-1", "job-2"):
        assert vendor.start("1.1", key=key)["id"] == first, f"{key} went back from 1.1.1"


@pytest.mark.parametrize("other", ["job-2", None], ids=["another key", "no key"])
def test_key_of_what_waits_for_approval_stays_its_own_when_others_ask_for_the_same(
    vendor: Vendor, other: str | None
) -> None:
    vendor.announce("1.1", needs_approval=True)
    first = vendor.start("1.1", key="job-1", needs_approval=True)["id"]
    assert vendor.start("1.1", key=other, needs_approval=True)["id"] == first
    approve_rollout(vendor.ports, rollout_id=first, by="sasha")
    vendor.work()
    assert vendor.deploy("1.1.1")["state"] == "succeeded"
    for key in filter(None, ("job-1", other)):
        assert vendor.start("1.1", key=key, needs_approval=True)["id"] == first
    with pytest.raises(TriggerReusedError, match=f"rollout {first}"):
        vendor.start("1.1", key="job-1")


def test_what_is_being_aborted_is_no_answer_to_who_asks_for_it_anew(vendor: Vendor) -> None:
    vendor.announce("1.1")
    dying = vendor.start("1.1", key="job-1")["id"]
    while "verifying" not in vendor.states(dying).values():
        assert vendor.tick()
    abort_rollout(vendor.ports, rollout_id=dying, by="olga", reason="not now")
    with pytest.raises(TargetBusyError, match=f"Rollout {dying}") as error:
        vendor.start("1.1", key="job-2")
    assert "ends by itself" in error.value.advice
    assert vendor.start("1.1", key="job-1")["id"] == dying, "it was answered with that"
    vendor.work()
    vendor.announce("1.1")
    again = vendor.start("1.1", key="job-2")["id"]
    assert again != dying
    assert vendor.start("1.1", key="job-2")["id"] == again


def test_scaling_that_is_asked_for_once_more_is_the_same_whatever_was_rolled_out_since(vendor: Vendor) -> None:
    def resize(memory_mb: int) -> object:
        resizing = Operation(kind=OperationKind.RESIZE, module="app", memory_mb=memory_mb)
        return scale_installation(
            vendor.ports,
            installation="acme-cloud",
            operation=resizing,
            by="rita",
            options=RolloutOptions(),
            key="job-1",
        )["id"]

    resizing = Operation(kind=OperationKind.RESIZE, module="app", memory_mb=256)
    vendor.announce("1.0", to="installation=acme-cloud", operation=resizing)
    first = resize(256)
    vendor.work()
    assert vendor.deploy("1.1")["state"] == "succeeded"
    assert resize(256) == first
    with pytest.raises(TriggerReusedError):
        resize(512)


def test_same_trigger_many_times_at_once_is_one_rollout(vendor: Vendor) -> None:
    vendor.announce("1.1")
    with ThreadPoolExecutor(max_workers=6) as pool:
        found = list(pool.map(lambda _: vendor.start("1.1", key="job-1")["id"], range(6)))
    assert len(set(found)) == 1
    with vendor.ports.database.reading() as session:
        assert len(rollouts.newest(session)) == 2, "the one before, and this one"


def test_key_for_two_things_at_once_starts_one_and_refuses_the_other(vendor: Vendor) -> None:
    vendor.announce("1.1", to="customer=acme")
    vendor.announce("1.1", to="customer=globex")

    def start(to: str) -> object:
        try:
            return vendor.start("1.1", to=to, key="job-1")["selector"]
        except TriggerReusedError as error:
            return error

    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(start, ["customer=acme", "customer=globex"]))
    assert sum(isinstance(one, TriggerReusedError) for one in found) == 1, found


def test_installation_added_while_a_plan_is_made_changes_nothing_of_it(vendor: Vendor) -> None:
    ports = replace(vendor.ports, registry=_Adding(vendor))
    with vendor.ports.database.transaction() as session:
        session.execute(delete(ReleaseImage))  # so that the registry is asked
    facts = plan_rollout(
        ports, product="shop", version="1.1", selector="all", by="rita", options=RolloutOptions(), save=False
    )
    assert len(facts["targets"]) == 3


class _Adding:
    """A registry that takes its time: an installation is added meanwhile."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def resolve(self, reference: str) -> str:
        come(self._vendor, "late-own", 18004)
        return self._vendor.ports.registry.resolve(reference)


def test_wrong_state_is_told_when_what_is_scheduled_is_approved(vendor: Vendor) -> None:
    now = vendor.clock.now()
    vendor.announce("1.1", starts_at=now + NEXT_DAY)
    vendor.clock.set(now)
    rollout = vendor.start("1.1", starts_at=now + NEXT_DAY)["id"]
    with pytest.raises(MoveConflictError, match="scheduled"):
        approve_rollout(vendor.ports, rollout_id=rollout, by="sasha")
