"""What a warm `collect` costs: it grows with what is new, not with what there is. Makes `collect_growth.svg` and `.csv`."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from releaser.assembly import assembled
from releaser.flows.collect_commits import collect_commits
from releaser.flows.ports import Ports
from releaser.settings import Settings
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.benchmarks.histories import LARGE, Repository, generated, go_on
from tests.benchmarks.measure import ROUNDS, Command, Taken, run
from tests.benchmarks.plot import plotted

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

SIZES = tuple(size for size in (10_000, 20_000, 50_000, 100_000, 200_000) if size <= LARGE)
PLOT = Path(__file__).with_name("collect_growth.svg")
TABLE = PLOT.with_suffix(".csv")
NEW = (0, 10, 100)
PRODUCT = "long"
WHOLE, INSIDE = "process", "in the service"
# The history grows twenty-fold; what is new does not.
MOST_GROWTH = 2.0
MOST_INSIDE_S = {0: 0.02, 100: 0.2}

Figures = dict[tuple[str, int], float]


def added(repository: Repository, releaser: str, home: Path) -> tuple[dict[str, str], Taken]:
    """The settings of a service whose product is the repository, and what its first collect cost."""
    environment = {"RELEASER_HOME": str(home)}
    add = (releaser, "product", "add", PRODUCT, "--repo", str(repository.folder), "--tag-format", repository.tag_format)
    asked = (*add, "--ticket-pattern", repository.ticket_pattern)
    taken, said = run(Command(words=asked, folder=repository.folder, environment=environment))
    assert taken.code == 0, said
    return environment, as_process(repository, releaser, environment, 0)


def as_process(repository: Repository, releaser: str, environment: dict[str, str], new: int) -> Taken:
    """A whole `releaser collect` after so many commits and a patch."""
    if new:
        go_on(repository, new, release=True)
    words = (releaser, "collect", PRODUCT)
    taken, said = run(Command(words=words, folder=repository.folder, environment=environment))
    assert taken.code == 0, said
    return taken


def inside(repository: Repository, ports: Ports, new: int) -> float:
    """Seconds of a collect in a process that has collected before."""
    if new:
        go_on(repository, new, release=True)
    began = time.perf_counter()
    facts = collect_commits(ports, product=PRODUCT)
    taken = time.perf_counter() - began
    assert len(facts["new_releases"]) == (1 if new else 0)
    return taken


def medians(measure: Callable[[int], float]) -> dict[int, float]:
    """The median for each number of new commits, the first round left out."""
    rounds = [{new: measure(new) for new in NEW} for _ in range(ROUNDS + 1)][1:]
    return {new: statistics.median(taken[new] for taken in rounds) for new in NEW}


def measured(size: int, releaser: str, folder: Path) -> tuple[Figures, Taken, float]:
    """The figures of one size, its first collect, and the highest memory of a warm one in MiB."""
    repository = generated(size).copy(folder / f"{size}")
    environment, first = added(repository, releaser, folder / f"home-{size}")
    peaks: list[float] = []

    def process(new: int) -> float:
        taken = as_process(repository, releaser, environment, new)
        peaks.append(taken.peak_mib)
        return taken.wall_s

    whole = medians(process)
    with assembled(Settings(home=folder / f"home-{size}")) as ports:
        within = medians(lambda new: inside(repository, ports, new))
    figures = {(WHOLE, new): taken for new, taken in whole.items()}
    return figures | {(INSIDE, new): taken for new, taken in within.items()}, first, max(peaks)


def test_growth_of_collect(releaser: str, tmp_path: Path, tell: Tell) -> None:
    ways = [(way, new) for way in (WHOLE, INSIDE) for new in NEW]
    section = Section(
        key="growth",
        title="Collect: what is new, in a history of growing length",
        about="`releaser collect` of a product whose repository is on the same machine, into SQLite: nothing new, or so many commits and a patch's tag. "
        f"Medians of {ROUNDS}. `in the service` has the history in memory. A history twenty times as long has also twelve times the tags, "
        "all of which git lists each time.",
        columns=("commits", "first", *(f"{way}, {new} new" for way, new in ways), "memory"),
    )
    found: dict[int, Figures] = {}
    peak = 0.0
    for size in SIZES:
        found[size], first, warm = measured(size, releaser, tmp_path)
        peak = max(peak, first.peak_mib, warm)
        memory = f"{first.peak_mib:.0f} MiB first, {warm:.0f} MiB warm"
        section.row(f"{size:,}", seconds(first.wall_s), *(seconds(found[size][way]) for way in ways), memory)
    section.data = data_of(found)
    bars(section, found, peak)
    tell(section)
    if os.environ.get("BENCH_KEEP", "0") not in {"", "0"}:
        PLOT.write_text(drawn(found), "utf-8")
        TABLE.write_text(listed(found), "utf-8")


def data_of(found: dict[int, Figures]) -> dict[str, Any]:
    """Seconds by way, new commits and size, to be kept."""
    return {
        f"{way}, {new} new": {str(size): round(figures[way, new], 5) for size, figures in found.items()}
        for way in (WHOLE, INSIDE)
        for new in NEW
    }


def bars(section: Section, found: dict[int, Figures], peak: float) -> None:
    """What is asked for: no growth with the history, and quick enough at its largest."""
    smallest, largest = found[SIZES[0]], found[SIZES[-1]]
    for way in ((INSIDE, 10), (INSIDE, 100), (WHOLE, 10)):
        what = f"{way[0]}, {way[1]} new: {SIZES[-1]:,} of {SIZES[0]:,} commits"
        section.bars.append(Bar(what=what, value=largest[way] / smallest[way], most=MOST_GROWTH, unit="×"))
    for new, most in MOST_INSIDE_S.items():
        what = f"{INSIDE}, {new} new, {SIZES[-1]:,} commits"
        section.bars.append(Bar(what=what, value=largest[INSIDE, new], most=most, unit="s"))
    section.bars.append(Bar(what="memory, the first collect included", value=peak, most=400, unit="MiB"))


def listed(found: dict[int, Figures]) -> str:
    """The figures of the plot and those that are not drawn, in milliseconds, as CSV."""
    ways = [(way, new) for way in (WHOLE, INSIDE) for new in NEW]
    head = ",".join(["commits", *(f"{way} {new} new ms" for way, new in ways)])
    rows = (",".join([str(size), *(f"{figures[way] * 1000:.1f}" for way in ways)]) for size, figures in found.items())
    return "\n".join([head, *rows, ""])


def drawn(found: dict[int, Figures]) -> str:
    """The plot: milliseconds over the number of commits."""
    names = {(WHOLE, 100): "100 new, process", (WHOLE, 10): "10 new, process"}
    names |= {(INSIDE, 100): "100 new, service", (INSIDE, 10): "10 new, service"}
    series = {
        name: [(float(size), figures[way] * 1000) for size, figures in found.items()] for way, name in names.items()
    }
    title = "Collecting what is new: milliseconds by length of the history"
    return plotted(series, title=title, right="commits in the history", up="ms", ticks=[float(size) for size in found])
