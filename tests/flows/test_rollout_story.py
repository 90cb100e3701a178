"""A rollout from plan to end on a fake engine: what goes well, what fails, and who is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.domain.rollout import UpdateState
from releaser.domain.spec import Order
from releaser.errors import ConflictError, MoveConflictError, OutsideError, RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.announce_notice import announce_notice
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.give_way import TargetBusyError
from releaser.flows.pause_rollout import pause_rollout
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_notice import show_notice
from releaser.flows.start_rollout import TriggerReusedError
from releaser.flows.unblock_release import unblock_release
from releaser.flows.yank_release import yank_release
from releaser.store import rollouts
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.vendor import INSTALLATIONS, KeptVendor, Vendor, kept, vendor_on

EVERYWHERE = list(INSTALLATIONS)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


@pytest.fixture(scope="module", params=[Order.STOP_FIRST, Order.START_FIRST], ids=str)
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 was rolled out everywhere."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        made = vendor_on(database, engine, folder, order=request.param)
        assert made.deploy("1.0")["state"] == "succeeded"
        return kept(made, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, engine: FakeEngine, tmp_path: Path) -> Iterator[Vendor]:
    made = begun.resumed(engine, tmp_path)
    yield made
    made.close()


def all_at(version: str) -> dict[str, str]:
    return dict.fromkeys(EVERYWHERE, version)


def test_first_installation_runs_everywhere_and_stops_nothing(vendor: Vendor) -> None:
    assert vendor.running() == vendor.recorded() == all_at("1.0")
    facts = vendor.show(1)
    assert [t["measured_stop_s"] for t in facts["targets"]] == [0.0, 0.0, 0.0]


def test_update_goes_wave_by_wave_and_is_recorded(vendor: Vendor) -> None:
    facts = vendor.deploy("1.1")
    assert facts["state"] == "succeeded"
    assert [wave["state"] for wave in facts["waves"]] == ["succeeded", "succeeded"]
    assert [(t["wave"], t["from"], t["to"]) for t in facts["targets"]] == [(1, "1.0", "1.1"), *[(2, "1.0", "1.1")] * 2]
    assert all(s["state"] == "done" for t in facts["targets"] for s in t["steps"])
    assert vendor.running() == vendor.recorded() == all_at("1.1")


def test_same_version_again_changes_nothing(vendor: Vendor) -> None:
    calls = len([c for c in vendor.engine.calls if c == "create"])
    facts = vendor.start("1.0")
    assert (facts["state"], facts["unchanged"]) == ("succeeded", True)
    assert len([c for c in vendor.engine.calls if c == "create"]) == calls


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_bad_version_is_rolled_back_by_itself_and_goes_no_further(vendor: Vendor, version: str) -> None:
    facts = vendor.deploy(version)
    assert facts["state"] == "rolled_back"
    assert [t["state"] for t in facts["targets"]] == ["rolled_back", "skipped", "skipped"]
    assert vendor.running() == vendor.recorded() == all_at("1.0")
    for number in facts["notices"]:
        assert show_notice(vendor.ports, notice_id=number)["state"] == "rolled_back"


def test_version_that_is_never_healthy_is_given_up_when_its_specification_says(vendor: Vendor) -> None:
    facts = vendor.deploy("1.2")
    assert "answers 404" in facts["targets"][0]["reason"]
    # 1 s to become healthy, and what the clock is moved on besides.
    assert 1 <= (facts["finished_at"] - facts["started_at"]).total_seconds() < 3


def test_missing_image_fails_before_anything_is_stopped(vendor: Vendor) -> None:
    vendor.announce("1.1")
    for image in vendor.engine.images.values():
        image.in_registry = image.version != "1.1"
    rollout = vendor.start("1.1")["id"]
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed"
    assert facts["targets"][0]["state"] == "failed"
    assert "1.1" in facts["targets"][0]["reason"] or "registry" in facts["targets"][0]["reason"]
    assert vendor.running() == all_at("1.0")
    assert "stop" not in vendor.engine.calls[-200:] or facts["targets"][0]["measured_stop_s"] in (None, 0.0)


def test_failure_in_a_later_wave_leaves_the_earlier_one_and_says_failed(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-cloud"] != "succeeded":
        assert vendor.tick()
    for image in vendor.engine.images.values():
        if image.version == "1.1":
            image.behaviour = Behaviour.EXITS
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "failed"
    assert vendor.running() == {"acme-cloud": "1.1", "acme-own": "1.0", "globex-own": "1.0"}


def test_daemon_that_dies_while_rolling_back_is_rolled_back_all_the_same(vendor: Vendor) -> None:
    vendor.announce("1.3")
    rollout = vendor.start("1.3")["id"]
    while not any(
        s["name"] == "start-old" and s["state"] == "done" for s in vendor.show(rollout)["targets"][0]["steps"]
    ):
        assert vendor.tick()
    vendor.engine.kill()
    vendor.engine.revive()
    vendor.work()
    assert vendor.show(rollout)["targets"][0]["state"] == "rolled_back"
    assert vendor.running()["acme-cloud"] == "1.0"


def test_port_that_is_taken_for_a_while_does_not_end_a_roll_back(vendor: Vendor) -> None:
    vendor.announce("1.3")
    rollout = vendor.start("1.3")["id"]
    while vendor.states(rollout)["acme-cloud"] != "rolling_back":
        assert vendor.tick()
    vendor.engine.taken_ports.add(18001)
    for _ in range(12):
        vendor.tick()
    assert vendor.states(rollout)["acme-cloud"] == ("rolling_back" if vendor.stops else "rolled_back")
    vendor.engine.taken_ports.clear()
    vendor.work()
    assert vendor.states(rollout)["acme-cloud"] == "rolled_back"
    assert vendor.running()["acme-cloud"] == "1.0"


def test_inconsistent_target_is_for_a_person_and_not_tried_again(vendor: Vendor) -> None:
    rollout = vendor.deploy("1.2")["id"]
    with vendor.ports.database.transaction() as session:
        update = rollouts.get(session, rollout).updates[0]
        update.state = UpdateState.INCONSISTENT
    with pytest.raises(RefusedError, match="acme-cloud") as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refusal.value.rule == "inconsistent"


def test_threshold_lets_a_rollout_go_on_after_a_failure(vendor: Vendor) -> None:
    vendor.announce("1.1", threshold=1)
    rollout = vendor.start("1.1", threshold=1)["id"]
    while vendor.states(rollout)["acme-cloud"] != "verifying":
        assert vendor.tick()
    container = vendor.engine.named("acme-cloud") or next(iter(vendor.engine.containers.values()))
    for one in vendor.engine.containers.values():
        if one.image.version == "1.1" and one.status == "running":
            container = one
    vendor.engine.end(container, 1)
    vendor.work()
    facts = vendor.show(rollout)
    assert [t["state"] for t in facts["targets"]] == ["rolled_back", "succeeded", "succeeded"]
    assert facts["state"] == "succeeded"


def test_retry_tries_only_what_failed(vendor: Vendor) -> None:
    for image in vendor.engine.images.values():
        if image.version == "1.1":
            image.behaviour = Behaviour.SICK
    rollout = vendor.deploy("1.1")["id"]
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.GOOD if image.version == "1.1" else image.behaviour
    unblock_release(vendor.ports, product="shop", version="1.1", reason="the image was mended", by="rita")
    if vendor.stops:
        with pytest.raises(RefusedError) as refusal:
            retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
        assert refusal.value.rule == "notice-required"
        vendor.announce_drafts(rollout)
    retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert vendor.running() == vendor.recorded() == all_at("1.1")


def test_yanked_release_ends_what_was_planned_with_it(vendor: Vendor) -> None:
    planned = vendor.plan("1.1")
    yank_release(vendor.ports, product="shop", version="1.1", reason="loses orders", by="rita")
    assert vendor.show(planned["rollout"])["state"] == "aborted"
    for number in planned["notices"]:
        assert show_notice(vendor.ports, notice_id=number)["state"] == "cancelled"
        with pytest.raises(ConflictError):
            announce_notice(vendor.ports, notice_id=number, by="rita")


def test_plan_that_goes_back_says_so(vendor: Vendor) -> None:
    vendor.deploy("1.1")
    plan = vendor.plan("1.0")
    assert all("1.1 is newer" in target["warning"] for target in plan["targets"])
    assert not any(target["warning"] for target in vendor.plan("1.1.1")["targets"])


def test_same_trigger_twice_is_one_rollout(vendor: Vendor) -> None:
    vendor.announce("1.1")
    first = vendor.start("1.1", key="job-1")
    again = vendor.start("1.1", key="job-1")
    assert (again["id"], again["found"]) == (first["id"], True)
    with pytest.raises(TriggerReusedError):
        vendor.start("1.1.1", key="job-1")


def test_second_rollout_to_a_busy_target_is_told_who_holds_it(vendor: Vendor) -> None:
    vendor.announce("1.1")
    first = vendor.start("1.1")
    with pytest.raises(TargetBusyError) as busy:
        vendor.start("1.1.1")
    assert busy.value.facts["rollout"] == first["id"]


def test_paused_rollout_finishes_the_target_at_hand_and_starts_none(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    pause_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.running() == {"acme-cloud": "1.1", "acme-own": "1.0", "globex-own": "1.0"}
    resume_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.running() == all_at("1.1")


def test_aborted_rollout_undoes_what_is_not_committed_and_leaves_what_is(vendor: Vendor) -> None:
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-own"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita", reason="customer asked")
    vendor.work()
    assert vendor.show(rollout)["state"] == "aborted"
    assert vendor.running() == {"acme-cloud": "1.1", "acme-own": "1.0", "globex-own": "1.0"}
    with pytest.raises(MoveConflictError):
        resume_rollout(vendor.ports, rollout_id=rollout, by="rita")


def test_approval_is_somebody_elses(vendor: Vendor) -> None:
    vendor.announce("1.1", needs_approval=True)
    rollout = vendor.start("1.1", needs_approval=True)
    assert rollout["state"] == "awaiting_approval"
    with pytest.raises(RefusedError) as refusal:
        approve_rollout(vendor.ports, rollout_id=rollout["id"], by="rita")
    assert refusal.value.rule == "four-eyes"
    with pytest.raises(MoveConflictError, match=f"'awaiting_approval' .* releaser rollout approve {rollout['id']}"):
        resume_rollout(vendor.ports, rollout_id=rollout["id"], by="rita")
    approve_rollout(vendor.ports, rollout_id=rollout["id"], by="sasha")
    vendor.work()
    assert vendor.show(rollout["id"])["state"] == "succeeded"


def test_engine_that_is_down_is_named_before_anything_begins(vendor: Vendor) -> None:
    vendor.engine.kill()
    with pytest.raises(OutsideError):
        vendor.start("1.1")


def test_unknown_customer_and_bad_states_are_refused_by_name(vendor: Vendor) -> None:
    with pytest.raises(ConflictError):
        pause_rollout(vendor.ports, rollout_id=1, by="rita")
