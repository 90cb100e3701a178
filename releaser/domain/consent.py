"""Whether a customer has to agree to an update, who does, and what a word that was given covers. Pure.

The rule: a contract may ask that somebody of the customer agrees before anything is cut over. A word is for one version (of scaling:
for one operation) at one installation, and holds until another one is given, whatever rollout it was given for: who agreed is not
asked again when the same work is tried or planned again. A yes covers what was said to stop: once more modules would stop than the
customer was asked about, it is no yes to that. After a no nothing is cut over there.

What does not live here: until when a word is waited for (`domain.waiting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from releaser.errors import InvalidError


class InvalidConsentError(InvalidError):
    """A word cannot be recorded like this: it lacks who gave it, or a no its reason."""


class Updates(StrEnum):
    """Which updates a contract wants to be asked about: all, or those that stop something."""

    ALL = "all"
    STOPPING = "stopping"


class Answer(StrEnum):
    """What the customer said."""

    YES = "yes"
    NO = "no"


class Agreement(StrEnum):
    """How an update stands with the customer's consent."""

    NOT_ASKED = "not_asked"
    MISSING = "missing"
    AGREED = "agreed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRule:
    """Who agrees at the customer, by name or by role, and to which updates."""

    by: str
    updates: Updates = Updates.ALL

    def asks(self, *, stops: bool) -> bool:
        """Whether an update that stops something, or does not, has to be agreed to."""
        return stops or self.updates is Updates.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody (`who`) of the customer said of the work at one installation, as `by` wrote it down.

    `stopping` are the modules that were to stop there when it was said.
    """

    answer: Answer
    who: str
    note: str
    by: str
    at: datetime
    stopping: frozenset[str] = frozenset()


def agreement(rule: ConsentRule | None, word: Word | None, *, module: str, stops: bool) -> Agreement:
    """How the update of a module stands, which stops it or does not."""
    if rule is None or not rule.asks(stops=stops):
        return Agreement.NOT_ASKED
    if word is None:
        return Agreement.MISSING
    if word.answer is Answer.NO:
        return Agreement.REFUSED
    return Agreement.AGREED if not stops or module in word.stopping else Agreement.MISSING


def refusal_told(word: Word) -> str:
    """Why nothing is done where the customer said no."""
    return f"{word.who} did not agree: {word.note}"


LONGEST_NAME = 200
LONGEST_NOTE = 2000


def checked_word(answer: Answer, *, who: str, note: str) -> tuple[str, str]:
    """`who` and `note` without blanks around them. Raises `InvalidConsentError`."""
    who, note = who.strip(), note.strip()
    if not who or len(who) > LONGEST_NAME or not who.isprintable():
        raise InvalidConsentError(
            "It is not said who of the customer agreed or did not.",
            advice=f"Give --who NAME, of at most {LONGEST_NAME} characters on one line.",
            field="who",
        )
    if answer is Answer.NO and not note:
        raise InvalidConsentError(
            "A no has a reason: it is kept and shown to everybody who asks why nothing was done.",
            advice="Give --note REASON.",
            field="note",
        )
    if len(note) > LONGEST_NOTE or "\x00" in note:
        raise InvalidConsentError(
            "The note is too long, or is no text.", advice=f"Use at most {LONGEST_NOTE} characters.", field="note"
        )
    return who, note


def from_mapping(data: Mapping[str, Any]) -> ConsentRule:
    """Read `{by: head of operations, updates: stopping}`. Raises `InvalidError`, its `field` the place in it, empty for the whole."""
    unknown = sorted(str(key) for key in data if key not in {"by", "updates"})
    if unknown:
        raise InvalidError(f"'{unknown[0][:60]}' is no part of a consent.", advice="Use by, updates.", field=unknown[0])
    by = data.get("by")
    if not isinstance(by, str) or not by.strip() or len(by) > LONGEST_NAME or not by.isprintable():
        raise InvalidError(
            "It is not said who agrees.", advice="Write a name or a role, such as head of operations.", field="by"
        )
    updates = data.get("updates", Updates.ALL.value)
    if updates not in [one.value for one in Updates]:
        raise InvalidError(
            f"'{str(updates)[:60]}' says not which updates are agreed to.", advice="Use all, stopping.", field="updates"
        )
    return ConsentRule(by=by.strip(), updates=Updates(updates))


def to_mapping(rule: ConsentRule) -> dict[str, Any]:
    """The rule as plain data; `from_mapping` reads it back."""
    return {"by": rule.by, "updates": rule.updates.value}
