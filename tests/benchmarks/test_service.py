"""Answers inside the service: a product is collected, its history is in memory, and it is asked."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from releaser.assembly import assembled
from releaser.domain import backports, contains, upgrade
from releaser.domain.changelog import Form, release_of, render
from releaser.domain.history import History, TicketTable
from releaser.domain.version import Scheme, parse
from releaser.flows.collect_commits import collect_commits
from releaser.flows.find_fix import find_fix
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.open_history import open_history
from releaser.flows.ports import Ports
from releaser.flows.show_backports import show_backports
from releaser.flows.show_matrix import Asked, show_matrix
from releaser.flows.show_upgrade import show_upgrade
from releaser.settings import Settings
from tests.benchmarks.conftest import Tell
from tests.benchmarks.figures import Bar, Section, seconds
from tests.benchmarks.histories import Questions, Repository, go_on, questions
from tests.benchmarks.measure import Command, run

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(0)]

PRODUCT = "long"
MOST_S = 0.005
MOST_TABLE_S = 1.0
CALLS = 40
APART = 10
"""An upgrade as people make them: over so many releases."""
SHOWN = 40
"""Rows of a list that a page shows."""

Answer = Callable[[], object]


def from_index(history: History, about: Questions) -> dict[str, Answer]:
    """What the index alone answers, as plain data."""
    since, upto = (history.release(parse(text, scheme=Scheme.TWO_PART)) for text in (about.older, about.newer))
    assert since is not None
    assert upto is not None
    newest = history.releases[-1]
    # From all over the history; no two are the same in all calls.
    step = max(1, (len(history.releases) - APART) // (CALLS + 1))
    starts = iter(range(0, len(history.releases) - APART, step))

    def next_upgrade() -> object:
        at = next(starts)
        diff = upgrade.compare(history, history.releases[at], history.releases[at + APART])
        return upgrade.as_json(diff, history, most=SHOWN)

    def gaps() -> object:
        found = backports.gaps(history, backports.chosen(history))
        return backports.as_json(found, history, most=SHOWN)

    return {
        "changelog of the newest release": lambda: render([release_of(history, newest)], form=Form.MARKDOWN),
        "contains COMMIT": lambda: contains.as_json(contains.whereabouts(history, about.commit), history),
        "contains TICKET": lambda: contains.as_json(contains.whereabouts(history, about.ticket), history),
        "backports": gaps,
        f"upgrade {about.older} {about.newer}": lambda: upgrade.as_json(
            upgrade.compare(history, since, upto), history, most=SHOWN
        ),
        f"an upgrade over {APART} releases, another each time": next_upgrade,
    }


def from_service(ports: Ports, about: Questions) -> dict[str, Answer]:
    """The same as pages and API ask it: with what the database knows besides."""
    return {
        "contains COMMIT": lambda: find_fix(ports, product=PRODUCT, query=about.commit),
        "contains TICKET": lambda: find_fix(ports, product=PRODUCT, query=about.ticket),
        "backports": lambda: show_backports(ports, product=PRODUCT, most=SHOWN),
        f"upgrade {about.older} {about.newer}": lambda: show_upgrade(
            ports, product=PRODUCT, since=about.older, upto=about.newer, most=SHOWN
        ),
        "a page of the ticket × line matrix": lambda: show_matrix(ports, product=PRODUCT, asked=Asked()),
    }


def timed(answer: Answer) -> float:
    began = time.perf_counter()
    answer()
    return time.perf_counter() - began


@pytest.fixture
def ports(history: Repository, releaser: str, tmp_path: Path) -> Iterator[tuple[Ports, Repository]]:
    """A service that has just collected ten new commits on top of a collected history."""
    copy = history.copy(tmp_path / "repository")
    environment = {"RELEASER_HOME": str(tmp_path / "home")}
    add = (releaser, "product", "add", PRODUCT, "--repo", str(copy.folder), "--tag-format", copy.tag_format)
    taken, said = run(
        Command(words=(*add, "--ticket-pattern", copy.ticket_pattern), folder=copy.folder, environment=environment)
    )
    assert taken.code == 0, said
    with assembled(Settings(home=tmp_path / "home")) as made:
        collect_commits(made, product=PRODUCT)
        go_on(copy, 10, release=True)
        collect_commits(made, product=PRODUCT)
        yield made, copy


def test_answers_inside_the_service(ports: tuple[Ports, Repository], tell: Tell) -> None:
    service, repository = ports
    about = questions(repository)
    section = Section(
        key=f"service-{repository.key}",
        title=f"Answers inside the service: {repository.title}",
        about=f"Medians of {CALLS} calls after the first one, which is told apart, after a collect. Lists are cut at {SHOWN} rows, as on a page. "
        "`index`: from the history in memory alone, of which something is asked; `service`: as pages and API ask, SQLite included. Backports and upgrades are worked out "
        f"once after a collect and then kept; of the upgrades over {APART} releases each one is another, so nothing is kept of any.",
        columns=("", "from", "median", "first after a collect"),
    )
    history = open_history(service, product=PRODUCT)
    asked = {("index", name): answer for name, answer in from_index(history, about).items()}
    asked |= {("service", name): answer for name, answer in from_service(service, about).items()}
    for (way, name), answer in asked.items():
        first, *rest = [timed(answer) for _ in range(CALLS + 1)]
        median = statistics.median(rest)
        section.row(name, way, seconds(median), seconds(first))
        if way == "index":
            section.bars.append(Bar(what=name, value=median * 1000, most=MOST_S * 1000, unit="ms"))
        section.data[f"{name}, {way}"] = {"median_s": round(median, 6), "first_s": round(first, 6)}
    table(section, history, service)
    tell(section)


def table(section: Section, history: History, service: Ports) -> None:
    """Every ticket on every line: a new table each time."""
    rows = len(list(TicketTable(history).statuses()))
    lines = len(history.tracks)
    took = statistics.median(timed(lambda: list(TicketTable(history).statuses())) for _ in range(5))
    judged = timed(lambda: judge_tickets(service, product=PRODUCT))
    name = f"the whole table, {rows:,} tickets × {lines} lines"
    section.row(name, "index", seconds(took), f"judged by the service: {seconds(judged)}")
    section.bars.append(Bar(what=name, value=took, most=MOST_TABLE_S, unit="s"))
    section.data["table"] = {"median_s": round(took, 5), "rows": rows, "lines": lines}
