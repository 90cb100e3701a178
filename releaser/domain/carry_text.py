"""What release managers are mailed of a ticket that was carried over too often, in their language, from data.

No title stands in it: the mail leaves the house, and the ticket may be under embargo. What does not live here: when a ticket is
an alert (`domain.carry`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from releaser.domain.carry import CarryReason
from releaser.domain.notice_text import Part, Written, composed
from releaser.i18n import translator


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOften:
    """The alert: how often the ticket was carried, why the last time, and for which trains it was planned first and is now."""

    product: str
    ticket: str
    carries: int
    first_on: date
    planned_on: date
    why: CarryReason | None
    page_url: str = ""


def write_carry_alert(alert: CarriedOften, *, language: str) -> Written:
    """Write it for one recipient."""
    t = translator(language)
    times = t.n("carried over {n} time", "carried over {n} times", alert.carries)
    subject = t("{product}: {ticket} was {times}", product=alert.product, ticket=alert.ticket, times=times)
    facts = (
        (t("Planned first for the train of"), t.day(alert.first_on)),
        (t("Planned now for the train of"), t.day(alert.planned_on)),
    )
    parts = [
        Part(paragraph=t("{ticket} was {times}, and has not landed yet.", ticket=alert.ticket, times=times)),
        *([Part(paragraph=alert.why.told(t))] if alert.why is not None else []),
        Part(facts=facts),
        *([Part(link=(t("The ticket"), alert.page_url))] if alert.page_url else []),
    ]
    return composed(subject, parts, language=t.language)
