"""What customers are told of the end of a line's support: subject, plain text and HTML, in the reader's language, from data.

What does not live here: when they are told (`domain.line`), and notices of planned work (`domain.notice_text`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from releaser.domain.notice import DeliveryKind
from releaser.domain.notice_text import Part, Written, composed
from releaser.i18n import Translator, mark, translator


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportEnd:
    """The end of a line's support as one customer may see it.

    `installations` are the customer's on that line; `successor` is the newest version of a line that is supported longer,
    empty when there is none. `was_on` is the last day that was told before, where it was moved.
    """

    kind: DeliveryKind
    product: str
    line: str
    ends_on: date
    installations: Sequence[str]
    successor: str = ""
    was_on: date | None = None
    page_url: str = ""


_SUBJECTS = {
    DeliveryKind.ANNOUNCED: mark("Support of {what} ends on {day}"),
    DeliveryKind.REMINDED: mark("Reminder: support of {what} ends on {day}"),
    DeliveryKind.REVISED: mark("Changed: support of {what} ends on {day}"),
    DeliveryKind.CANCELLED: mark("Support of {what} goes on"),
}


def heading(language: str, *, product: str, line: str, ends_on: date) -> tuple[str, str]:
    """Subject and text for lists and pages, where no customer is named."""
    t = translator(language)
    what = f"{product} {line}"
    return t("Support of {what} ends on {day}", what=what, day=t.day(ends_on)), _ends(t, what, ends_on)


def write_support_end(content: SupportEnd, *, language: str) -> Written:
    """Write it for one recipient."""
    t = translator(language)
    what = f"{content.product} {content.line}"
    subject = t(_SUBJECTS.get(content.kind, _SUBJECTS[DeliveryKind.ANNOUNCED]), what=what, day=t.day(content.ends_on))
    return composed(subject, list(_parts(content, t, what)), language=t.language)


def _ends(t: Translator, what: str, day: date) -> str:
    return t(
        "The last day of support of {what} is {day}. After it there are no fixes, security fixes included.",
        what=what,
        day=t.day(day),
    )


def _parts(content: SupportEnd, t: Translator, what: str) -> Iterator[Part]:
    if content.kind is DeliveryKind.CANCELLED:
        yield Part(
            paragraph=t(
                "The end of support that we told you of no longer holds: {what} is supported further on.", what=what
            )
        )
        return
    if content.was_on is not None and content.was_on != content.ends_on:
        yield Part(paragraph=t("The day was changed. Before, it was {day}.", day=t.day(content.was_on)))
    yield Part(paragraph=_ends(t, what, content.ends_on))
    if content.installations:
        yield Part(paragraph=t("These installations of yours run it:"))
        yield Part(items=tuple(content.installations))
    if content.successor:
        yield Part(
            paragraph=t(
                "Version {version} is supported longer. We will gladly plan the update with you.",
                version=content.successor,
            )
        )
    if content.page_url:
        yield Part(link=(t("Every line and its dates"), content.page_url))
