"""Whether what is declared of a product's trains makes sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from releaser.domain.calendar import calendar_named
from releaser.domain.declaration.declared import DeclaredProduct, Place
from releaser.domain.train import EARLIEST, LATEST, TrainRules
from releaser.errors import InvalidError
from releaser.i18n import LANGUAGES

MAIL_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x20\x7f]+@[^\s@<>\"(),:;\\\x00-\x20\x7f]+")
LONGEST_ADDRESS = 254
MOST_WORKING_DAYS = 60
MOST_DAYS = 1000
_PHASES = ("branch_point_days", "soft_freeze_days", "freeze_days")


def train_faults(product: DeclaredProduct) -> Iterator[tuple[Place, str, str]]:
    """What is wrong with the rhythm, each with its place in the product, what is wrong and what would be right."""
    first_on = product.first_train_on
    if first_on is not None and not EARLIEST <= first_on <= LATEST:
        yield ("first_train_on",), f"No train leaves on {first_on}.", f"Use a day from {EARLIEST} to {LATEST}."
    if not 1 <= product.cadence_days <= 366:
        yield ("cadence_days",), f"{product.cadence_days} days are no cadence.", "Use 1 to 366; 14 is two weeks."
        return
    rules = product.trains
    for place, detail, advice in (*_calendar(rules), *_alerts(rules), *_phases(rules, product.cadence_days)):
        yield ("trains", *place), detail, advice


def _calendar(rules: TrainRules) -> Iterator[tuple[Place, str, str]]:
    if rules.at.second or rules.at.microsecond or rules.at.tzinfo is not None:
        yield ("at",), f"'{rules.at.isoformat()}' is no local hour.", "Write it like 10:00; the zone is the product's."
    try:
        calendar_named(rules.country)
    except InvalidError as error:
        yield ("country",), error.detail, error.advice
    for name in ("days_off", "working_days"):
        if len(getattr(rules, name)) > MOST_DAYS:
            yield (name,), f"There are more than {MOST_DAYS} days.", "State only days that differ from the calendar."
    for day in sorted(set(rules.days_off) & set(rules.working_days)):
        yield ("days_off",), f"{day} is stated as a day off and as a working day.", "Keep one of them."
    if not 0 <= rules.alert_after_carries <= MOST_DAYS:
        yield (
            ("alert_after_carries",),
            f"{rules.alert_after_carries} is out of range.",
            f"Use 0 (never) to {MOST_DAYS}.",
        )


def _alerts(rules: TrainRules) -> Iterator[tuple[Place, str, str]]:
    for index, address in enumerate(rules.alert_mail):
        if not MAIL_ADDRESS.fullmatch(address) or len(address) > LONGEST_ADDRESS:
            yield ("alert_mail", index), f"'{address[:80]}' is no mail address.", "Write it like ops@example.com."
        elif address in rules.alert_mail[:index]:
            yield ("alert_mail", index), f"'{address}' is there twice.", "Keep one of them."
    if rules.alert_language not in LANGUAGES:
        yield (
            ("alert_language",),
            f"'{rules.alert_language[:20]}' is no language that mails are written in.",
            f"Use {' or '.join(LANGUAGES)}.",
        )


def _phases(rules: TrainRules, cadence_days: int) -> Iterator[tuple[Place, str, str]]:
    most = min(MOST_WORKING_DAYS, cadence_days - 1)
    given = [(name, days) for name in _PHASES if (days := getattr(rules, name))]
    for name, days in given:
        if not 0 < days <= most:
            yield (name,), f"{days} working days do not fit between two trains.", f"Use 0 (none) to {most}."
    for (name, days), (later, fewer) in pairwise(given):
        if fewer > days:
            yield (
                (later,),
                f"It would begin {fewer} working days before a train, and {name} only {days} before.",
                "The phases come in the order branch point, soft freeze, freeze.",
            )
    if not 0 <= rules.thaw_hours <= 24 * cadence_days:
        yield (
            ("thaw_hours",),
            f"{rules.thaw_hours} hours do not fit between two trains.",
            f"Use 0 to {24 * cadence_days}.",
        )
