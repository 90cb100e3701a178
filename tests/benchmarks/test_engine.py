"""Rollouts over many targets with nothing behind them: what the controller itself costs, on SQLite and on PostgreSQL with three workers.

`BENCH_TARGETS` names other sizes, such as `100,2000`. A step does nothing, so all that is measured is ours. Makes `engine_growth.svg`
and `.csv`: processors' time, which a busy machine lengthens less than the clock's.
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
from tests.benchmarks.plot import plotted
from tests.fakes.fleet import STEPS, Fleet, until
from tests.fakes.postgres import PrivatePostgres

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

SIZES = tuple(int(size) for size in os.environ.get("BENCH_TARGETS", "100,300,1000,2000,3000,10000").split(","))
PLOT = Path(__file__).with_name("engine_growth.svg")
TABLE = PLOT.with_suffix(".csv")
WARM = 20
WORKERS = {"sqlite": 1, "postgres": 3}
AT_ONCE = 50
ASKED = 2000
MOST_S, MOST_MS, MOST_MB = 60.0, 15.0, 250.0
MOST_GROWTH = 1.25
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
        # Who has just begun puts its statements together first, once.
        first = fleet.rollout(WARM)
        until(lambda: fleet.state(first) is RolloutState.SUCCEEDED, within_s=600, what="a first rollout")
        before = [used(one.pid)[0] for one in processes]
        rollout = fleet.rollout(targets, max_parallel=AT_ONCE)
        began = time.monotonic()
        until(lambda: fleet.state(rollout) is RolloutState.SUCCEEDED, within_s=3600, what=f"{targets} targets")
        took = time.monotonic() - began
        after = [used(one.pid) for one in processes]
    database.close()
    cpu = sum(now[0] - was for now, was in zip(after, before, strict=True))
    return took, cpu, max(now[1] for now in after)


def measured(kind: str, folder: Path, request: pytest.FixtureRequest) -> tuple[Section, dict[int, float]]:
    """The section of one database, and CPU milliseconds of a target by how many there were."""
    section = Section(
        key=f"engine-{kind}",
        title=f"A rollout over many targets, {kind}, {WORKERS[kind]} workers",
        columns=("targets", "time", "CPU a target", "CPU a target and step", "memory of a worker"),
        about=f"{len(STEPS)} steps that do nothing, up to {AT_ONCE} targets cut over at once. CPU is that of all workers.",
    )
    found: dict[int, float] = {}
    for size in SIZES:
        url = f"sqlite:///{folder / f'{size}.db'}"
        if kind == "postgres":
            server: PrivatePostgres = request.getfixturevalue("postgres")
            url = server.url(server.create())
        took, cpu, memory = rolled_out(url, folder / f"{kind}-{size}", targets=size, workers=WORKERS[kind])
        found[size] = 1000 * cpu / size
        each_ms = found[size] / len(STEPS)
        section.row(f"{size}", seconds(took), f"{found[size]:.1f} ms", f"{each_ms:.1f} ms", f"{memory:.0f} MB")
        if size == ASKED:
            section.bars += [
                Bar(what=f"{size} targets", value=took, most=MOST_S, unit="s"),
                Bar(what="CPU a target and step", value=each_ms, most=MOST_MS, unit="ms"),
                Bar(what="memory of a worker", value=memory, most=MOST_MB, unit="MB"),
            ]
    what = f"CPU a target: {SIZES[-1]} of {SIZES[0]} targets"
    section.bars.append(Bar(what=what, value=found[SIZES[-1]] / found[SIZES[0]], most=MOST_GROWTH, unit="×"))
    return section, found


def test_cost_per_target_stays_the_same_however_many_there_are(
    tmp_path: Path, request: pytest.FixtureRequest, tell: Tell
) -> None:
    found: dict[str, dict[int, float]] = {}
    for kind in WORKERS:
        section, found[kind] = measured(kind, tmp_path, request)
        tell(section)
    if os.environ.get("BENCH_KEEP", "0") not in {"", "0"}:
        draw(found)


def draw(found: dict[str, dict[int, float]]) -> None:
    """Keep the figures and the plot of them: CPU milliseconds of a target and step by the number of targets."""
    steps = len(STEPS)
    series = {kind: [(float(size), value / steps) for size, value in values.items()] for kind, values in found.items()}
    title = "A rollout's cost: CPU milliseconds of a target and step by the number of targets"
    ticks = [float(size) for size in SIZES]
    PLOT.write_text(plotted(series, title=title, right="targets of the rollout", up="ms", ticks=ticks), "utf-8")
    head = ",".join(["targets", *(f"{kind} CPU ms a target" for kind in found)])
    rows = (",".join([str(size), *(f"{values[size]:.2f}" for values in found.values())]) for size in SIZES)
    TABLE.write_text("\n".join([head, *rows, ""]), "utf-8")


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
