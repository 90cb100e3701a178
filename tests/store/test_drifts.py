"""Which targets are due for a look, and what is kept of drift and pins, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from releaser.domain.drift import Difference, DriftKind
from releaser.store import drifts, installations, pins
from releaser.store.installations import Target
from releaser.store.session import Database
from tests.fakes.engine import FakeEngine
from tests.fakes.vendor import vendor_on

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MORE = (Difference(kind=DriftKind.CONFIGURATION, what="Memory", recorded="64", observed="128"),)


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    made = Database(database_url)
    with FakeEngine() as engine:
        vendor = vendor_on(made, engine, tmp_path)
        with made.transaction() as session:
            for number, target in enumerate(session.scalars(select(Target).order_by(Target.id)).unique()):
                target.digest = f"sha256:{number}"
        yield made
        vendor.close()


def test_due_are_those_looked_at_longest_ago_and_each_once(database: Database) -> None:
    with database.transaction() as session:
        first, second, third = session.scalars(select(Target).order_by(Target.id)).unique()
        first.looked_at, second.looked_at = NOW - timedelta(minutes=6), NOW - timedelta(minutes=9)
        ids = [third.id, second.id, first.id]
    for expected in (ids[:2], ids[2:], []):
        with database.transaction() as session:
            found = drifts.claim_due(session, before=NOW - timedelta(minutes=5), now=NOW, limit=2)
        assert found == expected


def test_what_nothing_is_recorded_of_is_never_due(database: Database) -> None:
    with database.transaction() as session:
        for target in session.scalars(select(Target)).unique():
            target.digest = ""
    with database.transaction() as session:
        assert drifts.claim_due(session, before=NOW, now=NOW, limit=9) == []


def test_drift_is_noted_once_and_its_story_is_kept(database: Database) -> None:
    for minutes in (0, 5):
        with database.transaction() as session:
            target = installations.get(session, "acme-own").targets[0]
            drifts.note(session, target, MORE, now=NOW + timedelta(minutes=minutes))
    with database.reading() as session:
        facts = installations.facts(installations.get(session, "acme-own"))["targets"][0]["drift"]
        assert (facts["since"], facts["seen_at"]) == (NOW, NOW + timedelta(minutes=5))
    with database.transaction() as session:
        target = installations.get(session, "acme-own").targets[0]
        drifts.note(session, target, (), now=NOW)
        drifts.note(session, target, (), now=NOW)
    with database.reading() as session:
        row = installations.get(session, "acme-own")
        assert installations.facts(row)["targets"][0]["drift"] is None
        assert [one["to"] for one in drifts.story(session, row)] == ["drifted", "gone"]


def test_pin_is_kept_until_it_is_taken_away(database: Database) -> None:
    with database.transaction() as session:
        row = installations.get(session, "acme-own")
        for _ in range(2):
            pins.pin(session, row, version="1.1", ticket="A-1", reason="why", rollout=7, by="olga", now=NOW)
    with database.transaction() as session:
        row = installations.get(session, "acme-own")
        pin = installations.facts(row)["pin"]
        assert (pin["at"], pin["ticket"], pin["rollout"]) == (NOW, "A-1", 7)
        assert pins.unpin(session, row, by="rita", reason="over", now=NOW)
        assert not pins.unpin(session, row, by="rita", reason="over", now=NOW)
    with database.reading() as session:
        row = installations.get(session, "acme-own")
        assert row.pin is None
        assert [one["to"] for one in drifts.story(session, row)] == ["pinned", "unpinned"]
