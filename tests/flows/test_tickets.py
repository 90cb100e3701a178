"""Requests: taken in, followed through the releases, told when their fix runs, untold when it no longer does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.history import Standing
from releaser.domain.release import ReleaseState
from releaser.domain.request import CloseReason
from releaser.domain.version import InvalidVersionError, VersionKind
from releaser.errors import InvalidError, MoveConflictError, NotFoundError
from releaser.flows.add_ticket import TicketExistsError, TicketKeyError, add_ticket
from releaser.flows.close_ticket import close_ticket
from releaser.flows.close_tickets import close_tickets
from releaser.flows.find_ticket import AmbiguousTicketError
from releaser.flows.reopen_ticket import ReopenReasonMissingError, reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket
from releaser.store import fixes
from releaser.store.commits import Commit, Pick, ReleaseCommit, Revert, TicketCommit
from releaser.store.products import Product
from releaser.store.releases import Note, Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

DAY = timedelta(days=1)


class Requests(NoticeWorld):
    """The world with a history that the tests write themselves."""

    def commit(
        self,
        sha: str,
        release: str,
        *,
        fixes: str = "",
        refs: str = "",
        pick_of: str = "",
        reverts: str = "",
        standing: Standing = Standing.SHOWN,
    ) -> None:
        """A commit that is new in a release."""
        with self.database.transaction() as session:
            product = self.row(session, Product, "calls")
            row = Commit(
                product_id=product.id,
                sha=sha,
                author="Ann",
                authored_at=self.clock.now(),
                committed_at=self.clock.now(),
                subject=f"{fixes or refs or 'Something'}: {sha}",
                release_set=0,
            )
            session.add(row)
            session.flush()
            for key, relation in ((fixes, "fixes"), (refs, "refs")):
                if key:
                    session.add(TicketCommit(commit_id=row.id, ticket=key, product_id=product.id, relation=relation))
            if pick_of:
                session.add(Pick(commit_id=row.id, source=pick_of, via="trailer"))
            if reverts:
                session.add(Revert(commit_id=row.id, reverted=reverts))
            if release:
                found = session.query(Release).filter_by(version=release).one()
                session.add(ReleaseCommit(release_id=found.id, commit_id=row.id, position=1, standing=standing))

    def releases(self, *versions: str) -> None:
        """The product's releases, lowest first, instead of those of the world."""
        with self.database.transaction() as session:
            product = self.row(session, Product, "calls")
            known = {row.version: row for row in session.query(Release)}
            for rank, version in enumerate(versions, start=1):
                row = known.get(version) or self.release(product, version, rank)
                row.sort_key = rank
                session.add(row)

    def carriers(self, key: str) -> list[str]:
        with self.database.reading() as session:
            product = self.row(session, Product, "calls")
            return [one.version for one in fixes.carriers(session, product.id, [key]).get(key, [])]

    def add(self, key: str = "CALL-1", **options: Any) -> dict[str, Any]:  # noqa: ANN401 -- those of the flow
        return add_ticket(
            self.ports, product="calls", key=key, by="rita", **{"title": "No ringing", "customer": "acme", **options}
        )

    def state(self, key: str = "CALL-1") -> str:
        return str(show_ticket(self.ports, key=key, product="calls")["state"])


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Requests:
    return Requests(database, tmp_path)


def test_request_is_taken_in_with_what_is_known(world: Requests) -> None:
    facts = world.add(found_in="1.0.0", title="  No\nringing ")
    assert (facts["key"], facts["title"], facts["customer"]) == ("CALL-1", "No ringing", "acme")
    assert (facts["found_in"], facts["state"], facts["opened_at"]) == ("1.0", "new", world.clock.now())
    assert [t["key"] for t in list_tickets(world.ports, product="calls", customer="acme")] == ["CALL-1"]
    assert list_tickets(world.ports, customer="globex") == []


@pytest.mark.parametrize("key", ["", "OTHER-1", "CALL-1x", "CALL-1\n", "x" * 500])
def test_key_that_no_commit_can_name_is_refused(world: Requests, key: str) -> None:
    with pytest.raises(TicketKeyError):
        world.add(key)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"title": " "}, InvalidError),
        ({"title": "x" * 1000}, InvalidError),
        ({"customer": "nobody"}, NotFoundError),
        ({"found_in": "3.04"}, InvalidVersionError),
    ],
)
def test_malformed_request_is_refused(world: Requests, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        world.add(**options)


def test_same_key_twice_is_refused(world: Requests) -> None:
    world.add()
    with pytest.raises(TicketExistsError):
        world.add()


def test_key_that_nobody_knows_is_not_found(world: Requests) -> None:
    for product in (None, "calls"):
        with pytest.raises(NotFoundError):
            show_ticket(world.ports, key="CALL-9", product=product)


def test_key_in_two_products_asks_which(world: Requests) -> None:
    world.add()
    with world.database.transaction() as session:
        session.add(Product(name="mail", ticket_patterns=[], created_at=world.clock.now()))
    add_ticket(world.ports, product="mail", key="CALL-1", title="Other", by="rita")
    with pytest.raises(AmbiguousTicketError, match="calls, mail"):
        show_ticket(world.ports, key="CALL-1")
    assert show_ticket(world.ports, key="CALL-1", product="mail")["title"] == "Other"


def test_request_is_closed_and_reopened_with_reasons(world: Requests) -> None:
    world.add()
    facts = close_ticket(world.ports, key="CALL-1", reason=CloseReason.WITHDRAWN, by="rita")
    assert (facts["state"], facts["close_reason"], facts["closed_at"]) == ("closed", "withdrawn", world.clock.now())
    with pytest.raises(MoveConflictError):
        close_ticket(world.ports, key="CALL-1", reason=CloseReason.CONFIRMED, by="rita")
    with pytest.raises(ReopenReasonMissingError):
        reopen_ticket(world.ports, key="CALL-1", reason="", by="rita")
    facts = reopen_ticket(world.ports, key="CALL-1", reason="It happens again.", by="rita")
    assert (facts["state"], facts["close_reason"], facts["closed_at"]) == ("reopened", None, None)


def test_ticket_that_only_the_history_names_cannot_be_closed(world: Requests) -> None:
    world.commit("a1", "1.1", fixes="CALL-7")
    assert show_ticket(world.ports, key="CALL-7")["state"] is None
    with pytest.raises(NotFoundError, match="ticket add"):
        close_ticket(world.ports, key="CALL-7", reason=CloseReason.CONFIRMED, by="rita")


def test_fix_is_in_its_release_and_in_all_that_build_on_it(world: Requests) -> None:
    world.releases("1.0", "1.0.1", "1.0.2", "1.1", "1.1.1", "1.2", "1.2.1")
    world.commit("a1", "1.1", fixes="CALL-1")
    assert world.carriers("CALL-1") == ["1.1", "1.1.1", "1.2", "1.2.1"]


def test_fix_on_a_patch_line_stays_there_until_it_is_picked(world: Requests) -> None:
    world.releases("1.0", "1.0.1", "1.0.2", "1.1", "1.1.1")
    world.commit("a1", "1.0.1", fixes="CALL-1")
    assert world.carriers("CALL-1") == ["1.0.1", "1.0.2"]
    world.commit("b2", "1.1.1", pick_of="a1")
    assert world.carriers("CALL-1") == ["1.0.1", "1.0.2", "1.1.1"]


def test_fix_that_is_taken_back_is_gone_until_something_new_comes(world: Requests) -> None:
    world.releases("1.0", "1.0.1", "1.0.2", "1.0.3", "1.1", "1.1.1")
    world.commit("a1", "1.0", fixes="CALL-1")
    world.commit("b2", "1.0.2", reverts="a1", standing=Standing.REVERT)
    assert world.carriers("CALL-1") == ["1.0", "1.0.1", "1.1", "1.1.1"]
    world.commit("c3", "1.0.3", fixes="CALL-1")
    assert world.carriers("CALL-1") == ["1.0", "1.0.1", "1.0.3", "1.1", "1.1.1"]


def test_revert_of_a_revert_brings_the_fix_back(world: Requests) -> None:
    world.releases("1.0", "1.0.1", "1.0.2", "1.0.3", "1.1", "1.1.1")
    world.commit("a1", "1.0", fixes="CALL-1")
    world.commit("b2", "1.0.1", reverts="a1", standing=Standing.REVERT)
    world.commit("c3", "1.0.2", reverts="b2", standing=Standing.REVERT)
    assert world.carriers("CALL-1") == ["1.0", "1.0.2", "1.0.3", "1.1", "1.1.1"]


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ({"refs": "CALL-1"}, []),
        ({"fixes": "CALL-1", "standing": Standing.REVERTED}, []),
        ({"fixes": "CALL-1", "standing": Standing.REPEATED}, ["1.1", "1.1.1"]),
        ({"fixes": "CALL-2"}, []),
    ],
)
def test_only_what_is_in_force_and_fixes_counts(world: Requests, commit: dict[str, Any], expected: list[str]) -> None:
    world.commit("a1", "1.1", **commit)
    assert world.carriers("CALL-1") == expected


def test_abandoned_release_carries_nothing(world: Requests) -> None:
    world.commit("a1", "1.1.1", fixes="CALL-1")
    with world.database.transaction() as session:
        session.query(Release).filter_by(version="1.1.1").one().state = ReleaseState.ABANDONED
    assert world.carriers("CALL-1") == []


def test_recorded_previous_release_is_believed(world: Requests) -> None:
    world.releases("1.0", "1.1", "1.1.1")
    world.commit("a1", "1.0", fixes="CALL-1")
    with world.database.transaction() as session:
        session.query(Release).filter_by(version="1.1").one().kind = VersionKind.CANDIDATE
        session.query(Release).filter_by(version="1.1.1").one().previous = "1.0"
    assert world.carriers("CALL-1") == ["1.0", "1.1", "1.1.1"]


def test_request_is_solved_when_the_fix_runs_at_all_installations(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    for name in ("acme-1", "acme-2"):
        world.install(name, "1.0")
    assert close_tickets(world.ports) == 0
    world.clock.advance(DAY)
    world.install("acme-1", "1.1")
    assert close_tickets(world.ports) == 0, "one of two"
    world.clock.advance(DAY)
    world.install("acme-2", "1.1.1")
    seen_at = world.clock.now()
    world.clock.advance(DAY)
    assert close_tickets(world.ports) == 1
    assert close_tickets(world.ports) == 0
    facts = show_ticket(world.ports, key="CALL-1")
    assert (facts["state"], facts["solved_at"]) == ("solution_provided", seen_at)
    assert [(i["installation"], i["fixed"]) for i in facts["installations"]] == [("acme-1", True), ("acme-2", True)]


def test_release_alone_solves_nothing(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    assert close_tickets(world.ports) == 0
    world.install("globex-1", "1.1")
    assert close_tickets(world.ports) == 0, "that is another customer's"


def test_older_version_unsolves_and_the_fix_solves_again(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    world.install("acme-1", "1.1")
    assert close_tickets(world.ports) == 1
    world.clock.advance(DAY)
    world.install("acme-1", "1.0")
    assert close_tickets(world.ports) == 1
    facts = show_ticket(world.ports, key="CALL-1")
    assert (facts["state"], facts["solved_at"]) == ("reopened", None)
    assert "older version" in facts["moves"][-1]["reason"]
    assert close_tickets(world.ports) == 0
    world.clock.advance(DAY)
    world.install("acme-1", "1.1.1")
    assert close_tickets(world.ports) == 1
    assert world.state() == "solution_provided"


def test_request_reopened_by_a_person_is_not_solved_by_the_old_fix(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    world.install("acme-1", "1.1")
    close_tickets(world.ports)
    world.clock.advance(DAY)
    reopen_ticket(world.ports, key="CALL-1", reason="It still does not ring.", by="rita")
    assert close_tickets(world.ports) == 0
    world.clock.advance(DAY)
    world.install("acme-1", "1.1.1")
    assert close_tickets(world.ports) == 0, "the same fix, from before"
    assert world.state() == "reopened"


def test_closed_request_is_left_alone(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    close_ticket(world.ports, key="CALL-1", reason=CloseReason.WITHDRAWN, by="rita")
    world.install("acme-1", "1.1")
    assert close_tickets(world.ports) == 0


def test_thread_leads_from_the_request_to_the_measured_downtime(world: Requests) -> None:
    world.add()
    world.commit("a1", "1.1", fixes="CALL-1")
    rollout, number = world.plan(["acme-1"])
    with world.database.transaction() as session:
        found = session.query(Release).filter_by(version="1.1").one()
        session.add(
            Note(release_id=found.id, ticket="CALL-1", language="en", text="It rings.", written_at=world.clock.now())
        )
        update = session.query(TargetUpdate).filter_by(rollout_id=rollout).one()
        update.stopped_at, update.served_at = world.clock.now(), world.clock.now() + timedelta(seconds=1.5)
        session.query(Rollout).one().ticket = "CALL-1"
    world.install("acme-1", "1.1", rollout_id=rollout)
    world.install("globex-1", "1.0")
    close_tickets(world.ports)
    facts = show_ticket(world.ports, key="CALL-1")
    assert [move["to"] for move in facts["moves"]] == ["new", "solution_provided"]
    assert [(c["commit"], c["relation"], c["reverted"]) for c in facts["commits"]] == [("a1", "fixes", False)]
    assert facts["lines"] == [{"line": "1.1", "first_version": "1.1", "commit": "a1"}]
    assert [(r["version"], r["state"], r["new"]) for r in facts["releases"]] == [
        ("1.1", "published", True),
        ("1.1.1", "published", False),
    ]
    assert [(n["version"], n["text"]) for n in facts["notes"]] == [("1.1", "It rings.")]
    assert [(r["id"], r["version"], r["notices"]) for r in facts["rollouts"]] == [(rollout, "1.1", [number])]
    assert [
        (i["installation"], i["customer"], i["fixed"], i["since"], i["planned_stop_s"], i["measured_stop_s"])
        for i in facts["installations"]
    ] == [
        ("acme-1", "acme", True, world.clock.now(), 20.0, 1.5),
        ("globex-1", "globex", False, None, None, None),
    ]
