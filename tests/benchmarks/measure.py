"""Whole processes, measured side by side: every command in turn, round after round, so that all of them meet the same machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SLOW_S = 20.0
"""A command that takes longer runs once."""
LIMIT_S = 900.0
STOPWATCH = Path(__file__).with_name("stopwatch.py")
SIGKILLED = -9
# Nobody's service compiles its source again at each start.
_NOT_HANDED_ON = frozenset({"PYTHONDONTWRITEBYTECODE"})


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line. `before` is called before each run and not measured; `fed` is the file it reads as its input."""

    words: tuple[str, ...]
    folder: Path
    before: Callable[[], None] = nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    fed: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one run cost."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The runs of one command, the first one (which warms the machine's file cache) left out where there are more."""

    runs: tuple[Taken, ...]
    why_not: str = ""

    @property
    def works(self) -> bool:
        """Whether it ended well each time."""
        return not self.why_not

    @property
    def wall_s(self) -> float:
        """The median of the clock's time."""
        return statistics.median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """The median of the processors' time."""
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def peak_mib(self) -> float:
        """The highest memory of any run."""
        return max(run.peak_mib for run in self.runs)

    def facts(self) -> dict[str, object]:
        """Figures to be kept."""
        if not self.works:
            return {"why_not": self.why_not}
        walls = [round(run.wall_s, 4) for run in self.runs]
        return {
            "median_s": round(self.wall_s, 4),
            "least_s": min(walls),
            "most_s": max(walls),
            "cpu_s": round(self.cpu_s, 4),
            "peak_mib": round(self.peak_mib, 1),
            "runs": len(walls),
        }


def run(command: Command, *, out: Path = Path(os.devnull), limit_s: float = LIMIT_S) -> tuple[Taken, str]:
    """Run it once; answers what it cost and the end of what it said on standard error."""
    command.before()
    words = [sys.executable, "-I", "-S", str(STOPWATCH), str(limit_s), str(out), *command.words]
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    environment = {**inherited, "LC_ALL": "C.UTF-8", "NO_COLOR": "1", **command.environment}
    with (command.fed or Path(os.devnull)).open("rb") as fed:
        done = subprocess.run(
            words, cwd=command.folder, env=environment, stdin=fed, capture_output=True, check=True, encoding="utf-8"
        )
    return Taken(**json.loads(done.stdout)), done.stderr.strip()[-400:]


def interleaved(
    commands: Mapping[str, Command], *, rounds: int = ROUNDS, limit_s: float = LIMIT_S, outputs: Path | None = None
) -> dict[str, Series]:
    """Measure them all. Nothing is dropped in silence: what failed or took too long tells so in its series.

    What each one printed the first time is kept in the folder `outputs` under its name, if that is given.
    """
    runs: dict[str, list[Taken]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for number in range(rounds + 1):
        for name, command in commands.items():
            if name in failed or (number > 0 and runs[name][0].wall_s > SLOW_S):
                continue
            out = outputs / name if outputs and number == 0 else Path(os.devnull)
            taken, said = run(command, out=out, limit_s=limit_s)
            if taken.code == SIGKILLED:
                failed[name] = f"not done after {limit_s:.0f} s"
            elif taken.code != 0:
                failed[name] = f"exit {taken.code}: {said.splitlines()[-1] if said else 'nothing said'}"
            runs[name].append(taken)
    return {name: Series(runs=tuple(taken[1:] or taken), why_not=failed.get(name, "")) for name, taken in runs.items()}
