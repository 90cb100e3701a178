"""What a ticket under embargo is about stands on no page and in no answer that anybody can open, until the embargo is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from releaser.domain.changelog import Audience
from releaser.domain.history import LineStatus
from releaser.domain.line import LinePolicy, TicketKind
from releaser.domain.release import CutKind
from releaser.domain.train import TrainRules
from releaser.flows.block_ticket import block_ticket
from releaser.flows.check_gate import check_gate
from releaser.flows.cut_release import cut_release
from releaser.flows.except_ticket import except_ticket
from releaser.flows.freeze_state import freeze_state
from releaser.flows.judge_gate import GateHoldsError
from releaser.flows.list_blockers import list_blockers
from releaser.flows.list_exceptions import list_exceptions
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.override_status import override_status
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.set_embargo import set_embargo
from releaser.flows.show_ticket import show_ticket
from releaser.store import products
from releaser.store.plain import dump
from releaser.store.tickets import Ticket
from tests.fakes.release_world import ReleaseWorld
from tests.fakes.shared_app import AppOver

UNTIL = datetime(2026, 5, 31, 12, tzinfo=UTC)
SECRET = "Zugangsloch"
SHOP = "/products/shop"
TELLING = (
    f"{SHOP}/tickets/SHOP-9",
    f"{SHOP}/matrix",
    f"{SHOP}/upgrade?from=1.0&to=1.1",
    f"{SHOP}/gate?kind=patch&line=1.0",
    f"{SHOP}/trains",
    "/v1/tickets",
    "/v1/tickets/SHOP-9",
    "/v1/tickets/SHOP-9/evidence",
    f"/v1{SHOP}/matrix",
    f"/v1{SHOP}/contains?query=SHOP-9",
    f"/v1{SHOP}/backports?lines=all",
    f"/v1{SHOP}/upgrade?from=1.0&to=1.1",
    f"/v1{SHOP}/gate?kind=patch&line=1.0",
    f"/v1{SHOP}/blockers",
    f"/v1{SHOP}/freeze",
    f"/v1{SHOP}/exceptions",
    f"/v1{SHOP}/plans",
)
SILENT = (
    "/",
    SHOP,
    f"{SHOP}/history",
    f"{SHOP}/releases/1.1",
    f"{SHOP}/releases/1.0.1",
    f"{SHOP}/feed.atom",
    f"/v1{SHOP}/releases/1.1",
    f"/v1{SHOP}/changelog",
    f"/v1{SHOP}/history",
    f"{SHOP}/matrix?q={SECRET}",
    f"/v1{SHOP}/matrix?q={SECRET}",
)
"""Addresses that tell nothing of it, or of what was looked for only that."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReleaseWorld]:
    """SHOP-9 is fixed in 1.1, picked to the line 1.0 and taken back there, and lands again in a freeze; all texts tell of it."""
    folder: Path = tmp_path_factory.mktemp("embargo")
    world = ReleaseWorld(folder)
    fix = world.land(f"{SECRET} closed\n\nFixes: SHOP-9")
    world.remote.tag("v1.1", world.remote.git("rev-parse", "main"))
    pick = world.land(f"feat: {SECRET} shut\n\n(cherry picked from commit {fix})", branch="line-1.0")
    world.remote.tag("v1.0.1", pick)
    world.land(f'Revert "feat: {SECRET} shut"\n\nThis reverts commit {pick}.', branch="line-1.0")
    world.land(f"feat: {SECRET} shut better\n\nFixes: SHOP-9", branch="line-1.0")
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on, row.trains = date(2026, 3, 10), dump(TrainRules(freeze_days=2))
        row.line_policy = LinePolicy.PATCH_ONLY
        opened_at = world.clock.now()
        session.add(Ticket(product_id=row.id, key="SHOP-9", title=f"A {SECRET}", opened_at=opened_at))
    world.collect()
    said: dict[str, Any] = {"product": "shop", "by": "rita", "reason": f"the {SECRET}"}
    override_status(world.ports, key="SHOP-9", line="1.0", status=LineStatus.AFFECTED, **said)
    block_ticket(world.ports, ticket="SHOP-9", line="1.0", train=None, **said)
    plan_ticket(world.ports, key="SHOP-9", train=None, product="shop", by="rita")
    plan_ticket(world.ports, key="SHOP-9", train="2026-03-10", product="shop", by="rita")
    except_ticket(world.ports, ticket="SHOP-9", approver="olga", **said)
    world.clock.set(datetime(2026, 3, 6, 13, tzinfo=UTC))
    world.land(f"{SECRET} again\n\nFixes: SHOP-9\nFixes: SHOP-10")
    world.collect()
    mark_ticket(world.ports, product="shop", ticket="SHOP-9", kind=TicketKind.FEATURE, by="rita")
    yield world
    world.close()


@pytest.fixture
def embargoed(world: ReleaseWorld) -> Iterator[None]:
    embargo(world, UNTIL)
    yield
    embargo(world, None)


@pytest.fixture(scope="module")
def client(world: ReleaseWorld) -> Iterator[TestClient]:
    with TestClient(AppOver(world.ports), base_url="http://127.0.0.1") as made:
        yield made


def embargo(world: ReleaseWorld, until: datetime | None) -> None:
    set_embargo(world.ports, product="shop", ticket="SHOP-9", until=until, by="rita")


def read(client: TestClient, address: str, language: str) -> str:
    answer = client.get(address, headers={"Accept-Language": language})
    assert answer.status_code == 200, (address, answer.text)
    return answer.text.replace(f"?q={SECRET}", "").replace(f'value="{SECRET}"', "")


@pytest.mark.usefixtures("embargoed")
@pytest.mark.parametrize("address", [*TELLING, *SILENT])
def test_nothing_that_anybody_can_open_tells_what_is_under_embargo(client: TestClient, address: str) -> None:
    for language in ("en", "ru"):
        assert SECRET not in read(client, address, language)


@pytest.mark.usefixtures("embargoed")
@pytest.mark.parametrize("address", TELLING)
def test_text_under_embargo_is_replaced_by_when_it_will_be_told(client: TestClient, address: str) -> None:
    assert "under embargo until 31 May 2026" in read(client, address, "en")
    if not address.startswith("/v1"):
        assert "под эмбарго до 31 мая 2026" in read(client, address, "ru")


@pytest.mark.parametrize("address", TELLING)
def test_text_is_told_as_soon_as_the_embargo_is_lifted(client: TestClient, address: str) -> None:
    assert SECRET in read(client, address, "en")


@pytest.mark.usefixtures("embargoed")
def test_where_a_fix_is_stays_told_under_embargo(client: TestClient) -> None:
    found = client.get(f"/v1{SHOP}/contains?query=SHOP-9").json()
    assert [one["version"] for one in found["releases"]] == ["1.0.1", "1.1"]
    cells = client.get(f"/v1{SHOP}/matrix?q=SHOP-9").json()["tickets"][0]["cells"]
    assert {one["line"]: one["status"] for one in cells} == {"1.0": "affected", "1.1": "fixed"}


@pytest.mark.usefixtures("embargoed")
def test_other_tickets_are_told_while_one_is_under_embargo(client: TestClient) -> None:
    assert "basket loses items" in client.get(f"{SHOP}/tickets/SHOP-2").text
    assert SECRET not in client.get(f"{SHOP}/tickets/SHOP-10").text  # a commit of both


@pytest.mark.usefixtures("embargoed")
def test_refused_cut_does_not_tell_what_is_under_embargo(world: ReleaseWorld) -> None:
    with pytest.raises(GateHoldsError) as refused:
        cut_release(world.ports, product="shop", kind=CutKind.PATCH, line="1.0", by="rita")
    assert SECRET not in str(refused.value) + str(refused.value.facts)
    assert "brings a feature: under embargo until 31 May 2026" in str(refused.value)


@pytest.mark.usefixtures("embargoed")
def test_internal_readers_are_told_what_is_under_embargo(world: ReleaseWorld) -> None:
    ports = world.ports
    told = (
        show_ticket(ports, key="SHOP-9", audience=Audience.INTERNAL),
        check_gate(ports, product="shop", kind=CutKind.PATCH, line="1.0", told=None),
        freeze_state(ports, product="shop", told=None),
        list_blockers(ports, product="shop", told=None),
        list_exceptions(ports, product="shop", told=None),
    )
    assert all(SECRET in str(one) for one in told)
