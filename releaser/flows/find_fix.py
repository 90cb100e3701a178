"""Find which releases and lines of a product have a commit or a ticket, and how they came to it."""

from __future__ import annotations

from releaser.domain.contains import as_json, whereabouts
from releaser.domain.history import LineStatus
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.open_history import open_history
from releaser.flows.ports import Facts, Ports


def find_fix(ports: Ports, *, product: str, query: str) -> Facts:
    """`domain.contains.as_json`; of a ticket the status on a line is what counts, with what people said of it.

    It may touch files, so no transaction may be open. Raises `UnknownChangeError`, `AmbiguousCommitError`, and what
    `open_history` raises.
    """
    history = open_history(ports, product=product)
    found = whereabouts(history, query)
    facts = {"product": product, **as_json(found, history)}
    if found.ticket is not None:
        judged = {one.line: one for one in judge_tickets(ports, product=product).judged(found.ticket)}
        for line in facts["lines"]:
            counts = judged[line["line"]]
            line["shown"], line["status"] = line["status"], counts.status.value
            line["override"] = counts.override.reason if counts.override is not None else None
            line["conflict"] = counts.is_conflict
            line["open"] = counts.status in {LineStatus.AFFECTED, LineStatus.UNKNOWN}
    return facts
