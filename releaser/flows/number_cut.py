"""Which version a cut would make, derived from every number ever given, in the caller's transaction; and which one is open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from releaser.domain.history.releases import previous_versions
from releaser.domain.release import CutKind, ReleaseState
from releaser.domain.version import UnknownLineError, Version, VersionKind, line_named, next_patch, next_stable, parse
from releaser.i18n import Phrase, mark
from releaser.store import products, releases
from releaser.store.products import Product
from releaser.store.releases import Release

KINDS = {CutKind.STABLE: VersionKind.STABLE, CutKind.PATCH: VersionKind.PATCH}
_STANDING = (ReleaseState.CANDIDATE, ReleaseState.PROMOTED)
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


def open_cut(session: Session, product: Product, *, kind: CutKind, line: str | None) -> Release | None:
    """The cut of this kind, and of this line if it is a patch, that was begun and is not finished. Raises as `line_to_patch`."""
    on_line = None if kind is CutKind.STABLE else line_to_patch(session, product, line)
    for release in releases.in_states(session, product.id, ReleaseState.CUTTING):
        if release.kind is KINDS[kind] and on_line in {None, release.line}:
            return release
    return None


def standing_cut(rows: Iterable[Release], numbered: Numbered, *, commit: str) -> Release | None:
    """The candidate of this kind and line that was made of the same commit; `rows` are newest number first."""
    on_line = None if numbered.kind is CutKind.STABLE else numbered.line
    for row in rows:
        if row.kind is KINDS[numbered.kind] and on_line in {None, row.line} and row.state in _STANDING:
            return row if row.commit == commit else None
    return None


def number_again(product: Product, release: Release) -> Numbered:
    """A number that was given, as it was given."""
    return Numbered(
        kind=CutKind.PATCH if release.kind is VersionKind.PATCH else CutKind.STABLE,
        version=parse(release.version, scheme=product.scheme),
        previous=parse(release.previous, scheme=product.scheme) if release.previous else None,
        branches=(release.branch,),
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
            Phrase(
                mark("Product '{product}' has no release on line {line} to patch."), product=product.name, line=wanted
            )
            if wanted
            else Phrase(mark("Product '{product}' has no published line to patch."), product=product.name),
            advice=Phrase(mark("Cut and publish a stable release first, or name another line with --line X.Y.")),
            field="line",
        )
    return wanted


def _branches(session: Session, product: Product, version: Version) -> tuple[str, ...]:
    """A patch is cut from its line's branch; a stable too, once that was branched off, else from the product's main branch."""
    kept = products.line(session, product.id, version.line)
    own = (kept.branch if kept else "") or product.line_branch.replace("{line}", version.line)
    return (own,) if version.kind is VersionKind.PATCH else (own, product.branch)
