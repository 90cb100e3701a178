"""Tags of a repository that made no release though they look as if they should: somebody has to be told once, shortly.

Two kinds: tags that double a version which another tag carries, and tags with a number in them that is no version by the scheme,
or that are called otherwise than the others. What carries no number (`nightly`) was never meant to be a version. Where a person said
how tags are called, those that are called otherwise are somebody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from releaser.domain.history import History, Refs, TagTrouble, UnreadTag
from releaser.domain.tag_format import is_numbered
from releaser.domain.version import Scheme, TagFormat

MANY = 4
"""More than one tag of so many is many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """A tag that was left out because `chosen` carries its `version`; `is_same` when both lead to one commit."""

    tag: str
    version: str
    chosen: str
    is_same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was left out; `scheme` is another one by which there were `readable` releases, more than there are, if there is one."""

    doubles: tuple[Double, ...]
    ignored: tuple[str, ...]
    scheme: Scheme | None
    readable: int


def left_out(history: History, refs: Refs, tag_format: TagFormat, *, is_said: bool, is_first: bool) -> LeftOut:
    """What was left out of a history that was read from `refs`. `is_said`: a person said the format, it was not guessed.

    What changes no answer much is told where the repository `is_first` read, and then no more: a few odd tags among many, and
    doubles that lead to the same commit.
    """
    unread = history.unread_tags
    ignored = [one.name for one in unread if one.trouble is not TagTrouble.DUPLICATE and is_numbered(one.name)]
    if is_said:
        ignored = [name for name in ignored if _is_called_so(name, tag_format)]
    are_many = len(ignored) * MANY > len(refs.tags)
    doubles = _doubles(history, refs, [one for one in unread if one.trouble is TagTrouble.DUPLICATE])
    scheme, readable = _better(refs, tag_format, known=len(history.releases)) if are_many else (None, 0)
    return LeftOut(
        doubles=doubles if is_first else tuple(one for one in doubles if not one.is_same),
        ignored=tuple(ignored) if is_first or are_many else (),
        scheme=scheme,
        readable=readable,
    )


def _doubles(history: History, refs: Refs, tags: Sequence[UnreadTag]) -> tuple[Double, ...]:
    if not tags:
        return ()
    commits = {tag.name: tag.commit for tag in refs.tags}
    found = [(tag, history.release(tag.version)) for tag in tags if tag.version is not None]
    return tuple(
        Double(
            tag=tag.name,
            version=release.version.text,
            chosen=release.tag,
            is_same=commits.get(tag.name) == release.commit,
        )
        for tag, release in found
        if release is not None
    )


def _is_called_so(name: str, tag_format: TagFormat) -> bool:
    before, _, after = tag_format.text.partition("{version}")
    return name.startswith(before) and name.endswith(after) and name[len(before) : len(before) + 1].isdigit()


def _better(refs: Refs, tag_format: TagFormat, *, known: int) -> tuple[Scheme | None, int]:
    """The other scheme that reads most tags, and how many, if these are more than are `known`."""
    counts = {}
    for scheme in Scheme:
        if scheme is not tag_format.scheme:
            tried = TagFormat(scheme=scheme, text=tag_format.text)
            counts[scheme] = len({version for tag in refs.tags if (version := tried.version_of(tag.name)) is not None})
    best = max(counts, key=lambda one: counts[one])
    return (best, counts[best]) if counts[best] > known else (None, 0)
