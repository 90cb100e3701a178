"""Tell what is fixed on one of a product's lines and open on another, by what the history shows and what people said."""

from __future__ import annotations

from collections.abc import Sequence

from releaser.domain.backports import as_json, chosen, gaps
from releaser.domain.embargo import Untold, untold
from releaser.domain.line import LinePhase
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports
from releaser.store import embargoes, overrides, products, stated
from releaser.store import lines as kept_lines


def show_backports(
    ports: Ports,
    *,
    product: str,
    lines: Sequence[str] = (),
    most: int | None = None,
    told: Untold | None = untold,
) -> Facts:
    """`domain.backports.as_json` (`most` tickets of every kind) of these lines, else of those that are alive and not at the end of their life.

    `told` stands in place of texts under embargo.
    It may touch files, so no transaction may be open. Raises `UnknownPlaceError`, `TooManyGapsError`, and what
    `open_history` raises.
    """
    history = open_history(ports, product=product)
    looked_at = chosen(history, lines)
    table = judge_tickets(ports, product=product)
    with ports.database.reading() as session:
        row = products.get(session, product)
        said = {ticket for ticket, _ in overrides.by_product(session, row.id)} | set(stated.found_in(session, row.id))
        veil = embargoes.veil(session, row.id, now=ports.clock.now())
        names = [place.name for place in looked_at if not place.is_main]
        phases = kept_lines.standing(session, row, now=ports.clock.now(), among=names) if not lines else {}
    dead = {name for name, one in phases.items() if one.phase is LinePhase.END_OF_LIFE}
    looked_at = tuple(one for one in looked_at if one.is_main or one.name not in dead)
    names = [name for name in names if name not in dead]
    counting = {key: {one.line: one.status for one in table.judged(key, names)} for key in said if key in table}
    facts = as_json(gaps(history, looked_at, said=counting), history, most=most)
    return {"product": product, **veil.over(facts, told)}
