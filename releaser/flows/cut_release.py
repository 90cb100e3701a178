"""Cut a release: commit, version and tag are fixed, and a candidate is made.

The number is given inside a transaction, once; every later step is recorded when it is done and may be done again.
Killed anywhere, the same command completes the same version (see `complete_cut`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from releaser.domain.gate import FINAL, Finding
from releaser.domain.release import CutKind, CutStep, ReleaseState
from releaser.domain.version import TagFormat
from releaser.errors import ConflictError, RefusedError
from releaser.flows.collect_commits import collect_commits
from releaser.flows.complete_cut import complete_cut
from releaser.flows.judge_gate import findings_facts, judge_gate, refuse_held
from releaser.flows.number_cut import Numbered, number_cut, open_cut, standing_cut
from releaser.flows.ports import Facts, Ports, Progress, silent
from releaser.flows.read_content import BranchMovedError, Content, read_content
from releaser.flows.yank_release import checked_reason
from releaser.i18n import translator
from releaser.store import embargoes, moves, products, releases
from releaser.store.gates import GateRecord
from releaser.store.products import Product
from releaser.store.releases import Release
from releaser.store.session import WriteConflictError

FORSAKEN_AFTER = timedelta(minutes=10)
"""A cut that did no step for so long is nobody's: anybody may complete it."""

_TRIES = 3


class CutUnderWayError(ConflictError):
    """Somebody else is cutting this very version."""


class _OutrunError(ConflictError):
    """Another release was cut since the content was read, so it was read against the wrong one."""


def cut_release(
    ports: Ports,
    *,
    product: str,
    kind: CutKind,
    line: str | None,
    by: str,
    override: str = "",
    progress: Progress = silent,
) -> Facts:
    """Cut the next stable, or the next patch of `line` (by default the newest published one); answers the candidate.

    A cut of this kind and line that was interrupted is completed instead of taking another number. A candidate of the
    same commit is answered as it is, with `unchanged` true. What holds the gate is passed by only with `override`, the reason
    that `by` gives; it is recorded with all findings.
    Raises `ProductNotFoundError`, `UnknownLineError`, `CutUnderWayError`, `GateHoldsError`, `RefusedError` (rule
    `nothing-new`), `MissingReasonError`, and what `collect_commits`, `read_content` and `complete_cut` raise.
    """
    reason = checked_reason(override) if override else ""
    with ports.database.reading() as session:
        interrupted = _interrupted(session, products.get(session, product), kind, line, by, ports.clock.now())
    if interrupted is not None:
        return complete_cut(ports, release_id=interrupted, by=by, progress=progress)
    release_id, unchanged = _numbered(ports, product, kind, line, by, reason, progress)
    facts = complete_cut(ports, release_id=release_id, by=by, progress=progress)
    return {**facts, "unchanged": unchanged}


def _numbered(
    ports: Ports, product: str, kind: CutKind, line: str | None, by: str, reason: str, progress: Progress
) -> tuple[int, bool]:
    """The release's row, and whether nothing had to be done; looked at again when others cut or push meanwhile."""
    for left in reversed(range(_TRIES)):
        collect_commits(ports, product=product, progress=progress)
        with ports.database.reading() as session:
            numbered = number_cut(session, products.get(session, product), kind=kind, line=line)
        try:
            content = read_content(ports, product=product, numbered=numbered)
            with ports.database.transaction() as session:
                return _number(session, products.get(session, product), content, ports.clock.now(), by, reason)
        except (_OutrunError, BranchMovedError):
            if not left:
                raise
        except WriteConflictError as error:  # two processes on one PostgreSQL took the same number: the other was first
            with ports.database.reading() as session:
                _interrupted(session, products.get(session, product), kind, line, by, ports.clock.now())
            raise CutUnderWayError("Somebody else took this number just now.", advice="Repeat the command.") from error
    raise AssertionError(product)  # the last try answers or raises


def _interrupted(
    session: Session, product: Product, kind: CutKind, line: str | None, by: str, now: datetime
) -> int | None:
    """The cut of this kind and line that is not finished, if it is ours to finish. Raises `CutUnderWayError`."""
    release = open_cut(session, product, kind=kind, line=line)
    if release is None:
        return None
    alive = release.cut_at is not None and now - release.cut_at < FORSAKEN_AFTER
    if alive and release.cut_by != by:
        raise CutUnderWayError(
            f"{release.cut_by} is cutting {product.name} {release.version} (step '{release.cut_step}').",
            advice="Let them finish, or abandon that cut; after 10 minutes without a step you can complete it.",
            version=release.version,
            by=release.cut_by,
        )
    return release.id


def _number(
    session: Session, product: Product, content: Content, now: datetime, by: str, reason: str
) -> tuple[int, bool]:
    """Give the number, or find the release that already has it; answers its id, and whether nothing had to be done."""
    seen = content.numbered
    line = seen.line if seen.kind is CutKind.PATCH else None
    begun = _interrupted(session, product, seen.kind, line, by, now)
    if begun is not None:
        return begun, False
    rows = releases.by_product(session, product.id)
    standing = standing_cut(rows, seen, commit=content.commit)
    if standing is not None:
        return standing.id, True
    numbered = number_cut(session, product, kind=seen.kind, line=line)
    if (numbered.version, numbered.previous) != (seen.version, seen.previous):
        raise _OutrunError(
            f"{numbered.previous} was cut meanwhile.", advice="Repeat the command: it goes on from there."
        )
    _refuse_nothing_new(rows, content)
    findings = judge_gate(session, product, content, now=now)
    if not reason or any(one.check in FINAL for one in findings):
        refuse_held(
            findings,
            f"{product.name} {numbered.version}",
            veil=embargoes.veil(session, product.id, now=now),
        )
    release = _insert(session, product, content, by=by, now=now)
    _record_gate(session, release, findings, by=by, reason=reason, now=now)
    return release.id, False


def _record_gate(
    session: Session, release: Release, findings: tuple[Finding, ...], *, by: str, reason: str, now: datetime
) -> None:
    """Keep what the gate found; an override is one only where something held."""
    overridden = bool(reason) and any(one.holds for one in findings)
    session.add(
        GateRecord(
            release_id=release.id,
            at=now,
            findings=findings_facts(findings, translator("en")),
            overridden_by=by if overridden else "",
            reason=reason if overridden else "",
        )
    )


def _refuse_nothing_new(rows: releases.Releases, content: Content) -> None:
    numbered = content.numbered
    previous = numbered.previous
    before = next((row for row in rows if previous is not None and row.version_key == previous.key), None)
    if before is not None and (before.commit == content.commit or not content.brought):
        is_same = before.commit == content.commit
        why = (
            f"both are at {content.commit[:10]}"
            if is_same
            else "no commit since is the product's own, but for its changelog"
        )
        raise RefusedError(
            f"Branch '{content.branch}' has nothing new since {before.version}: {why}.",
            rule="nothing-new",
            advice=f"Push the commits that {numbered.version} is to hold, then cut again.",
            version=numbered.version.text,
        )


def _insert(session: Session, product: Product, content: Content, *, by: str, now: datetime) -> Release:
    numbered: Numbered = content.numbered
    version = numbered.version
    release = Release(
        product_id=product.id,
        version=version.text,
        version_key=version.key,
        line=version.line,
        kind=version.kind,
        state=ReleaseState.CUTTING,
        commit=content.commit,
        branch=content.branch,
        tag=TagFormat(scheme=product.scheme, text=product.tag_format).tag_for(version),
        previous=numbered.previous.text if numbered.previous else "",
        cut_step=CutStep.NUMBERED,
        cut_by=by,
        # Fixed here, so that the tag made by a repeated step is the same object.
        tagged_at=now.replace(microsecond=0),
        cut_at=now,
        planned_on=content.train_on,
    )
    session.add(release)
    session.flush()
    moves.record(session, release, source="", to=ReleaseState.CUTTING, now=now, by=by)
    releases.renumber(session, product)
    return release
