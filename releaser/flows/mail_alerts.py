"""Mail release managers of tickets that were carried over too often: lease, send, then mark. At least once, each alert once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from sqlalchemy.orm import Session

from releaser.channels.channel import Message
from releaser.domain.carry import reason_from
from releaser.domain.carry_text import CarriedOften, write_carry_alert
from releaser.domain.notice import retry_after
from releaser.domain.train import TrainRules
from releaser.errors import OutsideError
from releaser.flows.ports import Ports
from releaser.store import carry_alerts
from releaser.store.carry_alerts import CarryAlert, Claim
from releaser.store.outbox import MAIL
from releaser.store.plain import load
from releaser.store.products import Product

# Longer than a channel may take for one message; after a crash it is how long the repeat waits.
LEASE_FOR = timedelta(minutes=2)
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    alert_id: int
    attempt: int
    message: Message


def mail_alerts(ports: Ports) -> int:
    """One tick: try every alert that is due once. Returns how many were tried; without a mail server they wait."""
    channel = ports.channels.get(MAIL)
    if channel is None:
        return 0
    with ports.database.reading() as session:
        due = carry_alerts.due(session, now=ports.clock.now(), limit=_MOST)
    tried = 0
    for alert_id in due:
        claimed = _claim(ports, alert_id)
        if claimed is None:
            continue
        tried += 1
        try:
            channel.send(claimed.message)
        except OutsideError as error:
            _end(ports, claimed, error)
        else:
            _end(ports, claimed, None)
    return tried


def _claim(ports: Ports, alert_id: int) -> _Claimed | None:
    now = ports.clock.now()
    with ports.database.transaction() as session:
        by = Claim(owner=ports.owner, now=now, until=now + LEASE_FOR)
        row = carry_alerts.claim(session, alert_id, by)
        if row is None:
            return None
        return _Claimed(alert_id=row.id, attempt=row.attempts, message=_message(session, row, ports.address))


def _message(session: Session, row: CarryAlert, address: str) -> Message:
    product = session.get_one(Product, row.product_id)
    language = load(TrainRules, product.trains).alert_language
    alert = CarriedOften(
        product=product.title or product.name,
        ticket=row.ticket,
        carries=row.carries,
        first_on=row.first_on,
        planned_on=row.planned_on,
        why=reason_from(row.why) if row.why else None,
        page_url=f"{address}/products/{quote(product.name, safe='')}/tickets/{quote(row.ticket, safe='')}",
    )
    written = write_carry_alert(alert, language=language)
    return Message(
        message_id=row.message_id,
        to=row.address,
        subject=written.subject,
        text=written.text,
        html=written.html,
        language=language,
        written_at=row.queued_at,
    )


def _end(ports: Ports, claimed: _Claimed, error: OutsideError | None) -> None:
    """Record that it was sent; or rest and try again, or give up and keep the error."""
    now = ports.clock.now()
    with ports.database.transaction() as session:
        row = carry_alerts.claimed(session, claimed.alert_id, attempt=claimed.attempt)
        if row is None:
            return
        row.lease_until_at = None
        row.error = str(error)[:2000] if error is not None else ""
        rest_for = retry_after(claimed.attempt) if error is not None and not error.permanent else None
        if rest_for is not None:
            row.due_at = now + rest_for
        else:
            row.done_at = now
