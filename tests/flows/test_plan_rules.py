"""Rules that hold before a rollout runs: what is refused and why, who approved what, and what is only rehearsed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from releaser.domain.plan import RolloutOptions
from releaser.errors import ConflictError, RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.allow_way_back import allow_way_back
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.plan_rollout import plan_rollout
from releaser.flows.ports import Facts
from releaser.flows.resume_rollout import resume_rollout
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.show_release import show_release
from releaser.flows.unblock_release import unblock_release
from releaser.store import installations, pins
from releaser.store.customers import Customer
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import Behaviour, FakeEngine
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


def dry(vendor: Vendor, version: str, *, to: str = "all", **options: Any) -> Facts:  # noqa: ANN401 -- of RolloutOptions
    return plan_rollout(
        vendor.ports,
        product="shop",
        version=version,
        selector=to,
        by="rita",
        options=RolloutOptions(**options),
        save=False,
    )


def mend(vendor: Vendor, version: str, behaviour: Behaviour = Behaviour.GOOD) -> None:
    for image in vendor.engine.images.values():
        if image.version == version:
            image.behaviour = behaviour


# Block after a rollback


def test_version_that_was_rolled_back_is_blocked_until_a_person_says_otherwise(vendor: Vendor) -> None:
    facts = vendor.deploy("1.2")
    assert facts["state"] == "rolled_back"
    blocked = facts["blocked"]
    assert (blocked["version"], blocked["line"], blocked["rollout"]) == ("1.2", "1.2", facts["id"])
    assert "acme-cloud" in blocked["reason"]
    with pytest.raises(RefusedError, match=r"release unblock shop 1\.2") as refusal:
        vendor.plan("1.2")
    assert refusal.value.rule == "version-blocked"
    with pytest.raises(RefusedError):
        vendor.start("1.2")
    assert [one["rule"] for one in dry(vendor, "1.2")["refusals"]] == ["version-blocked"]
    assert not dry(vendor, "1.1")["refusals"], "another version is free"

    lifted = unblock_release(vendor.ports, product="shop", version="1.2", reason="the disk was full", by="rita")
    assert lifted["blocked"] is None
    told = show_release(vendor.ports, product="shop", version="1.2")["blocks"]
    assert [(one["lifted_by"], one["lifted_reason"]) for one in told] == [("rita", "the disk was full")]
    mend(vendor, "1.2")
    assert vendor.deploy("1.2")["state"] == "succeeded"


def test_retry_of_what_was_rolled_back_needs_the_block_lifted(vendor: Vendor) -> None:
    rollout = vendor.deploy("1.2")["id"]
    with pytest.raises(RefusedError) as refusal:
        retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    assert refusal.value.rule == "version-blocked"


def test_what_could_only_not_be_prepared_blocks_nothing(vendor: Vendor) -> None:
    vendor.announce("1.1")
    for image in vendor.engine.images.values():
        image.in_registry = image.version != "1.1"
    rollout = vendor.start("1.1")["id"]
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["blocked"]) == ("failed", None)


def test_version_is_blocked_as_soon_as_its_rollout_turns_also_when_that_is_aborted_then(vendor: Vendor) -> None:
    vendor.announce("1.2")
    rollout = vendor.start("1.2", max_parallel=2)["id"]
    while vendor.show(rollout)["state"] != "rolling_back":
        assert vendor.tick()
    told = vendor.show(rollout)["blocked"]["reason"]
    assert told.startswith(f"rollout {rollout} was turned back at ")
    abort_rollout(vendor.ports, rollout_id=rollout, by="ann", reason="stop it")
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["blocked"]["reason"]) == ("aborted", told)


@pytest.mark.parametrize("state", ["gate", "soaking"])
def test_version_blocked_elsewhere_goes_to_nobody_else_until_the_block_is_lifted(vendor: Vendor, state: str) -> None:
    options: dict[str, Any] = {
        "waves": ("1", "100%"),
        "gated": state == "gate",
        "wave_soak": timedelta(hours=state == "soaking"),
    }
    vendor.announce("1.1", to="customer=acme", **options)
    vendor.announce("1.1", to="customer=globex")
    there = vendor.start("1.1", to="customer=acme", **options)["id"]
    while vendor.show(there)["waves"][0]["state"] != state:
        assert vendor.tick()
    mend(vendor, "1.1", Behaviour.SICK)
    ill = vendor.start("1.1", to="customer=globex")["id"]
    while not vendor.show(ill)["blocked"]:
        assert vendor.tick()
    mend(vendor, "1.1")
    vendor.work()
    facts = vendor.show(there)
    assert facts["state"] == "paused"
    assert "have the block lifted" in facts["next"]
    with pytest.raises(RefusedError) as refusal:
        resume_rollout(vendor.ports, rollout_id=there, by="ann")
    assert refusal.value.rule == "version-blocked"
    assert vendor.running() == {"acme-cloud": "1.1", "acme-own": "1.0", "globex-own": "1.0"}
    unblock_release(vendor.ports, product="shop", version="1.1", reason="it was the database there", by="ann")
    assert resume_rollout(vendor.ports, rollout_id=there, by="ann")["state"] == "running"


def test_block_of_what_is_not_blocked_cannot_be_lifted(vendor: Vendor) -> None:
    with pytest.raises(ConflictError, match="not blocked"):
        unblock_release(vendor.ports, product="shop", version="1.1", reason="why", by="rita")


# Approvals


def changed_health(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        spec = load_spec(target.spec)
        target.spec = dump(replace(spec, health=replace(spec.health, deadline_s=99.0)))


def changed_window(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        customer = session.scalars(select(Customer).where(Customer.name == "globex")).one()
        customer.regulation = {"windows": [{"days": ["mon", "sun"], "from": "00:00", "to": "24:00"}]}


def pinned(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        pins.pin(
            session,
            installations.get(session, "acme-own"),
            version="1.0",
            ticket="SHOP-9",
            reason="special",
            rollout=1,
            by="ann",
            now=vendor.clock.now(),
        )


def one_way(vendor: Vendor) -> None:
    forbid_way_back(vendor.ports, product="shop", version="1.1", reason="converts baskets", by="ann")


@pytest.mark.parametrize("change", [changed_health, changed_window, pinned, one_way])
def test_approval_is_for_the_plan_that_was_shown_and_for_no_other(vendor: Vendor, change: Any) -> None:  # noqa: ANN401 -- a function
    vendor.announce("1.1", needs_approval=True)
    rollout = vendor.start("1.1", needs_approval=True)["id"]
    change(vendor)
    with pytest.raises(RefusedError) as refusal:
        approve_rollout(vendor.ports, rollout_id=rollout, by="sasha")
    assert refusal.value.rule == "plan-changed"
    facts = vendor.show(rollout)
    assert (facts["state"], facts["approved_by"]) == ("awaiting_approval", None)


@pytest.mark.parametrize(
    "changed",
    [
        {"unpin": True},
        {"supersede": True},
        {"threshold": "50%"},
        {"max_parallel": 2},
        {"waves": ("100%",)},
        {"ticket": "SHOP-7"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_other_options_make_another_plan(vendor: Vendor, changed: dict[str, Any]) -> None:
    assert dry(vendor, "1.1")["hash"] != dry(vendor, "1.1", **changed)["hash"]


def test_who_planned_something_else_meanwhile_is_an_author_too(vendor: Vendor) -> None:
    vendor.announce("1.1", needs_approval=True)
    rollout = vendor.start("1.1", needs_approval=True)["id"]
    plan_rollout(
        vendor.ports,
        product="shop",
        version="1.1",
        selector="all",
        by="sasha",
        options=RolloutOptions(needs_approval=True, max_parallel=3),
        save=True,
    )
    with pytest.raises(RefusedError) as refusal:
        approve_rollout(vendor.ports, rollout_id=rollout, by="sasha")
    assert refusal.value.rule == "four-eyes"
    assert approve_rollout(vendor.ports, rollout_id=rollout, by="ann")["state"] == "running"


def test_approval_is_not_dodged_by_asking_again_without_it(vendor: Vendor) -> None:
    vendor.announce("1.1", needs_approval=True)
    rollout = vendor.start("1.1", needs_approval=True)["id"]
    again = vendor.start("1.1")
    assert (again["id"], again["state"]) == (rollout, "awaiting_approval")


def test_installation_that_comes_late_does_not_void_an_approval(vendor: Vendor) -> None:
    vendor.announce("1.1", needs_approval=True)
    rollout = vendor.start("1.1", needs_approval=True)["id"]
    come(vendor, "late-own", 18004)
    assert approve_rollout(vendor.ports, rollout_id=rollout, by="ann")["state"] == "running"
    while vendor.tick():
        pass
    facts = vendor.show(rollout)
    assert (facts["state"], len(facts["targets"])) == ("succeeded", 3)
    assert "late-own came while it ran" in facts["late"]


# Limits


def test_limits_in_percent_are_counted_wave_by_wave(vendor: Vendor) -> None:
    planned = vendor.plan("1.1", max_parallel="60%", threshold="50%", waves=("1", "100%"))
    waves = vendor.show(planned["rollout"])["waves"]
    assert [(one["max_parallel"], one["threshold"]) for one in waves] == [(1, 0), (1, 1)]


def test_failures_up_to_the_percentage_are_let_pass_and_more_are_not(vendor: Vendor) -> None:
    vendor.announce("1.2", waves=("100%",), threshold="99%")
    rollout = vendor.start("1.2", waves=("100%",), threshold="99%")["id"]
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "rolled_back"
    assert [t["state"] for t in facts["targets"]] == ["rolled_back"] * 3, "two of three may fail, three may not"


# Soak


def soak(vendor: Vendor, seconds: float) -> None:
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        target.spec = dump(replace(load_spec(target.spec), soak_s=seconds))


@pytest.mark.parametrize(("seconds", "refused"), [(0.0, []), (2.9, ["soak-too-short"]), (3.0, [])])
def test_soak_that_could_not_notice_a_failing_check_is_refused(
    vendor: Vendor, seconds: float, refused: list[str]
) -> None:
    soak(vendor, seconds)
    plan = dry(vendor, "1.1")
    assert [one["rule"] for one in plan["refusals"]] == refused
    if refused:
        assert "soak_s of 3" in plan["refusals"][0]["advice"]
        with pytest.raises(RefusedError, match="acme-own"):
            vendor.start("1.1")


# Not safe to roll back


def test_version_not_safe_to_roll_back_stops_for_a_person(vendor: Vendor) -> None:
    forbid_way_back(vendor.ports, product="shop", version="1.2", reason="converts the baskets", by="rita")
    facts = vendor.deploy("1.2")
    assert facts["state"] == "failed"
    first, *others = facts["targets"]
    assert (first["state"], {one["state"] for one in others}) == ("inconsistent", {"skipped"})
    assert "not safe to roll back" in first["reason"]
    assert "roll a mended version out" in first["reason"]
    names = {c.name for c in vendor.engine.containers.values() if c.status == "running"}
    assert {"acme-own", "globex-own"} <= names


def test_mark_set_while_it_runs_counts(vendor: Vendor) -> None:
    vendor.announce("1.2")
    rollout = vendor.start("1.2")["id"]
    while vendor.states(rollout)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    one_way_of = forbid_way_back(vendor.ports, product="shop", version="1.2", reason="converts", by="rita")
    assert one_way_of["one_way"] == "converts"
    vendor.work()
    assert vendor.states(rollout)["acme-cloud"] == "inconsistent"


def test_aborting_what_must_not_be_rolled_back_lets_the_target_at_hand_end(vendor: Vendor) -> None:
    forbid_way_back(vendor.ports, product="shop", version="1.1", reason="converts", by="rita")
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-cloud"] not in {"cutting_over", "verifying"}:
        assert vendor.tick()
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "aborted"
    assert vendor.states(rollout)["acme-cloud"] == "succeeded"


def test_going_back_behind_such_a_version_is_refused(vendor: Vendor) -> None:
    assert vendor.deploy("1.1")["state"] == "succeeded"
    forbid_way_back(vendor.ports, product="shop", version="1.1", reason="converts", by="rita")
    plan = dry(vendor, "1.0")
    assert {one["rule"] for one in plan["refusals"]} == {"no-way-back"}
    assert {one["installation"] for one in plan["refusals"]} == set(INSTALLATIONS)
    assert not dry(vendor, "1.1.1")["refusals"]
    assert allow_way_back(vendor.ports, product="shop", version="1.1", by="rita")["one_way"] is None
    assert not dry(vendor, "1.0")["refusals"]


# Rehearsal


def test_rehearsal_prepares_everywhere_and_cuts_nothing_over(vendor: Vendor) -> None:
    before = {c.name: c.id for c in vendor.engine.containers.values()}
    facts = vendor.start("1.1", rehearse=True)
    vendor.work()
    facts = vendor.show(facts["id"])
    assert (facts["state"], facts["rehearsal"], facts["notices"]) == ("succeeded", True, [])
    assert {t["state"] for t in facts["targets"]} == {"skipped"}
    assert all(any(s["name"] == "pull" and s["state"] == "done" for s in t["steps"]) for t in facts["targets"])
    assert {c.name: c.id for c in vendor.engine.containers.values()} == before
    assert vendor.recorded() == dict.fromkeys(INSTALLATIONS, "1.0")
    report = {one["installation"]: one for one in facts["rehearsed"]}
    assert set(report) == set(INSTALLATIONS)
    assert all(one["ready"] for one in report.values())
    assert vendor.deploy("1.1")["state"] == "succeeded"


def test_rehearsal_of_an_image_that_is_gone_says_where_it_fails_and_goes_through_all(vendor: Vendor) -> None:
    for image in vendor.engine.images.values():
        image.in_registry = image.version != "1.1"
    rollout = vendor.start("1.1", rehearse=True)["id"]
    vendor.work()
    facts = vendor.show(rollout)
    assert (facts["state"], facts["blocked"]) == ("failed", None)
    assert {t["state"] for t in facts["targets"]} == {"failed"}
    assert not any(one["ready"] for one in facts["rehearsed"])
    assert "1.1" in facts["rehearsed"][0]["found"] or "registry" in facts["rehearsed"][0]["found"]
    assert vendor.running() == dict.fromkeys(INSTALLATIONS, "1.0")


def test_rehearsal_of_what_would_be_refused_prepares_and_says_so(vendor: Vendor) -> None:
    vendor.deploy("1.2")
    rollout = vendor.start("1.2", rehearse=True)["id"]
    vendor.work()
    facts = vendor.show(rollout)
    assert facts["state"] == "succeeded"
    assert all(one["ready"] and one["refused"][0].startswith("version-blocked") for one in facts["rehearsed"])


def test_rehearsal_is_not_the_planned_rollout(vendor: Vendor) -> None:
    planned = vendor.plan("1.1")["rollout"]
    rehearsed = vendor.start("1.1", rehearse=True)["id"]
    assert rehearsed != planned
    vendor.work()
    assert vendor.show(planned)["state"] == "planned"


# Roll-backs


def test_retry_goes_back_to_what_last_succeeded_not_to_what_was_tried(vendor: Vendor) -> None:
    rollout = vendor.deploy("1.2")["id"]
    unblock_release(vendor.ports, product="shop", version="1.2", reason="again", by="rita")
    vendor.announce("1.3")
    other = vendor.start("1.3")["id"]
    vendor.work()
    facts = vendor.show(other)
    assert {t["from"] for t in facts["targets"]} == {"1.0"}
    assert vendor.running() == dict.fromkeys(INSTALLATIONS, "1.0")
    assert rollout != other


def test_network_that_a_first_installation_lacks_is_named_in_its_plan(vendor: Vendor) -> None:
    come(vendor, "late", 18009)
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "late").targets[0]
        spec: Any = load_spec(target.spec)
        target.spec = dump(replace(spec, networks=("nope",)))
    (planned,) = vendor.plan("1.1", to="installation=late")["targets"]
    assert planned["warning"] == "not on its host yet: docker network create nope"
