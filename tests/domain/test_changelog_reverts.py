"""What was taken back after it shipped, and what was brought back, is told as such, with its tickets."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from releaser.domain.changelog import (
    Audience,
    ChangelogRelease,
    Form,
    KeptNote,
    ReleaseNote,
    Section,
    bulk,
    draft_notes,
    entries_of,
    notes_for,
    release_of,
    render,
    without_tickets,
)
from releaser.domain.changelog.template_data import template_data
from releaser.domain.history import History
from releaser.domain.version import Scheme, parse
from tests.fakes.told_history import Told, id_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def shipped(original: str = "T-9 nine") -> Told:
    """1.4 ships a fix, 1.5 takes it back, 1.6 brings it back."""
    made = Told().commit("nine", message=original).tag("1.4", "nine")
    subject = original.partition("\n")[0]
    made.commit("back", "nine", message=f'Revert "{subject}"\n\nThis reverts commit {{nine}}.')
    made.commit("ten", "back", message="Fixes T-10: ten").tag("1.5", "ten")
    again = f'Revert "Revert "{subject}""\n\nThis reverts commit {{back}}.'
    return made.commit("again", "ten", message=again).tag("1.6", "again")


def told(history: History, version: str) -> ChangelogRelease:
    release = history.release(parse(version, scheme=Scheme.TWO_PART))
    assert release is not None
    return release_of(history, release)


@pytest.mark.parametrize(
    ("version", "language", "line"),
    [
        ("1.5", "en", f"Reverted: nine (T-9, `{id_of('back')[:10]}`)"),
        ("1.5", "ru", f"Отменено: nine (T-9, `{id_of('back')[:10]}`)"),
        ("1.6", "en", f"Again: nine (T-9, `{id_of('again')[:10]}`)"),
        ("1.6", "ru", f"Снова: nine (T-9, `{id_of('again')[:10]}`)"),
    ],
)
def test_change_taken_back_or_brought_back_is_told_with_its_ticket(version: str, language: str, line: str) -> None:
    release = told(shipped().history(), version)
    assert f"- {line}\n" in render([release], form=Form.MARKDOWN, language=language)
    assert f"* {line.replace('`', '')}\n" in render([release], form=Form.TEXT, language=language)
    assert line.split(" (", maxsplit=1)[0] in render([release], form=Form.HTML, language=language)
    entries = template_data([release], form=Form.TEXT, language=language)["releases"][0]["sections"]
    ours = [one for section in entries for one in section["entries"] if one["tickets"] == ["T-9"]]
    assert [one["text"] for one in ours] == [line.split(" (", maxsplit=1)[0]]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_quick_way_tells_reverts_the_same(form: Form, language: str) -> None:
    history = shipped("T-9 <b>nine</b> *starred*").commit(
        "odd", "again", message="Drop it\n\nThis reverts commit {ten}."
    )
    made = history.tag("1.7", "odd").history()
    quick = "".join(bulk.told(made, made.releases, form=form, language=language))
    long = render([release_of(made, one) for one in made.releases], form=form, language=language)
    assert quick.strip() == long.strip()


def test_json_keeps_its_shape_and_names_the_ticket() -> None:
    history = shipped().history()
    releases = json.loads("".join(bulk.told(history, history.releases, form=Form.JSON)))["releases"]
    commits = {one["id"]: one for release in releases for one in release["commits"]}
    assert [commits[id_of(name)]["tickets"] for name in ("back", "again")] == [["T-9"], ["T-9"]]
    assert set(commits[id_of("back")]) == {"id", "subject", "tickets", "picked_from", "reverted_by"}


def test_revert_with_words_of_its_own_keeps_them() -> None:
    made = (
        shipped().commit("odd", "again", message="Too slow for now\n\nThis reverts commit {again}.").tag("1.7", "odd")
    )
    release = told(made.history(), "1.7")
    assert "* Too slow for now \u2013 Reverted: nine (T-9, " in render([release], form=Form.TEXT)


def test_fix_by_taking_back_is_a_fix_of_its_own_ticket() -> None:
    message = "Fixes T-20: let agents connect\n\nThis reverts commit {again}."
    release = told(shipped().commit("odd", "again", message=message).tag("1.7", "odd").history(), "1.7")
    (entry,) = entries_of(release)
    assert (entry.section, entry.own, entry.tickets) == (
        Section.FIXED,
        "Fixes T-20: let agents connect",
        ("T-20", "T-9"),
    )
    found = {(one.ticket, one.language): one.text for one in draft_notes(release.commits)}
    assert "Reverted" not in found["T-20", "en"]
    assert found["T-9", "en"] == "Reverted: nine"


@pytest.mark.parametrize(
    "subject",
    ["Revert {again}", "Reverting commit {again}.", "[T-9] Revert shop/app#8565 (#8637)", "T-9 nine", "T-9 nine (#12)"],
)
def test_revert_that_says_nothing_of_its_own_is_told_once(subject: str) -> None:
    made = shipped().commit("odd", "again", message=f"{subject}\n\nThis reverts commit {{again}}.").tag("1.7", "odd")
    (entry,) = entries_of(told(made.history(), "1.7"))
    assert (entry.text, entry.own) == ("nine", "")


def test_reverted_merge_is_told_by_its_title_and_the_tickets_it_brought() -> None:
    made = Told().commit("root").commit("side", "root", message="T-4 do").tag("1.1", "root")
    made.commit("merge", "root", "side", message="Merge pull request #12 from x/y\n\nBetter search").tag("1.2", "merge")
    made.commit("undo", "merge", message='Revert "Merge pull request #12 from x/y"\n\nThis reverts commit {merge}.')
    (entry,) = entries_of(told(made.tag("1.3", "undo").history(), "1.3"))
    assert (entry.text, entry.tickets) == ("Better search", ("T-4",))


def test_feature_brought_back_stands_among_the_added() -> None:
    release = told(shipped("feat: T-9 nine").history(), "1.6")
    assert [entry.section for entry in entries_of(release)] == [Section.ADDED]


def test_long_chain_of_reverts_comes_down_to_the_change() -> None:
    made = Told().commit("c0", message="T-1 thing").tag("1.0", "c0")
    for n in range(1, 60):
        made.commit(f"c{n}", f"c{n - 1}", message=f"Back and forth\n\nThis reverts commit {{c{n - 1}}}.").tag(
            f"1.{n}", f"c{n}"
        )
    history = made.history()
    for version, word in (("1.58", "Again: thing"), ("1.59", "Reverted: thing")):
        assert word in render([told(history, version)], form=Form.TEXT)


def drafts(version: str, original: str = "T-9 nine") -> dict[tuple[str, str], str]:
    return {
        (one.ticket, one.language): one.text for one in draft_notes(told(shipped(original).history(), version).commits)
    }


def test_customers_are_told_in_both_languages_what_was_taken_back_and_brought_back() -> None:
    assert drafts("1.5")["T-9", "en"] == "Reverted: nine"
    assert drafts("1.5")["T-9", "ru"] == "Отменено: nine"
    assert drafts("1.6") == {("T-9", "en"): "Again: nine", ("T-9", "ru"): "Снова: nine"}


def test_taken_back_change_is_told_by_the_words_customers_know_it_by() -> None:
    found = drafts("1.5", "T-9 nine\n\nRelease-note: Faster search\nRelease-note-ru: Поиск быстрее")
    assert found["T-9", "en"] == "Reverted: Faster search"
    assert found["T-9", "ru"] == "Отменено: Поиск быстрее"


def test_taken_back_change_that_was_never_told_stays_untold() -> None:
    assert ("T-9", "en") not in drafts("1.5", "T-9 nine\n\nRelease-note: none")


def kept(text: str, *, language: str = "en", is_written: bool = False) -> KeptNote:
    return KeptNote(
        ticket="T-9",
        section=Section.CHANGED,
        audience=Audience.CUSTOMER,
        language=language,
        text=text,
        needs_action=False,
        is_written=is_written,
        written_at=NOW,
    )


def notes(own: list[KeptNote], elsewhere: list[KeptNote]) -> list[str]:
    found: tuple[ReleaseNote, ...] = notes_for(
        Audience.CUSTOMER, own, elsewhere, embargoes={}, published_at=None, now=NOW
    )
    return [one.text for one in found]


def test_note_of_a_fix_never_stands_where_the_fix_was_taken_back() -> None:
    own = [kept("Reverted: nine"), kept("Отменено: nine", language="ru")]
    assert notes(own, [kept("Nine works now", is_written=True)]) == ["Reverted: nine", "Отменено: nine"]


def test_note_of_a_taking_back_never_stands_where_the_ticket_is_fixed() -> None:
    assert notes([kept("Nine")], [kept("Reverted: nine, sorry", is_written=True)]) == ["Nine"]


def test_taking_back_of_a_ticket_under_embargo_is_not_told() -> None:
    release = without_tickets(told(shipped().history(), "1.5"), frozenset({"T-9"}))
    assert [entry.tickets for entry in entries_of(release)] == [("T-10",)]
