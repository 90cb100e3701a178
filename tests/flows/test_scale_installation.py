"""Scaling from order to declaration: planned, announced in its own words, carried out, and declared once it has succeeded."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sqlalchemy import select

from releaser.cli.plan import plan_text
from releaser.domain.consent import Answer
from releaser.domain.notice_text import opening
from releaser.domain.operation import Operation, OperationKind, Work
from releaser.domain.plan import RolloutOptions
from releaser.domain.spec import ContainerSpec, FilesSpec, FrontKind, FrontSpec, of_kind
from releaser.errors import InvalidError, RefusedError
from releaser.flows.forbid_way_back import forbid_way_back
from releaser.flows.notice_gate import NoticeRequiredError
from releaser.flows.ports import Facts
from releaser.flows.record_consent import record_consent
from releaser.flows.scale_installation import scale_installation
from releaser.store import installations, notices
from releaser.store.blocks import Block
from releaser.store.installations import Target
from releaser.store.notices import texts
from releaser.store.plain import dump, load_spec
from releaser.store.session import Database
from releaser.targets.docker.driver import DockerDriver
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.front import FakeFront
from tests.fakes.vendor import Vendor, vendor_on

WHERE = "acme-cloud"


@pytest.fixture
def vendor(sqlite_url: str, tmp_path: Any) -> Any:  # noqa: ANN401 -- a fixture
    with FakeEngine() as engine:
        made = vendor_on(Database(sqlite_url), engine, tmp_path)
        yield made
        made.close()


def scale(vendor: Vendor, kind: OperationKind, *, dry_run: bool = False, key: str | None = None, **more: Any) -> Facts:  # noqa: ANN401
    return scale_installation(
        vendor.ports,
        installation=WHERE,
        operation=Operation(kind=kind, module="app", **more),
        by="rita",
        options=RolloutOptions(),
        dry_run=dry_run,
        key=key,
    )


def declared(vendor: Vendor) -> ContainerSpec:
    with vendor.ports.database.reading() as session:
        return of_kind(load_spec(installations.get(session, WHERE).targets[0].spec), ContainerSpec)


def notice_of(vendor: Vendor, rollout_id: int) -> tuple[str, str]:
    """What its notice stops, and its subject in Russian."""
    with vendor.ports.database.reading() as session:
        (notice,) = notices.of_rollout(session, rollout_id)
        return notice.stop.value, texts(notice)["ru"].subject


@pytest.fixture
def fronted(vendor: Vendor) -> Vendor:
    """Its installation has two containers behind a front."""
    front = FakeFront()
    driver = DockerDriver(clock=vendor.clock, probe=vendor.engine.probe, opener=front.opened)
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, WHERE).targets[0]
        spec = of_kind(load_spec(target.spec), ContainerSpec)
        before = FrontSpec(kind=FrontKind.HAPROXY, group="shop", port=8080, address="unix:///front", drain_s=0.5)
        ports = tuple(dataclasses.replace(port, host_port=0) for port in spec.ports)
        health = dataclasses.replace(spec.health, http="http://127.0.0.1:{port}/healthz")
        target.spec = dump(dataclasses.replace(spec, front=before, replicas=2, ports=ports, health=health))
    return vendor.with_driver(driver)


def test_resize_of_a_single_container_is_announced_with_its_stop_and_declared_afterwards(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    resize: dict[str, Any] = {"memory_mb": 256, "cpus": 1.5}
    plan = scale(vendor, OperationKind.RESIZE, dry_run=True, **resize)
    assert (plan["operation"], plan["stops"][0]["stop"]) == ("app with 256 MB, 1.5 processors", "full")
    with pytest.raises(NoticeRequiredError) as caught:
        scale(vendor, OperationKind.RESIZE, **resize)
    rollout_id = int(str(caught.value.facts["rollout"]))
    assert notice_of(vendor, rollout_id) == ("full", "Плановые работы: shop 1.0, изменение ресурсов с остановкой")
    vendor.announce_drafts(rollout_id)
    started = scale(vendor, OperationKind.RESIZE, **resize)
    assert started["id"] == rollout_id
    assert declared(vendor).memory_mb is None, "declared is what runs, once it does"
    vendor.work()
    assert vendor.show(rollout_id)["state"] == "succeeded"
    (container,) = vendor.engine.containers.values()
    assert container.raw["HostConfig"]["Memory"] == 256 * 2**20
    assert (declared(vendor).memory_mb, declared(vendor).cpus) == (256, 1.5)
    assert container.image.version == "1.0"
    # The next update keeps it, and there is nothing more to do.
    assert scale(vendor, OperationKind.RESIZE, dry_run=True, **resize)["unchanged"]


def test_version_pushed_anew_meanwhile_what_runs_is_what_is_resized(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    with vendor.ports.database.transaction() as session:
        target = session.scalars(select(Target).where(Target.digest != "")).one()
        digest = target.digest
        target.installation.product.modules[0].image = "registry.test/elsewhere:{version}"
    plan = scale(vendor, OperationKind.RESIZE, dry_run=True, memory_mb=64)
    assert plan["targets"][0]["to"] == "1.0"
    (container,) = vendor.engine.containers.values()
    assert container.image.digest == digest


def test_what_is_declared_for_the_next_version_a_resize_does_not_bring(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    with vendor.ports.database.transaction() as session:
        target = installations.get(session, WHERE).targets[0]
        spec = of_kind(load_spec(target.spec), ContainerSpec)
        target.spec = dump(dataclasses.replace(spec, environment={"FEATURE_OF_1_1": "on"}))
    with pytest.raises(NoticeRequiredError) as caught:
        scale(vendor, OperationKind.RESIZE, memory_mb=256)
    vendor.announce_drafts(int(str(caught.value.facts["rollout"])))
    scale(vendor, OperationKind.RESIZE, memory_mb=256)
    vendor.work()
    (container,) = vendor.engine.containers.values()
    assert container.raw["HostConfig"]["Memory"] == 256 * 2**20
    assert not any("FEATURE" in one for one in container.raw.get("Env") or ())
    assert declared(vendor).environment == {"FEATURE_OF_1_1": "on"}, "the next update brings it"


def test_another_number_declared_than_runs_refused(fronted: Vendor) -> None:
    fronted.deploy("1.0", to=f"installation={WHERE}")
    with fronted.ports.database.transaction() as session:
        target = installations.get(session, WHERE).targets[0]
        target.spec = dump(dataclasses.replace(of_kind(load_spec(target.spec), ContainerSpec), replicas=4))
    with pytest.raises(RefusedError, match="2 run, and 4 are declared"):
        scale(fronted, OperationKind.ADD_INSTANCE, count=1)


def test_yes_to_one_more_is_none_to_the_next_one(fronted: Vendor) -> None:
    fronted.deploy("1.0", to=f"installation={WHERE}")
    with fronted.ports.database.transaction() as session:
        customer = installations.get(session, WHERE).customer
        customer.regulation = {**customer.regulation, "consent": {"by": "head of operations", "updates": "all"}}
    first = scale(fronted, OperationKind.ADD_INSTANCE, count=1, dry_run=True)
    assert first["operation"] == "1 more of app: 2 -> 3"
    assert f"Scales {WHERE}: 1 more of app: 2 -> 3." in plan_text(first)
    started = scale(fronted, OperationKind.ADD_INSTANCE, count=1)
    record_consent(fronted.ports, rollout_id=started["id"], answer=Answer.YES, who="Ann", by="rita")
    fronted.work()
    assert fronted.show(started["id"])["state"] == "succeeded"
    second = scale(fronted, OperationKind.ADD_INSTANCE, count=1, dry_run=True)
    assert second["operation"] == "1 more of app: 3 -> 4"
    assert [one["rule"] for one in second["needs"]] == ["consent"]


def test_instance_added_behind_a_front_nothing_stops_and_the_notice_says_so(fronted: Vendor) -> None:
    fronted.deploy("1.0", to=f"installation={WHERE}")
    before = {one.id for one in fronted.engine.containers.values()}
    assert len(before) == 2
    started = scale(fronted, OperationKind.ADD_INSTANCE, count=1, key="once")
    assert scale(fronted, OperationKind.ADD_INSTANCE, count=1, key="once")["id"] == started["id"], "once, not twice"
    assert notice_of(fronted, started["id"]) == ("none", "Плановые работы: shop 1.0, масштабирование без остановки")
    fronted.work()
    assert fronted.show(started["id"])["state"] == "succeeded"
    assert declared(fronted).replicas == 3
    serving = [one for one in fronted.engine.containers.values() if one.status == "running"]
    assert sorted(one.name for one in serving) == [f"{WHERE}-{slot}" for slot in (1, 2, 3)]
    assert scale(fronted, OperationKind.ADD_INSTANCE, count=1, key="once")["id"] == started["id"]


def test_plan_of_an_update_and_of_a_resize_are_two(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    update = vendor.plan("1.0", to=f"installation={WHERE}")
    with pytest.raises(NoticeRequiredError) as caught:
        scale(vendor, OperationKind.RESIZE, memory_mb=64)
    assert caught.value.facts["rollout"] != update["rollout"]


def test_nobody_would_share_the_requests_refused(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    with pytest.raises(RefusedError, match="no front") as caught:
        scale(vendor, OperationKind.ADD_INSTANCE, count=1)
    assert caught.value.rule == "replicas-need-a-front"


def test_nothing_runs_there_refused(vendor: Vendor) -> None:
    with pytest.raises(RefusedError, match="nothing that is known") as caught:
        scale(vendor, OperationKind.RESIZE, memory_mb=64)
    assert caught.value.rule == "scale-what-runs"


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (Operation(kind=OperationKind.ADD_INSTANCE, module="app", count=0), "count"),
        (Operation(kind=OperationKind.RESIZE, module="app"), "memory"),
        (Operation(kind=OperationKind.RESIZE, module="../x", memory_mb=64), "module"),
    ],
)
def test_nonsense_is_refused(vendor: Vendor, operation: Operation, field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        scale_installation(
            vendor.ports, installation=WHERE, operation=operation, by="rita", options=RolloutOptions(), dry_run=True
        )
    assert caught.value.field == field


def test_kinds_without_resources_and_resources_that_cannot_be_are_refused() -> None:
    resize = Operation(kind=OperationKind.RESIZE, module="app", memory_mb=1)
    with pytest.raises(RefusedError, match="updated by files"):
        resize.changed(FilesSpec(name="shop", root="/opt/shop"))
    with pytest.raises(RefusedError, match="no limit"):
        resize.changed(ContainerSpec(name="shop"))


def test_every_kind_of_work_is_said_in_its_own_words() -> None:
    for language in ("en", "ru"):
        said = {opening(language, product="Shop", version="1.0", work=work) for work in (None, *Work)}
        assert len(said) == 4


def test_resize_that_fails_declares_nothing_and_blocks_no_version(vendor: Vendor) -> None:
    vendor.deploy("1.0", to=f"installation={WHERE}")
    with pytest.raises(NoticeRequiredError) as caught:
        scale(vendor, OperationKind.RESIZE, memory_mb=64)
    rollout_id = int(str(caught.value.facts["rollout"]))
    vendor.announce_drafts(rollout_id)
    scale(vendor, OperationKind.RESIZE, memory_mb=64)
    # With so little memory it ends at once; what was there has enough.
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.EXITS
    while vendor.states(rollout_id)[WHERE] != "rolling_back":
        assert vendor.tick()
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.GOOD
    vendor.work()
    assert vendor.show(rollout_id)["state"] != "succeeded"
    assert declared(vendor).memory_mb is None
    with vendor.ports.database.reading() as session:
        assert session.scalars(select(Block)).all() == []


@pytest.mark.parametrize("marked", ["before", "meanwhile"])
def test_version_not_safe_to_roll_back_a_resize_that_fails_goes_back_all_the_same(vendor: Vendor, marked: str) -> None:
    """The version runs before and after: what it converted stays converted."""

    def mark() -> None:
        forbid_way_back(vendor.ports, product="shop", version="1.0", reason="converts baskets", by="rita")

    vendor.deploy("1.0", to=f"installation={WHERE}")
    if marked == "before":
        mark()
    with pytest.raises(NoticeRequiredError) as caught:
        scale(vendor, OperationKind.RESIZE, memory_mb=64)
    rollout_id = int(str(caught.value.facts["rollout"]))
    vendor.announce_drafts(rollout_id)
    scale(vendor, OperationKind.RESIZE, memory_mb=64)
    if marked == "meanwhile":
        mark()
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.EXITS
    while vendor.states(rollout_id)[WHERE] not in {"rolling_back", "inconsistent"}:
        assert vendor.tick()
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.GOOD
    vendor.work()
    assert vendor.states(rollout_id)[WHERE] == "rolled_back", "the service stays down although the way back is safe"
    assert [one.image.version for one in vendor.engine.containers.values() if one.status == "running"] == ["1.0"]
