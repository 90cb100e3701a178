"""From a branch's tip to a candidate, whatever happens on the way. Real git, a real database."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.changelog import Form
from releaser.domain.release import CutKind, CutStep, ReleaseState
from releaser.domain.version import UnknownLineError
from releaser.errors import ConflictError, OutsideError, RefusedError, ReleaserError
from releaser.flows.abandon_release import abandon_release
from releaser.flows.complete_cut import MissingImageError
from releaser.flows.cut_release import CutUnderWayError, cut_release
from releaser.flows.cut_status import cut_status
from releaser.flows.render_changelog import render_changelog
from releaser.sources.source import BranchNotFoundError, RegistryUnreachableError, TagTakenError
from releaser.store import notes, products, releases
from tests.fakes.deadly import Killed
from tests.fakes.release_world import IMAGE, ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path)
    yield world
    world.close()


def rows(world: ReleaseWorld) -> dict[str, tuple[str, bool]]:
    with world.database.reading() as session:
        found = releases.by_product(session, products.get(session, "shop").id)
        return {row.version: (row.state.value, row.imported) for row in found}


def note_texts(world: ReleaseWorld, version: str) -> dict[tuple[str, str], str]:
    with world.database.reading() as session:
        release = releases.get(session, products.get(session, "shop"), version)
        return {
            (note.ticket, note.language): note.text
            for note in notes.of_release(session, release, now=world.clock.now())
        }


def test_stable_cut_makes_a_candidate_of_the_tip(world: ReleaseWorld) -> None:
    facts = world.cut()
    tip = world.remote.git("rev-parse", "refs/heads/main")
    assert (facts["version"], facts["state"], facts["previous"]) == ("1.1", "candidate", "1.0")
    assert (facts["commit"], facts["tag"], facts["cut_step"]) == (tip, "v1.1", "resolved")
    assert facts["images"] == [
        {"module": "web", "image": "registry.example.com/shop:1.1", "digest": world.registry.images[f"{IMAGE[:-9]}1.1"]}
    ]
    assert facts["unchanged"] is False
    assert world.remote.git("rev-parse", "v1.1^{commit}") == tip
    assert world.remote.git("cat-file", "-t", "v1.1") == "tag"
    assert rows(world) == {"1.1": ("candidate", False), "1.0": ("published", True)}


def test_notes_are_frozen_with_the_cut(world: ReleaseWorld) -> None:
    world.cut()
    before = note_texts(world, "1.1")
    assert before == {
        ("SHOP-2", "ru"): "Корзина больше не теряет товары.",
        ("SHOP-3", "en"): "Search by colour",
    }
    world.land("SHOP-9: too late")
    world.collect()
    assert note_texts(world, "1.1") == before


def test_cutting_the_same_commit_again_changes_nothing(world: ReleaseWorld) -> None:
    first = world.cut()
    again = world.cut(by="bob")
    assert again == {**first, "unchanged": True}
    assert world.tags() == ["v1.0", "v1.1"]


def test_new_commits_get_the_next_number(world: ReleaseWorld) -> None:
    world.cut()
    world.land("SHOP-4: more")
    assert world.cut()["version"] == "1.2"


def test_patch_is_cut_from_the_newest_published_line(world: ReleaseWorld) -> None:
    world.cut()
    world.land("SHOP-5: urgent", branch="line-1.0")
    facts = world.cut(CutKind.PATCH)
    assert (facts["version"], facts["line"], facts["previous"]) == ("1.0.1", "1.0", "1.0")
    assert list(note_texts(world, "1.0.1")) == [("SHOP-5", "en")]


def test_line_to_patch_can_be_named(world: ReleaseWorld) -> None:
    world.cut()
    world.publish("1.1")
    world.land("SHOP-5: urgent", branch="line-1.0")
    assert world.cut(CutKind.PATCH, line="1.0")["version"] == "1.0.1"


@pytest.mark.parametrize(
    ("line", "kind"),
    [("7.7", UnknownLineError), ("1.1", BranchNotFoundError)],
)
def test_patch_without_a_line_or_its_branch_is_refused(
    world: ReleaseWorld, line: str, kind: type[ReleaserError]
) -> None:
    world.cut()
    with pytest.raises(kind):
        world.cut(CutKind.PATCH, line=line)
    assert cut_status(world.ports, product="shop")[0]["version"] == "1.1"


def test_patch_with_nothing_new_is_refused(world: ReleaseWorld) -> None:
    with pytest.raises(RefusedError, match=r"nothing new since 1\.0") as caught:
        world.cut(CutKind.PATCH, line="1.0")
    assert caught.value.rule == "nothing-new"
    assert rows(world) == {"1.0": ("published", True)}


def test_burned_number_is_never_given_again(world: ReleaseWorld) -> None:
    world.cut()
    abandon_release(world.ports, product="shop", version="1.1", reason="wrong branch", by="ann")
    facts = world.cut()
    assert (facts["version"], facts["previous"]) == ("1.2", "1.0")
    assert {ticket for ticket, _ in note_texts(world, "1.2")} == {"SHOP-2", "SHOP-3"}
    told = json.loads(render_changelog(world.ports, product="shop", version="1.2", form=Form.JSON))["releases"][0]
    assert (told["previous"], len(told["commits"])) == ("v1.0", 2)


BEFORE = [
    "fetch 1",
    "commits 1",
    "tip 1",
    "commits 2",
    "make_tag 1",
    "push_tag 1",
    "remote_tag 1",
    "fetch 2",
    "resolve 1",
]
AFTER = ["make_tag 1", "push_tag 1", "remote_tag 1", "resolve 1"]


@pytest.mark.parametrize("moment", [f"before {call}" for call in BEFORE] + [f"after {call}" for call in AFTER])
def test_cut_killed_anywhere_completes_the_same_version(world: ReleaseWorld, moment: str) -> None:
    when, world.deadly.method, nth = moment.split()
    world.deadly.after, world.deadly.nth = when == "after", int(nth)
    with pytest.raises(Killed):
        world.cut()
    facts = world.cut()
    assert (facts["version"], facts["state"]) == ("1.1", "candidate")
    assert rows(world) == {"1.1": ("candidate", False), "1.0": ("published", True)}
    assert world.tags() == ["v1.0", "v1.1"]
    assert len(note_texts(world, "1.1")) == 2
    assert len(facts["images"]) == 1


def test_interrupted_cut_names_its_step_and_keeps_its_commit(world: ReleaseWorld) -> None:
    world.registry.images.clear()
    with pytest.raises(MissingImageError, match="repeat the same command") as caught:
        world.cut()
    assert not caught.value.permanent
    (status,) = cut_status(world.ports, product=None)
    assert (status["version"], status["state"], status["cut_step"], status["cut_by"]) == (
        "1.1",
        "cutting",
        CutStep.CONFIRMED.value,
        "ann",
    )
    world.land("SHOP-9: landed while the image was built")
    digest = world.registry.push("registry.example.com/shop:1.1")
    facts = world.cut()
    assert (facts["version"], facts["commit"], facts["state"]) == ("1.1", status["commit"], "candidate")
    assert facts["images"][0]["digest"] == digest


def test_registry_that_is_down_stops_the_cut_for_a_while(world: ReleaseWorld) -> None:
    world.registry.is_down = True
    with pytest.raises(RegistryUnreachableError):
        world.cut()
    world.registry.is_down = False
    assert world.cut()["version"] == "1.1"


def test_tag_that_somebody_else_pushed_stops_the_cut(world: ReleaseWorld) -> None:
    stranger = world.remote.git("rev-parse", "refs/tags/v1.0^{commit}")
    tagged = threading.Event()

    class Racing:
        """The remote gets the tag from somebody else right before ours is pushed."""

        def __init__(self, port: Any) -> None:  # noqa: ANN401 -- a repository
            self.port = port

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any method
            if name == "push_tag" and not tagged.is_set():
                tagged.set()
                world.remote.tag("v1.1", stranger)
            return getattr(self.port, name)

    class Repositories:
        def mirror(self, address: str, *, folder: Path) -> Any:  # noqa: ANN401 -- a repository
            return Racing(world.deadly.mirror(address, folder=folder))

        def check(self, address: str) -> None:
            raise AssertionError(address)

        def in_place(self, path: Path) -> Any:  # noqa: ANN401 -- a repository
            raise AssertionError(path)

    ports = replace(world.ports, repositories=Repositories())
    with pytest.raises(TagTakenError, match="not ours") as caught:
        cut_release(ports, product="shop", kind=CutKind.STABLE, line=None, by="ann")
    assert isinstance(caught.value, ConflictError)
    with pytest.raises(ConflictError):
        world.cut()
    assert world.remote.git("rev-parse", "v1.1") == stranger
    abandon_release(world.ports, product="shop", version="1.1", reason="taken", by="ann")
    assert world.cut()["version"] == "1.2"


def test_two_people_at_once_make_one_release(tmp_path: Path, database_url: str) -> None:
    world = ReleaseWorld(tmp_path, url=database_url)
    outcomes: dict[str, object] = {}
    start = threading.Barrier(2)

    def cut(name: str) -> None:
        start.wait()
        try:
            outcomes[name] = world.cut(by=name)
        except (ConflictError, OutsideError) as error:
            outcomes[name] = error

    people = [threading.Thread(target=cut, args=(name,)) for name in ("ann", "bob")]
    for one in people:
        one.start()
    for one in people:
        one.join()
    winners = [facts for facts in outcomes.values() if isinstance(facts, dict)]
    assert winners, outcomes
    assert {facts["version"] for facts in winners} == {"1.1"}
    winner = winners[0]["cut_by"]
    for loser in outcomes.values():
        assert isinstance(loser, dict) or winner in str(loser), outcomes
    assert world.tags() == ["v1.0", "v1.1"]
    assert rows(world)["1.1"] == ("candidate", False)
    world.close()


def test_cut_of_somebody_else_is_left_to_them_for_ten_minutes(world: ReleaseWorld) -> None:
    world.registry.is_down = True
    with pytest.raises(RegistryUnreachableError):
        world.cut(by="ann")
    world.registry.is_down = False
    with pytest.raises(CutUnderWayError, match=r"ann is cutting shop 1\.1"):
        world.cut(by="bob")
    world.clock.advance(timedelta(minutes=11))
    facts = world.cut(by="bob")
    assert (facts["version"], facts["state"]) == ("1.1", ReleaseState.CANDIDATE)


def test_product_without_any_version_starts_at_the_first(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    world.remote.git("update-ref", "-d", "refs/tags/v1.0")
    world.registry.push("registry.example.com/shop:0.1")
    assert world.cut()["version"] == "0.1"
    world.close()
