"""Who reads which note: by audience, embargo, and from another line where a release has none of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from releaser.domain.changelog import (
    Audience,
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    KeptNote,
    NotesPage,
    ReleaseNote,
    Section,
    draft_internal,
    draft_notes,
    notes_for,
    notes_html,
    notes_json,
    notes_markdown,
    notes_text,
    parse_fragment,
    without_tickets,
)
from releaser.domain.ticket import TicketLink, TicketRelation

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CUSTOMER, INTERNAL = Audience.CUSTOMER, Audience.INTERNAL


def kept(
    text: str,
    *,
    ticket: str = "A-1",
    audience: Audience = CUSTOMER,
    language: str = "en",
    written: int | None = None,
    corrected: int | None = None,
) -> KeptNote:
    """A note; `written` and `corrected` are days after publication, no day is a draft."""
    return KeptNote(
        ticket=ticket,
        section=Section.FIXED,
        audience=audience,
        language=language,
        text=text,
        needs_action=False,
        is_written=written is not None,
        written_at=AT + DAY * (written or 0),
        corrected_at=None if corrected is None else AT + DAY * corrected,
    )


def told(
    audience: Audience,
    own: list[KeptNote],
    elsewhere: list[KeptNote] | None = None,
    *,
    embargo: int | None = None,
    now: int = 10,
    published: bool = True,
) -> list[tuple[str, str]]:
    return [(note.language, note.text) for note in whole(audience, own, elsewhere, embargo, now, published=published)]


def whole(
    audience: Audience,
    own: list[KeptNote],
    elsewhere: list[KeptNote] | None,
    embargo: int | None,
    now: int,
    *,
    published: bool = True,
) -> tuple[ReleaseNote, ...]:
    return notes_for(
        audience,
        own,
        elsewhere or [],
        embargoes={} if embargo is None else {"A-1": AT + DAY * embargo},
        published_at=AT if published else None,
        now=AT + DAY * now,
    )


DRAFT = kept("draft")
OWN = kept("own", written=-1)
PARENT = kept("parent", written=-2)


@pytest.mark.parametrize(
    ("own", "elsewhere", "expected"),
    [
        pytest.param([DRAFT], [], [("en", "draft")], id="a draft stands until somebody writes"),
        pytest.param([DRAFT], [PARENT], [("en", "parent")], id="a pick has the note of its ticket elsewhere"),
        pytest.param([OWN], [PARENT], [("en", "own")], id="its own text wins"),
        pytest.param([OWN], [kept("newer", written=5)], [("en", "own")], id="its own wins over a newer one"),
        pytest.param([DRAFT], [PARENT, kept("newest", written=3)], [("en", "newest")], id="the newest elsewhere"),
        pytest.param(
            [DRAFT], [kept("два", language="ru", written=1)], [("en", "draft"), ("ru", "два")], id="by language"
        ),
        pytest.param([DRAFT], [kept("a draft elsewhere")], [("en", "draft")], id="drafts are not handed on"),
        pytest.param([DRAFT], [kept("other", ticket="A-2", written=1)], [("en", "draft")], id="tickets of others"),
        pytest.param([kept("", written=1)], [PARENT], [], id="withdrawn here"),
        pytest.param([DRAFT], [kept("", written=1)], [], id="withdrawn elsewhere"),
        pytest.param([DRAFT, kept("inside", audience=INTERNAL, written=1)], [], [("en", "draft")], id="not internal"),
        pytest.param([kept("inside", audience=INTERNAL, written=1)], [], [], id="only internal"),
        pytest.param([DRAFT], [kept("inside", audience=INTERNAL, written=1)], [("en", "draft")], id="internal there"),
    ],
)
def test_customers_read_what_is_for_them(
    own: list[KeptNote], elsewhere: list[KeptNote], expected: list[tuple[str, str]]
) -> None:
    assert told(CUSTOMER, own, elsewhere) == expected


@pytest.mark.parametrize(
    ("own", "elsewhere", "expected"),
    [
        ([DRAFT], [], [("en", "draft")]),
        ([DRAFT, kept("inside", audience=INTERNAL)], [], [("en", "inside")]),
        ([DRAFT], [kept("inside", audience=INTERNAL, written=1)], [("en", "inside")]),
        ([kept("inside", audience=INTERNAL)], [], [("en", "inside")]),
        ([DRAFT, kept("", audience=INTERNAL, written=1)], [], [("en", "draft")]),
    ],
)
def test_internal_readers_read_what_is_for_them_else_what_customers_do(
    own: list[KeptNote], elsewhere: list[KeptNote], expected: list[tuple[str, str]]
) -> None:
    assert told(INTERNAL, own, elsewhere) == expected


@pytest.mark.parametrize(
    ("now", "expected"), [(4, []), (5, [("en", "draft"), ("ru", "да")]), (6, [("en", "draft"), ("ru", "да")])]
)
def test_embargo_holds_in_every_language_until_its_instant(now: int, expected: list[tuple[str, str]]) -> None:
    notes = [DRAFT, kept("да", language="ru", written=1)]
    assert told(CUSTOMER, notes, embargo=5, now=now) == expected
    assert told(INTERNAL, notes, embargo=5, now=now) == [("en", "draft"), ("ru", "да")]


def test_ends_of_embargoes_and_corrections_are_told() -> None:
    (note,) = whole(CUSTOMER, [kept("new", written=7, corrected=7)], None, 5, 8)
    assert (note.disclosed_at, note.corrected_at, note.embargo_until) == (AT + DAY * 5, AT + DAY * 7, None)
    (note,) = whole(INTERNAL, [DRAFT], None, 5, 4)
    assert (note.disclosed_at, note.embargo_until) == (None, AT + DAY * 5)
    (note,) = whole(CUSTOMER, [DRAFT], None, -5, 4)
    assert note.disclosed_at is None  # it was over before anybody could read it
    (note,) = whole(CUSTOMER, [DRAFT], [kept("better", written=3)], None, 4)
    assert note.corrected_at == AT + DAY * 3
    (note,) = whole(CUSTOMER, [DRAFT], [PARENT], None, 4)
    assert note.corrected_at is None


def commit(message: str, *keys: str) -> ChangelogCommit:
    links = tuple(TicketLink(key=key, relation=TicketRelation.FIXES) for key in keys)
    return ChangelogCommit(id="a" * 40, subject=message.partition("\n")[0], tickets=links, message=message)


def test_fragment_is_the_note_of_its_ticket_and_comes_once() -> None:
    fragments = [
        parse_fragment("A-1.fixed.md", "From the *fragment*."),
        parse_fragment("A-1.added.2.md", "More."),
        parse_fragment("A-1.fixed.ru.md", "Из фрагмента."),
        parse_fragment("+docs.changed.md", "Manual."),
        parse_fragment("A-9.security.md", "Closed."),
    ]
    commits = [
        commit("A-1: x\n\nRelease-note: From the trailer\nAction-needed: restart", "A-1"),
        commit("A-2: y", "A-2"),
    ]
    notes = draft_notes(commits, titles={"A-1": "Title"}, fragments=fragments)
    assert [(n.ticket, n.section.value, n.language, n.text, n.needs_action) for n in notes] == [
        ("A-1", "added", "en", "More.\n\nFrom the *fragment*.\n\n**Action needed:** restart", True),
        ("A-1", "added", "ru", "Из фрагмента.\n\n**Нужно действие:** restart", True),
        ("A-2", "fixed", "en", "Y", False),
        ("A-9", "security", "en", "Closed.", False),
        ("+docs", "changed", "en", "Manual.", False),
    ]
    shown = notes_text(NotesPage(title="App", version="1.1", notes=notes), language="en")
    assert "  * Manual.\n" in shown
    assert "+docs" not in shown


def test_internal_drafts_tell_what_customers_are_not_told() -> None:
    commits = [
        commit("A-1: x\n\nRelease-note: For all", "A-1"),
        commit("A-2: quiet *fix*\n\nRelease-note: none", "A-2"),
        commit("A-3: y", "A-3"),
        commit("A-4: z\n\nInternal-note: Look here\nInternal-note-ru: Сюда", "A-4"),
    ]
    drafts = draft_internal(commits, private_titles={"A-3": "ACME cannot log in"})
    assert [(note.ticket, note.language, note.text) for note in drafts] == [
        ("A-2", "en", "Quiet \\*fix\\*"),
        ("A-3", "en", "ACME cannot log in"),
        ("A-4", "en", "Look here"),
        ("A-4", "ru", "Сюда"),
    ]
    assert all("ACME" not in note.text for note in draft_notes(commits))


def test_changelog_without_a_ticket_names_it_nowhere() -> None:
    release = ChangelogRelease(
        version="1.1",
        tag="v1.1",
        line="1.1",
        released_on=date(2026, 3, 2),
        previous=None,
        commits=(
            commit("A-1: a", "A-1"),
            commit("A-2: b", "A-2"),
            commit("A-2: c, also A-1", "A-2", "A-1"),
            commit("d"),
        ),
        written=(Entry(section=Section.FIXED, text="e", tickets=("A-1",)), Entry(section=Section.FIXED, text="f")),
    )
    told = without_tickets(release, frozenset({"A-1"}))
    assert [one.subject for one in told.commits] == ["A-2: b", "d"]
    assert [one.text for one in told.written] == ["f"]
    assert without_tickets(release, frozenset()) is release


PAGE = NotesPage(
    title="The App",
    version="1.1",
    published_at=AT,
    yank_reason="It loses drafts.",
    zone="Europe/Moscow",
    notes=(
        ReleaseNote(
            ticket="A-1",
            section=Section.FIXED,
            language="en",
            text="Mended <b>really</b> **well**, and told at such a length that no line of a mail would hold all of it.",
            corrected_at=AT + DAY * 3,
        ),
        ReleaseNote(ticket="A-2", section=Section.SECURITY, language="ru", text="Закрыто.", disclosed_at=AT + DAY),
    ),
)


def test_readers_are_told_of_corrections_in_their_language() -> None:
    english = notes_markdown(PAGE, language="en")
    assert "Text corrected on 5 March 2026.\n" in english
    assert "(A-1, corrected on 5 March 2026)\n" in english
    assert "- Закрыто. (A-2, in Russian, made public on 3 March 2026)\n" in english
    russian = notes_markdown(PAGE, language="ru")
    assert "\n\nТекст исправлен 5 марта 2026\xa0г.\n" in russian
    assert "исправлено 5 марта 2026\xa0г.)" in russian
    assert "- Закрыто. (A-2, опубликовано 3 марта 2026\xa0г.)" in russian


@pytest.mark.parametrize("language", ["en", "ru"])
def test_mail_has_short_lines_and_no_markup(language: str) -> None:
    text = notes_text(PAGE, language=language)
    assert max(map(len, text.split("\n"))) <= 76
    assert "  * Mended <b>really</b> well, and told at such a length that no line of a\n    mail" in text


def test_json_of_notes_has_each_text_in_three_forms() -> None:
    document = json.loads(notes_json(PAGE, language="ru"))
    assert document["published_at"] == "2026-03-02T09:00:00Z"
    assert document["corrected_at"] == "2026-03-05T09:00:00Z"
    assert document["yank_reason"] == "It loses drafts."
    first, second = document["notes"]
    assert (first["ticket"], first["section"], first["language"]) == ("A-1", "fixed", "en")
    assert "&lt;b&gt;really&lt;/b&gt; <strong>well</strong>" in first["html"]
    assert first["text"].startswith("Mended <b>really</b> well,")
    assert second["markdown"] == "Закрыто."
    assert "<b>" not in notes_html(PAGE, language="en")


def test_ticket_that_breaks_something_is_marked_whoever_wrote_its_note_and_in_every_language() -> None:
    own = [replace(kept("Draft"), is_breaking=True), kept("Запись", language="ru", written=0)]
    other = [kept("By hand", written=1)]
    found = notes_for(CUSTOMER, own, other, embargoes={}, published_at=AT, now=AT)
    assert [(one.text, one.is_breaking) for one in found] == [("By hand", True), ("Запись", True)]
