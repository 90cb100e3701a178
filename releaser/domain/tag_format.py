"""Guessing how a repository calls its release tags, for whoever has not said it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from releaser.domain.version import InvalidTagFormatError, Scheme, TagFormat

_NUMBERED = re.compile(r"(?P<before>.*?[^0-9.]|)(?P<number>[0-9]+\.[0-9]+(?:\.[0-9]+)?)(?P<after>.*)")
_CANDIDATE = re.compile(r"[-.]?(?:alpha|beta|rc|a|b)[.-]?[0-9]*$", re.IGNORECASE)
_MOST_TRIED = 8


def guess_tag_format(names: Iterable[str], *, scheme: Scheme) -> TagFormat:
    """The format that the most of the tags carry a version in; `{version}` where none does."""
    known = list(names)
    seen = Counter(text for name in known if (text := _format_of(name)))
    best, most = TagFormat(scheme=scheme), 0
    for text in ("{version}", *(text for text, _ in seen.most_common(_MOST_TRIED))):
        try:
            tried = TagFormat(scheme=scheme, text=text)
        except InvalidTagFormatError:
            continue
        count = sum(tried.version_of(name) is not None for name in known)
        if count > most:
            best, most = tried, count
    return best


def is_numbered(name: str) -> bool:
    """Whether a tag's name has a number with a point in it, as versions have, or the old habit of `1_396`."""
    return _NUMBERED.fullmatch(name.replace("_", ".")) is not None


def _format_of(name: str) -> str:
    """What the tag's format would be if its first number were the version."""
    found = _NUMBERED.fullmatch(name)
    if found is None or "{" in name:
        return ""
    return f"{found['before']}{{version}}{_CANDIDATE.sub('', found['after'])}"
