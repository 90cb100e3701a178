"""Writing down what a history says: after the first time only what became other since the state that stands here.

What people state (notes, requests, states of releases, overrides) is never touched here, and what is to be written is found by `news`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from releaser.domain.history import TaggedRelease
from releaser.domain.history.classes import UNFIXED
from releaser.domain.history.history import instant
from releaser.domain.release import ReleaseState
from releaser.store import products, releases
from releaser.store.commits import Commit, FixSet, Pick, ReleaseCommit, ReleaseSet, Revert, TicketCommit, TicketFix
from releaser.store.news import News
from releaser.store.products import Line, Product
from releaser.store.releases import Release

# Databases take only so many values in one statement.
_CHUNK = 500
_ROWS = 5000
_NOWHERE = -1


def keep(session: Session, product: Product, told: News) -> list[str] | None:
    """Write it; idempotent. The versions that were not known before, lowest first.

    None, and nothing is written, where the store stands elsewhere than at `told.since`: somebody else wrote meanwhile.
    """
    if told.since is not None and told.since != product.history_state:
        return None
    writing = _Writing(session, product, told)
    return writing.write()


def counts(product: Product) -> dict[str, int]:
    """How many commits, releases, lines and tickets the history of a product has, as of its last collect."""
    return {name: int(product.counted.get(name, 0)) for name in ("commits", "releases", "lines", "tickets")}


class _Writing:
    """One run of writing."""

    def __init__(self, session: Session, product: Product, told: News) -> None:
        self._session = session
        self._product = product
        self._told = told
        self._history = told.history
        self._released = (1 << len(told.history.releases)) - 1
        self._width = (len(told.history.releases) + 7) // 8 or 1
        self._releases: dict[int, int] = {}
        self._gone: list[int] = []
        self._rows: dict[int, int] = {}

    def write(self) -> list[str]:
        """Everything, in the order that keys demand."""
        fresh = self._write_releases()
        self._forget()
        self._write_sets()
        self._write_commits()
        self._write_new_in()
        self._write_tickets()
        self._write_relations()
        self._write_lines()
        product, history = self._product, self._history
        product.history_state = history.state
        product.counted = {
            "commits": len(history) - len(history.graph.lost),
            "releases": releases.count(self._session, product.id),
            "lines": len(history.lines),
            "tickets": len(history.tickets_by_age) if history.graph.lost else len(history.index.links.keys),
        }
        return fresh

    # --- releases and lines ------------------------------------------------------------------------------------------

    def _write_releases(self) -> list[str]:
        """Add the releases that tags tell of, complete the ones we cut; the versions that are new."""
        query = select(
            Release.id,
            Release.version_key,
            Release.imported,
            Release.commit,
            Release.tag,
            Release.tag_object,
            Release.tagged_at,
            Release.rank,
            Release.previous,
        ).where(Release.product_id == self._product.id)
        known = {row.version_key: row for row in self._session.execute(query)}
        told = {release.version.key: release for release in self._history.releases}
        changed = [values for key, row in known.items() if (values := _completed(row, told.get(key))) is not None]
        self._gone = [values["row"] for values in changed if values["rank"] is None]
        if changed:
            columns = ("commit", "tag", "tag_object", "tagged_at", "rank", "previous")
            self._update(Release, changed, columns)
            self._session.expire_all()
        fresh = [release for key, release in told.items() if key not in known]
        self._insert(Release, (_imported(self._product.id, release) for release in fresh))
        if fresh:
            releases.renumber(self._session, self._product)
            self._session.flush()
        ids = self._session.execute(
            select(Release.rank, Release.id).where(Release.product_id == self._product.id, Release.rank.is_not(None))
        )
        self._releases = {row.rank: row.id for row in ids if row.rank is not None}
        return [release.version.text for release in fresh]

    def _write_lines(self) -> None:
        """Every line that has a release, in the order of their numbers, with its branch where there is one."""
        branches = {head.line: head.branch for head in self._history.heads if head.line is not None}
        query = select(Line.id, Line.name, Line.sort_key, Line.branch).where(Line.product_id == self._product.id)
        known = {row.name: row for row in self._session.execute(query)}
        for rank, name in enumerate(self._history.lines, start=1):
            row = known.get(name)
            if row is None:
                branch = branches.get(name, "")
                self._session.add(Line(product_id=self._product.id, name=name, sort_key=rank, branch=branch))
            elif (row.sort_key, row.branch) != (rank, branches.get(name, row.branch)):
                line = products.line(self._session, self._product.id, name)
                if line is not None:
                    line.sort_key, line.branch = rank, branches.get(name, line.branch)

    # --- commits and the releases that hold them ---------------------------------------------------------------------

    def _forget(self) -> None:
        """Take away all that will be written again; commits stay, so that their numbers stay."""
        product_id = self._product.id
        if self._told.is_whole:
            mine = select(Commit.id).where(Commit.product_id == product_id).scalar_subquery()
            for table in (ReleaseCommit, TicketCommit, Pick, Revert):
                self._session.execute(delete(table).where(table.commit_id.in_(mine)))
            for of_product in (ReleaseSet, FixSet, TicketFix):
                self._session.execute(delete(of_product).where(of_product.product_id == product_id))
            return
        told = self._told
        self._delete(ReleaseCommit.release_id, [*self._gone, *(self._releases[rank] for rank in told.ranks)])
        self._delete(ReleaseSet.number, told.sets, ReleaseSet.product_id)
        self._delete(FixSet.number, told.classes, FixSet.product_id)
        keys = self._history.index.links.keys
        self._delete(TicketFix.ticket, [keys[number] for number in told.tickets], TicketFix.product_id)
        again = {**self._row_ids([*told.lost, *told.related]), **self._row_ids(told.commits)}
        relations = [again[one] for one in (*told.lost, *told.related, *told.commits) if one in again]
        for column in (Pick.commit_id, Revert.commit_id):
            self._delete(column, relations)
        gone = [again[one] for one in (*told.lost, *told.commits) if one in again]
        for column in (ReleaseCommit.commit_id, TicketCommit.commit_id):
            self._delete(column, gone)

    def _write_sets(self) -> None:
        product_id, sets = self._product.id, self._history.sets
        self._insert(
            ReleaseSet,
            ({"product_id": product_id, "number": n, "bits": self._bits(sets[n])} for n in self._told.sets),
        )

    def _bits(self, bits: int) -> bytes:
        return (bits & self._released).to_bytes(self._width, "little")

    def _write_commits(self) -> None:
        """Add new commits, and renew the places and sets of those that were known."""
        told, set_of, ids = self._told, self._history.set_of, self._history.graph.ids
        known = self._known()
        self._insert(Commit, (self._commit(one) for one in told.commits if ids[one] not in known))
        if told.is_whole:
            places = {ids[one]: one for one in told.commits if ids[one] in known}
            wanted = {
                row.id: (places.get(sha, _NOWHERE), set_of[places[sha]] if sha in places else row.release_set)
                for sha, row in known.items()
            }
            moved = [
                {"row": row.id, "place": wanted[row.id][0], "release_set": wanted[row.id][1]}
                for row in known.values()
                if wanted[row.id] != (row.place, row.release_set)
            ]
        else:
            lost = set(told.lost)
            back = [one for one in told.commits if ids[one] in known]
            moved = [
                {"row": row, "place": _NOWHERE if one in lost else one, "release_set": set_of[one]}
                for one, row in self._row_ids([*told.moved, *told.lost]).items()
            ] + [{"row": known[ids[one]].id, "place": one, "release_set": set_of[one]} for one in back]
        self._update(Commit, moved, ("place", "release_set"))
        if told.is_whole:
            self._complete_subjects()
        self._rows = self._row_ids(self._mentioned())

    def _complete_subjects(self) -> None:
        """What was outside the product's paths when it was first kept has no subject; paths change."""
        query = select(Commit.id, Commit.place).where(Commit.product_id == self._product.id, Commit.subject == "")
        subjects = self._told.subjects
        bare = [
            {"row": row.id, "subject": subjects[row.place]}
            for row in self._session.execute(query)
            if subjects.get(row.place)
        ]
        self._update(Commit, bare, ("subject",))

    def _known(self) -> dict[str, Any]:
        """Those of the commits to be written that stand here: sha -> row; all that stand here where everything is written."""
        query = select(Commit.id, Commit.sha, Commit.place, Commit.release_set)
        query = query.where(Commit.product_id == self._product.id)
        if self._told.is_whole:
            return {row.sha: row for row in self._session.execute(query)}
        ids = self._history.graph.ids
        found = self._chunks(query, Commit.sha, [ids[one] for one in self._told.commits])
        return {row.sha: row for row in found}

    def _mentioned(self) -> list[int]:
        """The commits whose rows are referred to by what is written."""
        told = self._told
        return list({*told.commits, *told.related, *(one.commit for one in told.new_in)})

    def _commit(self, commit: int) -> dict[str, Any]:
        columns = self._history.columns
        return {
            "product_id": self._product.id,
            "place": commit,
            "sha": self._history.graph.ids[commit],
            "author": columns.names[commit],
            "authored_at": instant(columns.authored[commit]),
            "committed_at": instant(columns.committed[commit]),
            "subject": self._told.subjects[commit],
            "release_set": self._history.set_of[commit],
            "is_merge": len(self._history.graph.parents(commit)) > 1,
        }

    def _write_new_in(self) -> None:
        self._insert(
            ReleaseCommit,
            (
                {
                    "release_id": self._releases[one.rank],
                    "commit_id": self._rows[one.commit],
                    "position": one.position,
                    "standing": one.standing,
                    "picked_from": one.picked_from,
                    "reverted_by": one.reverted_by,
                    "breaking": one.breaking,
                }
                for one in self._told.new_in
            ),
        )

    # --- tickets, picks, reverts -------------------------------------------------------------------------------------

    def _write_tickets(self) -> None:
        told, history, product_id = self._told, self._history, self._product.id
        links = history.links
        self._insert(
            TicketCommit,
            (
                {"commit_id": self._rows[one], "ticket": key, "product_id": product_id, "relation": relation}
                for one in told.commits
                for key, relation in {link.key: link.relation.value for link in links.get(one, ())}.items()
            ),
        )
        places = history.class_places
        self._insert(
            FixSet,
            (
                {"product_id": product_id, "number": n, "bits": self._bits(places[n][0])}
                for n in told.classes
                if n != UNFIXED
            ),
        )
        keys, class_of = history.index.links.keys, history.classes.of
        self._insert(
            TicketFix,
            (
                {"product_id": product_id, "ticket": keys[n], "fix_set": class_of[n]}
                for n in told.tickets
                if class_of[n] != UNFIXED
            ),
        )

    def _write_relations(self) -> None:
        history, about = self._history, {*self._told.commits, *self._told.related}
        self._insert(
            Pick,
            (
                {"commit_id": self._rows[one], "source": picks[0].source_id[:64], "via": picks[0].layer.value}
                for one in about
                if (picks := history.copies.picks_of.get(one))
            ),
        )
        reverts = history.index.relations.reverts
        self._insert(
            Revert,
            (
                {"commit_id": self._rows[one], "reverted": history.graph.ids[reverted]}
                for one in about
                for reverted in {revert.reverted for revert in reverts.get(one, ())}
            ),
        )

    # --- statements --------------------------------------------------------------------------------------------------

    def _row_ids(self, places: Sequence[int]) -> dict[int, int]:
        """Row ids by place, as far as there are rows."""
        query = select(Commit.place, Commit.id).where(Commit.product_id == self._product.id)
        if self._told.is_whole:
            return {row.place: row.id for row in self._session.execute(query.where(Commit.place >= 0))}
        # Nothing else is said of places here: SQLite would rather look through all that are not negative.
        return {row.place: row.id for row in self._chunks(query, Commit.place, places)}

    def _chunks(self, query: Any, column: Any, values: Sequence[Any]) -> Iterator[Any]:  # noqa: ANN401 -- any select
        for start in range(0, len(values), _CHUNK):
            yield from self._session.execute(query.where(column.in_(values[start : start + _CHUNK])))

    def _insert(self, table: type[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        into, waiting = insert(_plain(table)), iter(rows)
        # Below the ORM, which has nothing to add here and takes ten times as long; by parts, because rows take much more room here
        # than there.
        while values := list(islice(waiting, _ROWS)):
            self._session.connection().execute(into, values)

    def _update(self, table: type[Any], rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        if rows:
            plain = _plain(table)
            renew = update(plain).where(plain.c.id == bindparam("row"))
            values = {name: bindparam(f"new_{name}", type_=plain.c[name].type) for name in columns}
            named = [{"row": row["row"], **{f"new_{name}": row[name] for name in columns}} for row in rows]
            self._session.connection().execute(renew.values(values), named)

    def _delete(self, column: Any, values: Sequence[Any], product: Any = None) -> None:  # noqa: ANN401 -- any column
        for start in range(0, len(values), _CHUNK):
            gone = delete(column.class_).where(column.in_(values[start : start + _CHUNK]))
            if product is not None:
                gone = gone.where(product == self._product.id)
            self._session.execute(gone.execution_options(synchronize_session=False))


def _plain(table: type[Any]) -> Table:
    plain = table.__table__
    assert isinstance(plain, Table)  # noqa: S101 -- for the type checker: each is mapped to one table
    return plain


def _completed(row: Any, tagged: TaggedRelease | None) -> dict[str, Any] | None:  # noqa: ANN401 -- a row
    """What a known release should have, or None when it has it."""
    was = (row.commit, row.tag, row.tag_object, row.tagged_at, row.rank, row.previous)
    if tagged is None:
        now = (*was[:4], None, row.previous)
    else:
        ours = row.imported or row.commit == tagged.commit
        told = (tagged.commit, tagged.tag, tagged.tag_object, tagged.released_at) if ours else was[:4]
        now = (*told, tagged.rank, tagged.previous.text if tagged.previous else "")
    if now == was:
        return None
    commit, tag, tag_object, tagged_at, rank, previous = now
    return {
        "row": row.id,
        "commit": commit,
        "tag": tag,
        "tag_object": tag_object,
        "tagged_at": tagged_at,
        "rank": rank,
        "previous": previous,
    }


def _imported(product_id: int, tagged: TaggedRelease) -> dict[str, Any]:
    version = tagged.version
    return {
        "product_id": product_id,
        "version": version.text,
        "version_key": version.key,
        "line": version.line,
        "kind": version.kind,
        "state": ReleaseState.PUBLISHED,
        "imported": True,
        "commit": tagged.commit,
        "tag": tagged.tag,
        "tag_object": tagged.tag_object,
        "tagged_at": tagged.released_at,
        "published_at": tagged.released_at,
        "rank": tagged.rank,
        "previous": tagged.previous.text if tagged.previous else "",
    }
