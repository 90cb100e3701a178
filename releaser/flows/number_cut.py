"""Which version a cut would make, derived from every number ever given, in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from releaser.domain.history.releases import previous_versions
from releaser.domain.release import CutKind, ReleaseState
from releaser.domain.version import UnknownLineError, Version, VersionKind, line_named, next_patch, next_stable, parse
from releaser.store import products, releases
from releaser.store.products import Product

KINDS = {CutKind.STABLE: VersionKind.STABLE, CutKind.PATCH: VersionKind.PATCH}
_SHIPPED = (ReleaseState.PUBLISHED, ReleaseState.YANKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The next version, the one its notes start from, and the branches it may be cut from, the first that exists."""

    kind: CutKind
    version: Version
    previous: Version | None
    branches: tuple[str, ...]

    @property
    def line(self) -> str:
        """The line it belongs to."""
        return self.version.line


def number_cut(session: Session, product: Product, *, kind: CutKind, line: str | None) -> Numbered:
    """The next stable, or the next patch of `line` (by default the newest published one). A burned number is never given again.

    Raises `InvalidVersionError`, `UnknownLineError`.
    """
    rows = releases.by_product(session, product.id)
    known = {row.id: parse(row.version, scheme=product.scheme) for row in rows}
    if kind is CutKind.STABLE:
        version = next_stable(known.values(), scheme=product.scheme)
    else:
        version = next_patch(_patched(session, product, line), known.values(), scheme=product.scheme)
    living = [known[row.id] for row in rows if row.state is not ReleaseState.ABANDONED]
    ordered = sorted([*living, version])
    return Numbered(
        kind=kind,
        version=version,
        previous=previous_versions(ordered)[ordered.index(version)],
        branches=_branches(session, product, version),
    )


def line_to_patch(session: Session, product: Product, line: str | None) -> str | None:
    """The line named, else the newest published one; None when nothing is published. Raises `InvalidVersionError`."""
    if line is not None:
        return line_named(line, scheme=product.scheme)
    published = [r for r in releases.in_states(session, product.id, *_SHIPPED) if r.kind is not VersionKind.CANDIDATE]
    return published[0].line if published else None


def _patched(session: Session, product: Product, line: str | None) -> str:
    wanted = line_to_patch(session, product, line)
    if wanted is None or not releases.by_product(session, product.id, line=wanted, limit=1):
        raise UnknownLineError(
            f"Product '{product.name}' has no release on line {wanted} to patch."
            if wanted
            else f"Product '{product.name}' has no published line to patch.",
            advice="Cut and publish a stable release first, or name another line with --line X.Y.",
            field="line",
        )
    return wanted


def _branches(session: Session, product: Product, version: Version) -> tuple[str, ...]:
    """A patch is cut from its line's branch; a stable too, once that was branched off, else from the product's main branch."""
    kept = products.line(session, product.id, version.line)
    own = (kept.branch if kept else "") or product.line_branch.replace("{line}", version.line)
    return (own,) if version.kind is VersionKind.PATCH else (own, product.branch)
