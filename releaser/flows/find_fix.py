"""Find which releases and lines of a product have a commit or a ticket, and how they came to it."""

from __future__ import annotations

from functools import partial

from releaser.domain.contains import Comparing, as_json, whereabouts
from releaser.domain.embargo import Untold, untold
from releaser.domain.history import History, LineStatus
from releaser.flows.compare_patches import compare_patches
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.open_history import open_history
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports
from releaser.store import embargoes, products


def find_fix(ports: Ports, *, product: str, query: str, deep: bool = False, told: Untold | None = untold) -> Facts:
    """`domain.contains.as_json`; of a ticket the status on a line is what counts, with what people said of it.

    `deep` compares the patches of commits that may be copies, which adds evidence and changes no status of a ticket.
    `told` stands in place of texts under embargo.

    It may touch files, so no transaction may be open. Raises `UnknownChangeError`, `AmbiguousCommitError`, and what
    `open_history` raises.
    """
    history = open_history(ports, product=product)
    found = whereabouts(history, query, comparing=_comparing(ports, product, history) if deep else None)
    with ports.database.reading() as session:
        veil = embargoes.veil(session, products.get(session, product).id, now=ports.clock.now())
    facts = {"product": product, **as_json(found, history)}
    if found.ticket is not None:
        judged = {one.line: one for one in judge_tickets(ports, product=product).judged(found.ticket)}
        for line in facts["lines"]:
            counts = judged[line["line"]]
            line["shown"], line["status"] = line["status"], counts.status.value
            line["override"] = counts.override.reason if counts.override is not None else None
            line["conflict"] = counts.is_conflict
            line["open"] = counts.status in {LineStatus.AFFECTED, LineStatus.UNKNOWN}
    return veil.over(facts, told)


def _comparing(ports: Ports, product: str, history: History) -> Comparing:
    with ports.database.reading() as session:
        row = products.get(session, product)
    return partial(compare_patches, open_repository(ports, row), history)
