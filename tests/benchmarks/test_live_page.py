"""The page of a rollout with 500 targets and 20 changes a second: what a browser gets and holds, and what open pages cost the service."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import select, update

from releaser.clock import SystemClock
from releaser.domain.rollout import UPDATE_MOVES, StepState, UpdateState, WaveState
from releaser.store import moves
from releaser.store.rollouts import StepRecord, TargetUpdate, Wave
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section
from tests.fakes.fleet import Fleet
from tests.needs import program
from tests.web.test_browser import ARGUMENTS
from tests.web.test_events import SERVICE

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

WAVES = (5, 95, 400)
CHANGES_S = 20
PAGES = 20
LASTS_S = 15.0
MOST_FIRST_KB, MOST_KB_S, MOST_ELEMENTS, MOST_CPU = 100.0, 30.0, 2_000, 25.0
_TICKS = os.sysconf("SC_CLK_TCK")
_U = UpdateState
_STATES = (_U.PREPARING, _U.PREPARED, _U.CUTTING_OVER, _U.VERIFYING, _U.SOAKING, _U.COMMITTING, _U.SUCCEEDED)
_STEPS = {_U.PREPARING: "pull", _U.CUTTING_OVER: "swap", _U.COMMITTING: "tidy"}
_COUNTED = """
  window.got = {bytes: 0, rows: 0};
  const Source = window.EventSource;
  window.EventSource = function (address) {
    const made = new Source(address);
    made.addEventListener("pieces", (event) => {
      got.bytes += new Blob([event.data]).size;
      got.rows += (JSON.parse(event.data).rows ?? []).length;
    });
    return made;
  };
  window.EventSource.CLOSED = Source.CLOSED;
"""


def changing(database: Database, stop: threading.Event) -> None:
    """Move targets and their journals on, ten side by side, so many changes a second."""
    with database.reading() as session:
        left = list(session.scalars(select(TargetUpdate.id).order_by(TargetUpdate.position)))
    at_work: list[tuple[int, int]] = []
    began, done = time.monotonic(), 0
    clock = SystemClock()
    while not stop.wait(max(0.0, began + done / CHANGES_S - time.monotonic())):
        if len(at_work) < 10:
            at_work.append((left.pop(0), 0))
        update_id, place = at_work.pop(0)
        to, now = _STATES[place], clock.now()
        with database.transaction() as session:
            row = session.get_one(TargetUpdate, update_id)
            moves.move(session, row, to, moves=UPDATE_MOVES, now=now, by="benchmark", active=to is not _U.SUCCEEDED)
            if to in _STEPS:
                step = StepRecord(update_id=update_id, attempt=1, name=_STEPS[to], intent_at=now, done_at=now)
                step.state = StepState.DONE
                session.add(step)
        done += 1
        if place + 1 < len(_STATES):
            at_work.append((update_id, place + 1))


@contextlib.contextmanager
def service(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The service in a process of its own, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", SERVICE, str(file), str(port)]) as process:
        try:
            for _ in range(600):
                with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            yield process, port
        finally:
            process.kill()


def cpu_s(pid: int) -> float:
    """Processor seconds so far."""
    numbers = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / _TICKS


def cost_of_pages(pid: int, port: int, rollout: int, count: int) -> float:
    """Percents of a processor that so many open pages cost, in two languages."""
    watched = selectors.DefaultSelector()
    with contextlib.ExitStack() as stack:
        for n in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            language = ("en", "ru")[n % 2]
            one.sendall(f"GET /rollouts/{rollout}/stream?lang={language} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            watched.register(one, selectors.EVENT_READ)
        read(watched, for_s=2.0)
        before, began = cpu_s(pid), time.monotonic()
        read(watched, for_s=LASTS_S)
        return 100 * (cpu_s(pid) - before) / (time.monotonic() - began)


def read(watched: selectors.BaseSelector, *, for_s: float) -> None:
    """Take what comes."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        for key, _ in watched.select(0.2):
            socket.socket.recv(key.fileobj, 1 << 20)  # type: ignore[arg-type]  # it is a socket


def in_browser(page: Page, address: str) -> dict[str, Any]:
    """What the page weighs, and what it gets while it is open."""
    page.add_init_script(_COUNTED)
    page.goto(address)
    page.goto(address)  # with the sheet and the scripts kept
    first = page.evaluate(
        "(() => { const n = performance.getEntriesByType('navigation')[0]; return {kb: n.transferSize / 1000, ready: "
        "n.domContentLoadedEventEnd - n.responseStart, elements: document.querySelectorAll('*').length} })()"
    )
    page.evaluate("Object.assign(got, {bytes: 0, rows: 0})")
    page.wait_for_timeout(LASTS_S * 1000)
    got = page.evaluate("({...got, elements: document.querySelectorAll('*').length})")
    return {"first": first, "got": got}


def test_large_rollout_is_small_in_the_browser_and_cheap_for_the_service(tmp_path: Path, tell: Tell) -> None:
    file = tmp_path / "store.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    rollout = Fleet(database, tmp_path).rollout(*WAVES)
    with database.transaction() as session:  # every card is open, which is the most that a page shows
        session.execute(update(Wave).values(state=WaveState.RUNNING))
    stop = threading.Event()
    changes = threading.Thread(target=changing, args=(database, stop))
    with service(file) as (process, port):
        changes.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program("chromium", of="chromium"), args=ARGUMENTS)
                seen = in_browser(browser.new_page(), f"http://127.0.0.1:{port}/rollouts/{rollout}")
                browser.close()
            costs = {count: cost_of_pages(process.pid, port, rollout, count) for count in (1, PAGES)}
        finally:
            stop.set()
            changes.join()
    database.close()
    tell(told(seen, costs))


def told(seen: dict[str, Any], costs: dict[int, float]) -> Section:
    """The figures, and what is asked for."""
    first, got = seen["first"], seen["got"]
    section = Section(
        key="live-page",
        title=f"A rollout's page with {sum(WAVES)} targets and {CHANGES_S} changes a second",
        columns=("what", "figure"),
    )
    section.row("the page itself", f"{first['kb']:.0f} kB, {first['elements']} elements")
    section.row("from its first byte to ready", f"{first['ready']:.0f} ms")
    section.row("what it gets while it is open", f"{got['bytes'] / LASTS_S / 1000:.1f} kB/s")
    section.row("targets put in anew", f"{got['rows'] / LASTS_S:.1f} a second")
    section.row("elements at the end", str(got["elements"]))
    for count, cost in costs.items():
        section.row(f"the service with {count} open pages", f"{cost:.1f} % of a processor")
    section.bars = [
        Bar(what="the page itself", value=first["kb"], most=MOST_FIRST_KB, unit="kB"),
        Bar(what="what an open page gets", value=got["bytes"] / LASTS_S / 1000, most=MOST_KB_S, unit="kB/s"),
        Bar(what="elements at the end", value=got["elements"], most=MOST_ELEMENTS, unit="elements"),
        Bar(what=f"{PAGES} open pages", value=costs[PAGES], most=MOST_CPU, unit="% of a processor"),
    ]
    return section
