"""What a plan was made from changes before it is kept: it is made anew, so that every way back leads to what runs there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from releaser.domain.operation import Operation, OperationKind
from releaser.domain.plan import RolloutOptions
from releaser.domain.rollout import RolloutState
from releaser.domain.spec import ContainerSpec, Order
from releaser.domain.target import Assignment, Desired
from releaser.errors import ReleaserError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.advance_target import advance_target
from releaser.flows.approve_rollout import approve_rollout
from releaser.flows.begin_rollout import begin_rollout
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.recheck_plan import PlanStaleError
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.scale_installation import scale_installation
from releaser.flows.yank_release import yank_release
from releaser.store import installations, rollouts
from releaser.store.blocks import Block
from releaser.store.plain import dump, load, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.target import Driver
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, come, kept, vendor_on
from tests.flows.test_retry import failed

OWN = "installation=acme-own"


class _Meanwhile:
    """A driver that lets something happen behind the first `times` looks at a host that plans take."""

    def __init__(self, driver: Driver, happens: Callable[[], object], *, behind: str, times: int) -> None:
        self._driver, self._happens, self._behind, self._left = driver, happens, behind, times
        self._turn = threading.Lock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the driver has
        found = getattr(self._driver, name)
        return self._then(found) if name == self._behind else found

    def _then(self, look: Callable[..., object]) -> Callable[..., object]:
        def looked(assignment: Assignment, **given: object) -> object:
            seen = look(assignment, **given)
            with self._turn:
                if assignment.rollout == 0 and self._left:
                    self._left -= 1
                    self._happens()
            return seen

        return looked


def meanwhile(vendor: Vendor, happens: Callable[[], object], *, behind: str = "observe", times: int = 1) -> Vendor:
    """The same, where something else happens while a plan is being made."""
    (driver,) = vendor.ports.drivers.values()
    return vendor.with_driver(cast("Driver", _Meanwhile(driver, happens, behind=behind, times=times)))


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs everywhere; updates stop nothing, so that nothing has to be announced."""
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


def joins(vendor: Vendor, name: str) -> None:
    """A new installation whose updates stop nothing either."""
    come(vendor, name, 0)
    with vendor.ports.database.transaction() as session:
        like = load_spec(installations.get(session, "globex-own").targets[0].spec)
        assert isinstance(like, ContainerSpec)
        installations.get(session, name).targets[0].spec = dump(replace(like, name=name, aliases=(name,)))


def alone(vendor: Vendor, version: str, *, to: str) -> None:
    """A rollout from its start to its end, in which nothing else goes on."""
    number = vendor.start(version, to=to)["id"]
    while vendor.show(number)["state"] == "running":
        advance_rollout(vendor.ports, rollout_id=number)
        for target in vendor.show(number)["targets"]:
            advance_target(vendor.ports, update_id=target["id"])
        vendor.clock.advance(timedelta(milliseconds=100))


def come_from(vendor: Vendor, rollout: int) -> dict[str, str]:
    """Installation -> what a way back would lead to."""
    return {t["installation"]: t["from"] for t in vendor.show(rollout)["targets"]}


def test_start_while_another_rollout_ends_there_is_planned_from_what_it_left(vendor: Vendor) -> None:
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN))
    rollout = racing.start("1.1.1")["id"]
    assert come_from(vendor, rollout)["acme-own"] == "1.1", (
        "a roll-back would bring a version back that ran before the last one"
    )
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"


def test_start_of_what_ran_until_a_moment_ago_does_not_record_that_it_runs(vendor: Vendor) -> None:
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN), behind="verify")
    facts = racing.start("1.0", to=OWN)
    assert not facts["unchanged"], "1.1 runs there, so bringing 1.0 there changes something"
    assert vendor.recorded()["acme-own"] == "1.1"


def test_kept_plan_while_another_rollout_ends_there_says_what_runs(vendor: Vendor) -> None:
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN))
    plan = racing.plan("1.1.1")
    assert come_from(vendor, plan["rollout"])["acme-own"] == "1.1"
    assert {t["installation"]: t["from"] for t in plan["targets"]}["acme-own"] == "1.1", "what is shown is what is kept"


def test_scheduled_rollout_that_begins_while_another_one_ends_there_is_planned_from_what_it_left(
    vendor: Vendor,
) -> None:
    later = vendor.clock.now() + timedelta(hours=1)
    rollout = vendor.start("1.1.1", starts_at=later)["id"]
    vendor.clock.set(later)
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN))
    begin_rollout(racing.ports, rollout_id=rollout)
    assert vendor.show(rollout)["state"] == "running"
    assert come_from(vendor, rollout)["acme-own"] == "1.1"


def test_approval_of_what_another_rollout_changes_in_that_moment_is_refused(vendor: Vendor) -> None:
    rollout = vendor.start("1.1.1", needs_approval=True)["id"]
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN))
    with pytest.raises(ReleaserError) as refusal:
        approve_rollout(racing.ports, rollout_id=rollout, by="bob")
    assert getattr(refusal.value, "rule", "") == "plan-changed", (
        "bob approved what was shown, which is not what would be done"
    )
    assert vendor.show(rollout)["state"] == "awaiting_approval"
    assert come_from(vendor, rollout)["acme-own"] == "1.1", "the new plan is what is to be looked at"


def test_retry_while_something_else_ends_there_is_refused_as_overtaken(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")
    racing = meanwhile(vendor, lambda: vendor.deploy("1.1.1", to=OWN))
    with pytest.raises(ReleaserError) as refusal:
        retry_rollout(racing.ports, rollout_id=rollout, by="rita")
    assert getattr(refusal.value, "rule", "") == "overtaken", (
        "it would put 1.1 in the place of 1.1.1, and 1.0 back if that failed"
    )


def test_two_retries_at_once_begin_one_attempt(vendor: Vendor) -> None:
    rollout = failed(vendor, "1.1")

    def other() -> None:
        retry_rollout(vendor.ports, rollout_id=rollout, by="bob")
        vendor.work()

    with pytest.raises(ReleaserError):
        retry_rollout(meanwhile(vendor, other).ports, rollout_id=rollout, by="rita")
    assert vendor.show(rollout)["state"] == "succeeded"
    assert {t["attempt"] for t in vendor.show(rollout)["targets"]} == {2}


def test_start_while_an_installation_is_added_takes_it_along(vendor: Vendor) -> None:
    racing = meanwhile(vendor, lambda: joins(vendor, "globex-new"))
    rollout = racing.start("1.1", waves=("100%",), max_parallel=9)["id"]
    vendor.work()
    assert vendor.states(rollout)["globex-new"] == "succeeded"


def declare(vendor: Vendor, *, soak_s: float) -> None:
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        target.spec = dump(replace(load_spec(target.spec), soak_s=soak_s))


def test_start_while_another_specification_is_declared_makes_that_one(vendor: Vendor) -> None:
    rollout = meanwhile(vendor, lambda: declare(vendor, soak_s=7.0)).start("1.1", to=OWN)["id"]
    with vendor.ports.database.reading() as session:
        made = load(Desired, rollouts.get(session, rollout).updates[0].desired)
    assert made.spec.soak_s == 7.0


def test_start_while_the_version_turns_out_to_be_bad_is_refused(vendor: Vendor) -> None:
    racing = meanwhile(vendor, lambda: vendor.deploy("1.2", to="installation=globex-own"))
    with pytest.raises(ReleaserError) as refusal:
        racing.start("1.2", to=OWN)
    assert getattr(refusal.value, "rule", "") == "version-blocked"
    yanking = meanwhile(
        vendor, lambda: yank_release(vendor.ports, product="shop", version="1.1", reason="it eats data", by="rita")
    )
    with pytest.raises(ReleaserError) as refusal:
        yanking.start("1.1", to=OWN)
    assert getattr(refusal.value, "rule", "") == "release-state"


def test_start_while_the_version_is_marked_as_one_way_is_never_rolled_back(vendor: Vendor) -> None:
    mark = lambda: forbid_way_back(vendor.ports, product="shop", version="1.2", reason="it converts", by="rita")  # noqa: E731
    rollout = meanwhile(vendor, mark).start("1.2", to=OWN)["id"]
    vendor.work()
    assert vendor.states(rollout)["acme-own"] == "inconsistent", "what it converted is left to a person"


def test_start_where_something_changes_again_and_again_is_refused_by_name(vendor: Vendor) -> None:
    soaks = count(3)
    racing = meanwhile(vendor, lambda: declare(vendor, soak_s=float(next(soaks))), times=99)
    with pytest.raises(PlanStaleError) as refusal:
        racing.start("1.1", to=OWN)
    assert refusal.value.advice
    with vendor.ports.database.reading() as session:
        assert not rollouts.in_states(session, RolloutState.PLANNED), "what is refused leaves nothing behind"


def test_late_installation_that_is_served_by_another_rollout_meanwhile_is_planned_from_that(vendor: Vendor) -> None:
    rollout = vendor.start("1.1")["id"]
    joins(vendor, "globex-new")
    meanwhile(vendor, lambda: alone(vendor, "1.0", to="installation=globex-new")).work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert come_from(vendor, rollout)["globex-new"] == "1.0"


def soaking_and_scheduled(vendor: Vendor) -> tuple[int, int]:
    """A rollout that is at work, and a newer one that is to take over from it now."""
    declare(vendor, soak_s=7200.0)
    first = vendor.start("1.1", to=OWN)["id"]
    while vendor.states(first)["acme-own"] != "soaking":
        assert vendor.tick()
    later = vendor.clock.now() + timedelta(hours=1)
    newer = vendor.start("1.1.1", to=OWN, starts_at=later, supersede=True)["id"]
    vendor.clock.set(later)
    return first, newer


def test_one_that_takes_over_is_called_off_in_that_moment_and_ends_nobody(vendor: Vendor) -> None:
    first, newer = soaking_and_scheduled(vendor)
    call_off = lambda: abort_rollout(vendor.ports, rollout_id=newer, by="rita")  # noqa: E731
    begin_rollout(meanwhile(vendor, call_off).ports, rollout_id=newer)
    assert (vendor.show(first)["state"], vendor.show(first)["superseded_by"]) == ("running", None)


def test_one_that_cannot_begin_takes_over_from_nobody(vendor: Vendor) -> None:
    first, newer = soaking_and_scheduled(vendor)
    yanked = "it eats data"
    with vendor.ports.database.transaction() as session:
        release = rollouts.get(session, newer).release
        blocked = Block(
            release_id=release.id, line=release.line, rollout_id=newer, reason=yanked, at=vendor.clock.now()
        )
        session.add(blocked)
    begin_rollout(vendor.ports, rollout_id=newer)
    assert vendor.show(first)["state"] == "running", "the other would have ended for one that is refused"
    assert yanked in vendor.show(newer)["reason"]


def test_scaling_for_later_of_a_version_that_runs_no_more_is_not_done(vendor: Vendor) -> None:
    later = vendor.clock.now() + timedelta(hours=1)
    rollout = scale_installation(
        vendor.ports,
        installation="acme-own",
        operation=Operation(kind=OperationKind.RESIZE, module="app", memory_mb=512),
        by="rita",
        options=RolloutOptions(starts_at=later),
    )["id"]
    assert vendor.deploy("1.1", to=OWN)["state"] == "succeeded"
    vendor.clock.set(later)
    begin_rollout(vendor.ports, rollout_id=rollout)
    facts = vendor.show(rollout)
    assert (facts["state"], facts["started_at"]) == ("scheduled", None)
    assert "runs 1.1 now" in facts["reason"], "it would tell that 1.0 was resized, which is nowhere to be found"


def test_plans_hold_when_they_are_kept_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    with FakeEngine() as engine:
        vendor = vendor_on(Database(postgres_url), engine, tmp_path, order=Order.START_FIRST)
        assert vendor.deploy("1.0", to=OWN)["state"] == "succeeded"
        rollout = failed(vendor, "1.1.1", to=OWN)
        racing = meanwhile(vendor, lambda: vendor.deploy("1.1", to=OWN))
        with pytest.raises(ReleaserError, match=r"acme-own runs 1\.1"):
            retry_rollout(racing.ports, rollout_id=rollout, by="rita")
        racing = meanwhile(vendor, lambda: vendor.deploy("1.0", to=OWN))
        assert come_from(vendor, racing.start("1.1.1", to=OWN)["id"]) == {"acme-own": "1.0"}
        vendor.close()
