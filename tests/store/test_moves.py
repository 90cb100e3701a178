from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from releaser.domain.release import ReleaseState
from releaser.domain.rollout import UPDATE_MOVES, RolloutState, UpdateState
from releaser.domain.version import VersionKind
from releaser.errors import MoveConflictError
from releaser.store import moves
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module, Product
from releaser.store.releases import Release
from releaser.store.rollouts import Rollout, TargetUpdate
from releaser.store.session import Database, WriteConflictError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RACERS = 8


def add_update(session: Session, target: Target, release: Release, *, active: bool) -> TargetUpdate:
    rollout = Rollout(
        product_id=release.product_id,
        release_id=release.id,
        selector="all",
        state=RolloutState.RUNNING,
        plan={},
        plan_hash="",
        created_at=NOW,
    )
    session.add(rollout)
    session.flush()
    update = TargetUpdate(
        rollout_id=rollout.id, target_id=target.id, wave=1, position=1, desired={}, steps=[], active=active
    )
    session.add(update)
    session.flush()
    return update


@pytest.fixture
def update_id(database: Database) -> int:
    """One target with an active update."""
    with database.transaction() as session:
        product = Product(name="shop", ticket_patterns=[], created_at=NOW, modules=[Module(name="web")])
        customer, host = Customer(name="acme", regulation={}), Host(name="one")
        session.add_all([product, customer, host])
        session.flush()
        installation = Installation(name="acme-shop", customer=customer, product=product, labels={})
        target = Target(installation=installation, module=product.modules[0], host=host, spec={})
        release = Release(
            product_id=product.id,
            version="1.0",
            version_key="1.0",
            line="1.0",
            kind=VersionKind.STABLE,
            state=ReleaseState.PUBLISHED,
        )
        session.add_all([installation, target, release])
        session.flush()
        return add_update(session, target, release, active=True).id


def move(session: Session, update: TargetUpdate, to: UpdateState, **values: object) -> None:
    moves.move(session, update, to, moves=UPDATE_MOVES, now=NOW, by="tester", reason="because", **values)


FIRST = next(iter(sorted(UPDATE_MOVES[UpdateState.PENDING])))


def test_move_changes_the_state_with_its_values_and_is_remembered(database: Database, update_id: int) -> None:
    with database.transaction() as session:
        update = session.get_one(TargetUpdate, update_id)
        move(session, update, FIRST, attempt=3)
        assert (update.state, update.attempt) == (FIRST, 3)
    with database.reading() as session:
        assert session.get_one(TargetUpdate, update_id).state is FIRST
        (kept,) = moves.history(session, "target_updates", update_id)
        assert (kept.source, kept.to, kept.by, kept.reason, kept.at) == ("pending", FIRST, "tester", "because", NOW)


def test_move_that_is_not_allowed_changes_nothing(database: Database, update_id: int) -> None:
    forbidden = next(state for state in UpdateState if state not in UPDATE_MOVES[UpdateState.PENDING])
    with pytest.raises(MoveConflictError, match="target update"), database.transaction() as session:
        move(session, session.get_one(TargetUpdate, update_id), forbidden)
    with database.reading() as session:
        assert session.get_one(TargetUpdate, update_id).state is UpdateState.PENDING
        assert moves.history(session, "target_updates", update_id) == []


def test_move_of_many_racers_is_made_once(database: Database, update_id: int) -> None:
    """Each reads the row in one transaction and moves it in another, as a flow does that acts in between."""
    barrier = threading.Barrier(RACERS)

    def race(_number: int) -> str:
        with database.reading() as session:
            update = session.get_one(TargetUpdate, update_id)
        barrier.wait()
        try:
            with database.transaction() as session:
                move(session, session.merge(update, load=False), FIRST)
        except MoveConflictError as lost:
            return f"lost to {lost.facts['actual']}"
        return "won"

    with ThreadPoolExecutor(RACERS) as pool:
        ends = sorted(pool.map(race, range(RACERS)))
    assert ends == [*[f"lost to {FIRST}"] * (RACERS - 1), "won"]
    with database.reading() as session:
        assert len(moves.history(session, "target_updates", update_id)) == 1


def test_target_never_has_two_active_updates(database: Database, update_id: int) -> None:
    barrier = threading.Barrier(RACERS)
    with database.transaction() as session:
        session.get_one(TargetUpdate, update_id).active = False

    def race(_number: int) -> bool:
        with database.reading() as session:
            update = session.get_one(TargetUpdate, update_id)
            target, release = update.target, session.get_one(Release, 1)
        barrier.wait()
        try:
            with database.transaction() as session:
                add_update(session, target, release, active=True)
        except WriteConflictError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(race, range(RACERS)))
    assert won.count(True) == 1


def test_conflict_names_rows_as_people_do() -> None:
    assert [moves._named(row) for row in (Rollout(id=3), TargetUpdate(id=4))] == ["rollout 3", "target update 4"]


def test_moves_told_together_are_remembered_in_their_order_and_seen_at_once_by_who_asks(
    database: Database, update_id: int
) -> None:
    way = [UpdateState.PREPARING, UpdateState.PREPARED]
    with database.transaction() as session:
        update = session.get_one(TargetUpdate, update_id)
        with moves.together(session):
            for state in way:
                moves.move(session, update, state, moves=UPDATE_MOVES, now=NOW)
                assert moves.history(session, "target_updates", update_id)[-1].to == state
    with database.reading() as session:
        assert [one.to for one in moves.history(session, "target_updates", update_id)] == way


def test_moves_told_together_are_forgotten_with_a_transaction_that_fails(database: Database, update_id: int) -> None:
    with suppress(ZeroDivisionError), database.transaction() as session, moves.together(session):
        update = session.get_one(TargetUpdate, update_id)
        moves.move(session, update, UpdateState.PREPARING, moves=UPDATE_MOVES, now=NOW)
        raise ZeroDivisionError
    with database.reading() as session:
        assert moves.history(session, "target_updates", update_id) == []
        assert session.get_one(TargetUpdate, update_id).state is UpdateState.PENDING
