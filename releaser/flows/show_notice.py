"""Notices as they stand, with the ledger of who was told."""

from __future__ import annotations

from releaser.flows.ports import Facts, Ports
from releaser.store import notices


def show_notice(ports: Ports, *, notice_id: int) -> Facts:
    """One notice with its deliveries. Raises `NoticeNotFoundError`."""
    with ports.database.reading() as session:
        notice = notices.get(session, notice_id)
        ledger = [
            {
                "id": d.id,
                "kind": d.kind.value,
                "revision": d.revision,
                "customer": d.customer.name,
                "channel": d.channel,
                "address": d.address,
                "language": d.language,
                "state": d.state.value,
                "attempts": d.attempts,
                "sent_at": d.sent_at,
                "error": d.error,
                "message_id": d.message_id,
            }
            for d in notices.deliveries(session, notice_id)
        ]
        return {**notices.facts(notice), "deliveries": ledger}


def list_notices(ports: Ports, *, limit: int = 50, offset: int = 0) -> list[Facts]:
    """Notices, latest planned start first."""
    with ports.database.reading() as session:
        return [notices.facts(notice) for notice in notices.newest(session, limit=limit, offset=offset)]
