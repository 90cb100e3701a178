"""Tags that moved or vanished: seen once, they stand until a person accepts them, whatever crashes in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.errors import RefusedError
from releaser.flows.accept_tag import TagMovedAgainError, accept_tag
from releaser.flows.collect_commits import collect_commits
from releaser.flows.list_alarms import list_alarms
from releaser.flows.ports import Facts
from releaser.flows.promote_release import promote_release
from releaser.flows.show_product import show_product
from releaser.flows.show_release import show_release
from releaser.flows.yank_release import MissingReasonError
from releaser.store import moves, products, releases
from releaser.store.alarms import AlarmNotFoundError
from tests.fakes.deadly import Killed
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """A world that was collected."""
    world = ReleaseWorld(tmp_path)
    world.collect()
    yield world
    world.close()


def collect(world: ReleaseWorld) -> Facts:
    return collect_commits(world.ports, product="shop")


def standing(world: ReleaseWorld) -> list[tuple[str, str | None, bool]]:
    """Tag, release and whether it is gone, of every alarm that stands."""
    alarms = list_alarms(world.ports, product=None, accepted=False)
    assert alarms == [{"product": "shop", **one} for one in show_product(world.ports, product="shop")["alarms"]]
    return [(one["tag"], one["version"], one["now"] is None) for one in alarms]


def accept(world: ReleaseWorld, tag: str, reason: str = "wrong commit") -> Facts:
    return accept_tag(world.ports, product="shop", tag=tag, reason=reason, by="rita")


def test_moved_tag_of_a_release_stands_everywhere_until_it_is_accepted_and_is_then_read_anew(
    world: ReleaseWorld,
) -> None:
    first, tip = world.main, world.remote.git("rev-parse", "main")
    was = world.remote.git("rev-parse", "refs/tags/v1.0")
    world.remote.tag("v1.0", tip)
    assert collect(world)["alarms"] == [{"tag": "v1.0", "was": was, "now": tip}]
    for _ in range(2):
        collect(world)
        assert standing(world) == [("v1.0", "1.0", False)]
    assert show_release(world.ports, product="shop", version="1.0")["commit"] == first
    with pytest.raises(MissingReasonError):
        accept(world, "v1.0", " ")
    told = accept(world, "v1.0")
    assert (told["accepted_by"], told["reason"], told["now"]) == ("rita", "wrong commit", tip)
    assert standing(world) == []
    assert collect(world)["alarms"] == []
    assert show_release(world.ports, product="shop", version="1.0")["commit"] == tip
    assert [one["tag"] for one in list_alarms(world.ports, product="shop", accepted=True)] == ["v1.0"]
    with pytest.raises(AlarmNotFoundError):
        accept(world, "v1.0")


def test_published_release_of_ours_follows_its_tag_once_accepted_and_the_story_says_so(world: ReleaseWorld) -> None:
    world.cut()
    world.publish("1.1")
    tip = world.land("SHOP-9: more")
    world.remote.tag("v1.1", tip)
    collect(world)
    accept(world, "v1.1", "retagged on purpose")
    with world.database.reading() as session:
        release = releases.get(session, products.get(session, "shop"), "1.1")
        last = moves.history(session, "releases", release.id)[-1]
    assert release.commit == tip
    assert (last.by, last.to) == ("rita", "published")
    assert "retagged on purpose" in last.reason


def test_candidate_stays_what_was_tested_even_when_its_tags_move_is_accepted(world: ReleaseWorld) -> None:
    facts = world.cut()
    world.remote.tag("v1.1", world.main)
    collect(world)
    accept(world, "v1.1")
    assert show_release(world.ports, product="shop", version="1.1")["commit"] == facts["commit"]
    with pytest.raises(RefusedError, match="candidate was made of"):
        promote_release(world.ports, product="shop", version="1.1", by="ann")


def test_vanished_tag_is_told_and_its_release_stays_with_what_it_was(world: ReleaseWorld) -> None:
    world.remote.git("update-ref", "-d", "refs/tags/v1.0")
    collect(world)
    assert standing(world) == [("v1.0", "1.0", True)]
    accept(world, "v1.0", "was never released")
    assert standing(world) == []
    assert show_release(world.ports, product="shop", version="1.0")["commit"] == world.main


def test_tag_that_came_back_is_told_all_the_same(world: ReleaseWorld) -> None:
    was = world.remote.git("rev-parse", "refs/tags/v1.0")
    world.remote.tag("v1.0", world.remote.git("rev-parse", "main"))
    collect(world)
    world.remote.tag("v1.0", was)
    assert collect(world)["alarms"] == []
    (alarm,) = list_alarms(world.ports, product="shop", accepted=False)
    assert alarm["now"] == alarm["was"] == was
    accept(world, "v1.0", "a slip, put right")
    assert standing(world) == []


def test_tag_that_moved_on_while_it_was_looked_at_is_not_accepted_as_it_is_now(world: ReleaseWorld) -> None:
    world.remote.tag("v1.0", world.remote.git("rev-parse", "main"))
    collect(world)
    world.remote.tag("v1.0", world.land("SHOP-9: more"))
    with pytest.raises(TagMovedAgainError, match="moved again"):
        accept(world, "v1.0")
    assert standing(world) == [("v1.0", "1.0", False)]
    accept(world, "v1.0")
    assert standing(world) == []


def test_tag_whose_name_is_no_text_can_be_accepted(world: ReleaseWorld) -> None:
    raw = b"refs/tags/\xff\xfe"
    tip = world.remote.git("rev-parse", "main")
    for target in (world.main, tip):
        world.remote.git("update-ref", "--stdin", "-z", feed=b"update " + raw + b"\0" + target.encode() + b"\0\0")
        collect(world)
    assert standing(world) == [("\\xff\\xfe", None, False)]
    accept(world, "\\xff\\xfe")
    assert standing(world) == []
    assert collect(world)["alarms"] == []


@pytest.mark.parametrize("moment", ["before accept 1", "after accept 1", "after fetch 2"])
def test_acceptance_that_was_interrupted_is_carried_out_by_the_next_collect(world: ReleaseWorld, moment: str) -> None:
    tip = world.remote.git("rev-parse", "main")
    world.remote.tag("v1.0", tip)
    collect(world)
    world.deadly.calls.clear()
    when, world.deadly.method, nth = moment.split()
    world.deadly.after, world.deadly.nth = when == "after", int(nth)
    with pytest.raises(Killed):
        accept(world, "v1.0")
    world.deadly.method = ""
    collect(world)
    assert standing(world) == []
    assert show_release(world.ports, product="shop", version="1.0")["commit"] == tip


def test_move_that_was_accepted_once_is_an_alarm_when_it_happens_again(world: ReleaseWorld) -> None:
    tip = world.remote.git("rev-parse", "main")
    was = world.remote.git("rev-parse", "refs/tags/v1.0")
    for target in (tip, was, tip):
        world.remote.tag("v1.0", target)
        collect(world)
        assert standing(world) == [("v1.0", "1.0", False)]
        accept(world, "v1.0")
        assert standing(world) == []
