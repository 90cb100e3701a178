"""What a notice says to one recipient: subject, plain text and HTML, in the recipient's language and zone, from data.

Every kind of delivery is written here, so that what is planned, changed, cancelled and measured reads the same everywhere. Text from
people (titles, reasons) is data: it is escaped in HTML and kept to one line in subjects.

What does not live here: who gets it (flows) and how it travels (channels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from releaser.domain.consent import Agreement
from releaser.domain.notice import DeliveryKind, Outcome
from releaser.domain.operation import Work
from releaser.domain.target import Stop
from releaser.i18n import Translator, mark, translator

MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedConsent:
    """Who agrees to the work by the contract, how that stands, and who answered, once somebody did."""

    by: str
    stands: Agreement
    who: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedWork:
    """One installation of the recipient: what stops there, as planned, and what came of it once that is known.

    `consent` is None where nobody is asked.
    """

    installation: str
    stop: Stop
    modules: tuple[str, ...] = ()
    planned_for: timedelta = timedelta(0)
    measured_for: timedelta | None = None
    outcome: Outcome | None = None
    consent: AskedConsent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeContent:
    """A notice as one customer may see it. `opening` is the text of the revision, in the recipient's language.

    `starts_at` and `ends_at` are planned, `began_at` and `ended_at` when the customer's work really did, once it has. `was` are the
    planned times of the revision before, `reason` is why the notice was cancelled; `notes_url` leads to
    the release notes, `page_url` to the notice. `work` is what an operation is; None for an update.
    """

    kind: DeliveryKind
    product: str
    version: str
    starts_at: datetime
    ends_at: datetime
    touched: Sequence[TouchedWork]
    began_at: datetime | None = None
    ended_at: datetime | None = None
    opening: str = ""
    was: tuple[datetime, datetime] | None = None
    reason: str = ""
    emergency_reason: str = ""
    notes_url: str = ""
    page_url: str = ""
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A notice written for one recipient."""

    subject: str
    text: str
    html: str


_SUBJECTS = {
    DeliveryKind.ANNOUNCED: mark("Planned work: {what}, {when}"),
    DeliveryKind.REVISED: mark("Changed: planned work, {what}, {when}"),
    DeliveryKind.REMINDED: mark("Reminder: planned work, {what}, {when}"),
    DeliveryKind.STARTED: mark("Work has begun: {what}"),
    DeliveryKind.CANCELLED: mark("Cancelled: planned work, {what}, {when}"),
}
_OPENINGS = {
    DeliveryKind.REVISED: mark("The planned work was changed. What stands here replaces what we said before."),
    DeliveryKind.STARTED: mark("The announced work has begun."),
    DeliveryKind.CANCELLED: mark("The planned work will not take place. Nothing changes for you."),
}
_OUTCOMES = {
    Outcome.SUCCEEDED: mark("{installation}: {version} runs."),
    Outcome.SKIPPED: mark("{installation}: not changed."),
    Outcome.ROLLED_BACK: mark("{installation}: the update was taken back, the previous version runs."),
    Outcome.FAILED: mark("{installation}: the update did not succeed, the previous version runs."),
    Outcome.INCONSISTENT: mark("{installation}: the update did not succeed, our specialists are at work."),
}


_WORKS = {
    Work.SCALED: mark("{what}, scaling without interruption"),
    Work.RESIZED: mark("{what}, change of resources without interruption"),
    Work.RESIZED_WITH_STOP: mark("{what}, change of resources with a stop"),
}
_WORK_OPENINGS = {
    Work.SCALED: mark("We are going to add instances of {what}. The service goes on all the time."),
    Work.RESIZED: mark(
        "We are going to change the resources (memory, processors) of {what}. The service goes on all the time."
    ),
    Work.RESIZED_WITH_STOP: mark(
        "We are going to change the resources (memory, processors) of {what}. It has to be stopped for that."
    ),
}


def opening(language: str, *, product: str, version: str, work: Work | None = None) -> tuple[str, str]:
    """Subject and text of a draft in one language, for people to edit; no customer is named in it."""
    t = translator(language)
    what = _what(product, version)
    if work is not None:
        return t("Planned work: {what}", what=t(_WORKS[work], what=what)), t(_WORK_OPENINGS[work], what=what)
    return t("Planned work: {what}", what=what), t("We are going to install {what}.", what=what)


def write(content: NoticeContent, *, language: str, zone: str) -> Written:
    """Write a notice for one recipient."""
    t = translator(language)
    return composed(_subject(content, t, zone), list(_parts(content, t, zone)), language=t.language)


def composed(subject: str, parts: Sequence[Part], *, language: str) -> Written:
    """A message of these parts; the subject is kept to one line."""
    line = " ".join(subject.split())
    short = line if len(line) <= MAX_SUBJECT else line[: MAX_SUBJECT - 1] + "…"
    return Written(subject=short, text=_as_text(parts), html=_as_html(parts, language))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A paragraph, a table of facts, a list, or a link; exactly one of them is filled."""

    paragraph: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    items: tuple[str, ...] = ()
    link: tuple[str, str] | None = None


def _what(product: str, version: str) -> str:
    return f"{product} {version}".strip()


def _subject(content: NoticeContent, t: Translator, zone: str) -> str:
    if content.kind is DeliveryKind.DONE:
        message = (
            mark("Work is done: {what}")
            if _brings_something(content)
            else mark("Work is over, nothing was changed: {what}")
        )
        return t(message, what=_named(content, t))
    when = t.instant(content.starts_at, zone)
    return t(_SUBJECTS[content.kind], what=_named(content, t), when=when)


def _named(content: NoticeContent, t: Translator) -> str:
    what = _what(content.product, content.version)
    return t(_WORKS[content.work], what=what) if content.work is not None else what


def _parts(content: NoticeContent, t: Translator, zone: str) -> Iterator[Part]:
    if content.kind in _OPENINGS:
        yield Part(paragraph=t(_OPENINGS[content.kind]))
    if content.opening:
        yield Part(paragraph=content.opening)
    if content.reason:
        yield Part(paragraph=t("Reason: {reason}", reason=content.reason))
    if content.emergency_reason and content.kind is not DeliveryKind.CANCELLED:
        yield Part(
            paragraph=t("This is an emergency, announced later than usual: {reason}", reason=content.emergency_reason)
        )
    yield Part(facts=tuple(_times(content, t, zone)))
    if content.kind is DeliveryKind.DONE:
        yield Part(items=tuple(line for one in content.touched for line in _done(one, content.version, t)))
    elif content.kind is not DeliveryKind.CANCELLED:
        yield Part(items=tuple(_planned(one, t) for one in content.touched))
    if content.notes_url and _brings_something(content):
        yield Part(link=(t("What is new"), content.notes_url))
    if content.page_url:
        yield Part(link=(t("This notice"), content.page_url))


def _brings_something(content: NoticeContent) -> bool:
    """Whether its version comes, or came: where the work was called off or taken back there is nothing new."""
    if content.kind is DeliveryKind.DONE:
        return any(one.outcome is Outcome.SUCCEEDED for one in content.touched)
    return content.kind is not DeliveryKind.CANCELLED


def _times(content: NoticeContent, t: Translator, zone: str) -> Iterator[tuple[str, str]]:
    """What was planned and what really was are told apart; of what never began only the plan is known."""
    start, end = content.began_at or content.starts_at, content.ended_at or content.ends_at
    planned = f"{t.instant(content.starts_at, zone)} – {t.instant(content.ends_at, zone)}"
    if content.kind is DeliveryKind.DONE and content.began_at is None:
        yield t("Planned"), planned
        return
    yield (t("Began") if content.began_at else t("Begins")), t.instant(start, zone)
    yield (t("Ended") if content.ended_at else t("Ends")), t.instant(end, zone)
    yield t("In UTC"), f"{t.instant(start)} – {t.instant(end)}"
    if content.ended_at:
        yield t("Planned"), planned
    if content.was is not None and content.was != (content.starts_at, content.ends_at):
        yield t("Before"), f"{t.instant(content.was[0], zone)} – {t.instant(content.was[1], zone)}"


_CONSENTS = {
    Agreement.AGREED: mark("{who} agreed to it."),
    Agreement.MISSING: mark("Nothing is changed there before {by} has agreed."),
    Agreement.REFUSED: mark("Nothing is changed there: {who} did not agree."),
}


def _planned(one: TouchedWork, t: Translator) -> str:
    """What stops at one installation, and how it stands with the consent that it needs."""
    if one.consent is None or one.consent.stands not in _CONSENTS:
        return _stops(one, t)
    return f"{_stops(one, t)} {t(_CONSENTS[one.consent.stands], by=one.consent.by, who=one.consent.who)}"


def _stops(one: TouchedWork, t: Translator) -> str:
    length = t.duration(one.planned_for)
    if one.stop is Stop.NONE:
        return t("{installation}: nothing stops.", installation=one.installation)
    if one.stop is Stop.FULL:
        return t("{installation}: stops completely for about {length}.", installation=one.installation, length=length)
    return t(
        "{installation}: {modules} stops for about {length}, everything else goes on.",
        installation=one.installation,
        modules=", ".join(one.modules),
        length=length,
    )


def _done(one: TouchedWork, version: str, t: Translator) -> Iterator[str]:
    """How it ended at one installation, and both downtimes beside each other."""
    result = t(_OUTCOMES[one.outcome or Outcome.SKIPPED], installation=one.installation, version=version)
    planned = t.duration(one.planned_for)
    if one.measured_for is None:
        yield f"{result} " + t("Downtime: {planned} planned, not known yet how long it was.", planned=planned)
    else:
        measured = _measured(one.measured_for, t)
        yield f"{result} " + t("Downtime: {planned} planned, {measured} measured.", planned=planned, measured=measured)


def _measured(length: timedelta, t: Translator) -> str:
    """A measured time below ten seconds is told to the tenth: it is what people compare."""
    seconds = length.total_seconds()
    return t("{seconds} s", seconds=f"{seconds:.1f}") if 0 < seconds < 10 else t.duration(length)


def _as_text(parts: Sequence[Part]) -> str:
    blocks = []
    for part in parts:
        lines = [part.paragraph] if part.paragraph else []
        lines += [f"{label}: {value}" for label, value in part.facts]
        lines += [f"- {item}" for item in part.items]
        lines += [f"{part.link[0]}: {part.link[1]}"] if part.link else []
        blocks.append("\n".join(lines))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _as_html(parts: Sequence[Part], language: str) -> str:
    body = "\n".join(_part_html(part) for part in parts)
    return f'<!doctype html>\n<html lang="{escape(language)}"><body>\n{body}\n</body></html>\n'


def _part_html(part: Part) -> str:
    if part.facts:
        rows = "".join(
            f'<tr><th align="left">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in part.facts
        )
        return f"<table>{rows}</table>"
    if part.items:
        return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in part.items)}</ul>"
    if part.link:
        label, url = part.link
        shown = f'<a href="{escape(url)}">{escape(url)}</a>' if url.startswith(("https://", "http://")) else escape(url)
        return f"<p>{escape(label)}: {shown}</p>"
    return f"<p>{escape(part.paragraph)}</p>"
