"""What messages say of picks and reverts, word by word, and what follows from it."""

from __future__ import annotations

import pytest

from releaser.domain.history import PickLayer, TicketTable
from releaser.domain.history.picks import named_sources, quoted_sources
from releaser.domain.history.reverts import named_changes, named_ids, names, reverting
from releaser.domain.joined import Joined
from tests.fakes.told_history import Told, id_of, standings

A, B = "a" * 40, "b" * 40


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (f"x\n\n(cherry picked from commit {A})", [A]),
        (f"x\n\n(cherry picked from commit {A})\n(cherry picked from commit {B})", [B, A]),
        (f"x\r\n\r\n(cherry picked from commit {A})\r\n", [A]),
        (f"x.(cherry picked from commit {A})", [A]),
        (f"x\n\n(Cherry-picked from commit {A[:7]})", [A[:7]]),
        (f"x\n\nCherry-picked-from: {A}", [A]),
        (f"x\n\n(cherry picked from commit {A} into 1.599 rc)", [A]),
        (f'Revert "x"\n\nThis reverts commit {B}.\n\n(cherry picked from commit {A})', [A]),
        (f'Revert "x". (cherry picked from commit {A})', [A]),
        (f"x\n\n(cherry picked part of commit {A})", []),
        (f"x\n\nThis was not cherry picked from commit {A}.", []),
        (f"x\n\n(cherry picked from commit {A[:6]})", []),
        # What is only quoted was picked elsewhere.
        (f'Revert "x.(cherry picked from commit {A})"\n\nThis reverts commit {B}.', []),
        (f"Reapply 'x (cherry picked from commit {A})'", []),
        (f'[T-1] Revert "x (cherry picked from commit {A})" (#5)', []),
        (f"x\n\nOriginal description:\n> y\n> (cherry picked from commit {A})", []),
    ],
)
def test_trailers_are_read_unless_they_are_quoted(message: str, wanted: list[str]) -> None:
    assert list(named_sources(message)) == wanted


def test_message_of_nothing_but_trailers_is_read_in_bounds() -> None:
    message = "x\n" + "\n".join(f"(cherry picked from commit {n:040x})" for n in range(5000))
    assert len(named_sources(message)) == 1000


def test_revert_that_quotes_a_picks_trailer_is_no_pick() -> None:
    told = Told().commit("a").commit("c", "a", message="T-1: c")
    told.commit("p", "a", message="T-1: c.(cherry picked from commit {c})")
    told.commit("r", "p", message='Revert "T-1: c.(cherry picked from commit {c})"\n\nThis reverts commit {p}.')
    history = told.tag("1.0", "a").tag("1.0.1", "r").tag("1.1", "c").branch("main", "c").history()
    assert [(told.told([one.commit], history), one.layer) for one in history.picks] == [({"p"}, PickLayer.TRAILER)]
    shown = TicketTable(history).show("T-1")
    assert shown is not None
    assert [one.release.version.text for one in shown.releases] == ["1.1"]
    release = next(one for one in history.releases if one.version.text == "1.0.1")
    # The quoted source is still told, as evidence.
    assert {told.told([one.commit.index], history).pop(): one.picked_from for one in history.changes(release)} == {
        "p": id_of("c"),
        "r": id_of("c"),
    }
    assert quoted_sources(history.columns.messages[history.find(id_of("r")) or 0]) == (id_of("c"),)


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (f'Revert "x"\n\nThis reverts commit {A}.', [A]),
        (f'Revert "x"\n\nThis reverts commit {A}, reversing\nchanges made to {B}.', [A]),
        (f"Undo\n\nThis reverts commits {A}, {B} and {A[:9]}.", [A, B, A[:9]]),
        (f"Reverting {A[:10]}, {B[:10]}. T-1 is no candidate", [A[:10], B[:10]]),
        (f"revert: feat: x\n\nThis reverts commit {A}.", [A]),
        (f"x\n\nThis partially reverts commit {A}.", []),
        (f"Partly reverting {A}", []),
        (f"x\n\nReverting part of {A}", []),
        (f"Reland x\n\nOriginal description:\n> This reverts commit {A}.", []),
        (f'Revert "Reverts {A}"\n\nThis reverts commit {B}.', [B]),
    ],
)
def test_ids_that_are_reverted_are_read_unless_they_are_quoted(message: str, wanted: list[str]) -> None:
    assert reverting(Joined([message])) == [0]
    assert list(named_ids(message)) == wanted


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ('Revert "Add x"', "Add x"),
        ('Revert "Add x" (#12)', "Add x"),
        ('Revert "Add x (#11)" (#12)', "#11|Add x"),
        ("Revert 'Add x'", "Add x"),
        ('Revert "Revert "Add x""', 'Revert "Add x"'),
        ('Reapply "Add x"', 'Revert "Add x"'),
        ('Reland "Add x"', 'Revert "Add x"'),
        ('[T-1] Revert "Add x" (#12)', "Add x"),
        ('T-1: Revert "Add x"', "Add x"),
        ('[T-1] [T-2] Revert "[T-3] Add x" (#12)', "[T-3] Add x"),
        (f'Revert "Add x" (cherry picked from commit {A})', "Add x"),
        ("revert: feat(api): add x", "feat(api): add x"),
        ("revert(api): feat: add x", "feat: add x"),
        ("Revert Add the x (#12)", "#12|Add the x"),
        ('Revert "Add x" (#12)\n\nReverts example/shop#11', "#11|Add x"),
        ('Revert "Add x"\r\n\r\nReverts #11\r\n', "#11|Add x"),
        ("Revert it", None),
        ("Reverting the last change of all", None),
        ("Convert x", None),
    ],
)
def test_revert_without_an_id_names_a_subject_or_a_number(message: str, wanted: str | None) -> None:
    assert "|".join(named_changes(message)) == (wanted or "")


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("Add x\n\nbody", {"Add x"}),
        ("Add x (#11)\r\n\r\nbody", {"Add x", "#11"}),
        ("Add x (#11) (#12)", {"Add x", "#11", "#12"}),
        ("Merge pull request #11 from ann/x\n\nAdd x\n", {"Merge pull request #11 from ann/x", "Add x", "#11"}),
        ("Merge branch 'x' into 'main'\n\nAdd x\n\nSee merge request !3", {"Merge branch 'x' into 'main'", "Add x"}),
        ("Merge branch 'x'", {"Merge branch 'x'"}),
    ],
)
def test_change_has_the_names_that_reverts_use(message: str, wanted: set[str]) -> None:
    assert set(names(message)) == wanted


@pytest.mark.parametrize(
    "revert", ['Revert "Add x"', 'Revert "Add x" (#4)', 'Revert "X y" (#4)\n\nReverts example/shop#3']
)
def test_revert_of_a_merged_request_by_its_title_or_number_takes_back_what_it_brought(revert: str) -> None:
    told = Told().commit("a").commit("s", "a", message="wip").commit("b", "a")
    told.commit("m", "b", "s", message="Merge pull request #3 from ann/x\n\nAdd x").commit("r", "m", message=revert)
    told.tag("1.0", "a").tag("1.1", "r")
    assert standings(told, told.history(), "1.1") == {"r": "reverted", "m": "reverted", "s": "reverted", "b": "shown"}


def test_revert_on_one_line_that_names_the_commit_of_another_takes_back_the_pick_only() -> None:
    # The line is merged into the main branch later: there the change stays, as git's own merge leaves it.
    told = Told().commit("a").commit("c", "a").commit("p", "a", message="c\n\n(cherry picked from commit {c})")
    told.commit("r", "p", message='Revert "c"\n\nThis reverts commit {c}.').commit("m", "c", "r", message="Merge line")
    history = told.tag("1.0", "a").tag("1.0.1", "p").tag("1.0.2", "r").tag("1.1", "m").branch("main", "m").history()
    c = history.find(id_of("c"))
    assert c is not None
    assert [one.release.version.text for one in history.carried(c)] == ["1.0.1", "1.1"]
    assert standings(told, history, "1.0.2") == {"r": "revert"}
    assert [one.reverted_by for one in history.changes(history.releases[-1]) if one.commit.index == c] == [None]


def test_revert_whose_clock_was_slow_still_takes_back_the_pick() -> None:
    # The revert stands before the commit it names, in another branch; it was made after it, on a machine whose clock is late.
    told = Told().commit("a").commit("p", "a", message="d\n\n(cherry picked from commit " + id_of("c") + ")")
    told.commit("r", "p", message="Undo\n\nThis reverts commit " + id_of("c") + ".").commit("c", "a", message="d")
    history = told.tag("1.0", "a").tag("1.0.1", "p").tag("1.0.2", "r").tag("1.1", "c").branch("main", "c").history()
    assert standings(told, history, "1.0.2") == {"r": "revert"}


def test_commit_rebased_and_merged_twice_is_announced_once() -> None:
    told = (
        Told().commit("a").commit("m", "a", message="Fix it", authored=5).commit("s", "a", message="Fix it", authored=5)
    )
    told.commit("x", "m", "s", message="Merge it again")
    history = told.tag("1.0", "a").tag("1.1", "m").tag("1.2", "x").branch("main", "x").history()
    assert standings(told, history, "1.1") == {"m": "shown"}
    assert standings(told, history, "1.2") == {"x": "shown", "s": "repeated"}
