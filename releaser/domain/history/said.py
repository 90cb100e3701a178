"""What commits say of themselves, taken out of batches while git is still busy with the next ones.

Only what a commit holds decides here, nothing of what surrounds it: it is kept as it is for ever. Messages are looked at once;
what is told of them later is read again from the repository.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zlib import adler32, crc32

from releaser.domain.history.picks import named_sources, quoted_sources
from releaser.domain.history.records import OUTSIDE, CommitBatch
from releaser.domain.history.reverts import named_changes, named_ids, names, reverting
from releaser.domain.joined import Joined
from releaser.domain.ticket import TicketRelation, relations_of
from releaser.domain.ticket_patterns import TicketPatterns

_FURTHEST = 2**62
_Key = TypeVar("_Key")
NAMELESS = 1 << 32
"""What `name_key` makes of no name at all."""
ELSEWHERE = 0
"""Instead of the name of a commit that is `OUTSIDE`."""
UNNAMED = frozenset({NAMELESS, ELSEWHERE})
"""What tells nothing, however many share it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a commit says it takes back: ids, or names of changes, surest first; and the picks that it quotes, nearest first."""

    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    quoted: tuple[str, ...] = ()


def name_key(name: str) -> int:
    """A number for what a change is called: 64 bits that two names share by chance only. `NAMELESS` for none."""
    raw = name.encode("utf-8", "surrogatepass")
    return crc32(raw) | adler32(raw) << 32


class Numbers(dict[_Key, int]):
    """Gives every key that is asked for a number of its own, counting up."""

    def __missing__(self, key: _Key) -> int:
        number = self[key] = len(self)
        return number


def _name_keys(names: Sequence[str]) -> list[int]:
    try:
        return [crc32(raw) | adler32(raw) << 32 for raw in map(str.encode, names)]
    except UnicodeEncodeError:
        return list(map(name_key, names))


@dataclass(slots=True, kw_only=True)
class Said:
    """Some commits as columns, in the order git prints them (children first). Keys of dictionaries are places here.

    `authors` numbers pairs of name and mail, `tickets` numbers keys: they may come with those of earlier commits in them.
    """

    authors: Numbers[tuple[str, str]] = field(default_factory=Numbers)
    tickets: dict[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    """Ids joined by blanks; `merges` are the places where there are several."""
    merges: list[int] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    authored: array[int] = field(default_factory=lambda: array("q"))
    committed: array[int] = field(default_factory=lambda: array("q"))
    author: array[int] = field(default_factory=lambda: array("i"))
    name: array[int] = field(default_factory=lambda: array("Q"))
    """What a later revert may call the commit, as `name_key`; more names of a few stand in `more_names`."""
    more_names: list[tuple[int, int]] = field(default_factory=list)
    sources: dict[int, tuple[str, ...]] = field(default_factory=dict)
    claims: dict[int, Claim] = field(default_factory=dict)
    links: dict[int, tuple[tuple[int, bool], ...]] = field(default_factory=dict)
    """The tickets that a commit names, by number, and whether it fixes them."""
    together: set[int] = field(default_factory=set)
    """Commits written at the same second as another of these."""
    messages: list[str] = field(default_factory=list)
    _first: dict[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, batch: CommitBatch, patterns: TicketPatterns) -> None:
        """Take some more commits, all older than or beside those before."""
        base = len(self.ids)
        self.places.update(zip(batch.ids, range(base, base + len(batch.ids)), strict=True))
        self.ids += batch.ids
        self.parents += batch.parents
        self.merges += [place for place, text in enumerate(batch.parents, start=base) if " " in text]
        self._date(base, _seconds(batch.authored))
        self.committed.extend(_seconds(batch.committed))
        self.author.extend(map(self.authors.__getitem__, zip(batch.names, batch.mails, strict=True)))
        self.messages += batch.messages
        joined = Joined(batch.messages)
        self._look_through(base, joined)
        self._name(base, batch.messages)
        self._link(base, joined, patterns)

    def leave_out(self, printed: Collection[int]) -> None:
        """Take some commits out again."""
        kept = [place for place in range(len(self.ids)) if place not in printed]
        now = {old: new for new, old in enumerate(kept)}
        for column in (self.ids, self.parents, self.messages):
            column[:] = [column[place] for place in kept]
        for numbers in (self.authored, self.committed, self.author, self.name):
            numbers[:] = array(numbers.typecode, [numbers[place] for place in kept])
        self.places = dict(zip(self.ids, range(len(self.ids)), strict=True))
        self.merges = [now[place] for place in self.merges if place in now]
        self.together = {now[place] for place in self.together if place in now}
        self.more_names = [(now[place], key) for place, key in self.more_names if place in now]
        self.sources = {now[place]: ids for place, ids in self.sources.items() if place in now}
        self.claims = {now[place]: claim for place, claim in self.claims.items() if place in now}
        self.links = {now[place]: links for place, links in self.links.items() if place in now}

    def _date(self, base: int, seconds: Sequence[int]) -> None:
        self.authored.extend(seconds)
        first = map(self._first.setdefault, seconds, range(base, base + len(seconds)))
        for place, other in enumerate(first, start=base):
            if other != place:
                self.together.update((other, place))

    def _look_through(self, base: int, joined: Joined) -> None:
        messages = joined.texts
        for place in joined.holding("picked"):
            if named := named_sources(messages[place]):
                self.sources[base + place] = named
        for place in reverting(joined):
            message = messages[place]
            ids, changes = named_ids(message), named_changes(message)
            if ids or changes:
                self.claims[base + place] = Claim(ids=ids, names=changes, quoted=quoted_sources(message))

    def _name(self, base: int, messages: Sequence[str]) -> None:
        """Nearly every message has one name, its first line; those that may have more are looked at closely."""
        # A slice copies only what is wanted of a message.
        ends = [message.find("\n") for message in messages]
        lines = [(one[:end] if end >= 0 else one).rstrip() for one, end in zip(messages, ends, strict=True)]
        others: list[tuple[int, str]] = []
        for place in [place for place, line in enumerate(lines) if line[-1:] == ")" or line[:6] == "Merge "]:
            line = lines[place]
            bare, opening, number = line[:-1].rpartition(" (#")
            if line[:6] == "Merge " or (opening and not _is_plain_number(number, bare)):
                lines[place], *more = names(messages[place])
                others += ((place, one) for one in more)
            elif opening:
                # By far the most often one number of a host; whatever is less plain is left to the rule itself.
                lines[place] = bare
                others.append((place, f"#{number}"))
        self.name.extend(_name_keys(lines))
        for place in [place for place, message in enumerate(messages) if message == OUTSIDE]:
            self.name[base + place] = ELSEWHERE
        self.more_names += zip(
            [base + place for place, _ in others], _name_keys([one for _, one in others]), strict=True
        )

    def _link(self, base: int, joined: Joined, patterns: TicketPatterns) -> None:
        tickets, fixes, is_guarded = self.tickets, TicketRelation.FIXES, patterns.guarded
        for place, spans in patterns.found(joined):
            related = relations_of(joined.texts[place], spans, is_guarded=is_guarded)
            if related:
                self.links[base + place] = tuple(
                    [(tickets.setdefault(key, len(tickets)), relation is fixes) for key, relation in related.items()]
                )


def _is_plain_number(number: str, bare: str) -> bool:
    return number.isdecimal() and number.isascii() and len(number) < 10 and bare[-1:] != ")"


def _seconds(texts: Sequence[str]) -> Sequence[int]:
    """Seconds as numbers. Broken author lines have none, and hostile ones are beyond any clock."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        numbers = [int(text) if text.isascii() and text.isdigit() else 0 for text in texts]
    return (
        numbers
        if not numbers or max(map(abs, numbers)) < _FURTHEST
        else [n if abs(n) < _FURTHEST else 0 for n in numbers]
    )
