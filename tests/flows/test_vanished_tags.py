"""Releases whose tags are gone: told by the commits that were written down, else by nobody – and said so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from releaser.domain.changelog import Form
from releaser.errors import RefusedError
from releaser.flows.abandon_release import abandon_release
from releaser.flows.accept_tag import accept_tag
from releaser.flows.collect_commits import collect_commits
from releaser.flows.find_fix import find_fix
from releaser.flows.render_changelog import render_changelog
from releaser.flows.show_upgrade import show_upgrade
from tests.fakes.git_world import GitWorld
from tests.fakes.release_world import IMAGE, ReleaseWorld

NOT_KNOWN = "What changed in it is not known: its tag is gone"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    """1.0 on `main`; 1.0.1 with SHOP-9 on a commit that no branch leads to; 1.1 and 1.2 after it."""
    world = ReleaseWorld(tmp_path)
    own = world.remote.commit("SHOP-9: only here", world.main)
    world.remote.tag("v1.0.1", own, annotated=True)
    world.remote.tag("v1.1", world.remote.git("rev-parse", "main"))
    world.remote.tag("v1.2", world.land("SHOP-4: later"))
    world.collect()
    yield world
    world.close()


def vanish(world: ReleaseWorld, tag: str) -> None:
    """The tag is taken away on the remote, and a person says that this is so."""
    world.remote.git("update-ref", "-d", f"refs/tags/{tag}")
    world.collect()
    accept_tag(world.ports, product="shop", tag=tag, reason="cleaned up", by="rita")


def mirror(world: ReleaseWorld) -> GitWorld:
    """The product's own copy of the repository."""
    (folder,) = (one.parent for one in world.ports.home.rglob("HEAD") if "logs" not in one.parts)
    found = object.__new__(GitWorld)
    found.folder = folder
    return found


def changelog(world: ReleaseWorld, version: str, form: Form = Form.MARKDOWN, language: str = "en") -> str:
    return render_changelog(world.ports, product="shop", version=version, form=form, language=language)


@pytest.mark.parametrize("tag", ["v1.1", "v1.0.1", "v1.0"])
def test_release_whose_vanished_tag_was_accepted_is_told_by_its_recorded_commit(world: ReleaseWorld, tag: str) -> None:
    versions = ("1.0", "1.0.1", "1.1", "1.2")
    before = [changelog(world, version) for version in versions]
    diff = show_upgrade(world.ports, product="shop", since="1.0.1", upto="1.1")
    vanish(world, tag)
    world.ports.histories.clear()
    assert [changelog(world, version) for version in versions] == before, "the changelog lost what the release held"
    assert show_upgrade(world.ports, product="shop", since="1.0.1", upto="1.1") == diff
    assert "1.0.1" in [one["version"] for one in find_fix(world.ports, product="shop", query="SHOP-9")["releases"]]
    world.land("SHOP-5: more")
    assert collect_commits(world.ports, product="shop")["unread_tags"] == []
    assert [changelog(world, version) for version in versions] == before


def test_version_that_another_tag_carries_after_its_own_vanished_is_what_that_one_says(world: ReleaseWorld) -> None:
    world.remote.tag("1.1", world.main)
    vanish(world, "v1.1")
    assert "SHOP-2" not in changelog(world, "1.1")


def test_release_whose_tag_and_commit_are_gone_is_told_as_unknown_with_advice_that_helps(world: ReleaseWorld) -> None:
    own = world.remote.git("rev-parse", "v1.0.1^{commit}")
    tag_object = world.remote.git("rev-parse", "v1.0.1")
    vanish(world, "v1.0.1")
    mirror(world).git("gc", "--prune=now", "--quiet")
    world.ports.histories.clear()
    world.land("SHOP-5: more")
    world.collect()
    for form, words in (
        (Form.MARKDOWN, NOT_KNOWN),
        (Form.TEXT, NOT_KNOWN),
        (Form.HTML, NOT_KNOWN),
        (Form.JSON, "unknown"),
    ):
        told = changelog(world, "1.0.1", form)
        assert words in told, f"{form} does not say that it is unknown"
        assert "No changes" not in told
    assert "неизвестно" in changelog(world, "1.0.1", language="ru")
    with pytest.raises(RefusedError, match=r"is not known: its tag v1\.0\.1 and its commit") as refused:
        show_upgrade(world.ports, product="shop", since="1.0.1", upto="1.1")
    assert refused.value.advice.startswith("Whoever has the tag can push it again (git push origin v1.0.1")
    # What was advised helps.
    world.remote.git("update-ref", "refs/tags/v1.0.1", tag_object)
    world.collect()
    assert own[:10] in changelog(world, "1.0.1")


def test_upgrade_to_an_abandoned_version_does_not_advise_a_collect(world: ReleaseWorld) -> None:
    world.land("SHOP-5: more")
    world.registry.push(IMAGE.replace("{version}", "1.3"))
    world.cut(override="only a try")
    abandon_release(world.ports, product="shop", version="1.3", reason="no", by="ann")
    world.collect()
    with pytest.raises(RefusedError, match="was abandoned") as refused:
        show_upgrade(world.ports, product="shop", since="1.0", upto="1.3")
    assert "collect" not in refused.value.advice, "what is advised cannot help"
