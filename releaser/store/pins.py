"""Pins: installations that a single piece of work made special, and that mass rollouts pass over until somebody unpins them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from releaser.store.installations import Installation
from releaser.store.moves import Move

PINNED, UNPINNED = "pinned", "unpinned"


def pin(
    session: Session,
    installation: Installation,
    *,
    version: str,
    ticket: str,
    reason: str,
    rollout: int,
    by: str,
    now: datetime,
) -> None:
    """Pin it; the same rollout again changes nothing, another one takes the pin's place."""
    if installation.pin is not None and installation.pin["rollout"] == rollout:
        return
    source = PINNED if installation.pin is not None else ""
    installation.pin = {
        "version": version,
        "ticket": ticket,
        "reason": reason,
        "rollout": rollout,
        "by": by,
        "at": now.isoformat(),
    }
    _move(session, installation, source, PINNED, now=now, by=by, reason=f"{ticket}: {reason}")


def unpin(session: Session, installation: Installation, *, by: str, reason: str, now: datetime) -> bool:
    """Let mass rollouts have it again. False when it was not pinned."""
    if installation.pin is None:
        return False
    installation.pin = None
    _move(session, installation, PINNED, UNPINNED, now=now, by=by, reason=reason)
    return True


def _move(
    session: Session, installation: Installation, source: str, to: str, *, now: datetime, by: str, reason: str
) -> None:
    session.add(
        Move(
            noun=Installation.__tablename__,
            row_id=installation.id,
            source=source,
            to=to,
            at=now,
            by=by,
            reason=reason[:2000],
        )
    )


def in_words(pin: Mapping[str, Any]) -> str:
    """Why a mass rollout passes it over."""
    return f"pinned to {pin['version']} for {pin['ticket']} by {pin['by']}: {pin['reason']}"
