"""The matrix of a product: tickets by lines, a page of both, with what counts in every cell and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from releaser.domain.embargo import Untold, untold
from releaser.domain.history import LineStatus
from releaser.domain.line import SUPPORTED
from releaser.domain.status_table import Cell, StatusTable, Wanted
from releaser.domain.version import line_named
from releaser.errors import NotFoundError
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.ports import Facts, Ports
from releaser.store import embargoes, history_views, lines, overrides, products
from releaser.store.products import Product

COLUMNS = 10
MOST_COLUMNS = 40
_FEW = 16


class UnknownLineError(NotFoundError):
    """The product has no such line."""


class LineChoice(StrEnum):
    """Which lines are looked at: every one, those with patches, those that customers can rely on."""

    ALL = "all"
    PATCHED = "patched"
    SUPPORTED = "supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reader asks the matrix for. `lines` None leaves the choice to the product; `first` and `last` bound it by number."""

    statuses: frozenset[LineStatus] = frozenset()
    text: str = ""
    lines: LineChoice | None = None
    first: str = ""
    last: str = ""
    gaps: bool = False
    overridden: bool = False
    conflicts: bool = False
    by: str = ""
    columns: int = COLUMNS
    from_column: int = 0


def show_matrix(
    ports: Ports, *, product: str, asked: Asked, limit: int = 50, offset: int = 0, told: Untold | None = untold
) -> Facts:
    """A page: `lines` newest number first, `tickets` newest first, each with a cell per line, and how many there are of both.

    `told` stands in place of texts under embargo, and what is looked for is not looked for in these.
    Raises `UnknownLineError`, `InvalidVersionError`, and as `open_history`.
    """
    table = judge_tickets(ports, product=product)
    with ports.database.reading() as session:
        row = products.get(session, product)
        standing = history_views.supports(session, row, now=ports.clock.now())
        veil = embargoes.veil(session, row.id, now=ports.clock.now())
        choice, chosen = _chosen(row, table, asked, standing)
        wanted = Wanted(
            lines=chosen,
            statuses=asked.statuses,
            text=asked.text.strip(),
            gaps=asked.gaps,
            overridden=asked.overridden,
            conflicts=asked.conflicts,
            by=asked.by,
            untitled=frozenset(veil.tickets) if told is not None else frozenset(),
        )
        found = table.find(wanted)
        keys = found[offset : offset + limit]
        shown = chosen[asked.from_column : asked.from_column + asked.columns]
        subjects = history_views.subjects(session, row.id, keys)
        facts = {
            "product": row.name,
            "lines": [_column(line, standing.get(line)) for line in shown],
            "line_choice": choice.value,
            "line_count": len(chosen),
            "all_lines": len(table.lines),
            "count": len(found),
            "total": len(table.keys),
            "people": table.people,
            "tickets": [
                {
                    "key": key,
                    "title": table.titles.get(key, ""),
                    "commit": subjects[key][0] if key in subjects else None,
                    "subject": subjects[key][1] if key in subjects else "",
                    "planned_for": table.planned_for.get(key),
                    "cells": [_cell(cell) for cell in table.row(key, shown)],
                }
                for key in keys
            ],
        }
        return veil.over(facts, told)


def _chosen(
    product: Product, table: StatusTable, asked: Asked, standing: Mapping[str, lines.Standing]
) -> tuple[LineChoice, list[str]]:
    """The choice that is made, and its lines, newest number first."""
    bounds = [_place(table, product, name) if name else None for name in (asked.first, asked.last)]
    low, high = bounds
    every = list(table.lines[low if low is not None else 0 : high + 1 if high is not None else None])
    every.reverse()
    counts = table.release_counts
    patched = [line for line in every if counts[line] > 1]
    if asked.lines is LineChoice.ALL or (asked.lines is None and (len(every) <= _FEW or asked.first or asked.last)):
        return LineChoice.ALL, every
    if asked.lines is not LineChoice.PATCHED:
        supported = [line for line in every if line in standing and standing[line].phase in SUPPORTED]
        if asked.lines is LineChoice.SUPPORTED or supported:
            return LineChoice.SUPPORTED, supported
    # The newest line has no patch yet and is looked at first.
    newest = [line for line in every[:1] if line not in patched[:1]]
    return LineChoice.PATCHED, newest + patched


def _place(table: StatusTable, product: Product, name: str) -> int:
    line = line_named(name, scheme=product.scheme)
    if line not in table.lines:
        raise UnknownLineError(
            f"Product '{product.name}' has no line {line}.",
            advice=f"Its newest: {', '.join(table.lines[:-4:-1])}." if table.lines else "",
            field="line",
        )
    return table.lines.index(line)


def _column(line: str, standing: lines.Standing | None) -> Facts:
    return {
        "line": line,
        "phase": standing.phase.value if standing else None,
        "supported_until_on": standing.support.supported_until_on if standing else None,
    }


def _cell(cell: Cell) -> Facts:
    judged = cell.judged
    return {
        "line": judged.line,
        "status": judged.status.value,
        "derived": judged.derived.value,
        "evidence": judged.evidence.value,
        "reach": judged.reach.value,
        "first_version": cell.first.version.text if cell.first else None,
        "conflict": judged.is_conflict,
        "override": overrides.facts(judged.override) if judged.override else None,
    }
