"""The ticks themselves: each looks at the rows and the world, does what is due, and says when to look again.

Engines call them; nothing rests on who does, how often, or whether twice at once: leases, fencing generations and
compare-and-set keep a doubled, late or zombie tick harmless. What does not live here: when a tick is called.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from releaser.domain.rollout import UpdateState
from releaser.errors import ReleaserError
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.advance_target import LEASE_FOR, advance_target
from releaser.flows.announce_support_end import announce_support_end
from releaser.flows.close_tickets import close_tickets
from releaser.flows.deliver_notices import deliver_notices
from releaser.flows.expire_notices import expire_notices
from releaser.flows.look_for_drift import AT_ONCE, look_for_drift
from releaser.flows.mail_alerts import mail_alerts
from releaser.flows.ports import Ports
from releaser.flows.reveal_tickets import reveal_tickets
from releaser.flows.soak_wave import is_due, soak_wave
from releaser.flows.watch_trains import watch_trains, watched
from releaser.process import is_dead
from releaser.store import leases, rollout_work, workers
from releaser.worker.silence import Silence

HEARTBEAT_S = LEASE_FOR.total_seconds() / 4
"""How often leases are renewed: a dead worker's run out so much earlier than `LEASE_FOR` after its death at most."""
TRAINS_S = 15.0
"""How often trains are looked at; when the next phase of one begins sooner, then right at it."""
DAYS_S = 60.0
DRIFT_S = 30.0
"""How often targets are looked for that nobody has looked at for a while."""
SILENT_REST = timedelta(seconds=2)
"""When to look again for a turn to ask a host that did not answer."""
_NOTED_S = 5.0
_LEAST_REST_S, MOST_REST_S, _TIMES_REST = 0.05, 0.4, 6
_Outcome = TypeVar("_Outcome")
_log = structlog.get_logger(__name__)


def rest_after(took_s: float) -> float:
    """How long to rest after a look at a rollout that took so long.

    Hundreds of targets wake many times a second. One look answers all that did since the last, and looking takes a seventh of one
    processor at most, however large the rollout is.
    """
    return max(_LEAST_REST_S, min(MOST_REST_S, _TIMES_REST * took_s))


Forget = Callable[[Session, Sequence[int]], None]
"""Lets go of what a queue gave to those whom it calls by these numbers, which are dead."""


def nothing_to_forget(_session: Session, _numbers: Sequence[int]) -> None:
    """Where there is no queue."""


class Ticks:
    """What an engine calls. `retry_s` is how long a target rests whose tick could not be done."""

    def __init__(self, ports: Ports, *, engine: str, retry_s: float, forget: Forget = nothing_to_forget) -> None:
        """`engine` names who calls, for `releaser doctor`; `forget` is called where processes have died."""
        self.ports = ports
        self.stopping = threading.Event()
        self._engine = engine
        self._retry = timedelta(seconds=retry_s)
        self.silence = Silence()
        self._listening = replace(ports, drivers=self.silence.listening(ports.drivers))
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self._acting: set[int] = set()
        self._forget = forget
        self._noting = threading.Lock()
        self._noted_at = -_NOTED_S
        self._numbers: Sequence[int] = ()
        self._aside: set[tuple[str, int]] = set()

    def safely(self, tick: Callable[[], _Outcome], *, otherwise: _Outcome) -> _Outcome:
        """The net: a fault in one tick is logged and must not end its caller; the next tick tries again."""
        try:
            return tick()
        except ReleaserError as error:
            _log.warning("a tick of the worker could not be done", error=error.slug, reason=str(error))
            return otherwise
        except Exception:  # noqa: BLE001 -- the one place that must go on whatever happened
            _log.exception("a tick of the worker failed")
            return otherwise

    def rollout(self, rollout_id: int) -> None:
        """Move a rollout as far as its rules say now."""
        aside = partial(self._beside, "plan", rollout_id)
        while not self.stopping.is_set() and advance_rollout(self.ports, rollout_id=rollout_id, aside=aside):
            pass
        self._soak(rollout_id)

    def _soak(self, rollout_id: int) -> None:
        """Look at a wave that is watched."""
        if ("soak", rollout_id) not in self._aside and is_due(self.ports, rollout_id=rollout_id):
            self._beside("soak", rollout_id, partial(soak_wave, self.ports, rollout_id=rollout_id))

    def _beside(self, what: str, rollout_id: int, work: Callable[[], bool]) -> bool:
        """Carry out beside everything else what asks hosts: one that does not answer holds nobody up. Nothing moved yet."""
        with self._lock:
            if (what, rollout_id) in self._aside:
                return False
            self._aside.add((what, rollout_id))

        def carry_out() -> None:
            moved = self.safely(work, otherwise=False)
            with self._lock:
                self._aside.discard((what, rollout_id))
            if moved:
                self.ports.wake()

        threading.Thread(target=carry_out, name=what, daemon=True).start()
        return False

    @contextmanager
    def holding(self, update_id: int) -> Iterator[bool]:
        """Keep the lease of an update for as long as the block lasts; False when this process is at it already."""
        with self._lock:
            mine = update_id not in self._held and update_id not in self._acting
            if mine:
                self._held.add(update_id)
        try:
            yield mine
        finally:
            if mine:
                with self._lock:
                    self._held.discard(update_id)

    def target(self, update_id: int) -> datetime | None:
        """Do what is due for one target until it rests. Returns when to go on."""
        now = self.ports.clock.now
        with self._lock:
            self._acting.add(update_id)
        try:
            again: datetime | None = now()
            while again is not None and again <= now() and not self.stopping.is_set():
                later: datetime | None = now() + self._retry
                tick = partial(advance_target, self._listening, update_id=update_id, going_on=self._going_on)
                again = self.safely(tick, otherwise=later)
            return again
        finally:
            with self._lock:
                self._acting.discard(update_id)

    def is_silent(self, update_id: int) -> bool:
        """Whether the target stands on a host that did not answer when it was last asked."""
        return bool(self.silence) and self._whereabouts(update_id)[0] in self.silence

    def silent_target(self, update_id: int) -> datetime | None:
        """As `target`, for one on a silent host: of those that only prepare one at a time asks, so that they hold one thread.

        What is being cut over or put back waits for nobody: its deadline does not either.
        """
        address, state = self._whereabouts(update_id)
        if state not in {UpdateState.PREPARING, UpdateState.WAITING}:
            return self.target(update_id)
        with self.silence.turn(address) as mine:
            return self.target(update_id) if mine else self.ports.clock.now() + SILENT_REST

    def _whereabouts(self, update_id: int) -> tuple[str, UpdateState | None]:
        def read() -> tuple[str, UpdateState | None]:
            with self.ports.database.reading() as session:
                return rollout_work.whereabouts(session, update_id)

        nowhere: tuple[str, UpdateState | None] = ("", None)
        return self.safely(read, otherwise=nowhere)

    def _going_on(self) -> bool:
        return not self.stopping.is_set()

    def let_go(self, update_id: int) -> None:
        """Let another process go on with a target once it has rested."""
        with self.ports.database.transaction() as session:
            leases.let_go(session, update_id, owner=self.ports.owner)

    def outbox(self) -> bool:
        """Send what is due, to customers and to release managers, and tell requests whose fix arrived."""
        sent = deliver_notices(self.ports) + mail_alerts(self.ports)
        told = close_tickets(self.ports)
        return bool(sent or told)

    def days(self) -> None:
        """What comes with a day, not with a second: customers are told that the support of their line ends, or that work did not come."""
        announce_support_end(self.ports)
        expire_notices(self.ports)

    def drift(self) -> float:
        """Look at some of what nobody has looked at for a while; how long to rest: not long while more is due."""
        return DRIFT_S if look_for_drift(self.ports) < AT_ONCE else DRIFT_S / 10

    def embargoes(self) -> bool:
        """Tell what an embargo kept back, once it is over; a remote may take its time, so nobody else waits for it."""
        return bool(reveal_tickets(self.ports))

    def trains(self) -> float:
        """Look at branches when a freeze begins, carry over what trains left behind, and warn of what is carried too often.

        Returns for how long nothing is due.
        """
        rest_s = TRAINS_S
        for product in watched(self.ports):
            # One product's remote that does not answer holds no other product up.
            next_at = self.safely(partial(self._watch, product), otherwise=None)
            if next_at is not None:
                rest_s = min(rest_s, max(0.0, (next_at - self.ports.clock.now()).total_seconds()))
        return rest_s

    def _watch(self, product: str) -> datetime | None:
        found = watch_trains(self.ports, product=product)
        for carry in found["carried"]:
            if carry["alert"]:
                _log.warning("a ticket was carried over too often", product=product, **carry)
        next_at: datetime | None = found["next_at"]
        return next_at

    def heartbeat(self) -> None:
        """Keep the leases of what is being worked on, take over from processes that died, and say that somebody looks."""
        with self._lock:
            mine = sorted(self._held | self._acting)
        clock, owner = self.ports.clock, self.ports.owner
        if mine:
            with self.ports.database.transaction() as session:
                leases.renew(session, mine, owner=owner, now=clock.now(), lease_for=LEASE_FOR)
        self.free_dead()
        with self._noting:
            if clock.monotonic() >= self._noted_at + _NOTED_S:
                self._note()

    def called(self, numbers: Sequence[int]) -> None:
        """Keep what the queue calls this process, before it gives anything to it: who dies is known by that.

        The heartbeat tells `numbers` as they are then.
        """
        with self._noting:
            self._numbers = numbers
            self._note()

    def _note(self) -> None:
        clock = self.ports.clock
        with self.ports.database.transaction() as session:
            workers.note(session, self.ports.owner, engine=self._engine, numbers=self._numbers, now=clock.now())
        self._noted_at = clock.monotonic()

    def free_dead(self) -> None:
        """Free what dead processes of this machine held, and what the queue gave to them."""
        with self.ports.database.reading() as session:
            dead = [owner for owner in _owners(session) if is_dead(owner)]
        if not dead:
            return
        with self.ports.database.transaction() as session:
            # Another process of this machine may have done it meanwhile.
            numbers = workers.numbers(session, dead)
            for owner in dead:
                leases.release(session, owner)
                workers.leave(session, owner)
            self._forget(session, numbers)

    def leave(self) -> None:
        """The end in order: others need not wait for our leases to run out, but for those of steps that still run."""
        with self._lock:
            acting = sorted(self._acting)
        with self.ports.database.transaction() as session:
            leases.release(session, self.ports.owner, but=acting)
            workers.leave(session, self.ports.owner)


def _owners(session: Session) -> set[str]:
    return {*leases.owners(session), *(row.owner for row in workers.everyone(session))}
