"""Cut a release: commit, version and tag are fixed, and a candidate is made.

The number is given inside a transaction, once; every later step is recorded when it is done and may be done again.
Killed anywhere, the same command completes the same version (see `complete_cut`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.history.releases import previous_versions
from releaser.domain.release import CutKind, CutStep, ReleaseState
from releaser.domain.version import (
    TagFormat,
    UnknownLineError,
    Version,
    VersionKind,
    line_named,
    next_patch,
    next_stable,
    parse,
)
from releaser.errors import ConflictError, RefusedError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.complete_cut import complete_cut
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports, Progress, silent
from releaser.sources.source import Repository
from releaser.store import moves, products, releases
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.session import WriteConflictError

FORSAKEN_AFTER = timedelta(minutes=10)
"""A cut that did no step for so long is nobody's: anybody may complete it."""

_KINDS = {CutKind.STABLE: VersionKind.STABLE, CutKind.PATCH: VersionKind.PATCH}
_STANDING = (ReleaseState.CANDIDATE, ReleaseState.PROMOTED)
_SHIPPED = (ReleaseState.PUBLISHED, ReleaseState.YANKED)


class CutUnderWayError(ConflictError):
    """Somebody else is cutting this very version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be cut: the commit is the branch's tip as it was read."""

    kind: VersionKind
    line: str | None
    branch: str
    commit: str
    by: str
    now: datetime


def cut_release(
    ports: Ports, *, product: str, kind: CutKind, line: str | None, by: str, progress: Progress = silent
) -> Facts:
    """Cut the next stable, or the next patch of `line` (by default the newest published one); answers the candidate.

    A cut of this kind and line that was interrupted is completed instead of taking another number. A candidate of the
    same commit is answered as it is, with `unchanged` true.
    Raises `ProductNotFoundError`, `UnknownLineError`, `CutUnderWayError`, `RefusedError` (rule `nothing-new`), and what
    `collect_commits` and `complete_cut` raise.
    """
    with ports.database.reading() as session:
        interrupted = _interrupted(session, products.get(session, product), kind, line, by, ports.clock.now())
    if interrupted is not None:
        return complete_cut(ports, release_id=interrupted, by=by, progress=progress)
    collect_commits(ports, product=product, progress=progress)
    wanted = _wanted(ports, product, kind, line, by)
    try:
        with ports.database.transaction() as session:
            release_id, unchanged = _number(session, products.get(session, product), wanted)
    except WriteConflictError as error:  # two processes on one PostgreSQL took the same number: the other was first
        with ports.database.reading() as session:
            _interrupted(session, products.get(session, product), kind, line, by, ports.clock.now())
        raise CutUnderWayError("Somebody else took this number just now.", advice="Repeat the command.") from error
    facts = complete_cut(ports, release_id=release_id, by=by, progress=progress)
    return {**facts, "unchanged": unchanged}


def _interrupted(
    session: Session, product: Product, kind: CutKind, line: str | None, by: str, now: datetime
) -> int | None:
    """The cut of this kind and line that is not finished, if it is ours to finish. Raises `CutUnderWayError`."""
    on_line = _line_wanted(session, product, kind, line)
    for release in releases.in_states(session, product.id, ReleaseState.CUTTING):
        if release.kind is _KINDS[kind] and on_line in {None, release.line}:
            alive = release.cut_at is not None and now - release.cut_at < FORSAKEN_AFTER
            if alive and release.cut_by != by:
                raise CutUnderWayError(
                    f"{release.cut_by} is cutting {product.name} {release.version} (step '{release.cut_step}').",
                    advice="Let them finish, or abandon that cut; after 10 minutes without a step you can complete it.",
                    version=release.version,
                    by=release.cut_by,
                )
            return release.id
    return None


def _line_wanted(session: Session, product: Product, kind: CutKind, line: str | None) -> str | None:
    """The line to patch: the one named, else the newest published. A stable makes its own line."""
    if kind is CutKind.STABLE:
        return None
    if line is not None:
        return line_named(line, scheme=product.scheme)
    published = [r for r in releases.in_states(session, product.id, *_SHIPPED) if r.kind is not VersionKind.CANDIDATE]
    return published[0].line if published else None


def _wanted(ports: Ports, product: str, kind: CutKind, line: str | None, by: str) -> _Wanted:
    """Read the branch's tip; the collect before has fetched it."""
    with ports.database.reading() as session:
        row = products.get(session, product)
        on_line = _line_wanted(session, row, kind, line)
        if kind is CutKind.PATCH and (
            on_line is None or not releases.by_product(session, row.id, line=on_line, limit=1)
        ):
            raise UnknownLineError(
                f"Product '{product}' has no release on line {on_line} to patch."
                if on_line
                else f"Product '{product}' has no published line to patch.",
                advice="Cut and publish a stable release first, or name another line with --line X.Y.",
                field="line",
            )
        branch = row.branch
        if on_line is not None:
            kept = products.line(session, row.id, on_line)
            branch = (kept.branch if kept else "") or row.line_branch.replace("{line}", on_line)
    repository = open_repository(ports, row)
    branch = branch or _main(repository, product)
    return _Wanted(
        kind=_KINDS[kind],
        line=on_line,
        branch=branch,
        commit=repository.tip(branch),
        by=by,
        now=ports.clock.now(),
    )


def _main(repository: Repository, product: str) -> str:
    main = repository.refs().main
    if main is None:
        raise RefusedError(
            f"The repository of '{product}' has no default branch.",
            rule="no-branch",
            advice="Name the product's branch.",
            field="branch",
        )
    return main


def _number(session: Session, product: Product, wanted: _Wanted) -> tuple[int, bool]:
    """Give the number, or find the release that already has it; answers its id, and whether nothing had to be done."""
    kind = CutKind.STABLE if wanted.kind is VersionKind.STABLE else CutKind.PATCH
    begun = _interrupted(session, product, kind, wanted.line, wanted.by, wanted.now)
    if begun is not None:
        return begun, False
    rows = releases.by_product(session, product.id)
    standing = _standing(rows, wanted)
    if standing is not None:
        return standing.id, True
    known = {row.id: parse(row.version, scheme=product.scheme) for row in rows}
    version = (
        next_stable(known.values(), scheme=product.scheme)
        if wanted.line is None
        else next_patch(wanted.line, known.values(), scheme=product.scheme)
    )
    living = [known[row.id] for row in rows if row.state is not ReleaseState.ABANDONED]
    previous = _previous(version, living)
    _refuse_nothing_new(rows, wanted, version, previous)
    return _insert(session, product, wanted, version, previous).id, False


def _standing(rows: releases.Releases, wanted: _Wanted) -> Release | None:
    """The candidate of this kind and line that was made of the same commit."""
    for row in rows:
        if row.kind is wanted.kind and wanted.line in {None, row.line} and row.state in _STANDING:
            return row if row.commit == wanted.commit else None
    return None


def _previous(version: Version, living: list[Version]) -> Version | None:
    """The version this one's notes start from."""
    ordered = sorted([*living, version])
    return previous_versions(ordered)[ordered.index(version)]


def _refuse_nothing_new(rows: releases.Releases, wanted: _Wanted, version: Version, previous: Version | None) -> None:
    before = next((row for row in rows if previous is not None and row.version_key == previous.key), None)
    if before is not None and before.commit == wanted.commit:
        raise RefusedError(
            f"Branch '{wanted.branch}' has nothing new since {before.version}: both are at {wanted.commit[:10]}.",
            rule="nothing-new",
            advice=f"Push the commits that {version} is to hold, then cut again.",
            version=version.text,
        )


def _insert(session: Session, product: Product, wanted: _Wanted, version: Version, previous: Version | None) -> Release:
    release = Release(
        product_id=product.id,
        version=version.text,
        version_key=version.key,
        line=version.line,
        kind=version.kind,
        state=ReleaseState.CUTTING,
        commit=wanted.commit,
        branch=wanted.branch,
        tag=TagFormat(scheme=product.scheme, text=product.tag_format).tag_for(version),
        previous=previous.text if previous else "",
        cut_step=CutStep.NUMBERED,
        cut_by=wanted.by,
        # Fixed here, so that the tag made by a repeated step is the same object.
        tagged_at=wanted.now.replace(microsecond=0),
        cut_at=wanted.now,
    )
    session.add(release)
    session.flush()
    moves.record(session, release, source="", to=ReleaseState.CUTTING, now=wanted.now, by=wanted.by)
    releases.renumber(session, product)
    return release
