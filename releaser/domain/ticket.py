"""Which tickets a commit message names, and whether it says that it solves them.

Rules: whole keys only (`PROJ-1` is not in `PROJ-12`), not in URLs, not in quoted lines, not in the quoted subject of a
revert or in other quotation marks. A key *fixes* when a closing word leads to it ("fixes", "closes", "resolves") or when
it stands in the subject of a commit that is no merge, or leads or ends an item of a squash's list, unless a word such as
"see", "refs" or "part of" leads to it; elsewhere it *refs*. Where a subject takes something back, keys in passing *refs*.

What does not live here: how keys look (`domain.ticket_patterns`), and a request's life (`domain.request`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from releaser.domain.quoting import is_quoted
from releaser.domain.ticket_patterns import MAX_KEY, Span, TicketPatterns

# What the default pattern would take for keys; a product that really has such a project names its own pattern.
_NOT_KEYS = ("AES-", "CVE-", "HTTP-", "IEEE-", "ISO-", "MD-", "RFC-", "RSA-", "SHA-", "TLS-", "UTF-")


class TicketRelation(StrEnum):
    """What a commit says of a ticket: that it solves it, or that it has to do with it."""

    FIXES = "fixes"
    REFS = "refs"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLink:
    """One ticket named by a commit."""

    key: str
    relation: TicketRelation


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
