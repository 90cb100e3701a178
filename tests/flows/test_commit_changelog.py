"""The changelog comes into the product's own repository: at its place, once, and never over what somebody else pushed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.errors import ReleaserError
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.place_changelog import ChapterTakenError, NotTextError
from releaser.flows.publish_release import publish_release
from releaser.flows.write_note import write_note
from releaser.flows.yank_release import yank_release
from releaser.sources.source import BranchMovedError, BranchNotFoundError, NotAFileError, PushRefusedError
from releaser.store import products
from releaser.store.plain import dump
from tests.fakes.deadly import Killed
from tests.fakes.release_world import ReleaseWorld

OLD = "# Changes\r\n\r\n## [Unreleased]\r\n\r\n- soon\r\n\r\n## [1.0] - 2026-02-01\r\n\r\n- Selling.\r\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ReleaseWorld:
    """1.1 is published; the remote has a changelog that people keep, with a byte order mark and CRLF."""
    world = ReleaseWorld(tmp_path_factory.mktemp("prepared"))
    world.remote.land("docs: begin a changelog", {"CHANGELOG.md": "\ufeff" + OLD, "README.md": "Shop"})
    world.cut()
    world.publish("1.1")
    world.close()
    return world


@pytest.fixture
def world(prepared: ReleaseWorld, tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = prepared.copied(tmp_path)
    yield world
    world.close()


def keep(world: ReleaseWorld, **given: Any) -> None:  # noqa: ANN401 -- fields of ChangelogKeeping
    with world.database.transaction() as session:
        products.get(session, "shop").changelog = dump(ChangelogKeeping(**given))


def commit(world: ReleaseWorld, version: str = "1.1", **given: Any) -> dict[str, Any]:  # noqa: ANN401 -- options
    return commit_changelog(world.ports, product="shop", version=version, by="ann", **given)


def history(world: ReleaseWorld, branch: str = "main") -> list[str]:
    return world.remote.git("log", "--format=%s", branch).split("\n")


def test_release_goes_into_the_file_people_keep_and_into_one_of_its_own(world: ReleaseWorld) -> None:
    tip = world.remote.git("rev-parse", "main")
    facts = commit(world)
    assert (facts["branch"], facts["unchanged"], facts["files"]) == (
        "main",
        False,
        ["CHANGELOG.md", "changelogs/1.1.md"],
    )
    assert world.remote.git("rev-parse", "main", "main^") == f"{facts['commit']}\n{tip}"
    assert history(world)[0] == "docs(changelog): The Shop 1.1"
    text = world.remote.read("main", "CHANGELOG.md") or ""
    before, after = OLD.split("## [1.0]")
    assert text.startswith(
        "\ufeff" + before + "## [1.1] - 2026-03-02\r\n\r\n### Added\r\n\r\n- search by colour (SHOP-3, `"
    )
    assert text.endswith(")\r\n\r\n## [1.0]" + after)
    assert (world.remote.read("main", "changelogs/1.1.md") or "").startswith(
        "# The Shop 1.1\n\n## [1.1] - 2026-03-02\n"
    )
    assert world.remote.read("main", "README.md") == "Shop"


def test_same_again_commits_nothing(world: ReleaseWorld) -> None:
    first = commit(world)
    again = commit(world)
    assert (again["unchanged"], again["commit"], again["files"]) == (True, None, [])
    assert world.remote.git("rev-parse", "main") == first["commit"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", ["fetch", "commit_files", "push_branch"])
def test_killed_anywhere_the_same_again_completes_it(world: ReleaseWorld, method: str, *, after: bool) -> None:
    calls = world.deadly.calls
    world.deadly.method, world.deadly.nth, world.deadly.after = method, calls.count(method) + 1, after
    with pytest.raises(Killed):
        commit(world)
    world.deadly.method = ""
    commit(world)
    assert history(world).count("docs(changelog): The Shop 1.1") == 1
    # What was pushed by the one that died is known as ours: it can be corrected.
    yank_release(world.ports, product="shop", version="1.1", reason="It loses drafts.", by="ann")
    assert "## [1.1] - 2026-03-02 [YANKED]\r\n\r\nThis release was withdrawn: It loses drafts." in (
        world.remote.read("main", "CHANGELOG.md") or ""
    )


def test_branch_that_moved_in_between_is_taken_as_it_is_then(world: ReleaseWorld) -> None:
    moved = move_before_push(world, times=1)
    facts = commit(world)
    assert world.remote.git("rev-parse", "main^") == moved[0]
    assert facts["commit"] == world.remote.git("rev-parse", "main")
    assert history(world)[:2] == ["docs(changelog): The Shop 1.1", "somebody else 1"]


def test_branch_that_moves_again_and_again_is_told_and_nothing_is_forced(world: ReleaseWorld) -> None:
    moved = move_before_push(world, times=5)
    with pytest.raises(BranchMovedError, match="Run the same again"):
        commit(world)
    assert len(moved) == 2
    assert world.remote.git("rev-parse", "main") == moved[-1]


def move_before_push(world: ReleaseWorld, *, times: int) -> list[str]:
    """Have somebody push before each of our next pushes; their commits."""
    moved: list[str] = []
    real = world.deadly._port

    class Moving:
        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever a repository has
            return getattr(self.repository, name)

        def __init__(self, repository: Any) -> None:  # noqa: ANN401 -- a repository
            self.repository = repository

        def push_branch(self, branch: str, **given: Any) -> None:  # noqa: ANN401 -- the port's
            if len(moved) < times:
                moved.append(world.land(f"somebody else {len(moved) + 1}"))
            self.repository.push_branch(branch, **given)

    class Repositories:
        def mirror(self, address: str, *, folder: Path) -> Any:  # noqa: ANN401 -- a repository
            return Moving(real.mirror(address, folder=folder))

    world.deadly._port = Repositories()
    return moved


def test_refused_push_is_told_and_completed_when_it_is_allowed(world: ReleaseWorld) -> None:
    hook = world.remote.folder / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(PushRefusedError, match="protected"):
        commit(world)
    assert history(world)[0] == "docs: begin a changelog"
    hook.unlink()
    assert commit(world)["unchanged"] is False


def test_other_words_of_people_are_left_alone_unless_they_are_to_be_replaced(world: ReleaseWorld) -> None:
    ours = "# Changes\n\n## 1.1\n\n- In our own words.\n\n## 1.0\n"
    world.remote.land("docs: tell of 1.1", {"CHANGELOG.md": ours})
    with pytest.raises(ChapterTakenError, match="--replace") as caught:
        commit(world)
    assert caught.value.facts["path"] == "CHANGELOG.md"
    assert world.remote.read("main", "CHANGELOG.md") == ours
    commit(world, replace=True)
    assert "In our own words" not in (world.remote.read("main", "CHANGELOG.md") or "")


def test_our_words_that_somebody_changed_are_his(world: ReleaseWorld) -> None:
    commit(world)
    text = (world.remote.read("main", "CHANGELOG.md") or "").replace("search by colour", "search by any colour")
    world.remote.land("docs: say it better", {"CHANGELOG.md": text})
    with pytest.raises(ChapterTakenError):
        yank_release(world.ports, product="shop", version="1.1", reason="broken", by="ann")
    assert world.remote.read("main", "CHANGELOG.md") == text


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"CHANGELOG.md": None, "CHANGELOG.md/x": "a folder"}, NotAFileError),
        ({"changelogs": "a file"}, NotAFileError),
    ],
)
def test_what_stands_in_the_way_is_told(
    world: ReleaseWorld, files: dict[str, str | None], error: type[ReleaserError]
) -> None:
    world.remote.land("in the way", files)
    with pytest.raises(error):
        commit(world)


def test_file_that_is_no_utf_8_is_not_written_into(world: ReleaseWorld) -> None:
    tip = world.remote.git("rev-parse", "main")
    tree = world.remote.tree({b"CHANGELOG.md": "Изменения\n".encode("cp1251")}, onto=tip)
    world.remote.commit("in another encoding", tip, branch="main", tree=tree)
    with pytest.raises(NotTextError, match="UTF-8"):
        commit(world)


def test_branch_files_and_language_are_the_products_choice(world: ReleaseWorld) -> None:
    world.remote.branch("docs", world.remote.git("rev-parse", "main"))
    keep(world, file="", folder="docs/changes", branch="docs", language="ru")
    assert commit(world)["files"] == ["docs/changes/1.1.md"]
    assert "### Добавлено" in (world.remote.read("docs", "docs/changes/1.1.md") or "")
    assert commit(world, branch="main")["branch"] == "main"
    with pytest.raises(BranchNotFoundError):
        commit(world, branch="nowhere")


def test_template_of_the_product_makes_the_chapter(world: ReleaseWorld) -> None:
    template = (
        "{% for r in releases %}## {{ r.version }}\n\n{% for s in r.sections %}{% for e in s.entries %}"
        "* {{ e.text }}\n{% endfor %}{% endfor %}{% endfor %}"
    )
    keep(world, templates={"md": template})
    commit(world)
    assert "## 1.1\r\n\r\n* search by colour\r\n* begin a changelog\r\n* basket loses items\r\n\r\n## [1.0]" in (
        world.remote.read("main", "CHANGELOG.md") or ""
    )


def test_product_that_wants_it_has_every_publishing_committed(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    keep(world, commit=True)
    world.cut()
    facts = world.publish("1.1")
    assert [one["files"] for one in facts["commits"]] == [["CHANGELOG.md", "changelogs/1.1.md"]]
    assert (world.remote.read("main", "CHANGELOG.md") or "").startswith("# Changelog\n\n## [1.1]")
    again = publish_release(world.ports, product="shop", version="1.1", by="ann")
    assert [one["unchanged"] for one in again["commits"]] == [True]
    world.close()


def test_publishing_commits_when_it_is_asked_to(world: ReleaseWorld) -> None:
    assert publish_release(world.ports, product="shop", version="1.1", by="ann")["commits"] == []
    facts = publish_release(world.ports, product="shop", version="1.1", by="ann", commit=True)
    assert [one["branch"] for one in facts["commits"]] == ["main"]


def test_unpublished_release_is_not_committed(world: ReleaseWorld) -> None:
    world.land("SHOP-9: more")
    world.cut()
    with pytest.raises(ReleaserError, match=r"publish shop 1\.2"):
        commit(world, "1.2")


def test_fragments_go_with_the_release_they_became_part_of(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    keep(world, fragments="notes", commit=True)
    world.remote.land(
        "SHOP-4: count",
        {
            "notes/SHOP-4.added.md": "Count *items*.",
            "notes/SHOP-4.added.ru.md": "Счёт товаров.",
            "notes/+docs.changed.md": "Better manual.",
            "notes/README.md": "How to",
            "notes/wrong.md": "no fragment",
        },
    )
    world.cut()
    world.remote.land("SHOP-5: more", {"notes/SHOP-5.fixed.md": "Mended.", "notes/+docs.changed.md": "Even better."})
    world.publish("1.1")
    text = world.remote.read("main", "CHANGELOG.md") or ""
    assert "- Count *items*. (SHOP-4)" in text
    assert text.count("SHOP-4") == 1
    assert "- Better manual.\n" in text
    assert "SHOP-5" not in text
    left = world.remote.git("ls-tree", "-r", "--name-only", "main", "notes/").split("\n")
    # What was changed since, or came later, is for the next release.
    assert left == ["notes/+docs.changed.md", "notes/README.md", "notes/SHOP-5.fixed.md", "notes/wrong.md"]
    notes = (world.ports.home / "changelogs" / "shop" / "1.1.notes.ru.md").read_text()
    assert "- Счёт товаров. (SHOP-4)" in notes
    assert "- Better manual. (на английском)" in notes
    world.cut()
    world.publish("1.2")
    text = world.remote.read("main", "changelogs/1.2.md") or ""
    assert "- Mended. (SHOP-5)" in text
    assert "- Even better." in text
    assert "SHOP-4" not in text
    assert "docs(changelog)" not in text
    world.close()


def test_corrected_fragment_is_corrected_in_the_repository(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    keep(world, fragments="notes", commit=True)
    world.remote.land("SHOP-4: count", {"notes/SHOP-4.added.md": "Count items."})
    world.cut()
    world.publish("1.1")
    world.clock.advance(timedelta(days=3))
    write_note(
        world.ports,
        product="shop",
        version="1.1",
        ticket="SHOP-4",
        language="en",
        text="Count *all* items.",
        by="ann",
        reason="not only some",
    )
    for path in ("CHANGELOG.md", "changelogs/1.1.md"):
        text = world.remote.read("main", path) or ""
        assert "Text corrected on 5 March 2026." in text
        assert "- Count *all* items. (SHOP-4, corrected on 2026-03-05)" in text
    world.close()
