"""Collecting a history: what is new is kept, what was kept stays, and a repository that cannot be read is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.errors import RefusedError, ReleaserError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.ports import Facts
from releaser.store import fixes, products, releases
from releaser.store.products import Product
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    made = ReleaseWorld(tmp_path)
    yield made
    made.close()


def collected(world: ReleaseWorld, product: str = "shop") -> Facts:
    return collect_commits(world.ports, product=product)


def versions_with(world: ReleaseWorld, ticket: str) -> list[str]:
    """The released versions that have the ticket's fix."""
    with world.database.reading() as session:
        product = products.get(session, "shop")
        return [c.version for c in fixes.carriers(session, product.id, ticket)]


def test_first_collect_finds_releases_lines_and_tickets(world: ReleaseWorld) -> None:
    facts = collected(world)
    assert (facts["unchanged"], facts["commits"], facts["new_releases"]) == (False, 4, ["1.0"])
    assert facts["lines"] == 1
    assert versions_with(world, "SHOP-1") == ["1.0"]
    assert versions_with(world, "SHOP-2") == []


def test_second_collect_of_the_same_refs_changes_nothing(world: ReleaseWorld) -> None:
    collected(world)
    again = collected(world)
    assert (again["unchanged"], again["new_releases"], again["commits"]) == (True, [], 4)


def test_commits_tags_and_picks_that_came_since_are_added(world: ReleaseWorld) -> None:
    collected(world)
    fix = world.land("SHOP-9: fix rounding")
    world.remote.tag("v1.1", fix, annotated=True)
    line = world.remote.git("rev-parse", "refs/heads/line-1.0")
    pick = world.remote.commit(f"SHOP-9: fix rounding\n\n(cherry picked from commit {fix})", line, branch="line-1.0")
    world.remote.tag("v1.0.1", pick, annotated=True)
    facts = collected(world)
    assert facts["new_releases"] == ["1.0.1", "1.1"]
    assert versions_with(world, "SHOP-9") == ["1.0.1", "1.1"]
    assert versions_with(world, "SHOP-2") == ["1.1"]


def test_fix_taken_back_is_not_in_the_later_release(world: ReleaseWorld) -> None:
    fix = world.land("SHOP-9: fix rounding")
    world.remote.tag("v1.1", fix)
    back = world.land(f'Revert "SHOP-9: fix rounding"\n\nThis reverts commit {fix}.')
    world.remote.tag("v1.2", back)
    collected(world)
    assert versions_with(world, "SHOP-9") == ["1.1"]


def test_other_rules_of_the_product_read_the_history_again(world: ReleaseWorld) -> None:
    collected(world)
    with world.database.transaction() as session:
        products.get(session, "shop").ticket_patterns = ["SHOP-[0-9]+", "feat"]
    assert collected(world)["unchanged"] is False


def test_moved_tag_is_an_alarm_and_keeps_its_old_meaning(world: ReleaseWorld) -> None:
    collected(world)
    with world.database.reading() as session:
        before = releases.get(session, products.get(session, "shop"), "1.0").commit
    world.remote.tag("v1.0", world.land("something else"))
    facts = collected(world)
    assert [alarm["tag"] for alarm in facts["alarms"]] == ["v1.0"]
    with world.database.reading() as session:
        assert releases.get(session, products.get(session, "shop"), "1.0").commit == before


def test_killed_while_reading_leaves_what_was_there(world: ReleaseWorld) -> None:
    collected(world)
    world.remote.tag("v1.1", world.land("SHOP-9: fix rounding"))
    world.deadly.method, world.deadly.nth, world.deadly.calls[:] = "commits", 1, []
    with pytest.raises(BaseException, match="commits"):
        collected(world)
    assert versions_with(world, "SHOP-1") == ["1.0"]
    world.deadly.method = ""
    assert collected(world)["new_releases"] == ["1.1"]


@pytest.mark.parametrize(
    ("repository", "error"),
    [("", RefusedError), ("/nowhere/at-all", ReleaserError), ("file:///nowhere.git", ReleaserError)],
)
def test_repository_that_cannot_be_read_is_named(
    world: ReleaseWorld, repository: str, error: type[ReleaserError]
) -> None:
    with world.database.transaction() as session:
        session.add(Product(name="other", repository=repository, ticket_patterns=[], created_at=world.clock.now()))
    with pytest.raises(error) as found:
        collected(world, "other")
    assert found.value.advice


def test_shallow_clone_is_refused_with_the_command_that_mends_it(world: ReleaseWorld, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow.git"
    world.remote.git("clone", "--quiet", "--bare", "--depth=1", f"file://{world.remote.folder}", str(shallow))
    with world.database.transaction() as session:
        session.add(Product(name="other", repository=str(shallow), ticket_patterns=[], created_at=world.clock.now()))
    with pytest.raises(ReleaserError, match="unshallow"):
        collected(world, "other")
