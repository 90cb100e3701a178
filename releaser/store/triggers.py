"""Idempotency keys: which rollout each call that named one was answered with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from releaser.store.base import Base
from releaser.store.rollouts import Rollout


class Trigger(Base):
    """A key, what was asked for with it, and the rollout that was the answer. It is never changed: what was answered stays answered.

    Many may lead to one rollout, for whoever asks for what is under way is answered with that.
    """

    __tablename__ = "triggers"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollouts.id"), index=True)
    at: Mapped[datetime]

    rollout: Mapped[Rollout] = relationship()


def find(session: Session, key: str) -> Trigger | None:
    """What was answered to this key, or None."""
    return session.get(Trigger, key)


def keep(session: Session, key: str, *, body_hash: str, rollout: Rollout, now: datetime) -> None:
    """Write down that the key is answered with the rollout; it was not answered before."""
    session.add(Trigger(key=key, body_hash=body_hash, rollout_id=rollout.id, at=now))
