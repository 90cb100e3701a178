"""Who writes the commits of a generated history, and what: names, conventional subjects, bodies, ticket keys, trailers.

Everything comes from one source of chance, used by `random()` alone: its row is the same in every version of Python.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


def _words(text: str) -> list[str]:
    return text.split()


_GIVEN = _words(
    "Ada Björn Chloé Dmitri Eun Fatima Grace Håkan Ines Jürgen Kateřina Łukasz Mei Nadia Omar Priya Quentin Rosa Sven Юлия"
)
_FAMILY = _words(
    "Abe Berg Castro Dąbrowski Eriksson Fischer García Haddad Ivanova Jansen Kim Lefèvre Moreau Novák Okafor Petrov Quist "
    "Rossi Sato Tanaka Ueda Virtanen Weber Xu Yilmaz Zhang Ångström Brown Costa Dubois Evans Farkas Gupta Horvat Иванов"
)
_ZONES = ("+0000", "+0100", "+0200", "+0300", "+0530", "+0900", "-0500", "-0700")
_TYPES = _words("fix " * 9 + "feat " * 5 + "refactor refactor docs test test chore chore perf build ci style")
_SCOPES = _words(
    "api auth billing cache cart catalog cli core db events export http i18n import jobs mail orders parser queue reports "
    "search stock ui webhook"
)
_VERBS = _words(
    "add allow avoid check clean correct drop extend handle improve keep limit make move prevent read reduce remove rename "
    "replace report restore retry simplify skip split support update use validate"
)
_NOUNS = _words(
    "address account archive attribute backend batch branch buffer button cache client column command configuration connection "
    "context cookie customer database default dependency dialog endpoint entry error event export field file filter form "
    "handler header history identifier image index input invoice item job key label language layout limit line link list "
    "lock login message metric migration model module name node notification number option order package page parameter "
    "password path payment permission plugin price process product profile project property query queue record redirect "
    "reference release report request response result role row rule schedule schema script section selector server service "
    "session setting shipment signature snapshot socket state status stock stream string summary table task template tenant "
    "test thread ticket timeout token total transaction translation type update upload user validation value variable "
    "version view warehouse warning webhook widget window worker zone"
)
_JOINTS = _words(
    "after and before but for from if in instead of into of on only out of so that the to when where while with without"
)


@dataclass(frozen=True, slots=True)
class Author:
    """One of the people of a generated history."""

    name: str
    zone: str


class Chance:
    """A source of chance with a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed).random  # noqa: S311 -- the same history every time

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return int(self.draw() * bound)

    def one(self, among: Sequence[T]) -> T:
        """One of them, each as likely."""
        return among[int(self.draw() * len(among))]

    def early(self, among: Sequence[T]) -> T:
        """One of them, the first ones much likelier: few people write most of what is written."""
        return among[int(self.draw() ** 3 * len(among))]


class Messages:
    """Authors and messages, made as they are asked for."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self.authors = self._people()
        self._phrases = [self._phrase() for _ in range(6000)]
        self._ticket = 100
        self._pull = 100

    def _people(self) -> list[Author]:
        names = [f"{given} {family}" for given in _GIVEN for family in _FAMILY]
        ordered = sorted(names, key=lambda _: self._chance.draw())
        return [
            Author(f"{name} <author-{number}@example.org>", self._chance.one(_ZONES))
            for number, name in enumerate(ordered)
        ]

    def _phrase(self) -> str:
        one = self._chance.one
        return f"{one(_NOUNS)} {one(_NOUNS)} {one(_JOINTS)} {one(_NOUNS)}"

    def author(self) -> Author:
        """Somebody; few of the several hundred write most."""
        return self._chance.early(self.authors)

    def pull(self) -> int:
        """The number of the next pull request."""
        self._pull += 1 + self._chance.below(3)
        return self._pull

    def change(self) -> tuple[str, str]:
        """A change's subject (conventional in nine of ten) and its body, which half of them have."""
        chance, ticket = self._chance, self._ticket_key()
        text = f"{chance.one(_VERBS)} {chance.one(self._phrases)}"
        if chance.draw() < 0.9:
            scope = f"({chance.one(_SCOPES)})" if chance.draw() < 0.6 else ""
            text = f"{chance.one(_TYPES)}{scope}{'!' if chance.draw() < 0.004 else ''}: {text}"
        else:
            text = text.capitalize()
        if ticket and chance.draw() < 0.5:
            text, ticket = f"{text} ({ticket})", ""
        elif chance.draw() < 0.3:
            text = f"{text} (#{self.pull()})"
        return text, self._body(ticket)

    def _ticket_key(self) -> str:
        """A ticket's key in three of ten; several commits are for one ticket."""
        if self._chance.draw() >= 0.3:
            return ""
        if self._chance.draw() < 0.4:
            self._ticket += 1
        return f"PROJ-{self._ticket - int(60 * self._chance.draw() ** 2)}"

    def _body(self, ticket: str) -> str:
        chance, parts = self._chance, []
        if chance.draw() < 0.5:
            parts += [self._paragraph() for _ in range(1 + int(4 * chance.draw() ** 2))]
        trailers = [f"{chance.one(('Fixes', 'Fixes', 'Refs', 'See'))} {ticket}"] if ticket else []
        if chance.draw() < 0.3:
            trailers.append(f"Signed-off-by: {self.author().name}")
        if chance.draw() < 0.08:
            trailers.append(f"Co-authored-by: {self.author().name}")
        if trailers:
            parts.append("\n".join(trailers))
        return "\n\n".join(parts)

    def _paragraph(self) -> str:
        chance = self._chance
        lead = "* " if chance.draw() < 0.2 else ""
        return "\n".join(
            f"{lead}{chance.one(_VERBS)} {chance.one(self._phrases)} {chance.one(self._phrases)}".capitalize()
            for _ in range(1 + chance.below(5))
        )
