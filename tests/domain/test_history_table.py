from __future__ import annotations

from releaser.domain.history import TicketTable
from tests.fakes.told_history import Told, id_of


def told_lines() -> Told:
    """Lines 3.3 (old), 3.4 (gets T-1 by pick), 3.5 (has T-1 itself, T-2 reverted after it shipped), main (T-3)."""
    told = Told().commit("base").commit("fork", "base").commit("t1", "fork", message="T-1: repair")
    told.commit("t2", "t1", message="Improve\n\nFixes T-2").commit("rel35", "t2")
    told.commit("pick", "fork", message="Repair (backport)\n\n(cherry picked from commit {t1})")
    told.commit("undo", "rel35", message='Revert "Improve"\n\nThis reverts commit {t2}.')
    told.commit("t3", "rel35", message="T-3: later\n\nsee T-9")
    told.tag("3.3", "base").tag("3.4", "fork").tag("3.4.1-rc.1", "pick").tag("3.4.1", "pick").tag("3.5", "rel35")
    told.tag("3.5.1", "undo")
    return told.branch("main", "t3").branch("stable-3.4", "pick").branch("stable-3.5", "undo")


def test_ticket_is_told_line_by_line_with_evidence() -> None:
    table = TicketTable(told_lines().history(line_branch="stable-{line}"))
    shown = table.show("T-1")
    assert shown is not None
    lines = {
        one.line: (one.status.value, one.first and one.first.version.text, one.via and one.via.value, one.commit)
        for one in shown.lines
    }
    assert lines == {
        "3.3": ("unknown", None, None, None),
        "3.4": ("fixed", "3.4.1", "pick", id_of("pick")),
        "3.5": ("fixed", "3.5", "self", id_of("t1")),
    }
    assert [(one.id, one.relation and one.relation.value, one.via.value) for one in shown.commits] == [
        (id_of("t1"), "fixes", "self"),
        (id_of("pick"), None, "pick"),
    ]
    assert [one.release.version.text for one in shown.releases] == ["3.4.1-rc.1", "3.4.1", "3.5", "3.5.1"]
    assert table.first_releases("T-1") == {"3.4": "3.4.1", "3.5": "3.5"}


def test_ticket_reverted_after_it_shipped_is_open_again_on_that_line() -> None:
    shown = TicketTable(told_lines().history()).show("T-2")
    assert shown is not None
    line = shown.lines[-1]
    assert (line.line, line.status.value, line.first and line.first.version.text) == ("3.5", "affected", "3.5")
    assert line.reverted_by == id_of("undo")
    assert not line.landed
    assert [head.branch for head in shown.heads] == ["main"]


def test_ticket_only_referred_to_stays_unknown_but_is_found() -> None:
    shown = TicketTable(told_lines().history()).show("T-9")
    assert shown is not None
    assert {one.status.value for one in shown.lines} == {"unknown"}
    assert [head.branch for head in shown.heads] == ["main"]
    assert TicketTable(told_lines().history()).show("T-404") is None


def test_whole_table_agrees_with_the_single_views() -> None:
    table = TicketTable(told_lines().history())
    whole = dict(table.statuses())
    assert list(whole) == list(table.keys) == ["T-1", "T-2", "T-3", "T-9"]
    for key, statuses in whole.items():
        shown = table.show(key)
        assert shown is not None
        assert tuple(one.status for one in shown.lines) == statuses
    assert dict(table.statuses(["3.5"])) == {key: (row[-1],) for key, row in whole.items()}


def test_same_ticket_is_the_weakest_evidence_of_a_commit() -> None:
    told = Told().commit("a").commit("m", "a", message="T-1: on main").commit("s", "a", message="T-1: by hand")
    history = told.tag("1.0", "a").tag("1.0.1", "s").tag("1.1", "m").history()
    place = history.find(id_of("m"))
    assert place is not None
    found = [(one.release.version.text, one.via.value, one.commit) for one in history.carried(place)]
    assert found == [("1.0.1", "ticket", id_of("s")), ("1.1", "self", id_of("m"))]


def test_landed_but_not_released_is_fixed_without_a_first_release() -> None:
    told = Told().commit("a").commit("b", "a", message="T-1: b").tag("1.0", "a").branch("1.0", "b").branch("main", "a")
    shown = TicketTable(told.history()).show("T-1")
    assert shown is not None
    assert (shown.lines[0].status.value, shown.lines[0].landed, shown.lines[0].first) == ("fixed", True, None)
