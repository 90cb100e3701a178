r"""Which tickets a commit message names, and whether it says that it solves them.

Rules: whole keys only (`PROJ-1` is not in `PROJ-12`), not in URLs, not in quoted lines, not in the quoted subject of a
revert or in other quotation marks. A key *fixes* when a closing word leads to it ("fixes", "closes", "resolves") or when
it stands in the subject of a commit that is no merge, or leads or ends an item of a squash's list, unless a word such as
"see", "refs" or "part of" leads to it; elsewhere it *refs*. Where a subject takes something back, keys in passing *refs*.

Patterns come from users, messages from anybody: they are run by RE2, whose time is linear in the text whatever the
pattern, so no pattern can hang a collect; only a plain text with digits goes to Python's own engine. (Checking patterns for Python's own engine was the alternative: nested
repeats can be found, but a row of plain ones such as `\d+\d+\d+x` is slow too, and refusing it would need explaining.)

What does not live here: a request's life (`domain.request`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, islice

import re2

from releaser.domain.joined import Joined
from releaser.domain.quoting import is_quoted
from releaser.errors import InvalidError

MAX_PATTERN = 200
MAX_KEY = 120
# A message of megabytes may be nothing but keys; more than these many are nobody's work.
MAX_MATCHES = 1000
DEFAULT_PATTERN = r"[A-Z][A-Z0-9]+-[1-9][0-9]*"
# The same as far as keys go, none of which is longer than `MAX_KEY`: so bounded, Python's own engine is safe with it, and quicker.
_BOUNDED = rf"[A-Z][A-Z0-9]{{1,{MAX_KEY}}}-[1-9][0-9]*"
# What the default pattern would take for keys; a product that really has such a project names its own pattern.
_NOT_KEYS = ("AES-", "CVE-", "HTTP-", "IEEE-", "ISO-", "MD-", "RFC-", "RSA-", "SHA-", "TLS-", "UTF-")


Span = tuple[int, int, str]
"""Where a match starts and ends, and the key in it."""
Finder = Callable[[str], list[Span]]


class InvalidTicketPatternError(InvalidError):
    """The pattern cannot be used to find ticket keys; says why."""


class TicketRelation(StrEnum):
    """What a commit says of a ticket: that it solves it, or that it has to do with it."""

    FIXES = "fixes"
    REFS = "refs"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLink:
    """One ticket named by a commit."""

    key: str
    relation: TicketRelation


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


_CLOSING = re.compile(
    r"(?P<not>(?:\b(?:not|never|cannot|partial(?:ly)?|partly|не|частично)|n['\u2019]t)\s+(?:(?!and\b|but\b|only\b|just\b)\w{1,12}\s+)?)?"
    r"\b(?:fix(?:e[sd]|ing)?|clos(?:e[sd]?|ing)|resolv(?:e[sd]?|ing)|solve[sd]?|implement(?:s|ed)|"
    r"исправ\w{1,12}|закры\w{1,12}|реш\w{1,12})"
    r"(?:-(?:bug|issue|ticket))?(?:\s+(?:issues?|bugs?|tickets?|for))?[\s:#\[(]*$",
    re.IGNORECASE,
)
_REFERRING = re.compile(
    r"\b(?:refs?|references?|see(?:\s+also)?|cf|part\s+of|relate[sd]?\s+to|follow(?:-|\s)?up\s+(?:to|of|for|on)|for|"
    r"towards?|after|since|like|from|in|by|of|reverts?|reverted|reverting|undo|noting|mentions?|mentioning|"
    r"см|к|для)[.:]?[\s#\[(]*$",
    re.IGNORECASE,
)
_REFERRING_ENDS = (
    *(
        "ref",
        "refs",
        "reference",
        "references",
        "see",
        "also",
        "cf",
        "of",
        "to",
        "for",
        "on",
        "toward",
        "towards",
        "after",
    ),
    *("since", "like", "from", "in", "by", "revert", "reverts", "reverted", "reverting", "undo", "noting", "mention"),
    *("mentions", "mentioning", "см", "к", "для"),
)
# "Reverting 1a2b3c4. PROJ-1 is no candidate": what is taken back solves nothing that it names in passing.
_TAKING_BACK = re.compile(
    r"\W*(?:revert(?:s|ed|ing)?|back(?:s|ed|ing)?[ -]out|roll(?:s|ed|ing)?[ -]?back|undo(?:es|ing)?|откат\w{0,8})\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\s+(?:is|was|has|does|did)(?:\s+(?:not|no)\b|n['\u2019]t\b)", re.IGNORECASE)
# In the body of a squash each subject of the squashed commits is an item of a list.
_ITEM = re.compile(r"\s*[*+-]\s+[\s\[(]*$")
_BULLETS = {"* ", "- ", "+ "}
_ITEMS_END = re.compile(r"[\])]*(?:\s*\(#[0-9]{1,9}\))*\s*$")
_LISTED = re.compile(r"[\s,;&+/\])]*(?:and|и|,)?[\s#\[(]*")
_ENDS_URL = re.compile(r"[\s<>\"'`]")
_OPENS_QUOTE = re.compile(r'(?:^|[\s(\[:,;])["\u201c\u00ab](?!\s)[^"\u201d\u00bb]*$')
_CLOSES_QUOTE = re.compile(r'["\u201d\u00bb]')
_LOOK_BACK = 48
_LONGEST_URL = 2000
_LIST_GAP = 16


def ticket_links(message: str, patterns: TicketPatterns) -> tuple[TicketLink, ...]:
    """The tickets a message names, each once, in the order they appear; *fixes* wins over *refs* of the same key."""
    related = relations_of(message, patterns.spans(message), is_guarded=patterns.guarded)
    return tuple([TicketLink(key=key, relation=relation) for key, relation in related.items()])


def relations_of(message: str, spans: Sequence[Span], *, is_guarded: bool) -> dict[str, TicketRelation]:
    """Likewise of what a pattern found in a message; `is_guarded` where what only looks like a key is left out."""
    if not spans:
        return {}
    merges = message.startswith("Merge ")
    subject_end = -1 if merges else message.find("\n") % (len(message) + 1)
    relations: dict[str, TicketRelation] = {}
    last_end, last = -1, TicketRelation.REFS
    for start, end, key in spans:
        if not _stands_alone(message, start, end, key) or (is_guarded and key.startswith(_NOT_KEYS)):
            continue
        relation = TicketRelation.FIXES
        if start or subject_end < 0:
            line_start = message.rfind("\n", 0, start) + 1
            before = message[max(line_start, start - _LONGEST_URL) : start]
            # Signs of these are looked for first, here and below: most lines have none, and that is seen much faster.
            if (
                (("Re" in before or ">" in before or len(before) == _LONGEST_URL) and is_quoted(message, start, end))
                or ("://" in before and _in_url(before))
                or (('"' in before or not before.isascii()) and not merges and _in_quotes(message, end, before))
            ):
                continue
            if last_end >= line_start and start - last_end <= _LIST_GAP and _LISTED.fullmatch(message, last_end, start):
                relation = last
            else:
                relation = _relation(message, end, before, in_subject=start < subject_end, merges=merges)
        last_end, last = end, relation
        if relations.get(key) is not TicketRelation.FIXES:
            relations[key] = relation
    return relations


def _stands_alone(message: str, start: int, end: int, key: str) -> bool:
    """Whether the match is a whole key and not a piece of a longer word or key."""
    if not key or len(key) > MAX_KEY or "\n" in key:
        return False
    if start:
        previous = message[start - 1]
        if previous.isalnum() or previous == "_":
            return False
        # `MY-PROJ-1` is another project's key; `fix-PROJ-1` is a branch.
        if previous == "-" and message[start - 2 : start - 1].isupper():
            return False
    following = message[end : end + 1]
    if following == ".":
        # `APP-1.2` is a file or a version; `APP-1.` ends a sentence.
        return not message[end + 1 : end + 2].isdigit()
    return not (following.isalnum() or following == "_")


def _in_url(before: str) -> bool:
    url = before.rfind("://")
    return url >= 0 and _ENDS_URL.search(before, url) is None


def _in_quotes(message: str, end: int, before: str) -> bool:
    """Whether the place is in a quotation of more than the key itself, which is what somebody or something else says."""
    if '"' not in before and (before.isascii() or ("\u201c" not in before and "\u00ab" not in before)):
        return False
    opening = _OPENS_QUOTE.search(before)
    if opening is None:
        return False
    closing = _CLOSES_QUOTE.search(message, end, min(_line_end(message, end), end + _LONGEST_URL))
    if closing is None:
        return False
    return bool(before[opening.start() :].strip(' ([:,;"\u201c\u00ab') or message[end : closing.start()].strip())


def _relation(message: str, end: int, before: str, *, in_subject: bool, merges: bool) -> TicketRelation:
    near = before[-_LOOK_BACK:]
    low = near.lower()
    closing = _CLOSING.search(near) if _closes(low) else None
    if closing is not None:
        return TicketRelation.REFS if closing["not"] else TicketRelation.FIXES
    if not in_subject:
        # What a merge lists are commits of their own.
        return TicketRelation.FIXES if not merges and _is_item(message, end, before) else TicketRelation.REFS
    if (
        (_refers(low) and _REFERRING.search(near))
        or (message[end : end + 1].isspace() and _DENIED.match(message, end))
        or ('"' not in before and _TAKING_BACK.match(before))
    ):
        return TicketRelation.REFS
    return TicketRelation.FIXES


def _closes(low: str) -> bool:
    """Whether there may be a closing word."""
    return (
        "fix" in low
        or "clos" in low
        or "solv" in low
        or "implement" in low
        or (not low.isascii() and ("исправ" in low or "закры" in low or "реш" in low))
    )


def _refers(low: str) -> bool:
    """Whether what leads to a key may end in a word that only refers."""
    return low.rstrip().rstrip("#[( \t\n").rstrip(".:").endswith(_REFERRING_ENDS)


def _is_item(message: str, end: int, before: str) -> bool:
    """Whether the key leads or ends an item of a list, as it would a subject."""
    if _ITEM.fullmatch(before) or (before.startswith("    ") and _follows_date(message, end, before)):
        return True
    return (
        before.endswith(("(", "["))
        and before.lstrip()[:2] in _BULLETS
        and _ITEMS_END.fullmatch(message, end, _line_end(message, end)) is not None
    )


def _follows_date(message: str, end: int, before: str) -> bool:
    """Whether the key leads a subject as `git merge --squash` lists it: indented, below the header of its commit."""
    if before.strip(" [("):
        return False
    line_start = message.rfind("\n", 0, end) + 1
    return message[max(0, line_start - 200) : line_start].rstrip().rpartition("\n")[2].startswith("Date:")


def _line_end(message: str, start: int) -> int:
    return message.find("\n", start) % (len(message) + 1)
