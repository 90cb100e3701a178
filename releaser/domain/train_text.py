"""What is said of a train to people, in their language: why it leaves on its day.

What does not live here: the calendar file (`domain.train_calendar`).
"""

from __future__ import annotations

from releaser.domain.train import Because, DayOff, Rhythm, Timetable, Train
from releaser.i18n import Translator, mark

_MOVED = {
    DayOff.LATER: mark("{day} is a day off{name}: moved to the next working day"),
    DayOff.EARLIER: mark("{day} is a day off{name}: moved to the working day before"),
    DayOff.SKIP: mark("{day} is a day off{name}: skipped"),
}


def reason(train: Train, rhythm: Rhythm, t: Translator) -> str:
    """Why a train leaves on another day than its slot, not at all, or maybe; empty for one that simply leaves."""
    day = t.day(train.slot_on)
    if train.because is Because.NOT_KNOWN:
        until = t.day(train.known_until) if train.known_until else "–"
        return t("the production calendar is not known beyond {until}: the day may still move", until=until)
    if train.because is Because.NO_WORKING_DAY:
        return t("{day} is a day off, and there is no working day before the next train: skipped", day=day)
    if train.because is Because.PERSON and train.decision is not None:
        by, why = train.decision.by, train.decision.reason
        if train.skipped:
            return t("skipped by {by}: {reason}", by=by, reason=why)
        return t("shifted from {day} by {by}: {reason}", day=day, by=by, reason=why)
    if train.because is Because.RHYTHM:
        return ""
    called = rhythm.rules.calendar.day_off_name(train.slot_on, language=t.language)
    return t(_MOVED[rhythm.rules.on_day_off], day=day, name=f" ({called})" if called else "")


def late_reason(table: Timetable, t: Translator) -> str:
    """What is said of the train that left without a stable."""
    until = table.late_until
    when = t.instant(until, table.rhythm.zone) if until is not None else "–"
    return t("left without a stable: one that is cut before {when} belongs to it", when=when)
