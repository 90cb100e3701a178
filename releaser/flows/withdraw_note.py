"""Take a ticket out of a release's notes: readers are no longer told of it; every text it had stays for internal readers."""

from __future__ import annotations

from releaser.domain.changelog import Audience
from releaser.errors import NotFoundError
from releaser.flows.ports import Facts, Ports
from releaser.flows.retell_ticket import retell_ticket
from releaser.flows.write_note import check_reason, facts_of, keep
from releaser.store import notes, products, releases


class NoteNotFoundError(NotFoundError):
    """The release has no note of that ticket."""


def withdraw_note(
    ports: Ports,
    *,
    product: str,
    version: str,
    ticket: str,
    by: str,
    reason: str = "",
    audience: Audience = Audience.CUSTOMER,
) -> list[Facts]:
    """Withdraw the ticket's notes in every language; answers them. Withdrawn already, nothing is done.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `NoteNotFoundError`, `MissingNoteReasonError` (of a published
    release), and what `retell_ticket` raises.
    """
    check_reason(reason)
    now = ports.clock.now()
    with ports.database.transaction() as session:
        release = releases.get(session, products.get(session, product), version)
        found = [one for one in notes.of_ticket(session, release, ticket) if one.audience == audience]
        if not found:
            raise NoteNotFoundError(
                f"{product} {release.version} has no note of {ticket[:80]} for {audience.value} readers.",
                advice=f"See `releaser note list {product} {release.version}`.",
                field="ticket",
            )
        for note in found:
            if note.text or not note.written_by:
                wanted = ("", note.section, note.needs_action)
                keep(session, release, note, wanted, reason=reason.strip(), by=by, now=now)
        facts = [facts_of(note) for note in found]
        is_visible = release.state in notes.VISIBLE
    if is_visible and audience is Audience.CUSTOMER:
        retell_ticket(ports, product=product, ticket=ticket, by=by)
    return facts
