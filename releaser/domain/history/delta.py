"""What became other when a history was brought up to date, so that whoever keeps it elsewhere writes only that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from releaser.domain.history.graph import members
from releaser.domain.history.growth import Grown
from releaser.domain.history.index import Index, Tips
from releaser.domain.history.releases import NewCommits
from releaser.domain.history.views import TaggedRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMove:
    """A tag that is no longer what it was when it was read last: `was` and `now` are object ids, `now` None when it is gone."""

    name: str
    was: str
    now: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The way from one state of a history to the next; states are named by `History.state`.

    Numbers of sets (`History.set_of`, `sets`) and of classes (`TicketTable.class_of`, `classes`) mean the same in both
    states. Whoever is at `since` needs only what stands here; whoever is not, and everybody when `whole`, takes all anew: then
    the rest is left empty. Places of commits stay, new ones come after all others.
    """

    since: str
    state: str
    whole: bool = False
    commits: tuple[int, ...] = ()
    """New commits, parents first; some may have been here before, and been lost."""
    lost: tuple[int, ...] = ()
    """Commits that no tag or branch leads to any more. They are in no release."""
    moved: tuple[int, ...] = ()
    """Older commits that have another set now."""
    sets: tuple[int, ...] = ()
    """Sets that are new, or are other releases now (as bits by rank; branches do not count)."""
    related: tuple[int, ...] = ()
    """Older commits whose picks or reverts are others now."""
    tickets: tuple[str, ...] = ()
    """Tickets that are new or have another class."""
    classes: tuple[int, ...] = ()
    """Classes that are new, or are in force in other releases now (branches do not count)."""
    releases: tuple[str, ...] = ()
    """Versions that are new, or whose tag or previous version is another."""
    gone: tuple[str, ...] = ()
    """Versions (their keys) that no tag carries any more."""
    changes: tuple[int, ...] = ()
    """Ranks of the releases of which `History.changes` may tell something else."""
    tags: tuple[TagMove, ...] = ()
    """Tags that moved or vanished."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all became other."""
        return self.since == self.state


def delta_of(was: Index, now: Index, grown: Grown, releases: tuple[TaggedRelease, ...]) -> Delta:
    """What `grown` made of `was`; `releases` are those of now."""
    changed = _changed_releases(was.tips, now.tips)
    known = {one.key for one in now.tips.releases}
    related = tuple(sorted({*grown.renewed.facts, *grown.namers}.difference(grown.fresh, now.graph.lost)))
    return Delta(
        since=was.state,
        state=now.state,
        commits=grown.fresh,
        lost=grown.lost,
        moved=grown.moved,
        sets=_changed_sets(was, now, grown),
        related=related,
        tickets=tuple(map(now.links.keys.__getitem__, _changed_tickets(was, now, grown))),
        classes=_changed_classes(was, now),
        releases=tuple(one.version.text for one in releases if one.version.key in changed),
        gone=tuple(one.key for one in was.tips.releases if one.key not in known),
        changes=_changes(was, now, grown, releases, changed),
        tags=moved_tags(was.tips, now.tips),
    )


def moved_tags(was: Tips, now: Tips) -> tuple[TagMove, ...]:
    """The tags that moved or vanished."""
    return tuple(
        TagMove(name=name, was=held, now=now.tags.get(name))
        for name, held in sorted(was.tags.items())
        if now.tags.get(name) != held
    )


def _changed_releases(was: Tips, now: Tips) -> set[str]:
    """The keys of the versions that are new, or differ in their tag or in what they are told against."""
    before, after = _told(was), _told(now)
    return {key for key, told in after.items() if before.get(key) != told}


def _told(tips: Tips) -> dict[str, tuple[object, ...]]:
    tag_of = {one.key: one.tag for one in tips.releases}
    return {one.key: (one, tips.tags.get(one.tag), tag_of.get(one.previous)) for one in tips.releases}


def _released(tips: Tips) -> int:
    return (1 << len(tips.releases)) - 1


def _changed_sets(was: Index, now: Index, grown: Grown) -> tuple[int, ...]:
    before, after = _released(was.tips), _released(now.tips)
    known = len(grown.before)
    return tuple(
        number
        for number, bits in enumerate(now.contained.sets)
        if number >= known or bits & after != grown.before[number] & before
    )


def _changed_tickets(was: Index, now: Index, grown: Grown) -> Iterable[int]:
    if now.classes is None:
        return ()
    return grown.tickets if was.classes is not None else range(len(now.classes.of))


def _changed_classes(was: Index, now: Index) -> tuple[int, ...]:
    if now.classes is None:
        return ()
    before, after = _released(was.tips), _released(now.tips)
    known = len(was.classes.keys) if was.classes is not None else 0
    return tuple(
        number
        for number in range(len(now.classes.keys))
        if number >= known
        or now.classes.places(number, now.contained, now.relations)[0] & after
        != now.classes.places(number, was.contained, was.relations)[0] & before
    )


def _changes(
    was: Index, now: Index, grown: Grown, releases: tuple[TaggedRelease, ...], changed: set[str]
) -> tuple[int, ...]:
    """Of a release that stays, all is settled by what stands behind it, but for how its commits relate to others."""
    stands = {(one.key, one.commit) for one in now.tips.releases}
    if any((one.key, one.commit) not in stands for one in was.tips.releases):
        return tuple(range(len(releases)))
    found = {one.rank for one in releases if one.version.key in changed}
    force = now.relations.force
    touched = {*grown.renewed.facts, *grown.renewed.copies, *grown.renewed.reverted, *grown.namers}
    touched.update(revert for commit in grown.renewed.reverted for revert in force.by.get(commit, ()))
    touched.update(target for revert in _turned(was, now) for target in force.reverts_of.get(revert, ()))
    new = NewCommits(releases)
    for bits in {now.contained.bits(commit) for commit in touched}:
        found.update(members(new.of(bits)))
    return tuple(sorted(found))


def _turned(was: Index, now: Index) -> Iterable[int]:
    """The reverts that are in force anywhere now and were nowhere, or the other way round."""
    before, after = was.relations.force, now.relations.force
    known = len(was.committed)
    for revert in after.reverts_of:
        if revert < known and bool(after.bits(revert)) is not bool(before.bits(revert)):
            yield revert
