"""What happened in a rollout since one looked last: its moves, its waves' and its targets', and the steps of the journal.

The truth is the rows: whoever follows has them read again every `LOOK_EVERY_S`. All who follow one rollout in a process
share a `Watch`, so that twenty open pages cost the database what one does. Ids of moves grow, but on a database with many
writers a smaller one can be seen after a bigger one; so the last `OVERLAP` ids are read again and told once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.clock import SystemClock
from releaser.domain.rollout import AT_WORK, ENDED
from releaser.flows.ports import Ports
from releaser.store import rollout_log, rollout_view, rollouts
from releaser.store.moves import Move
from releaser.store.rollouts import TargetUpdate

LOOK_EVERY_S = 0.3
OVERLAP = 200
KEPT = 50
SHARE = 0.1
"""How much of the time a watch may spend looking: one look of a very large rollout is followed by a longer rest."""
# Streams are paced by the machine's time, whatever time the rollout goes by.
_PACE = SystemClock()
_ENDED = {state.value for state in ENDED}
_AT_WORK = {state.value for state in AT_WORK}


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one look found: moves and steps as plain data, oldest first; the ids of targets that changed; the state after it.

    `newest` is the id of the newest move told; `shown` is for what followers make of it together.
    """

    number: int
    newest: int
    moves: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    targets: frozenset[int]
    state: str
    shown: dict[Any, Any] = field(default_factory=dict)

    @property
    def is_end(self) -> bool:
        """Whether the rollout has ended."""
        return self.state in _ENDED


class Watch:
    """What a process knows of one rollout that is followed. Every method may be called from any thread."""

    def __init__(self, ports: Ports, rollout_id: int) -> None:
        self.lock = threading.RLock()
        self.memory: dict[Any, Any] = {}
        """What followers told last, kept by them."""
        self.number = 0
        self.newest = 0
        self.state = ""
        self.followers = 0
        self._ports, self._id = ports, rollout_id
        self._news: deque[News] = deque(maxlen=KEPT)
        self._told: set[int] = set()
        self._seen: dict[str, Any] = {}
        self._rows: dict[int, tuple[Any, ...]] = {}
        self._steps: dict[int, dict[str, tuple[Any, ...]]] = {}
        self._next = 0.0

    @property
    def is_end(self) -> bool:
        """Whether the rollout had ended at the last look."""
        return self.state in _ENDED

    def is_due(self) -> bool:
        """Whether it is time to look again."""
        return _PACE.monotonic() >= self._next

    def look(self, *, now: bool = False) -> None:
        """Read what is new, unless somebody just did. Raises `RolloutNotFoundError`."""
        with self.lock:
            if not now and not self.is_due():
                return
            began = _PACE.monotonic()
            with self._ports.database.reading() as session:
                self._look(session)
            took = _PACE.monotonic() - began
            self._next = began + max(LOOK_EVERY_S, took / SHARE)

    def after(self, number: int) -> list[News] | None:
        """What was found since that look, oldest first; None when some of it is not kept any more."""
        with self.lock:
            if number < self.number - len(self._news):
                return None
            return [one for one in self._news if one.number > number]

    def _look(self, session: Session) -> None:
        is_first = not self.number
        # The rollout first: what moved it before is then among the moves read after, on every database.
        head = rollout_view.head(session, self._id)
        fresh = self._moves(session, is_first=is_first)
        moved = {row.row_id for row in fresh if row.noun == TargetUpdate.__tablename__}
        changed = moved | self._changed(session)
        steps = self._fresh_steps(session, changed)
        seen = {"head": head, "waves": rollout_view.wave_states(session, self._id)}
        if is_first or fresh or steps or changed or seen != self._seen:
            self.number += 1
            self._news.append(
                News(
                    number=self.number,
                    newest=self.newest,
                    moves=rollout_log.told_moves(session, fresh),
                    steps=steps,
                    targets=frozenset(changed | {step["target"] for step in steps}),
                    state=head["state"],
                )
            )
        self._seen, self.state = seen, head["state"]

    def _moves(self, session: Session, *, is_first: bool) -> list[Move]:
        if is_first:
            self.newest = rollout_log.newest(session, self._id)
        since = max(0, self.newest - OVERLAP)
        rows = session.scalars(
            select(Move).where(Move.id > since, rollout_log.of_rollout(self._id)).order_by(Move.id)
        ).all()
        fresh = [row for row in rows if row.id not in self._told]
        self._told = {row.id for row in rows}
        self.newest = max([self.newest, *(row.id for row in fresh)])
        return [] if is_first else fresh

    def _changed(self, session: Session) -> set[int]:
        """Targets under way whose row is not as it was. What is not begun or over changes by moves alone."""
        rows = {row[0]: row for row in rollout_view.under_way(session, self._id)}
        changed = {one for one, row in rows.items() if self._rows.get(one) != row}
        self._rows = rows
        return changed if self.number else set()

    def _fresh_steps(self, session: Session, changed: Collection[int]) -> list[dict[str, Any]]:
        """Steps of what is at work or changed that are not as they were told."""
        at_work = {one for one, row in self._rows.items() if row[1] in _AT_WORK}
        before, self._steps = self._steps, {}
        fresh = []
        for update_id, journal in rollout_view.steps(session, at_work | set(changed)).items():
            known = before.get(update_id, {})
            now = {f"{step['attempt']}/{step['name']}": (step["state"], step["tries"]) for step in journal}
            self._steps[update_id] = now
            for step in journal:
                name = f"{step['attempt']}/{step['name']}"
                if known.get(name) != now[name]:
                    fresh.append({"target": update_id, **{k: v for k, v in step.items() if k != "update_id"}})
        return fresh if self.number else []


@contextmanager
def followed(app: FastAPI, ports: Ports, rollout_id: int) -> Iterator[Watch]:
    """The watch of a rollout, kept as long as anybody follows it in this process."""
    watches = _watches(app)
    watch = watches.setdefault(rollout_id, Watch(ports, rollout_id))
    watch.followers += 1
    try:
        yield watch
    finally:
        watch.followers -= 1
        if not watch.followers:
            watches.pop(rollout_id, None)


def _watches(app: FastAPI) -> dict[int, Watch]:
    """All watches of an application; followers are of one event loop."""
    if not hasattr(app.state, "watches"):
        app.state.watches = {}
    found: dict[int, Watch] = app.state.watches
    return found


def newest_move(ports: Ports, rollout_id: int) -> int:
    """The id of the last thing that happened in a rollout; 0 before anything did."""
    with ports.database.reading() as session:
        return rollout_log.newest(session, rollout_id)


def is_over(ports: Ports, rollout_id: int) -> bool:
    """Whether the rollout has ended. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        return rollouts.state_of(session, rollout_id) in ENDED


def moves_since(ports: Ports, rollout_id: int, seen: int, *, until: int) -> list[dict[str, Any]]:
    """The moves after `seen` up to `until`, oldest first."""
    with ports.database.reading() as session:
        query = select(Move).where(Move.id > seen, Move.id <= until, rollout_log.of_rollout(rollout_id))
        return rollout_log.told_moves(session, session.scalars(query.order_by(Move.id)).all())
