"""Planned work as iCalendar with the MAINTNOTE properties that carriers' maintenance notices use. Data in, bytes out.

Rules: one UID per notice and account, so that a later revision (higher SEQUENCE) replaces the earlier entry in a calendar; times in
UTC; extension values travel as escaped text; no METHOD unless a recipient asks for one.

What does not live here: how an entry reaches a calendar (mail attachments in channels, feeds in `web`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress, vText, vUri

from releaser.domain.notice import NoticeImpact, NoticeState

PRODUCT_ID = "-//releaser//planned work//EN"

# Status of the maintenance, and what calendars know of it.
_STATUS = {
    NoticeState.DRAFT: ("TENTATIVE", "TENTATIVE"),
    NoticeState.ANNOUNCED: ("CONFIRMED", "CONFIRMED"),
    NoticeState.IN_PROGRESS: ("IN-PROCESS", "CONFIRMED"),
    NoticeState.COMPLETED: ("COMPLETED", "CONFIRMED"),
    NoticeState.ROLLED_BACK: ("COMPLETED", "CONFIRMED"),
    NoticeState.CANCELLED: ("CANCELLED", "CANCELLED"),
}
_IMPACT = {
    NoticeImpact.NO_IMPACT: "NO-IMPACT",
    NoticeImpact.REDUCED_REDUNDANCY: "REDUCED-REDUNDANCY",
    NoticeImpact.DEGRADED: "DEGRADED",
    NoticeImpact.OUTAGE: "OUTAGE",
}
_IMPACTS = list(NoticeImpact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One notice in one account's calendar. `objects` are the account's installations with what they will feel.

    `stamped_at` is when this content was published: the same content always gives the same bytes.
    """

    notice: str
    account: str
    provider: str
    organizer: str
    sequence: int
    state: NoticeState
    starts_at: datetime
    ends_at: datetime
    stamped_at: datetime
    summary: str
    description: str = ""
    url: str = ""
    objects: Sequence[tuple[str, NoticeImpact]] = ()

    @property
    def uid(self) -> str:
        """Names the entry in the account's calendar, the same for every revision."""
        return f"{self.notice}.{self.account}"

    @property
    def impact(self) -> NoticeImpact:
        """The worst impact on any object; unknown counts as an outage."""
        return max((impact for _, impact in self.objects), key=_IMPACTS.index, default=NoticeImpact.OUTAGE)


def as_ics(entries: Iterable[Entry], *, title: str = "", method: str = "") -> bytes:
    """A calendar of these entries. `method` (such as PUBLISH) only for a recipient that asks for it."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT_ID)
    calendar.add("version", "2.0")
    if method:
        calendar.add("method", method)
    if title:
        # The library knows no type of NAME and would write a line break as it is.
        calendar.add("name", vText(_line(title)))
        calendar.add("x-wr-calname", vText(_line(title)))
    for entry in entries:
        calendar.add_component(_event(entry))
    content: bytes = calendar.to_ical()
    return content


def _line(text: str) -> str:
    """Text from people on one line."""
    return " ".join(text.split())


def _event(entry: Entry) -> Event:
    maintenance, shown = _STATUS[entry.state]
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.stamped_at.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("sequence", entry.sequence)
    event.add("status", shown)
    event.add("summary", _line(entry.summary))
    event.add("organizer", vCalAddress(f"mailto:{_line(entry.organizer)}"))
    if entry.description:
        event.add("description", entry.description)
    if entry.url:
        event.add("url", vUri(_line(entry.url).replace(" ", "%20")))
    event.add("x-maintnote-provider", vText(entry.provider))
    event.add("x-maintnote-account", vText(entry.account))
    event.add("x-maintnote-maintenance-id", vText(entry.notice))
    for name, impact in entry.objects:
        event.add("x-maintnote-object-id", vText(name), parameters={"X-MAINTNOTE-OBJECT-IMPACT": _IMPACT[impact]})
    event.add("x-maintnote-impact", vText(_IMPACT[entry.impact]))
    event.add("x-maintnote-status", vText(maintenance))
    return event
