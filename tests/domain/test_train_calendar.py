"""Trains in a calendar file, read back with a library that knows RFC 5545."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from icalendar import Calendar, Component

from releaser.domain.train import Because, Train
from releaser.domain.train_calendar import TrainEntry, trains_as_ics

DEPARTS = datetime(2026, 11, 3, 9, tzinfo=UTC)
TRAIN = Train(
    slot_on=date(2026, 11, 3), on=date(2026, 11, 3), departs_at=DEPARTS, because=Because.RHYTHM, expected="3.5"
)
ENTRY = TrainEntry(
    train=TRAIN,
    product="shop",
    origin="5ca1ab1e",
    sequence=1,
    stamped_at=datetime(2026, 1, 1, tzinfo=UTC),
    summary="The Shop: train of 3.5",
    description="Freeze: 30 October 2026\nThaw: later; or, never",
    url="https://releases.example.com/products/shop/trains",
)


def events(*entries: TrainEntry) -> list[Component]:
    calendar = Calendar.from_ical(trains_as_ics(entries, title="Trains of The Shop"))
    assert isinstance(calendar, Calendar)
    assert (calendar["version"], calendar["x-wr-calname"]) == ("2.0", "Trains of The Shop")
    return list(calendar.walk("VEVENT"))


def test_train_reads_back_as_it_was() -> None:
    (event,) = events(ENTRY)
    assert event["uid"] == "train.shop.2026-11-03.5ca1ab1e"
    assert event.decoded("dtstart") == DEPARTS
    assert event.decoded("dtstamp") == ENTRY.stamped_at
    assert (event["sequence"], event["status"], event["transp"]) == (1, "CONFIRMED", "TRANSPARENT")
    assert event["summary"] == "The Shop: train of 3.5"
    assert event["description"] == ENTRY.description
    assert event["url"] == ENTRY.url


def test_shifted_train_replaces_its_entry() -> None:
    moved = replace(TRAIN, on=date(2026, 11, 5), departs_at=DEPARTS.replace(day=5), because=Because.PERSON)
    (before,), (after,) = events(ENTRY), events(replace(ENTRY, train=moved, sequence=2))
    assert after["uid"] == before["uid"]
    assert (after.decoded("dtstart").day, after["sequence"]) == (5, 2)


@pytest.mark.parametrize(
    ("train", "status"),
    [
        (replace(TRAIN, skipped=True), "CANCELLED"),
        (replace(TRAIN, because=Because.NOT_KNOWN), "TENTATIVE"),
        (replace(TRAIN, because=Because.HOLIDAY), "CONFIRMED"),
    ],
)
def test_status_says_whether_the_train_leaves(train: Train, status: str) -> None:
    (event,) = events(replace(ENTRY, train=train))
    assert event["status"] == status


def test_hostile_text_stays_one_entry() -> None:
    text = "x\r\nEND:VEVENT\r\nBEGIN:VALARM, ; \\ " + "ж" * 200
    (event,) = events(replace(ENTRY, summary=text, description=text, url="https://x/\r\nX-EVIL:1"))
    assert str(event["description"]).replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert "\n" not in str(event["summary"])
    assert "x-evil" not in event


def test_lines_are_folded_and_end_as_the_standard_says() -> None:
    content = trains_as_ics([replace(ENTRY, summary="ж" * 300)], title="ж" * 100)
    assert content.endswith(b"END:VCALENDAR\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 75
    assert content == trains_as_ics([replace(ENTRY, summary="ж" * 300)], title="ж" * 100)
