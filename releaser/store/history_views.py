"""What the pages of a product's history ask of the rows: releases as dots, lines as tracks, subjects of tickets."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from releaser.domain.line import NO_RULE
from releaser.domain.release import ReleaseState
from releaser.domain.ticket import TicketRelation
from releaser.domain.timeline import Dot
from releaser.domain.version import VersionKind
from releaser.store import lines
from releaser.store.commits import Commit, TicketCommit
from releaser.store.installations import Installation, Target
from releaser.store.products import Product
from releaser.store.releases import Release


def dots(session: Session, product_id: int) -> list[Dot]:
    """Every release that has a time and was not abandoned, lowest version first."""
    at = func.coalesce(Release.published_at, Release.tagged_at, Release.cut_at)
    query = (
        select(Release.version, Release.line, Release.kind, Release.state, at)
        .where(Release.product_id == product_id, Release.state != ReleaseState.ABANDONED, at.is_not(None))
        .order_by(Release.sort_key, Release.id)
    )
    return [Dot(version=row[0], line=row[1], kind=row[2], state=row[3], at=row[4]) for row in session.execute(query)]


def supports(session: Session, product: Product, *, now: datetime) -> dict[str, lines.Standing]:
    """Line -> how it stands as of now; nothing where neither a person nor a rule says until when lines are supported."""
    if lines.rule(product) == NO_RULE and not lines.stated(session, product):
        return {}
    return lines.standing(session, product, now=now)


def subjects(session: Session, product_id: int, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Ticket -> id and subject of a commit that names it: of one that fixes it, where there is such a one, and the oldest."""
    query = (
        select(TicketCommit.ticket, TicketCommit.relation, Commit.sha, Commit.subject)
        .join(Commit, Commit.id == TicketCommit.commit_id)
        .where(TicketCommit.product_id == product_id, TicketCommit.ticket.in_(list(keys)))
        .order_by(Commit.committed_at, Commit.id)
    )
    found: dict[str, tuple[bool, str, str]] = {}
    for ticket, relation, sha, subject in session.execute(query):
        fixes = relation == TicketRelation.FIXES.value
        if ticket not in found or (fixes and not found[ticket][0]):
            found[ticket] = (fixes, sha, subject)
    return {ticket: (sha, subject) for ticket, (_, sha, subject) in found.items()}


def states(session: Session, product_id: int) -> dict[str, str]:
    """Version -> the release's state, of every release that was not abandoned."""
    query = select(Release.version, Release.state).where(
        Release.product_id == product_id, Release.state != ReleaseState.ABANDONED
    )
    return {row[0]: row[1].value for row in session.execute(query)}


def published(session: Session, product_id: int, *, limit: int) -> list[str]:
    """The newest versions that customers can have, highest first, candidates left out."""
    query = (
        select(Release.version)
        .where(
            Release.product_id == product_id,
            Release.state == ReleaseState.PUBLISHED,
            Release.kind != VersionKind.CANDIDATE,
        )
        .order_by(Release.sort_key.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def running(session: Session, product_id: int) -> list[tuple[str, int]]:
    """The versions that run somewhere with at how many installations, the most frequent first."""
    count = func.count(func.distinct(Installation.id))
    query = (
        select(Target.version, count)
        .join(Installation, Installation.id == Target.installation_id)
        .where(Installation.product_id == product_id, Target.version != "")
        .group_by(Target.version)
        .order_by(count.desc(), Target.version)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
