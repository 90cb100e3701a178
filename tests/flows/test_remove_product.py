"""A product is removed with all that is its own; never what somebody runs, and people's work only when asked twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from releaser.domain.declaration import DeclaredProduct
from releaser.domain.line import TicketKind
from releaser.flows.add_product import add_product
from releaser.flows.add_ticket import add_ticket
from releaser.flows.block_ticket import block_ticket
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.remove_product import ProductHasWorkError, ProductInUseError, remove_product
from releaser.sources.source import IncompleteRepositoryError, NotARepositoryError, RefusedAddressError
from releaser.store import products
from releaser.store.customers import Customer
from releaser.store.declared import DeclaredChange
from releaser.store.installations import Installation
from releaser.store.moves import Move
from releaser.store.products import ProductNotFoundError
from releaser.store.schema import metadata
from tests.fakes.release_world import ReleaseWorld

KEPT = {"customers", "declared_changes"}


def rows(world: ReleaseWorld) -> dict[str, int]:
    """How many rows every table has that has any."""
    with world.database.reading() as session:
        counts = {
            table.name: session.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables
        }
    return {name: count for name, count in counts.items() if count}


def test_product_goes_with_all_that_is_its_own_and_nothing_of_it_is_left(tmp_path: Path, database_url: str) -> None:
    world = ReleaseWorld(tmp_path, url=database_url)
    world.cut()
    world.publish("1.1")
    world.remote.tag("v1.0", world.remote.git("rev-parse", "main"))
    world.collect()
    add_ticket(world.ports, product="shop", key="SHOP-2", title="Basket", customer=None, found_in=None, by="ann")
    block_ticket(world.ports, product="shop", ticket="SHOP-9", line=None, train=None, reason="x", by="ann")
    mark_ticket(world.ports, product="shop", ticket="SHOP-9", kind=TicketKind.FIX, by="ann")
    mirror = world.ports.home / "repositories" / "1.git"
    assert mirror.exists()
    with pytest.raises(ProductHasWorkError, match="1 releases that were cut here and 1 requests"):
        remove_product(world.ports, product="shop", force=False, by="ann")
    assert remove_product(world.ports, product="shop", force=True, by="ann")["releases"] == 2
    assert set(rows(world)) <= KEPT
    assert not mirror.exists()
    assert world.tags() == ["v1.0", "v1.1"]
    with pytest.raises(ProductNotFoundError):
        remove_product(world.ports, product="shop", force=True, by="ann")
    with world.database.reading() as session:
        change = session.scalars(select(DeclaredChange)).one()
        assert (change.name, change.action, change.by) == ("shop", "removed", "ann")
    world.close()


def test_product_is_removed_beside_another_that_keeps_everything(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    world.collect()
    before = rows(world)
    other = DeclaredProduct(name="other", repository=str(world.remote.folder), ticket_patterns=("SHOP-[0-9]+",))
    add_product(world.ports, product=other, by="ann")
    add_ticket(world.ports, product="other", key="SHOP-2", title="Basket", customer=None, found_in=None, by="ann")
    remove_product(world.ports, product="other", force=True, by="ann")
    assert {name: count for name, count in rows(world).items() if name not in KEPT} == before
    world.close()


def test_product_that_somebody_runs_is_never_removed(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    with world.database.transaction() as session:
        customer = Customer(name="acme", regulation={})
        session.add(customer)
        session.flush()
        shop = products.get(session, "shop")
        session.add(Installation(name="acme-shop", customer_id=customer.id, product_id=shop.id, labels={}))
    with pytest.raises(ProductInUseError, match="acme-shop") as caught:
        remove_product(world.ports, product="shop", force=True, by="ann")
    assert caught.value.rule == "in-use"
    with world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Move)) == 0
    world.close()


def test_product_whose_repository_is_none_is_not_added(tmp_path: Path) -> None:
    world = ReleaseWorld(tmp_path)
    (tmp_path / "plain").mkdir()
    wrong = {
        str(tmp_path / "plain"): NotARepositoryError,
        str(tmp_path / "missing"): NotARepositoryError,
        "ftp://example.org/x.git": RefusedAddressError,
    }
    for address, kind in wrong.items():
        with pytest.raises(kind):
            add_product(world.ports, product=DeclaredProduct(name="new", repository=address), by="ann")
    world.remote.git(
        "clone", "--quiet", "--bare", "--depth=1", f"file://{world.remote.folder}", str(tmp_path / "cut.git")
    )
    with pytest.raises(IncompleteRepositoryError):
        add_product(world.ports, product=DeclaredProduct(name="new", repository=str(tmp_path / "cut.git")), by="ann")
    url = DeclaredProduct(name="new", repository="https://127.0.0.1:1/never-reached.git")
    assert add_product(world.ports, product=url, by="ann")["name"] == "new"
    world.close()
