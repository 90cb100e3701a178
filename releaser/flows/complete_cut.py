"""Bring a cut from the step it is at to a candidate.

Each step looks before it acts, is recorded once done, and may be done twice: notes frozen -> tag made -> pushed,
expecting absence -> confirmed on the remote -> images resolved to digests -> candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.release import MOVES, CutStep, ReleaseState
from releaser.errors import ConflictError, MoveConflictError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.freeze_notes import freeze_notes
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports, Progress, silent
from releaser.sources.source import ImageNotFoundError, Repository, TagTakenError
from releaser.store import moves, notes, releases
from releaser.store.releases import Release

_ORDER = tuple(CutStep)


class TagLostError(ConflictError):
    """The remote does not have the tag that was pushed, or has another one of that name."""


class MissingImageError(ImageNotFoundError):
    """An image of the release is not in its registry yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """What the steps need of the row, read without keeping a transaction open."""

    release_id: int
    product: str
    title: str
    version: str
    tag: str
    commit: str
    tag_object: str
    tagged_at: datetime
    images: Mapping[int, str]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hands:
    """What the steps work with."""

    ports: Ports
    repository: Repository
    progress: Progress


_Store = Callable[[Session, Release], None]


def complete_cut(ports: Ports, *, release_id: int, by: str, progress: Progress = silent) -> Facts:
    """Do the steps that are left; answers the release's facts. A cut that is done is answered as it is.

    Raises what the repository and the registry raise, `TagTakenError` and `TagLostError`; the row stays at the last step
    that is done, and the same command goes on from there.
    """
    hands: _Hands | None = None
    while True:
        with ports.database.reading() as session:
            release = releases.by_id(session, release_id)
            step = release.cut_step
            if release.state is not ReleaseState.CUTTING or step is None:
                return releases.facts(release)
            cut = _read(release, by)
            product = release.product
        if hands is None:
            hands = _Hands(ports=ports, repository=open_repository(ports, product), progress=progress)
        done = _ORDER.index(step)
        progress(f"{cut.product} {cut.version}: {_DOING[step]}", done, len(_ORDER) - 1)
        following = _ORDER[done + 1]
        store = _STEPS[following](hands, cut)
        _record(ports, cut, step, following, store)


def _read(release: Release, by: str) -> _Cut:
    product = release.product
    if release.tagged_at is None:
        raise AssertionError(release.version)  # the row is inserted with it
    return _Cut(
        release_id=release.id,
        product=product.name,
        title=product.title or product.name,
        version=release.version,
        tag=release.tag,
        commit=release.commit,
        tag_object=release.tag_object,
        tagged_at=release.tagged_at,
        images={m.id: m.image.replace("{version}", release.version) for m in product.modules if m.image},
        by=by,
    )


def _record(ports: Ports, cut: _Cut, step: CutStep, following: CutStep, store: _Store) -> None:
    """Record a step that is done, unless somebody who runs the same command recorded it in the meantime."""
    now = ports.clock.now()
    try:
        with ports.database.transaction() as session:
            release = releases.by_id(session, cut.release_id)
            if release.state is not ReleaseState.CUTTING or not releases.step_cut(
                session, release, source=step, to=following, now=now
            ):
                return
            store(session, release)
            if following is _ORDER[-1]:
                moves.move(session, release, ReleaseState.CANDIDATE, moves=MOVES, now=now, by=cut.by)
    except MoveConflictError:
        return  # the loop looks at what it has become


def _freeze(hands: _Hands, cut: _Cut) -> _Store:
    frozen = freeze_notes(hands.ports, release_id=cut.release_id, repository=hands.repository)
    now = hands.ports.clock.now()
    return lambda session, release: notes.freeze(
        session, release, frozen.drafts, now=now, internal=frozen.internal, written=frozen.written
    )


def _tag(hands: _Hands, cut: _Cut) -> _Store:
    try:
        made = hands.repository.make_tag(
            cut.tag, commit=cut.commit, message=f"{cut.title} {cut.version}\n", tagged_at=cut.tagged_at
        )
    except TagTakenError as error:
        raise _taken(cut, error) from error

    def store(_session: Session, release: Release) -> None:
        release.tag_object = made

    return store


def _push(hands: _Hands, cut: _Cut) -> _Store:
    try:
        hands.repository.push_tag(cut.tag, object_id=cut.tag_object)
    except TagTakenError as error:
        raise _taken(cut, error) from error
    return _nothing


def _taken(cut: _Cut, error: TagTakenError) -> TagTakenError:
    """Another tag of that name stands: who made it, and what can be done."""
    who = str(error.facts.get("who") or "")
    return TagTakenError(
        f"The remote already has a tag {cut.tag}, and it is not ours: {who or 'somebody else made it'}.",
        advice=f"Find out why. Then abandon {cut.version} here and cut again, or remove that tag and repeat the command.",
        tag=cut.tag,
        who=who,
    )


def _confirm(hands: _Hands, cut: _Cut) -> _Store:
    there = hands.repository.remote_tag(cut.tag)
    if there != cut.tag_object:
        raise TagLostError(
            f"The remote's tag {cut.tag} is {there or 'gone'}, and ours is {cut.tag_object}.",
            advice="Find out who changed it; repeat the command once our tag is there again, or abandon this cut.",
            tag=cut.tag,
        )
    return _nothing


def _resolve(hands: _Hands, cut: _Cut) -> _Store:
    # The release's own commits are in the index before it becomes a candidate; pages and changelog read them there.
    collect_commits(hands.ports, product=cut.product, progress=hands.progress)
    digests: dict[int, str] = {}
    for module_id, image in cut.images.items():
        try:
            digests[module_id] = hands.ports.registry.resolve(image)
        except ImageNotFoundError as error:
            raise MissingImageError(
                f"{cut.product} {cut.version} is tagged, but its image {image} is not in the registry.",
                permanent=False,
                advice=f"Build it from tag {cut.tag}, push it, and repeat the same command: it goes on from here.",
                image=image,
            ) from error
    now = hands.ports.clock.now()
    return lambda session, release: releases.keep_images(session, release, cut.images, digests, now=now)


def _nothing(_session: Session, _release: Release) -> None:
    """Nothing to keep beside the step."""


_STEPS: Mapping[CutStep, Callable[[_Hands, _Cut], _Store]] = {
    CutStep.NOTES_FROZEN: _freeze,
    CutStep.TAGGED: _tag,
    CutStep.PUSHED: _push,
    CutStep.CONFIRMED: _confirm,
    CutStep.RESOLVED: _resolve,
}
_DOING = {
    CutStep.NUMBERED: "freezing the notes",
    CutStep.NOTES_FROZEN: "making the tag",
    CutStep.TAGGED: "pushing the tag",
    CutStep.PUSHED: "confirming the tag",
    CutStep.CONFIRMED: "resolving images",
    CutStep.RESOLVED: "done",
}
