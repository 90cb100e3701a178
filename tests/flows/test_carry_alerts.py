"""Release managers are mailed of a ticket that is carried over too often: once for each alert, in their language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from releaser.domain.train import TrainRules
from releaser.flows.carry_over import carry_over
from releaser.flows.mail_alerts import mail_alerts
from releaser.flows.plan_ticket import plan_ticket
from releaser.flows.ports import Ports
from releaser.store import products
from releaser.store.plain import dump
from releaser.store.removal import remove_product
from tests.fakes.channel import FakeChannel
from tests.fakes.release_world import ReleaseWorld

DEPARTS = datetime(2026, 3, 10, 12, tzinfo=UTC)
SLOT = timedelta(days=14)
ANN, RITA = "ann@example.com", "rita@example.com"


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[ReleaseWorld]:
    """SHOP-7 is planned for the first train; two carries are an alert, mailed to Ann and Rita in Russian."""
    world = ReleaseWorld(tmp_path, url=database_url)
    with world.database.transaction() as session:
        row = products.get(session, "shop")
        row.first_train_on = date(2026, 3, 10)
        row.trains = dump(TrainRules(alert_after_carries=2, alert_mail=(ANN, RITA), alert_language="ru"))
    world.collect()
    plan_ticket(world.ports, key="SHOP-7", product="shop", train="next", by="rita")
    yield world
    world.close()


@pytest.fixture
def mail() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def ports(world: ReleaseWorld, mail: FakeChannel) -> Ports:
    return replace(world.ports, channels={"email": mail})


def missed(world: ReleaseWorld, trains: int) -> None:
    """So many trains left without a release."""
    world.clock.set(DEPARTS + SLOT * (trains - 1) + timedelta(days=8))
    carry_over(world.ports, product="shop")


def test_alert_is_mailed_once_to_each_manager_in_their_language(
    world: ReleaseWorld, ports: Ports, mail: FakeChannel
) -> None:
    missed(world, 1)
    assert mail_alerts(ports) == 0
    missed(world, 2)
    assert mail_alerts(ports) == 2
    assert mail_alerts(ports) == 0
    assert mail.subjects(ANN) == mail.subjects(RITA) == ["The Shop: заявка SHOP-7 перенесена 2 раза"]
    told = mail.sent[0]
    assert "Выпуск 24 марта 2026\xa0г. не состоялся: версии не было." in told.text
    assert "https://releases.example.com/products/shop/tickets/SHOP-7" in told.text
    missed(world, 3)
    assert mail_alerts(ports) == 0


def test_alert_that_waited_tells_how_things_stand_when_it_is_sent(
    world: ReleaseWorld, ports: Ports, mail: FakeChannel
) -> None:
    missed(world, 2)
    assert mail_alerts(world.ports) == 0  # no mail server
    missed(world, 3)
    assert mail_alerts(ports) == 2
    assert mail.subjects(ANN) == ["The Shop: заявка SHOP-7 перенесена 3 раза"]


def test_refused_mail_is_tried_again_later_and_given_up_where_that_cannot_help(
    world: ReleaseWorld, ports: Ports, mail: FakeChannel
) -> None:
    mail.fail(ANN, permanent=False)
    mail.fail(RITA, permanent=True)
    missed(world, 2)
    assert mail_alerts(ports) == 2
    assert mail_alerts(ports) == 0
    mail.faults.clear()
    world.clock.advance(timedelta(hours=1))
    assert mail_alerts(ports) == 1
    assert (len(mail.subjects(ANN)), mail.subjects(RITA)) == (1, [])


def test_alert_of_a_product_that_is_removed_is_gone_with_it(world: ReleaseWorld, ports: Ports) -> None:
    missed(world, 2)
    with world.database.transaction() as session:
        remove_product(session, products.get(session, "shop"))
    assert mail_alerts(ports) == 0
