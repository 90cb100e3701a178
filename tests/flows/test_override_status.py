"""What people say of tickets: overrides with reasons, found-in and planned-for; kept beside the evidence, through every re-read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.history import LineStatus
from releaser.domain.version import InvalidVersionError
from releaser.errors import NotFoundError
from releaser.flows.add_ticket import add_ticket
from releaser.flows.collect_commits import collect_commits
from releaser.flows.find_ticket import AmbiguousTicketError, TicketKeyError
from releaser.flows.override_status import LineNotFoundError, OverrideReasonMissingError, override_status
from releaser.flows.show_ticket import show_ticket
from releaser.flows.state_found_in import state_found_in
from releaser.flows.state_planned_for import VersionIsOverError, state_planned_for
from releaser.flows.withdraw_override import OverrideNotFoundError, withdraw_override
from releaser.store import overrides, products, stated
from releaser.store.products import Product
from releaser.store.session import Database
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> ReleaseWorld:
    """A world that was collected once, its database closed to be copied."""
    made = ReleaseWorld(tmp_path_factory.mktemp("collected"))
    made.collect()
    made.close()
    return made


@pytest.fixture
def world(collected: ReleaseWorld, tmp_path: Path) -> Iterator[ReleaseWorld]:
    """The same with a database of its own."""
    world = copy(collected)
    world.database = Database(f"sqlite:///{shutil.copy(collected.folder / 'releaser.db', tmp_path)}")
    world.ports = replace(collected.ports, database=world.database)
    yield world
    world.close()


def override(world: ReleaseWorld, key: str = "SHOP-1", **given: Any) -> dict[str, Any]:  # noqa: ANN401 -- those of the flow
    values = {"line": "1.0", "status": LineStatus.UNAFFECTED, "reason": "No basket there.", "by": "rita", **given}
    return override_status(world.ports, key=key, **{"product": "shop", **values})


def standing(world: ReleaseWorld) -> dict[tuple[str, str], tuple[str, str, str]]:
    with world.database.reading() as session:
        found = overrides.by_product(session, products.get(session, "shop").id)
    return {place: (one.status.value, one.reason, one.by) for place, one in found.items()}


def test_override_stands_with_who_and_why_and_survives_a_re_read(database_url: str, tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path, url=database_url)
    world.collect()
    facts = override(world, line="v1.0.0", reason="  No basket there. ")
    assert (facts["line"], facts["status"], facts["at"]) == ("1.0", "unaffected", world.clock.now())
    expected = {("SHOP-1", "1.0"): ("unaffected", "No basket there.", "rita")}
    assert standing(world) == expected
    with world.database.transaction() as session:
        products.get(session, "shop").fingerprint = ""
    assert not collect_commits(world.ports, product="shop")["unchanged"]
    assert standing(world) == expected
    world.close()


def test_newer_word_replaces_the_older_and_both_stay_in_the_story(world: ReleaseWorld) -> None:
    override(world)
    facts = override(world, status=LineStatus.WONTFIX, reason="Too old.", by="olga")
    assert facts["replaced"]["reason"] == "No basket there."
    assert standing(world) == {("SHOP-1", "1.0"): ("wontfix", "Too old.", "olga")}
    told = show_ticket(world.ports, key="SHOP-1", product="shop")
    assert [(one["status"], one["by"]) for one in told["said"]] == [("unaffected", "rita"), ("wontfix", "olga")]
    assert [(one["line"], one["status"]) for one in told["overrides"]] == [("1.0", "wontfix")]


def test_withdrawn_override_no_longer_stands(world: ReleaseWorld) -> None:
    override(world)
    facts = withdraw_override(world.ports, key="SHOP-1", product="shop", line="1.0", reason="It has one.", by="olga")
    assert facts["withdrawn"]["by"] == "rita"
    assert standing(world) == {}
    assert [one["status"] for one in show_ticket(world.ports, key="SHOP-1")["said"]] == ["unaffected", None]
    with pytest.raises(OverrideNotFoundError):
        withdraw_override(world.ports, key="SHOP-1", product="shop", line="1.0", reason="Again.", by="olga")


def test_override_of_one_product_is_not_another_ones(world: ReleaseWorld) -> None:
    override(world)
    with world.database.transaction() as session:
        session.add(Product(name="mail", ticket_patterns=[], created_at=world.clock.now()))
    with world.database.reading() as session:
        assert overrides.by_product(session, products.get(session, "mail").id) == {}


def test_ticket_that_only_a_person_knows_may_be_overridden_and_shown(world: ReleaseWorld) -> None:
    with pytest.raises(NotFoundError):
        override(world, "SHOP-77", product=None)
    override(world, "SHOP-77")
    assert show_ticket(world.ports, key="SHOP-77")["overrides"][0]["status"] == "unaffected"


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"reason": " \n"}, OverrideReasonMissingError),
        ({"reason": "x" * 2001}, OverrideReasonMissingError),
        ({"line": "9.9"}, LineNotFoundError),
        ({"line": "1.0.1"}, InvalidVersionError),
        ({"line": "<script>"}, InvalidVersionError),
        ({"product": "nobody"}, NotFoundError),
    ],
)
def test_word_that_makes_no_sense_is_refused(
    world: ReleaseWorld, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        override(world, **given)
    assert standing(world) == {}


@pytest.mark.parametrize("key", ["", "OTHER-1", "SHOP-1x", "SHOP-1\n"])
def test_key_that_no_commit_can_name_cannot_be_overridden(world: ReleaseWorld, key: str) -> None:
    with pytest.raises(TicketKeyError):
        override(world, key)


def test_key_of_two_products_asks_which(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        session.add(Product(name="mail", ticket_patterns=[], created_at=world.clock.now()))
    state_planned_for(world.ports, key="SHOP-1", version="2.0", by="rita", product="mail")
    with pytest.raises(AmbiguousTicketError, match="mail, shop"):
        override(world, product=None)


def found_in(world: ReleaseWorld, key: str = "SHOP-1") -> tuple[str, bool] | None:
    with world.database.reading() as session:
        found = stated.found_in(session, products.get(session, "shop").id).get(key)
    return (found.version, found.is_first) if found else None


def test_found_in_is_stated_changed_and_taken_back(world: ReleaseWorld) -> None:
    assert found_in(world) is None
    facts = state_found_in(world.ports, key="SHOP-1", version="v1.0.0", by="rita", is_first=True, product="shop")
    assert (facts["found_in"], facts["found_in_is_first"]) == ("1.0", True)
    assert found_in(world) == ("1.0", True)
    state_found_in(world.ports, key="SHOP-1", version="1.0", by="rita", product="shop")
    assert found_in(world) == ("1.0", False)
    state_found_in(world.ports, key="SHOP-1", version=None, by="rita", is_first=True, product="shop", reason="Not it.")
    assert found_in(world) is None
    assert [one["version"] for one in show_ticket(world.ports, key="SHOP-1")["stated"]] == ["1.0", "1.0", None]


def test_version_a_customer_saw_it_on_is_found_in_until_somebody_says_otherwise(world: ReleaseWorld) -> None:
    add_ticket(world.ports, product="shop", key="SHOP-1", title="Basket", by="rita", found_in="1.0")
    assert found_in(world) == ("1.0", False)
    state_found_in(world.ports, key="SHOP-1", version=None, by="rita", product="shop")
    assert found_in(world) is None
    assert show_ticket(world.ports, key="SHOP-1")["found_in"] is None


def test_fault_found_in_a_version_that_was_never_released_is_refused(world: ReleaseWorld) -> None:
    with pytest.raises(NotFoundError, match=r"no release 7\.7"):
        state_found_in(world.ports, key="SHOP-1", version="7.7", by="rita", product="shop")


def test_plan_is_stated_carried_over_and_taken_back(world: ReleaseWorld) -> None:
    for version in ("1.1", "1.2", None):
        facts = state_planned_for(world.ports, key="SHOP-1", version=version, by="rita", product="shop")
        assert facts["planned_for"] == version
    stories = show_ticket(world.ports, key="SHOP-1")["stated"]
    assert [one["version"] for one in stories] == ["1.1", "1.2", None]


def test_nothing_is_planned_for_a_version_that_is_out(world: ReleaseWorld) -> None:
    with pytest.raises(VersionIsOverError, match="published already"):
        state_planned_for(world.ports, key="SHOP-1", version="1.0", by="rita", product="shop")
