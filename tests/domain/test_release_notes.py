"""What customers are told of a release, in Russian and in English."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from releaser.domain.changelog import (
    ChangelogCommit,
    Feed,
    FeedItem,
    NotesPage,
    ReleaseNote,
    Section,
    atom,
    draft_notes,
    json_feed,
    notes_html,
    notes_json,
    notes_markdown,
    notes_text,
)
from releaser.domain.changelog.fragments import parse_fragment
from releaser.domain.history import Standing
from releaser.domain.ticket import TicketLink, TicketRelation

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIXES, REFS = TicketRelation.FIXES, TicketRelation.REFS


def commit(
    message: str, *keys: str, relation: TicketRelation = FIXES, standing: Standing = Standing.SHOWN, merge: bool = False
) -> ChangelogCommit:
    return ChangelogCommit(
        id="a" * 40,
        subject=message.partition("\n")[0],
        tickets=tuple(TicketLink(key=key, relation=relation) for key in keys),
        standing=standing,
        is_merge=merge,
        message=message,
    )


def told(*commits: ChangelogCommit) -> list[tuple[str, str, str, str]]:
    return [(note.ticket, note.section.value, note.language, note.text) for note in draft_notes(commits)]


@pytest.mark.parametrize(
    ("commits", "expected"),
    [
        ([commit("[A-1] crash on start", "A-1")], [("A-1", "fixed", "en", "Crash on start")]),
        ([commit("A-1: сбой при старте", "A-1")], [("A-1", "fixed", "ru", "Сбой при старте")]),
        ([commit("fix *it*", "A-1")], [("A-1", "fixed", "en", "Fix \\*it\\*")]),
        ([commit("readLine() fails", "A-1")], [("A-1", "fixed", "en", "readLine() fails")]),
        ([commit("no ticket")], []),
        ([commit("Merge A-1", "A-1", merge=True)], []),
        ([commit("a", "A-1", standing=Standing.REVERTED)], []),
        ([commit("a", "A-1", standing=Standing.REPEATED)], []),
        (
            [commit('Revert "a"', "A-1", standing=Standing.REVERT)],
            [("A-1", "changed", "en", 'Revert "a"')],
        ),
        (
            [commit("x\n\nRelease-note: Say\n  this.\nRelease-note-ru: Так.", "A-1")],
            [("A-1", "fixed", "en", "Say this."), ("A-1", "fixed", "ru", "Так.")],
        ),
        ([commit("x\n\nRelease-note: none", "A-1")], []),
        ([commit("x\n\nRelease-note: Починили", "A-1")], [("A-1", "fixed", "ru", "Починили")]),
        ([commit("x\n\nRelease-note-de: Nein", "A-1")], [("A-1", "fixed", "en", "X")]),
        (
            [commit("prepare", "A-1", relation=REFS), commit("feat: do it", "A-1", relation=REFS)],
            [("A-1", "added", "en", "Do it")],
        ),
        (
            [commit("prepare", "A-1", relation=REFS), commit("mend", "A-1")],
            [("A-1", "fixed", "en", "Mend")],
        ),
        (
            [commit("both", "A-1", "A-2")],
            [("A-1", "fixed", "en", "Both"), ("A-2", "fixed", "en", "Both")],
        ),
    ],
)
def test_each_ticket_makes_one_note(commits: list[ChangelogCommit], expected: list[tuple[str, str, str, str]]) -> None:
    assert told(*commits) == expected


def test_public_title_is_better_than_a_subject_and_a_trailer_better_than_both() -> None:
    commits = [commit("x", "A-1"), commit("y\n\nRelease-note: Trailer", "A-2")]
    notes = draft_notes(commits, titles={"A-1": "Crash [on] start", "A-2": "Title"})
    assert [note.text for note in notes] == ["Crash \\[on\\] start", "Trailer"]


PAGE = NotesPage(
    title="The App",
    version="1.1",
    published_at=AT,
    zone="Europe/Moscow",
    notes=(
        ReleaseNote(ticket="A-1", section=Section.FIXED, language="en", text="Mended\n<b>"),
        ReleaseNote(ticket="A-2", section=Section.ADDED, language="en", text="Search"),
        ReleaseNote(ticket="A-2", section=Section.ADDED, language="ru", text="Поиск"),
    ),
)


def test_notes_in_russian_mark_what_is_in_english() -> None:
    assert notes_markdown(PAGE, language="ru") == (
        "# The App 1.1: что нового\n"
        "\n"
        "Опубликовано: 2 марта 2026\xa0г., 12:00 (Москва, UTC+03:00).\n"
        "\n"
        "От вас ничего не требуется.\n"
        "\n"
        "## Добавлено\n"
        "\n"
        "- Поиск (A-2)\n"
        "\n"
        "## Исправлено\n"
        "\n"
        "- Mended\n"
        "  <b> (A-1, на английском)\n"
    )


def test_notes_in_english_need_no_mark() -> None:
    assert "  * Mended <b> (A-1)\n" in notes_text(PAGE, language="en")
    assert "Published on 2 March 2026, 12:00 (Moscow, UTC+03:00)." in notes_text(PAGE, language="en")
    assert "<b>" not in notes_html(PAGE, language="en")


@pytest.mark.parametrize(
    "message", ["x\n\nAction-needed: restart the *gate*", "feat!: x", "x\n\nBREAKING CHANGE: all of it"]
)
def test_no_action_is_not_said_when_a_note_needs_one(message: str) -> None:
    page = NotesPage(title="App", version="1.1", notes=draft_notes([commit(message, "A-1")]))
    assert "needs action" in notes_text(page, language="en")
    assert "No action" not in notes_text(page, language="en")
    assert "требует действий" in notes_text(page, language="ru")


def test_action_stands_in_the_note() -> None:
    notes = draft_notes([commit("x\n\nAction-needed: restart the *gate*\nAction-needed-ru: перезапустите", "A-1")])
    assert [(note.language, note.text) for note in notes] == [
        ("en", "X **Action needed:** restart the \\*gate\\*"),
        ("ru", "X **Нужно действие:** перезапустите"),
    ]


@pytest.mark.parametrize(
    ("trailers", "english", "russian"),
    [
        ("Action-needed-ru: перезапустите", "перезапустите", "перезапустите"),
        ("Action-needed: restart", "restart", "restart"),
        ("Action-needed: restart\nRelease-note-ru: Починено", "restart", "restart"),
        ("Action-needed: restart\nAction-needed-ru: перезапустите", "restart", "перезапустите"),
    ],
)
def test_action_is_told_in_the_readers_language_else_in_the_other(trailers: str, english: str, russian: str) -> None:
    page = NotesPage(title="App", version="1.1", notes=draft_notes([commit(f"Mend\n\n{trailers}", "A-1")]))
    assert english in notes_text(page, language="en")
    assert russian in notes_text(page, language="ru")
    assert "требует действий" in notes_text(page, language="ru")


@pytest.mark.parametrize("is_in_commit", [False, True])
def test_action_beside_fragments_is_told_in_both_languages(*, is_in_commit: bool) -> None:
    asked = "Action-needed: restart\nAction-needed-ru: перезапустите"
    fragment = parse_fragment("A-1.fixed.md", "Mended." if is_in_commit else f"Mended.\n\n{asked}")
    commits = [commit(f"x\n\n{asked}" if is_in_commit else "x", "A-1")]
    notes = draft_notes(commits, fragments=[fragment])
    assert [(note.language, note.text, note.needs_action) for note in notes] == [
        ("en", "Mended.\n\n**Action needed:** restart", True),
        ("ru", "Mended.\n\n**Нужно действие:** перезапустите", True),
    ]


def test_release_without_notes_says_so_and_an_imported_one_promises_nothing() -> None:
    page = NotesPage(title="App", version="1.1", notes=())
    assert "internal changes only" in notes_text(page, language="en")
    imported = NotesPage(title="App", version="1.1", notes=(), is_imported=True)
    assert "No action" not in notes_text(imported, language="en")


def test_withdrawn_release_says_why() -> None:
    page = NotesPage(title="App", version="1.1", notes=(), yank_reason="It loses\ndrafts")
    assert "This release was withdrawn: It loses drafts" in notes_text(page, language="en")


def feed(*versions: str) -> Feed:
    return Feed(
        product="app",
        title="The \x00<App>",
        link="https://releases.example.com/products/app",
        address="https://releases.example.com/products/app/feed.atom",
        language="ru",
        items=tuple(
            FeedItem(
                version=version,
                link=f"https://releases.example.com/products/app/releases/{version}",
                html="<p>a &amp; b</p>",
                text="a & b",
                published_at=AT,
                updated_at=AT,
            )
            for version in versions
        ),
    )


def test_atom_feed_has_an_entry_per_release() -> None:
    namespace = "{http://www.w3.org/2005/Atom}"
    root = ET.fromstring(atom(feed("1.1", "1.0")))  # noqa: S314 -- our own output
    assert root.findtext(f"{namespace}title") == "The <App>"
    assert [entry.findtext(f"{namespace}title") for entry in root.iter(f"{namespace}entry")] == [
        "The <App> 1.1",
        "The <App> 1.0",
    ]
    assert root.findtext(f"{namespace}updated") == "2026-03-02T09:00:00+00:00"
    assert next(root.iter(f"{namespace}content")).text == "<p>a &amp; b</p>"
    assert atom(feed("1.1")) == atom(feed("1.1"))


def test_empty_feed_is_a_feed() -> None:
    assert "<updated>1970-01-01T00:00:00+00:00</updated>" in atom(feed())
    assert json.loads(json_feed(feed()))["items"] == []


def test_json_feed_follows_its_version() -> None:
    document = json.loads(json_feed(feed("1.1")))
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["items"][0]["date_published"] == "2026-03-02T09:00:00Z"
    assert document["items"][0]["url"].endswith("/releases/1.1")
    assert document["items"][0]["id"].startswith("urn:uuid:")


@pytest.mark.parametrize("message", ["feat!: sign in anew", "Sign in anew\n\nBREAKING CHANGE: sessions end"])
def test_draft_of_a_ticket_knows_that_it_breaks_something(message: str) -> None:
    (note,) = draft_notes([commit(message, "A-1"), commit("and more", "A-1")])
    assert (note.is_breaking, note.needs_action) == (True, True)
    (other,) = draft_notes([commit("feat: sign in", "A-2")])
    assert not other.is_breaking


@pytest.mark.parametrize(("language", "word"), [("en", "Breaking:"), ("ru", "Несовместимо:")])
def test_breaking_change_is_marked_for_customers_in_every_form(language: str, word: str) -> None:
    notes = (
        ReleaseNote(ticket="A-1", section=Section.ADDED, language=language, text="Sign in anew", is_breaking=True),
        ReleaseNote(ticket="A-2", section=Section.ADDED, language=language, text="- one\n- two", is_breaking=True),
        ReleaseNote(ticket="A-3", section=Section.ADDED, language=language, text="Harmless"),
    )
    page = NotesPage(title="Shop", version="1.1", notes=notes, published_at=AT)
    html, text = notes_html(page, language=language), notes_text(page, language=language)
    assert f"- **{word}** Sign in anew (A-1)" in notes_markdown(page, language=language)
    assert f"<strong>{word}</strong> Sign in anew" in html
    assert "<li>one</li>" in html, "a list stays a list behind the mark"
    assert f"{word} Sign in anew (A-1)" in text
    told = json.loads(notes_json(page, language=language))["notes"]
    assert [one["breaking"] for one in told] == [True, True, False]
    assert [one["text"].startswith(word) for one in told] == [True, True, False]
    item = FeedItem(version="1.1", link="l", html=html, text=text, published_at=AT, updated_at=AT)
    feed = Feed(product="shop", title="Shop", link="l", address="a", language=language, items=(item,))
    assert word in atom(feed)
    (entry,) = json.loads(json_feed(feed))["items"]
    assert word in entry["content_html"]
    assert word in entry["content_text"]
