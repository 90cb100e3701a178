"""A product's trains as iCalendar (RFC 5545). Data in, bytes out.

Rules: one UID per train for good, so that a shifted train replaces its entry and a skipped one cancels it; SEQUENCE grows with
every decision about the train and every change of the rhythm; a train that may still move is TENTATIVE; times in UTC. The same
content always gives the same bytes.

What does not live here: planned work at customers (`domain.maintnote`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from icalendar import Calendar, Event, vText, vUri

from releaser.domain.train.train import Train

PRODUCT_ID = "-//releaser//trains//EN"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainEntry:
    """One train in a calendar. `stamped_at` is when this content came to be.

    `origin` tells this product from others of the same name elsewhere; no address, which may change.
    """

    train: Train
    product: str
    origin: str
    sequence: int
    stamped_at: datetime
    summary: str
    description: str = ""
    url: str = ""

    @property
    def uid(self) -> str:
        """Names the train in every calendar, wherever it is moved."""
        return f"train.{self.product}.{self.train.slot_on.isoformat()}.{self.origin}"


def trains_as_ics(entries: Iterable[TrainEntry], *, title: str) -> bytes:
    """A calendar of trains."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT_ID)
    calendar.add("version", "2.0")
    # The library knows no type of NAME and would write a line break as it is.
    calendar.add("name", vText(_line(title)))
    calendar.add("x-wr-calname", vText(_line(title)))
    for entry in entries:
        calendar.add_component(_event(entry))
    content: bytes = calendar.to_ical()
    return content


def _event(entry: TrainEntry) -> Event:
    train = entry.train
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.stamped_at.astimezone(UTC))
    event.add("dtstart", train.departs_at.astimezone(UTC))
    event.add("sequence", entry.sequence)
    event.add("status", "CANCELLED" if train.skipped else "CONFIRMED" if train.certain else "TENTATIVE")
    # A release is no appointment: nobody is busy because of it.
    event.add("transp", "TRANSPARENT")
    event.add("summary", _line(entry.summary))
    if entry.description:
        event.add("description", entry.description)
    if entry.url:
        event.add("url", vUri(_line(entry.url).replace(" ", "%20")))
    return event


def _line(text: str) -> str:
    """Text from people on one line."""
    return " ".join(text.split())
