"""The embedded engine: one process looks at the rows, does what is due, and sleeps until somebody rings.

Any number may run side by side all the same; they would only look more often than needed.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from releaser.bell import Bell
from releaser.flows.advance_rollout import under_way
from releaser.flows.ports import Ports
from releaser.store import rollout_work
from releaser.store.rollout_work import TOUCHED
from releaser.worker.crew import Crew
from releaser.worker.silence import SILENT_AT_ONCE
from releaser.worker.ticks import DAYS_S, DRIFT_S, HEARTBEAT_S, MOST_REST_S, Ticks, rest_after

_STOPS_S = 2.0


class EmbeddedEngine:
    """See `releaser.worker.engine.Engine`."""

    name = "embedded"

    def __init__(self, ports: Ports, *, bell: Bell, threads: int = 4, tick_s: float = 0.5) -> None:
        """`bell` is what `ports.wake` rings."""
        self._ports = ports
        self._bell = bell
        self._ticks = Ticks(ports, engine=self.name, retry_s=tick_s)
        self._lock = threading.Lock()
        self._tick_s = tick_s
        self._crew = Crew(threads, name="target", clock=ports.clock, kept=1)
        self._silent_crew = Crew(SILENT_AT_ONCE, name="silent", clock=ports.clock, kept=1)
        # By the clock that only grows: whoever sets the other one back or on makes nobody rest longer.
        self._due: list[tuple[float, int]] = []
        self._touched: set[int] = set()
        self._scheduled: set[int] = set()
        self._at_work: set[int] = set()
        self._scheduling = Bell()
        self._scheduled_to = 0
        self._look_took_s = 0.0
        self._trains_at = 0.0
        # What only waits for one rollout ends before it looks at everything else.
        self._drift_at = ports.clock.monotonic() + DRIFT_S
        self._threads = [
            self._thread(self._rollouts, self._after_a_look),
            self._thread(self._targets, self._until_scheduled),
            self._thread(self._outbox, self._until_rung),
            self._thread(self._trains, self._until_rung),
            *(
                self._thread(loop, self._for_long)
                for loop in (self._embargoes, self._drift, self._days, self._heartbeat)
            ),
        ]

    def _thread(self, tick: Callable[[], float], rest: Callable[[int, float], None]) -> threading.Thread:
        name = tick.__name__.strip("_")
        return threading.Thread(target=self._guarded, args=(tick, rest), name=name, daemon=True)

    def start(self) -> None:
        """Free what dead processes of this machine held, then begin."""
        self._ticks.free_dead()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, let the step at hand end if it does so in time. What is left is taken up after a restart."""
        self._ticks.stopping.set()
        self._bell.ring()
        self._scheduling.ring()
        ends = self._ports.clock.monotonic() + _STOPS_S
        for thread in self._threads:
            thread.join(max(0.0, ends - self._ports.clock.monotonic()))
        self._crew.end(_STOPS_S)
        self._silent_crew.end(0.0)
        self._ticks.safely(self._ticks.leave, otherwise=None)

    def _guarded(self, tick: Callable[[], float], rest: Callable[[int, float], None]) -> None:
        """Call `tick` until stopped; it returns how long to rest."""
        while not self._ticks.stopping.is_set():
            heard = self._bell.heard()
            rest_s = self._ticks.safely(tick, otherwise=self._tick_s)
            if not self._ticks.stopping.is_set():
                rest(heard, rest_s)

    def _after_a_look(self, heard: int, rest_s: float) -> None:
        self._rest(heard, rest_s, least_s=rest_after(self._look_took_s))

    def _until_rung(self, heard: int, rest_s: float) -> None:
        """What is in no hurry is looked at together, when many ring for it."""
        self._rest(heard, rest_s, least_s=MOST_REST_S)

    def _rest(self, heard: int, rest_s: float, *, least_s: float) -> None:
        self._ticks.stopping.wait(min(rest_s, least_s))
        self._bell.wait(heard, max(0.0, rest_s - least_s))

    def _until_scheduled(self, _heard: int, rest_s: float) -> None:
        """Until something is due, or something else is scheduled, which may be due sooner."""
        self._scheduling.wait(self._scheduled_to, max(0.0, rest_s))

    def _for_long(self, _heard: int, rest_s: float) -> None:
        """Rest for what a bell does not matter to."""
        self._ticks.stopping.wait(rest_s)

    def _rollouts(self) -> float:
        """Look at every rollout under way, and schedule what can be worked on."""
        began = self._ports.clock.monotonic()
        for rollout_id in under_way(self._ports):
            # What is wrong with one holds no other up.
            self._ticks.safely(partial(self._ticks.rollout, rollout_id), otherwise=None)
        with self._ports.database.reading() as session:
            runnable = rollout_work.runnable(session, now=self._ports.clock.now())
        with self._lock:
            for update_id, state in runnable.items():
                (self._touched.add if state in TOUCHED else self._touched.discard)(update_id)
                if update_id not in self._scheduled and update_id not in self._at_work:
                    self._schedule(update_id, 0.0)
        self._scheduling.ring()
        self._look_took_s = self._ports.clock.monotonic() - began
        return self._tick_s

    def _targets(self) -> float:
        """Begin what is due; returns for how long nothing more is."""
        self._scheduled_to = self._scheduling.heard()
        now = self._ports.clock.monotonic()
        with self._lock:
            while self._due and self._due[0][0] <= now:
                _, update_id = heapq.heappop(self._due)
                self._scheduled.discard(update_id)
                self._at_work.add(update_id)
                first = update_id in self._touched
                self._crew.submit(partial(self._work, update_id, first=first), first=first)
            return self._due[0][0] - now if self._due else self._tick_s

    def _schedule(self, update_id: int, rest_s: float) -> None:
        heapq.heappush(self._due, (self._ports.clock.monotonic() + rest_s, update_id))
        self._scheduled.add(update_id)

    def _work(self, update_id: int, *, first: bool) -> None:
        """Asked when its turn has come: a host may have fallen silent since."""
        if self._ticks.is_silent(update_id):
            self._silent_crew.submit(partial(self._act, update_id, self._ticks.silent_target), first=first)
        else:
            self._act(update_id, self._ticks.target)

    def _act(self, update_id: int, tick: Callable[[int], datetime | None]) -> None:
        with self._ticks.holding(update_id):
            again = tick(update_id)
            rest_s = 0.0 if again is None else (again - self._ports.clock.now()).total_seconds()
        with self._lock:
            self._at_work.discard(update_id)
            if again is None:
                self._touched.discard(update_id)
            elif not self._ticks.stopping.is_set():
                self._schedule(update_id, rest_s)
        if again is not None:
            self._scheduling.ring()

    def _outbox(self) -> float:
        return 0.0 if self._ticks.outbox() else self._tick_s

    def _days(self) -> float:
        self._ticks.days()
        return DAYS_S

    def _trains(self) -> float:
        now = self._ports.clock.monotonic()
        if now < self._trains_at:  # the bell rings for many things, and trains are not in a hurry
            return self._trains_at - now
        rest_s = self._ticks.trains()
        self._trains_at = self._ports.clock.monotonic() + rest_s
        return rest_s

    def _drift(self) -> float:
        now = self._ports.clock.monotonic()
        if now < self._drift_at:
            return self._drift_at - now
        rest_s = self._ticks.drift()
        self._drift_at = self._ports.clock.monotonic() + rest_s
        return rest_s

    def _embargoes(self) -> float:
        return 0.0 if self._ticks.embargoes() else self._tick_s

    def _heartbeat(self) -> float:
        self._ticks.heartbeat()
        return HEARTBEAT_S
