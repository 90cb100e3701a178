"""The journal of an update's attempt, as the one worker that holds its lease reads and writes it.

A row says `intent` before its step is carried out and `done` after that was seen. Who holds the lease is the only one who writes,
so what was read with the claim stays true while it lasts. Statements are put together once: that costs as much as carrying them out.
What does not live here: how people see the journal (`store.rollouts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, bindparam, select
from sqlalchemy.orm import Session

from releaser.domain.rollout import StepState
from releaser.store.rollouts import StepRecord, TargetUpdate

_ROWS = cast("Table", StepRecord.__table__)
_OF_ATTEMPT = (_ROWS.c.update_id == bindparam("of"), _ROWS.c.attempt == bindparam("tried"))
_ENTRIES = select(_ROWS.c.name, _ROWS.c.state, _ROWS.c.tries).where(*_OF_ATTEMPT)
_BEGIN = _ROWS.insert()
_CHANGE = _ROWS.update().where(*_OF_ATTEMPT, _ROWS.c.name == bindparam("called"))
_AGAIN = _CHANGE.values(tries=bindparam("times"))
_FINISH = _CHANGE.values(state=bindparam("now_is"), done_at=bindparam("at"), detail=bindparam("seen"))
_REOPEN = _CHANGE.values(state=bindparam("now_is"), done_at=None)
_LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a step of the attempt stands, and how often it was begun."""

    state: StepState
    tries: int


def entries(session: Session, update: TargetUpdate) -> dict[str, Entry]:
    """The journal of an update's present attempt by the steps' names."""
    rows = session.connection().execute(_ENTRIES, _which(update))
    return {row.name: Entry(state=row.state, tries=row.tries) for row in rows}


def intend(session: Session, update: TargetUpdate, name: str, *, before: Entry | None, now: datetime) -> Entry:
    """Write that a step is about to be carried out, for the first time where there is nothing `before`."""
    if before is not None:
        again = Entry(state=before.state, tries=before.tries + 1)
        session.connection().execute(_AGAIN, {**_which(update, name), "times": again.tries})
        return again
    _begin(session, update, name, state=StepState.INTENT, intent_at=now, done_at=None, detail="")
    return Entry(state=StepState.INTENT, tries=1)


def finish(
    session: Session, update: TargetUpdate, name: str, detail: str, *, before: Entry | None, now: datetime
) -> Entry:
    """Write that a step was carried out and seen, or a gate passed."""
    if before is None:
        _begin(session, update, name, state=StepState.DONE, intent_at=now, done_at=now, detail=detail[:_LONGEST])
    else:
        given = {**_which(update, name), "now_is": StepState.DONE, "at": now, "seen": detail[:_LONGEST]}
        session.connection().execute(_FINISH, given)
    return Entry(state=StepState.DONE, tries=before.tries if before is not None else 1)


def reopen(session: Session, update: TargetUpdate, names: Iterable[str]) -> None:
    """Write that steps are not done any more; what was never begun stays so."""
    for name in names:
        session.connection().execute(_REOPEN, {**_which(update, name), "now_is": StepState.INTENT})


def _which(update: TargetUpdate, name: str | None = None) -> dict[str, Any]:
    which: dict[str, Any] = {"of": update.id, "tried": update.attempt}
    return which if name is None else {**which, "called": name}


def _begin(session: Session, update: TargetUpdate, name: str, **values: object) -> None:
    row = {"update_id": update.id, "attempt": update.attempt, "name": name, "tries": 1, **values}
    cast("CursorResult[Any]", session.connection().execute(_BEGIN, row))
