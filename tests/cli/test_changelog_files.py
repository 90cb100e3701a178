"""`releaser changelog` with fragments, templates, feeds and paths, and into the files of a clone."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import Cli
from tests.fakes.git_world import GitWorld

LOG = "# Changes\r\n\r\n## [Unreleased]\r\n\r\n## 1.0 - 2023-11-14\r\n\r\n- All of it.\r\n"


@pytest.fixture
def clone(tmp_path: Path) -> GitWorld:
    """1.0; 1.1 with fragments kept in the folder; then a feature and a fragment that no release has; two apps by folders."""
    world = GitWorld(tmp_path / "clone", bare=False)
    first = world.commit("Begin", branch="main", tree=world.tree({b"a/x": b"1", b"b/x": b"1"}))
    world.tag("v1.0", first)
    world.tag("a-1.0", first)
    world.land(
        "SHOP-1: mend", {"a/x": "2", "news/SHOP-1.fixed.md": "Mended *well*.", "news/SHOP-1.fixed.ru.md": "Починили."}
    )
    second = world.land("feat: colours", {"b/x": "2"})
    world.tag("v1.1", second)
    world.tag("a-1.1", second)
    world.land("feat!: search\n\nBREAKING CHANGE: the index is *new*", {"b/x": "3"})
    world.land("SHOP-2: less", {"a/x": "3", "news/SHOP-2.removed.md": "The old door is gone."})
    news = world.folder / "news"
    news.mkdir()
    (news / "SHOP-2.removed.md").write_text("The old door is gone.")
    (world.folder / "CHANGELOG.md").write_bytes(LOG.encode())
    return world


def ran(cli: Cli, clone: GitWorld, *words: str) -> str:
    done = cli("changelog", "--repo", str(clone.folder), *words)
    # The other module's tags are told beside the answer where the clone is read first.
    assert (done.code, done.err.partition(": a-1.0, a-1.1.")[0]) in {(0, ""), (0, "Warning: 2 tags made no release")}, (
        done
    )
    return str(done.out)


def test_commits_and_fragments_are_told_together_once(cli: Cli, clone: GitWorld) -> None:
    english = ran(cli, clone, "1.1", "--fragments", "news")
    assert "### Added\n\n- colours (`" in english
    assert "### Fixed\n\n- Mended *well*. (SHOP-1)\n" in english
    assert "mend (" not in english
    assert "- Починили. (SHOP-1)\n" in ran(cli, clone, "v1.1", "--fragments", "news", "--language", "ru")
    assert "Mended" not in ran(cli, clone, "1.0", "--fragments", str(clone.folder / "news"))


def test_fragments_alone_or_commits_alone_are_told_where_wanted(cli: Cli, clone: GitWorld) -> None:
    words = ("1.1", "--fragments", "news", "-o", "text")
    assert "colours" not in ran(cli, clone, *words, "--sources", "fragments")
    assert "Mended" not in ran(cli, clone, *words, "--sources", "commits")


def test_what_is_not_released_is_told_as_the_version_to_come(cli: Cli, clone: GitWorld) -> None:
    told = ran(cli, clone, "--unreleased", "--fragments", "news")
    assert told.startswith("## [Unreleased]\n\n### Added\n\n- **Breaking:** search \u2013 the index is \\*new\\* (`")
    assert "### Removed\n\n- The old door is gone. (SHOP-2)\n" in told
    release = json.loads(ran(cli, clone, "--unreleased", "1.2", "-o", "json"))["releases"][0]
    assert (release["version"], release["tag"], release["previous"]) == ("1.2", "v1.2", "v1.1")
    assert [one["subject"] for one in release["commits"]] == ["SHOP-2: less", "feat!: search"]
    done = cli("changelog", "--repo", str(clone.folder), "--unreleased", "1.1")
    assert (done.code, "is released" in done.err) == (5, True)


def test_files_of_the_clone_are_written_and_told_fragments_removed(cli: Cli, clone: GitWorld) -> None:
    words = ("--unreleased", "1.2", "--fragments", "news", "--write")
    assert ran(cli, clone, *words) == "Wrote CHANGELOG.md, changelogs/1.2.md. 1 fragment was removed.\n"
    text = (clone.folder / "CHANGELOG.md").read_bytes().decode()
    head, tail = LOG.split("## 1.0")
    assert text.startswith(head + "## 1.2 - ")
    assert text.endswith("\r\n\r\n## 1.0" + tail)
    assert "- The old door is gone. (SHOP-2)\r\n" in text
    assert (clone.folder / "changelogs" / "1.2.md").read_text().startswith("## [1.2] - ")
    assert list((clone.folder / "news").iterdir()) == []
    assert ran(cli, clone, "1.1", "--write", "--folder", "", "--into", "docs/NEWS.md") == "Wrote docs/NEWS.md.\n"
    assert (
        ran(cli, clone, "1.1", "--write", "--folder", "", "--into", "docs/NEWS.md")
        == "Everything is told there already.\n"
    )
    assert (clone.folder / "docs" / "NEWS.md").read_text().startswith("# Changelog\n\n## [1.1] - 2023-11-14\n")


def test_every_release_can_be_written_at_once(cli: Cli, clone: GitWorld) -> None:
    (clone.folder / "CHANGELOG.md").unlink()
    ran(cli, clone, "--all", "--write", "--folder", "")
    text = (clone.folder / "CHANGELOG.md").read_text()
    assert [line for line in text.split("\n") if line.startswith("#") and "###" not in line] == [
        "# Changelog",
        "## [1.1] - 2023-11-14",
        "## [1.0] - 2023-11-14",
    ]


def test_words_of_people_and_files_outside_are_left_alone(cli: Cli, clone: GitWorld, tmp_path: Path) -> None:
    done = cli("changelog", "--repo", str(clone.folder), "1.0", "--write")
    assert (done.code, "--replace" in done.err) == (5, True)
    assert (clone.folder / "CHANGELOG.md").read_bytes().decode() == LOG
    assert not (clone.folder / "changelogs").exists()
    ran(cli, clone, "1.0", "--write", "--replace")
    assert "All of it" not in (clone.folder / "CHANGELOG.md").read_text()
    outside = tmp_path / "outside.md"
    outside.write_text("mine")
    (clone.folder / "LINK.md").symlink_to(outside)
    for path in ("LINK.md", "../outside.md", "news"):
        done = cli("changelog", "--repo", str(clone.folder), "1.1", "--write", "--into", path)
        assert (done.code in {2, 5}, outside.read_text()) == (True, "mine"), done
    (clone.folder / "INSIDE.md").symlink_to(clone.folder / "CHANGELOG.md")
    ran(cli, clone, "1.1", "--write", "--into", "INSIDE.md", "--folder", "")
    assert (clone.folder / "INSIDE.md").is_symlink()
    assert "## 1.1" in (clone.folder / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("name", "template", "expected"),
    [
        (
            "t.md.j2",
            "{% for r in releases %}# {{ r.version }}: {{ r.sections[0].entries[0].text }}\n{% endfor %}",
            "# 1.1: colours\n# 1.0: Begin\n",
        ),
        ("t.html", "<h1>{{ title }}</h1>{{ releases[0].sections|length }}", "<h1>A &lt;b&gt;</h1>2\n"),
        ("t.txt", "{{ title }} {{ releases[0].date }} {{ releases[0].yanked }}", "A <b> 2023-11-14 False\n"),
    ],
)
def test_template_writes_it_and_its_name_says_what(
    cli: Cli, clone: GitWorld, tmp_path: Path, name: str, template: str, expected: str
) -> None:
    (tmp_path / name).write_text(template)
    assert ran(cli, clone, "--all", "--template", str(tmp_path / name), "--title", "A <b>") == expected


def test_wrong_template_is_told_with_its_file_and_line(cli: Cli, clone: GitWorld, tmp_path: Path) -> None:
    file = tmp_path / "t.md"
    file.write_text("x\n{{ release.version }}")
    done = cli("changelog", "--repo", str(clone.folder), "--template", str(file))
    assert (done.code, f"{file}:2: `release` is undefined" in done.err) == (2, True), done
    file.write_bytes(b"\xff")
    assert "UTF-8" in cli("changelog", "--repo", str(clone.folder), "--template", str(file)).err
    file.write_text("x")
    assert (
        "no templates for json"
        in cli("changelog", "--repo", str(clone.folder), "--template", str(file), "-o", "json").err
    )


def test_feeds_of_a_clone_lead_to_its_page(cli: Cli, clone: GitWorld) -> None:
    address = ("--address", "https://shop.example.com/news", "--title", "Shop")
    atom = ET.fromstring(ran(cli, clone, "--all", "-o", "atom", *address))  # noqa: S314 -- our own
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert [one.get("href") for one in atom.findall("a:entry/a:link", names)] == [
        "https://shop.example.com/news#1.1",
        "https://shop.example.com/news#1.0",
    ]
    feed = json.loads(ran(cli, clone, "--all", "-o", "jsonfeed", *address))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["title"] for item in feed["items"]] == ["Shop 1.1", "Shop 1.0"]
    assert "<h3>Added</h3>" in feed["items"][0]["content_html"]


def test_path_tells_one_product_of_several_in_a_repository(cli: Cli, clone: GitWorld) -> None:
    told = json.loads(ran(cli, clone, "--all", "-o", "json", "--tag-format", "a-{version}", "--path", "a"))
    assert [(one["tag"], [c["subject"] for c in one["commits"]]) for one in told["releases"]] == [
        ("a-1.1", ["SHOP-1: mend"]),
        ("a-1.0", ["Begin"]),
    ]
    both = json.loads(ran(cli, clone, "--unreleased", "-o", "json", "--path", "a", "--path", "b"))
    assert len(both["releases"][0]["commits"]) == 2
    assert ran(cli, clone, "1.1", "--path", "*").endswith("No changes.\n")
    # What is kept of a part of the repository is not taken for the whole.
    assert "mend (SHOP-1" in ran(cli, clone, "1.1")
    assert "mend (SHOP-1" not in ran(cli, clone, "1.1", "--path", "b")
