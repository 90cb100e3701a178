"""The engine of PostgreSQL: any number of processes on any number of machines are woken by procrastinate's jobs.

What changes in the rows becomes a job in the same transaction (`releaser.store.wakes`), and NOTIFY wakes whoever listens. A job
says only "look": who comes late, twice or after somebody else finds nothing to do. Looks in quick succession stay inside
one job, which occupies a thread only while it looks. Jobs are thrown away when done; those of workers that fell silent are made anew
out of the rows by the sweep, which whoever is alive carries out every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.orm import Session

from releaser.bell import Bell
from releaser.flows.ports import Ports
from releaser.store import wakes
from releaser.worker.crew import Crew
from releaser.worker.silence import SILENT_AT_ONCE
from releaser.worker.ticks import DAYS_S, DRIFT_S, HEARTBEAT_S, SILENT_REST, TRAINS_S, Ticks, rest_after

SILENT_S = 5.0
"""A worker that has not told of itself for so long is taken for dead, and its jobs are made anew."""
LONGEST_LOOK_S = 1.0
"""What rests for longer gives its job back, to be called again then."""
LONGEST_TRY_S = 0.2
"""The same for what only prepares: it rests because something failed, its host is away perhaps, and others have their turn meanwhile."""
_BEATS_S = 1.0
_SWEEPS_S, _OUTBOX_S, _EMBARGOES_S = 1, 5, 5
_GRACE_S, _STOPS_S = 2.5, 4.0
_AGAIN_S, _MOST_AGAIN_S = 0.5, 5.0
_RETRY_S = 0.2
_LOOKERS = 4
_Found = TypeVar("_Found")
_log = structlog.get_logger(__name__)
# It tells of every job; what went wrong is told by the ticks.
logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


class QueuedEngine:
    """See `releaser.worker.engine.Engine`."""

    name = "procrastinate"

    def __init__(self, ports: Ports, *, bell: Bell, threads: int = 4, tick_s: float = 0.5) -> None:
        """`bell` is what `ports.wake` rings; `tick_s` bounds what a lost notification costs."""
        self._ports = ports
        self._bell = bell
        self._tick_s = tick_s
        self._ticks = Ticks(ports, engine=self.name, retry_s=tick_s, forget=_forget)
        self._targets = Crew(threads, name="target", clock=ports.clock, kept=1)
        self._silent = Crew(SILENT_AT_ONCE, name="silent", clock=ports.clock, kept=1)
        self._silent_asked = 0
        self._looks = Crew(_LOOKERS, name="look", clock=ports.clock)
        # A job that rests or waits for its next look needs no thread; neither does one whose host is silent.
        self._at_once = 4 * threads + SILENT_AT_ONCE
        self._loop: asyncio.AbstractEventLoop | None = None
        self._halted = asyncio.Event()
        self._workers: list[Worker] = []
        self._threads = [
            threading.Thread(target=self._run, name="queue", daemon=True),
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
        ]

    def start(self) -> None:
        """Free what dead processes of this machine held, then begin."""
        self._ticks.free_dead()
        with self._ports.database.transaction() as session:
            _forget(session, [])
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, let the steps at hand end if they do so in time; what is left others take up."""
        self._ticks.stopping.set()
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(self._halt)
        ends = self._ports.clock.monotonic() + _STOPS_S
        for thread in self._threads:
            thread.join(max(0.0, ends - self._ports.clock.monotonic()))
        # What still runs had its time already.
        self._targets.end(0.0)
        self._silent.end(0.0)
        self._looks.end(0.0)
        self._ticks.safely(self._ticks.leave, otherwise=None)

    def _halt(self) -> None:
        self._halted.set()
        for worker in self._workers:
            worker.stop()

    def _beat(self) -> None:
        while not self._ticks.stopping.is_set():
            rest_s = self._ticks.safely(self._told, otherwise=_RETRY_S)
            self._ticks.stopping.wait(rest_s)

    def _told(self) -> float:
        self._ticks.heartbeat()
        return HEARTBEAT_S

    def _run(self) -> None:
        asyncio.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        """Work; when the database goes away, begin anew once it is back."""
        self._loop = asyncio.get_running_loop()
        rest_s = _AGAIN_S
        while not self._ticks.stopping.is_set():
            began = self._loop.time()
            try:
                await self._work()
                if not self._ticks.stopping.is_set():
                    _log.warning("the queue's connection was lost", again_s=rest_s)
            except Exception as error:  # noqa: BLE001 -- whatever it was, rows are the truth and we begin anew
                _log.warning("the queue cannot be worked on", reason=str(error), again_s=rest_s)
            rest_s = _AGAIN_S if self._loop.time() - began > _MOST_AGAIN_S else min(2 * rest_s, _MOST_AGAIN_S)
            if not self._ticks.stopping.is_set():
                await self._rest(rest_s)

    async def _work(self) -> None:
        """Carry out jobs until stopped, or until the database is gone."""
        connector = PsycopgConnector(
            pool_factory=_pool,
            conninfo=wakes.conninfo(self._ports.database),
            configure=_configured,
            min_size=1,
            max_size=4,
            timeout=_MOST_AGAIN_S,
            num_workers=1,
        )
        await connector.open_async()
        try:
            numbering = _Numbering(connector, self._ticks)
            jobs = _Jobs(self, connector, numbering)
            # Targets that take long must not keep rollouts and mail from being looked at, nor those that only prepare what is
            # cut over: each has workers of its own.
            self._workers = [
                self._worker(jobs.of_cutovers, "cutovers", self._at_once),
                self._worker(jobs.of_targets, "targets", self._at_once),
                self._worker(jobs.of_looks, "looks", 4 * _LOOKERS),
            ]
            running = [asyncio.create_task(worker.run()) for worker in self._workers]
            if self._ticks.stopping.is_set():
                self._halt()
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for worker in self._workers:
                worker.stop()
            ended = await asyncio.gather(*running, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error
        finally:
            self._workers = []
            await connector.close_async()

    def _worker(self, app: App, queue: str, at_once: int) -> Worker:
        return Worker(
            app,
            queues=[queue],
            name=queue,
            concurrency=at_once,
            fetch_job_polling_interval=self._tick_s,
            shutdown_graceful_timeout=_GRACE_S,
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=_BEATS_S,
            stalled_worker_timeout=3600,
        )

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._halted.wait(), seconds)

    async def advance(self, update_id: int, *, first: bool) -> float | None:
        """Look at a target until it is done or rests for long; returns in how many seconds to call again, if at all.

        What is cut over or put back goes `first`.
        """
        with self._ticks.holding(update_id) as mine:
            while mine and not self._ticks.stopping.is_set():
                again = await self._worked_at(update_id, first=first)
                if again is None:
                    return None
                rest_s = (again - self._ports.clock.now()).total_seconds()
                if rest_s > (LONGEST_LOOK_S if first else LONGEST_TRY_S):
                    await self.look(lambda ticks: ticks.let_go(update_id))
                    return rest_s
                await self._rest(rest_s)
        return None

    async def _worked_at(self, update_id: int, *, first: bool) -> datetime | None:
        """Beside the others' work where the host is silent; what cannot have a thread there gives its job back for a while."""
        is_silent = bool(self._ticks.silence) and await asyncio.to_thread(self._ticks.is_silent, update_id)
        if not is_silent:
            return await _carried_out(self._targets, partial(self._unless_silent, update_id), first=first)
        if self._silent_asked >= SILENT_AT_ONCE and not first:
            return self._ports.clock.now() + SILENT_REST
        self._silent_asked += 1
        try:
            return await _carried_out(self._silent, partial(self._ticks.silent_target, update_id), first=first)
        finally:
            self._silent_asked -= 1

    def _unless_silent(self, update_id: int) -> datetime | None:
        """Asked when its turn has come: a host may have fallen silent since."""
        return self._ports.clock.now() if self._ticks.is_silent(update_id) else self._ticks.target(update_id)

    async def look(self, tick: Callable[[Ticks], object]) -> object:
        """Carry out one tick of the others."""
        found = await _carried_out(self._looks, lambda: self._ticks.safely(partial(tick, self._ticks), otherwise=None))
        self._bell.ring()
        return found

    async def look_and_rest(self, tick: Callable[[Ticks], object]) -> None:
        """Keep the job for some times as long as the look took: what many wake for meanwhile is one look, here or elsewhere."""
        began = self._ports.clock.monotonic()
        await self.look(tick)
        await self._rest(rest_after(self._ports.clock.monotonic() - began))


def _forget(session: Session, numbers: Sequence[int]) -> None:
    wakes.forget_workers(session, numbers, silent_s=SILENT_S)


class _Numbering(JobManager):
    """A worker's number is kept beside this process's name before the worker is given anything.

    Whoever finds this process dead then knows at once which jobs were its own, however short it lived.
    """

    def __init__(self, connector: PsycopgConnector, ticks: Ticks) -> None:
        super().__init__(connector)
        self._ticks = ticks
        self._given: list[int] = []

    async def register_worker(self) -> int:
        number = await super().register_worker()
        self._given.append(number)
        await asyncio.to_thread(self._ticks.called, self._given)
        return number


async def _configured(connection: AsyncConnection) -> None:
    """Each query is a transaction of its own, and needs no BEGIN and COMMIT around it."""
    await connection.set_autocommit(True)


def _pool(**given: Any) -> AsyncConnectionPool:  # noqa: ANN401 -- whatever a pool takes
    """Connections are not tried before each use: when one is dead all are, and we begin anew."""
    return AsyncConnectionPool(**{**given, "check": None})


async def _carried_out(crew: Crew, work: Callable[[], _Found], *, first: bool = False) -> _Found:
    found: list[_Found] = []
    await asyncio.wrap_future(crew.submit(lambda: found.append(work()), first=first))
    return found[0]


class _Jobs:
    """The kinds of jobs there are, by the names that `releaser.store.wakes` calls them."""

    def __init__(self, engine: QueuedEngine, connector: PsycopgConnector, numbering: JobManager) -> None:
        self._engine = engine
        self._connector = connector
        self.of_targets, self.of_cutovers, self.of_looks = (App(connector=connector) for _ in range(3))
        for app in (self.of_targets, self.of_cutovers, self.of_looks):
            app.job_manager = numbering
        self.of_targets.task(name="target", queue="targets")(self._target)
        self.of_cutovers.task(name="target", queue="cutovers")(self._cutover)
        self.of_looks.task(name="rollout", queue="looks")(self._rollout)
        # Who died in a sweep must not keep the others from it: nobody else would find out.
        self._every("sweep", _SWEEPS_S, self._sweep, alone=False)
        self._every("outbox", _OUTBOX_S, self._outbox)
        self._every("embargoes", _EMBARGOES_S, self._embargoes)
        self._every("trains", int(TRAINS_S), self._trains)
        self._every("days", int(DAYS_S), self._days)
        self._every("drift", int(DRIFT_S), self._drift)

    def _every(self, name: str, seconds: int, work: Callable[..., Awaitable[None]], *, alone: bool = True) -> None:
        how: dict[str, Any] = {"name": name, "queue": "looks", "lock": name if alone else None, "queueing_lock": name}
        task = self.of_looks.task(**how)(work)
        cron = f"* * * * * */{seconds}" if seconds < 60 else "* * * * * 0"
        self.of_looks.periodic(cron=cron)(task)

    async def _target(self, *, target_id: int, update_id: int) -> None:
        await self._advanced(target_id, update_id, first=False)

    async def _cutover(self, *, target_id: int, update_id: int) -> None:
        await self._advanced(target_id, update_id, first=True)

    async def _advanced(self, target_id: int, update_id: int, *, first: bool) -> None:
        rest_s = await self._engine.advance(update_id, first=first)
        if rest_s is not None:
            told = {"target_id": target_id, "update_id": update_id, "rest": wakes.interval(rest_s)}
            await self._connector.execute_query_async(wakes.REST_TARGET, **told)

    async def _rollout(self, *, rollout_id: int) -> None:
        await self._engine.look_and_rest(lambda ticks: ticks.rollout(rollout_id))

    async def _sweep(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- procrastinate's signature
        await self._connector.execute_query_async(wakes.SWEEP, silent=wakes.interval(SILENT_S))

    async def _outbox(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- likewise
        if await self._engine.look(lambda ticks: ticks.outbox()):
            await self._again("outbox", 0.0)

    async def _embargoes(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- likewise
        if await self._engine.look(lambda ticks: ticks.embargoes()):
            await self._again("embargoes", 0.0)

    async def _trains(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- likewise
        rest_s = await self._engine.look(lambda ticks: ticks.trains())
        if isinstance(rest_s, float) and rest_s < TRAINS_S:
            await self._again("trains", rest_s)

    async def _days(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- likewise
        await self._engine.look(lambda ticks: ticks.days())

    async def _drift(self, timestamp: int = 0) -> None:  # noqa: ARG002 -- likewise
        rest_s = await self._engine.look(lambda ticks: ticks.drift())
        if isinstance(rest_s, float) and rest_s < DRIFT_S:
            await self._again("drift", rest_s)

    async def _again(self, name: str, seconds: float) -> None:
        told = {"task": name, "subject": name, "arguments": {}, "rest": wakes.interval(seconds)}
        await self._connector.execute_query_async(wakes.REST, **told)
