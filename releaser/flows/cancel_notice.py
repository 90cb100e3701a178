"""Cancel a notice: planned work will not take place, and whoever was told is told so."""

from __future__ import annotations

from releaser.errors import InvalidError
from releaser.flows.finish_work import withdraw
from releaser.flows.ports import Facts, Ports
from releaser.store import notices


class ReasonMissingError(InvalidError):
    """Recipients are owed a reason."""


def cancel_notice(ports: Ports, *, notice_id: int, by: str, reason: str) -> Facts:
    """Cancel a draft or an announced notice. Of work in progress what has not been cut over yet waits for a new one.

    Raises `NoticeNotFoundError`, `ReasonMissingError`, `MoveConflictError` (it has ended).
    """
    if not reason.strip():
        raise ReasonMissingError("A cancellation needs a reason.", advice="Recipients read it.", field="reason")
    now = ports.clock.now()
    with ports.database.transaction() as session:
        notice = notices.get(session, notice_id)
        withdraw(session, notice, reason=reason.strip(), by=by, now=now)
        session.refresh(notice)
        facts = notices.facts(notice)
    ports.wake()
    return facts
