"""Rollouts over many targets with nothing behind them: what the controller itself costs, on SQLite and on PostgreSQL with three workers.

`BENCH_TARGETS` names other sizes, such as `100,2000`. A step does nothing, so all that is measured is ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from releaser.domain.rollout import RolloutState
from releaser.store.session import Database
from releaser.store.upgrade import upgrade
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.fakes.fleet import STEPS, Fleet, until
from tests.fakes.postgres import PrivatePostgres

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

SIZES = tuple(int(size) for size in os.environ.get("BENCH_TARGETS", "100,2000,10000").split(","))
WORKERS = {"sqlite": 1, "postgres": 3}
AT_ONCE = 50
ASKED = 2000
MOST_S, MOST_MS, MOST_MB = 60.0, 15.0, 250.0
TAKEN_UP_S, NEXT_STEP_S = 10.0, 2.0
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def worker(url: str, folder: Path, *, step_s: float) -> Iterator[subprocess.Popen[str]]:
    """A process that works; a step of -1 s does nothing and tells nobody."""
    command = [sys.executable, "-m", "tests.fakes.fleet", url, str(folder), str(step_s), "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def used(pid: int) -> tuple[float, float]:
    """CPU seconds so far, and the most memory in MB."""
    numbers = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return (int(numbers[11]) + int(numbers[12])) / _TICKS, int(peak) / 1024


def rolled_out(url: str, folder: Path, *, targets: int, workers: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds of all workers, the most memory of one in MB."""
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(url)
    upgrade(database)
    fleet = Fleet(database, folder)
    with ExitStack() as stack:
        processes = [stack.enter_context(worker(url, folder, step_s=-1)) for _ in range(workers)]
        before = [used(one.pid)[0] for one in processes]
        rollout = fleet.rollout(targets, max_parallel=AT_ONCE)
        began = time.monotonic()
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=3600, what=f"{targets} targets")
        took = time.monotonic() - began
        after = [used(one.pid) for one in processes]
    database.close()
    cpu = sum(now[0] - was for now, was in zip(after, before, strict=True))
    return took, cpu, max(now[1] for now in after)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_cost_per_target_stays_the_same_however_many_there_are(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, tell: Tell
) -> None:
    section = Section(
        key=f"engine-{kind}",
        title=f"A rollout over many targets, {kind}, {WORKERS[kind]} workers",
        columns=("targets", "time", "CPU a target", "CPU a target and step", "memory of a worker"),
        about=f"{len(STEPS)} steps that do nothing, up to {AT_ONCE} targets cut over at once. CPU is that of all workers.",
    )
    for size in SIZES:
        folder = tmp_path / str(size)
        folder.mkdir()
        url = f"sqlite:///{folder / 'bench.db'}"
        if kind == "postgres":
            server: PrivatePostgres = request.getfixturevalue("postgres")
            url = server.url(server.create())
        took, cpu, memory = rolled_out(url, folder, targets=size, workers=WORKERS[kind])
        each_ms = 1000 * cpu / size
        section.rows.append(
            [
                f"{size}",
                seconds(took),
                f"{each_ms:.1f} ms",
                f"{each_ms / len(STEPS):.1f} ms",
                f"{memory:.0f} MB",
            ]
        )
        if size == ASKED:
            section.bars += [
                Bar(what=f"{size} targets", value=took, most=MOST_S, unit="s"),
                Bar(what="CPU a target and step", value=each_ms / len(STEPS), most=MOST_MS, unit="ms"),
                Bar(what="memory of a worker", value=memory, most=MOST_MB, unit="MB"),
            ]
    tell(section)


def next_act(fleet: Fleet, died_at: float) -> float:
    """Seconds from a death to the first step after it."""
    until(lambda: any(act["at"] > died_at for act in fleet.acts()), within_s=60, what="somebody goes on")
    return float(next(act["at"] for act in fleet.acts() if act["at"] > died_at)) - died_at


def test_killed_workers_targets_are_taken_up(postgres_url: str, tmp_path: Path, tell: Tell) -> None:
    section = Section(key="engine-kill", title="After kill -9 of a worker in mid-step", columns=("what", "seconds"))
    database = Database(postgres_url)
    fleet = Fleet(database, tmp_path)
    with (
        worker(postgres_url, tmp_path, step_s=60) as first,
        ExitStack() as stack,
    ):
        fleet.rollout(3)
        until(lambda: len(fleet.acts()) == 3, within_s=60, what="steps begin")
        stack.enter_context(worker(postgres_url, tmp_path, step_s=0.01))
        first.send_signal(signal.SIGKILL)
        first.wait()
        taken_up_s = next_act(fleet, time.monotonic())
    database.close()
    section.rows.append(["another worker takes its targets up, PostgreSQL", seconds(taken_up_s)])
    section.bars.append(Bar(what="taken up by another", value=taken_up_s, most=TAKEN_UP_S, unit="s"))
    tell(section)


def test_restarted_worker_goes_on(database_url: str, tmp_path: Path, tell: Tell) -> None:
    database = Database(database_url)
    kind = "sqlite" if database.is_sqlite else "postgres"
    section = Section(
        key=f"engine-restart-{kind}", title=f"Restart after kill -9, {kind}", columns=("from", "to the next step")
    )
    fleet = Fleet(database, tmp_path)
    with worker(database_url, tmp_path, step_s=60) as first:
        fleet.rollout(3)
        until(fleet.acts, within_s=60, what="a step begins")
        first.send_signal(signal.SIGKILL)
        first.wait()
    began = time.monotonic()
    with worker(database_url, tmp_path, step_s=0.01):
        ready = time.monotonic()
        next_s = next_act(fleet, began)
    database.close()
    section.rows.append(["the start of the process", seconds(next_s)])
    section.rows.append(["its being ready", seconds(max(0.0, next_s - (ready - began)))])
    section.bars.append(Bar(what="from restart to the next step", value=next_s, most=NEXT_STEP_S, unit="s"))
    tell(section)
