"""Promote a candidate: prove that it is still the same commit and the same images, and make it the release."""

from __future__ import annotations

from releaser.domain.release import MOVES, ReleaseState
from releaser.errors import RefusedError
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports
from releaser.store import lines, moves, products, releases
from releaser.store.releases import Release

_DONE = frozenset({ReleaseState.PROMOTED, ReleaseState.PUBLISHED})


class NotACandidateError(RefusedError):
    """The release is not in the state that can be promoted."""


def promote_release(ports: Ports, *, product: str, version: str, by: str) -> Facts:
    """Promote; a release that is promoted already is answered as it is, with `unchanged` true.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `NotACandidateError`, `RefusedError` (rules `end-of-life`,
    `tag-changed` and `images-changed`), and what the repository and the registry raise.
    """
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        facts = releases.facts(release)
        if release.state in _DONE:
            return {**facts, "unchanged": True}
        if release.state is not ReleaseState.CANDIDATE:
            raise _not_a_candidate(release.state, product, release.version)
        lines.check_supported(session, release.product, release.line, now=ports.clock.now())
    _prove_tag(ports, release)
    _prove_images(ports, {image["image"]: image["digest"] for image in facts["images"]}, f"{product} {release.version}")
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.by_id(session, release.id)
        moves.move(session, release, ReleaseState.PROMOTED, moves=MOVES, now=now, by=by, promoted_at=now)
        return {**releases.facts(release), "unchanged": False}


def _prove_tag(ports: Ports, release: Release) -> None:
    """A tag object names its commit, so the same object is the same commit."""
    there = open_repository(ports, release.product).remote_tag(release.tag)
    if there != release.tag_object:
        raise RefusedError(
            f"The remote's tag {release.tag} is {there or 'gone'}, and the candidate was made of {release.tag_object}.",
            rule="tag-changed",
            advice="Bring our tag back, or abandon the candidate and cut again.",
            tag=release.tag,
        )


def _prove_images(ports: Ports, kept: dict[str, str], what: str) -> None:
    changed = [image for image, digest in kept.items() if ports.registry.resolve(image) != digest]
    if changed:
        raise RefusedError(
            f"Images of {what} are no longer what the candidate was made of: {', '.join(changed)}.",
            rule="images-changed",
            advice="Push the image that was tested again under this tag, or abandon the candidate and cut again.",
            images=changed,
        )


def _not_a_candidate(state: ReleaseState, product: str, version: str) -> NotACandidateError:
    advice = {
        ReleaseState.CUTTING: "Repeat the cut to complete it first.",
        ReleaseState.YANKED: "Cut a patch instead.",
        ReleaseState.ABANDONED: "Its number is burned; cut again.",
    }
    return NotACandidateError(
        f"{product} {version} is {state}, and only a candidate can be promoted.",
        rule="not-a-candidate",
        advice=advice.get(state, ""),
        field="version",
    )
