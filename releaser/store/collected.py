"""Writing down what a history says: new commits are added, everything derived from the graph is replaced as a whole.

What people state (notes, requests, states of releases) is never touched here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from releaser.domain.changelog import breaking_of
from releaser.domain.history import History, TaggedRelease
from releaser.domain.history.history import instant
from releaser.domain.history.table import TicketTable
from releaser.domain.release import ReleaseState
from releaser.store import products, releases
from releaser.store.commits import Commit, Pick, ReleaseCommit, ReleaseSet, Revert, TicketCommit, TicketFix
from releaser.store.products import Line, Product
from releaser.store.releases import Release

_LONGEST_SUBJECT = 2000


def keep(session: Session, product: Product, history: History) -> list[str]:
    """Keep a history of `product`; idempotent. Returns the versions that were not known before, lowest first."""
    _forget_derived(session, product.id)
    fresh, ids = _keep_releases(session, product, history)
    commit_ids = _keep_commits(session, product.id, history)
    _insert(session, ReleaseCommit, _release_commits(history, ids, commit_ids))
    _insert(
        session,
        TicketCommit,
        (
            {"commit_id": commit_ids[c], "ticket": key, "product_id": product.id, "relation": relation}
            for c, found in history.links.items()
            for key, relation in {link.key[:120]: link.relation.value for link in found}.items()
        ),
    )
    _insert(session, TicketFix, _ticket_fixes(product.id, history))
    _insert(
        session,
        Pick,
        {
            pick.commit: {"commit_id": commit_ids[pick.commit], "source": pick.source_id[:64], "via": pick.layer.value}
            for pick in reversed(history.picks)
        }.values(),
    )
    reverts = {(revert.commit, revert.reverted) for revert in history.reverts}
    _insert(
        session, Revert, ({"commit_id": commit_ids[c], "reverted": history.graph.ids[r]} for c, r in sorted(reverts))
    )
    _keep_lines(session, product, history)
    return fresh


def _insert(session: Session, table: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
    values = list(rows)
    if values:
        session.execute(insert(table), values)


def _forget_derived(session: Session, product_id: int) -> None:
    """Take away all that the graph decides; commits stay, so that their numbers stay."""
    mine = select(Commit.id).where(Commit.product_id == product_id).scalar_subquery()
    for table in (ReleaseCommit, TicketCommit, Pick, Revert):
        session.execute(delete(table).where(table.commit_id.in_(mine)))
    for of_product in (ReleaseSet, TicketFix):
        session.execute(delete(of_product).where(of_product.product_id == product_id))


def _keep_releases(session: Session, product: Product, history: History) -> tuple[list[str], dict[int, int]]:
    """Add the releases that tags tell of, complete the ones we cut; versions that are new, and rank -> row id."""
    known = {release.version_key: release for release in releases.by_product(session, product.id)}
    fresh: list[str] = []
    rows: dict[int, Release] = {}
    for release in known.values():
        release.rank = None
    for tagged in history.releases:
        row = known.get(tagged.version.key)
        if row is None:
            row = _imported(product.id, tagged)
            session.add(row)
            fresh.append(tagged.version.text)
        elif row.imported or row.commit == tagged.commit:
            row.commit, row.tag, row.tag_object = tagged.commit, tagged.tag, tagged.tag_object
            row.tagged_at = tagged.released_at
        row.rank = tagged.rank
        row.previous = tagged.previous.text if tagged.previous else ""
        rows[tagged.rank] = row
    session.flush()
    if fresh:
        releases.renumber(session, product)
        session.flush()
    return fresh, {rank: row.id for rank, row in rows.items()}


def _imported(product_id: int, tagged: TaggedRelease) -> Release:
    version = tagged.version
    return Release(
        product_id=product_id,
        version=version.text,
        version_key=version.key,
        line=version.line,
        kind=version.kind,
        state=ReleaseState.PUBLISHED,
        imported=True,
        commit=tagged.commit,
        tag=tagged.tag,
        tag_object=tagged.tag_object,
        tagged_at=tagged.released_at,
        published_at=tagged.released_at,
    )


def _ticket_fixes(product_id: int, history: History) -> Iterable[dict[str, Any]]:
    """The releases that each ticket is fixed in: what is taken back does not count, copies do."""
    width = (len(history.releases) + 7) // 8 or 1
    for key, bits in TicketTable(history).fixed():
        yield {"product_id": product_id, "ticket": key[:120], "bits": bits.to_bytes(width, "little")}


def _keep_commits(session: Session, product_id: int, history: History) -> list[int]:
    """Add new commits, renew every set of releases; the row id of each commit by its index."""
    releases_only = (1 << len(history.releases)) - 1
    numbers: dict[int, int] = {}
    set_numbers = [numbers.setdefault(bits & releases_only, len(numbers)) for bits in history.sets]
    width = (len(history.releases) + 7) // 8 or 1
    _insert(
        session,
        ReleaseSet,
        (
            {"product_id": product_id, "number": n, "bits": bits.to_bytes(width, "little")}
            for bits, n in numbers.items()
        ),
    )
    _complete_subjects(session, product_id, history)
    known = {row.sha: row for row in session.execute(_KNOWN.where(Commit.product_id == product_id))}
    ids = history.graph.ids
    _insert(
        session,
        Commit,
        (
            _commit(product_id, history, index, set_numbers[history.set_of[index]])
            for index, sha in enumerate(ids)
            if sha not in known
        ),
    )
    moved = [
        {"row": row.id, "number": set_numbers[history.set_of[index]]}
        for index, sha in enumerate(ids)
        if (row := known.get(sha)) is not None and row.release_set != set_numbers[history.set_of[index]]
    ]
    if moved:
        table = Commit.__table__
        assert isinstance(table, Table)  # noqa: S101 -- for the type checker: it is mapped to one table
        renew = update(table).where(table.c.id == bindparam("row")).values(release_set=bindparam("number"))
        session.connection().execute(renew, moved)
    rows = {row.sha: row.id for row in session.execute(_KNOWN.where(Commit.product_id == product_id))}
    return [rows[sha] for sha in ids]


def _complete_subjects(session: Session, product_id: int, history: History) -> None:
    """What was outside the product's paths when it was kept has no subject; paths change."""
    bare = select(Commit).where(Commit.product_id == product_id, Commit.subject == "")
    for row in session.scalars(bare):
        index = history.find(row.sha)
        if index is not None and (subject := history.subject(index)):
            row.subject = subject[:_LONGEST_SUBJECT]


_KNOWN = select(Commit.id, Commit.sha, Commit.release_set)


def _commit(product_id: int, history: History, index: int, release_set: int) -> dict[str, Any]:
    columns = history.columns
    return {
        "product_id": product_id,
        "sha": history.graph.ids[index],
        "author": columns.names[index],
        "authored_at": instant(columns.authored[index]),
        "committed_at": instant(columns.committed[index]),
        "subject": history.subject(index)[:_LONGEST_SUBJECT],
        "release_set": release_set,
        "is_merge": index in history.graph.more,
    }


def _release_commits(
    history: History, release_ids: Mapping[int, int], commit_ids: list[int]
) -> Iterable[dict[str, Any]]:
    for release in history.releases:
        for position, change in enumerate(history.changes(release)):
            yield {
                "release_id": release_ids[release.rank],
                "commit_id": commit_ids[change.commit.index],
                "position": position,
                "standing": change.standing,
                "picked_from": (change.picked_from or "")[:64],
                "reverted_by": (change.reverted_by or "")[:64],
                "breaking": breaking_of(change.commit.message),
            }


def _keep_lines(session: Session, product: Product, history: History) -> None:
    """Every line that has a release, in the order of their numbers, with its branch where there is one."""
    branches = {head.line: head.branch for head in history.heads if head.line is not None}
    known = {line.name: line for line in products.lines(session, product.id)}
    for rank, name in enumerate(history.lines, start=1):
        line = known.get(name)
        if line is None:
            line = Line(product_id=product.id, name=name)
            session.add(line)
        line.sort_key = rank
        line.branch = branches.get(name, line.branch or "")
