"""From tags to releases, and from branches to the heads of lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from releaser.domain.history.records import BranchHead, Refs, TagRef
from releaser.domain.history.views import Head, TaggedRelease, TagTrouble, UnreadTag
from releaser.domain.version import TagFormat, Version, VersionKind

_LINE_IN_BRANCH = re.compile(r"(?:^|[^0-9.])([0-9]{1,9}\.[0-9]{1,9})(?:\.[xX])?$")


def read_tags(
    tags: Iterable[TagRef], *, tag_format: TagFormat, committed_at: Callable[[str], datetime | None]
) -> tuple[tuple[TaggedRelease, ...], tuple[UnreadTag, ...]]:
    """The releases in version order, and the tags that made none.

    Of several tags of one version the one written as the format writes it wins, else the first by name.
    `committed_at` answers None for a commit that is not in the history.
    """
    unread: list[UnreadTag] = []
    chosen: dict[Version, TagRef] = {}
    for tag in sorted(tags, key=lambda one: one.name):
        version = tag_format.version_of(tag.name)
        if version is None:
            unread.append(UnreadTag(name=tag.name, object_id=tag.object_id, trouble=TagTrouble.NO_VERSION))
        elif tag.commit is None or committed_at(tag.commit) is None:
            unread.append(UnreadTag(name=tag.name, object_id=tag.object_id, trouble=TagTrouble.NO_COMMIT))
        elif version not in chosen:
            chosen[version] = tag
        else:
            loser = tag
            if tag.name == tag_format.tag_for(version):
                loser, chosen[version] = chosen[version], tag
            unread.append(
                UnreadTag(name=loser.name, object_id=loser.object_id, trouble=TagTrouble.DUPLICATE, version=version)
            )
    return _ranked(chosen, committed_at), tuple(unread)


def _ranked(
    chosen: Mapping[Version, TagRef], committed_at: Callable[[str], datetime | None]
) -> tuple[TaggedRelease, ...]:
    versions = sorted(chosen)
    found: list[TaggedRelease] = []
    for rank, (version, previous) in enumerate(zip(versions, previous_versions(versions), strict=True)):
        tag = chosen[version]
        commit = tag.commit or ""
        released_at = tag.tagged_at or committed_at(commit)
        if released_at is None:
            raise AssertionError(tag)  # tags without a known commit were sorted out by the caller
        found.append(
            TaggedRelease(
                version=version,
                tag=tag.name,
                tag_object=tag.object_id,
                commit=commit,
                released_at=released_at,
                previous=previous,
                previous_tag=chosen[previous].name if previous else None,
                rank=rank,
            )
        )
    return tuple(found)


def previous_versions(versions: Sequence[Version]) -> list[Version | None]:
    """For each of `versions` (ascending) the one that its changelog starts from; see `TaggedRelease.previous`."""
    found: list[Version | None] = []
    stable: Version | None = None
    on_line: dict[str, Version] = {}
    candidates: dict[str, Version] = {}
    for version in versions:
        match version.kind:
            case VersionKind.STABLE:
                found.append(stable)
                stable = on_line[version.line] = version
            case VersionKind.PATCH:
                found.append(on_line.get(version.line, stable))
                on_line[version.line] = version
            case VersionKind.CANDIDATE:
                earlier = [v for v in (on_line.get(version.line), candidates.get(version.line)) if v is not None]
                found.append(max(earlier, default=stable))
                candidates[version.line] = version
    return found


def read_heads(
    refs: Refs, releases: Sequence[TaggedRelease], *, line_branch: str, has: Callable[[str], bool]
) -> tuple[Head, ...]:
    """The branches as heads; their bits follow the releases'. `has` tells whether a commit is in the history.

    A branch carries a line when its name is `line_branch` (with `{line}`) filled in, or ends in a known line's number
    (`stable-2.555`, `release/3.4.x`); the former wins.
    """
    lines = {release.line for release in releases}
    template = line_branch if "{line}" in line_branch else "{line}"
    ordered = sorted((head for head in refs.heads if has(head.commit)), key=lambda head: head.name)
    taken: dict[str, str] = {}
    exact = {template.replace("{line}", line): line for line in lines}
    for head in ordered:
        if head.name in exact:
            taken[exact[head.name]] = head.name
    for head in sorted(ordered, key=lambda one: (len(one.name), one.name)):
        line = _line_of(head, lines)
        if line is not None and head.name != refs.main:
            taken.setdefault(line, head.name)
    by_branch = {name: line for line, name in taken.items()}
    return tuple(
        Head(
            branch=head.name,
            commit=head.commit,
            line=by_branch.get(head.name),
            main=head.name == refs.main,
            bit=len(releases) + place,
        )
        for place, head in enumerate(ordered)
    )


def _line_of(head: BranchHead, lines: set[str]) -> str | None:
    match = _LINE_IN_BRANCH.search(head.name)
    return match[1] if match is not None and match[1] in lines else None


class NewCommits:
    """Tells from a release set which releases its commits are new in: in the release and not in its previous one.

    Releases are grouped by the distance between their rank and their previous one's, so that one shift of a set
    answers for a whole group.
    """

    def __init__(self, releases: Sequence[TaggedRelease]) -> None:
        ranks = {release.version: release.rank for release in releases}
        self._first = 0
        self._apart: dict[int, int] = {}
        for release in releases:
            bit = 1 << release.rank
            if release.previous is None:
                self._first |= bit
            else:
                distance = release.rank - ranks[release.previous]
                self._apart[distance] = self._apart.get(distance, 0) | bit

    def of(self, bits: int) -> int:
        """The releases, as a set, that the commits of this set are new in."""
        found = bits & self._first
        for distance, mask in self._apart.items():
            found |= bits & mask & ~(bits << distance)
        return found
