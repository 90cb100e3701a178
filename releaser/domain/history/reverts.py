"""What messages say they take back. What follows from that is worked out in `relations` and `force`."""

from __future__ import annotations

import re
from itertools import islice

from releaser.domain.joined import Joined
from releaser.domain.quoting import is_quoted

MOST_IDS = 1000
_AGAIN = ("Reapply ", "Reland ")
_IDS = re.compile(
    r"\brevert(?:s|ed|ing)?(?: the)?(?: merge)?(?: commits?)?:?((?:[\s,;&]{1,4}(?:and\s)?(?:commit\s)?[0-9a-f]{7,64}\b){1,50})",
    re.IGNORECASE,
)
_ID = re.compile(r"\b[0-9a-f]{7,64}\b", re.IGNORECASE)
_NUMBERS = r"(?:\s*\(#[0-9]{1,9}\))*"
_SUBJECT = re.compile(
    # Ticket keys may stand before it, and a pick's trailer behind it on the same line.
    r"(?:\[[^\[\]]{1,60}\][\s:-]*|[A-Z][A-Z0-9_]{0,20}-[0-9]{1,9}[\s:-]+|revert(?:\([^()]{0,80}\))?!?:\s*)*"
    r"(?P<word>Revert|Reapply|Reland) (?P<mark>[\"'])(?P<what>.{1,500})(?P=mark)"
    + _NUMBERS
    + r"\.?(?:\s*\(cherry picked from commit [0-9a-f]{7,64}\))?$"
)
# Conventional commits (`revert: feat: search`), and people (`Revert Add the search`), do without quotes.
_UNQUOTED = re.compile(r"[Rr]evert(?:(?:\([^()]{0,80}\))?!?:)? (?P<what>\S{1,200} \S{1,200} \S.{0,500})$")
_PULL = re.compile(r"^Reverts (?:[\w.-]{1,100}/[\w.-]{1,100})?#(?P<number>[0-9]{1,9})\.?\r?$", re.MULTILINE)
_NUMBERED = re.compile(r"(?: \(#[0-9]{1,9}\))+$")
_MERGED_PULL = re.compile(r"Merge pull request (#[0-9]{1,9})\b")


def reverting(messages: Joined) -> list[int]:
    """The places of those of many messages that may take something back, ascending; a quick look, before any regular expression."""
    again = [place for place, message in enumerate(messages.texts) if message.startswith(_AGAIN)]
    return sorted({*messages.holding("evert"), *again})


def named_ids(message: str) -> tuple[str, ...]:
    """The ids that a message says it reverts; a partial revert names none, and what is only quoted does not count."""
    found: dict[str, None] = {}
    for match in islice(_IDS.finditer(message), MOST_IDS):
        before = message[max(0, match.start() - 20) : match.start()].lower()
        if "partial" not in before and "partly" not in before and not is_quoted(message, *match.span()):
            found.update(dict.fromkeys(one.lower() for one in _ID.findall(match[1])))
    return tuple(found)


def named_subject(subject: str) -> str | None:
    """The subject that a revert without an id takes back: what stands in its quotes, or behind "revert"."""
    match = _SUBJECT.match(subject)
    if match is None:
        unquoted = _UNQUOTED.match(subject)
        return unquoted["what"] if unquoted is not None else None
    what = match["what"]
    return what if match["word"] == "Revert" else f'Revert "{what}"'


def named_changes(message: str) -> tuple[str, ...]:
    """What a revert without an id takes back, as `names` of that change, surest first."""
    pull = _PULL.search(message)
    subject = named_subject(message.partition("\n")[0].rstrip())
    number = (f"#{pull['number']}",) if pull is not None else ()
    return number if subject is None else (*number, *numbers(subject), without_number(subject))


def names(message: str) -> tuple[str, ...]:
    """What a later revert may call this change: its subject, the title of the request that it merged, its number."""
    subject, _, rest = message.partition("\n")
    subject = subject.rstrip()
    if subject.startswith("Merge "):
        pull = _MERGED_PULL.match(subject)
        title = rest[:1000].strip().partition("\n")[0].rstrip()
        return tuple(filter(None, (subject, without_number(title), pull[1] if pull is not None else "")))
    return (without_number(subject), *numbers(subject))


def numbers(subject: str) -> tuple[str, ...]:
    """The numbers that hosts appended to a subject when they squashed, as `#12`."""
    behind = _NUMBERED.search(subject) if subject.endswith(")") else None
    return tuple(behind[0].strip(" ()").split(") (")) if behind is not None else ()


def without_number(subject: str) -> str:
    """The subject without the numbers that a squashing host appends."""
    return _NUMBERED.sub("", subject) if subject.endswith(")") else subject
