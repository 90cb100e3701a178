"""Tickets and the releases that carry their fix, after collecting real repositories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.flows.show_ticket import show_ticket
from releaser.store import fixes, products
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path, url=database_url)
    yield world
    world.close()


def carried(world: ReleaseWorld, key: str) -> dict[str, tuple[str, bool]]:
    """Version -> what brought the fix, and whether it came in that very release."""
    world.collect()
    with world.database.reading() as session:
        product = products.get(session, "shop")
        found = fixes.carriers(session, product.id, key)
        assert fixes.fixed_in(session, product.id, [key]).get(key, frozenset()) == {one.version for one in found}
        return {one.version: (one.commit, one.new) for one in found}


def tag(world: ReleaseWorld, name: str, commit: str) -> None:
    world.remote.tag(name, commit, annotated=True)


def test_fix_is_in_its_release_and_in_those_that_build_on_it(world: ReleaseWorld) -> None:
    fix = world.land("SHOP-9: print receipts")
    tag(world, "v1.1", fix)
    tag(world, "v1.2", world.land("Tidy up"))
    tag(world, "v1.0.1", world.land("Other work", branch="line-1.0"))
    assert carried(world, "SHOP-9") == {"1.1": (fix, True), "1.2": (fix, False)}


def test_pick_carries_the_fix_to_an_older_line(world: ReleaseWorld) -> None:
    fix = world.land("SHOP-9: print receipts")
    tag(world, "v1.1", fix)
    pick = world.land(f"Print receipts\n\n(cherry picked from commit {fix})", branch="line-1.0")
    tag(world, "v1.0.1", pick)
    assert carried(world, "SHOP-9") == {"1.0.1": (pick, True), "1.1": (fix, True)}


def test_fix_that_is_taken_back_is_gone_until_it_comes_again(world: ReleaseWorld) -> None:
    fix = world.land("SHOP-9: print receipts")
    tag(world, "v1.1", fix)
    revert = world.land(f'Revert "SHOP-9: print receipts"\n\nThis reverts commit {fix}.')
    tag(world, "v1.2", revert)
    assert set(carried(world, "SHOP-9")) == {"1.1"}
    again = world.land(f'Reapply "SHOP-9: print receipts"\n\nThis reverts commit {revert}.')
    tag(world, "v1.3", again)
    assert set(carried(world, "SHOP-9")) == {"1.1", "1.3"}
    facts = show_ticket(world.ports, key="SHOP-9")
    first = facts["commits"][0]
    assert (first["commit"], first["relation"], first["reverted_by"]) == (fix, "fixes", [revert])
    assert [(line["line"], line["first_version"]) for line in facts["lines"]] == [("1.1", "1.1"), ("1.3", "1.3")]


def test_tickets_are_named_whose_fixes_an_older_version_has_not(world: ReleaseWorld) -> None:
    tag(world, "v1.1", world.land("SHOP-9: print receipts"))
    world.land("SHOP-11: print bills")
    tag(world, "v1.2", world.land("SHOP-8: print orders"))
    tag(world, "v1.1.1", world.land("SHOP-8: print orders", branch="line-1.0"))
    world.collect()
    with world.database.reading() as session:
        product = products.get(session, "shop").id
        assert fixes.lost(session, product, running="1.2", upto="1.1") == ["SHOP-8", "SHOP-11"]
        assert "SHOP-9" in fixes.lost(session, product, running="1.2", upto="1.1.1")
        assert "SHOP-8" not in fixes.lost(session, product, running="1.2", upto="1.1.1")
        assert fixes.lost(session, product, running="1.1", upto="1.2") == []
        assert fixes.lost(session, product, running="1.2", upto="7.7") == []


def test_commit_that_only_refers_decides_nothing(world: ReleaseWorld) -> None:
    tag(world, "v1.1", world.land("Tidy up\n\nRefs: SHOP-9"))
    assert carried(world, "SHOP-9") == {}
    facts = show_ticket(world.ports, key="SHOP-9")
    assert [commit["relation"] for commit in facts["commits"]] == ["refs"]
    assert facts["releases"] == []


def test_fix_that_is_not_released_is_in_no_version(world: ReleaseWorld) -> None:
    world.land("SHOP-9: print receipts")
    assert carried(world, "SHOP-9") == {}
