"""From a candidate to what customers see, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from releaser.domain.changelog import Form
from releaser.domain.release import CutKind
from releaser.errors import MoveConflictError, RefusedError
from releaser.flows.abandon_release import abandon_release
from releaser.flows.cut_status import cut_status
from releaser.flows.promote_release import NotACandidateError, promote_release
from releaser.flows.publish_release import NotPromotedError, publish_release
from releaser.flows.render_changelog import render_changelog
from releaser.flows.render_feed import FeedForm, render_feed
from releaser.flows.set_line import Stated, set_line
from releaser.flows.write_changelog import ChangelogNotWrittenError, write_changelog
from releaser.flows.write_note import InvalidNoteError, write_note
from releaser.flows.yank_release import MissingReasonError, yank_release
from releaser.store import products
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path)
    world.cut()
    yield world
    world.close()


def promote(world: ReleaseWorld, version: str = "1.1") -> dict[str, object]:
    return promote_release(world.ports, product="shop", version=version, by="ann")


def test_candidate_is_promoted_and_published_once(world: ReleaseWorld) -> None:
    assert promote(world)["state"] == "promoted"
    assert promote(world)["unchanged"] is True
    facts = publish_release(world.ports, product="shop", version="v1.1", by="ann")
    assert (facts["state"], facts["unchanged"], facts["supersedes"]) == ("published", False, None)
    assert facts["published_at"] == world.clock.now()
    assert publish_release(world.ports, product="shop", version="1.1", by="bob")["unchanged"] is True
    assert cut_status(world.ports, product="shop") == []


def test_image_that_changed_since_the_cut_is_refused(world: ReleaseWorld) -> None:
    world.registry.push("registry.example.com/shop:1.1", "built again")
    with pytest.raises(RefusedError, match=r"shop:1\.1") as caught:
        promote(world)
    assert caught.value.rule == "images-changed"


def test_line_whose_life_is_over_gets_no_release_whatever_was_cut_before(world: ReleaseWorld) -> None:
    yesterday = world.clock.now().date() - timedelta(days=1)
    promoted = promote(world)
    set_line(world.ports, product="shop", line="1.1", stated=Stated(supported_until_on=yesterday), by="ann")
    with pytest.raises(RefusedError, match=r"Line 1\.1 of shop is at the end of its life") as caught:
        publish_release(world.ports, product="shop", version="1.1", by="ann")
    assert (caught.value.rule, promoted["state"]) == ("end-of-life", "promoted")
    set_line(world.ports, product="shop", line="1.1", stated=Stated(supported_until_on=None), by="ann")
    assert publish_release(world.ports, product="shop", version="1.1", by="ann")["state"] == "published"


def test_candidate_of_a_line_whose_life_is_over_is_not_promoted(world: ReleaseWorld) -> None:
    yesterday = world.clock.now().date() - timedelta(days=1)
    set_line(world.ports, product="shop", line="1.1", stated=Stated(supported_until_on=yesterday), by="ann")
    with pytest.raises(RefusedError) as caught:
        promote(world)
    assert caught.value.rule == "end-of-life"


@pytest.mark.parametrize("move", ["gone", "moved"])
def test_tag_that_changed_since_the_cut_is_refused(world: ReleaseWorld, move: str) -> None:
    if move == "gone":
        world.remote.git("update-ref", "-d", "refs/tags/v1.1")
    else:
        world.remote.tag("v1.1", world.main)
    with pytest.raises(RefusedError) as caught:
        promote(world)
    assert caught.value.rule == "tag-changed"


def test_only_a_promoted_release_is_published_and_only_a_candidate_promoted(world: ReleaseWorld) -> None:
    with pytest.raises(NotPromotedError, match="promote shop"):
        publish_release(world.ports, product="shop", version="1.1", by="ann")
    abandon_release(world.ports, product="shop", version="1.1", reason="no", by="ann")
    with pytest.raises(NotACandidateError, match="burned"):
        promote(world)
    with pytest.raises(NotPromotedError):
        publish_release(world.ports, product="shop", version="1.1", by="ann")


def test_publishing_writes_the_changelog_and_notes_in_both_languages(world: ReleaseWorld) -> None:
    facts = world.publish("1.1")
    folder = world.ports.home / "changelogs" / "shop"
    assert sorted(path.name for path in folder.iterdir()) == ["1.1.md", "1.1.notes.en.md", "1.1.notes.ru.md"]
    assert facts["files"][0] == str(folder / "1.1.md")
    changelog = (folder / "1.1.md").read_text()
    assert "## [1.1] - 2026-03-02" in changelog
    assert "### Added\n\n- search by colour (SHOP-3, `" in changelog
    assert "### Fixed\n\n- basket loses items (SHOP-2, `" in changelog
    assert "Корзина больше не теряет товары. (SHOP-2)" in (folder / "1.1.notes.ru.md").read_text()
    assert "Search by colour (SHOP-3, на английском)" in (folder / "1.1.notes.ru.md").read_text()


def test_files_that_could_not_be_written_are_written_by_a_repeat(world: ReleaseWorld) -> None:
    promote(world)
    (world.ports.home / "changelogs").write_text("in the way")
    with pytest.raises(ChangelogNotWrittenError, match="repeat"):
        publish_release(world.ports, product="shop", version="1.1", by="ann")
    (world.ports.home / "changelogs").unlink()
    facts = publish_release(world.ports, product="shop", version="1.1", by="ann")
    assert facts["unchanged"] is True
    assert Path(facts["files"][0]).exists()


def test_patch_supersedes_its_stable(world: ReleaseWorld) -> None:
    world.publish("1.1")
    world.remote.branch("line-1.1", world.remote.git("rev-parse", "main"))
    world.land("SHOP-7: urgent", branch="line-1.1")
    assert world.cut(CutKind.PATCH)["version"] == "1.1.1"
    assert world.publish("1.1.1")["supersedes"] == "1.1"


def test_yanked_release_says_why_everywhere(world: ReleaseWorld) -> None:
    world.publish("1.1")
    facts = yank_release(world.ports, product="shop", version="1.1", reason=" It loses drafts. ", by="ann")
    assert (facts["state"], facts["yank_reason"]) == ("yanked", "It loses drafts.")
    again = yank_release(world.ports, product="shop", version="1.1", reason="again", by="bob")
    assert (again["unchanged"], again["yank_reason"]) == (True, "It loses drafts.")
    folder = world.ports.home / "changelogs" / "shop"
    assert "[YANKED]" in (folder / "1.1.md").read_text()
    assert "отозван: It loses drafts." in (folder / "1.1.notes.ru.md").read_text()


def test_yank_and_abandon_need_a_reason_and_a_fitting_state(world: ReleaseWorld) -> None:
    with pytest.raises(MissingReasonError):
        yank_release(world.ports, product="shop", version="1.1", reason=" ", by="ann")
    with pytest.raises(MoveConflictError):
        yank_release(world.ports, product="shop", version="1.1", reason="x", by="ann")
    world.publish("1.1")
    with pytest.raises(MoveConflictError):
        abandon_release(world.ports, product="shop", version="1.1", reason="x", by="ann")


def test_note_that_a_person_wrote_stands_and_goes_with_the_pick(world: ReleaseWorld) -> None:
    for language, text in (("en", "The *basket* keeps items."), ("ru", "Корзина цела.")):
        write_note(world.ports, product="shop", version="1.1", ticket="SHOP-2", language=language, text=text, by="ann")
    world.publish("1.1")
    notes = (world.ports.home / "changelogs" / "shop" / "1.1.notes.en.md").read_text()
    assert "## Fixed\n\n- The *basket* keeps items. (SHOP-2)" in notes
    world.land("SHOP-2: basket loses items", branch="line-1.0")
    world.cut(CutKind.PATCH, line="1.0")
    world.publish("1.0.1")
    patched = (world.ports.home / "changelogs" / "shop" / "1.0.1.notes.ru.md").read_text()
    assert "Корзина цела. (SHOP-2)" in patched


@pytest.mark.parametrize(("language", "text", "ticket"), [("de", "x", "A-1"), ("en", " ", "A-1"), ("en", "x", "")])
def test_note_without_its_parts_is_refused(world: ReleaseWorld, language: str, text: str, ticket: str) -> None:
    with pytest.raises(InvalidNoteError):
        write_note(world.ports, product="shop", version="1.1", ticket=ticket, language=language, text=text, by="ann")


def test_changelog_of_everything_published_is_newest_first(world: ReleaseWorld) -> None:
    world.publish("1.1")
    told = json.loads(render_changelog(world.ports, product="shop", form=Form.JSON))["releases"]
    assert [(one["version"], one["tag"], one["previous"]) for one in told] == [
        ("1.1", "v1.1", "v1.0"),
        ("1.0", "v1.0", None),
    ]
    assert [commit["tickets"] for commit in told[0]["commits"]] == [["SHOP-3"], ["SHOP-2"]]
    one = render_changelog(world.ports, product="shop", version="1.1", form=Form.TEXT, language="ru")
    assert "Добавлено:" in one
    assert "1.0 -" not in one


def test_feed_has_what_is_published(world: ReleaseWorld) -> None:
    before = render_feed(world.ports, product="shop", form=FeedForm.JSON, feed_path="/products/shop/feed.json")
    assert [item["title"] for item in json.loads(before)["items"]] == ["The Shop 1.0"]
    world.publish("1.1")
    after = render_feed(
        world.ports, product="shop", form=FeedForm.ATOM, feed_path="/products/shop/feed.atom", language="ru"
    )
    assert "<title>The Shop 1.1</title>" in after
    assert "https://releases.example.com/products/shop/releases/1.1" in after
    assert "Корзина больше не теряет товары." in after


def test_product_name_leads_to_no_other_folder(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        products.get(session, "shop").name = "../../shop"
    files = write_changelog(world.ports, product="../../shop", version="1.0")["files"]
    assert Path(files[0]).resolve().is_relative_to(world.ports.home / "changelogs")
