"""The embedded engine: looks at the rows, does what is due, and sleeps until somebody wakes it.

Rows are the truth; this only wakes the flows. Any number of workers may run side by side: leases and
compare-and-set keep a doubled tick harmless.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog

from releaser.bell import Bell
from releaser.errors import ReleaserError
from releaser.flows.advance_rollout import advance_rollout, under_way
from releaser.flows.advance_target import LEASE_FOR, advance_target
from releaser.flows.announce_support_end import announce_support_end
from releaser.flows.close_tickets import close_tickets
from releaser.flows.deliver_notices import deliver_notices
from releaser.flows.look_for_drift import AT_ONCE, look_for_drift
from releaser.flows.mail_alerts import mail_alerts
from releaser.flows.ports import Ports
from releaser.flows.reveal_tickets import reveal_tickets
from releaser.flows.watch_trains import watch_trains, watched
from releaser.process import is_dead
from releaser.store import rollout_work, rollouts

TRAINS_S = 15.0
"""How often trains are looked at; when the next phase of one begins sooner, then right at it."""
DRIFT_S = 30.0
"""How often targets that nobody has looked at for a while are looked for."""
Outcome = TypeVar("Outcome")

_DAYS_REST_S = 60.0
_log = structlog.get_logger(__name__)


class Worker:
    """Runs in threads of its own between `start` and `stop`."""

    def __init__(self, ports: Ports, *, bell: Bell, threads: int = 4, tick_s: float = 0.5) -> None:
        """`bell` is what `ports.wake` rings."""
        self._ports = ports
        self._bell = bell
        self._lock = threading.Lock()
        self._tick_s = tick_s
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="target")
        self._stopping = threading.Event()
        self._due: list[tuple[datetime, int]] = []
        self._scheduled: set[int] = set()
        self._at_work: set[int] = set()
        self._trains_at = 0.0
        # What only waits for one rollout ends before it looks at everything else.
        self._drift_at = ports.clock.monotonic() + DRIFT_S
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._rollouts,), name="rollouts", daemon=True),
            threading.Thread(target=self._guarded, args=(self._outbox,), name="outbox", daemon=True),
            threading.Thread(target=self._guarded, args=(self._heartbeat,), name="heartbeat", daemon=True),
            threading.Thread(target=self._guarded, args=(self._trains,), name="trains", daemon=True),
            threading.Thread(target=self._guarded, args=(self._days,), name="days", daemon=True),
            threading.Thread(target=self._guarded, args=(self._embargoes,), name="embargoes", daemon=True),
            threading.Thread(target=self._guarded, args=(self._drift,), name="drift", daemon=True),
        ]

    def start(self) -> None:
        """Free what dead processes of this machine held, then begin."""
        self._free_dead_leases()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Begin nothing more, let the step at hand end if it does so in time. What is left is taken up after a restart."""
        self._stopping.set()
        self._bell.ring()
        ends = self._ports.clock.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, ends - self._ports.clock.monotonic()))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _safely(self, tick: Callable[[], Outcome], *, otherwise: Outcome) -> Outcome:
        """The worker's net: a fault in one tick is logged and must not end the loop; the next tick tries again."""
        try:
            return tick()
        except ReleaserError as error:
            _log.warning("a tick of the worker could not be done", error=error.slug, reason=str(error))
            return otherwise
        except Exception:  # noqa: BLE001 -- the one place that must go on whatever happened
            _log.exception("a tick of the worker failed")
            return otherwise

    def _guarded(self, tick: Callable[[], float]) -> None:
        """Call `tick` until stopped; it returns how long to rest."""
        while not self._stopping.is_set():
            heard = self._bell.heard()
            rest_s = self._safely(tick, otherwise=self._tick_s)
            if not self._stopping.is_set():
                self._bell.wait(heard, rest_s)

    def _rollouts(self) -> float:
        """Look at every rollout under way, schedule what can be worked on, begin what is due."""
        for rollout_id in under_way(self._ports):
            while not self._stopping.is_set() and advance_rollout(self._ports, rollout_id=rollout_id):
                pass
        now = self._ports.clock.now()
        with self._ports.database.reading() as session:
            runnable = rollout_work.runnable(session, now=now)
        with self._lock:
            for update_id in runnable:
                if update_id not in self._scheduled and update_id not in self._at_work:
                    self._schedule(update_id, now)
            while self._due and self._due[0][0] <= now:
                _, update_id = heapq.heappop(self._due)
                self._scheduled.discard(update_id)
                self._at_work.add(update_id)
                self._pool.submit(self._work, update_id)
            upcoming = (self._due[0][0] - now).total_seconds() if self._due else self._tick_s
        return max(0.0, min(self._tick_s, upcoming))

    def _schedule(self, update_id: int, at: datetime) -> None:
        heapq.heappush(self._due, (at, update_id))
        self._scheduled.add(update_id)

    def _work(self, update_id: int) -> None:
        """Do what is due for one target, action by action while there is no pause between them."""
        now = self._ports.clock.now
        later: datetime | None = now() + timedelta(seconds=self._tick_s)
        again: datetime | None = now()

        def advance() -> datetime | None:
            return advance_target(self._ports, update_id=update_id)

        while again is not None and again <= now() and not self._stopping.is_set():
            again = self._safely(advance, otherwise=later)
        with self._lock:
            self._at_work.discard(update_id)
            if again is not None and not self._stopping.is_set():
                self._schedule(update_id, again)
        self._bell.ring()

    def _outbox(self) -> float:
        """Send what is due, to customers and to release managers, and tell requests whose fix arrived."""
        sent = deliver_notices(self._ports) + mail_alerts(self._ports)
        told = close_tickets(self._ports)
        return 0.0 if sent or told else self._tick_s

    def _days(self) -> float:
        """What comes with a day, not with a second: customers are told that the support of their line ends."""
        announce_support_end(self._ports)
        return _DAYS_REST_S

    def _trains(self) -> float:
        """Look at branches when a freeze begins, carry over what trains left behind, and warn of what is carried too often."""
        now = self._ports.clock.monotonic()
        if now < self._trains_at:  # the bell rings for many things, and trains are not in a hurry
            return self._trains_at - now
        rest_s = TRAINS_S
        for product in watched(self._ports):
            # One product's remote that does not answer holds no other product up.
            next_at = self._safely(partial(self._watch, product), otherwise=None)
            if next_at is not None:
                rest_s = min(rest_s, max(0.0, (next_at - self._ports.clock.now()).total_seconds()))
        self._trains_at = self._ports.clock.monotonic() + rest_s
        return rest_s

    def _watch(self, product: str) -> datetime | None:
        found = watch_trains(self._ports, product=product)
        for carry in found["carried"]:
            if carry["alert"]:
                _log.warning("a ticket was carried over too often", product=product, **carry)
        next_at: datetime | None = found["next_at"]
        return next_at

    def _drift(self) -> float:
        """Look at some of what nobody has looked at for a while; an engine may take its time, so nobody else waits for it."""
        now = self._ports.clock.monotonic()
        if now < self._drift_at:
            return self._drift_at - now
        looked = look_for_drift(self._ports)
        rest_s = DRIFT_S if looked < AT_ONCE else DRIFT_S / 10
        self._drift_at = self._ports.clock.monotonic() + rest_s
        return rest_s

    def _embargoes(self) -> float:
        """Tell what an embargo kept back, once it is over; a remote may take its time, so nobody else waits for it."""
        return 0.0 if reveal_tickets(self._ports) else self._tick_s

    def _heartbeat(self) -> float:
        """Keep the leases of what is being worked on; take over from processes that died."""
        with self._lock:
            mine = sorted(self._at_work)
        if mine:
            with self._ports.database.transaction() as session:
                until = self._ports.clock.now() + LEASE_FOR
                rollouts.renew(session, mine, owner=self._ports.owner, until=until)
        self._free_dead_leases()
        return LEASE_FOR.total_seconds() / 4

    def _free_dead_leases(self) -> None:
        with self._ports.database.reading() as session:
            dead = [owner for owner in rollouts.lease_owners(session) if is_dead(owner)]
        if dead:
            with self._ports.database.transaction() as session:
                for owner in dead:
                    rollouts.release_leases(session, owner)
