"""Publish a promoted release: customers can see it; its changelog and notes are written as files, and committed if wanted."""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.release import MOVES, ReleaseState
from releaser.domain.version import VersionKind
from releaser.errors import RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.flows.rewrite_release import rewrite_release
from releaser.store import lines, moves, products, releases
from releaser.store.releases import Release


class NotPromotedError(RefusedError):
    """The release was not promoted, so it is not proved to be what was tested."""


def publish_release(ports: Ports, *, product: str, version: str, by: str, commit: bool = False) -> Facts:
    """Publish; of a release that is published already only the files are written again (`unchanged` true).

    With `commit`, or where the product says so, the changelog is committed to the product's repository. The facts hold
    `supersedes` (the newest earlier release of the line, if any), `files` and `commits`.
    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `NotPromotedError`, `RefusedError` (rule `end-of-life`), and what `rewrite_release` raises (the
    release is published then; the same command writes and commits the files).
    """
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        unchanged = release.state is ReleaseState.PUBLISHED
        if not unchanged:
            if release.state is not ReleaseState.PROMOTED:
                raise NotPromotedError(
                    f"{product} {release.version} is {release.state}, and only a promoted release can be published.",
                    rule="not-promoted",
                    advice=f"Run `releaser promote {product} {release.version}` first."
                    if release.state is ReleaseState.CANDIDATE
                    else "",
                    field="version",
                )
            lines.check_supported(session, release.product, release.line, now=now)
            moves.move(session, release, ReleaseState.PUBLISHED, moves=MOVES, now=now, by=by, published_at=now)
        facts = {**releases.facts(release), "unchanged": unchanged, "supersedes": _superseded(session, release)}
    written = rewrite_release(ports, product=product, version=facts["version"], by=by, commit=commit)
    ports.wake()
    return {**facts, **written}


def _superseded(session: Session, release: Release) -> str | None:
    """The newest published release of the line below this one."""
    for row in releases.by_product(session, release.product_id, line=release.line):
        older = row.sort_key < release.sort_key and row.kind is not VersionKind.CANDIDATE
        if older and row.state is ReleaseState.PUBLISHED:
            return row.version
    return None
