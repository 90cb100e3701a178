from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from icalendar import Calendar

from releaser.domain.maintnote import Entry, as_ics
from releaser.domain.notice import NoticeImpact, NoticeState

START = datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=3)))
ENTRY = Entry(
    notice="0123abcd",
    account="acme",
    provider="example.com",
    organizer="releases@example.com",
    sequence=2,
    state=NoticeState.ANNOUNCED,
    starts_at=START,
    ends_at=START + timedelta(minutes=30),
    stamped_at=START - timedelta(days=14),
    summary="Плановые работы: Calls 1.1",
    description="Two lines;\nof text, with \\ in it.",
    url="https://example.org/notices/7",
    objects=[("acme-1", NoticeImpact.DEGRADED), ("acme-2", NoticeImpact.OUTAGE), ("acme-3", NoticeImpact.NO_IMPACT)],
)


def event(entry: Entry) -> Any:  # noqa: ANN401 -- icalendar has no useful type for it
    return Calendar.from_ical(as_ics([entry])).walk("VEVENT")[0]


def test_entry_carries_everything_maintnote_requires() -> None:
    found = event(ENTRY)
    assert found["UID"] == "0123abcd.acme"
    assert found["SEQUENCE"] == 2
    assert found.decoded("DTSTART") == datetime(2026, 11, 21, 7, tzinfo=UTC)
    assert found.decoded("DTEND") == datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    assert found.decoded("DTSTAMP") == datetime(2026, 11, 7, 7, tzinfo=UTC)
    assert found["SUMMARY"] == ENTRY.summary
    assert found["DESCRIPTION"] == ENTRY.description
    assert found["ORGANIZER"] == "mailto:releases@example.com"
    assert found["X-MAINTNOTE-PROVIDER"] == "example.com"
    assert found["X-MAINTNOTE-ACCOUNT"] == "acme"
    assert found["X-MAINTNOTE-MAINTENANCE-ID"] == "0123abcd"
    assert found["X-MAINTNOTE-IMPACT"] == "OUTAGE"
    assert [(str(o), o.params["X-MAINTNOTE-OBJECT-IMPACT"]) for o in found["X-MAINTNOTE-OBJECT-ID"]] == [
        ("acme-1", "DEGRADED"),
        ("acme-2", "OUTAGE"),
        ("acme-3", "NO-IMPACT"),
    ]


@pytest.mark.parametrize(
    ("state", "maintenance", "shown"),
    [
        (NoticeState.DRAFT, "TENTATIVE", "TENTATIVE"),
        (NoticeState.ANNOUNCED, "CONFIRMED", "CONFIRMED"),
        (NoticeState.IN_PROGRESS, "IN-PROCESS", "CONFIRMED"),
        (NoticeState.COMPLETED, "COMPLETED", "CONFIRMED"),
        (NoticeState.ROLLED_BACK, "COMPLETED", "CONFIRMED"),
        (NoticeState.CANCELLED, "CANCELLED", "CANCELLED"),
    ],
)
def test_state_becomes_both_statuses(state: NoticeState, maintenance: str, shown: str) -> None:
    found = event(replace(ENTRY, state=state))
    assert (found["X-MAINTNOTE-STATUS"], found["STATUS"]) == (maintenance, shown)


def test_unknown_impact_is_an_outage() -> None:
    assert event(replace(ENTRY, objects=[]))["X-MAINTNOTE-IMPACT"] == "OUTAGE"
    assert event(replace(ENTRY, objects=[("a", NoticeImpact.NO_IMPACT)]))["X-MAINTNOTE-IMPACT"] == "NO-IMPACT"


def test_times_and_lines_are_written_as_the_standard_asks() -> None:
    content = as_ics([ENTRY])
    assert b"DTSTART:20261121T070000Z\r\n" in content
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"METHOD" not in content
    assert b"METHOD:PUBLISH\r\n" in as_ics([ENTRY], method="PUBLISH")
    assert as_ics([ENTRY]) == content


def test_text_from_people_adds_no_property() -> None:
    hostile = "x\r\nATTENDEE:mailto:all@example.org\nX-EVIL;A=B:1,2;3"
    entry = replace(
        ENTRY,
        account=hostile,
        provider=hostile,
        organizer=hostile,
        summary=hostile,
        description=hostile,
        url=hostile,
        objects=[(hostile, NoticeImpact.OUTAGE)],
    )
    content = as_ics([entry], title=hostile)
    names = {line.split(b":")[0].split(b";")[0] for line in content.replace(b"\r\n ", b"").split(b"\r\n")}
    assert b"ATTENDEE" not in names
    assert b"X-EVIL" not in names
    assert len(Calendar.from_ical(content).walk("VEVENT")) == 1


def test_calendar_without_entries_is_still_one() -> None:
    assert Calendar.from_ical(as_ics([], title="Planned work at Acme")).walk("VEVENT") == []
