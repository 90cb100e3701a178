"""A release goes into a changelog that people keep, at its place, and nothing else there is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.changelog.chapters import ChapterNotFoundError, Placed, chapter_in, put_chapter
from releaser.domain.version import Scheme, TagFormat, Version, parse

FORMAT = TagFormat(scheme=Scheme.TWO_PART, text="v{version}")
APP = TagFormat(scheme=Scheme.TWO_PART, text="app-{version}")
CHAPTER = "## [1.1] - 2026-03-02\n\n### Added\n\n- Search.\n"


def reads(word: str) -> Version | None:
    return FORMAT.version_of(word) or APP.version_of(word)


def put(existing: str, version: str = "1.1", chapter: str = CHAPTER) -> Placed:
    return put_chapter(existing, chapter, version=parse(version, scheme=Scheme.TWO_PART), reads=reads)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "# Changelog\n\n@", id="nothing there"),
        pytest.param("\ufeff\r\n", "\ufeff# Changelog\n\n@", id="only a mark"),
        pytest.param("# Log\n", "# Log\n\n@", id="only a title"),
        pytest.param("# Log", "# Log\n\n@", id="no line end"),
        pytest.param("# Log\n\n## [1.0] - x\n- a\n", "# Log\n\n@\n## [1.0] - x\n- a\n", id="before the older"),
        pytest.param("## [1.2]\n- a\n\n## [1.0]\n", "## [1.2]\n- a\n\n@\n## [1.0]\n", id="between"),
        pytest.param("## [1.2]\n- a\n", "## [1.2]\n- a\n\n@", id="behind the newer"),
        pytest.param("## [1.0]\n- a\n\n## [1.0.3]\n", "## [1.0]\n- a\n\n## [1.0.3]\n\n@", id="the other way round"),
        pytest.param(
            "## [Unreleased]\n- soon\n\n## [1.0]\n", "## [Unreleased]\n- soon\n\n@\n## [1.0]\n", id="behind unreleased"
        ),
        pytest.param("## Unreleased\n- soon\n", "## Unreleased\n- soon\n\n@", id="only unreleased"),
        pytest.param(
            "## [1.2]\n- a\n\n[1.2]: http://x\n[1.1]: http://y\n",
            "## [1.2]\n- a\n\n@\n[1.2]: http://x\n[1.1]: http://y\n",
            id="before link definitions",
        ),
        pytest.param(
            "# Log\n\n```\n## [1.0]\n```\n<!--\n## [0.9]\n-->\n",
            "# Log\n\n```\n## [1.0]\n```\n<!--\n## [0.9]\n-->\n\n@",
            id="headings in code and comments are none",
        ),
        pytest.param(
            '## [1.2]\n\n<a name="1.0"></a>\n## [1.0]\n',
            '## [1.2]\n\n@\n<a name="1.0"></a>\n## [1.0]\n',
            id="before the anchor",
        ),
        pytest.param("[1.0]\n-----\n- a\n", "@\n[1.0]\n-----\n- a\n", id="underlined headings"),
        pytest.param("## [app-1.0]\n- a\n", "@\n## [app-1.0]\n- a\n", id="tags as headings"),
        pytest.param("## Shop [1.0] (2020)\n- a\n", "@\n## Shop [1.0] (2020)\n- a\n", id="names before versions"),
        pytest.param(
            "## [1.0]\n- a\n  ## [0.9]\n  ```\n## [0.8]\n", "@\n## [1.0]\n- a\n  ## [0.9]\n  ```\n## [0.8]\n", id="in"
        ),
    ],
)
def test_new_chapter_goes_to_its_place(before: str, after: str) -> None:
    placed = put(before)
    assert placed.text == after.replace("@", CHAPTER)
    assert (placed.chapter, placed.before, placed.is_changed) == (CHAPTER.strip(), None, True)
    again = put(placed.text)
    assert (again.text, again.is_changed) == (placed.text, False)


def test_line_ends_and_mark_of_the_file_are_kept() -> None:
    placed = put("\ufeff# Log\r\n\r\n## [1.0]\r\n- a\n- b\r\n")
    assert placed.text == "\ufeff# Log\r\n\r\n" + CHAPTER.replace("\n", "\r\n") + "\r\n## [1.0]\r\n- a\n- b\r\n"
    assert not put(placed.text).is_changed


def test_chapter_takes_the_files_habits() -> None:
    placed = put("# 1.0\n\n## Fixed\n- a\n")
    assert placed.text == "# 1.1 - 2026-03-02\n\n## Added\n\n- Search.\n\n# 1.0\n\n## Fixed\n- a\n"
    assert not put(placed.text).is_changed


def test_chapter_that_is_there_is_replaced_and_told() -> None:
    old = "# Log\n\n## [1.2]\n\n## [1.1] - old\n- a\n\n### More\n- b\n\n## [1.0]\n- c\n\n[1.0]: http://x\n"
    placed = put(old)
    assert placed.before == "## [1.1] - old\n- a\n\n### More\n- b"
    assert placed.text == f"# Log\n\n## [1.2]\n\n{CHAPTER}\n## [1.0]\n- c\n\n[1.0]: http://x\n"
    assert put("## [1.1]\r\n- a").text == CHAPTER.strip().replace("\n", "\r\n")
    assert put("## [1.1]\n- a\n\n[1.1]: http://x").text == f"{CHAPTER}\n[1.1]: http://x"


@pytest.mark.parametrize("heading", ["# Changes of 2.0", "# 2026-03-02", "# Shop 3.4 changelog", "# Migrating to 2.0"])
def test_heading_that_only_mentions_a_version_is_no_chapter(heading: str) -> None:
    placed = put(f"{heading}\n\n## [1.0]\n- a\n")
    assert placed.text == f"{heading}\n\n{CHAPTER}\n## [1.0]\n- a\n"


LINES = st.sampled_from(
    [
        "# Log",
        "## [Unreleased]",
        "## [1.2] - x",
        "## 1.0",
        "### Fixed",
        "- a",
        "",
        "```",
        "<!--",
        "-->",
        "---",
        "[1.0]: x",
    ]
)
FILES = st.builds(
    lambda mark, lines, ends, last: (
        mark + "".join(f"{line}{end}" for line, end in zip(lines, ends, strict=False)) + last
    ),
    st.sampled_from(["", "\ufeff"]),
    st.lists(LINES | st.text(max_size=12), max_size=14),
    st.lists(st.sampled_from(["\n", "\r\n"]), min_size=14, max_size=14),
    st.sampled_from(["", "- end"]),
)


def tried(existing: str) -> Placed | None:
    try:
        return put(existing)
    except ChapterNotFoundError:
        return None


@given(FILES)
def test_nothing_else_is_touched_whatever_the_file_is(existing: str) -> None:
    placed = tried(existing)
    if placed is None or placed.before is not None or not existing.removeprefix("\ufeff").strip():
        return
    shown = placed.text.replace("\r\n", "\n").replace("\r", "\n")
    at = shown.index(placed.chapter)
    left, right = shown[:at], shown[at + len(placed.chapter) :]
    plain = existing.replace("\r\n", "\n").replace("\r", "\n")
    assert plain.startswith(left.rstrip("\n"))
    assert plain.endswith(right.lstrip("\n"))
    assert (left + right).replace("\n", "") == plain.replace("\n", "")


@given(FILES)
def test_same_again_changes_nothing(existing: str) -> None:
    once = tried(existing)
    if once is not None:
        assert put(once.text).text == once.text
        found = chapter_in(once.text, version=parse("1.1", scheme=Scheme.TWO_PART), reads=reads)
        assert found == once.chapter


@pytest.mark.parametrize("existing", ["# Log\n```\n", "# Log\n<!--\n"])
def test_place_where_it_would_not_be_found_again_is_refused(existing: str) -> None:
    with pytest.raises(ChapterNotFoundError, match="close code blocks"):
        put(existing)


def test_chapter_without_a_version_is_refused() -> None:
    with pytest.raises(ChapterNotFoundError, match=r"names 1\.1"):
        put("# Log\n", chapter="- Search.\n")
