"""Texts of tickets under embargo, kept back from answers that anybody can read until the embargo is over.

Rules: the ticket's key, its statuses, its commits' ids and where they are stay told, for they say what is where and not what
it is about. Kept back are texts: titles, subjects of commits, reasons that people gave. A commit is under embargo with every
ticket it names, a copy of one that fixes such a ticket is too, and so is what takes either back, since it quotes it.

What does not live here: notes and changelogs, which tell customers nothing at all of such a ticket (`domain.changelog`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from releaser.i18n import Translator, translator

Untold = Callable[[datetime], str]
"""What stands in a text's place, given the end of its embargo."""

_TEXTS = frozenset({"title", "subject", "reason", "lift_reason", "revoke_reason", "override", "warning"})
_NAMING = ("ticket", "key", "commit", "id")
_LISTING = ("tickets", "commits")
_APART = frozenset({"installations", "rollouts", "releases"})
"""Parts of a ticket's thread with titles and reasons that are not the ticket's."""
_Facts = TypeVar("_Facts")


def untold_in(t: Translator, zone: str = "UTC") -> Untold:
    """What is said in a reader's language and zone."""
    return lambda until: t("under embargo until {when}", when=t.instant(until, zone))


def untold(until: datetime) -> str:
    """What is said where nobody chose a language: in English, in UTC."""
    return untold_in(translator("en"))(until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Veil:
    """What one product keeps back now: ticket, and commit's full id, to the end of the embargo."""

    tickets: Mapping[str, datetime] = field(default_factory=dict)
    commits: Mapping[str, datetime] = field(default_factory=dict)

    def until(self, *, ticket: str = "", commit: str = "") -> datetime | None:
        """When what names this ticket or is this commit may be told; None where it may be now."""
        found = (self.tickets.get(ticket), self.commits.get(commit))
        return max((one for one in found if one is not None), default=None)

    def over(self, facts: _Facts, told: Untold | None) -> _Facts:
        """Plain data with `told` in place of every text under embargo, and `embargo_until` beside it.

        What it is about is told by its own `ticket`, `key`, `commit` and the like, and holds for all that is in it. Without
        `told` the reader is an internal one, and everything is as it was.
        """
        if told is None or not self.tickets:
            return facts
        veiled: _Facts = self._over(facts, told, None)
        return veiled

    def _over(self, facts: Any, told: Untold, until: datetime | None) -> Any:  # noqa: ANN401 -- plain data
        if isinstance(facts, list):
            return [self._over(one, told, until) for one in facts]
        if not isinstance(facts, Mapping):
            return facts
        ends = max((one for one in (until, *self._ends(facts)) if one is not None), default=None)
        made = {name: self._part(name, value, told, ends) for name, value in facts.items()}
        if ends is not None and any(made[name] != value for name, value in facts.items() if name in _TEXTS):
            made["embargo_until"] = ends
        return made

    def _part(self, name: str, value: Any, told: Untold, until: datetime | None) -> Any:  # noqa: ANN401 -- plain data
        if isinstance(value, str):
            return told(until) if until is not None and value and name in _TEXTS else value
        return self._over(value, told, None if name in _APART else until)

    def _ends(self, facts: Mapping[str, Any]) -> Iterator[datetime | None]:
        names = [facts.get(name) for name in _NAMING]
        listed = [one for name in _LISTING if isinstance(found := facts.get(name), list) for one in found]
        for name in [*names, *listed]:
            if isinstance(name, str):
                yield self.until(ticket=name, commit=name)
