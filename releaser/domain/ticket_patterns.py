r"""How a product's ticket keys look, and where texts hold such.

Patterns come from users, messages from anybody: they are run by RE2, whose time is linear in the text whatever the
pattern, so no pattern can hang a collect; only a plain text with digits goes to Python's own engine. (Checking patterns for
Python's own engine was the alternative: nested repeats can be found, but a row of plain ones such as `\d+\d+\d+x` is slow too,
and refusing it would need explaining.)

What does not live here: what a message says of a key that it holds (`domain.ticket`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, islice

import re2

from releaser.domain.joined import Joined
from releaser.errors import InvalidError

MAX_PATTERN = 200
MAX_KEY = 120
# A message of megabytes may be nothing but keys; more than these many are nobody's work.
MAX_MATCHES = 1000
DEFAULT_PATTERN = r"[A-Z][A-Z0-9]+-[1-9][0-9]*"
# The same as far as keys go, none of which is longer than `MAX_KEY`: so bounded, Python's own engine is safe with it, and quicker.
_BOUNDED = rf"[A-Z][A-Z0-9]{{1,{MAX_KEY}}}-[1-9][0-9]*"

Span = tuple[int, int, str]
"""Where a match starts and ends, and the key in it."""
Finder = Callable[[str], list[Span]]


class InvalidTicketPatternError(InvalidError):
    """The pattern cannot be used to find ticket keys; says why."""


class TicketPatterns:
    """A product's ticket key patterns, checked and ready: RE2 syntax, a named group `key` may mark the key proper."""

    __slots__ = ("_ready", "guarded", "texts")

    def __init__(self, texts: Sequence[str] = (DEFAULT_PATTERN,)) -> None:
        """Raises `InvalidTicketPatternError`. No pattern at all is allowed: then no ticket is ever found."""
        self.texts = tuple(texts)
        self.guarded = DEFAULT_PATTERN in self.texts
        self._ready = tuple((_literal_start(text), _compiled(text)) for text in self.texts)

    def found(self, messages: Joined) -> Iterable[tuple[int, list[Span]]]:
        """The places of those of many messages that `spans` finds anything in, ascending, and what it finds."""
        if self.texts == (DEFAULT_PATTERN,):
            return _default_keys(messages)
        spans = self.spans
        texts = messages.texts
        return [(place, found) for place in self._hopeful(texts) if (found := spans(texts[place]))]

    def _hopeful(self, messages: Sequence[str]) -> Iterable[int]:
        """The places of the messages worth a closer look: all that hold some pattern's fixed start."""
        literals = [literal for literal, _ in self._ready]
        if not all(literals):
            return self._matching(messages)
        return [place for place, message in enumerate(messages) if any(one in message for one in literals)]

    def _matching(self, messages: Sequence[str]) -> Iterable[int]:
        """Every message that some pattern matches, and perhaps some more: one search in all of them instead of one in each."""
        if any(_ANCHORED.search(text) for text in self.texts):
            # Where a message begins and ends is not seen in the midst of others.
            return range(len(messages))
        raw = [message.encode("utf-8", "surrogatepass") for message in messages]
        ends = list(accumulate(len(one) + 1 for one in raw))
        whole = b"\0".join(raw)
        found: set[int] = set()
        for pattern in map(re2.compile, self.texts):
            for match in pattern.finditer(whole):
                start, end = match.span()
                # What reaches over a border may hide a match in any message that it touches.
                found.update(range(bisect_right(ends, start), bisect_right(ends, end - 1) + 1))
        return sorted(found)

    def spans(self, message: str) -> list[Span]:
        """Every match as `(start, end, key)` in text order, overlaps removed, whole keys or not."""
        found: list[Span] = []
        for literal, find in self._ready:
            # Looking for the fixed start first is much faster than any engine: most messages name no ticket.
            if not literal or literal in message:
                found += find(message)
        return found if len(self._ready) < 2 else _apart(found)


_HYPHEN = re.compile("-[1-9]")
_DIGITS = re.compile("[0-9]*")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_NEAR = 16


def _default_keys(messages: Joined) -> list[tuple[int, list[Span]]]:
    """What the default pattern finds: from the hyphens on, which are found much faster than letters that may begin a key."""
    whole, starts = messages.whole, messages.starts
    found: list[tuple[int, list[Span]]] = []
    place, first, following = -1, 0, 0
    spans: list[Span] = []
    for hit in _HYPHEN.finditer(whole):
        at = hit.start()
        if whole[at - 1] not in _LETTERS or not (name := _name_before(whole, at)):
            continue
        if at >= following:
            place = messages.place(at)
            first, following = starts[place], starts[place + 1]
            spans = []
            found.append((place, spans))
        if len(spans) < MAX_MATCHES:
            end = _DIGITS.match(whole, at + 1).end()  # type: ignore[union-attr]  # it matches nothing, too
            start = at - len(name)
            spans.append((start - first, end - first, whole[start:end]))
    return found


def _name_before(text: str, at: int) -> str:
    """The project's name that ends before the hyphen `at`; empty if none does."""
    for near in (_NEAR, MAX_KEY):
        before = text[max(0, at - near) : at]
        run = before[len(before.rstrip(_LETTERS)) :]
        if len(run) < len(before) or at <= near:
            name = run.lstrip("0123456789")
            return name if len(name) > 1 else ""
    return ""


def _apart(found: list[Span]) -> list[Span]:
    """Matches of several patterns in text order; of overlapping ones the first and longest stays."""
    kept: list[Span] = []
    for one in sorted(found, key=lambda match: (match[0], -match[1])):
        if not kept or one[0] >= kept[-1][1]:
            kept.append(one)
    return kept


# A text followed by digits, which most patterns are: no way of matching it costs Python's own engine more than linear
# time, and that engine has much less to do for each match.
_PLAIN = re.compile(r"[A-Za-z0-9_#/-]{1,40}(?:\\d\+|\[0-9\]\+|\[1-9\]\[0-9\]\*)")
_ANCHORED = re.compile(r"[\^$]|\\[AzZbB]|\(\?")
_SPECIAL = frozenset(r"\.[](){}*+?|^$#")


def _literal_start(pattern: str) -> str:
    """The text every match begins with, as far as that can be seen without a parser; empty when unsure."""
    if "|" in pattern or "(?" in pattern:
        return ""
    end = next((n for n, character in enumerate(pattern) if character in _SPECIAL), len(pattern))
    # A repeat belongs to the character before it.
    return pattern[: max(0, end - 1)] if pattern[end : end + 1] in {"*", "?", "{", "+"} else pattern[:end]


def _compiled(text: str) -> Finder:
    """The pattern as a function. Raises `InvalidTicketPatternError`."""

    def refused(why: str) -> InvalidTicketPatternError:
        return InvalidTicketPatternError(
            f"Ticket pattern {text[:80]!a} {why}.",
            advice=r"Write it like 'PROJ-\d+'; keys are matched whole anyway, without look-around.",
            field="ticket_pattern",
        )

    if not text or len(text) > MAX_PATTERN:
        raise refused(f"has {len(text)} characters, and 1 to {MAX_PATTERN} are allowed")
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text, options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise refused(f"is not understood: {shown}") from error
    if pattern.search("") is not None:
        raise refused("matches the empty text")
    if text == DEFAULT_PATTERN:
        return _plain_finder(_BOUNDED)
    return _plain_finder(text) if _PLAIN.fullmatch(text) else _finder(pattern, pattern.groupindex.get("key", 0))


def _plain_finder(text: str) -> Finder:
    pattern = re.compile(text, re.ASCII)

    def find(message: str) -> list[Span]:
        return [(*match.span(), match[0]) for match in islice(pattern.finditer(message), MAX_MATCHES)]

    return find


def _finder(pattern: re2._Regexp, group: int) -> Finder:
    def find(message: str) -> list[Span]:
        found: list[Span] = []
        # On ASCII the engine's byte offsets are ours, which spares it translating each. Halves of letters are none to it.
        text = message.encode() if message.isascii() else message.encode("utf-8", "replace").decode()
        for match in islice(pattern.finditer(text), MAX_MATCHES):
            start, end = match.span(group)
            found.append((*match.span(), message[start:end]))
        return found

    return find
