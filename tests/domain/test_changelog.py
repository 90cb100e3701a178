"""Which entry a commit makes, and how a changelog is written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from releaser.domain.changelog import (
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    Form,
    InvalidFragmentError,
    Section,
    Sources,
    entries_from,
    entries_of,
    entry_of,
    parse_fragment,
    render,
)
from releaser.domain.history import Standing
from releaser.domain.ticket import TicketLink, TicketRelation


def commit(
    subject: str,
    *,
    fixes: str = "",
    refs: str = "",
    standing: Standing = Standing.SHOWN,
    message: str = "",
    id_: str = "a" * 40,
    is_merge: bool = False,
) -> ChangelogCommit:
    links = [TicketLink(key=key, relation=TicketRelation.FIXES) for key in fixes.split()]
    links += [TicketLink(key=key, relation=TicketRelation.REFS) for key in refs.split()]
    return ChangelogCommit(
        id=id_, subject=subject, tickets=tuple(links), standing=standing, message=message, is_merge=is_merge
    )


def release(*commits: ChangelogCommit, version: str = "1.1", yanked: bool = False) -> ChangelogRelease:
    return ChangelogRelease(
        version=version,
        tag=f"v{version}",
        line="1.1",
        released_on=date(2026, 3, 2),
        previous="v1.0",
        commits=commits,
        is_yanked=yanked,
    )


@pytest.mark.parametrize(
    ("given", "section", "text"),
    [
        (commit("feat: search"), Section.ADDED, "search"),
        (commit("feat(api)!: search"), Section.ADDED, "api: search"),
        (commit("Fix: crash"), Section.FIXED, "crash"),
        (commit("perf: faster"), Section.CHANGED, "faster"),
        (commit("security: close the door"), Section.SECURITY, "close the door"),
        (commit("deprecate: old API"), Section.DEPRECATED, "old API"),
        (commit("remove: old API"), Section.REMOVED, "old API"),
        (commit("note: what this is"), Section.CHANGED, "note: what this is"),
        (commit("fix:"), Section.CHANGED, "fix:"),
        (commit("Crash on start", fixes="APP-1"), Section.FIXED, "Crash on start"),
        (commit("Crash on start", refs="APP-1"), Section.CHANGED, "Crash on start"),
        (commit("[APP-1] Crash", fixes="APP-1"), Section.FIXED, "Crash"),
        (commit("APP-1: Crash", fixes="APP-1"), Section.FIXED, "Crash"),
        (commit("[APP-1][APP-2] - Crash", fixes="APP-1 APP-2"), Section.FIXED, "Crash"),
        (commit("fix: APP-1 crash", fixes="APP-1"), Section.FIXED, "crash"),
        (commit("APP-1: feat(api): search", refs="APP-1"), Section.ADDED, "api: search"),
        (commit("feat(api): APP-1 search", refs="APP-1"), Section.ADDED, "api: search"),
        (commit("APP-1", fixes="APP-1"), Section.FIXED, "APP-1"),
        (commit("APP-12 crash", fixes="APP-1"), Section.FIXED, "APP-12 crash"),
        (commit("fix: crash", standing=Standing.REVERT), Section.CHANGED, "crash"),
        (commit(""), Section.CHANGED, "a" * 10),
        (commit("\x1b[31m\x07"), Section.CHANGED, "a" * 10),
    ],
)
def test_commit_goes_to_its_section(given: ChangelogCommit, section: Section, text: str) -> None:
    entry = entry_of(given)
    assert (entry.section, entry.text) == (section, text)


@pytest.mark.parametrize(
    ("given", "breaking"),
    [
        (commit("feat!: x"), True),
        (commit("feat: x", message="feat: x\n\nBREAKING CHANGE: y"), True),
        (commit("feat: x", message="feat: x\n\nNot BREAKING CHANGE: y"), False),
        (commit("wow!: x"), True),
        (commit("wow! x"), False),
        (commit("[APP-1] feat!: x", fixes="APP-1"), True),
        (commit("x", message="x\n\nBREAKING-CHANGE: y"), True),
        (commit("x", message="x\n\nbreaking change: y"), False),
        (commit("x", message="x\n\nBREAKING CHANGE:\n"), False),
    ],
)
def test_breaking_change_is_recognised(given: ChangelogCommit, breaking: bool) -> None:  # noqa: FBT001 -- a table
    assert entry_of(given).is_breaking is breaking


def test_what_breaks_is_told_with_the_words_of_the_footer() -> None:
    message = "feat(api)!: drop v1\r\n\r\nBREAKING CHANGE: clients must\r\nuse *v2*\r\nReviewed-by: Z\r\nRefs #133\r\n"
    told = release(commit("feat(api)!: drop v1", message=message))
    assert "- **Breaking:** api: drop v1 \u2013 clients must use \\*v2\\* (`aaaaaaaaaa`)\n" in render(
        [told], form=Form.MARKDOWN
    )
    assert "  * Несовместимо: api: drop v1 \u2013 clients must use *v2* (aaaaaaaaaa)\n" in render(
        [told], form=Form.TEXT, language="ru"
    )


def test_commit_that_writes_the_changelog_is_not_told_in_it() -> None:
    told = release(commit("docs(changelog): Shop 1.0"), commit("docs: how to"))
    assert [entry.text for entry in entries_of(told)] == ["how to"]
    assert len(json.loads(render([told], form=Form.JSON))["releases"][0]["commits"]) == 2


def test_correction_and_withdrawal_are_told_in_the_chapter() -> None:
    told = replace(
        release(yanked=True),
        yank_reason="It loses *drafts*.",
        written=(
            Entry(section=Section.FIXED, text="Mended.", tickets=("APP-1",), corrected_on=date(2026, 3, 5)),
            Entry(section=Section.FIXED, text="Other.", corrected_on=date(2026, 3, 4)),
        ),
    )
    assert render([told], form=Form.MARKDOWN) == (
        "## [1.1] - 2026-03-02 [YANKED]\n\n"
        "This release was withdrawn: It loses \\*drafts\\*.\n\nText corrected on 5 March 2026.\n\n"
        "### Fixed\n\n- Mended. (APP-1, corrected on 2026-03-05)\n- Other. (corrected on 2026-03-04)\n"
    )
    assert "Текст исправлен 5 марта 2026" in render([told], form=Form.TEXT, language="ru")


def test_entry_of_several_blocks_keeps_its_blocks() -> None:
    fragment = parse_fragment("APP-1.added.md", "Try:\n\n```\nrun it\n```\n")
    html = render([replace(release(), written=entries_from([fragment]))], form=Form.HTML)
    assert "<pre><code>run it\n</code></pre>\n<p>(APP-1)</p>" in html


def test_what_was_taken_back_or_told_before_is_left_out() -> None:
    told = release(
        commit("fix: a"),
        commit("fix: b", standing=Standing.REVERTED),
        commit("fix: c", standing=Standing.REPEATED),
        commit('Revert "fix: z"', standing=Standing.REVERT),
    )
    assert [entry.text for entry in entries_of(told)] == ["a", 'Revert "fix: z"']


def test_merge_is_told_only_if_it_says_something_of_its_own() -> None:
    told = release(
        commit("Merge branch 'topic'", is_merge=True),
        commit("Merged in topic (pull request #3)", is_merge=True),
        commit("Merge pull request #4 from ann/APP-1", refs="APP-1", is_merge=True),
        commit("Merge pull request #5 from ann/APP-2", refs="APP-2", is_merge=True),
        commit("Merge it", message="Merge it\n\nBREAKING CHANGE: y", is_merge=True),
        commit("feat: search", is_merge=True),
        commit("Merge two lists"),
        commit("login", fixes="APP-1"),
    )
    assert [entry.text for entry in entries_of(told)] == [
        "Merge pull request #5 from ann/APP-2",
        "Merge it",
        "search",
        "Merge two lists",
        "login",
    ]
    assert len(json.loads(render([told], form=Form.JSON))["releases"][0]["commits"]) == 8


def test_entry_that_people_wrote_stands_for_its_tickets_commits() -> None:
    written = entries_from([parse_fragment("APP-1.added.md", "Search *everywhere*.")])
    told = ChangelogRelease(
        version="1.1",
        tag="v1.1",
        line="1.1",
        released_on=None,
        previous=None,
        commits=(commit("search", refs="APP-1"), commit("both", refs="APP-1 APP-2")),
        written=written,
    )
    assert [entry.text for entry in entries_of(told)] == ["Search *everywhere*.", "both"]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [(Sources.BOTH, ["Mine.", "b"]), (Sources.FRAGMENTS, ["Mine."])],
)
def test_entries_are_made_of_what_is_wanted(sources: Sources, expected: list[str]) -> None:
    written = entries_from([parse_fragment("APP-1.added.md", "Mine.")])
    commits = (commit("a", refs="APP-1"), commit("b"))
    told = replace(release(*commits), written=written, sources=sources)
    assert [entry.text for entry in entries_of(told)] == expected
    # A release from before there were fragments is told by its commits.
    assert [entry.text for entry in entries_of(replace(told, written=()))] == ["a", "b"]


def test_markdown_has_sections_in_their_order() -> None:
    told = release(commit("fix!: b_c", fixes="APP-1"), commit("feat: *a*", id_="b" * 40), yanked=True)
    assert render([told], form=Form.MARKDOWN, title="The <App>") == (
        "# The &lt;App>\n"
        "\n"
        "## [1.1] - 2026-03-02 [YANKED]\n"
        "\n"
        "### Added\n"
        "\n"
        "- \\*a\\* (`bbbbbbbbbb`)\n"
        "\n"
        "### Fixed\n"
        "\n"
        "- **Breaking:** b_c (APP-1, `aaaaaaaaaa`)\n"
    )


def test_text_is_what_a_terminal_can_show() -> None:
    told = release(commit("fix: \x1b]0;title\x07\x1b[31mred\u202e b", fixes="APP-1"))
    assert render([told], form=Form.TEXT, language="ru") == (
        "1.1 - 2026-03-02\n================\n\nИсправлено:\n  * red b (APP-1, aaaaaaaaaa)\n"
    )


def test_html_shows_markup_as_text() -> None:
    html = render(
        [release(commit("fix: <script>alert(1)</script> [x](javascript:y) ![i](http://e.test/i)"))], form=Form.HTML
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [x](javascript:y) ![i](http://e.test/i)" in html


def test_release_without_commits_says_so() -> None:
    assert "No changes." in render([release()], form=Form.MARKDOWN)
    assert "Изменений нет." in render([release()], form=Form.TEXT, language="ru")


def test_json_has_every_commit_in_the_agreed_shape() -> None:
    taken_back = ChangelogCommit(
        id="c" * 40,
        subject="x\x1b[31m\x9b\u202e",
        picked_from="d" * 40,
        reverted_by="e" * 40,
        standing=Standing.REVERTED,
    )
    text = render([release(commit("fix: б", fixes="APP-1", refs="APP-2"), taken_back)], form=Form.JSON)
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert "б" in text
    assert json.loads(text) == {
        "releases": [
            {
                "version": "1.1",
                "tag": "v1.1",
                "line": "1.1",
                "date": "2026-03-02",
                "previous": "v1.0",
                "commits": [
                    {
                        "id": "a" * 40,
                        "subject": "fix: б",
                        "tickets": ["APP-1", "APP-2"],
                        "picked_from": None,
                        "reverted_by": None,
                    },
                    {
                        "id": "c" * 40,
                        "subject": "x\x1b[31m\x9b\u202e",
                        "tickets": [],
                        "picked_from": "d" * 40,
                        "reverted_by": "e" * 40,
                    },
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    ("name", "ticket", "section", "language"),
    [
        ("APP-7.fixed.md", "APP-7", Section.FIXED, "en"),
        ("APP-7.fixed.ru.md", "APP-7", Section.FIXED, "ru"),
        ("42.security.md", "42", Section.SECURITY, "en"),
        ("+docs.changed.md", "", Section.CHANGED, "en"),
        ("app.core-7.added.2.ru.md", "app.core-7", Section.ADDED, "ru"),
    ],
)
def test_fragment_is_read_by_its_name(name: str, ticket: str, section: Section, language: str) -> None:
    fragment = parse_fragment(name, "Text.\r\n")
    assert (fragment.ticket, fragment.section, fragment.language, fragment.text) == (ticket, section, language, "Text.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("APP-7.md", "x"),
        ("APP-7.broken.md", "x"),
        ("APP-7.fixed.de.md", "x"),
        ("APP-7.fixed.txt", "x"),
        (".fixed.md", "x"),
        ("../APP-7.fixed.md", "x"),
        ("APP-7.fixed.md", " \n"),
        ("APP-7.fixed.md", "x" * 20_001),
    ],
)
def test_fragment_that_is_none_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidFragmentError):
        parse_fragment(name, text)


@pytest.mark.parametrize(("language", "texts"), [("en", ["one", "nur"]), ("ru", ["один", "nur"])])
def test_fragments_are_taken_in_the_readers_language(language: str, texts: list[str]) -> None:
    fragments = [
        parse_fragment("A-1.fixed.ru.md", "один"),
        parse_fragment("A-1.fixed.md", "one"),
        parse_fragment("B-1.fixed.ru.md", "nur"),
    ]
    assert [entry.text for entry in entries_from(fragments, language=language)] == texts
