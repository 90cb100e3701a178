"""All tickets on all lines: rows and cells agree, what is looked for is found, and what people say changes nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releaser.domain.history import History, LineStatus
from releaser.domain.status import Evidence, FoundIn, Override, Reach
from releaser.domain.status_table import StatusTable, Wanted
from tests.fakes.told_history import Told

AT = datetime(2026, 11, 21, tzinfo=UTC)


def told() -> History:
    """Lines 3.3, 3.4 (T-1 by pick, T-5 twice), 3.5 (T-1 itself, T-2 taken back after it shipped), main (T-3); T-9 is mentioned."""
    world = Told().commit("base").commit("fork", "base").commit("t1", "fork", message="T-1: repair")
    world.commit("t2", "t1", message="Improve\n\nFixes T-2").commit("rel35", "t2")
    world.commit("pick", "fork", message="Repair (backport)\n\n(cherry picked from commit {t1})")
    world.commit("t5", "pick", message="T-5: first try").commit("t5again", "t5", message="T-5: second try")
    world.commit("undo", "rel35", message='Revert "Improve"\n\nThis reverts commit {t2}.')
    world.commit("t3", "rel35", message="T-3: later\n\nsee T-9")
    world.tag("3.3", "base").tag("3.4", "fork").tag("3.4.1", "pick").tag("3.4.2", "t5").tag("3.4.3", "t5again")
    world.tag("3.5", "rel35").tag("3.5.1", "undo")
    world.branch("main", "t3").branch("stable-3.4", "t5again").branch("stable-3.5", "undo")
    return world.history(line_branch="stable-{line}")


HISTORY = told()
KEYS = ["T-1", "T-2", "T-3", "T-5", "T-9", "T-77"]
LINES = ["3.3", "3.4", "3.5"]


def override(key: str, line: str, status: LineStatus, by: str = "olga") -> Override:
    return Override(ticket=key, line=line, status=status, reason="looked", by=by, at=AT)


def made(*said: Override, found: dict[str, str] | None = None, first: bool = False) -> StatusTable:
    return StatusTable(
        HISTORY,
        overrides={(one.ticket, one.line): one for one in said},
        found_in={
            key: FoundIn(version=version, is_first=first, by="olga", at=AT) for key, version in (found or {}).items()
        },
        others=["T-77"],
        titles={"T-3": "The Basket"},
    )


def statuses(table: StatusTable, key: str) -> dict[str, str]:
    return {one.line: one.status.value for one in table.judged(key)}


def test_history_alone_gives_the_evidence() -> None:
    table = made()
    assert table.lines == tuple(LINES)
    assert table.keys == ("T-77", "T-9", "T-3", "T-5", "T-2", "T-1")
    assert statuses(table, "T-1") == {"3.3": "unknown", "3.4": "fixed", "3.5": "fixed"}
    assert statuses(table, "T-2") == {"3.3": "unknown", "3.4": "unknown", "3.5": "affected"}
    assert statuses(table, "T-77") == dict.fromkeys(LINES, "unknown")
    assert [cell.first and cell.first.version.text for cell in table.row("T-1", ["3.5", "3.4", "3.3"])] == [
        "3.5",
        "3.4.1",
        None,
    ]


def test_lines_that_have_the_faulty_version_are_affected_until_they_have_the_fix() -> None:
    table = made(found={"T-77": "3.4", "T-1": "3.3"})
    assert statuses(table, "T-77") == {"3.3": "unknown", "3.4": "affected", "3.5": "affected"}
    assert statuses(table, "T-1") == {"3.3": "affected", "3.4": "fixed", "3.5": "fixed"}


def test_only_a_first_bad_version_makes_older_lines_unaffected() -> None:
    assert statuses(made(found={"T-77": "3.4"}, first=True), "T-77") == {
        "3.3": "unaffected",
        "3.4": "affected",
        "3.5": "affected",
    }
    # The patch stands on a side branch: whether the newer line has the fault is not known.
    assert statuses(made(found={"T-77": "3.4.2"}, first=True), "T-77") == {
        "3.3": "unaffected",
        "3.4": "affected",
        "3.5": "unknown",
    }


def test_line_that_takes_the_faulty_versions_own_commit_back_has_the_version_all_the_same() -> None:
    world = Told().commit("a").commit("b", "a").commit("c", "b", message='Revert "b"\n\nThis reverts commit {b}.')
    history = world.tag("1.0", "a").tag("1.1", "b").tag("1.2", "c").history()
    found = {"T-7": FoundIn(version="1.1", is_first=False, by="olga", at=AT)}
    table = StatusTable(history, overrides={}, found_in=found)
    assert statuses(table, "T-7") == {"1.0": "unknown", "1.1": "affected", "1.2": "affected"}


def test_fault_seen_on_a_version_that_has_the_fix_refutes_the_fix_and_its_copies() -> None:
    table = made(found={"T-1": "3.4.1"})
    judged = {one.line: one for one in table.judged("T-1")}
    assert judged["3.4"].evidence is judged["3.5"].evidence is Evidence.REFUTED
    assert statuses(table, "T-1") == {"3.3": "unknown", "3.4": "affected", "3.5": "unknown"}


def test_second_fix_counts_where_the_first_was_refuted() -> None:
    table = made(found={"T-5": "3.4.2"})
    assert statuses(table, "T-5")["3.4"] == "fixed"
    assert statuses(made(found={"T-5": "3.4.3"}), "T-5")["3.4"] == "affected"


def test_found_in_of_a_version_that_was_not_collected_says_nothing() -> None:
    assert statuses(made(found={"T-77": "9.9"}), "T-77") == dict.fromkeys(LINES, "unknown")
    assert made(found={"T-77": "9.9"}).judged("T-77")[0].reach is Reach.NOT_STATED


def test_override_counts_on_its_line_only_and_shows_the_conflict() -> None:
    table = made(override("T-1", "3.4", LineStatus.AFFECTED), override("T-1", "9.9", LineStatus.FIXED))
    judged = {one.line: one for one in table.judged("T-1")}
    assert statuses(table, "T-1") == {"3.3": "unknown", "3.4": "affected", "3.5": "fixed"}
    assert (judged["3.4"].derived, judged["3.4"].is_conflict) == (LineStatus.FIXED, True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["T-77", "T-9", "T-3", "T-5", "T-2", "T-1"]),
        ({"statuses": {LineStatus.AFFECTED}}, ["T-2"]),
        ({"statuses": {LineStatus.AFFECTED}, "lines": ["3.4"]}, []),
        ({"statuses": {LineStatus.WONTFIX, LineStatus.VERIFIED}}, ["T-5", "T-1"]),
        ({"gaps": True}, ["T-1"]),
        ({"gaps": True, "lines": ["3.4", "3.5"]}, []),
        ({"overridden": True}, ["T-5", "T-1"]),
        ({"overridden": True, "lines": ["3.5"]}, ["T-1"]),
        ({"by": "ivan"}, ["T-1"]),
        ({"conflicts": True}, ["T-5"]),
        ({"text": "t-7"}, ["T-77"]),
        ({"text": "basket"}, ["T-3"]),
        ({"text": "tea"}, []),
        ({"lines": []}, ["T-77", "T-9", "T-3", "T-5", "T-2", "T-1"]),
        ({"lines": ["9.9"], "statuses": {LineStatus.UNKNOWN}}, []),
    ],
)
def test_tickets_are_found_by_what_holds_on_the_lines_looked_at(wanted: dict[str, object], expected: list[str]) -> None:
    table = made(override("T-5", "3.4", LineStatus.WONTFIX), override("T-1", "3.5", LineStatus.VERIFIED, by="ivan"))
    assert table.find(Wanted(**{"lines": LINES, **wanted})) == expected  # type: ignore[arg-type]


@given(
    said=st.dictionaries(st.tuples(st.sampled_from(KEYS), st.sampled_from(LINES)), st.sampled_from(LineStatus)),
    found=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([one.version.text for one in HISTORY.releases])),
    first=st.booleans(),
    status=st.sampled_from(LineStatus),
    lines=st.lists(st.sampled_from(LINES), unique=True, min_size=1),
)
def test_rows_of_bits_say_the_same_as_the_cells(
    said: dict[tuple[str, str], LineStatus],
    found: dict[str, str],
    *,
    first: bool,
    status: LineStatus,
    lines: list[str],
) -> None:
    table = made(*(override(key, line, one) for (key, line), one in said.items()), found=found, first=first)
    by_cells = [key for key in table.keys if status in {one.status for one in table.judged(key, lines)}]
    assert table.find(Wanted(lines=lines, statuses=frozenset({status}))) == by_cells


def test_release_counts_leave_candidates_out() -> None:
    assert made().release_counts == {"3.3": 1, "3.4": 4, "3.5": 2}
