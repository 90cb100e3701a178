"""What counts for a ticket on a line: evidence, found-in and a person's word, put together by the table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from releaser.domain.history import LineStatus
from releaser.domain.status import Evidence, Override, Reach, derive, disagrees, judge, reach_of
from releaser.domain.version import Scheme, Version, parse

TABLE = {
    Evidence.FIXED: {"not-stated": "fixed", "reached": "fixed", "before": "fixed", "apart": "fixed"},
    Evidence.REFUTED: {"not-stated": "unknown", "reached": "affected", "before": "unknown", "apart": "unknown"},
    Evidence.AFFECTED: {"not-stated": "affected", "reached": "affected", "before": "affected", "apart": "affected"},
    Evidence.UNKNOWN: {"not-stated": "unknown", "reached": "affected", "before": "unaffected", "apart": "unknown"},
}


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("evidence", Evidence)
def test_evidence_and_found_in_give_what_the_table_says(evidence: Evidence, reach: Reach) -> None:
    assert derive(evidence, reach).value == TABLE[evidence][reach.value]


def test_nothing_is_fine_without_evidence_or_a_stated_first_bad_version() -> None:
    fine = [(e, r) for e in Evidence for r in Reach if derive(e, r) not in {LineStatus.AFFECTED, LineStatus.UNKNOWN}]
    assert {(e, r) for e, r in fine if e is not Evidence.FIXED} == {(Evidence.UNKNOWN, Reach.BEFORE)}


def versions(*texts: str) -> list[Version]:
    return [parse(text, scheme=Scheme.TWO_PART) for text in texts]


@pytest.mark.parametrize(
    ("line", "released", "found_in", "is_first", "having", "expected"),
    [
        ("3.4", ["3.4"], None, False, [], Reach.NOT_STATED),
        ("3.4", ["3.4", "3.4.1"], "3.4.1", False, [], Reach.REACHED),
        ("3.4", [], "3.4", False, [], Reach.REACHED),
        ("3.5", ["3.5"], "3.4", False, ["3.4", "3.5"], Reach.REACHED),
        ("3.5", ["3.5", "3.5.1"], "3.4.9", False, ["3.4.9", "3.5.1"], Reach.REACHED),
        ("3.5", ["3.5"], "3.4.9", True, ["3.4.9"], Reach.APART),
        ("3.3", ["3.3", "3.3.9"], "3.4", False, ["3.4"], Reach.APART),
        ("3.3", ["3.3", "3.3.9"], "3.4", True, ["3.4"], Reach.BEFORE),
        ("3.3", [], "3.4", True, ["3.4"], Reach.APART),
        # A backport of the fault: the line is older by number, and has it all the same.
        ("3.3", ["3.3", "3.3.9"], "3.4", True, ["3.4", "3.3.9"], Reach.REACHED),
    ],
)
def test_line_stands_to_the_found_in_version_by_containment_and_number(
    line: str, released: list[str], found_in: str | None, *, is_first: bool, having: list[str], expected: Reach
) -> None:
    found = versions(found_in)[0] if found_in else None
    reach = reach_of(line, versions(*released), found, is_first=is_first, having=set(versions(*having)))
    assert reach is expected


def said(status: LineStatus) -> Override:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Override(ticket="T-1", line="3.4", status=status, reason="looked", by="olga", at=at)


def test_persons_word_counts_and_the_evidence_stays_beside_it() -> None:
    judged = judge("3.4", Evidence.FIXED, Reach.NOT_STATED, said(LineStatus.AFFECTED))
    assert (judged.status, judged.derived, judged.evidence) == (LineStatus.AFFECTED, LineStatus.FIXED, Evidence.FIXED)
    assert judged.is_conflict
    without = judge("3.4", Evidence.FIXED, Reach.NOT_STATED, None)
    assert (without.status, without.is_conflict) == (LineStatus.FIXED, False)


AGREEING = {
    ("fixed", "fixed"), ("affected", "affected"), ("unaffected", "unaffected"), ("verified", "fixed"), ("wontfix", "affected"),
}  # fmt: skip


@pytest.mark.parametrize("derived", [LineStatus.FIXED, LineStatus.AFFECTED, LineStatus.UNAFFECTED, LineStatus.UNKNOWN])
@pytest.mark.parametrize("stated", LineStatus)
def test_word_disagrees_with_everything_known_but_its_like(stated: LineStatus, derived: LineStatus) -> None:
    expected = derived is not LineStatus.UNKNOWN and (stated.value, derived.value) not in AGREEING
    assert disagrees(stated, derived) is expected
