"""What reverts take back or bring back, told as people would: by the changes at the bottom, not by the reverts between.

A revert of a revert brings back, one of that takes back again. Of a revert that names changes and other reverts, what it takes
back itself counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from releaser.domain.history.reverts import named_subject, names, without_number
from releaser.domain.history.texts import subject_of
from releaser.domain.history.views import Undoing
from releaser.domain.ticket import TicketLink

MOST_TOLD = 3
"""So many changes are named by one revert."""
_Named = TypeVar("_Named")
_MERE = re.compile(
    # Ticket keys may stand before it.
    r"(?:\[[^\[\]]{1,60}\][\s:-]*)*(?:(?:this )?revert(?:s|ed|ing)?|back(?:ed|s|ing)?[ -]?out)"
    r"(?: (?:the|merge|commits?|[0-9a-f]{7,64}|\(?[\w./-]*#[0-9]{1,9}\)?))*[:.\s]*$",
    re.IGNORECASE,
)


def bottom_of(revert: _Named, reverts_of: Callable[[_Named], Iterable[_Named]]) -> tuple[list[_Named], bool]:
    """The changes that a revert comes down to, and whether they are back; `reverts_of` has nothing for what is no revert."""
    seen, at, is_again = {revert}, list(reverts_of(revert)), False
    while at and all(any(True for _ in reverts_of(one)) for one in at):
        further = [target for one in at for target in reverts_of(one) if target not in seen]
        if not further:
            break
        at, is_again = list(dict.fromkeys(further)), not is_again
        seen.update(at)
    changes = [one for one in at if not any(True for _ in reverts_of(one))]
    return changes or at, is_again


def undoing_of(subject: str, messages: Sequence[str], links: Iterable[TicketLink], *, is_again: bool) -> Undoing:
    """What a revert with that subject does to the changes of these messages; a merge is called by the title it merged."""
    what = dict.fromkeys(_title(message) for message in messages)
    told = [one for one in what if one] or [unquoted(subject)]
    return Undoing(
        subject="; ".join(told[:MOST_TOLD]) + ("; \u2026" if len(told) > MOST_TOLD else ""),
        own=subject if _says_more(subject, told) else "",
        tickets=tuple({link.key: link for link in links}.values()),
        is_again=is_again,
        message=messages[0] if messages else "",
    )


def _says_more(subject: str, told: Iterable[str]) -> bool:
    """Whether a revert's subject tells more than that it is one, and of what."""
    if named_subject(subject) is not None or _MERE.match(subject):
        return False
    return without_number(subject) not in {without_number(one) for one in told}


def unquoted(subject: str) -> str:
    """What a revert's subject takes back at the bottom: `Revert "Revert "a""` is about `a`."""
    for _ in range(len(subject)):
        inner = named_subject(subject)
        if inner is None or len(inner) >= len(subject):
            break
        subject = inner
    return subject


def _title(message: str) -> str:
    called = names(message)
    merged = called[1] if message.startswith("Merge pull request ") and len(called) > 1 else ""
    title = subject_of(message)
    return merged if merged and not merged.startswith("#") else title
