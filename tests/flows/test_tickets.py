"""Requests: taken in, followed through the releases, told when their fix runs, untold when it no longer does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.cli.thread import thread_text
from releaser.domain.release import ReleaseState
from releaser.domain.request import CloseReason
from releaser.domain.version import InvalidVersionError
from releaser.errors import InvalidError, NotFoundError
from releaser.flows.add_ticket import TicketExistsError, add_ticket
from releaser.flows.close_ticket import TicketClosedError, close_ticket
from releaser.flows.close_tickets import close_tickets
from releaser.flows.find_ticket import AmbiguousTicketError, TicketKeyError
from releaser.flows.reopen_ticket import ReopenReasonMissingError, reopen_ticket
from releaser.flows.show_ticket import list_tickets, show_ticket
from releaser.store import fixes
from releaser.store.commits import Commit, FixSet, ReleaseCommit, ReleaseSet, TicketCommit, TicketFix
from releaser.store.products import Product
from releaser.store.releases import Note, Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.session import Database
from tests.fakes.notice_world import NoticeWorld

DAY = timedelta(days=1)


class Requests(NoticeWorld):
    """The world with a history that the tests write themselves."""

    def fix(self, sha: str, release: str, *, carried_by: tuple[str, ...], key: str = "CALL-1") -> None:
        """What a collect keeps of a commit that fixes a ticket, is new in `release` and in force in `carried_by`."""
        with self.database.transaction() as session:
            product = self.row(session, Product, "calls")
            found = {row.version: row for row in session.query(Release)}
            for one in found.values():
                one.rank = one.sort_key - 1
            bits = sum(1 << (found[version].sort_key - 1) for version in carried_by).to_bytes(1, "little")
            session.add(ReleaseSet(product_id=product.id, number=0, bits=bits))
            session.add(FixSet(product_id=product.id, number=0, bits=bits))
            session.add(TicketFix(product_id=product.id, ticket=key, fix_set=0))
            row = Commit(
                product_id=product.id,
                sha=sha,
                place=0,
                author="Ann",
                authored_at=self.clock.now(),
                committed_at=self.clock.now(),
                subject=f"{key}: ring",
                release_set=0,
            )
            session.add(row)
            session.flush()
            session.add(TicketCommit(commit_id=row.id, ticket=key, product_id=product.id, relation="fixes"))
            session.add(ReleaseCommit(release_id=found[release].id, commit_id=row.id, position=1))

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
    with pytest.raises(TicketClosedError, match="CALL-1 is closed already"):
        close_ticket(world.ports, key="CALL-1", reason=CloseReason.CONFIRMED, by="rita")
    with pytest.raises(ReopenReasonMissingError):
        reopen_ticket(world.ports, key="CALL-1", reason="", by="rita")
    facts = reopen_ticket(world.ports, key="CALL-1", reason="It happens again.", by="rita")
    assert (facts["state"], facts["close_reason"], facts["closed_at"]) == ("reopened", None, None)


def test_ticket_that_only_the_history_names_cannot_be_closed(world: Requests) -> None:
    world.fix("a1", "1.1", carried_by=("1.1",), key="CALL-7")
    assert show_ticket(world.ports, key="CALL-7")["state"] is None
    with pytest.raises(NotFoundError, match="ticket add"):
        close_ticket(world.ports, key="CALL-7", reason=CloseReason.CONFIRMED, by="rita")


def test_abandoned_release_carries_nothing(world: Requests) -> None:
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    with world.database.transaction() as session:
        session.query(Release).filter_by(version="1.1.1").one().state = ReleaseState.ABANDONED
    with world.database.reading() as session:
        product = world.row(session, Product, "calls")
        assert fixes.fixed_in(session, product.id, ["CALL-1", "CALL-2"]) == {"CALL-1": {"1.1"}}


def test_request_is_solved_when_the_fix_runs_at_all_installations(world: Requests) -> None:
    world.add()
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
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
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    assert close_tickets(world.ports) == 0
    world.install("globex-1", "1.1")
    assert close_tickets(world.ports) == 0, "that is another customer's"


def test_older_version_unsolves_and_the_fix_solves_again(world: Requests) -> None:
    world.add()
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
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
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
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
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    close_ticket(world.ports, key="CALL-1", reason=CloseReason.WITHDRAWN, by="rita")
    world.install("acme-1", "1.1")
    assert close_tickets(world.ports) == 0


def test_thread_keeps_where_the_fix_was_and_what_took_it_away(world: Requests) -> None:
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    brought, _ = world.plan(["acme-1"])
    came_at = world.clock.now()
    world.install("acme-1", "1.1", rollout_id=brought)
    world.clock.advance(DAY)
    lost, _ = world.plan(["acme-1"], version="1.0")
    world.install("acme-1", "1.0", rollout_id=lost)
    facts = show_ticket(world.ports, key="CALL-1", product="calls")
    (one,) = facts["installations"]
    assert (one["fixed"], one["was_there"]) == (
        False,
        [{"since": came_at, "until": world.clock.now(), "brought_by": brought, "lost_by": lost}],
    )
    assert [(r["id"], r["takes_away"]) for r in facts["rollouts"]] == [(brought, False), (lost, True)]
    told = thread_text(facts)
    assert f"lost by rollout {lost}" in told
    assert "not there yet" not in told
    world.install("acme-1", "1.1.1")
    (one,) = show_ticket(world.ports, key="CALL-1", product="calls")["installations"]
    assert one["fixed"]
    assert len(one["was_there"]) == 1


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (CloseReason.CONFIRMED, "reopened"),
        (CloseReason.BY_RULE, "reopened"),
        (CloseReason.WITHDRAWN, "closed"),
        (CloseReason.DUPLICATE, "closed"),
    ],
)
def test_request_closed_since_its_fix_ran_is_reopened_when_it_is_taken_away(
    world: Requests, reason: CloseReason, state: str
) -> None:
    world.add()
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
    world.install("acme-1", "1.1")
    close_tickets(world.ports)
    world.clock.advance(DAY)
    close_ticket(world.ports, key="CALL-1", reason=reason, by="rita")
    world.clock.advance(DAY)
    world.install("acme-1", "1.1.1")
    assert close_tickets(world.ports) == 0, "a newer one has it, too"
    world.clock.advance(DAY)
    world.install("acme-1", "1.0")
    close_tickets(world.ports)
    facts = show_ticket(world.ports, key="CALL-1")
    assert facts["state"] == state
    if state == "reopened":
        assert (facts["closed_at"], facts["close_reason"]) == (None, None)
        assert "older version" in facts["moves"][-1]["reason"]
        world.clock.advance(DAY)
        close_ticket(world.ports, key="CALL-1", reason=CloseReason.CONFIRMED, by="rita")
        assert close_tickets(world.ports) == 0, "it was lost before it was closed"


def test_request_closed_by_the_vendor_is_not_reopened_by_what_never_had_its_fix(world: Requests) -> None:
    world.add()
    world.fix("a1", "1.1", carried_by=("1.1",))
    world.install("acme-1", "1.1.1")
    close_ticket(world.ports, key="CALL-1", reason=CloseReason.CONFIRMED, by="rita")
    world.clock.advance(DAY)
    world.install("acme-1", "1.0")
    assert close_tickets(world.ports) == 0


def test_thread_leads_from_the_request_to_the_measured_downtime(world: Requests) -> None:
    world.add()
    world.fix("a1", "1.1", carried_by=("1.1", "1.1.1"))
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
    assert [(c["commit"], c["relation"], c["reverted_by"]) for c in facts["commits"]] == [("a1", "fixes", [])]
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
