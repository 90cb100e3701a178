"""Taking over what runs, noticing what hands change, and single pieces of work that mass rollouts leave alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.declaration import DeclaredInstallation
from releaser.domain.target import Assignment, Observation
from releaser.errors import ConflictError, InvalidError, OutsideError, RefusedError, ReleaserError
from releaser.flows.accept_drift import DriftBusyError, NoDriftError, accept_drift
from releaser.flows.add_ticket import add_ticket
from releaser.flows.adopt_installation import ModuleUnclearError, NothingToAdoptError, ToAdopt, adopt_installation
from releaser.flows.export_declaration import export_declaration
from releaser.flows.look_for_drift import LOOK_EVERY_FOR, look_for_drift
from releaser.flows.ports import Facts
from releaser.flows.show_installation import show_installation
from releaser.flows.unpin_installation import NotPinnedError, unpin_installation
from releaser.store import products, thread
from releaser.store.schema import metadata
from releaser.store.session import Database
from releaser.targets.docker.client import Engine
from tests.fakes.engine import Container, FakeEngine
from tests.fakes.vendor import INSTALLATIONS, REPOSITORY, KeptVendor, Vendor, kept, vendor_on

PASSWORD = "hunter-two-and-a-half"
COMPOSE = "com.docker.compose."


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with FakeEngine() as engine:
        yield engine


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
def vendor(begun: KeptVendor, engine: FakeEngine, tmp_path: Path) -> Iterator[Vendor]:
    made = begun.resumed(engine, tmp_path)
    yield made
    made.close()


def by_hand(vendor: Vendor, name: str, version: str = "1.0", **config: Any) -> Container:  # noqa: ANN401 -- of a create request
    """Somebody runs a container."""
    client = Engine(vendor.engine.address, control_timeout_s=5.0, pull_timeout_s=5.0)
    image = next(i for i in vendor.engine.images.values() if i.version == version)
    image.on_host = True
    payload = {"Image": f"{REPOSITORY}:{version}", "Env": [], "Labels": {}, "HostConfig": {}, **config}
    container_id = client.create(name, payload)
    client.start(container_id)
    client.close()
    return vendor.engine.containers[container_id]


def adopt(vendor: Vendor, name: str, *, dry_run: bool = False, **what: Any) -> Facts:  # noqa: ANN401 -- of ToAdopt
    installation = DeclaredInstallation(name=name, customer="globex", product="shop")
    given = ToAdopt(installation=installation, host="host-1", **what)
    return adopt_installation(vendor.ports, what=given, dry_run=dry_run, by="rita")


def look(vendor: Vendor) -> None:
    """Let the worker look at everything once more."""
    vendor.clock.advance(LOOK_EVERY_FOR + timedelta(seconds=1))
    while look_for_drift(vendor.ports):
        pass


def drift(vendor: Vendor, name: str) -> list[str]:
    facts = show_installation(vendor.ports, installation=name)["targets"][0]["drift"]
    return [one["told"] for one in facts["differences"]] if facts else []


def told(vendor: Vendor, name: str) -> list[tuple[str, str]]:
    return [(one["to"], one["by"]) for one in show_installation(vendor.ports, installation=name)["story"]]


def named(vendor: Vendor, name: str) -> Container:
    found = vendor.engine.named(name)
    assert found is not None
    return found


def change(vendor: Vendor, name: str, **host: Any) -> None:  # noqa: ANN401 -- of a host configuration
    container = named(vendor, name)
    container.raw = {**container.raw, "HostConfig": {**container.raw["HostConfig"], **host}}


# Adopting


HAND: Mapping[str, Any] = {
    "Env": ["MODE=production", f"DB_PASSWORD={PASSWORD}", f"DB_URL=postgres://shop:{PASSWORD}@db/shop"],
    "Labels": {"team": "shop", "org.opencontainers.image.version": "1.0"},
    "Healthcheck": {"Test": ["CMD", "/check"], "Interval": 1_000_000_000},
    "HostConfig": {
        "PortBindings": {"8080/tcp": [{"HostIp": "", "HostPort": "18100"}]},
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "CapAdd": ["NET_ADMIN"],
        "Memory": 64 * 2**20,
    },
}


def test_dry_run_shows_what_would_be_declared_and_changes_nothing(vendor: Vendor) -> None:
    by_hand(vendor, "own-web", **HAND)
    before = export_declaration(vendor.ports)
    calls = list(vendor.engine.calls)
    facts = adopt(vendor, "own", dry_run=True, containers={"own-web": ""})
    (target,) = facts["targets"]
    assert (target["version"], target["version_from"], target["module"]) == ("1.0", "digest", "app")
    (declared,) = facts["declaration"]["installations"]
    assert declared["targets"][0]["spec"]["environment"] == {"MODE": "production"}
    assert {"name": "CapAdd", "value": '["NET_ADMIN"]'} in target["kept"]
    assert facts["installation"] is None
    assert export_declaration(vendor.ports) == before
    assert not set(vendor.engine.calls[len(calls) :]) & {"create", "start", "stop", "update", "rename", "remove"}


def test_adopted_container_is_recorded_and_not_touched(vendor: Vendor) -> None:
    container = by_hand(vendor, "own-web", **HAND)
    adopt(vendor, "own", containers={"own-web": "app"})
    (target,) = show_installation(vendor.ports, installation="own")["targets"]
    assert (target["version"], target["digest"]) == ("1.0", container.image.digest)
    assert target["adopted"]["by"] == "rita"
    assert named(vendor, "own-web") is container
    look(vendor)
    assert drift(vendor, "own") == []


def test_secrets_stay_on_their_host(vendor: Vendor) -> None:
    by_hand(vendor, "own-web", **HAND)
    facts = adopt(vendor, "own", containers={"own-web": "app"})
    assert PASSWORD not in str(facts)
    source = vendor.ports.database.file
    assert source is not None
    change(vendor, "own-web", Memory=1)
    look(vendor)
    assert vendor.deploy("1.1", to="installation=own")["state"] == "succeeded"
    assert PASSWORD not in str(vendor.show(2))
    written = b"".join(file.read_bytes() for file in source.parent.glob(f"{source.name}*"))
    assert PASSWORD.encode() not in written
    assert f"DB_PASSWORD={PASSWORD}" in named(vendor, "own-web").raw["Env"]


def test_first_update_of_an_adopted_one_keeps_what_was_set(vendor: Vendor) -> None:
    by_hand(vendor, "own-web", **HAND)
    adopt(vendor, "own", containers={"own-web": "app"})
    assert vendor.deploy("1.1", to="installation=own")["state"] == "succeeded"
    container = named(vendor, "own-web")
    assert container.image.version == "1.1"
    assert set(container.raw["Env"]) == set(HAND["Env"])
    assert container.raw["HostConfig"]["CapAdd"] == ["NET_ADMIN"]
    assert container.raw["HostConfig"]["Memory"] == 64 * 2**20
    assert container.raw["Labels"]["team"] == "shop"
    look(vendor)
    assert drift(vendor, "own") == []


def test_bad_first_update_brings_back_the_very_container(vendor: Vendor) -> None:
    container = by_hand(vendor, "own-web", **HAND)
    adopt(vendor, "own", containers={"own-web": "app"})
    assert vendor.deploy("1.3", to="installation=own")["state"] == "rolled_back"
    assert named(vendor, "own-web") is container
    assert (container.status, container.restart) == ("running", "always")
    look(vendor)
    assert drift(vendor, "own") == []


def test_version_that_an_adopted_one_runs_is_there_already(vendor: Vendor) -> None:
    container = by_hand(vendor, "own-web", **HAND)
    adopt(vendor, "own", containers={"own-web": "app"})
    facts = vendor.start("1.0", to="installation=own")
    assert (facts["state"], facts["unchanged"]) == ("succeeded", True)
    assert named(vendor, "own-web") is container


def test_compose_project_takes_modules_and_leaves_the_rest(vendor: Vendor) -> None:
    by_hand(vendor, "own-web-1", **_composed("web"))
    vendor.engine.push("registry.test/postgres", "16")
    image = next(i for i in vendor.engine.images.values() if i.repository == "registry.test/postgres")
    image.on_host = True
    by_hand(vendor, "own-db-1", "16", **{**_composed("db"), "Image": "registry.test/postgres:16"})
    facts = adopt(vendor, "own", project="own")
    assert [one["container"] for one in facts["targets"]] == ["own-web-1"]
    assert [one["service"] for one in facts["left"]] == ["db"]
    assert any("docker compose up" in warning for warning in facts["targets"][0]["warnings"])
    vendor.deploy("1.1", to="installation=own")
    assert named(vendor, "own-web-1").raw["Labels"][f"{COMPOSE}service"] == "web"


def _composed(service: str) -> dict[str, Any]:
    labels = {f"{COMPOSE}project": "own", f"{COMPOSE}service": service, f"{COMPOSE}oneoff": "False"}
    return {"Labels": labels, "Healthcheck": {"Test": ["CMD", "/check"]}}


def test_two_containers_of_one_service_are_refused(vendor: Vendor) -> None:
    for number in (1, 2):
        by_hand(vendor, f"own-web-{number}", **_composed("web"))
    with pytest.raises(RefusedError, match="both module 'app'"):
        adopt(vendor, "own", project="own")


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ({"containers": {"nobody": ""}}, OutsideError, "no container 'nobody'"),
        ({"containers": {}}, NothingToAdoptError, "Name what"),
        ({"containers": {"own-web": ""}, "project": "own"}, NothingToAdoptError, "Name what"),
        ({"project": "nothing"}, OutsideError, "compose project"),
        ({"containers": {"own-web": "db"}}, ModuleUnclearError, "no module 'db'"),
        ({"containers": {"acme-own": "app"}}, RefusedError, "belongs to target"),
        ({"containers": {"task": "app"}}, RefusedError, "swarm"),
        ({"containers": {"own-web": ""}, "versions": {"app": "newest"}}, InvalidError, "newest"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_with_the_reason(
    vendor: Vendor, what: dict[str, Any], error: type[ReleaserError], says: str
) -> None:
    by_hand(vendor, "own-web")
    by_hand(vendor, "task", Labels={"com.docker.swarm.service.name": "web"})
    before = export_declaration(vendor.ports)
    with pytest.raises(error, match=says):
        adopt(vendor, "own", **what)
    assert export_declaration(vendor.ports) == before


def test_adopting_twice_is_refused(vendor: Vendor) -> None:
    by_hand(vendor, "own-web")
    adopt(vendor, "own", containers={"own-web": "app"})
    with pytest.raises(ConflictError, match=r"has target app@host-1 already"):
        adopt(vendor, "own", containers={"own-web": "app"})


def test_version_is_what_is_said_else_a_guess_that_is_told(vendor: Vendor) -> None:
    vendor.engine.push("registry.test/other", "0.9")
    image = next(i for i in vendor.engine.images.values() if i.repository == "registry.test/other")
    image.on_host = True
    by_hand(vendor, "own-web", "0.9", Image="registry.test/other:0.9")
    guessed = adopt(vendor, "own", dry_run=True, containers={"own-web": "app"})["targets"][0]
    assert (guessed["version"], guessed["version_from"], guessed["guess"]) == ("0.9", "tag", True)
    assert any("updates come from" in warning for warning in guessed["warnings"])
    said = adopt(vendor, "own", dry_run=True, containers={"own-web": "app"}, versions={"app": "1.0"})["targets"][0]
    assert (said["version"], said["guess"]) == ("1.0", False)


# Drift


def test_untouched_target_has_no_drift(vendor: Vendor) -> None:
    look(vendor)
    look(vendor)
    assert {name: drift(vendor, name) for name in INSTALLATIONS} == {name: [] for name in INSTALLATIONS}


def test_setting_changed_by_hand_is_noted_shown_in_the_plan_and_settled_by_a_rollout(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", Memory=2**27)
    look(vendor)
    assert drift(vendor, "acme-own") == ["Memory: not set → 134217728"]
    plan = vendor.plan("1.1", to="installation=acme-own")
    assert plan["targets"][0]["drift"].startswith("changed by hand (known since ")
    assert vendor.deploy("1.1", to="installation=acme-own")["state"] == "succeeded"
    assert drift(vendor, "acme-own") == []
    assert told(vendor, "acme-own") == [("drifted", "releaser"), ("settled", "releaser")]


def test_plan_itself_notes_drift_that_nobody_has_looked_for(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", CapAdd=["SYS_ADMIN"])
    vendor.plan("1.1")
    assert drift(vendor, "acme-own") == ['CapAdd: not set → ["SYS_ADMIN"]']
    assert drift(vendor, "globex-own") == []


def test_same_version_again_makes_a_changed_container_as_declared(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", Memory=2**27)
    assert vendor.deploy("1.0", to="installation=acme-own")["state"] == "succeeded"
    assert not named(vendor, "acme-own").raw["HostConfig"].get("Memory")
    assert drift(vendor, "acme-own") == []


def test_change_taken_back_ends_the_drift(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", Memory=2**27)
    look(vendor)
    change(vendor, "acme-own", Memory=0)
    look(vendor)
    assert drift(vendor, "acme-own") == []
    assert [to for to, _ in told(vendor, "acme-own")] == ["drifted", "gone"]


def test_container_stopped_removed_replaced_or_doubled_by_hand_is_drift(vendor: Vendor) -> None:
    look(vendor)
    container = named(vendor, "acme-own")
    vendor.engine.end(container, 0)
    look(vendor)
    assert drift(vendor, "acme-own") == ["acme-own is exited"]
    del vendor.engine.containers[container.id]
    look(vendor)
    assert drift(vendor, "acme-own") == ["nothing runs, recorded is 1.0"]
    by_hand(vendor, "acme-own", "1.1")
    look(vendor)
    assert drift(vendor, "acme-own")[0].startswith("another image runs: ")
    assert drift(vendor, "acme-own")[1] == "made by: a rollout → somebody else"
    labels = named(vendor, "globex-own").raw["Labels"]
    by_hand(vendor, "globex-twin", Labels=labels)
    look(vendor)
    assert drift(vendor, "globex-own") == ["globex-twin runs besides"]


def test_secret_changed_by_hand_is_told_without_its_value(vendor: Vendor) -> None:
    look(vendor)
    container = named(vendor, "acme-own")
    container.raw = {**container.raw, "Env": [f"KEY={PASSWORD}"]}
    look(vendor)
    assert drift(vendor, "acme-own") == ["variable KEY: added"]
    assert PASSWORD not in str(show_installation(vendor.ports, installation="acme-own"))


def test_accepted_drift_is_how_it_shall_be(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", Memory=2**27)
    facts = accept_drift(vendor.ports, installation="acme-own", reason="asked for", by="olga")
    assert facts["accepted"][0]["differences"] == ["Memory: not set → 134217728"]
    look(vendor)
    assert drift(vendor, "acme-own") == []
    assert told(vendor, "acme-own")[-1] == ("accepted", "olga")
    with pytest.raises(NoDriftError):
        accept_drift(vendor.ports, installation="acme-own", reason="again", by="olga")


def test_accepted_other_image_is_the_version_of_its_release(vendor: Vendor) -> None:
    del vendor.engine.containers[named(vendor, "acme-own").id]
    by_hand(vendor, "acme-own", "1.1")
    accept_drift(vendor.ports, installation="acme-own", reason="done by hand", by="olga")
    assert vendor.recorded()["acme-own"] == "1.1"
    look(vendor)
    assert drift(vendor, "acme-own") == []


@pytest.mark.parametrize("what", ["stopped", "missing", "doubled"])
def test_accepted_drift_of_any_kind_stays_accepted(vendor: Vendor, what: str) -> None:
    look(vendor)
    container = named(vendor, "acme-own")
    if what == "stopped":
        vendor.engine.end(container, 0)
    elif what == "missing":
        del vendor.engine.containers[container.id]
    else:
        by_hand(vendor, "acme-twin", Labels=container.raw["Labels"])
    accept_drift(vendor.ports, installation="acme-own", reason="meant", by="olga")
    look(vendor)
    assert drift(vendor, "acme-own") == []


@dataclass(slots=True)
class Slow:
    """A driver whose next look takes so long that something else `happens` meanwhile."""

    inner: Any
    happens: Callable[[], object] | None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the driver's
        return getattr(self.inner, name)

    def observe(self, assignment: Assignment) -> Observation:
        seen: Observation = self.inner.observe(assignment)
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return seen


@pytest.mark.parametrize("version", ["1.1", "1.2"], ids=["that succeeded", "that was rolled back"])
def test_look_that_a_whole_rollout_has_overtaken_is_not_accepted(vendor: Vendor, version: str) -> None:
    def rolled_out() -> None:
        state = "succeeded" if version == "1.1" else "rolled_back"
        assert vendor.deploy(version, to="installation=acme-own")["state"] == state

    look(vendor)
    change(vendor, "acme-own", Memory=64 << 20)
    (inner,) = vendor.ports.drivers.values()
    slow = vendor.with_driver(Slow(inner, rolled_out))
    with pytest.raises(DriftBusyError):
        accept_drift(slow.ports, installation="acme-own", reason="meant", by="olga")
    runs = "1.1" if version == "1.1" else "1.0"
    assert (vendor.recorded()["acme-own"], vendor.running()["acme-own"]) == (runs, runs)


def test_accepting_needs_a_reason(vendor: Vendor) -> None:
    with pytest.raises(RefusedError, match="reason"):
        accept_drift(vendor.ports, installation="acme-own", reason=" ", by="olga")


def test_look_is_bounded_and_leaves_alone_what_a_rollout_is_at_work_on(vendor: Vendor) -> None:
    assert look_for_drift(vendor.ports, limit=2) == 2
    assert look_for_drift(vendor.ports, limit=2) == 1
    assert look_for_drift(vendor.ports, limit=2) == 0
    vendor.announce("1.1")
    rollout = vendor.start("1.1")["id"]
    while vendor.states(rollout)["acme-cloud"] != "succeeded":
        vendor.tick()
    vendor.clock.advance(LOOK_EVERY_FOR + timedelta(seconds=1))
    assert look_for_drift(vendor.ports) == 1


def test_engine_that_does_not_answer_is_no_drift(vendor: Vendor) -> None:
    vendor.engine.alive = False
    look(vendor)
    assert drift(vendor, "acme-own") == []


# One-offs


def one_off(vendor: Vendor, version: str = "1.1.1", name: str = "acme-own") -> Facts:
    return vendor.deploy(
        version, to=f"installation={name}", one_off=True, ticket="SHOP-7", reason="its printer needs it"
    )


def test_one_off_pins_its_installation_and_the_next_mass_rollout_passes_it_over(vendor: Vendor) -> None:
    assert one_off(vendor)["state"] == "succeeded"
    pin = show_installation(vendor.ports, installation="acme-own")["pin"]
    assert (pin["ticket"], pin["version"], pin["reason"]) == ("SHOP-7", "1.1.1", "its printer needs it")
    plan = vendor.plan("1.1")
    assert [one["installation"] for one in plan["passed"]] == ["acme-own"]
    assert "SHOP-7" in plan["passed"][0]["reason"]
    facts = vendor.deploy("1.1")
    assert facts["state"] == "succeeded"
    assert [one["installation"] for one in facts["passed"]] == ["acme-own"]
    assert vendor.recorded() == {"acme-cloud": "1.1", "acme-own": "1.1.1", "globex-own": "1.1"}


def test_mass_rollout_told_to_unpin_takes_it_along(vendor: Vendor) -> None:
    one_off(vendor)
    assert vendor.deploy("1.1.1", unpin=True)["state"] == "succeeded"
    assert show_installation(vendor.ports, installation="acme-own")["pin"] is None
    assert told(vendor, "acme-own") == [("pinned", "rita"), ("unpinned", "rita")]


def test_one_off_that_fails_pins_nothing(vendor: Vendor) -> None:
    assert one_off(vendor, "1.3")["state"] == "rolled_back"
    assert show_installation(vendor.ports, installation="acme-own")["pin"] is None


def test_only_pinned_ones_selected_is_refused_with_what_to_do(vendor: Vendor) -> None:
    one_off(vendor)
    with pytest.raises(RefusedError, match="--unpin"):
        vendor.plan("1.1", to="installation=acme-own")


def test_unpinned_by_hand_belongs_to_mass_rollouts_again(vendor: Vendor) -> None:
    one_off(vendor)
    unpin_installation(vendor.ports, installation="acme-own", reason="the fix is in 1.1.1", by="olga")
    assert vendor.plan("1.1")["passed"] == []
    with pytest.raises(NotPinnedError):
        unpin_installation(vendor.ports, installation="acme-own", reason="", by="olga")


@pytest.mark.parametrize(
    ("to", "ticket", "reason"),
    [("all", "SHOP-7", "why"), ("installation=acme-own", "", "why"), ("installation=acme-own", "SHOP-7", " ")],
)
def test_one_off_without_ticket_reason_or_for_many_is_refused(
    vendor: Vendor, to: str, ticket: str, reason: str
) -> None:
    with pytest.raises(InvalidError):
        vendor.plan("1.1", to=to, one_off=True, ticket=ticket, reason=reason)


def test_second_one_off_takes_the_place_of_the_first(vendor: Vendor) -> None:
    one_off(vendor, "1.1")
    one_off(vendor, "1.1.1")
    assert show_installation(vendor.ports, installation="acme-own")["pin"]["version"] == "1.1.1"


def test_other_process_sees_the_same(vendor: Vendor) -> None:
    look(vendor)
    change(vendor, "acme-own", Memory=2**27)
    other = replace(vendor, ports=replace(vendor.ports, owner="second"))
    look(other)
    assert drift(vendor, "acme-own") == drift(other, "acme-own") != []


def test_thread_of_the_request_shows_the_one_off_and_the_pin(vendor: Vendor) -> None:
    add_ticket(vendor.ports, product="shop", key="SHOP-7", title="Printer", by="olga", customer="acme")
    one_off(vendor, "1.1")
    with vendor.ports.database.reading() as session:
        facts = thread.show(session, products.get(session, "shop"), "SHOP-7")
    assert [(one["one_off"], one["reason"]) for one in facts["rollouts"]] == [(True, "its printer needs it")]
    pinned = {one["installation"]: one["pinned_for"] for one in facts["installations"]}
    assert pinned == {"acme-cloud": None, "acme-own": "SHOP-7", "globex-own": None}
