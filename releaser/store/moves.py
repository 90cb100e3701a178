"""Moves of every state machine: compare-and-set on the row, and a history row, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Protocol, cast

from sqlalchemy import Index, String, Table, Text, Update, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from releaser.errors import MoveConflictError
from releaser.store.base import Base


class Move(Base):
    """One move that happened: what, from where to where, when, by whom and why. Never changed."""

    __tablename__ = "moves"
    __table_args__ = (Index("ix_moves_noun_row", "noun", "row_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    noun: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[int]
    source: Mapped[str] = mapped_column(String(40))
    to: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(200), default="")
    reason: Mapped[str] = mapped_column(Text, default="")


_TOGETHER = "moves"
_RECORD = cast("Table", Move.__table__).insert()


class Stateful(Protocol):
    """A row with a state: every table of a state machine."""

    __tablename__: str

    @property
    def id(self) -> int:
        """The row's number."""
        ...

    @property
    def state(self) -> Any:  # noqa: ANN401 -- each machine has its own enum
        """The row's state, a `StrEnum`."""
        ...


def record(
    session: Session, row: Stateful, *, source: str, to: str, now: datetime, by: str = "", reason: str = ""
) -> None:
    """Write the history row of a move (also of the first one, with an empty `source`)."""
    told = {
        "noun": row.__tablename__,
        "row_id": row.id,
        "source": source,
        "to": to,
        "at": now,
        "by": by,
        "reason": reason,
    }
    if (waiting := session.info.get(_TOGETHER)) is not None:
        waiting.append(told)
    else:
        session.connection().execute(_RECORD, told)


@contextmanager
def together(session: Session) -> Iterator[None]:
    """Write the history of all moves inside the block in one go at its end: hundreds of rows cost little more than one."""
    told: list[dict[str, Any]] = []
    session.info[_TOGETHER] = told
    try:
        yield
        _write(session)
    finally:
        del session.info[_TOGETHER]


def _write(session: Session) -> None:
    if told := session.info.get(_TOGETHER):
        session.connection().execute(_RECORD, told)
        told.clear()


def move(
    session: Session,
    row: Stateful,
    to: StrEnum,
    *,
    moves: Mapping[Any, frozenset[Any]],
    now: datetime,
    by: str = "",
    reason: str = "",
    **values: object,
) -> None:
    """Move `row` from the state it was read in to `to`, setting `values` with it.

    Raises `MoveConflictError` when `moves` does not allow it, or when the row is no longer in the state it was
    read in (somebody else moved it).
    """
    source = row.state
    if to not in moves[source]:
        raise MoveConflictError(_named(row), source=source.value, to=to.value)
    session.flush()
    table = cast("Table", cast("Any", row).__table__)
    given = {"of": row.id, "read": source, **{f"new_{name}": value for name, value in {"state": to, **values}.items()}}
    moved = _moving(table, tuple(values))
    if session.connection().execute(moved, given).rowcount != 1:
        actual = session.scalar(select(table.c.state).where(table.c.id == row.id))
        raise MoveConflictError(_named(row), source=source.value, to=to.value, actual=actual and actual.value)
    for name, value in {"state": to, **values}.items():
        set_committed_value(row, name, value)  # as it stands in the row now: nothing has to be read for it
    record(session, row, source=source.value, to=to.value, now=now, by=by, reason=reason)


@cache
def _moving(table: Table, names: tuple[str, ...]) -> Update:
    """Putting a statement together costs more than carrying it out."""
    changes = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in ("state", *names)}
    return table.update().where(table.c.id == bindparam("of"), table.c.state == bindparam("read")).values(changes)


def _named(row: Stateful) -> str:
    """`delivery 7`, out of a row of the table `deliveries`."""
    table = row.__tablename__
    noun = f"{table[:-3]}y" if table.endswith("ies") else table.removesuffix("s")
    return f"{noun.replace('_', ' ')} {row.id}"


def history(session: Session, noun: str, row_id: int) -> Sequence[Move]:
    """Every move of one row, oldest first."""
    _write(session)
    return session.scalars(select(Move).where(Move.noun == noun, Move.row_id == row_id).order_by(Move.id)).all()
