"""What a collect writes when it writes only what is new is what one writes that writes everything."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.history import Delta, History, HistoryBuilder
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from releaser.store import collected
from releaser.store.commits import Commit, FixSet, Pick, ReleaseCommit, ReleaseSet, Revert, TicketCommit, TicketFix
from releaser.store.news import news
from releaser.store.products import Line, Product
from releaser.store.releases import Release
from releaser.store.session import Database
from tests.fakes.growing_history import GrowingHistory

NUMBERS = count()


def read(growing: GrowingHistory, known: History | None) -> tuple[History, Delta]:
    """The history as it is now, brought up to date where it is known."""
    every = growing.batch([one.id for one in growing.made.commits])
    messages = dict(zip(every.ids, every.messages, strict=True))
    builder = HistoryBuilder(
        tag_format=TagFormat(scheme=Scheme.TWO_PART),
        patterns=TicketPatterns([r"T-\d+"]),
        known=known.index if known else None,
        read=lambda ids: [messages[one] for one in ids],
    )
    tips, excluded = builder.wanted(growing.refs())
    if tips:
        builder.add(growing.batch(tips, excluded))
    return builder.finish(growing.refs()), builder.delta


def product(database: Database) -> str:
    name = f"product-{next(NUMBERS)}"
    with database.transaction() as session:
        session.add(Product(name=name, ticket_patterns=[r"T-\d+"], created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    return name


def keep(database: Database, name: str, history: History, delta: Delta | None) -> list[str]:
    with database.transaction() as session:
        row = session.scalars(select(Product).where(Product.name == name)).one()
        fresh = collected.keep(session, row, news(history, delta, stands_at=row.history_state))
    assert fresh is not None
    return fresh


def kept(session: Session, name: str) -> dict[str, Any]:
    """Everything written of a product, by names instead of numbers; numbers of sets and classes are those of what they hold."""
    row = session.scalars(select(Product).where(Product.name == name)).one()
    here = Commit.product_id == row.id
    releases = {
        one.id: one for one in session.scalars(select(Release).where(Release.product_id == row.id)).unique().all()
    }
    sets = {n: by_rank(releases, bits) for n, bits in session.execute(numbered(ReleaseSet, row.id))}
    classes = {n: by_rank(releases, bits) for n, bits in session.execute(numbered(FixSet, row.id))}
    commits = {one.id: one for one in session.scalars(select(Commit).where(here)).all()}
    new = select(ReleaseCommit).where(ReleaseCommit.release_id.in_(releases))
    fixes = session.scalars(select(TicketFix).where(TicketFix.product_id == row.id))
    return {
        "releases": sorted((r.version, r.tag, r.commit, r.rank, r.previous, r.sort_key) for r in releases.values()),
        "commits": sorted((c.sha, c.subject, c.author, c.is_merge) for c in commits.values() if c.place >= 0),
        "sets": sorted((c.sha, sets[c.release_set]) for c in commits.values() if sets.get(c.release_set)),
        "new in": sorted(
            (
                releases[n.release_id].version,
                n.position,
                commits[n.commit_id].sha,
                n.standing,
                n.picked_from,
                n.reverted_by,
            )
            for n in session.scalars(new)
        ),
        "fixes": sorted((one.ticket, classes[one.fix_set]) for one in fixes if classes[one.fix_set]),
        "tickets": sorted(
            (commits[t.commit_id].sha, t.ticket, t.relation)
            for t in session.scalars(select(TicketCommit).where(TicketCommit.product_id == row.id))
        ),
        "picks": sorted((commits[p.commit_id].sha, p.source, p.via) for p in of(session, Pick, commits)),
        "reverts": sorted((commits[r.commit_id].sha, r.reverted) for r in of(session, Revert, commits)),
        "lines": sorted(
            (one.name, one.sort_key) for one in session.scalars(select(Line).where(Line.product_id == row.id))
        ),
        "counts": collected.counts(row),
    }


def numbered(table: Any, product_id: int) -> Any:  # noqa: ANN401 -- either kind of set
    return select(table.number, table.bits).where(table.product_id == product_id)


def of(session: Session, table: Any, commits: dict[int, Commit]) -> Any:  # noqa: ANN401 -- either relation
    return session.scalars(select(table).where(table.commit_id.in_(commits)))


def by_rank(releases: dict[int, Release], bits: bytes) -> tuple[str, ...]:
    held = int.from_bytes(bits, "little")
    return tuple(sorted(r.version for r in releases.values() if r.rank is not None and held >> r.rank & 1))


@pytest.mark.timeout(1800)
@settings(
    max_examples=max(12, settings().max_examples // 5), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 6))
def test_collect_of_what_is_new_writes_what_a_whole_one_would(database: Database, seed: int, rounds: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- it must come out the same again
    growing, known, name = GrowingHistory(chance), None, product(database)
    for number in range(rounds):
        growing.go_on(chance.choice((0, 1, 2, 3, 5, 12, 20)) or (number == 0))
        note(f"round {number}: {growing.heads} {growing.tags}")
        history, delta = read(growing, known)
        keep(database, name, history, delta)
        known = history
    whole = product(database)
    # What vanished stays known by its version, so the whole one starts from the same versions.
    keep(database, whole, read(growing, None)[0], None)
    with database.reading() as session:
        mine, fresh = kept(session, name), kept(session, whole)
    mine["releases"] = [one for one in mine["releases"] if one[3] is not None]
    for what in ("releases", "commits", "sets", "new in", "fixes", "tickets", "picks", "reverts"):
        ours, theirs = mine[what], fresh[what]
        if what == "releases":
            ours, theirs = [one[:5] for one in ours], [one[:5] for one in theirs]
        assert ours == theirs, what


def test_collect_from_another_state_writes_nothing(database: Database) -> None:
    growing, name = GrowingHistory(random.Random(1)), product(database)  # noqa: S311 -- as above
    growing.go_on(12)
    first, delta = read(growing, None)
    keep(database, name, first, delta)
    growing.go_on(5)
    second, delta = read(growing, first)
    told = news(second, delta, stands_at=delta.since)
    keep(database, name, second, delta)
    with database.transaction() as session:
        row = session.scalars(select(Product).where(Product.name == name)).one()
        assert collected.keep(session, row, told) is None, "written twice, from a state that is no longer there"
