"""Answers about a product: where a fix is, what is missing, and what an upgrade takes, with what only the service knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from releaser.domain.changelog import Section
from releaser.domain.history import LineStatus
from releaser.domain.release import ReleaseState
from releaser.domain.spec import Order
from releaser.domain.version import VersionKind
from releaser.errors import RefusedError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.find_fix import find_fix
from releaser.flows.lift_stop import lift_stop
from releaser.flows.override_status import override_status
from releaser.flows.read_changelog import RangeError, Wanted, Which
from releaser.flows.render_changelog import render_changelog
from releaser.flows.require_stop import require_stop
from releaser.flows.show_backports import show_backports
from releaser.flows.show_upgrade import show_upgrade
from releaser.flows.write_note import write_note
from releaser.flows.yank_release import MissingReasonError, yank_release
from releaser.sources.git import GitRepositories
from releaser.store import products
from releaser.store.releases import Release, ReleaseNotFoundError
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.git_world import GitWorld
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.vendor import VERSIONS, Vendor, vendor_on

ONE = "installation=acme-cloud"


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[ReleaseWorld]:
    """1.0; 1.0.1 with a fix of its own; 1.1 with SHOP-2."""
    world = ReleaseWorld(tmp_path, url=sqlite_url)
    own = world.land("SHOP-9: only here", branch="line-1.0")
    world.remote.tag("v1.0.1", own)
    world.remote.tag("v1.1", world.remote.git("rev-parse", "main"))
    world.remote.branch("line-1.1", world.remote.git("rev-parse", "main"))
    world.collect()
    yield world
    world.close()


def test_upgrade_tells_lost_fixes_and_what_release_notes_ask_for(world: ReleaseWorld) -> None:
    write_note(
        world.ports,
        product="shop",
        version="1.1",
        ticket="SHOP-2",
        language="en",
        text="Run `convert` first.",
        section=Section.CHANGED,
        needs_action=True,
        reason="said late",
        by="rita",
    )
    found = show_upgrade(world.ports, product="shop", since="v1.0.1", upto="1.1")
    assert [one["ticket"] for one in found["lost"]] == ["SHOP-9"]
    assert "SHOP-2" in [one["ticket"] for one in found["gained"]]
    assert found["actions"] == [
        {"version": "1.1", "ticket": "SHOP-2", "language": "en", "text": "Run `convert` first."}
    ]
    assert found["required_stops"] == []
    assert show_upgrade(world.ports, product="shop", since="1.0", upto="1.0.1")["actions"] == []


def test_downtime_of_what_runs_nowhere_is_not_known(world: ReleaseWorld) -> None:
    found = show_upgrade(world.ports, product="shop", since="1.0", upto="1.1")["downtime"]
    assert found == {"expected_s": None, "basis": "not known", "updates": 1, "modules": []}


def test_unknown_version_is_told_with_those_there_are(world: ReleaseWorld) -> None:
    with pytest.raises(ReleaseNotFoundError, match=r"no release 7\.7"):
        show_upgrade(world.ports, product="shop", since="1.0", upto="7.7")


def test_release_that_no_tag_carries_is_refused(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        session.add(
            Release(
                product_id=row.id,
                version="1.2",
                version_key="1.2",
                line="1.2",
                kind=VersionKind.STABLE,
                state=ReleaseState.CUTTING,
            )
        )
    with pytest.raises(RefusedError) as caught:
        show_upgrade(world.ports, product="shop", since="1.0", upto="1.2")
    assert caught.value.rule == "not-cut"
    assert "collect" not in caught.value.advice


def test_fix_is_found_by_ticket_and_people_have_the_last_word(world: ReleaseWorld) -> None:
    before = {one["line"]: one["status"] for one in find_fix(world.ports, product="shop", query="SHOP-2")["lines"]}
    assert before == {"1.0": "unknown", "1.1": "fixed"}
    override_status(
        world.ports,
        key="SHOP-2",
        product="shop",
        line="1.0",
        status=LineStatus.UNAFFECTED,
        reason="No basket there.",
        by="rita",
    )
    after = {one["line"]: one for one in find_fix(world.ports, product="shop", query="SHOP-2")["lines"]}
    assert (after["1.0"]["status"], after["1.0"]["shown"], after["1.0"]["override"]) == (
        "unaffected",
        "unknown",
        "No basket there.",
    )


def test_gap_that_a_person_settled_is_none(world: ReleaseWorld) -> None:
    def gaps() -> set[tuple[str, str]]:
        found = show_backports(world.ports, product="shop", lines=["1.0", "1.1"])
        return {(one["ticket"], one["line"]) for one in found["gaps"]}

    assert {("SHOP-2", "1.0"), ("SHOP-9", "1.1"), ("SHOP-9", "main")} <= gaps()
    override_status(
        world.ports, key="SHOP-2", product="shop", line="1.0", status=LineStatus.WONTFIX, reason="Old.", by="rita"
    )
    assert ("SHOP-2", "1.0") not in gaps()
    override_status(
        world.ports, key="SHOP-9", product="shop", line="1.1", status=LineStatus.AFFECTED, reason="Seen.", by="rita"
    )
    found = show_backports(world.ports, product="shop")["gaps"]
    assert ("SHOP-9", "1.1", "affected", False) in [
        (one["ticket"], one["line"], one["status"], one["candidate"]) for one in found
    ]


def test_changelog_of_a_range_goes_back_along_what_each_is_told_against(world: ReleaseWorld) -> None:
    def told(since: str, upto: str) -> str:
        return render_changelog(world.ports, product="shop", within=Wanted(which=Which.RANGE, since=since, upto=upto))

    assert ["## [1.1]" in told("1.0", ""), "## [1.0.1]" in told("1.0", ""), "## [1.0]" in told("1.0", "")] == [
        True,
        False,
        False,
    ]
    assert "## [1.0.1]" in told("1.0", "1.0.1")
    with pytest.raises(RangeError):
        told("1.1", "1.0")


@pytest.fixture
def vendor(sqlite_url: str, tmp_path: Path) -> Iterator[Vendor]:
    """One of three installations runs 1.0; the repository has all versions."""
    database = Database(sqlite_url)
    metadata.create_all(database.engine)
    remote = GitWorld(tmp_path / "remote.git")
    tip = ""
    for text in VERSIONS:
        tip = remote.commit(f"SHOP-{text[2:].replace('.', '')}: work", *([tip] if tip else []), branch="main")
        remote.tag(f"v{text}", tip)
    with FakeEngine() as engine:
        made = vendor_on(database, engine, tmp_path, order=Order.STOP_FIRST)
        with database.transaction() as session:
            products.get(session, "shop").repository = str(remote.folder)
        made = replace(made, ports=replace(made.ports, repositories=GitRepositories()))
        collect_commits(made.ports, product="shop")
        assert made.deploy("1.0", to=ONE)["state"] == "succeeded"
        yield made
        for driver in made.ports.drivers.values():
            driver.close()  # type: ignore[attr-defined]  # the docker driver keeps connections
    database.close()


def test_downtime_is_what_plans_state_until_an_update_was_measured(vendor: Vendor) -> None:
    stated = show_upgrade(vendor.ports, product="shop", since="1.0", upto="1.1.1")["downtime"]
    planned = vendor.plan("1.1", to=ONE)["targets"][0]["planned_stop_s"]
    assert (stated["expected_s"], stated["basis"]) == (planned, "stated estimate")
    vendor.deploy("1.1", to=ONE)
    measured = show_upgrade(vendor.ports, product="shop", since="1.1", upto="1.1.1")["downtime"]
    assert (measured["basis"], measured["modules"][0]["count"]) == ("measured", 1)
    assert 0 <= measured["expected_s"] < planned


def test_plan_that_passes_a_required_stop_is_refused_until_it_is_made(vendor: Vendor) -> None:
    marked = require_stop(vendor.ports, product="shop", version="1.1", reason=" Converts baskets. ", by="rita")
    assert (marked["required_stop"], marked["required_stop_by"], marked["unchanged"]) == (
        "Converts baskets.",
        "rita",
        False,
    )
    again = require_stop(vendor.ports, product="shop", version="1.1", reason="Converts baskets.", by="ann")
    assert (again["unchanged"], again["required_stop_by"]) == (True, "rita")
    for refused in (vendor.plan, vendor.start):
        with pytest.raises(RefusedError) as caught:
            refused("1.1.1")
        assert caught.value.rule == "required-stop"
        assert caught.value.facts["required_stop"] == "1.1"
        assert "must not pass 1.1 by: Converts baskets." in str(caught.value)
        assert "releaser plan shop 1.1 --to installation=" in str(caught.value)
    found = show_upgrade(vendor.ports, product="shop", since="1.0", upto="1.1.1")
    assert found["required_stops"] == [{"version": "1.1", "reason": "Converts baskets."}]
    assert found["downtime"]["updates"] == 2
    assert vendor.deploy("1.1", to=ONE)["state"] == "succeeded"
    assert vendor.plan("1.1.1")["targets"]
    warning = vendor.plan("1.0", to=ONE)["targets"][0]["warning"]
    assert warning == "goes back: 1.1 is newer, and the fixes of SHOP-1 go with it"


def test_stop_that_is_lifted_or_yanked_is_none(vendor: Vendor) -> None:
    require_stop(vendor.ports, product="shop", version="1.1", reason="Converts.", by="rita")
    assert lift_stop(vendor.ports, product="shop", version="1.1", by="rita")["required_stop"] is None
    assert lift_stop(vendor.ports, product="shop", version="1.1", by="rita")["unchanged"]
    vendor.plan("1.1.1")
    require_stop(vendor.ports, product="shop", version="1.1", reason="Converts.", by="rita")
    yank_release(vendor.ports, product="shop", version="1.1", reason="Loses baskets.", by="rita")
    vendor.plan("1.1.1")
    with pytest.raises(RefusedError):
        require_stop(vendor.ports, product="shop", version="1.1", reason="Converts.", by="rita")
    with pytest.raises(MissingReasonError):
        require_stop(vendor.ports, product="shop", version="1.1.1", reason=" ", by="rita")
